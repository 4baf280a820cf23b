"""Write requirements.lock anew from pyproject.toml: `python3 tools/lock.py` (needs a package index).

Pins that still fit are kept; `--upgrade` takes the newest versions. One file serves every system and Python 3.11
or later: each pin has the hashes of all its files and, where it is not for all, a marker. It names no registry.
The resolver, uv, is put into a temporary environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from bootstrap import CHECKS_BEGIN, ROOT, say

LOCK = ROOT / "requirements.lock"

# Not a dependency of anything here, but hatchling asks for it when it installs a project in editable mode.
EDITABLE_NEEDS = ["editables>=0.5"]

HEAD = """\
# Written by tools/lock.py from pyproject.toml; do not edit. pip's format, for every system and Python >= 3.11:
#   pip install --require-hashes -r requirements.lock
# To run (tools/demo.py stops after this part)
"""


def resolve(uv: Path, requirements: list[str], known: Path, *options: str) -> dict[str, list[str]]:
    """The pins for `requirements`: entries of the lock by package name (one name can have several markers)."""
    command = [str(uv), "pip", "compile", "-", "-o", str(known), "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-annotate", "--no-header", "--no-config", "--no-emit-index-url", *options]
    subprocess.run(command, input="\n".join(requirements), text=True, check=True, stdout=subprocess.DEVNULL)
    entries: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", known.read_text(encoding="utf-8").strip()):
        entries.setdefault(entry.partition("==")[0], []).append(entry)
    return entries


def main(arguments: list[str]) -> int:
    """Resolve twice, everything and what is needed to run, and write one file of two parts."""
    if set(arguments) - {"--upgrade"}:
        print("usage: python3 tools/lock.py [--upgrade]", file=sys.stderr)
        return 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    to_run = project["project"]["dependencies"] + project["build-system"]["requires"] + EDITABLE_NEEDS
    to_check = [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    with tempfile.TemporaryDirectory() as folder:
        say("Fetching the resolver")
        venv.create(folder, with_pip=True)
        scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
        say("Resolving")
        everything, running = Path(folder) / "all.txt", Path(folder) / "run.txt"
        if LOCK.exists() and "--upgrade" not in arguments:
            everything.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")  # preferred versions
        pins = resolve(scripts / "uv", to_run + to_check, everything)
        needed = resolve(scripts / "uv", to_run, running, "--constraints", str(everything))
    # Entries come from the whole resolution, so that a marker can only be wider than running alone needs.
    first = [entry for name in pins if name in needed for entry in pins[name]]
    second = [entry for name in pins if name not in needed for entry in pins[name]]
    text = HEAD + "\n".join(first) + f"\n{CHECKS_BEGIN} (tools/test.py)\n" + "\n".join(second) + "\n"
    LOCK.write_bytes(text.encode())
    say(f"{LOCK.name}: {len(first)} pins to run, {len(second)} more to check")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
