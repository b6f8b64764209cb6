"""The radiographs as arrays: the official splits, the folds by patient, and the one resize.

Reads the data set that `models/README.md` describes; never writes, never augments.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path(__file__).parents[4] / "shared/data/chest-radiographs"
"""Where the data set lies unless told otherwise: beside the repository."""
SIDE = 224
"""Rows and columns of the model's input."""


def area_u8(grey: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Resizes 8-bit grey by exact area averages, round half up; the appliance does the same bit for bit.

    Along an axis of n source and m target pixels, both are laid on a ruler of n*m units: source pixel k covers
    [k*m, (k+1)*m), target pixel i covers [i*n, (i+1)*n), and the weight of k in i is their overlap.
    """
    height, width = grey.shape
    if (height, width) == (rows, columns):
        return grey
    # Doubles hold these sums exactly (at most 255 * height * width, far below 2^53) and multiply far faster.
    total = (_overlap(height, rows) @ grey.astype(np.float64) @ _overlap(width, columns).T).astype(np.int64)
    return ((2 * total + height * width) // (2 * height * width)).astype(np.uint8)


def _overlap(source: int, target: int) -> np.ndarray:
    """Overlap lengths, whole numbers [target, source]; each row sums to `source`."""
    i, k = np.arange(target)[:, None], np.arange(source)[None, :]
    end = np.minimum((i + 1) * source, (k + 1) * target)
    return np.maximum(end - np.maximum(i * source, k * target), 0).astype(np.float64)


@dataclass(frozen=True)
class Split:
    """Images u8 [n, 224, 224], labels {0, 1} [n], patients and files [n]."""

    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    files: list[str]
    native: list[str]
    """For each image the same film at its own aspect ratio, or '' where there is none."""


def load(data: Path, uses: set[str]) -> Split:
    """The images whose `model_use` is among `uses`; `dropped` ones (patients of both splits) are never asked for."""
    assert "dropped" not in uses
    with open(data / "labels.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["model_use"] in uses]
    images = np.stack([read_grey(data / row["file"]) for row in rows])
    return Split(
        images=images,
        labels=np.array([row["label"] == "PNEUMONIA" for row in rows], dtype=np.int64),
        patients=np.array([row["patient"] for row in rows]),
        files=[row["file"] for row in rows],
        native=[row["native512_file"] for row in rows],
    )


def read_grey(path: Path) -> np.ndarray:
    """One image as the model's input, u8 [224, 224]."""
    return area_u8(np.asarray(Image.open(path).convert("L")), SIDE, SIDE)


def folds(patients: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A fold number for each image, all images of one patient in the same fold."""
    names = np.unique(patients)
    assigned = np.random.default_rng(seed).permutation(len(names)) % count
    return assigned[np.searchsorted(names, patients)]
