"""Digests and the signature of a bundle, for every script here that makes one. Needs OpenSSL 3 and no package.

A key pair is OpenSSL's: `openssl genpkey -algorithm ed25519 -out publisher.key`. The private half stays with whoever
publishes; sites are given the public one.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_pair(private: Path, public: Path) -> None:
    """A new pair; the private half readable by its owner alone."""
    with os.fdopen(os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(_openssl("genpkey", "-algorithm", "ed25519"))
    write_public(private, public)


def write_public(private: Path, public: Path) -> None:
    public.write_bytes(_openssl("pkey", "-in", str(private), "-pubout"))


def write_manifest(bundle: Path, manifest: dict, private: Path | None) -> None:
    """Writes manifest.json and, with a key, manifest.sig over its exact bytes; an old signature never stays."""
    (bundle / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    (bundle / "manifest.sig").unlink(missing_ok=True)
    if private is not None:
        sign(bundle, private)


def sign(bundle: Path, private: Path) -> None:
    order = ["pkeyutl", "-sign", "-rawin", "-in", str(bundle / "manifest.json"), "-inkey", str(private)]
    (bundle / "manifest.sig").write_bytes(_openssl(*order))


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE).stdout
