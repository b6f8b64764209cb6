"""Writes quality.json: what SciPy and scikit-learn make of a few samples, for tests/gateway/quality.rs to be held against.

    python3 -m venv v && v/bin/pip install scipy==1.17.1 scikit-learn==1.9.1 && v/bin/python make_quality.py > quality.json

Where neither has a function, the number is computed from its definition and not in the way in which the gateway does.
"""

import json

import numpy as np
import scipy.stats
import sklearn.calibration
import sklearn.metrics

RANDOM = np.random.default_rng(20260102)


def wilson():
    table = []
    for hits, n in [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (57, 60), (499, 1000), (1, 100000)]:
        limits = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        table.append({"hits": hits, "n": n, "low": limits.low, "high": limits.high})
    return table


def drift():
    table = []
    for shift, n, m in [(0.0, 500, 300), (0.3, 500, 300), (1.0, 200, 900), (0.1, 37, 5)]:
        edges = np.linspace(-4, 5, 16)
        was, now = (np.clip(RANDOM.normal(mean, 1, size), -4, 4.99) for mean, size in ((0, n), (shift, m)))
        reference, current = (np.histogram(sample, edges)[0] for sample in (was, now))
        # The same samples with all of a bin at one place, so that the test meets the ties that a histogram makes.
        places = np.arange(len(edges) - 1)
        test = scipy.stats.ks_2samp(np.repeat(places, reference), np.repeat(places, current), method="asymp")
        used = (reference + current) > 0
        p, q = reference[used] + 0.5, current[used] + 0.5
        # The index is the sum of both relative entropies; entropy() makes shares of counts.
        index = scipy.stats.entropy(p, q) + scipy.stats.entropy(q, p)
        chance = (1 / n + 1 / m) * scipy.stats.chi2.ppf(0.95, used.sum() - 1)
        tail = scipy.stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * test.statistic)
        table.append({
            "reference": reference.tolist(), "current": current.tolist(),
            "psi": index, "chance": chance, "distance": test.statistic, "p": tail,
        })
    return table


def delong(probability, truth):
    """The area's variance from every single pair (DeLong et al. 1988, equations 3 to 6)."""
    x, y = probability[truth], probability[~truth]
    pairs = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    over, under = pairs.mean(axis=1), pairs.mean(axis=0)
    return over.var(ddof=1) / len(x) + under.var(ddof=1) / len(y)


def cases():
    table = []
    for size, digits, strength in [(300, 12, 2.0), (120, 1, 1.0), (40, 12, 0.0)]:
        truth = RANDOM.random(size) < 0.4
        logit = RANDOM.normal(0, 1, size) + strength * (truth - 0.5)
        probability = np.round(1 / (1 + np.exp(-logit)), digits)
        area = sklearn.metrics.roc_auc_score(truth, probability)
        half = 1.959963984540054 * np.sqrt(delong(probability, truth)) / (area * (1 - area))
        false_positive, true_positive, _ = sklearn.metrics.roc_curve(truth, probability, drop_intermediate=False)
        called = probability >= 0.5
        (tn, fp), (fn, tp) = sklearn.metrics.confusion_matrix(truth, called)
        # sklearn puts a value on an edge below it, and we above: a hair's breadth moves those, and no sum by as much.
        moved = np.minimum(probability + 1e-13, 1)
        observed, mean = sklearn.calibration.calibration_curve(truth, moved, n_bins=10, strategy="uniform")
        counts = np.histogram(moved, np.linspace(0, 1, 11))[0]
        counts = counts[counts > 0]
        brier = scipy.stats.bootstrap(
            ((probability - truth) ** 2,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)
        ).confidence_interval
        table.append({
            "probability": probability.tolist(), "truth": truth.tolist(),
            "area": area, "low": scipy.special.expit(scipy.special.logit(area) - half),
            "high": scipy.special.expit(scipy.special.logit(area) + half),
            "false_positive_rate": false_positive.tolist(), "true_positive_rate": true_positive.tolist(),
            "confusion": [int(tp), int(fp), int(tn), int(fn)],
            "bins": counts.tolist(), "mean": mean.tolist(), "observed": observed.tolist(),
            "expected_error": float((counts * np.abs(observed - mean)).sum() / size),
            "brier": sklearn.metrics.brier_score_loss(truth, probability),
            "brier_low": brier.low, "brier_high": brier.high,
        })
    return table


def quantiles():
    table = []
    for size in (60, 400):
        sample = np.sort(np.round(RANDOM.lognormal(3, 1, size), 3))
        for share in (0.5, 0.9):
            limits = scipy.stats.quantile_test(sample, p=share).confidence_interval(0.95)
            value = np.quantile(sample, share, method="inverted_cdf")
            table.append({"sample": sample.tolist(), "share": share, "value": value, "low": limits.low, "high": limits.high})
    return table


print(json.dumps({"wilson": wilson(), "drift": drift(), "cases": cases(), "quantiles": quantiles()}))
