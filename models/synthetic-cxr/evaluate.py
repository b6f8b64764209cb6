"""Judges drawn films: can a pneumonia model tell the classes apart, and is any of them near to a training film?

    python evaluate.py --data CHEST_RADIOGRAPHS --model reference=FILE.onnx --model hilum=../pneumonia-cxr/bundle/model.onnx
    python evaluate.py ... --films DIR      judges normal-*.png and pneumonia-*.png (for instance the Rust crate's) instead of drawing

Writes evaluation.json and exits with 1 if a bound is broken:
- every model's AUC on the draws is at least MIN_AUC;
- at 64 and at 224 pixels, as they are and with the mean training film taken away, no draw is nearer to a
  training film than the nearest-of-another-person distance that only CLOSEST_SHARE of the training films fall below.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import dataset
import sample
import weights as format_

MIN_AUC = 0.90
CLOSEST_SHARE = 0.01
SIDES = (64, 224)
# Training films asked for their own nearest neighbour (all of them would take half an hour on one thread).
ASKED = 1500


def standard(films: np.ndarray) -> np.ndarray:
    """Rows of unit length and zero mean: the dot product of two is their normalised cross-correlation."""
    flat = films.reshape(len(films), -1).astype(np.float32)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)


def halve(films: np.ndarray, side: int) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(f).resize((side, side), Image.Resampling.BOX)) for f in films])


def nearest(asked: np.ndarray, known: np.ndarray, forbidden: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """L2 distance between standardised films, and who is nearest. forbidden marks pairs of one person."""
    best, who = np.empty(len(asked)), np.empty(len(asked), int)
    for start in range(0, len(asked), 250):
        part = slice(start, start + 250)
        likeness = asked[part] @ known.T
        if forbidden is not None:
            likeness[forbidden[part]] = -1.0
        who[part] = likeness.argmax(1)
        best[part] = np.sqrt(np.maximum(2.0 - 2.0 * likeness.max(1), 0.0))
    return best, who


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    above = scores[labels == 1][:, None] - scores[labels == 0][None]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def logits(path: str, films: np.ndarray) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    batches = [films[i : i + 32, None].astype(np.float32) / np.float32(255) for i in range(0, len(films), 32)]
    return np.concatenate([session.run(["logit"], {"image": batch})[0][:, 0] for batch in batches])


def gather(options) -> tuple[np.ndarray, np.ndarray]:
    films, labels = [], []
    if options.films:
        for label, name in enumerate(sample.NAMES):
            for path in sorted(options.films.glob(f"{name}-*.png")):
                films.append(dataset.grey(path, 224))
                labels.append(label)
        return np.stack(films), np.array(labels)
    model = format_.unpack(options.weights.read_bytes())
    for label in range(2):
        for number in range(options.count):
            film = sample.draw(model, label, np.random.default_rng([options.seed, label, number]))
            films.append(np.round(film).astype(np.uint8))
            labels.append(label)
    return np.stack(films), np.array(labels)


def percentiles(values: np.ndarray) -> dict:
    return {str(p): round(float(np.percentile(values, p)), 4) for p in (0, 1, 5, 50, 95)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights.bin")
    parser.add_argument("--films", type=Path)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--count", type=int, default=250, help="draws per class")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "evaluation.json")
    options = parser.parse_args()

    films, labels = gather(options)
    report = {"drawn_by": "rust" if options.films else "python", "draws_per_class": [int((labels == c).sum()) for c in range(2)], "auc": {}, "nearest": {"measure": "L2 distance of zero-mean, unit-length films; 0 = the same, sqrt(2) = uncorrelated"}}
    broken = []
    for pair in options.model:
        name, path = pair.split("=", 1)
        scores = logits(path, films)
        report["auc"][name] = round(auc(scores, labels), 4)
        report.setdefault("logit_median", {})[name] = [round(float(np.median(scores[labels == c])), 3) for c in range(2)]
        if report["auc"][name] < MIN_AUC:
            broken.append(f"AUC of {name} is {report['auc'][name]}, below {MIN_AUC}")

    known, _, table = dataset.load(options.data, 224)
    persons = np.array([row["patient"] for row in table])
    asked = np.random.default_rng(5).permutation(len(known))[:ASKED]
    same = persons[asked][:, None] == persons[None]
    for side in SIDES:
        fit = (lambda f: f) if side == 224 else (lambda f: halve(f, side))
        plain_known, plain_films = fit(known).astype(np.float32), fit(films).astype(np.float32)
        for what, taken in (("as_is", 0.0), ("less_the_mean_film", plain_known.mean(0))):
            reference = standard(plain_known - taken)
            among, _ = nearest(reference[asked], reference, same)
            drawn, who = nearest(standard(plain_films - taken), reference)
            bound = float(np.quantile(among, CLOSEST_SHARE))
            report["nearest"][f"{side}_{what}"] = {
                "between_persons_percentiles": percentiles(among),
                "draw_to_training_percentiles": percentiles(drawn),
                "bound": round(bound, 4),
                "closest_draw": round(float(drawn.min()), 4),
                "training_films_that_are_a_nearest": len(set(who.tolist())),
            }
            if drawn.min() < bound:
                broken.append(f"a draw is {drawn.min():.4f} from a training film at {side} px ({what}), bound {bound:.4f}")
    report["broken"] = broken
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
