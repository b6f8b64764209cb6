"""Tests of what must not drift: the resize, the folds, the metrics, the map that explains its logit. Needs no film.

    python -m unittest test_training
"""

import json
import unittest
from pathlib import Path

import numpy as np
import torch

import metrics
from dataset import area_u8, folds
from evaluate import borders
from export import Ensemble
from network import Network

VECTORS = Path(__file__).parents[3] / "reader/tests/vectors/resize.json"


class Resize(unittest.TestCase):
    def test_agrees_with_the_appliance_bit_for_bit(self) -> None:
        cases = json.loads(VECTORS.read_text())["cases"]
        self.assertGreater(len(cases), 5)
        for case in cases:
            grey = np.array(case["samples"], dtype=np.uint8).reshape(case["source"])
            self.assertEqual(area_u8(grey, *case["target"]).ravel().tolist(), case["expect"], case["source"])


class Folds(unittest.TestCase):
    def test_no_patient_is_in_two(self) -> None:
        patients = np.array(["a", "b", "a", "c", "d", "b", "e", "f"])
        fold_of = folds(patients, 3, 1)
        for one in patients:
            self.assertEqual(len(set(fold_of[patients == one])), 1)
        self.assertEqual(set(fold_of), {0, 1, 2})


class Metrics(unittest.TestCase):
    LABELS, SCORES = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.4, 0.4, 0.35, 0.8])

    def test_auc_counts_pairs_and_halves_ties(self) -> None:
        self.assertAlmostEqual(metrics.auc(self.LABELS, self.SCORES), (1 + 0.5 + 1 + 0 + 1 + 1) / 6)

    def test_calibration_error_is_zero_only_when_rates_match(self) -> None:
        self.assertAlmostEqual(metrics.expected_calibration_error(np.array([0, 1]), np.array([0.5, 0.5])), 0.0)
        self.assertAlmostEqual(metrics.expected_calibration_error(np.array([0, 0]), np.array([0.5, 0.5])), 0.5)

    def test_wilson_as_tabulated(self) -> None:
        low, high = metrics.wilson(9, 10)
        self.assertAlmostEqual(low, 0.5958, places=4)
        self.assertAlmostEqual(high, 0.9821, places=4)

    def test_platt_finds_the_line_that_made_the_labels(self) -> None:
        pick = np.random.default_rng(1)
        logits = pick.normal(0, 2, 20000)
        labels = (pick.random(20000) < metrics.sigmoid(1.5 * logits - 0.5)).astype(int)
        slope, intercept = metrics.platt(labels, logits, np.ones(20000))
        self.assertAlmostEqual(slope, 1.5, delta=0.08)
        self.assertAlmostEqual(intercept, -0.5, delta=0.08)

    def test_peaks_are_counted_by_ring_and_empty_maps_are_not(self) -> None:
        maps = np.zeros((3, 14, 14), dtype=np.float32)
        maps[0, 0, 5], maps[1, 7, 7] = 1, 1
        self.assertEqual(borders(maps)["films_with_evidence"], 2)
        self.assertEqual(borders(maps)["peaks_in_outermost_cell_ring"], 0.5)


class Explained(unittest.TestCase):
    def test_the_logit_is_the_mean_of_the_evidence_and_the_edge_has_no_vote(self) -> None:
        torch.manual_seed(1)
        member = Network().eval()
        with torch.inference_mode():
            logit, evidence, _ = member(torch.rand(2, 1, 224, 224))
        torch.testing.assert_close(evidence.mean(dim=(2, 3)), logit)
        self.assertEqual(evidence[:, :, [0, -1]].abs().max().item(), 0.0)
        self.assertEqual(evidence[:, :, :, [0, -1]].abs().max().item(), 0.0)
        with torch.inference_mode():
            films = torch.rand(2, 1, 224, 224)
            _, drawn, _ = Ensemble([member, member]).eval()(films)
            torch.testing.assert_close(drawn, member(films)[1].clamp(min=0))


if __name__ == "__main__":
    unittest.main()
