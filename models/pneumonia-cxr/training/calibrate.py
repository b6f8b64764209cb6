"""Chooses the calibration and the operating point from films that each network never saw; the test split stays shut.

    python calibrate.py --data ../../../shared/data/chest-radiographs --runs runs

Films framed and exposed as in training are read almost without error, films of another day are not. So each held-out
film counts twice, as it is and under the acquisition jitter of training. On these the probability is fitted, both classes
weighing the same. Every film in use is one of another day, so the operating point is the highest threshold that still finds
`SENSITIVITY` of the pneumonias among the disturbed films; a second, more sensitive point asks the same of all of them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from augment import exposure, jitter
from dataset import DATA, Split, folds, load
from export import load_ensemble, trained
from metrics import auc, platt, sigmoid
from train import FOLDS, SEED, logits

SENSITIVITY = 0.975
"""The target of 0.96 on new films plus one and a half standard errors of a sensitivity measured on 390 of them."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options = options.parse_args()
    torch.set_num_threads(1)
    split = load(options.data, {"train", "tune", "val"})
    plain, disturbed = held_out(split, options.runs)
    seen = ~np.isnan(plain)
    chosen = choose(split.labels[seen], plain[seen], disturbed[seen])
    chosen["patients"] = len(np.unique(split.patients[seen]))
    (options.runs / "calibration.json").write_text(json.dumps(chosen, indent=1) + "\n")
    print(json.dumps(chosen, indent=1))


def held_out(split: Split, runs: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits of each film by the networks that did not train on it: as it is, and as another day might have made it."""
    plain, disturbed = np.full(len(split.labels), np.nan), np.full(len(split.labels), np.nan)
    fold_of = folds(split.patients, FOLDS, SEED)
    kinds = max(len(trained(runs, fold)) for fold in range(FOLDS))
    for fold in range(FOLDS):
        # Only where every kind of network was trained for this fold is the whole ensemble held out.
        if len(trained(runs, fold)) < kinds:
            continue
        network = load_ensemble(trained(runs, fold))
        films = np.flatnonzero(fold_of == fold)
        plain[films] = logits(network, split.images[films])
        disturbed[films] = logits(network, _another_day(split.images[films], SEED + fold))
    return plain, disturbed


def _another_day(films: np.ndarray, seed: int) -> np.ndarray:
    """The jitter of training, in batches because its sharpness is drawn for a batch."""
    pick, draw = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    parts = []
    for start in range(0, len(films), 16):
        images = torch.from_numpy(exposure(films[start : start + 16], pick)).unsqueeze(1)
        parts.append((jitter(images, draw).squeeze(1) * 255).round().to(torch.uint8).numpy())
    return np.concatenate(parts)


def choose(labels: np.ndarray, plain: np.ndarray, disturbed: np.ndarray) -> dict:
    """Platt's slope and intercept, and the thresholds on the calibrated probability."""
    positive = labels == 1
    weights = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum()) * len(labels)
    slope, intercept = platt(np.tile(labels, 2), np.concatenate([plain, disturbed]), np.tile(weights, 2))
    slope, intercept = round(slope, 6), round(intercept, 6)
    plain, disturbed = sigmoid(slope * plain + intercept), sigmoid(slope * disturbed + intercept)
    threshold = _threshold(disturbed[positive])
    return {
        "films": len(labels),
        "auc": auc(labels, plain),
        "auc_disturbed": auc(labels, disturbed),
        "slope": slope,
        "intercept": intercept,
        "threshold": threshold,
        "sensitivity": float((plain[positive] >= threshold).mean()),
        "specificity": float((plain[~positive] < threshold).mean()),
        "sensitivity_disturbed": float((disturbed[positive] >= threshold).mean()),
        "specificity_disturbed": float((disturbed[~positive] < threshold).mean()),
        "threshold_more_sensitive": _threshold(np.concatenate([plain[positive], disturbed[positive]])),
    }


def _threshold(pneumonias: np.ndarray) -> float:
    """The highest at which `SENSITIVITY` of them are found, rounded down so that none is lost to the rounding."""
    cut = np.sort(pneumonias)[int(np.floor((1 - SENSITIVITY) * len(pneumonias)))]
    return float(np.floor(cut * 10000) / 10000)


if __name__ == "__main__":
    main()
