"""Reads the official test split with the exported graph, once, at the calibration chosen before.

    python evaluate.py --data ../../../shared/data/chest-radiographs --runs runs

Writes evaluation.json and test_predictions.csv beside the bundle. Numbers of films, never a film.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime

import metrics
from dataset import DATA, Split, load
from train import SEED

HOME = Path(__file__).parents[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options.add_argument("--out", type=Path, default=HOME)
    options = options.parse_args()
    chosen = json.loads((options.runs / "calibration.json").read_text())
    split = load(options.data, {"test"})
    logits, maps, pace = read(options.runs / "model.onnx", split.images)
    probabilities = metrics.sigmoid(chosen["slope"] * logits + chosen["intercept"])
    report = {
        "test": judge(split, logits, probabilities, chosen["threshold"]),
        "test_more_sensitive": judge(split, logits, probabilities, chosen["threshold_more_sensitive"]),
        "saliency": borders(maps),
        "held_out": chosen,
        "films_per_second_one_thread": round(pace),
    }
    (options.out / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
    _write(options.out / "test_predictions.csv", split, logits, probabilities)
    print(json.dumps(report, indent=1))


def session(model: Path) -> onnxruntime.InferenceSession:
    """One thread, so that sums are always taken in the same order."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])


def read(model: Path, films: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Logits [n], maps [n, h, w] and films per second of u8 films [n, 224, 224]."""
    graph, logits, maps, began = session(model), [], [], time.monotonic()
    for start in range(0, len(films), 8):
        image = films[start : start + 8, None].astype(np.float32) / np.float32(255)
        logit, saliency = graph.run(["logit", "saliency"], {"image": image})
        logits.append(logit[:, 0])
        maps.append(saliency[:, 0])
    return np.concatenate(logits), np.concatenate(maps), len(films) / (time.monotonic() - began)


def judge(split: Split, logits: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict:
    positive = split.labels == 1
    called = probabilities >= threshold
    found, cleared = int(called[positive].sum()), int((~called)[~positive].sum())
    return {
        "films": len(positive),
        "patients": len(np.unique(split.patients)),
        "auc": metrics.auc(split.labels, logits),
        "auc_ci95_by_patient": metrics.patient_bootstrap(split.labels, logits, split.patients, SEED),
        "average_precision": metrics.average_precision(split.labels, logits),
        "threshold": threshold,
        "sensitivity": found / int(positive.sum()),
        "sensitivity_ci95": metrics.wilson(found, int(positive.sum())),
        "specificity": cleared / int((~positive).sum()),
        "specificity_ci95": metrics.wilson(cleared, int((~positive).sum())),
        "missed": int(positive.sum()) - found,
        "false_alarms": int((~positive).sum()) - cleared,
        "roc_specificity_at_sensitivity_0.96": roc_specificity(split.labels, logits, 0.96),
        "ece": metrics.expected_calibration_error(split.labels, probabilities),
        "brier": metrics.brier(split.labels, probabilities),
    }


def roc_specificity(labels: np.ndarray, logits: np.ndarray, sensitivity: float) -> float:
    """What the best threshold *for these very films* would give: a property of the ROC curve, not an operating point."""
    positives = np.sort(logits[labels == 1])
    cut = positives[len(positives) - int(np.ceil(sensitivity * len(positives)))]
    return float((logits[labels == 0] < cut).mean())


def borders(maps: np.ndarray) -> dict:
    """Where the strongest evidence lies. A map without any evidence has no peak, and none is drawn for it."""
    n, rows, columns = maps.shape
    peak = maps.reshape(n, -1).argmax(axis=1)
    y, x = peak // columns, peak % columns
    ring = np.minimum(np.minimum(y, rows - 1 - y), np.minimum(x, columns - 1 - x))[maps.max(axis=(1, 2)) > 0]
    return {
        "rows": rows,
        "columns": columns,
        "films_with_evidence": len(ring),
        "peaks_in_outermost_cell_ring": float((ring < 1).mean()),
        "peaks_within_two_cells_of_the_edge": float((ring < 2).mean()),
        "peaks_within_three_cells_of_the_edge": float((ring < 3).mean()),
    }


def _write(path: Path, split: Split, logits: np.ndarray, probabilities: np.ndarray) -> None:
    with open(path, "w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["file", "label", "logit", "probability"])
        for file, label, logit, probability in zip(split.files, split.labels, logits, probabilities, strict=True):
            writer.writerow([file, "PNEUMONIA" if label else "NORMAL", f"{logit:.6f}", f"{probability:.6f}"])


if __name__ == "__main__":
    main()
