"""How good a set of scores is, in plain numpy: ranks, rates with their intervals, calibration. Knows nothing of images."""

import numpy as np

BINS = 15
"""Equal-width bins of the expected calibration error, as most papers have it."""


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(logit, dtype=np.float64)))


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half."""
    _, rank_of = np.unique(scores, return_inverse=True)
    counts = np.bincount(rank_of)
    middle = np.cumsum(counts) - (counts - 1) / 2
    positives = int(labels.sum())
    negatives = len(labels) - positives
    return float((middle[rank_of][labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = labels[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean())


def patient_bootstrap(labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, seed: int, draws: int = 2000) -> list[float]:
    """95 % interval of the AUC when patients, not films, are drawn with replacement."""
    pick = np.random.default_rng(seed)
    _, person = np.unique(patients, return_inverse=True)
    films = [np.flatnonzero(person == one) for one in range(person.max() + 1)]
    found = []
    for _ in range(draws):
        chosen = np.concatenate([films[one] for one in pick.integers(0, len(films), len(films))])
        found.append(auc(labels[chosen], scores[chosen]))
    return [float(edge) for edge in np.percentile(found, [2.5, 97.5])]


def wilson(hits: int, of: int) -> list[float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, hits / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return [float(centre - half), float(centre + half)]


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean gap between what was said and what was so, over equal-width bins weighted by their films."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = [abs((labels - probabilities)[bins == one].sum()) for one in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.mean((probabilities - labels) ** 2))


def platt(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of sigmoid(slope * logit + intercept) by weighted maximum likelihood (Newton's method)."""
    design = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    answer = np.array([1.0, 0.0])
    for _ in range(50):
        p = sigmoid(design @ answer)
        gradient = design.T @ (weights * (p - labels))
        curvature = design.T @ (design * (weights * p * (1 - p))[:, None])
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        answer -= step
        if np.abs(step).max() < 1e-10:
            break
    return float(answer[0]), float(answer[1])
