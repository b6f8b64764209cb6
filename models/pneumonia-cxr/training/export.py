"""Puts the folds' networks side by side into one ONNX graph: from `image` to `logit`, `saliency` and `embedding`.

    python export.py --runs runs --out runs/model.onnx
"""

import argparse
from pathlib import Path

import onnx
import torch
from torch import nn

from network import Network

OPSET = 17


class Ensemble(nn.Module):
    """The mean of the networks' logits and of their evidence; their embeddings one after another."""

    def __init__(self, members: list[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, maps, embeddings = zip(*[member(image) for member in self.members], strict=True)
        evidence = torch.stack(maps).mean(dim=0)
        # Evidence against pneumonia counts in the logit and is not drawn over the film.
        return torch.stack(logits).mean(dim=0), torch.relu(evidence), torch.cat(embeddings, dim=1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options.add_argument("--out", type=Path, default=Path("runs/model.onnx"))
    options = options.parse_args()
    export(load_ensemble(sorted(options.runs.glob("fold-*.pt"))), options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def load_ensemble(files: list[Path]) -> Ensemble:
    members = []
    for file in files:
        member = Network()
        member.load_state_dict(torch.load(file))
        members.append(member)
    return Ensemble(members).eval()


def export(model: Ensemble, out: Path) -> None:
    outputs = ["logit", "saliency", "embedding"]
    torch.onnx.export(
        model,
        (torch.rand(2, 1, 224, 224),),
        str(out),
        input_names=["image"],
        output_names=outputs,
        opset_version=OPSET,
        dynamic_axes={name: {0: "n"} for name in ["image", *outputs]},
        dynamo=False,  # the newer exporter needs opset 18 and writes the weights to a second file
    )
    onnx.checker.check_model(onnx.load(out), full_check=True)


if __name__ == "__main__":
    main()
