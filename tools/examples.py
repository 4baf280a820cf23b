"""Run the examples of the documents and compare, or rewrite, the output shown there.

    python tools/examples.py            # compare; exit status 1 where an output is not the real one
    python tools/examples.py --write    # put the real output in

An example is a fenced block that begins with ```console: each line `$ wfp-udp ...` or `$ python3 ...` is a command,
the lines after it are its output. A line that is only `...` stands for lines left out: what follows comes later in the
real output, in order. Commands run at the top of the checkout. Blocks fenced with ```sh are not run.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
LEFT_OUT = "..."


@dataclass
class Example:
    """One command of a document, the output shown, and the lines (0-based, end exclusive) where that stands."""

    document: Path
    command: str
    first: int
    shown: list[str] = field(default_factory=list)


def documents() -> list[Path]:
    """The documents with examples, README first."""
    return [TOP / "README.md", *sorted((TOP / "diagrams" / "pages").glob("*.md"))]


def examples_of(document: Path) -> list[Example]:
    """Every example of one document, in order."""
    found: list[Example] = []
    inside = False
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines()):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            found.append(Example(document, line[2:], number + 1))
        elif inside and found:
            found[-1].shown.append(line)
    return found


def real_output(command: str) -> list[str]:
    """What a command prints, standard error included, as lines without trailing blanks."""
    words = shlex.split(command)
    if words[0] == "wfp-udp":
        words = [sys.executable, "-m", "fsm", *words[1:]]
    elif words[0] in ("python3", "python"):
        words = [sys.executable, *words[1:]]
    environment = {**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        words, cwd=TOP, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120
    )
    return [line.rstrip() for line in done.stdout.decode("utf-8", "replace").splitlines()]


def fits(shown: list[str], real: list[str]) -> bool:
    """Whether the shown output is the real one, `...` standing for lines left out."""
    shown = [line.rstrip() for line in shown]
    while shown and not shown[-1]:
        shown = shown[:-1]
    while real and not real[-1]:
        real = real[:-1]
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) == 1:
        return parts[0] == real
    if real[: len(parts[0])] != parts[0]:
        return False
    at = len(parts[0])
    for part in parts[1:]:
        size = len(part)
        at = next((i for i in range(at, len(real) - size + 1) if real[i : i + size] == part), -1)
        if at < 0:
            return False
        at += size
    return parts[-1] == [] or at == len(real) or shown[-1] == LEFT_OUT


def rewrite(document: Path) -> None:
    """Put the real output into a document; what was left out stays out where its surroundings still fit."""
    lines = document.read_text(encoding="utf-8").splitlines()
    for example in reversed(examples_of(document)):
        real = real_output(example.command)
        if not fits(example.shown, real):
            lines[example.first : example.first + len(example.shown)] = real
    document.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main() -> int:
    """Compare or rewrite; the exit status is 1 where an output differs."""
    if "--write" in sys.argv[1:]:
        for document in documents():
            rewrite(document)
        return 0
    wrong = 0
    for document in documents():
        for example in examples_of(document):
            if not fits(example.shown, real_output(example.command)):
                wrong += 1
                print(f"{document.relative_to(TOP)}, line {example.first}: not the real output of: {example.command}")
    print(
        f"{wrong} examples differ; 'python tools/examples.py --write' puts the real output in"
        if wrong
        else "all examples are real"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
