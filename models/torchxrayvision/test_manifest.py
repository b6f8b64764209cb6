"""The manifest builder alone, without torch: the same keys as the shipped bundle's manifest, and nothing claimed.

    python -m unittest test_manifest
"""

import json
import unittest
from pathlib import Path

from manifest import UNMEASURED, golden_case, manifest

SHIPPED = Path(__file__).parents[1] / "pneumonia-cxr/bundle/manifest.json"
FILES = {"model.onnx": "00" * 32, "MODEL_CARD.md": "11" * 32}


def made() -> dict:
    return manifest("1.0.0", "2026-11-21", "densenet121-res224-all", FILES, [golden_case("golden/a.png", "22" * 32, 0.25)])


class Manifest(unittest.TestCase):
    def test_has_the_keys_that_the_appliance_reads(self) -> None:
        shipped = json.loads(SHIPPED.read_text())
        self.assertEqual(set(made()), set(shipped))
        for part in ("model", "input", "outputs", "calibration", "intended_use", "model_card", "performance"):
            self.assertEqual(set(made()[part]), set(shipped[part]), part)
        self.assertEqual(set(made()["operating_points"][0]), set(shipped["operating_points"][0]))
        self.assertEqual(set(made()["golden"][0]), set(shipped["golden"][0]))

    def test_claims_nothing_that_nobody_measured(self) -> None:
        self.assertEqual(made()["calibration"]["fitted_on"], UNMEASURED)
        self.assertEqual(made()["operating_points"][0]["measured_on"], UNMEASURED)
        self.assertEqual(made()["performance"]["test_images"], 0)
        self.assertIsNone(made()["distribution"])

    def test_takes_the_digests_it_is_given_and_no_bundle_without_a_golden_film(self) -> None:
        self.assertEqual(made()["model"]["sha256"], FILES["model.onnx"])
        self.assertEqual(made()["model_card"]["sha256"], FILES["MODEL_CARD.md"])
        with self.assertRaises(ValueError):
            manifest("1.0.0", "2026-11-21", "x", FILES, [])


if __name__ == "__main__":
    unittest.main()
