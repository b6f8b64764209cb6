"""Parses the layer with bitbake's own parser, lints it, and compares it with the sources that it builds.

    python yocto/validate.py

oe-core is not there: its classes and bitbake.conf are the few lines in stubs/. So this finds wrong syntax, names and files,
and not whether an image builds. Exit status: 0 all is well, 1 a check failed, 2 a tool is missing.
"""

import configparser
import hashlib
import logging
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packaging"))

import checking  # noqa: E402
import crates  # noqa: E402

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
LAYER = HERE / "meta-hilum"
STUBS = HERE / "stubs"
RELEASE = "wrynose"
PIP = "pip install -r yocto/requirements.txt"
# The linter's advice that is not followed, and why.
SUPPRESSED = {
    "oelint.var.bbclassextend": "the programs run on the device only: there is no native or SDK build of them",
    "oelint.var.suggestedvar.BUGTRACKER": "the project has no public tracker to name",
    "oelint.vars.homepageping": "a lint that asks the network gives another answer every day",
}
# Parsed for a plain machine and for a Jetson, whose overrides add to the recipes.
MACHINES = ("qemuarm64", "tegra")

# bitbake's signature module imports its hash server, which is not in the wheel and which parsing does not use.
for name in ("hashserv", "hashserv.client"):
    sys.modules.setdefault(name, types.ModuleType(name))
try:
    import bb.data
    import bb.data_smart
    import bb.fetch2  # noqa: F401  bitbake's modules import each other in this order only
    import bb.parse
    import bb.siggen
except ModuleNotFoundError as missing:
    print(f"MISSING TOOL: Python has no module {missing.name}; run: {PIP}", file=sys.stderr)
    sys.exit(2)


def tool(name):
    return checking.tool(name, PIP)


class Complaints(logging.Handler):
    """What bitbake says while it parses, from warnings up."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage().strip())


def datastore(layer, machine):
    """bitbake's variables as they are before a recipe is read."""
    data = bb.data.init()
    data.setVar("BBPATH", f"{STUBS}:{layer}")
    data.setVar("MACHINEOVERRIDES", machine)
    data.setVar("LAYERDIR", str(layer))
    data.setVar("__bbclasstype", "recipe")
    bb.parse.init_parser(data)
    data = bb.parse.handle(str(STUBS / "conf/bitbake.conf"), data, include=True)
    return bb.parse.handle(str(layer / "conf/layer.conf"), data, include=True)


def recipes(layer):
    return sorted(layer.glob("recipes-*/*/*.bb"))


def parsed(layer, recipe, machine):
    """The recipe's variables, or the sentences in which bitbake refused it."""
    complaints = Complaints()
    logger = logging.getLogger("BitBake")
    logger.addHandler(complaints)
    logger.propagate = False
    try:
        data = bb.parse.handle(str(recipe), datastore(layer, machine))[""]
    except Exception as error:  # bitbake raises whatever a recipe's own Python raised
        return None, [*complaints.said, f"{type(error).__name__}: {error}"]
    finally:
        logger.removeHandler(complaints)
    return data, complaints.said


def parsing(layer):
    """Every recipe parses for every machine, without a warning."""
    for recipe in recipes(layer):
        for machine in MACHINES:
            _, said = parsed(layer, recipe, machine)
            yield from (f"{recipe.name} ({machine}): {words}" for words in said)


def each(layer):
    """(recipe, variables) of every recipe that parses, as a Jetson sees it."""
    for recipe in recipes(layer):
        data, _ = parsed(layer, recipe, "tegra")
        if data is not None:
            yield recipe, data


def identity(layer):
    """A recipe's version and licence are the workspace's, and its program is a member."""
    workspace = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]
    package = workspace["package"]
    digest = hashlib.md5((REPOSITORY / "LICENSE").read_bytes()).hexdigest()
    for recipe, data in each(layer):
        if data.getVar("PV") != package["version"]:
            yield f"{recipe.name}: version {data.getVar('PV')} is not Cargo.toml's {package['version']}"
        if data.getVar("LICENSE") != package["license"]:
            yield f"{recipe.name}: LICENSE {data.getVar('LICENSE')} is not Cargo.toml's {package['license']}"
        if data.getVar("LIC_FILES_CHKSUM") != f"file://LICENSE;md5={digest}":
            yield f"{recipe.name}: LIC_FILES_CHKSUM is not that of LICENSE, md5={digest}"
        if Path(data.getVar("S")) != REPOSITORY:
            yield f"{recipe.name}: builds {data.getVar('S')}, not the sources around this layer"
        if data.getVar("PN").removeprefix("hilum-") not in workspace["members"]:
            yield f"{recipe.name}: {data.getVar('PN')} is no member of the workspace"


def installed(layer):
    """What do_install takes from the sources is there, and the unit that it installs is the one that is switched on."""
    for recipe, data in each(layer):
        steps = data.getVar("do_install")
        for source in re.findall(rf"{re.escape(data.getVar('S'))}/(\S+)", steps):
            if not (REPOSITORY / source).exists():
                yield f"{recipe.name}: do_install takes {source}, which is not there"
        service = data.getVar(f"SYSTEMD_SERVICE:{data.getVar('PN')}") or data.getVar("SYSTEMD_SERVICE") or ""
        if f"{data.getVar('systemd_system_unitdir')}/{service}" not in steps or not service:
            yield f"{recipe.name}: SYSTEMD_SERVICE {service!r} is not what do_install installs"
            continue
        yield from (f"{recipe.name}: {problem}" for problem in unit_fits(data, service))


def unit_fits(data, service):
    """The unit runs the program and reads the configuration that the recipe installs, as the user that it makes."""
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str
    unit.read(REPOSITORY / "packaging/systemd" / service)
    steps = data.getVar("do_install")
    program, *arguments = unit.get("Service", "ExecStart", fallback="?").split()
    for path in (program, arguments[-1] if arguments else "?"):
        if f"{data.getVar('D')}{path}\n" not in steps:
            yield f"{service} names {path}, which do_install does not install"
    users = data.getVar(f"USERADD_PARAM:{data.getVar('PN')}") or data.getVar("USERADD_PARAM") or "?"
    if unit.get("Service", "User", fallback="") != users.split()[-1]:
        yield f"{service} runs as another user than {users.split()[-1]}, whom the recipe makes"


def crate_lists(layer):
    """bitbake fetches the crates that Cargo.lock names, with their checksums."""
    lock = crates.LOCK.read_text()
    wanted = {f"{crate['name']}-{crate['version']}": crate["checksum"] for crate in crates.fetched(lock)}
    for recipe, data in each(layer):
        names = re.findall(r"crate://crates\.io/\S+;name=(\S+)", data.getVar("SRC_URI"))
        found = {name: data.getVarFlag("SRC_URI", f"{name}.sha256sum") for name in names}
        for name in sorted(set(wanted.items()) ^ set(found.items())):
            yield f"{recipe.name}: {name[0]} is not as in Cargo.lock; run: python yocto/crates.py"


def compatible(layer):
    """The layer says which release it is for."""
    data = datastore(layer, "qemuarm64")
    if data.getVar("LAYERSERIES_COMPAT_hilum") != RELEASE:
        yield f"LAYERSERIES_COMPAT_hilum is {data.getVar('LAYERSERIES_COMPAT_hilum')!r}, not {RELEASE!r}"
    for name in ("README.md", "LICENSE"):
        if not (layer / name).exists():
            yield f"the layer has no {name}"


def linted(layer):
    """oelint-adv has nothing to say but what SUPPRESSED names."""
    rules = [part for rule in SUPPRESSED for part in ("--suppress", rule)]
    files = [*recipes(layer), layer / "conf/layer.conf"]
    done = subprocess.run(
        [tool("oelint-adv"), "--quiet", "--jobs", "1", "--release", RELEASE, "--relpaths", *rules, *map(str, files)],
        capture_output=True, text=True, check=False, cwd=layer)
    said = (done.stdout + done.stderr).splitlines()
    return said or (["oelint-adv failed without a word"] if done.returncode else [])


CHECKS = [
    (f"recipes parse in bitbake {bb.__version__}, for {' and '.join(MACHINES)}", parsing),
    ("recipes pass oelint-adv", linted),
    ("recipes have the workspace's version, licence and sources", identity),
    ("what is installed exists, and fits its unit", installed),
    ("crates are those of Cargo.lock", crate_lists),
    (f"the layer is for {RELEASE}", compatible),
]


def main():
    return checking.report("yocto", ((title, list(check(LAYER))) for title, check in CHECKS))


if __name__ == "__main__":
    sys.exit(main())
