"""Write diagrams/pages/real-cases.md from tests/data/cases/cases.toml and the real output of the commands.

    python tools/real_cases.py            # print the page
    python tools/real_cases.py --write    # write it

Of each output the lines that answer the question are shown, with `...` for the others. tests/test_cases.py compares
them with the real ones in its own process: as examples of tools/examples.py they would each start an interpreter.
"""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from examples import LEFT_OUT, TOP, fits, real_output

CASES = TOP / "tests" / "data" / "cases"
PAGE = TOP / "diagrams" / "pages" / "real-cases.md"
FENCE = "```shell-session"
TELLING = ("outcome:", "application:", "remote:", "The application sees:", "The remote sees:", "blocked at:")
HEAD = """# Real cases

Problems that people have had with UDP on the platform, as public trackers tell them, each with its known answer. The
policies are small and lie in `tests/data/cases`; the answers are computed, and tests compare them with what is known.
Outputs are shortened to the lines that answer (`...`); every command prints the whole way with all filters.
"""


def cases() -> list[dict[str, Any]]:
    """The cases in the order of the file."""
    return list(tomllib.loads((CASES / "cases.toml").read_text(encoding="utf-8"))["case"])


def command_of(question: dict[str, Any]) -> str:
    """The command as it is typed at the top of the checkout."""
    return str(question["command"]).replace("CASES/", "tests/data/cases/")


def source_text(source: str) -> str:
    """`owner/name#1` and `owner/name PR #1` as links; anything else as it is."""
    place, _, number = source.replace(" PR #", "#").partition("#")
    if "/" not in place or not number.isdigit():
        return source
    return f"[{source}](https://github.com/{place}/{'pull' if ' PR #' in source else 'issues'}/{number})"


def prose(text: str) -> str:
    """Text in lines of the width of the other pages; a link is not broken."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def block_after(real: list[str], heading: str) -> set[int]:
    """The numbers of a heading's line and of the indented lines under it."""
    found = {n for n, line in enumerate(real) if line.startswith(heading)}
    for number in sorted(found):
        while number + 1 < len(real) and real[number + 1].startswith(" "):
            number += 1
            found.add(number)
    return found


def deciding_lines(real: list[str]) -> set[int]:
    """The numbers of the lines of every layer that has filters: `  3. NAME (id)  verdict` and what is under it."""
    found: set[int] = set()
    for number, line in enumerate(real):
        if re.match(r"  \d+\. ", line) and number + 1 < len(real) and real[number + 1].strip() != "no filter here":
            found.add(number)
            while number + 1 < len(real) and real[number + 1].startswith("      "):
                number += 1
                found.add(number)
    return found


def telling_lines(command: str) -> list[str]:
    """The first line of an output and those that answer, with `...` for what is left out."""
    real = real_output(command)
    verb = command.split()[1]
    if verb == "explain":
        kept = set(range(min(len(real), next((n for n, line in enumerate(real) if n > 2 and not line), 12))))
    else:
        kept = {0} | {n for n, line in enumerate(real) if line.startswith(TELLING)}
    if verb == "run":
        kept |= {n for n, line in enumerate(real) if "_V4 " in line or line.startswith(("bind,", "connect,", "sendto"))}
    if verb == "lint":
        kept |= set(range(len(real) - 1))  # all but the count of rules at the end
    if verb == "whatif":
        kept |= deciding_lines(real) | block_after(real, "Open, and it matters")
    shown: list[str] = []
    for number, line in enumerate(real):
        if number in kept:
            shown.append(line)
        elif not shown or shown[-1] != LEFT_OUT:
            shown.append(LEFT_OUT)
    return shown if fits(shown, real) else real


def page(output_of: Callable[[str], list[str]] = telling_lines) -> str:
    """The page as Markdown."""
    lines = [HEAD]
    for case in cases():
        lines += [f"## {case['number']}. {case['title']}", "", prose(case["symptom"]), ""]
        for question in case["question"]:
            if "waiting" in question:
                continue
            lines += [prose(f"**{question['asked']}** {question['answer']}"), ""]
            command = command_of(question)
            lines += [FENCE, f"$ {command}", *output_of(command), "```", ""]
        sources = ", ".join(source_text(source) for source in case["sources"])
        lines += [prose(f"Source: {sources}."), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Print or write the page."""
    text = page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
