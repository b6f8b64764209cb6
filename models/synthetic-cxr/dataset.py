"""Reads the training radiographs. Only rows marked `model_use=train` are ever opened.

The test, tune and validation images, and the training images of persons who
also occur in the test split (`dropped`), never reach the statistical model.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("NORMAL", "PNEUMONIA")


def rows(root: Path) -> list[dict]:
    """The rows of labels.csv that may be learned from, in file order."""
    with open(root / "labels.csv", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["model_use"] == "train"]


def grey(path: Path, side: int) -> np.ndarray:
    """One film as a square 8-bit array; the aspect ratio is given up, as the classifier's input does."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((side, side), Image.Resampling.BOX if image.width > side else Image.Resampling.BICUBIC))


def load(root: Path, side: int) -> tuple[np.ndarray, np.ndarray, list[dict]]:
    """All training films (n, side, side) u8, their class 0/1, and their rows."""
    table = rows(root)
    films = np.stack([grey(root / row["file"], side) for row in table])
    labels = np.array([CLASSES.index(row["label"]) for row in table])
    return films, labels, table


def load_fine(root: Path, side: int, table: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """The films that exist at 512 pixels: (indices into the table, films u8)."""
    chosen = [i for i, row in enumerate(table) if row["native512_file"]]
    films = np.stack([grey(root / table[i]["native512_file"], side) for i in chosen])
    return np.array(chosen), films


def log_aspects(table: list[dict], labels: np.ndarray) -> list[tuple[float, float]]:
    """Mean and standard deviation of log(width / height), per class, where the original size is known."""
    out = []
    for label in range(len(CLASSES)):
        values = [
            np.log(int(row["original_width"]) / int(row["original_height"]))
            for row, own in zip(table, labels)
            if own == label and row["original_width"]
        ]
        out.append((float(np.mean(values)), float(np.std(values))))
    return out
