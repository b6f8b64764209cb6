#!/usr/bin/env python3
"""Writes resize.json: the "area-u8" resize in numpy, in another order of operations than the Rust code.

Needs numpy. Run: python3 make_resize.py > resize.json
"""

import json

import numpy as np


def overlaps(n: int, m: int) -> np.ndarray:
    """m × n matrix: how long source pixel k, [k·m, (k+1)·m), and target pixel i, [i·n, (i+1)·n), overlap."""
    k = np.arange(n, dtype=np.int64)[None, :]
    i = np.arange(m, dtype=np.int64)[:, None]
    return np.maximum(np.minimum((k + 1) * m, (i + 1) * n) - np.maximum(k * m, i * n), 0)


def resize_area_u8(image: np.ndarray, height: int, width: int) -> np.ndarray:
    h, w = image.shape
    total = overlaps(h, height) @ image.astype(np.int64) @ overlaps(w, width).T
    return ((2 * total + h * w) // (2 * h * w)).astype(np.uint8)


def main() -> None:
    rng = np.random.default_rng(20)
    cases = []
    for h, w, height, width in [
        (1, 1, 3, 2), (3, 2, 1, 1), (5, 7, 5, 7), (5, 7, 3, 4), (7, 5, 4, 6), (4, 4, 2, 2), (3, 3, 2, 2), (2, 3, 5, 7),
        (31, 17, 8, 8), (8, 8, 31, 17), (40, 50, 28, 28),
    ]:
        image = rng.integers(0, 256, (h, w), dtype=np.uint8)
        cases.append({
            "source": [h, w], "target": [height, width], "samples": image.ravel().tolist(),
            "expect": resize_area_u8(image, height, width).ravel().tolist(),
        })
    # Halves: the mean is exactly x.5 and must be rounded up.
    cases.append({"source": [1, 2], "target": [1, 1], "samples": [0, 1], "expect": [1]})
    cases.append({"source": [2, 2], "target": [1, 1], "samples": [254, 255, 254, 255], "expect": [255]})
    print('{"cases": [')
    print(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
    print("]}")


if __name__ == "__main__":
    main()
