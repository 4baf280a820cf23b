"""`wfp-udp rules` and `wfp-udp sources`: every row and every dispute is printed, found by its names, and counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from click.testing import CliRunner

from fsm import catalogue
from fsm.choices import CHOICES, configure
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.names import DONE, EVIDENCE, IDLE, IP_VERSIONS, WINDOWS
from fsm.rows import Row
from fsm.rule_text import find_rules
from fsm.rules import RULES
from fsm.sources import SOURCES
from fsm.stimuli import POSITIONS, STIMULI, VIEWS
from fsm.table import NO_ROW, compile_table, rows_of

RULE_KEYS = [
    *("rule", "scope", "at", "event", "when", "next", "sets", "layer", "ip", "since", "until", "choices"),
    *("operations", "flags", "discard", "outcome", "application_sees", "remote_sees", "logged"),
    *("basis", "cite", "note"),
]


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def told(*arguments: str) -> dict[str, Any]:
    got: dict[str, Any] = json.loads(printed(*arguments, "--format", "json"))
    return got


def keys(*arguments: str) -> list[str]:
    return [rule["rule"] for rule in told("rules", *arguments)["rules"]]


@pytest.fixture
def refused(wfp: Any) -> Any:
    """Run the command in this process and return its one line of error; exit status 2 is asserted."""

    def run(*arguments: str) -> str:
        status, out, err = wfp(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("error: ") and err.count("\n") == 1
        return str(err)

    return run


# --- every row once

ROW_LINE = re.compile(r"^  (?P<event>\w+)(?: (?P<layer>[A-Z_]+))? -> (?P<to>.+?)   \[(?P<basis>\w+): (?P<cite>.+)\]$")


def test_the_text_has_one_line_for_each_row_with_its_basis_and_sources() -> None:
    found, at = [], ""
    for line in printed("rules").splitlines():
        if head := re.match(r"^([a-z_.0-9]+): ", line):
            at = head[1]
        if row := ROW_LINE.match(line):
            found.append((at, row["event"], row["layer"] or None, row["to"].split(",")[0], row["basis"], row["cite"]))
    expected = [(r.at, r.event, r.layer, r.next, str(r.basis), ", ".join(r.cite)) for r in RULES]
    assert Counter(found) == Counter(expected)
    assert len(found) == len(RULES)


def test_the_text_groups_rows_by_position_with_its_meaning_and_counts_them_by_basis() -> None:
    text = printed("rules")
    for at in dict.fromkeys(row.at for row in RULES):
        meaning = "nothing in progress" if at == IDLE else POSITIONS[at].text
        assert text.count(f"{at}: {meaning}\n") == 1
    last = text.splitlines()[-1]
    assert last.startswith(f"{len(RULES)} rules: ")
    for basis, count in Counter(str(row.basis) for row in RULES).items():
        assert f"{count} {basis}" in last


def test_the_text_prints_everything_that_a_row_says() -> None:
    for row in (RULES[0], *(max(RULES, key=lambda r: len(getattr(r, name))) for name in ("note", "ops", "flags"))):
        text = printed("rules", row.key)
        for said in (row.note, row.application_sees, row.remote_sees, row.outcome, *row.cite, *row.flags, *row.ops):
            assert said in text
        for name, values in (*row.when, *row.choices):
            assert name in text and "|".join(values) in text


def test_the_json_has_every_row_once_with_all_columns() -> None:
    got = told("rules")
    assert got["count"] == len(got["rules"]) == len(RULES)
    assert [rule["rule"] for rule in got["rules"]] == [row.key for row in RULES]
    assert len({rule["rule"] for rule in got["rules"]}) == len(RULES)
    for rule, row in zip(got["rules"], RULES, strict=True):
        assert list(rule) == RULE_KEYS
        assert (rule["at"], rule["event"], rule["next"], rule["layer"]) == (row.at, row.event, row.next, row.layer)
        assert rule["when"] == {name: list(values) for name, values in row.when}
        assert rule["choices"] == {name: list(options) for name, options in row.choices}
        assert rule["sets"] == dict(row.sets) and rule["ip"] == (row.ip or None)
        assert (rule["since"], rule["until"]) == (row.since, row.until or None)
        assert (rule["operations"], rule["flags"], rule["logged"]) == (list(row.ops), list(row.flags), list(row.logged))
        assert (rule["basis"], rule["cite"], rule["note"]) == (row.basis, list(row.cite), row.note)
        assert (rule["discard"] or {}).get("reason") == (row.discard.reason if row.discard else None)
        assert rule["basis"] in ("documented", "observed", "inferred") and rule["cite"]


def test_the_markdown_is_one_table_with_every_row_once_and_its_sources_linked() -> None:
    lines = printed("rules", "--format", "md").rstrip("\n").splitlines()
    assert len(lines) == 2 + len(RULES)
    columns = [len(re.split(r"(?<!\\)\|", line)) for line in lines]
    assert len(set(columns)) == 1, "a cell breaks the table"
    for line, row in zip(lines[2:], RULES, strict=True):
        key = row.key.replace("|", "\\|")
        assert line.startswith(f"| `{key}` |") and f"| {row.basis} |" in line
        for cite in row.cite:
            assert (f"[{cite}]({SOURCES[cite].url})" if SOURCES[cite].url else cite) in line


@pytest.mark.parametrize("arguments", [("rules",), ("rules", "--format", "md"), ("sources",)], ids=" ".join)
def test_what_is_printed_is_ascii(arguments: tuple[str, ...]) -> None:
    assert printed(*arguments).isascii()


@pytest.mark.parametrize("arguments", [("rules",), ("rules", "--format", "md"), ("sources",)], ids=" ".join)
def test_a_cp1252_pipe_gets_it(arguments: tuple[str, ...]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "fsm", *arguments], capture_output=True, env=environment, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"") and len(done.stdout) > 1000


# --- filters


def rows_with(test: Any) -> list[str]:
    return [row.key for row in RULES if test(row)]


@pytest.mark.parametrize(
    "spelling",
    [
        *("ALE_AUTH_CONNECT", "AUTH_CONNECT", "auth_connect", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "48", "50"),
        *("ale_auth_connect_v6", " AUTH_CONNECT ", "%%14611"),
    ],
)
def test_a_layer_is_found_in_any_spelling(spelling: str) -> None:
    found = set(keys(spelling))
    expected = set(rows_with(lambda row: row.layer == "ALE_AUTH_CONNECT"))
    assert expected <= found
    # A spelling that could mean the discard twin as well may find that too, and nothing else.
    twin = set(rows_with(lambda row: row.layer == "ALE_AUTH_CONNECT_DISCARD"))
    assert found - expected <= twin


@pytest.mark.parametrize("layer", sorted({row.layer for row in RULES if row.layer}))
def test_each_layer_finds_its_rows_and_no_others(layer: str) -> None:
    expected = rows_with(lambda row: row.layer == layer)
    found = catalogue.layer_of(layer, 4)
    assert keys(layer) == keys(found.fwpm_name) == keys(found.fwpm_name.lower()) == expected


@pytest.mark.parametrize("layer", sorted({row.layer for row in RULES if row.layer}))
def test_each_layer_is_found_without_ale_and_by_its_run_time_ids(layer: str) -> None:
    """Texts about WFP name layers so: `BIND_REDIRECT (68/69)`."""
    expected = rows_with(lambda row: row.layer == layer)
    given = [layer.removeprefix("ALE_"), *(str(catalogue.layer_of(layer, ip).runtime_id) for ip in IP_VERSIONS)]
    # A short name may mean the discard twin too: it finds no less than its own rows.
    assert [word for word in given if not set(expected) <= set(keys(word))] == []


@pytest.mark.parametrize("stimulus", STIMULI)
def test_each_stimulus_finds_its_rows(stimulus: str) -> None:
    expected = rows_with(lambda row: row.event == stimulus)
    assert expected and set(expected) <= set(keys(stimulus))


@pytest.mark.parametrize("position", POSITIONS)
def test_each_position_finds_the_rows_that_stand_there_or_lead_there(position: str) -> None:
    assert keys(position) == rows_with(lambda row: position in (row.at, row.next))


@pytest.mark.parametrize("source", sorted({key for row in RULES for key in row.cite}))
def test_each_cited_source_finds_its_rows(source: str) -> None:
    assert set(rows_with(lambda row: source in row.cite)) <= set(keys(source))
    assert keys(source.lower()) == keys(source)


@pytest.mark.parametrize("basis", ["documented", "observed", "inferred"])
def test_each_basis_finds_its_rows(basis: str) -> None:
    expected = rows_with(lambda row: row.basis == basis)
    found = keys(basis)
    # INFERRED is a source too, in another case.
    also = rows_with(lambda row: basis == "inferred" and "INFERRED" in row.cite)
    assert set(found) == set(expected) | set(also) and len(found) == len(set(found))


@pytest.mark.parametrize("choice", CHOICES)
def test_each_dispute_and_setting_finds_the_rows_that_depend_on_it_or_says_that_flags_do(choice: str) -> None:
    """`wfp-udp sources` promises it: `wfp-udp rules NAME lists the rules that depend on it`."""
    expected = rows_with(lambda row: choice in dict(row.choices))
    done = CliRunner().invoke(cli, ["rules", choice, "--format", "json"])
    if expected:
        stimuli = rows_with(lambda row: row.event == choice)  # `close` is both
        found = [rule["rule"] for rule in json.loads(done.stdout)["rules"]]
        assert set(found) == {*expected, *stimuli} and len(found) == len(set(found))
    else:
        said = done.output + str(done.exception or "")
        assert f"Did you mean '{choice}'" not in said, "it proposes what was asked for"
        assert ("about the filters" if CHOICES[choice].about == "filters" else "flag") in said


@pytest.mark.parametrize("view", VIEWS)
def test_each_endpoint_finds_the_rows_of_its_scopes(view: str) -> None:
    assert keys(view) == rows_with(lambda row: row.scope in VIEWS[view].scopes)
    assert keys(view.replace("_", "-").upper()) == keys(view)


@pytest.mark.parametrize("word", ["pend", "create_flow", "IS_REAUTHORIZE", "InetDiscardConnectedPath", "OUT_STALE"])
def test_verdicts_operations_flags_reasons_and_register_values_find_rows(word: str) -> None:
    found = find_rules(word)
    assert found and len(found) < len(RULES)

    def has(row: Row) -> bool:
        values = {value for _, allowed in row.when for value in allowed}
        reason = {row.discard.reason} if row.discard else set()
        return word in {row.event, *row.ops, *row.flags, *values, *reason}

    assert found == tuple(row for row in RULES if has(row))


def test_the_key_of_a_row_finds_that_row() -> None:
    for row in RULES:
        assert row in find_rules(row.key) and row in find_rules(row.key.upper())
        assert find_rules(row.key)[0] == row or row.key in find_rules(row.key)[0].key


def test_part_of_a_key_finds_rows() -> None:
    assert keys("send.authorize.permit") == rows_with(lambda row: row.key.startswith("send.authorize.permit"))
    assert keys("receive.accept.permit[flow=NONE]") == ["receive.accept.permit[flow=NONE]"]


def test_several_words_are_one_filter(refused: Any) -> None:
    assert "send authorize" in refused("rules", "send", "authorize")


def test_an_empty_filter_is_no_filter() -> None:
    assert keys("") == keys("  ") == keys() == [row.key for row in RULES]


UNKNOWN = [  # given | what is proposed
    ("AUTH_CONECT", "ALE_AUTH_CONNECT"),
    ("sedto", "sendto"),
    ("send.authorise", "send.authorize"),
    ("no_listner", "no_listener"),
    ("UDPFF", "UDPF"),
    ("dropped_prt", "dropped_port"),
    ("multicast_reauthorisation", "multicast_reauthorization"),
    ("IPFORWARD", "no rule visits IPFORWARD"),
    ("STREAM", "no rule visits"),
    ("FWPM_LAYER_ALE_AUTH_LISTEN_V4", "no rule visits ALE_AUTH_LISTEN"),
    ("documentd", "documented"),
    ("IS_REAUTHORISE", "IS_REAUTHORIZE"),
]


@pytest.mark.parametrize(("given", "proposed"), UNKNOWN)
def test_an_unknown_filter_proposes_the_nearest_and_exits_with_2(refused: Any, given: str, proposed: str) -> None:
    error = refused("rules", given)
    assert proposed in error
    for form in ("json", "md"):
        assert refused("rules", given, "--format", form) == error


@pytest.mark.parametrize("given", ["zzzzzz", "\N{RIGHTWARDS ARROW}", "99999", "\x1b[31m", "x" * 5000])
def test_a_filter_like_nothing_is_refused_in_one_clean_line(refused: Any, given: str) -> None:
    error = refused("rules", given)
    assert "\x1b" not in error and len(error) < 1500


def test_a_filter_never_proposes_what_was_asked_for(refused: Any) -> None:
    """Every name that the error could propose must itself be a filter, or the proposal is of no use."""
    known = [*VIEWS, *STIMULI, *POSITIONS, *CHOICES, *{key for row in RULES for key in row.cite}]
    useless = []
    for name in known:
        try:
            find_rules(name)
        except UnknownName as error:
            if f"'{name}'?" in str(error) or f"'{name}' or" in str(error):
                useless.append(name)
    assert not useless


# --- options


def active(**options: Any) -> list[str]:
    config = configure(**options)
    chosen = {name: config.choice(name) for name in CHOICES}
    return rows_with(
        lambda row: row.on_windows(config.windows) and all(chosen[n] in options for n, options in row.choices)
    )


def test_active_keeps_the_rows_that_stand_in_the_configuration() -> None:
    assert keys("--active") == active()
    assert keys("--active", "--windows", "vista") == active(windows="vista")
    assert keys("--active", "--evidence", "observed") == active(evidence="observed")
    assert keys("--active", "--assume", "dual_stack=yes") == active(assume={"dual_stack": "yes"})
    assert len(active(windows="vista")) < len(active()) < len(RULES)
    assert set(keys("--active")) == {row.key for view in VIEWS.values() for row in rows_of(view, configure())}


def test_active_and_a_filter_both_hold() -> None:
    expected = [key for key in keys("ALE_BIND_REDIRECT") if key in set(active())]
    assert keys("ALE_BIND_REDIRECT", "--active") == expected != []
    assert keys("ALE_BIND_REDIRECT", "--active", "--windows", "vista") == []


def test_without_active_the_options_change_no_rows() -> None:
    assert keys("--windows", "vista", "--assume", "close=closure_release") == keys()


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (("rules", "--windows", "xp"), "xp"),
        (("rules", "--evidence", "bas"), "base"),
        (("rules", "--assume", "close=nothin"), "nothing"),
        (("rules", "--ip", "5"), "5"),
        (("rules", "--format", "xml"), "xml"),
        (("sources", "--format", "md"), "md"),
        (("sources", "--assume", "clos=nothing"), "close"),
        (("sources", "extra"), "extra"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_status_2(refused: Any, arguments: tuple[str, ...], mention: str) -> None:
    assert mention in refused(*arguments)


# --- counts


def counted(endpoint: str, **options: Any) -> tuple[int, int, int]:
    table = compile_table(endpoint, configure(**options))
    edges = sum(len(table.moves(state)) for state in range(len(table.states)))
    return len(table.rows), len(table.states), edges


def test_the_counts_of_one_configuration_are_those_of_its_tables() -> None:
    for arguments, options in (
        ((), {}),
        (("--ip", "6", "--windows", "7"), {"ip": 6, "windows": "7"}),
        (("--assume", "dual_stack=yes"), {"assume": {"dual_stack": "yes"}}),
    ):
        counts = told("rules", *arguments)["counts"]
        assert [c["endpoint"] for c in counts] == list(VIEWS)
        for count in counts:
            assert (count["rows"], count["states"], count["edges"]) == counted(count["endpoint"], **options)
            assert count["assume"] == options.get("assume", {})


def test_the_counts_of_all_configurations_are_those_of_their_tables() -> None:
    counts = told("rules", "--configurations")["counts"]
    found = [(c["endpoint"], c["ip"], c["windows"], c["evidence"]) for c in counts]
    assert len(found) == len(set(found)) == len(VIEWS) * len(IP_VERSIONS) * len(WINDOWS) * len(EVIDENCE)
    for count in counts:
        table = compile_table(
            count["endpoint"], configure(ip=count["ip"], windows=count["windows"], evidence=count["evidence"])
        )
        edges = sum(target != NO_ROW for targets in table._next for target in targets)
        assert (count["rows"], count["states"], count["edges"]) == (len(table.rows), len(table.states), edges)
        assert count["assume"] == {}


def test_a_filter_changes_the_rows_and_not_the_counts_of_the_machine() -> None:
    filtered = told("rules", "AUTH_CONNECT")
    assert filtered["counts"] == told("rules")["counts"]
    assert filtered["count"] == len(filtered["rules"]) < len(RULES)


def test_configurations_without_json_say_so_or_are_counted() -> None:
    """The help says `JSON:`; the option must not be swallowed without a word elsewhere."""
    done = CliRunner().invoke(cli, ["rules", "--configurations"])
    assert (
        isinstance(done.exception, FsmError)
        or "sender" in done.output.splitlines()[-1]
        or "--format json" in done.output
    )


# --- sources


def test_sources_print_every_choice_with_its_options_and_what_each_order_takes() -> None:
    text = printed("sources")
    for choice in CHOICES.values():
        assert text.count(f"{choice.name}: {choice.question}\n") == 1
        block = text.split(f"{choice.name}: {choice.question}\n")[1].split("\n\n")[0].splitlines()
        assert len(block) == len(choice.options)
        for line, option in zip(block, choice.options, strict=True):
            assert option.name in line.split() and option.text in line and f"[{', '.join(option.cite)}]" in line
            taken = [evidence for evidence in EVIDENCE if choice.default(evidence) == option.name]
            if choice.kind == "dispute":
                assert line.endswith(f"taken by: {', '.join(taken)}") if taken else "taken by" not in line
            assert line.startswith("  * ") == (choice.default("base") == option.name)


def test_sources_keep_disputes_and_settings_apart() -> None:
    disputes, _, settings = printed("sources").partition("Settings of the machine (not disputed)")
    for choice in CHOICES.values():
        assert f"{choice.name}: " in (disputes if choice.kind == "dispute" else settings)
        assert f"\n{choice.name}: " not in (settings if choice.kind == "dispute" else disputes)


def test_sources_mark_what_the_options_choose() -> None:
    text = printed("sources", "--evidence", "observed", "--assume", "close=nothing")
    assert "  * transport " in text and "  * nothing " in text and "  * per_request " in text


def test_every_source_that_is_cited_is_listed_with_its_title_and_address() -> None:
    text = printed("sources")
    cited = {key for row in RULES for key in row.cite}
    cited |= {key for choice in CHOICES.values() for option in choice.options for key in option.cite}
    for key in cited:
        assert re.search(rf"^  {re.escape(key)} +{re.escape(SOURCES[key].title)}$", text, re.MULTILINE), key
        assert SOURCES[key].url in text


def test_the_json_of_sources_has_every_choice_and_source() -> None:
    got = told("sources", "--evidence", "observed", "--assume", "no_listener=both")
    assert [entry["name"] for entry in got["choices"]] == list(CHOICES)
    assert {source["key"] for source in got["sources"]} == set(SOURCES)
    config = configure(evidence="observed", assume={"no_listener": "both"})
    for entry in got["choices"]:
        choice = CHOICES[entry["name"]]
        assert (entry["kind"], entry["question"]) == (choice.kind, choice.question)
        assert entry["chosen"] == config.choice(choice.name)
        assert entry["by_evidence"] == {evidence: choice.default(evidence) for evidence in EVIDENCE}
        assert [o["option"] for o in entry["options"]] == list(choice.option_names())
        assert entry["rules"] == rows_with(lambda row, name=choice.name: name in dict(row.choices))


# --- the rows themselves


def test_every_row_leads_to_a_position_that_has_rows() -> None:
    at = {row.at for row in RULES}
    for row in RULES:
        assert row.next == DONE or row.next in at, row.key


def test_every_source_of_a_row_is_known_and_inferred_rows_say_why() -> None:
    """The source INFERRED says that the row's note gives the reason."""
    for row in RULES:
        assert set(row.cite) <= set(SOURCES), row.key
    silent = [row.key for row in RULES if row.cite == ("INFERRED",) and not row.note]
    assert silent == []
