"""The facts as text, as Markdown page and as plain values."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from fsm.facts import FACTS, PARTS, Fact
from fsm.sources import SOURCES

COMMAND = "python tools/facts_page.py"
_WIDTH = 100
_HEAD = "| fact | what | basis | sources |\n|---|---|---|---|"

_INTRODUCTION = f"""\
# Facts

What the rules, the explanations of logs and the arbitration of filters rest on, in one line each. Comments, tests and
reports cite a fact by its number. `wfp-udp sources a.9.2` prints one, `wfp-udp sources b` a whole part.

- *documented*: a page or header of Microsoft's says so; *observed*: a named party saw it (event log, test, driver
  source); *inferred*: concluded here, and the line says of which part. Several marks: the parts of the line differ.
- Layers go without `FWPM_LAYER_`, `ALE_` and version; `A > B` means that A is asked before B; 36/38 are the run-time
  ids for IPv4 and IPv6. What is said holds for both.
- A number behind a slash (`b.4/AUTH_CONNECT`) is a row of the fact. Numbers are names: where one is missing, nothing
  here rests on it.
- Where sources disagree (part g), A and B are the two sides, and what the evidence favours follows. `wfp-udp sources`
  lists those that can be decided with `--assume`.

This page is written by `{COMMAND}` from `fsm/facts.py`; do not edit.
"""


def fact_line(number: str) -> str:
    """One fact, or a whole part by its title, on one line: `a.9.1  The base page: ... [documented: UDPF]`."""
    if number in PARTS:
        return f"{number}  part {number}: {PARTS[number]}"
    fact = FACTS[number]
    return f"{number}  {fact.text} [{_marks(fact)}: {', '.join(fact.cite)}]"


def fact_json(number: str) -> dict[str, object]:
    """One fact, or a whole part by its title, with the same keys for all."""
    if number in PARTS:
        return {"fact": number, "text": PARTS[number], "basis": [], "cite": [], "left_out": ""}
    fact = FACTS[number]
    return {
        "fact": number,
        "text": fact.text,
        "basis": list(map(str, fact.basis)),
        "cite": list(fact.cite),
        "left_out": fact.left_out,
    }


def facts_text(facts: Iterable[Fact]) -> str:
    """Facts for people, with the titles and addresses of what they cite."""
    shown = list(facts)
    lines = []
    for fact in shown:
        lines += _wrapped(fact_line(fact.number), "", "  ")
        if fact.left_out:
            lines += _wrapped(f"not in the model: {fact.left_out}", "  ", "  ")
    lines += ["", "Sources", ""]
    for key in dict.fromkeys(key for fact in shown for key in fact.cite):
        lines += [f"  {key:<21}{SOURCES[key].title}", f"  {'':<21}{SOURCES[key].url}".rstrip()]
    return "\n".join(lines)


def page() -> str:
    """The page of all facts, and of what the model leaves out."""
    lines = [_INTRODUCTION, "Parts: " + ", ".join(f"[{letter} {PARTS[letter]}](#part-{letter})" for letter in PARTS)]
    lines[-1] += "; [what the model leaves out](#what-the-model-leaves-out)."
    for letter, title in PARTS.items():
        mine = [fact for fact in FACTS.values() if fact.number.startswith(letter)]
        lines += ["", f"## Part {letter}", "", f"{title}.", "", _HEAD, *map(_table_row, mine)]
    lines += ["", "## What the model leaves out", "", "Facts that no rule carries, by the reason.", ""]
    reasons: dict[str, list[str]] = {}
    for fact in FACTS.values():
        if fact.left_out:
            reasons.setdefault(fact.left_out, []).append(f"[{fact.number}](#{fact.number})")
    lines += [f"- {reason[0].upper()}{reason[1:]}: {', '.join(links)}." for reason, links in reasons.items()]
    cited = dict.fromkeys(key for fact in FACTS.values() for key in fact.cite)
    lines += ["", *(f'[{key}]: {SOURCES[key].url} "{SOURCES[key].title}"' for key in sorted(cited))]
    return "\n".join(lines) + "\n"


def _table_row(fact: Fact) -> str:
    links = (f"[{key}]" for key in fact.cite)
    text = fact.text.replace("|", "\\|").replace("*", "\\*")
    left_out = f" *Not in the model: {fact.left_out}.*" if fact.left_out else ""
    return f'| <a id="{fact.number}"></a>{fact.number} | {text}.{left_out} | {_marks(fact)} | {", ".join(links)} |'


def _marks(fact: Fact) -> str:
    return ", ".join(map(str, fact.basis))


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
