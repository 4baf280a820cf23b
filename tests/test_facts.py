"""The index of facts: whatever is cited is in it, whatever is in it is cited, and the page shows it."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fsm.cli import cli, main
from fsm.errors import UnknownName
from fsm.explain.statements import STATEMENTS
from fsm.fact_text import fact_json, fact_line, facts_text, page
from fsm.facts import FACTS, PARTS, Fact, find, rows_of
from fsm.names import Basis
from fsm.sources import SOURCES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "diagrams" / "pages" / "facts.md"
# The index does not cite itself, and what is cited here to test the index proves nothing.
INDEX = (ROOT / "fsm" / "facts.py", ROOT / "fsm" / "fact_text.py", Path(__file__).resolve())
ROW = r"/\w+(?:[.-]\w+)*"
CITED = re.compile(rf"(?<![\w./:%-])(?:[a-g](?:\.\d+)+(?:{ROW})?|[cf]{ROW})(?!\w)")


@cache
def citations() -> dict[str, list[str]]:
    """Number to the places that cite it, in code, tests and data."""
    found = defaultdict(list)
    files = [*(ROOT / "fsm").rglob("*.py"), *(ROOT / "fsm").rglob("*.csv"), *(ROOT / "tests").glob("*.py")]
    for path in sorted({*files} - {*INDEX}):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for cited in CITED.findall(line):
                found[cited].append(f"{path.relative_to(ROOT).as_posix()}:{number}")
    return found


def wfp(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_every_number_that_is_cited_is_a_fact() -> None:
    assert {number: places for number, places in citations().items() if number not in FACTS} == {}
    assert len(citations()) > 150 and sum(map(len, citations().values())) > 900


def test_every_fact_is_cited_or_says_why_the_model_leaves_it_out() -> None:
    """A row is cited with its fact; the rows of a whole part have no other, and are cited by name."""
    silent = [
        fact.number
        for fact in FACTS.values()
        if not fact.left_out and not {fact.number, fact.number.partition("/")[0]} & {*citations()}
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("facts a.9.2, b.4/AUTH_CONNECT and g.14; f/8.1.", ["a.9.2", "b.4/AUTH_CONNECT", "g.14", "f/8.1"]),
        ('"a.11.3 ii", (fact e.1/ends), a.2 to a.15', ["a.11.3", "e.1/ends", "a.2", "a.15"]),
        ("data.1, x.a.1, /a.1, h.2, a.1x, v4.2, %a.1, e.g. one", []),
    ],
)
def test_a_citation_is_told_from_other_words(text: str, numbers: list[str]) -> None:
    assert CITED.findall(text) == numbers


@pytest.mark.parametrize("fact", FACTS.values(), ids=list(FACTS))
def test_a_fact_is_one_line_with_marks_and_known_sources(fact: Fact) -> None:
    assert fact.text == fact.text.strip() and fact.text.isascii() and "\n" not in fact.text
    assert 10 < len(fact.text) < 200 and not fact.text.endswith(".")
    assert fact.cite and len(set(fact.cite)) == len(fact.cite) and set(fact.cite) <= set(SOURCES)
    assert all(SOURCES[key].url for key in fact.cite)
    assert fact.basis and list(fact.basis) == [basis for basis in Basis if basis in fact.basis]
    # Whoever reads a line with several marks must see what of it is inferred.
    if Basis.INFERRED in fact.basis and len(fact.basis) > 1 and fact.number not in HEADLINES:
        assert "inferred" in fact.text
    assert ("inferred" in fact.text) <= (Basis.INFERRED in fact.basis)


# What stands over a group: its marks are those of the group, and the lines below say which part is inferred.
HEADLINES = {number for number in FACTS if any(other.startswith(f"{number}.") for other in FACTS)}


def test_numbers_that_a_line_refers_to_are_facts() -> None:
    for fact in FACTS.values():
        assert set(CITED.findall(fact.text)) <= set(FACTS), fact.number


def test_each_fact_belongs_to_a_part_and_each_row_to_a_fact() -> None:
    assert len(FACTS) > 200
    for number in FACTS:
        base = number.partition("/")[0]
        assert number[0] in PARTS
        assert base in PARTS or base in FACTS, number


def test_facts_stand_in_the_order_of_their_numbers() -> None:
    def place(number: str) -> tuple[str, list[int]]:
        base = number.partition("/")[0]
        return base[0], [int(part) for part in base.split(".")[1:]]

    for letter in PARTS:
        plain = [number for number in FACTS if number[0] == letter and "/" not in number]
        assert plain == sorted(plain, key=place)
    assert [number[0] for number in FACTS] == sorted(number[0] for number in FACTS)


def test_both_sides_of_a_disagreement_are_there() -> None:
    one_question = {"g.5", "g.22"}
    for number, fact in FACTS.items():
        if number.startswith("g.") and number not in one_question:
            assert re.match(r"A \([^)]+\): .+\. B(?: \(.+\))?: .+\.? ", fact.text), number


def test_statements_about_records_name_facts() -> None:
    for statement in STATEMENTS.values():
        assert statement.facts and set(statement.facts) <= {*FACTS, *PARTS}, statement.name


@pytest.mark.parametrize("folder", ["fsm", "tests", "tools", "diagrams"])
def test_nothing_points_to_a_paper_that_a_reader_has_not(folder: str) -> None:
    unknown = re.compile(r"\bFACTS? [a-g]\b|\bFACTS'|[Ff]act ?sheet|\b(?:DESIGN|STYLE) \d|README trap|evidence README")
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".py", ".csv", ".md", ".toml", ".json") and path != Path(__file__).resolve():
            assert not unknown.search(path.read_text(encoding="utf-8")), path


# ---- what is printed


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it: python tools/facts_page.py"


def test_the_page_has_every_fact_with_its_sources_and_what_is_left_out() -> None:
    text = page()
    rows = dict(re.findall(r'^\| <a id="([^"]+)"></a>(.*)$', text, re.MULTILINE))
    defined = dict(re.findall(r"^\[([^\]]+)\]: (\S+) ", text, re.MULTILINE))
    assert list(rows) == list(FACTS)
    last = text.partition("## What the model leaves out")[2]
    for number, fact in FACTS.items():
        assert rows[number].startswith(f"{number} | ") and rows[number].count(" | ") == 3, number
        assert all(f"[{key}]" in rows[number] and defined[key] == SOURCES[key].url for key in fact.cite)
        assert (f"[{number}](#{number})" in last) == bool(fact.left_out) == ("Not in the model" in rows[number])


def test_a_fact_on_one_line() -> None:
    assert fact_line("b.4.2") == (
        "b.4.2  5157 comes with the audit subcategory Connection, 5152 and 5153 with Packet Drop, each without regard "
        "to the other [documented: AUD]"
    )
    assert fact_line("b") == "b  part b: Verdicts, arbitration, and what a block brings about"


def test_plain_values_have_the_same_keys() -> None:
    assert {tuple(fact_json(number)) for number in (*FACTS, *PARTS)} == {("fact", "text", "basis", "cite", "left_out")}
    assert fact_json("c/etw")["left_out"] and fact_json("a.9.7")["basis"] == ["documented", "observed"]


def test_a_number_finds_its_rows_and_a_letter_its_part() -> None:
    assert [fact.number for fact in find(["e.2", "a.9.2", "e.2"])] == [
        *("e.2", "e.2/flags", "e.2/ring", "e.2/direction"),
        "a.9.2",
    ]
    assert [fact.number for fact in find(["a.1"])] == ["a.1"]
    assert {fact.number[0] for fact in find(["f"])} == {"f"} and find(["f"]) == rows_of("f")
    with pytest.raises(UnknownName, match=r"sources: no fact named 'a\.99'\. Did you mean 'a\.9\.9'"):
        find(["a.99"])


def test_the_command_prints_facts_and_their_sources() -> None:
    result = wfp("sources", "a.9.2", "a.20")
    assert result.exit_code == 0 and result.stdout.isascii()
    assert max(map(len, result.stdout.partition("\nSources\n")[0].splitlines())) <= 100
    assert result.stdout == facts_text(find(["a.9.2", "a.20"])) + "\n"
    assert "  not in the model: forwarding" in result.stdout
    for key in ("SECDS", "PCP", "VSW"):
        assert f"  {key} " in result.stdout and SOURCES[key].url in result.stdout
    assert "Where the sources disagree" not in result.stdout


def test_the_command_gives_facts_as_json() -> None:
    told = json.loads(wfp("sources", "g.3", "--format", "json").stdout)
    assert told == {"facts": [fact_json("g.3")]}


def test_an_unknown_fact_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["wfp-udp", "sources", "a.9.22"])
    with pytest.raises(SystemExit) as left:
        main()
    out = capsys.readouterr()
    assert left.value.code == 2 and out.out == "" and out.err.count("\n") == 1
    assert out.err.startswith("error: sources: no fact named 'a.9.22'. Did you mean 'a.9.2'")
