"""Fits the statistical model of children's chest films: shape, texture and detail.

    python train.py --data CHEST_RADIOGRAPHS [--cache DIR] --out weights.bin

One thread, 15 to 20 minutes, 6 GiB. README.md says what each step is for.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from sklearn.covariance import ledoit_wolf
from sklearn.mixture import GaussianMixture

import dataset
import detail
import registration
import weights as format_

FILM_SIDE = 224
TEXTURE_SIDE = 128
TEXTURE_COMPONENTS = 160
SHAPE_SIDE = 32
SHAPE_COMPONENTS = 40
MIXTURES = 3
# Films whose alignment is among the worst of their class teach ghosts: left out of everything.
WORST_LEFT_OUT = 0.08
# Burnt-in letters, leads and collimator edges are one film's own: pixels are held within this many deviations.
HELD_WITHIN = 2.5
SEED = 2026


def balanced(labels: np.ndarray, table: list[dict]) -> np.ndarray:
    """As many films of pneumonia as of healthy chests; those that exist at 512 pixels first."""
    normal = np.flatnonzero(labels == 0)
    ill = np.flatnonzero(labels == 1)
    coarse = np.array([not table[i]["native512_file"] for i in ill])
    return np.sort(np.concatenate([normal, ill[np.argsort(coarse, kind="stable")][: len(normal)]]))


def to_anatomy(films: np.ndarray, fields: np.ndarray, side: int) -> np.ndarray:
    """Each film brought into the common anatomy, side x side, grey 0..255."""
    out = np.empty((len(films), side, side), np.float32)
    source = films.shape[-1]
    for k, (film, field) in enumerate(zip(films, fields)):
        grow = source / field.shape[-1]
        full = zoom(field.astype(np.float32), (1, grow, grow), order=1, grid_mode=True, mode="nearest") * source
        moved = np.empty((source, source), np.float32)
        registration.warp_mirrored(film.astype(np.float32), full, moved)
        out[k] = moved if side == source else shrink(moved, side)
    return out


def shrink(film: np.ndarray, side: int) -> np.ndarray:
    ratio = film.shape[-1] / side
    soft = registration.smooth(film, 0.42 * ratio)
    return zoom(soft, 1 / ratio, order=1, grid_mode=True, mode="nearest")


def components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, `count` components scaled to one deviation, and every row's coefficients (unit variance)."""
    mean = rows.mean(0)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    top = np.argsort(values)[::-1][:count]
    scores = vectors[:, top] * np.sqrt(len(rows))
    basis = (scores.T @ centred) / len(rows)
    return mean, basis, scores


def held(stack: np.ndarray) -> np.ndarray:
    mean, spread = stack.mean(0), stack.std(0)
    return np.clip(stack, mean - HELD_WITHIN * spread, mean + HELD_WITHIN * spread)


def mixtures(scores: np.ndarray) -> list[format_.Mixture]:
    """A few shrunken Gaussians: parted by the leading coefficients, each with a Ledoit-Wolf covariance."""
    parts = GaussianMixture(MIXTURES, covariance_type="diag", random_state=SEED, n_init=4, reg_covar=1e-2).fit_predict(scores[:, :12])
    out = []
    for part in range(MIXTURES):
        own = scores[parts == part]
        covariance, _ = ledoit_wolf(own)
        out.append(format_.Mixture(len(own) / len(scores), own.mean(0), np.linalg.cholesky(covariance)))
    return out


def cached(cache: Path | None, name: str, make):
    if cache is None:
        return make()
    path = cache / f"{name}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    return np.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv, images/ and native512/")
    parser.add_argument("--cache", type=Path, help="keeps the registration between runs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights.bin")
    options = parser.parse_args()

    films, labels, table = dataset.load(options.data, FILM_SIDE)
    chosen = balanced(labels, table)
    films, labels, table = films[chosen], labels[chosen], [table[i] for i in chosen]
    fields = cached(options.cache, "fields", lambda: registration.align(films, labels).astype(np.float16)).astype(np.float32)

    aligned = to_anatomy(films, fields, TEXTURE_SIDE)
    good = well_aligned(aligned, fields, labels)
    print(f"{good.sum()} of {len(good)} films are aligned well enough")
    rows = held(aligned[good]).reshape(good.sum(), -1)
    mean, basis, texture_scores = components(rows, TEXTURE_COMPONENTS)

    small = zoom(fields[good], (1, 1, SHAPE_SIDE / fields.shape[-1], SHAPE_SIDE / fields.shape[-1]), order=1, grid_mode=True, mode="nearest")
    inverse = np.stack([registration.invert(f * SHAPE_SIDE) / SHAPE_SIDE for f in small])
    shape_mean, shape_basis, shape_scores = components(inverse.reshape(len(inverse), -1), SHAPE_COMPONENTS)
    scores = np.hstack([texture_scores, shape_scores])

    model = format_.Weights(
        mean.reshape(TEXTURE_SIDE, -1), basis.reshape(-1, TEXTURE_SIDE, TEXTURE_SIDE),
        shape_mean.reshape(2, SHAPE_SIDE, -1), shape_basis.reshape(-1, 2, SHAPE_SIDE, SHAPE_SIDE),
        detail.SIDE, detail.TILE,
    )
    aspects = dataset.log_aspects(table, labels)
    own_labels = labels[good]
    kept = np.flatnonzero(good)
    texture = (mean + texture_scores @ basis).reshape(-1, TEXTURE_SIDE, TEXTURE_SIDE)
    fine, fine_films = dataset.load_fine(options.data, 512, table)
    place = {int(k): n for n, k in enumerate(kept)}
    for label in range(2):
        pairs = [(place[int(i)], film) for i, film in zip(fine, fine_films) if int(i) in place and labels[i] == label]
        amplitude, gain = detail.learn(((to_anatomy(film[None], fields[kept[n]][None], detail.SIDE)[0], texture[n]) for n, film in pairs))
        model.classes.append(format_.Class(aspects[label], gain, mixtures(scores[own_labels == label]), amplitude))
    data = format_.pack(model)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data)} bytes")


def well_aligned(aligned: np.ndarray, fields: np.ndarray, labels: np.ndarray) -> np.ndarray:
    good = np.zeros(len(labels), bool)
    features = registration.local_contrast(aligned, 12.0)
    template = features[labels == 0].mean(0)
    error = ((features - template) ** 2)[:, 16:112, 16:112].mean((1, 2))
    stretch = np.abs(np.gradient(fields, axis=(2, 3))).max((0, 2, 3, 4))
    for label in range(2):
        own = labels == label
        good |= own & (error <= np.quantile(error[own], 1 - WORST_LEFT_OUT)) & (stretch <= np.quantile(stretch[own], 1 - WORST_LEFT_OUT))
    return good


if __name__ == "__main__":
    main()
