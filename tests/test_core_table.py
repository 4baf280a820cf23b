"""The compiler of rows, on a machine of a few rows that is worked out by hand: every state, cell, refusal and error."""
# ruff: noqa: E501 - lists of data, where columns beat the line length

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.checks import check_rows
from fsm.choices import Config, configure
from fsm.errors import FsmError, NoTransition, TableError, UnknownName
from fsm.names import DONE, ENDPOINTS, IDLE, Basis
from fsm.rows import Discard, Row
from fsm.rules import RULES
from fsm.stimuli import VIEWS
from fsm.table import (
    NO_ROW,
    State,
    Step,
    Table,
    beginning,
    compile_rows,
    compile_table,
    guard_value,
    is_idle,
    refusal_of,
    rows_of,
)

DOC = Basis.DOCUMENTED
UNBOUND, BOUND = ("socket", ("UNBOUND",)), ("socket", ("BOUND",))
LAYER, TWIN = "ALE_RESOURCE_ASSIGNMENT", "ALE_RESOURCE_ASSIGNMENT_DISCARD"
BIND = Row("socket", IDLE, "bind", "bind.assign", None, ("UDPF",), DOC, when=(UNBOUND,))
PERMIT = Row(
    *("socket", "bind.assign", "permit", DONE, LAYER, ("UDPF", "ALEL"), DOC),
    sets=(("socket", "BOUND"), ("flow", "OUT")), ops=("queue",), flags=("IS_WILDCARD_BIND",), outcome="sent",
    application_sees="bind returns", remote_sees="nothing", logged=(5158,), note="a note",
)  # fmt: skip
BLOCK = Row("socket", "bind.assign", "block", "bind.assign_discard", LAYER, ("AUD",), DOC, flags=("IS_WILDCARD_BIND",))
END = Row(
    *("socket", "bind.assign_discard", "permit", DONE, TWIN, ("LID",), Basis.INFERRED),
    discard=Discard("GENERAL", "FIREWALL_POLICY", 0), ip=4,
)  # fmt: skip
CLOSE = Row("socket", IDLE, "close", DONE, None, ("ALES",), DOC, when=(BOUND,), sets=(("socket", "CLOSED"),))
ROWS = (BIND, PERMIT, BLOCK, END, CLOSE)
# The registers of a socket: socket, connected, window, flow.
START = ("UNBOUND", "no", "closed", "NONE")
OPEN = ("BOUND", "no", "closed", "OUT")
CLOSED = ("CLOSED", "no", "closed", "OUT")


def made(*rows: Row, endpoint: str = "receiver", **options: object) -> Table:
    return compile_rows(endpoint, configure(**options), rows or ROWS)  # type: ignore[arg-type]


def event(table: Table, name: str) -> int:
    return table.events.index(name)


def test_the_states_are_those_worked_out_in_the_order_of_a_search_by_breadth() -> None:
    table = made()
    assert table.start == 0
    assert table.states == [
        State(START),
        State(START, "bind", "bind.assign"),
        State(OPEN),
        State(START, "bind", "bind.assign_discard"),
        State(CLOSED),
    ]
    assert table.names == (
        "UNBOUND/NONE",
        "UNBOUND/NONE bind@bind.assign",
        "BOUND/OUT",
        "UNBOUND/NONE bind@bind.assign_discard",
        "CLOSED/OUT",
    )
    assert [table.name_of(n) for n in range(5)] == list(table.names)
    assert {state: n for n, state in enumerate(table.states)} == table.state_ids


def test_every_cell_is_the_one_worked_out() -> None:
    table = made()
    cells = {
        (state, name): (table.next_or_none(state, number), table.row_index(state, number))
        for state in range(len(table.states))
        for number, name in enumerate(table.events)
        if table.next_or_none(state, number) != NO_ROW or table.row_index(state, number) != NO_ROW
    }
    assert cells == {(0, "bind"): (1, 0), (1, "permit"): (2, 1), (1, "block"): (3, 2), (3, "permit"): (0, 3),
                     (2, "close"): (4, 4)}  # fmt: skip
    assert [table.moves(n) for n in range(5)] == [("bind",), ("permit", "block"), ("close",), ("permit",), ()]
    assert table.events == (*VIEWS["receiver"].stimuli, "permit", "block", "absorb", "pend", "redirect", "veto")
    assert table.event_ids == {name: number for number, name in enumerate(table.events)}
    assert table.step(1, event(table, "permit")) == 2
    assert table.step(3, event(table, "permit")) == 0


def test_a_layer_and_its_flags_belong_to_the_states_before_it() -> None:
    for ip in (4, 6):
        table = made(*ROWS[:3], replace(END, ip=0), CLOSE, ip=ip)
        names = [layer.fwpm_name if (layer := table.layer(n)) else None for n in range(5)]
        full = f"FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V{ip}"
        assert names == [None, full, None, f"{full}_DISCARD", None]
        assert [table.flags(n) for n in range(5)] == [(), ("IS_WILDCARD_BIND",), (), (), ()]
    assert getattr(made(ip=6).layer(3), "fwpm_name", "") == "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4_DISCARD"


def test_a_step_tells_all_of_its_row_and_where_it_led() -> None:
    table = made()
    step = table.recorded(1, event(table, "permit"))
    assert step == Step(
        stimulus="bind", position="bind.assign", event="permit", verdict="permit",
        layer="FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4", runtime_id=36,
        from_state="UNBOUND/NONE bind@bind.assign", to_state="BOUND/OUT", rule="bind.assign.permit",
        basis="documented", cite=("UDPF", "ALEL"), flags=("IS_WILDCARD_BIND",), discard=None, ops=("queue",),
        outcome="sent", application_sees="bind returns", remote_sees="nothing", logged=(5158,), note="a note",
    )  # fmt: skip
    assert table.recorded(1, event(table, "permit")) is step
    idle = table.recorded(0, event(table, "bind"))
    assert (idle.stimulus, idle.event, idle.verdict, idle.layer, idle.runtime_id) == ("bind", "bind", "", "", None)
    assert (idle.position, idle.rule, idle.flags) == (IDLE, "idle.bind[socket=UNBOUND]", ())
    assert table.recorded(3, event(table, "permit")).discard == Discard("GENERAL", "FIREWALL_POLICY", 0)


def test_registers_are_read_and_replaced_by_name() -> None:
    table = made()
    assert [table.register(2, name) for name in ("socket", "connected", "window", "flow")] == list(OPEN)
    assert table.with_registers(2, socket="CLOSED") == 4
    assert table.with_registers(1) == 1
    with pytest.raises(KeyError):
        table.with_registers(0, flow="IN")


def test_names_tell_registers_only_where_they_say_something() -> None:
    rows = (BIND, replace(PERMIT, sets=(("socket", "BOUND"), ("connected", "other"), ("window", "open"))), CLOSE)
    assert made(*rows).names[2] == "BOUND/connected_other/window/NONE"
    rows = (BIND, replace(PERMIT, sets=(("connected", "this"), ("window", "pended"))), CLOSE)
    assert made(*rows).names[2] == "UNBOUND/connected/group_pended/NONE"
    rows = (Row("host", IDLE, "datagram", DONE, None, ("UDPF",), DOC),)
    assert made(*rows, endpoint="dropped_port").names == ("NO_SOCKET",)


# --- why not


@pytest.mark.parametrize(
    ("state", "name", "why"),
    [
        (0, "bind", ""),
        (1, "block", ""),
        (0, "permit", "no layer is being classified, so there is no verdict to give"),
        (1, "bind", "bind is in progress and waits for the verdict of FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4"),
        (0, "sendto", "no rule knows it on Windows 11"),
        (2, "bind", "it needs socket UNBOUND; here: socket BOUND"),
        (4, "close", "it needs socket BOUND; here: socket CLOSED"),
        (1, "pend", "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 has no rule for it; pending there: FwpsPendOperation0"),
        (1, "redirect", "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 has no rule for it; redirecting there: no"),
        (1, "veto", "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 has no rule for the verdict veto"),
        (3, "block", "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4_DISCARD has no rule for the verdict block"),
    ],
)
def test_why_not_gives_the_reason(state: int, name: str, why: str) -> None:
    table = made()
    assert table.why_not(state, name) == why
    assert ((name, why) in table.refusals(state)) == bool(why)
    assert [given for given, _ in table.refusals(state)] == [e for e in table.events if e not in table.moves(state)]


def test_a_layer_that_takes_no_such_verdict_says_so_with_its_sources() -> None:
    why = made().why_not(1, "absorb")
    assert why.startswith("FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 does not take it: absorb is for layers that carry")
    assert why.endswith("(SDK-out, TOC, DDI-pend)")


@pytest.mark.parametrize("verdict", ["pend", "redirect"])
def test_a_verdict_that_other_stimuli_may_get_there_is_not_modelled_for_this_one(verdict: str) -> None:
    other = Row("socket", "bind.assign", verdict, DONE, LAYER, ("TOC",), DOC, when=(("stimulus", ("close",)),))
    why = made(*ROWS, other).why_not(1, verdict)
    assert why == f"{verdict} at FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4 is not modelled for bind at bind.assign"
    elsewhere = replace(other, at="bind.redirect", layer="ALE_BIND_REDIRECT")
    assert "is not modelled" not in made(*ROWS, elsewhere).why_not(1, verdict)


def test_of_several_rows_the_nearest_is_named_and_of_equals_the_foremost_register() -> None:
    far = Row("socket", IDLE, "sendto", DONE, None, ("UDPF",), DOC, when=(("flow", ("IN",)), ("window", ("open",))))
    near = replace(far, when=(("socket", ("BOUND", "CLOSED")), ("flow", ("NONE",))))
    assert made(*ROWS, far, near).why_not(0, "sendto") == "it needs socket BOUND or CLOSED; here: socket UNBOUND"
    both = replace(far, when=(("flow", ("IN",)),)), replace(far, when=(("connected", ("this",)),))
    assert made(*ROWS, *both).why_not(0, "sendto") == "it needs connected this; here: connected no"
    assert made(*ROWS, *both[::-1]).why_not(0, "sendto") == "it needs connected this; here: connected no"
    assert made(*ROWS, far).why_not(0, "sendto") == "it needs flow IN and window open; here: flow NONE, window closed"
    attribute = replace(far, when=(("to", ("group",)),)), replace(far, when=(("flow", ("IN",)),))
    assert made(*ROWS, *attribute).why_not(0, "sendto") == "it needs flow IN; here: flow NONE"


def test_a_refusal_says_what_where_why_and_what_is_possible() -> None:
    table = made()
    with pytest.raises(NoTransition) as caught:
        table.step(1, event(table, "bind"))
    assert str(caught.value) == (
        "receiver: 'bind' is not possible in state UNBOUND/NONE bind@bind.assign: bind is in progress and waits for "
        "the verdict of FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4. Possible here: permit, block."
    )
    ended = str(table.refused(4, "close", "line 7"))
    assert ended.startswith("line 7: 'close'") and ended.endswith("Possible here: nothing, this is the end.")


# --- names of stimuli


def test_a_stimulus_is_found_in_any_spelling() -> None:
    table = made()
    assert table.stimulus(" Idle-Timeout ", "here") == table.stimulus("idle timeout", "here") == "idle_timeout"
    assert {table.stimulus(alias, "here") for alias in ("send", "sendto")} == {"sendto"}


def test_an_unknown_stimulus_and_one_of_other_endpoints_are_told_apart() -> None:
    table = made()
    with pytest.raises(UnknownName) as unknown:
        table.stimulus("sendtoo", "line 3")
    assert str(unknown.value) == "line 3: no stimulus named 'sendtoo'. Did you mean 'sendto'?"
    with pytest.raises(UnknownName, match="Did you mean 'wait:SECONDS'"):
        table.stimulus("wait:SECOND", "line 3")
    with pytest.raises(NoTransition) as other:
        table.stimulus("connect", "line 4")
    offered = ", ".join(VIEWS["receiver"].stimuli)
    assert str(other.value) == (
        f"line 4: 'connect' does not happen to receiver (a socket that is sent to first). Possible: {offered}."
    )


# --- errors of rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            (*ROWS, replace(BIND, when=())),
            "rules, row idle.bind: second row for UNBOUND/NONE and 'bind' (first is idle.bind[socket=UNBOUND]). "
            "Remove one, or give each its own guards.",
        ),
        (
            (BIND, CLOSE),
            "rules, row idle.bind[socket=UNBOUND]: no row stands at its next position 'bind.assign' in this "
            "configuration. Add rows for that position, or give this row the choices and Windows range of the position.",
        ),
        (
            (*ROWS, replace(BLOCK, event="pend", layer="ALE_AUTH_CONNECT")),
            "rules, position bind.assign: its rows name 2 layers. A position stands before exactly one layer.",
        ),
        (
            (BIND, replace(PERMIT, when=(BOUND,))),
            "rules, position bind.assign: no row fits UNBOUND/NONE bind@bind.assign. A position stands before exactly "
            "one layer.",
        ),
        (
            (*ROWS, replace(BLOCK, event="pend", flags=())),
            "rules, UNBOUND/NONE bind@bind.assign: its rows disagree on the flags: [(), ('IS_WILDCARD_BIND',)].",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_refused(rows: tuple[Row, ...], message: str) -> None:
    with pytest.raises(TableError) as caught:
        made(*rows)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (replace(BIND, cite=()), "rules, row 2 (idle.bind[socket=UNBOUND]): it cites nothing. Name a source of fsm.sources."),
        (replace(BIND, layer=LAYER, event="permit"), "rules, row 2 (idle.permit[socket=UNBOUND]): no position named 'idle'"),
        (replace(PERMIT, layer=None, event="bind"), "a row has a layer exactly when it stands at a position."),
        (CLOSE, "rules, row 2 (idle.close[socket=BOUND]): its key is that of row 1. Give each its own guards."),
        (replace(BIND, cite=("UDPF", "XYZ")), "no source named 'XYZ'"),
        (replace(BIND, ops=("emitt",)), "no operation named 'emitt'. Did you mean 'emit'"),
        (replace(BIND, choices=(("clos", ("nothing",)),)), "no dispute or setting named 'clos'. Did you mean 'close'"),
        (replace(BIND, choices=(("close", ("nothin",)),)), "no option of close named 'nothin'. Did you mean 'nothing'"),
        (replace(BIND, when=(("sockt", ("BOUND",)),)), "no guard named 'sockt'. Did you mean 'socket'"),
        (replace(BIND, when=(("socket", ("BUND",)),)), "no value of socket named 'BUND'. Did you mean"),
        (replace(BIND, sets=(("flw", "OUT"),)), "no register named 'flw'. Did you mean 'flow'"),
        (replace(BIND, sets=(("flow", "OUTT"),)), "no value of flow named 'OUTT'. Did you mean 'OUT'"),
        (replace(PERMIT, layer="ALE_AUTH_CONECT"), "no layer named 'ALE_AUTH_CONECT'. Did you mean 'ALE_AUTH_CONNECT"),
        (replace(PERMIT, event="permitt"), "no verdict named 'permitt'. Did you mean 'permit'"),
        (replace(PERMIT, at="bind.asign"), "no position named 'bind.asign'. Did you mean 'bind.assign'"),
        (replace(BIND, event="bnd"), "no stimulus named 'bnd'. Did you mean 'bind'"),
        (replace(BIND, next="bind.asign"), "no position named 'bind.asign'. Did you mean 'bind.assign'"),
        (replace(BIND, since="vist"), "no Windows named 'vist'. Did you mean 'vista'"),
        (replace(BIND, until="vist"), "no Windows named 'vist'. Did you mean 'vista'"),
    ],
)  # fmt: skip
def test_a_row_that_names_something_unknown_is_refused(row: Row, message: str) -> None:
    for check in (lambda: check_rows((CLOSE, row)), lambda: made(CLOSE, row)):
        with pytest.raises((FsmError, ValueError)) as caught:
            check()
        assert isinstance(caught.value, FsmError), caught.value
        assert message in str(caught.value)


def test_good_rows_are_accepted_with_guards_on_the_stimulus_and_its_attributes() -> None:
    check_rows((*ROWS, replace(BLOCK, event="pend", when=(("stimulus", ("bind",)), ("to", ("unicast",))), until="11")))
    check_rows(RULES)


# --- which rows stand


def test_rows_stand_by_scope_windows_and_choices() -> None:
    old = replace(BIND, until="vista-sp1")
    new = replace(BIND, since="7")
    closes = replace(CLOSE, choices=(("close", ("closure_release",)),))
    host = Row("host", IDLE, "datagram", DONE, None, ("UDPF",), DOC)
    rows = (old, new, closes, host)
    view = VIEWS["receiver"]
    assert rows_of(view, configure(windows="vista"), rows) == (old,)
    assert rows_of(view, configure(windows="7"), rows) == (new,)
    assert rows_of(view, configure(assume={"close": "closure_release"}), rows) == (new, closes)
    assert rows_of(VIEWS["dropped_port"], Config(), rows) == (host,)
    assert rows_of(view, Config()) == rows_of(view, Config(), RULES) != ()


def test_stimuli_that_the_endpoint_is_not_offered_have_no_cells() -> None:
    other = replace(BIND, event="connect")
    assert made(BIND, other, *ROWS[1:]).states == made().states


def test_tables_are_shared_and_an_unknown_endpoint_is_refused() -> None:
    assert compile_table("dropped_port", Config()) is compile_table("dropped_port", Config())
    with pytest.raises(UnknownName) as caught:
        compile_table("dropped_prt", Config())
    assert str(caught.value) == "table: no endpoint named 'dropped_prt'. Did you mean 'dropped_port'?"


# --- flags of settings, refusals of layers, guards


@pytest.mark.parametrize(
    ("flags", "windows", "seen"),
    [
        (("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"), "vista", ("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND")),
        (("IS_WILDCARD_BIND", "IS_IMPLICIT_BIND"), "11", ("IS_WILDCARD_BIND",)),  # fact c/flags: until Vista
    ],
)
def test_a_flag_is_seen_on_the_windows_that_have_it(
    flags: tuple[str, ...], windows: str, seen: tuple[str, ...]
) -> None:
    table = made(BIND, replace(PERMIT, flags=flags), CLOSE, windows=windows)
    assert table.flags(1) == seen


def test_a_setting_adds_its_flag_at_its_layers_and_their_twins() -> None:
    """Fact a.17: IS_LOOPBACK for same-host traffic; IS_RAW_ENDPOINT (a.16.5) at the assignment."""
    table = made(assume={"protocol": "raw"})
    assert table.flags(1) == ("IS_WILDCARD_BIND", "IS_RAW_ENDPOINT")
    assert table.flags(3) == ("IS_RAW_ENDPOINT",)
    assert made().flags(3) == ()


def test_a_refusal_of_a_layer_depends_on_verdict_layer_and_flag() -> None:
    table = made()
    layer, twin = table.layer(1), table.layer(3)
    assert layer is not None and twin is not None
    assert refusal_of(layer, "block") is None
    for refused in (refusal_of(layer, "absorb"), refusal_of(twin, "absorb")):
        assert refused is not None and refused.verdict == "absorb"
    again = compile_table("receiver", Config())
    before = next(n for n in range(len(again.states)) if "IS_REAUTHORIZE" in again.flags(n))
    accept = again.layer(before)
    assert accept is not None and refusal_of(accept, "pend") is None
    assert "STATUS_FWP_CANNOT_PEND" in again.why_not(before, "pend")
    refused = refusal_of(accept, "pend", ("IS_REAUTHORIZE",))
    assert refused is not None and "STATUS_FWP_CANNOT_PEND" in refused.why


def test_guards_ask_for_registers_the_stimulus_and_its_attributes() -> None:
    view = VIEWS["receiver"]
    state = beginning(State(OPEN), "datagram_group")
    assert state == State(OPEN, "datagram_group", IDLE)
    assert [guard_value(name, view, state) for name in ("socket", "flow", "stimulus", "to")] == [
        *("BOUND", "OUT", "datagram_group", "group")
    ]
    assert guard_value("to", view, State(OPEN)) == "" == guard_value("unheard_of", view, state)
    assert guard_value("stimulus", view, State(OPEN)) == ""


def test_of_three_rows_for_one_cell_the_first_two_are_named() -> None:
    with pytest.raises(TableError, match=r"row idle.bind: second row .* \(first is idle.bind\[socket=UNBOUND\]\)"):
        made(*ROWS, replace(BIND, when=()), replace(BIND, when=(("flow", ("NONE",)),)))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_name_of_a_state_says_whether_it_is_idle_and_is_one_word_then(endpoint: str) -> None:
    table = compile_table(endpoint, Config())
    for state, name in zip(table.states, table.names, strict=True):
        assert is_idle(name) == (state.position == IDLE), name
        assert len(name.split(" ")) == (1 if state.position == IDLE else 2), name
