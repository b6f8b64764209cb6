"""Checks the unit files and the Containerfile with the tools that will read them, and against each other.

    python packaging/validate.py

It builds no image and starts no service. Exit status: 0 all is well, 1 a check failed, 2 a tool is missing.
"""

import configparser
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import checking

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
# systemd's own scale runs from 0 (nothing exposed) to 10; ours stay at "OK", 2.0 or less.
EXPOSURE_LIMIT = 2.0
TOOLS = {
    "systemd-analyze": "apt-get install systemd",
    "hadolint": "pip install -r packaging/requirements.txt",
}


def tool(name):
    return checking.tool(name, TOOLS[name])


def run(*command):
    """Exit status and everything that a command said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


class Unit:
    """One unit file, read far enough to compare it with its neighbours."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self._parsed = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self._parsed.optionxform = str
        self._parsed.read(path)
        self._lines = path.read_text().splitlines()

    def last(self, key):
        return self._parsed.get("Service", key, fallback="")

    def every(self, key):
        return [line.split("=", 1)[1] for line in self._lines if line.startswith(f"{key}=")]

    def config(self):
        """The example configuration that is installed where ExecStart= looks for it."""
        path = self.last("ExecStart").split("--config ", 1)[-1].strip()
        return self.path.parent / Path(path).name


def units(folder):
    return [Unit(path) for path in sorted(folder.glob("*.service"))]


def staged(folder, root):
    """Lays out a root in which each unit's program exists, because `verify` asks for it."""
    target = root / "etc/systemd/system"
    shutil.copytree(folder, target)
    for unit in units(folder):
        commands = [command for key in ("ExecStart", "ExecReload") if (command := unit.last(key))]
        for command in commands:
            program = root / command.split()[0].lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
    shutil.copytree("/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    (root / "lib").symlink_to("usr/lib")


def verified(folder):
    """systemd reads every unit and drop-in without a word: it only warns on a key it does not know."""
    analyze = tool("systemd-analyze")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        staged(folder, root)
        names = [unit.path.name for unit in units(folder)]
        status, said = run(analyze, "verify", f"--root={root}", "--man=no", *names)
    ours = [line for line in said.splitlines() if "hilum" in line]
    return ours or ([said] if status else [])


def exposure(folder):
    """`systemd-analyze security` stays within the limit, drop-ins included."""
    analyze = tool("systemd-analyze")
    problems = []
    for unit in units(folder):
        _, said = run(analyze, "security", "--offline=true", "--no-pager", str(unit.path))
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
        if found is None:
            problems.append(f"{unit.path.name}: no exposure level was given: {said[-200:]}")
        elif float(found[1]) > EXPOSURE_LIMIT:
            problems.append(f"{unit.path.name}: exposure {found[1]} is above {EXPOSURE_LIMIT}")
    return problems


def supervised(folder):
    """Each service reports READY=1, is watched, comes back, and is not root."""
    wanted = {"Type": "notify", "Restart": "always", "User": "hilum", "NoNewPrivileges": "yes"}
    problems = []
    for unit in units(folder):
        for key, value in wanted.items():
            if unit.last(key) != value:
                problems.append(f"{unit.path.name}: {key}={unit.last(key)}, expected {value}")
        if not unit.last("WatchdogSec"):
            problems.append(f"{unit.path.name}: no WatchdogSec=")
    return problems


def configured(folder):
    """The example configuration exists, and names the ports, credentials and folders that its unit allows."""
    problems = []
    for unit in units(folder):
        path = unit.config()
        if not path.exists():
            problems.append(f"{unit.path.name}: {path.name} is not beside it")
            continue
        config = tomllib.loads(path.read_text())
        port = config["http"]["listen"].rsplit(":", 1)[1]
        binds = unit.every("SocketBindAllow")
        if binds and f"tcp:{port}" not in binds:
            problems.append(f"{unit.path.name}: SocketBindAllow={binds} lacks the health port {port} of {path.name}")
        problems += [f"{path.name}: {problem}" for problem in folders(unit, config["device"])]
    return problems


def folders(unit, device):
    """What [device] points at must be the unit's state directory or one of its credentials."""
    state = {f"/var/lib/{name}" for name in unit.last("StateDirectory").split()}
    loaded = {f"/run/credentials/{unit.path.name}/{entry.split(':')[0]}" for entry in unit.every("LoadCredential")}
    for key in ("state_dir", "identity_dir"):
        if key in device and device[key] not in state:
            yield f"device.{key} = {device[key]} is not in StateDirectory="
    if "pseudonym_key" in device and device["pseudonym_key"] not in loaded:
        yield f"device.pseudonym_key = {device['pseudonym_key']} is not in LoadCredential="


def image_linted(containerfile):
    """hadolint has nothing to say about the Containerfile, down to style."""
    _, said = run(tool("hadolint"), "--no-color", "--config", str(HERE / ".hadolint.yaml"), str(containerfile))
    return said.splitlines()


def image_consistent(containerfile):
    """The image builds with the workspace's own compiler, bears its version, copies what exists, and is not root."""
    text = containerfile.read_text()
    package = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]
    problems = []
    if f"rust:{package['rust-version']}-" not in text:
        problems.append(f"no stage is built with Rust {package['rust-version']}, Cargo.toml's rust-version")
    if f'image.version="{package["version"]}"' not in text:
        problems.append(f"the version label is not {package['version']}, Cargo.toml's version")
    user = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    if not user or user[-1] == "0":
        problems.append("the last USER is not a number other than 0")
    return problems


def build_context(containerfile):
    """Each workspace member is let into the build: cargo refuses a workspace with a missing one."""
    allowed = (containerfile.parent / "Containerfile.dockerignore").read_text().splitlines()
    members = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["members"]
    return [f"{name} is not let in by Containerfile.dockerignore" for name in members if f"!{name}" not in allowed]


def checks(folder, containerfile):
    return [
        ("unit files are read by systemd-analyze verify", lambda: verified(folder)),
        (f"unit files' exposure is at most {EXPOSURE_LIMIT}", lambda: exposure(folder)),
        ("services notify, are watched and restarted, are not root", lambda: supervised(folder)),
        ("example configurations fit their units", lambda: configured(folder)),
        ("Containerfile passes hadolint", lambda: image_linted(containerfile)),
        ("Containerfile fits the workspace", lambda: image_consistent(containerfile)),
        ("build context holds every workspace member", lambda: build_context(containerfile)),
    ]


def main():
    found = checks(HERE / "systemd", HERE / "Containerfile")
    return checking.report("packaging", ((title, check()) for title, check in found))


if __name__ == "__main__":
    sys.exit(main())
