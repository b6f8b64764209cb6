"""Puts the folds' networks side by side into one ONNX graph: from `image` to `logit`, `saliency` and `embedding`.

    python export.py --runs runs --out runs/model.onnx
"""

import argparse
from pathlib import Path

import onnx
import torch
from torch import nn

from network import Network
from pretrained import PretrainedNetwork

KINDS = {"fold": Network, "pretrained": PretrainedNetwork}
"""What a file of weights is called, and the network that they belong to."""

OPSET = 17


class Ensemble(nn.Module):
    """The mean over kinds of the mean over a kind's networks, of logits and of evidence; embeddings one after another."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        kinds = [type(member) for member in members]
        self.weights = [1 / (len(set(kinds)) * kinds.count(kind)) for kind in kinds]

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, maps, embeddings = zip(*[member(image) for member in self.members], strict=True)
        logit = sum(weight * logit for weight, logit in zip(self.weights, logits, strict=True))
        evidence = sum(weight * evidence for weight, evidence in zip(self.weights, maps, strict=True))
        # Evidence against pneumonia counts in the logit and is not drawn over the film.
        return logit, torch.relu(evidence), torch.cat(embeddings, dim=1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options.add_argument("--out", type=Path, default=Path("runs/model.onnx"))
    options = options.parse_args()
    export(load_ensemble(trained(options.runs)), options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def trained(runs: Path, fold: int | str = "*") -> list[Path]:
    """The files of weights in a folder, of one fold or of all."""
    return sorted(file for kind in KINDS for file in runs.glob(f"{kind}-{fold}.pt"))


def load_ensemble(files: list[Path]) -> Ensemble:
    members = []
    for file in files:
        member = KINDS[file.stem.split("-")[0]]()
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
