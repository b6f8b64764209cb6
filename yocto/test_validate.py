"""Each check of validate.py, shown to fail on a copy of the layer with one thing broken.

    python -m unittest discover -s yocto
"""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crates  # noqa: E402
import validate  # noqa: E402

RECIPES = "recipes-hilum/hilum"


class Broken(unittest.TestCase):
    """A copy of the layer in which one text is replaced by another."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.layer = Path(temporary.name) / "meta-hilum"
        shutil.copytree(validate.LAYER, self.layer)

    def spoil(self, name, old, new):
        path = self.layer / name
        text = path.read_text()
        self.assertIn(old, text, f"{name} no longer has what this test breaks")
        path.write_text(text.replace(old, new, 1))

    def assert_found(self, problems, words):
        problems = list(problems)
        self.assertTrue(any(words in problem for problem in problems), f"{words!r} is not in {problems}")

    def test_the_layer_passes(self):
        for title, check in validate.CHECKS:
            self.assertEqual(list(check(validate.LAYER)), [], title)

    def test_a_line_that_is_no_bitbake(self):
        self.spoil(f"{RECIPES}/hilum.inc", 'LICENSE = "Apache-2.0"', 'LICENSE = "Apache-2.0')
        self.assert_found(validate.parsing(self.layer), "hilum.inc:")

    def test_a_class_that_does_not_exist(self):
        self.spoil(f"{RECIPES}/hilum.inc", "inherit cargo ", "inherit cargoo ")
        self.assert_found(validate.parsing(self.layer), "cargoo")

    def test_a_required_file_that_does_not_exist(self):
        (self.layer / RECIPES / "hilum-sync-agent-crates.inc").unlink()
        self.assert_found(validate.parsing(self.layer), "hilum-sync-agent-crates.inc")

    def test_python_that_fails_for_a_jetson_only(self):
        self.spoil(f"{RECIPES}/hilum-appliance_0.1.0.bb", "FILES:${PN} +=", 'EXTERNALSRC:tegra = "${@1/0}"\nFILES:${PN} +=')
        found = list(validate.parsing(self.layer))
        self.assert_found(found, "(tegra): ")
        self.assertFalse([problem for problem in found if "(qemuarm64)" in problem], found)

    def test_style_that_the_linter_minds(self):
        self.spoil(f"{RECIPES}/hilum.inc", 'SECTION = "console/network"', 'SECTION="console/network"')
        self.assert_found(validate.linted(self.layer), "oelint.vars.spacesassignment")

    def test_a_variable_that_nobody_knows(self):
        self.spoil(f"{RECIPES}/hilum.inc", "CONFFILES:", "CONFILES:")
        self.assert_found(validate.linted(self.layer), "CONFILES")

    def test_a_recipe_of_another_version(self):
        recipe = self.layer / RECIPES / "hilum-sync-agent_0.1.0.bb"
        recipe.rename(recipe.with_name("hilum-sync-agent_9.9.9.bb"))
        self.assert_found(validate.identity(self.layer), "version 9.9.9 is not Cargo.toml's")

    def test_a_licence_text_that_changed(self):
        self.spoil(f"{RECIPES}/hilum.inc", "md5=3b83", "md5=0000")
        self.assert_found(validate.identity(self.layer), "LIC_FILES_CHKSUM")

    def test_a_file_that_the_sources_do_not_have(self):
        self.spoil(f"{RECIPES}/hilum-appliance_0.1.0.bb", "${S}/packaging/systemd/hilum-appliance.service.d/gpu.conf",
                   "${S}/packaging/systemd/jetson.conf")
        self.assert_found(validate.installed(self.layer), "takes packaging/systemd/jetson.conf")

    def test_a_service_that_is_not_installed(self):
        self.spoil(f"{RECIPES}/hilum.inc", '"${BPN}.service"', '"${BPN}d.service"')
        self.assert_found(validate.installed(self.layer), "is not what do_install installs")

    def test_a_configuration_that_the_unit_does_not_read(self):
        self.spoil(f"{RECIPES}/hilum.inc", "${D}${sysconfdir}/hilum/", "${D}${sysconfdir}/hilum.d/")
        self.assert_found(validate.installed(self.layer), "names /etc/hilum/appliance.toml")

    def test_a_user_that_the_unit_does_not_have(self):
        self.spoil(f"{RECIPES}/hilum.inc", "nologin hilum", "nologin nobody")
        self.assert_found(validate.installed(self.layer), "another user than nobody")

    def test_a_crate_with_another_checksum_and_one_that_is_missing(self):
        crate, absent = list(crates.fetched(crates.LOCK.read_text()))[:2]
        name = f"{RECIPES}/hilum-appliance-crates.inc"
        self.spoil(name, crate["checksum"], "0" * 64)
        self.spoil(name, f"    crate://crates.io/{absent['name']}/", "    crate://crates.io/another/")
        self.spoil(name, f";name={absent['name']}-", ";name=another-")
        self.assert_found(validate.crate_lists(self.layer), f"{crate['name']}-{crate['version']} is not as in Cargo.lock")
        self.assert_found(validate.crate_lists(self.layer), f"{absent['name']}-{absent['version']} is not as in Cargo.lock")

    def test_a_layer_for_another_release(self):
        self.spoil("conf/layer.conf", '"wrynose"', '"scarthgap"')
        self.assert_found(validate.compatible(self.layer), "'scarthgap', not 'wrynose'")

    def test_a_crate_from_elsewhere_is_refused(self):
        lock = '[[package]]\nname = "odd"\nversion = "1.0.0"\nsource = "git+https://example.org/odd"\n'
        with self.assertRaisesRegex(ValueError, "odd 1.0.0 comes from git"):
            crates.include(lock)

    def test_a_stale_list_is_named(self):
        lock = f'[[package]]\nname = "only"\nversion = "1.0.0"\nsource = "{crates.REGISTRY}"\nchecksum = "00"\n'
        self.assertEqual([path.name for path in crates.differing(lock)],
                         ["hilum-appliance-crates.inc", "hilum-sync-agent-crates.inc"])

    def test_a_missing_tool_is_named_and_nothing_is_skipped(self):
        with mock.patch.object(validate.checking.shutil, "which", return_value=None), \
             mock.patch.object(validate.sys, "executable", "/nowhere/python"):
            with self.assertRaisesRegex(validate.checking.MissingTool, "oelint-adv is not installed; run: pip install"):
                list(validate.linted(self.layer))


if __name__ == "__main__":
    unittest.main()
