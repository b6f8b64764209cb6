"""Learns where the training films lie in the model's own embedding, how far is too far, and what held-out films look like.

    python distribution.py --data ../../../shared/data/chest-radiographs --model runs/model.onnx

Writes distribution.bin and distribution.json beside the bundle: numbers of films, never a film. The distance is
Mahalanobis' in the leading principal components plus the scaled remainder outside them. One patient in five is left out
of the fit and sets both thresholds; the test split is only counted. The networks themselves have seen most of these
films, so a film of another day lies farther out: that is what the test split is counted for.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from dataset import DATA, area_u8, load
from evaluate import HOME, session
from metrics import sigmoid

COMPONENTS = 128
"""Principal components kept of 640: a fifth, with which the held-out films lie nearest to the others."""
HELD_OUT, SEED = 5, 7
"""One patient in so many sets the thresholds."""
CAUTION = 0.995
"""Share of the held-out films nearer than the first threshold."""
MARGIN = 1.5
"""The second threshold over the first: no held-out film lies so far out (the farthest is written down)."""
FLOOR = 1e-3
"""Added to each scale, so that a feature that hardly ever speaks does not shout."""
BINS = 20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--model", type=Path, default=Path("runs/model.onnx"))
    options.add_argument("--out", type=Path, default=HOME)
    options = options.parse_args()
    chosen = json.loads((HOME / "evaluation.json").read_text())["held_out"]
    known = load(options.data, {"train", "tune", "val"})
    held = held_out(known.patients)
    embeddings, logits = embed(options.model, known.images)
    fitted = fit(embeddings[~held])
    distances = distance(fitted, embeddings[held])
    caution = float(np.quantile(distances, CAUTION))
    rule = {
        "dimensions": embeddings.shape[1],
        "components": COMPONENTS,
        "residual": fitted["residual"],
        "caution": round(caution, 3),
        "abstain": round(MARGIN * caution, 3),
        "fitted_on": f"{int((~held).sum())} training films; thresholds on {int(held.sum())} films of other patients",
    }
    (options.out / "distribution.bin").write_bytes(pack(fitted))
    probabilities = sigmoid(chosen["slope"] * logits[held] + chosen["intercept"])
    test = load(options.data, {"test"})
    report = {
        "rule": rule,
        "farthest_held_out_over_caution": round(float(distances.max()) / caution, 3),
        "reference": reference(known.images[held], probabilities, int(held.sum())),
        "share_beyond": rates(fitted, rule, options.model, known.images[held], test.images),
    }
    (options.out / "distribution.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


def held_out(patients: np.ndarray) -> np.ndarray:
    names = np.random.default_rng(SEED).permutation(np.unique(patients))
    return np.isin(patients, names[: len(names) // HELD_OUT])


def embed(model: Path, films: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings [n, d] and logits [n] of u8 films [n, 224, 224]."""
    graph, embeddings, logits = session(model), [], []
    for start in range(0, len(films), 8):
        image = films[start : start + 8, None].astype(np.float32) / np.float32(255)
        logit, embedding = graph.run(["logit", "embedding"], {"image": image})
        embeddings.append(embedding.astype(np.float64))
        logits.append(logit[:, 0])
    return np.concatenate(embeddings), np.concatenate(logits)


def fit(embeddings: np.ndarray, components: int = COMPONENTS) -> dict:
    """Mean, scale, components with their variances, and the mean square of a direction outside them."""
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + FLOOR
    x = (embeddings - mean) / scale
    _, singular, basis = np.linalg.svd(x, full_matrices=False)
    basis = basis[:components]
    outside = (x**2).sum(axis=1) - ((x @ basis.T) ** 2).sum(axis=1)
    return {
        "mean": mean,
        "scale": scale,
        "variance": singular[:components] ** 2 / len(x),
        "basis": basis,
        "residual": round(float(outside.mean() / (x.shape[1] - components)), 6),
    }


def distance(fitted: dict, embeddings: np.ndarray) -> np.ndarray:
    """As the appliance computes it (reader/src/model/distribution.rs)."""
    x = (embeddings - fitted["mean"]) / fitted["scale"]
    inside = x @ fitted["basis"].T
    outside = np.maximum((x**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
    return (inside**2 / fitted["variance"]).sum(axis=1) + outside / fitted["residual"]


def pack(fitted: dict) -> bytes:
    """f32 little-endian: mean[d], scale[d], variance[k], basis[k][d]."""
    return b"".join(np.asarray(fitted[name], dtype="<f4").tobytes() for name in ("mean", "scale", "variance", "basis"))


def histogram(values: np.ndarray, low: float, high: float) -> dict:
    counts, _ = np.histogram(np.clip(values, low, high), BINS, (low, high))
    return {"low": low, "high": high, "counts": counts.tolist()}


def reference(films: np.ndarray, probabilities: np.ndarray, count: int) -> dict:
    grey = films.reshape(len(films), -1) / 255
    return {
        "probability": histogram(probabilities, 0.0, 1.0),
        "mean_grey": histogram(grey.mean(axis=1), 0.0, 1.0),
        "contrast": histogram(grey.std(axis=1), 0.0, 0.5),
        "measured_on": f"{count} training films of the patients who set the thresholds; the networks have seen most of them",
    }


def rates(fitted: dict, rule: dict, model: Path, held: np.ndarray, test: np.ndarray) -> dict:
    """Shares beyond each threshold: of films that belong, of the same films made wrong, and of no films at all."""
    pick = np.random.default_rng(SEED)
    some = test[pick.choice(len(test), min(100, len(test)), replace=False)]
    noise = pick.integers(0, 256, (40, *test.shape[1:])).astype(np.uint8)
    blocks = pick.integers(0, 256, (40, 7, 7)).repeat(32, axis=1).repeat(32, axis=2).astype(np.uint8)
    side, half = test.shape[1], test.shape[1] // 2
    sets = {
        "held_out": held,
        "test": test,
        "mirrored": some[:, :, ::-1],
        "inverted": 255 - some,
        "upside_down": some[:, ::-1],
        "turned_a_quarter": np.rot90(some, 1, (1, 2)),
        "left_half_only": np.stack([area_u8(film[:, :half], side, side) for film in some]),
        "upper_left_quarter_only": np.stack([area_u8(film[:half, :half], side, side) for film in some]),
        "noise": noise,
        "grey_blocks": blocks,
    }
    beyond = {}
    for name, films in sets.items():
        far = distance(fitted, embed(model, films)[0])
        beyond[name] = {
            "films": len(films),
            "caution": round(float((far > rule["caution"]).mean()), 4),
            "abstain": round(float((far > rule["abstain"]).mean()), 4),
        }
    return beyond


if __name__ == "__main__":
    main()
