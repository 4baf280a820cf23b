"""The private environment of tools/demo.py and tools/test.py: made once, reused while nothing changed.

Standard library only. Loaded after the caller has checked the Python version, so it may be written for 3.11.
`.venv/wfp-udp-setup.json` says what the environment holds; while a set-up is under way it holds no digest, so
one that was interrupted is recognised, and built again from nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "wfp-udp-setup.json"
LOG = VENV / "setup.log"
LOCK = ROOT / "requirements.lock"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")

CHECKS_BEGIN = "# Checks only"  # the line of requirements.lock from which on tools/demo.py needs nothing

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# Variables that send pip or Python to another place than the environment. All other PIP_* stay the user's (mirrors).
DROPPED_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_ROOT", "PIP_TARGET")

# A line of pip's output holding one of these means that the index was not reached.
NO_ANSWER = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Max retries exceeded",
    "connection broken by",
)


class SetupError(Exception):
    """The environment cannot be made here; the text is the one line to show."""


def say(text: str = "") -> None:
    print(text, flush=True)  # flushed, or a pipe shows it after the output of the programs started here


def shown(path: Path) -> str:
    """A path as the user would type it from the checkout."""
    return str(path.relative_to(ROOT))


# --- what is there ---------------------------------------------------------------------------------------------


def place() -> str:
    """What an environment is bound to: this checkout's path and this Python."""
    return "|".join((str(ROOT), sys.base_prefix, sysconfig.get_platform(), VERSION))


def digest() -> str:
    """What an environment was made from."""
    parts = hashlib.sha256()
    for path in (LOCK, ROOT / "pyproject.toml", Path(__file__)):
        parts.update(hashlib.sha256(path.read_bytes()).digest())
    return parts.hexdigest()


def read_stamp() -> dict[str, str]:
    """The stamp's fields; empty when there is none or it is damaged."""
    try:
        fields = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def write_stamp(**fields: str) -> None:
    """In one go: a stamp is there as a whole or not at all."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps(fields), encoding="utf-8")
    os.replace(part, STAMP)


def is_current(kind: str) -> bool:
    """Does the environment hold what `kind` ("demo", or "test" with the check tools) needs?"""
    stamp = read_stamp()
    return (
        PYTHON.exists()
        and stamp.get("place") == place()
        and stamp.get("digest") == digest()
        and stamp.get("kind") in (kind, "test")
    )


def can_be_extended() -> bool:
    """Is there an environment to install into? If not, it is removed here, unless it may be somebody's work."""
    if not VENV.exists() or not any(VENV.iterdir()):
        return False
    stamp = read_stamp()
    if STAMP.exists():
        if PYTHON.exists() and stamp.get("place") == place() and stamp.get("digest"):
            return True
        say(f"{shown(VENV)} is half-made, moved or of another Python: making it anew")
    else:  # made by hand, or before its stamp was written
        probe = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
        try:
            found = subprocess.run([PYTHON, "-I", "-c", probe], capture_output=True, text=True).stdout.strip()
        except OSError:
            found = ""
        if found == VERSION:
            return True
        if found or not (VENV / "pyvenv.cfg").exists():
            what = f"is an environment of Python {found}" if found else "is no Python environment"
            raise SetupError(f"{VENV} {what}, not made by this script. Remove or rename it, then run this again.")
        say(f"{shown(VENV)} does not work: making it anew")
    shutil.rmtree(VENV)
    return False


# --- making it -------------------------------------------------------------------------------------------------


def prepare(kind: str) -> None:
    """Bring the environment up to date for `kind`; quick and silent when it is."""
    if is_current(kind):
        return
    started = time.monotonic()
    say(f"Setting up {VENV} (once; later runs reuse it)")
    held = read_stamp().get("kind", "demo")
    if can_be_extended():
        kind = "test" if held == "test" else kind
    else:
        make_environment()
    before = STAMP.read_bytes() if STAMP.exists() else None
    write_stamp(place=place())  # without digest: under way
    LOG.write_text("", encoding="utf-8")
    lock = VENV / "to-install.txt"
    text = LOCK.read_text(encoding="utf-8")
    lock.write_text(text if kind == "test" else text.partition(CHECKS_BEGIN)[0], encoding="utf-8")
    try:
        say("- fetching the packages of requirements.lock" + (", check tools included" if kind == "test" else ""))
        pip("install", "--require-hashes", "-r", str(lock))
        say("- installing this project")
        # Its build tool is in the lock: nothing unlocked is fetched.
        pip("install", "--no-build-isolation", "--no-deps", "--no-index", "-e", str(ROOT))
    except SetupError:
        # pip touches nothing before it has everything, so a refusal (unlike an interruption) leaves what was there.
        if before is None:
            STAMP.unlink()
        else:
            STAMP.write_bytes(before)
        raise
    write_stamp(place=place(), digest=digest(), kind=kind)
    say(f"- done in {time.monotonic() - started:.0f} s")
    say()


def make_environment() -> None:
    """A new environment with pip, or none at all."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(f"this Python has no venv with pip (module ensurepip). {how_to_get_venv()}")
    say(f"- making the environment with Python {platform.python_version()}")
    VENV.mkdir(exist_ok=True)
    write_stamp(place=place())
    # The base Python: the one running may be that of the environment just removed.
    base = getattr(sys, "_base_executable", None) or sys.executable
    made = subprocess.run([base, "-I", "-m", "venv", str(VENV)], capture_output=True, text=True, errors="replace")
    if made.returncode != 0 or not PYTHON.exists():
        said = (made.stdout + made.stderr).strip().splitlines()
        shutil.rmtree(VENV, ignore_errors=True)
        if any("ensurepip" in line for line in said):
            raise SetupError(f"this Python cannot make an environment with pip. {how_to_get_venv()}")
        raise SetupError(f"`{base} -m venv` failed: {said[-1] if said else 'it said nothing'}")
    write_stamp(place=place(), digest="empty")


def how_to_get_venv() -> str:
    """The one line to run."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    system = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    if ("debian" in system or "ubuntu" in system) and sys.base_prefix == "/usr":
        return f"Run: sudo apt install python{VERSION}-venv"
    return "Install a Python 3.11 or later that has both (the installers of python.org do), then run this again."


def pip(*arguments: str) -> None:
    """Run the environment's pip: the steps that matter to the screen, everything to the log."""
    environment = {name: value for name, value in os.environ.items() if name.upper() not in DROPPED_VARIABLES}
    environment["PIP_USER"] = "0"  # a user's setting for elsewhere; inside an environment it is an error
    environment.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    environment["PYTHONIOENCODING"] = "utf-8"
    command = [str(PYTHON), "-I", "-m", "pip", *arguments, "--no-input", "--progress-bar", "off"]
    output = []
    with (
        LOG.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                output.append(line.strip())
                words = line.split()
                if line.startswith("Collecting "):
                    say(f"  {words[1].replace('==', ' ')}")
                elif line.startswith("Processing ") and words[1].endswith(".whl"):  # a file of a mirror on this machine
                    say(f"  {' '.join(Path(words[1]).name.split('-')[:2])}")
                elif line.startswith("Installing collected packages") and "," in line:
                    say("  unpacking")
                elif "Retrying (Retry(" in line and not any("Retrying (Retry(" in earlier for earlier in output[:-1]):
                    say("  the package index does not answer; trying again")
        except BaseException:
            process.kill()  # an interrupted set-up leaves no pip behind that goes on writing
            raise
    if process.returncode != 0:
        raise SetupError(why_pip_failed(output))


def why_pip_failed(output: Sequence[str]) -> str:
    """One line: what happened, what to do, where pip's own words are."""
    rest = f" All that pip said: {LOG}"
    index = next((line.partition(":")[2].strip() for line in output if line.startswith("Looking in indexes:")), "")
    index = f"the package index {index}" if index else "pip's default package index"  # pip has masked a password
    if any(sign in line for line in output for sign in NO_ANSWER):
        return (
            f"packages could not be fetched: no answer from {index}. "
            f"Connect to the network, or set PIP_INDEX_URL to a mirror, then run this again.{rest}"
        )
    if any("DO NOT MATCH THE HASHES" in line for line in output):
        return f"a package from {index} is not the one that requirements.lock names (other hash).{rest}"
    missing = next((line for line in output if "No matching distribution found" in line), "")
    if missing:
        name = missing.rpartition(" for ")[2].split(" ")[0]
        none_at_all = any("(from versions: none)" in line for line in output)
        why = "did not answer, or does not have it" if none_at_all else "has no such file for this system"
        return f"{name} could not be fetched: {index} {why}.{rest}"
    errors = [line for line in output if line.lower().startswith("error")]
    return f"pip failed: {errors[-1] if errors else 'see the log'}.{rest}"


# --- what the two scripts do with it ---------------------------------------------------------------------------


def guarded(kind: str, about: str, work: Callable[[], int]) -> int:
    """Parse the command line, set up, work; one line and status 2 for anything the user can put right."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a cp1252 pipe
    parser = argparse.ArgumentParser(description=about, allow_abbrev=False)
    parser.add_argument("--only-setup", action="store_true", help="make the environment and stop")
    options = parser.parse_args()
    try:
        prepare(kind)
        return 0 if options.only_setup else work()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


def demo(jobs: Sequence[tuple[str, list[str]]], following: Sequence[tuple[str, str]], output: str) -> int:
    """Run each job of tools/demo.py and say what to open and what to type next."""

    def work() -> int:
        started = time.time()
        (ROOT / output).mkdir(exist_ok=True)
        command = SCRIPTS / ("wfp-udp.exe" if os.name == "nt" else "wfp-udp")
        typed = shown(command).removesuffix(".exe")
        failed = []
        for what, arguments in jobs:
            say(f"== {what}: {typed} {' '.join(arguments)}")
            if subprocess.run([command, *arguments], cwd=ROOT).returncode != 0:
                failed.append(what)
        say()
        # Not those of an earlier run: a picture that was not drawn today is not shown as today's.
        drawn = sorted(p for p in (ROOT / output).iterdir() if p.stat().st_mtime >= started - 2)
        if drawn:
            say(f"Open in a browser ({ROOT}):")
            for path in drawn:
                say(f"  {shown(path)}")
        say("Type next:")
        for arguments_text, what in following:
            say(f"  {typed} {arguments_text:<20}  {what}")
        if failed:
            say()
            print(f"error: {len(failed)} of {len(jobs)} jobs failed: {'; '.join(failed)}.", file=sys.stderr)
        return 1 if failed else 0

    return guarded("demo", "Set up .venv, explain a recorded log, draw the pictures.", work)


def check(steps: Sequence[tuple[str, list[str]]]) -> int:
    """Run each step of tools/test.py, then say what failed, what was skipped, and the count."""

    def work() -> int:
        junit = VENV / "pytest-report.xml"
        junit.unlink(missing_ok=True)
        results = []
        for name, arguments in steps:
            words = [word.format(junit=junit) for word in arguments]
            say(f"== {name}: python {' '.join(arguments).format(junit=shown(junit))}")
            started = time.monotonic()
            status = subprocess.run([PYTHON, *words], cwd=ROOT).returncode
            results.append((name, status, time.monotonic() - started))
            say()
        say("== summary")
        for name, status, seconds in results:
            say(f"{name:<16} {'ok' if status == 0 else f'FAILED (exit {status})'}  {seconds:.1f} s")
        report(junit)
        return 0 if all(status == 0 for _, status, _ in results) else 1

    return guarded("test", "Set up .venv with the check tools and run every check.", work)


def report(junit: Path) -> None:
    """List the checks that were skipped, and end with the count."""
    passed = failed = 0
    skipped: dict[str, list[str]] = {"skipped": [], "known gap": []}
    try:
        cases = list(ElementTree.parse(junit).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        say("pytest left no report")
        return
    for case in cases:
        mark = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif mark is None:
            passed += 1
        else:
            kind = "known gap" if mark.get("type") == "pytest.xfail" else "skipped"
            why = " ".join(str(mark.get("message")).split())
            skipped[kind].append(f"{case.get('classname')}::{case.get('name')}: {why}")
    for kind, lines in skipped.items():
        for line in lines:
            say(f"{kind}: {line}")
    if not skipped["skipped"]:
        say("no check was skipped")
    say(f"{passed} passed, {failed} failed, {len(skipped['skipped'])} skipped")
