"""Each check of the base, shown to fail on a copy with one thing broken.

    python -m unittest discover -s k8s
"""

import copy
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crosschecks  # noqa: E402
import validate  # noqa: E402


class Broken(unittest.TestCase):
    """The base as kustomize builds it; each test breaks one thing in a copy."""

    @classmethod
    def setUpClass(cls):
        cls.built = validate.build(validate.HERE / "base")

    def setUp(self):
        self.manifest = crosschecks.Manifest(
            copy.deepcopy(self.built), validate.expected_secrets(), validate.version())
        self.deployment = self.manifest.named("Deployment", "cloud-gateway")
        self.pod = self.deployment["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]

    def assert_found(self, problems, words):
        problems = list(problems)
        self.assertTrue(any(words in problem for problem in problems), f"{words!r} is not in {problems}")

    def configure(self, old, new):
        data = next(iter(self.manifest.of("ConfigMap")))["data"]
        self.assertIn(old, data["gateway.toml"])
        data["gateway.toml"] = data["gateway.toml"].replace(old, new)

    def policy(self, name):
        return self.manifest.named("NetworkPolicy", name)

    def test_the_base_passes(self):
        for title, check in crosschecks.CHECKS:
            self.assertEqual(list(check(self.manifest)), [], title)

    def test_a_misspelt_field(self):
        self.container["livenesProbe"] = self.container.pop("livenessProbe")
        self.assert_found(validate.schemas(self.manifest.resources), "livenesProbe")
        self.assert_found(crosschecks.probes(self.manifest), "livenessProbe does not ask /health/live")

    def test_a_kind_without_a_schema(self):
        self.manifest.resources.append({"apiVersion": "example.org/v1", "kind": "Unknown", "metadata": {"name": "x"}})
        self.assert_found(validate.schemas(self.manifest.resources), "Couldn't find schema")

    def test_a_selector_that_is_not_its_pods(self):
        self.deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "gateway"
        self.assert_found(crosschecks.selectors(self.manifest), "does not match its own pods")

    def test_a_strategy_that_contradicts_itself(self):
        self.deployment["spec"]["strategy"]["type"] = "Recreate"
        self.assert_found(crosschecks.selectors(self.manifest), "cannot have rollingUpdate")

    def test_a_service_without_pods(self):
        self.manifest.named("Service", "cloud-gateway")["spec"]["selector"] = {"app": "gone"}
        self.assert_found(crosschecks.targets(self.manifest), "Service cloud-gateway: no pod has the labels")

    def test_a_service_to_a_port_that_nobody_opens(self):
        self.manifest.named("Service", "cloud-gateway")["spec"]["ports"][0]["targetPort"] = "https"
        self.assert_found(crosschecks.targets(self.manifest), "have no port https")

    def test_a_budget_for_nobody(self):
        budget = self.manifest.named("PodDisruptionBudget", "cloud-gateway")
        budget["spec"]["selector"]["matchLabels"] = {"app": "gone"}
        self.assert_found(crosschecks.targets(self.manifest), "PodDisruptionBudget cloud-gateway: no pod")

    def test_a_pod_under_no_policy(self):
        self.manifest.resources.remove(self.policy("default-deny"))
        self.assert_found(crosschecks.policies(self.manifest), "denies both directions")
        self.assert_found(crosschecks.policies(self.manifest), "Job cloud-gateway-migrate: no NetworkPolicy covers its ingress")

    def test_a_policy_that_allows_every_peer(self):
        del self.policy("allow-broker")["spec"]["egress"][0]["to"]
        self.assert_found(crosschecks.policies(self.manifest), "names no peer")

    def test_an_image_without_a_tag(self):
        self.container["image"] = "registry.example.org/hilum/cloud-gateway"
        self.assert_found(crosschecks.images(self.manifest), "is not pinned")

    def test_an_image_called_latest(self):
        self.container["image"] = "registry.example.org:5000/hilum/cloud-gateway:latest"
        self.assert_found(crosschecks.images(self.manifest), "is not pinned")

    def test_an_image_of_another_version(self):
        self.container["image"] = "registry.example.org/hilum/cloud-gateway:0.0.9"
        self.assert_found(crosschecks.images(self.manifest), "is not version")

    def test_a_pod_with_privileges(self):
        self.pod["securityContext"]["runAsNonRoot"] = False
        self.pod["securityContext"]["seccompProfile"] = {"type": "Unconfined"}
        self.pod["automountServiceAccountToken"] = True
        self.container["securityContext"] = {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}
        del self.container["resources"]["limits"]["memory"]
        found = list(crosschecks.restricted(self.manifest))
        for words in ("may run as root", "no seccomp", "mounts a token", "may gain privileges", "is writable",
                      "does not drop all", "has no limits"):
            self.assert_found(found, words)

    def test_a_namespace_that_enforces_nothing(self):
        self.manifest.of("Namespace")[0]["metadata"]["labels"] = {}
        self.assert_found(crosschecks.restricted(self.manifest), "does not enforce")

    def test_a_secret_that_nobody_brings(self):
        self.container["env"][0]["valueFrom"]["secretKeyRef"]["key"] = "passwort"
        self.assert_found(crosschecks.references(self.manifest), "Secret cloud-gateway-database has no key passwort")

    def test_a_configmap_key_that_is_not_there(self):
        next(iter(self.manifest.of("ConfigMap")))["data"] = {"other.toml": ""}
        self.assert_found(crosschecks.references(self.manifest), "has no key gateway.toml")
        self.assert_found(crosschecks.gateway_config(self.manifest), "no gateway.toml is mounted")

    def test_a_claim_that_is_not_there(self):
        self.manifest.resources.remove(self.manifest.named("PersistentVolumeClaim", "cloud-gateway-objects"))
        self.assert_found(crosschecks.references(self.manifest), "PersistentVolumeClaim cloud-gateway-objects")

    def test_a_listed_secret_that_nobody_reads(self):
        secrets = {**self.manifest.secrets, "spare": {"keys": {"token": "unused"}}}
        self.assert_found(validate.unused_secrets(secrets, self.manifest.resources), "no pod reads spare/token")

    def test_a_password_in_git(self):
        self.configure("postgres://hilum@", "postgres://hilum:example@")
        self.assert_found(crosschecks.no_secret_in_git(self.manifest), "holds a password")
        self.manifest.resources.append({"kind": "Secret", "metadata": {"name": "oops"}})
        self.assert_found(crosschecks.no_secret_in_git(self.manifest), "Secret oops")

    def test_a_key_that_the_gateway_refuses(self):
        self.configure("dashboard_dir", "dashboard_directory")
        self.assert_found(crosschecks.gateway_config(self.manifest), "knows no key http.dashboard_directory")

    def test_a_key_that_the_gateway_has_and_the_checks_do_not(self):
        sources = validate.gateway_sources().replace("    pub group: String,", "    pub group: String,\n    pub retries: u8,")
        self.assert_found(validate.drifted_keys(sources), "differ on mqtt.retries")
        self.assert_found(validate.drifted_keys(""), "differ on the table [mqtt]")

    def test_a_file_that_no_volume_brings(self):
        self.configure("/etc/hilum/mqtt/tls.key", "/etc/hilum/mqtt/private.key")
        self.assert_found(crosschecks.gateway_config(self.manifest), "names /etc/hilum/mqtt/private.key")

    def test_a_broker_that_the_policies_keep_out_of_reach(self):
        self.configure("port = 8883", "port = 1883")
        self.assert_found(crosschecks.gateway_config(self.manifest), "its broker at mqtt.hilum-broker.svc:1883")

    def test_a_database_that_the_policies_keep_out_of_reach(self):
        self.manifest.resources.remove(self.policy("allow-database"))
        self.assert_found(crosschecks.gateway_config(self.manifest), "its database at")

    def test_a_redis_that_nothing_leads_to(self):
        redis = '[redis]\nurl = "rediss://redis.hilum-data.svc:6379"\npassword_file = "/etc/hilum/redis/password"\n[mqtt]'
        self.configure("[mqtt]", redis)
        self.assert_found(crosschecks.gateway_config(self.manifest), "its Redis at redis.hilum-data.svc:6379")
        self.assert_found(crosschecks.gateway_config(self.manifest), "names /etc/hilum/redis/password")

    def test_a_port_that_the_pod_does_not_open(self):
        self.configure("0.0.0.0:8080", "0.0.0.0:8443")
        self.assert_found(crosschecks.gateway_config(self.manifest), "listens on 8443")

    def test_an_overlay_that_kustomize_refuses_and_one_whose_image_changes_nothing(self):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "base"
            shutil.copytree(validate.HERE / "base", folder)
            kustomization = folder / "kustomization.yaml"
            text = kustomization.read_text()
            kustomization.write_text(text.replace("- name: cloud-gateway\n    newName", "- name: gateway\n    newName"))
            self.assert_found(validate.image_overrides(folder, validate.build(folder)), "became no pod's image")
            kustomization.write_text(text.replace("service.yaml", "missing.yaml"))
            with self.assertRaisesRegex(ValueError, "missing.yaml"):
                validate.build(folder)

    def test_a_missing_tool_is_named_and_nothing_is_skipped(self):
        with mock.patch.object(validate.checking.shutil, "which", return_value=None), \
             mock.patch.object(validate.sys, "prefix", "/nowhere"), \
             mock.patch.object(validate.sysconfig, "get_path", return_value="/nowhere"):
            with self.assertRaisesRegex(validate.checking.MissingTool, "kubectl is not installed; run: pip install"):
                validate.build(validate.HERE / "base")


if __name__ == "__main__":
    unittest.main()
