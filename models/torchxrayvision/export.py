"""Makes a bundle of TorchXRayVision's DenseNet (densenet121-res224-all), so that a site can bring the community's model.

    python export.py --out bundle --key publisher.key          # weights downloaded by torchxrayvision
    python export.py --out bundle --random-weights             # the real architecture without its weights, to try the path

The graph takes the appliance's input, grey / 255, and folds the library's own normalisation to [-1024, 1024] in. Outputs:
the Pneumonia logit, its class activation map (Zhou et al. 2016) and the pooled features. Without `--key` the bundle is a
draft, to be signed by `hilum-appliance model sign`.
"""

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torchxrayvision as xrv
from PIL import Image
from torch import nn

from manifest import OPSET, SIDE, golden_case, manifest

MODELS = Path(__file__).parents[1]
sys.path.insert(0, str(MODELS))
from signing import digest, write_manifest  # noqa: E402  (it lies beside the models)

WEIGHTS = "densenet121-res224-all"
LABEL = "Pneumonia"
SPAN = 1024.0
"""TorchXRayVision maps 8-bit grey to -1024 … 1024 (xrv.datasets.normalize)."""
GOLDEN_PER_CLASS, GOLDEN_SEED = 2, 2026


class Exported(nn.Module):
    """One class of the network: grey / 255 in; logit, map and features out."""

    def __init__(self, network: nn.Module, label: int) -> None:
        super().__init__()
        self.features = network.features
        weight, bias = network.classifier.weight[label], network.classifier.bias[label]
        self.register_buffer("weight", weight.detach().view(1, -1, 1, 1).clone())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = torch.relu(self.features((2 * image - 1) * SPAN))
        embedding = features.mean(dim=(2, 3))
        evidence = (features * self.weight).sum(dim=1, keepdim=True)
        # The mean of the map and the bias are the logit, to the order of sums.
        logit = (embedding * self.weight.view(1, -1)).sum(dim=1, keepdim=True) + self.bias
        return logit, torch.relu(evidence), embedding


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--version", default="1.0.0")
    options.add_argument("--key", type=Path, help="publisher's private key, PEM")
    options.add_argument("--random-weights", action="store_true", help="for a trial: its answers mean nothing")
    options = options.parse_args()
    network = load(options.random_weights)
    (options.out / "golden").mkdir(parents=True, exist_ok=True)
    model = Exported(network, list(xrv.datasets.default_pathologies).index(LABEL)).eval()
    export(model, options.out / "model.onnx")
    name = f"{WEIGHTS} with random weights" if options.random_weights else WEIGHTS
    (options.out / "MODEL_CARD.md").write_text(card(name))
    files = {file: digest(options.out / file) for file in ("model.onnx", "MODEL_CARD.md")}
    created = datetime.date.today().isoformat()
    made = manifest(options.version, created, name, files, golden(options.out, model))
    write_manifest(options.out, made, options.key)
    print(f"{options.out}: {digest(options.out / 'manifest.json')}")


def load(random_weights: bool) -> nn.Module:
    if not random_weights:
        return xrv.models.DenseNet(weights=WEIGHTS).eval()
    torch.manual_seed(1)
    return xrv.models.DenseNet(num_classes=len(xrv.datasets.default_pathologies), in_channels=1).eval()


def export(model: nn.Module, out: Path) -> None:
    outputs = ["logit", "saliency", "embedding"]
    torch.onnx.export(
        model,
        (torch.rand(2, 1, SIDE, SIDE),),
        str(out),
        input_names=["image"],
        output_names=outputs,
        opset_version=OPSET,
        dynamic_axes={name: {0: "n"} for name in ["image", *outputs]},
        dynamo=False,
    )
    onnx.checker.check_model(onnx.load(out), full_check=True)


def golden(out: Path, model: nn.Module) -> list[dict]:
    """Films of nobody, read by the graph that is shipped; torch and ONNX Runtime must agree on each."""
    draw = [sys.executable, str(MODELS / "synthetic-cxr" / "sample.py"), "--count", str(GOLDEN_PER_CLASS)]
    order = ["--seed", str(GOLDEN_SEED), "--class", "both", "--out", str(out / "golden")]
    subprocess.run([*draw, *order], check=True)
    session = onnxruntime.InferenceSession(str(out / "model.onnx"), providers=["CPUExecutionProvider"])
    cases = []
    for film in sorted((out / "golden").glob("*.png")):
        image = np.asarray(Image.open(film), dtype=np.float32)[None, None] / np.float32(255)
        logit, saliency, embedding = session.run(["logit", "saliency", "embedding"], {"image": image})
        with torch.inference_mode():
            expected = model(torch.from_numpy(image))
        for found, wanted in zip((logit, saliency, embedding), expected, strict=True):
            np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-3, atol=1e-3)
        cases.append(golden_case(f"golden/{film.name}", digest(film), float(logit[0, 0])))
    return cases


def card(name: str) -> str:
    return f"""# {name}

The Pneumonia output of TorchXRayVision's DenseNet-121 (Cohen et al. 2022, arXiv:2111.00595), exported for Hilum.
**Not a cleared medical device. Not for diagnosis.** Nobody has measured this bundle: its calibration is the identity and its
operating point 0.5. Measure both on your own films, write them into the manifest and sign it, before anybody looks at it.

The input is stretched to 224 × 224 by exact area averages, while TorchXRayVision crops the centre first: measure with this one.
"""


if __name__ == "__main__":
    main()
