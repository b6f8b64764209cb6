"""Draws radiographs of nobody from weights.bin.

    python sample.py --count 8 --seed 1 --class both --out DIR            8-bit PNGs, 224 x 224
    python sample.py --count 4 --seed 1 --side 768 --keep-aspect --out DIR

Names: normal-0001.png, pneumonia-0001.png, ... The same seed gives the same films with the same numpy.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import correlate1d, map_coordinates, spline_filter

import detail
import weights as format_

NAMES = ("normal", "pneumonia")
# The numbers below are the same in reader/src/synth.rs, which says why.
SPREAD = ((0, 20, 80, 160), (0.9, 0.85, 0.6, 0.5))
SHAPE_SPREAD = 0.85
SHARPEN, SHARPEN_PASSES = 0.7, 6
DETAIL_GAIN = 0.5
DETAIL_VARIES = 0.5


def coefficients(one: format_.Class, textures: int, rng: np.random.Generator) -> np.ndarray:
    """One Gaussian of the class is chosen by weight, then drawn from, nearer to the class's mean than it was learnt."""
    share = np.array([m.weight for m in one.mixtures])
    mixture = one.mixtures[rng.choice(len(share), p=share / share.sum())]
    centre = sum(m.weight * m.mean for m in one.mixtures)
    away = mixture.mean - centre + mixture.cholesky @ rng.standard_normal(len(centre))
    spread = np.full(len(centre), SHAPE_SPREAD)
    spread[:textures] = np.interp(np.arange(textures), *SPREAD)
    return centre + spread * away


def sharpen(texture: np.ndarray) -> np.ndarray:
    soft = texture
    for _ in range(SHARPEN_PASSES):
        for axis in (0, 1):
            soft = correlate1d(soft, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    return texture + SHARPEN * (texture - soft)


def draw(model: format_.Weights, label: int, rng: np.random.Generator, rows: int = 224, columns: int = 224) -> np.ndarray:
    """One film, rows x columns, 0..255 float32."""
    one = model.classes[label]
    count = len(model.texture)
    z = coefficients(one, count, rng)
    texture = sharpen(model.texture_mean + np.tensordot(z[:count], model.texture, 1))
    field = model.shape_mean + np.tensordot(z[count:], model.shape, 1)
    noise = rng.standard_normal((detail.SIDE + detail.TILE,) * 2).astype(np.float32)
    gain = DETAIL_GAIN * np.exp(rng.standard_normal() * one.log_gain_deviation * DETAIL_VARIES)
    canonical = detail.grow(texture, detail.SIDE) + gain * detail.draw(one.amplitude, noise)
    return view(canonical, field, rows, columns)


def view(canonical: np.ndarray, field: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The common anatomy seen through the drawn shape: out(y) = canonical(y + field(y))."""
    over = max(1, round(canonical.shape[0] / rows * 0.75))  # more samples than pixels when the output is smaller
    r, c = rows * over, columns * over
    y, x = np.meshgrid((np.arange(r) + 0.5) / r, (np.arange(c) + 0.5) / c, indexing="ij")
    side = field.shape[-1]
    at = np.stack([y * side - 0.5, x * side - 0.5])
    down, right = (map_coordinates(f, at, order=3, mode="nearest") for f in field)
    size = canonical.shape[0]
    seen = map_coordinates(spline_filter(canonical, 3, mode="reflect"), np.stack([(y + down) * size - 0.5, (x + right) * size - 0.5]), order=3, mode="reflect", prefilter=False)
    return np.clip(seen, 0, 255).reshape(rows, over, columns, over).mean((1, 3)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights.bin")
    parser.add_argument("--count", type=int, default=8, help="films per class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--class", dest="which", choices=(*NAMES, "both"), default="both")
    parser.add_argument("--side", type=int, default=224, help="height in pixels; also the width unless --keep-aspect")
    parser.add_argument("--keep-aspect", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = format_.unpack(options.weights.read_bytes())
    options.out.mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(NAMES):
        if options.which not in (name, "both"):
            continue
        for number in range(1, options.count + 1):
            rng = np.random.default_rng([options.seed, label, number])
            mean, deviation = model.classes[label].log_aspect
            columns = options.side
            if options.keep_aspect:
                columns = round(options.side * float(np.exp(np.clip(mean + 0.7 * deviation * rng.standard_normal(), 0.0, 0.7))))
            film = draw(model, label, rng, options.side, columns)
            Image.fromarray(np.round(film).astype(np.uint8)).save(options.out / f"{name}-{number:04}.png")


if __name__ == "__main__":
    main()
