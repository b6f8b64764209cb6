"""Writes the lists of crates that bitbake fetches, from Cargo.lock.

    python yocto/crates.py            write them
    python yocto/crates.py --check    say whether they are what Cargo.lock says; exit status 1 if not

`bitbake -c update_crates hilum-appliance` writes the same lists; this needs no bitbake. Each recipe gets the whole workspace's
crates, the other members' too: cargo resolves all of Cargo.lock before it builds one package of it, and stops at a missing crate.
"""

import argparse
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "Cargo.lock"
RECIPES = HERE / "meta-hilum/recipes-hilum/hilum"
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
PROGRAMS = ("hilum-appliance", "hilum-sync-agent")


def fetched(lock):
    """Crates from crates.io, in Cargo.lock's order; one from anywhere else has no `crate://` address."""
    for package in tomllib.loads(lock)["package"]:
        source = package.get("source")
        if source == REGISTRY:
            yield package
        elif source is not None:
            raise ValueError(f"{package['name']} {package['version']} comes from {source}, which bitbake's crate fetcher does not know")


def include(lock):
    """The text of NAME-crates.inc."""
    crates = [(f"{crate['name']}-{crate['version']}", crate) for crate in fetched(lock)]
    uris = [f"    crate://crates.io/{crate['name']}/{crate['version']};name={key} \\" for key, crate in crates]
    sums = [f'SRC_URI[{key}.sha256sum] = "{crate["checksum"]}"' for key, crate in crates]
    head = ["# Written by yocto/crates.py from Cargo.lock: do not edit.", 'SRC_URI += "\\']
    return "\n".join([*head, *uris, '"', "", *sums]) + "\n"


def path(program):
    return RECIPES / f"{program}-crates.inc"


def differing(lock):
    """Lists that are not what this Cargo.lock says."""
    wanted = include(lock)
    return [path(name) for name in PROGRAMS if not path(name).exists() or path(name).read_text() != wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    lock = LOCK.read_text()
    differ = differing(lock)
    if parser.parse_args().check:
        for stale in differ:
            print(f"{stale.name} is not what Cargo.lock says; run: python yocto/crates.py", file=sys.stderr)
        return 1 if differ else 0
    for stale in differ:
        stale.write_text(include(lock))
    print(f"{len(list(fetched(lock)))} crates, {len(differ)} list(s) written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
