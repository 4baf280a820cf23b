"""The pages as text: self-contained, small, and their data the same as the model's, read back by other code."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import fsm.page.diagram as diagram_module
from fsm.choices import Config, configure
from fsm.claims import always_before, endpoint, never, observation, reaches
from fsm.claims.finding import Finding
from fsm.claims.subject import of
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.fingerprint import fingerprint
from fsm.names import ENDPOINTS
from fsm.page import TraceEvent, TraceStep, endpoint_page, session_page, trace_page
from fsm.page.finding import finding_page
from fsm.page.packing import packed, script_json
from fsm.page.session_data import session_json
from fsm.page.table_data import table_json
from fsm.rules import RULES
from fsm.session import make_session
from fsm.space import explore
from fsm.stepper.codes import LETTERS
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.walk import Walk
from fsm.table import NO_ROW, compile_table
from fsm.traces.observation import Trace

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "fsm" / "assets"
CONFIGS = (
    Config(),
    configure(ip=6, windows="vista"),
    configure(evidence="documented", assume={"dual_stack": "yes"}),
    configure(evidence="observed", windows="8", assume={"protocol": "icmp_echo"}),
)


@lru_cache(maxsize=16)
def page_of(name: str) -> str:
    if name == "session":
        return session_page(Walk(SessionSystem(make_session())))
    if name == "trace":
        step = TraceStep("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "block", "send.transport.permit", ("IS_LOOPBACK",))
        event = TraceEvent("</script><script>alert(1)</script>", "<img src=x> & <!--", (step,), "12:00", level="bad")
        return trace_page("A <b>trace</b>", [event], summary="one & only")
    return endpoint_page(Walk(EndpointSystem(name)))


PAGES = (*ENDPOINTS, "session", "trace")


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs)
            self.scripts.append((self._script, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)


def data_of(page: str) -> Any:
    (text,) = [text for attrs, text in Elements(page).scripts if attrs.get("type") == "application/json"]
    return json.loads(text)


def numbers(text: str) -> list[int]:
    """The oracle of `packed`: written from its description."""
    size, _, encoded = text.partition(":")
    raw, width = base64.b64decode(encoded), int(size)
    return [int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)]


# ---- self-contained


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_may_connect_to_nothing(name: str) -> None:
    elements = Elements(page_of(name))
    for tag, attributes in elements.tags:
        assert tag not in ("iframe", "object", "embed", "img", "video", "audio", "base"), tag
        assert "src" not in attributes, (tag, attributes)
        for attribute in ("href", "xlink:href"):
            url = attributes.get(attribute)
            assert url is None or url.startswith(("#", "data:")), (tag, url)
        assert not any(attribute.startswith("on") for attribute in attributes), (tag, attributes)
    (policy,) = [a["content"] for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "img-src", "script-src", "base-uri", "form-action"}
    runs = [text for attributes, text in elements.scripts if attributes.get("type") != "application/json"]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in runs]
    assert rules["script-src"] == " ".join(f"'sha256-{one}'" for one in hashes)
    assert len(runs) == 1


@pytest.mark.parametrize("path", sorted(ASSETS.iterdir()), ids=lambda path: path.name)
def test_assets_ask_for_no_network_and_make_no_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(|@import|url\(|\beval\(|new Function|"
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write",
        text,
    )
    assert found == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text) == []
    assert "</script" not in text


@pytest.mark.parametrize(
    ("name", "limit"), [*((name, 600_000) for name in ENDPOINTS), ("session", 2_000_000), ("trace", 600_000)]
)
def test_pages_are_small(name: str, limit: int) -> None:
    assert len(page_of(name).encode()) < limit


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_an_endpoint_of_any_machine_is_small(config: Config) -> None:
    assert len(endpoint_page(Walk(EndpointSystem("sender", config))).encode()) < 600_000


def test_foreign_text_stays_text() -> None:
    page = page_of("trace")
    assert "alert(1)</script>" not in page
    assert "<title>A &lt;b&gt;trace&lt;/b&gt;</title>" in page
    (event,) = data_of(page)["events"]
    assert event["title"] == "</script><script>alert(1)</script>"
    assert event["text"] == "<img src=x> & <!--"


def test_json_in_a_script_has_no_angle_brackets() -> None:
    text = script_json({"a": "</script><!--\u2028&\u00e9"})
    assert not set(text) & set("<>&\u2028")
    assert text.isascii()
    assert json.loads(text) == {"a": "</script><!--\u2028&\u00e9"}


def test_pages_are_the_same_under_any_hash_seed() -> None:
    program = (
        "import hashlib; from fsm.page import *; from fsm.stepper.walk import Walk;"
        "from fsm.stepper.endpoint_system import EndpointSystem; from fsm.stepper.session_system import SessionSystem;"
        "from fsm.session import make_session;"
        "text = endpoint_page(Walk(EndpointSystem('sender'))) + session_page(Walk(SessionSystem(make_session())));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {hashlib.sha256((page_of("sender") + page_of("session")).encode()).hexdigest() + "\n"}


# ---- the data is the model's


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_table_in_a_page_is_the_compiled_table(endpoint: str, config: Config) -> None:
    table = compile_table(endpoint, config)
    data = json.loads(script_json(table_json(table)))
    columns = {name: numbers(text) for name, text in data["states"].items()}
    targets = numbers(data["next"])
    flat, width = iter(numbers(data["registers"])), len(table.view.registers)
    registers = [tuple(data["registerValues"][at][next(flat)] for at in range(width)) for _ in data["names"]]
    assert list(flat) == []
    assert data["events"] == list(table.events)
    assert {len(column) for column in columns.values()} == {len(table.states)}
    at = 0
    for number, state in enumerate(table.states):
        assert registers[columns["registers"][number]] == state.registers
        assert tuple(data["cursors"][columns["cursors"][number]]) == (state.stimulus, state.position)
        layer = table.layer(number)
        told = data["layers"][columns["layers"][number] - 1] if columns["layers"][number] else None
        assert (told and (told["name"], told["id"])) == (layer and (layer.fwpm_name, layer.runtime_id))
        assert tuple(data["flags"][columns["flags"][number]]) == table.flags(number)
        here = {}
        for event, row in data["moves"][columns["moves"][number]]:
            here[event] = (targets[at], data["rows"][row]["key"])
            at += 1
        name = data["names"][columns["registers"][number]]
        assert table.name_of(number) == (f"{name} {state.stimulus}@{state.position}" if state.stimulus else name)
        for event in range(len(table.events)):
            target = table.next_or_none(number, event)
            row = table.row_index(number, event)
            assert here.get(event) == (None if target == NO_ROW else (target, table.rows[row].key))
        refused = [name for event, name in enumerate(table.events) if event not in here]
        whys = [data["reasons"][why] for why in data["refusals"][columns["refusals"][number]]]
        assert list(zip(refused, whys, strict=True)) == list(table.refusals(number))
    assert at == len(targets)


def test_rows_in_a_page_carry_what_they_cite() -> None:
    data = data_of(page_of("sender"))["model"]
    by_key = {row.key: row for row in RULES}
    for told in data["rows"]:
        row = by_key[told["key"]]
        assert told["basis"] == str(row.basis)
        assert told["cite"] == list(row.cite)
        assert set(told["cite"]) <= set(data["sources"])
        assert told.get("note", "") == row.note
        assert tuple(told.get("ops", ())) == row.ops
        assert set(told.get("ops", ())) <= set(data["operations"])
        assert told.get("outcome", "") == row.outcome
        assert told.get("app", "") == row.application_sees
        assert told.get("remote", "") == row.remote_sees
        assert tuple(told.get("logged", ())) == row.logged


def test_a_page_says_which_machine_and_model_it_is() -> None:
    config = configure(ip=6, windows="10", evidence="observed", assume={"path": "loopback", "dual_stack": "yes"})
    walk = Walk(EndpointSystem("receiver", config))
    walk.choose("bind")
    head = data_of(endpoint_page(walk))["head"]
    assert head["start"] == walk.token_at(walk.at)
    assert head["parts"] == walk.token_at(walk.at).split("_")[:-2]
    assert head["fingerprint"] == fingerprint()
    assert head["codes"] == LETTERS
    assert [(one["name"], one["option"]) for one in head["machine"]["assume"]] == sorted(config.assume)


@pytest.mark.parametrize("granularity", ["stimulus", "classify"])
def test_the_graph_in_a_page_is_the_explored_one(granularity: str) -> None:
    session = make_session(("sender", "receiver"), granularity=granularity, verdicts=("permit", "block"))
    space = explore(session, limit_states=100)
    data = json.loads(script_json(session_json(space)))
    words, first = numbers(data["states"]["words"]), numbers(data["states"]["first"])
    begin, moves, targets = (numbers(data["edges"][name]) for name in ("first", "moves", "targets"))
    assert data["complete"] is space.complete
    assert not space.complete
    assert data["open"] == list(space.open_states)
    assert data["count"] == len(space)
    for number in range(len(space)):
        assert " ".join(data["words"][w] for w in words[first[number] : first[number + 1]]) == space.label(number)
        edges = range(begin[number], begin[number + 1])
        told = [(data["moves"][moves[at]], targets[at]) for at in edges]
        assert [(move["label"], target) for move, target in told] == [
            (move.label, target) for move, target in space.edges(number)
        ]
        for (move, _), (real, _) in zip(told, space.edges(number), strict=True):
            steps = [
                (data["layers"][layer]["name"] if layer >= 0 else "", verdict, data["rows"][row]["key"])
                for layer, verdict, row, *_ in move["steps"]
            ]
            assert steps == [(step.layer, step.verdict, step.rule) for step in real.steps]


def test_a_session_page_tells_what_is_refused_and_why() -> None:
    system = SessionSystem(make_session())
    data = data_of(page_of("session"))["model"]
    lists = numbers(data["states"]["refusals"])
    space = explore(make_session())
    labels = {space.label(number): number for number in range(len(space))}
    waiting, seen = [system.start()], {system.start()}
    while waiting and len(seen) < 200:
        place = waiting.pop(0)
        number = labels[system.state(place)]
        told = [(data["refused"][move], data["reasons"][why]) for move, why in data["refusals"][lists[number]]]
        assert told == list(system.refusals(place))
        for move in system.moves(place):
            target, _ = system.take(place, move)
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    assert len(seen) >= 200


def test_numbers_are_packed_in_as_few_bytes_as_they_need() -> None:
    assert packed([]) == "1:"
    for values, size in (([0, 255], 1), ([0, 256, 65_535], 2), ([65_536, 4_000_000_000], 4)):
        text = packed(values)
        assert text.startswith(f"{size}:")
        assert numbers(text) == values


# ---- the picture


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_part_of_the_picture_is_in_the_page_once(name: str) -> None:
    page = page_of(name)
    ids = [attributes["id"] for _, attributes in Elements(page).tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    diagram = data_of(page)["diagram"]
    assert {part["id"] for part in (*diagram["boxes"], *diagram["ways"])} <= set(ids)
    lines = {attributes.get("data-line") for _, attributes in Elements(page).tags} - {None}
    assert lines == set(diagram["lines"])
    keys = {row.key for row in RULES}
    for part in (*diagram["boxes"], *diagram["ways"]):
        assert set(part["rows"]) <= keys


@pytest.mark.parametrize("name", ENDPOINTS)
def test_what_is_drawn_of_the_first_moves_can_be_clicked(name: str) -> None:
    diagram = data_of(page_of(name))["diagram"]
    table = compile_table(name, Config())
    clickable = {key for way in diagram["ways"] for key in way["rows"]}
    clickable |= {key for keys in diagram["lines"].values() for key in keys}
    drawn = {key for box in diagram["boxes"] for key in box["rows"]}
    first = [table.rows[table.row_index(table.start, table.event_ids[event])] for event in table.moves(table.start)]
    assert {row.key for row in first} & drawn <= clickable
    names = {row.event for row in first if row.key in clickable}
    assert names >= ({"datagram", "datagram_group"} if name == "dropped_port" else {"bind", "close", "policy_change"})


def test_places_and_ways_of_a_session_are_those_of_its_states() -> None:
    data = data_of(page_of("session"))["diagram"]
    space = explore(make_session())
    keys = [" ".join(socket.socket for socket in space.state(number).sockets) for number in range(len(space))]
    between = {(keys[n], keys[t]) for n in range(len(space)) for _, t in space.edges(n) if keys[n] != keys[t]}
    assert set(data["places"].values()) == set(keys)
    assert {tuple(ends) for ends in data["ways"].values()} == between


def test_a_page_without_a_renderer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFP_UDP_DOT", "no-such-program")
    page = endpoint_page(Walk(EndpointSystem("dropped_port")))
    assert "no-such-program" in data_of(page)["diagram"]["missing"]
    assert '<svg class="wfp-picture"' not in page


def test_a_session_that_cannot_be_drawn_goes_without_a_picture() -> None:
    session = make_session(("sender", "sender", "receiver"))
    page = session_page(Walk(SessionSystem(session)), limit_states=50)
    data = data_of(page)
    assert "3 sockets" in data["diagram"]["missing"]
    assert data["model"]["complete"] is False
    assert data["model"]["count"] == 50


# ---- the run of a finding


@pytest.mark.parametrize(
    "found",
    [
        always_before("receiver", "AUTH_CONNECT", "outcome=delivered"),
        reaches("sender", "AUTH_CONNECT+IS_REAUTHORIZE"),
        reaches(make_session(), "receiver=BOUND/IN"),
        never(endpoint("sender", any_verdict=True), "flow=OUT_PENDED"),
    ],
    ids=["refuted", "reached", "session", "pended"],
)
def test_a_finding_is_shown_event_by_event_with_a_token_of_each_place(found: Finding) -> None:
    page = data_of(finding_page(found))
    walk = Walk.from_token(found.token, manual=True)
    events = page["events"]
    assert events[-1]["token"] == found.token
    assert events[-1]["state"] == walk.state
    ladder = [(step.layer, step.verdict, step.rule) for step in walk.ladder]
    told = [(s["layer"], s["verdict"], s["rule"]) for event in events for s in event["steps"] if s["layer"]]
    assert told == ladder
    for event in events:
        again = Walk.from_token(event["token"], manual=True)
        assert again.state == event["state"]
        assert [(s.layer, s.verdict, s.rule) for s in again.ladder] == ladder[: len(again.ladder)]
    headings = [part.heading for part in found.parts if "run" not in part.heading and "example" not in part.heading]
    assert [heading for heading, _ in page["notes"]] == [one for one in headings if one not in ("token", "draw")]
    assert page["head"]["subtitle"] == f"{found.verdict}: {found.claim}"


def test_a_finding_of_a_recorded_trace_shows_the_records() -> None:
    trace = Trace((observation("AUTH_CONNECT", "permit"), observation("DATAGRAM_DATA", "block", source="line 7")))
    found = always_before(trace, "OUTBOUND_TRANSPORT", "DATAGRAM_DATA")
    events = data_of(finding_page(found, of(trace)))["events"]
    assert [(event["title"], event["text"]) for event in events] == [
        ("ALE_AUTH_CONNECT_V4 permit", ""),
        ("DATAGRAM_DATA_V4 block", "line 7"),
    ]


def test_a_finding_without_a_run_is_refused() -> None:
    found = never("sender", "INBOUND_ICMP_ERROR:absorb")
    assert found and not found.witness
    with pytest.raises(FsmError, match="no run to show: holds"):
        finding_page(found)


def test_a_run_that_is_too_long_for_a_token_is_shown_with_tokens_as_far_as_they_go() -> None:
    found = reaches("sender", "AUTH_CONNECT")
    long = replace(found, token="", witness=("bind", "permit", "permit", *("wait:1", "wait:2") * 500))
    events = data_of(finding_page(long, of("sender")))["events"]
    assert len(events) == 1002
    assert [bool(event["token"]) for event in events[:3]] == [True] * 3
    assert events[-1]["token"] == ""


def test_the_command_writes_the_page_of_a_claim_where_there_is_a_run(tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    ran = CliRunner().invoke(cli, ["claim", "never", "sender", "outcome=sent", "--html", str(file)])
    assert ran.exit_code == 0, ran.output  # the status of the claim is the command's return value
    page = file.read_text(encoding="utf-8")
    assert data_of(page)["events"][-1]["token"] in ran.stdout
    file.unlink()
    ran = CliRunner().invoke(cli, ["claim", "never", "sender", "INBOUND_ICMP_ERROR:absorb", "--html", str(file)])
    assert "is not written: there is no run to show" in ran.stderr
    assert not file.exists()


# ---- what is refused


def test_a_page_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(FsmError, match="session is no endpoint"):
        endpoint_page(Walk(SessionSystem(make_session())))
    with pytest.raises(FsmError, match="sender is no session"):
        session_page(Walk(EndpointSystem("sender")))


def test_a_trace_with_an_unknown_layer_is_refused() -> None:
    with pytest.raises(UnknownName, match="FWPM_LAYER_NOTHING"):
        trace_page("A trace", [TraceEvent("one", steps=(TraceStep("FWPM_LAYER_NOTHING"),))])


def test_a_trace_without_events_is_a_page_all_the_same() -> None:
    data = data_of(trace_page("Nothing", []))
    assert data["events"] == []
    assert diagram_module.packet_path_diagram(Config())["svg"] in trace_page("Nothing", [])
