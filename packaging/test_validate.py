"""Each check of validate.py, shown to fail on a copy with one thing broken.

    python -m unittest discover -s packaging
"""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import validate  # noqa: E402


class Broken(unittest.TestCase):
    """A copy of this folder in which one text is replaced by another."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.copy = Path(temporary.name) / "packaging"
        shutil.copytree(validate.HERE, self.copy)
        self.units = self.copy / "systemd"
        self.image = self.copy / "Containerfile"

    def spoil(self, name, old, new):
        path = self.copy / name
        text = path.read_text()
        self.assertIn(old, text, f"{name} no longer has what this test breaks")
        path.write_text(text.replace(old, new, 1))

    def assert_found(self, problems, words):
        self.assertTrue(any(words in problem for problem in problems), f"{words!r} is not in {problems}")

    def test_a_healthy_copy_passes(self):
        for title, check in validate.checks(self.units, self.image):
            self.assertEqual(check(), [], title)

    def test_a_key_that_systemd_does_not_know(self):
        self.spoil("systemd/hilum-appliance.service", "WatchdogSec=", "WatchDogSecs=")
        self.assert_found(validate.verified(self.units), "Unknown key 'WatchDogSecs'")

    def test_a_key_in_a_drop_in_that_systemd_does_not_know(self):
        self.spoil("systemd/hilum-appliance.service.d/gpu.conf", "DevicePolicy=", "DevicePolice=")
        self.assert_found(validate.verified(self.units), "Unknown key 'DevicePolice'")

    def test_a_service_that_keeps_capabilities_and_its_own_view_of_the_disk(self):
        for line in ("CapabilityBoundingSet=\n", "ProtectSystem=strict\n", "SystemCallFilter=@system-service\n"):
            self.spoil("systemd/hilum-sync-agent.service", line, "")
        self.assert_found(validate.exposure(self.units), "is above 2.0")

    def test_a_service_without_a_watchdog(self):
        self.spoil("systemd/hilum-sync-agent.service", "WatchdogSec=60s\n", "")
        self.assert_found(validate.supervised(self.units), "no WatchdogSec=")

    def test_a_service_run_by_root(self):
        self.spoil("systemd/hilum-appliance.service", "User=hilum", "User=root")
        self.assert_found(validate.supervised(self.units), "User=root")

    def test_a_health_port_that_the_unit_does_not_allow(self):
        self.spoil("systemd/sync-agent.toml", "127.0.0.1:9465", "127.0.0.1:9999")
        self.assert_found(validate.configured(self.units), "lacks the health port 9999")

    def test_a_state_directory_that_the_unit_does_not_make(self):
        self.spoil("systemd/appliance.toml", 'state_dir = "/var/lib/hilum"', 'state_dir = "/srv/hilum"')
        self.assert_found(validate.configured(self.units), "/srv/hilum is not in StateDirectory=")

    def test_a_credential_that_the_unit_does_not_load(self):
        self.spoil("systemd/hilum-appliance.service", "LoadCredential=pseudonym.key", "LoadCredential=other.key")
        self.assert_found(validate.configured(self.units), "is not in LoadCredential=")

    def test_an_image_without_a_pinned_base(self):
        self.spoil("Containerfile", "rust:1.94-bookworm", "rust")
        self.assert_found(validate.image_linted(self.image), "DL3006")
        self.assert_found(validate.image_consistent(self.image), "no stage is built with Rust")

    def test_an_image_run_by_root(self):
        self.spoil("Containerfile", "USER 65532:65532", "USER 0")
        self.assert_found(validate.image_consistent(self.image), "the last USER")

    def test_a_crate_left_out_of_the_build_context(self):
        self.spoil("Containerfile.dockerignore", "!wire\n", "")
        self.assert_found(validate.build_context(self.image), "wire is not let in")

    def test_a_missing_tool_is_named_and_nothing_is_skipped(self):
        with mock.patch.object(validate.checking.shutil, "which", return_value=None), \
             mock.patch.object(validate.sys, "executable", "/nowhere/python"):
            with self.assertRaisesRegex(validate.checking.MissingTool, "systemd-analyze is not installed; run: apt-get"):
                validate.verified(self.units)


if __name__ == "__main__":
    unittest.main()
