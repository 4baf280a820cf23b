"""The catalogue of flows: the base page's flows come out exactly, are really run, and show what is disputed."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fsm.choices import CHOICES, Config, configure
from fsm.cli import cli
from fsm.errors import FsmError, UnknownName
from fsm.flow_text import flow_list_text, run_text
from fsm.flows import FLOWS, find_flow, flow_config, label_of, perform, run_flow, run_stimuli
from fsm.names import OUTCOMES, WINDOWS
from fsm.rules import RULES
from fsm.stimuli import POSITIONS
from fsm.table import Table, compile_rows

DATA = Path(__file__).parent / "data" / "flows.json"
SEED = Path(__file__).resolve().parents[2] / "shared" / "seed" / "flows.json"
DECODED: dict[str, dict[str, Any]] = {
    flow["id"]: flow for flow in json.loads(DATA.read_text(encoding="utf-8"))["flows"]
}
BASE_VERDICTS = {  # the decoded list shows where it is blocked by where it ends
    "dropped_port.silenced": "FWPM_LAYER_INBOUND_IPPACKET_V4_DISCARD",
    "receiver.reauthorization_failed": "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4",
}


def steps(run: dict[str, Any]) -> list[list[str]]:
    return [[step["label"], step["layer"]] for step in run["steps"]]


# --- the base page


@pytest.mark.parametrize("engine", ["table", "live"])
@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("flow", DECODED)
def test_the_decoded_flow_comes_out_exactly_under_default_settings(flow: str, ip: int, engine: str) -> None:
    got: dict[str, Any] = run_flow(flow, configure(ip=ip), engine=engine).to_json()
    expected = [[label, layer.replace("_V4", f"_V{ip}")] for label, layer in DECODED[flow]["steps"]]
    assert steps(got) == expected
    assert got["flow"] == flow and got["endpoint"] == DECODED[flow]["endpoint"]
    assert (got["ip"], got["windows"], got["evidence"], got["assume"]) == (ip, "11", "base", {})
    blocked = [step["layer"] for step in got["steps"] if step["verdict"] != "permit"]
    assert blocked == [layer.replace("_V4", f"_V{ip}") for name, layer in BASE_VERDICTS.items() if name == flow]
    assert got["blocked_at"] == (blocked[0] if blocked else None)


@pytest.mark.skipif(not SEED.exists(), reason="the decoded base page is not beside this checkout")
def test_the_copied_flows_equal_the_decoded_ones() -> None:
    kept = [
        {key: flow[key] for key in ("id", "endpoint", "steps")}
        for flow in json.loads(SEED.read_text(encoding="utf-8"))["flows"]
    ]
    assert list(DECODED.values()) == kept


def test_every_windows_from_7_on_gives_the_decoded_flows() -> None:
    for windows in WINDOWS[2:]:
        for flow, decoded in DECODED.items():
            assert steps(run_flow(flow, configure(windows=windows)).to_json()) == decoded["steps"], (windows, flow)


def test_vista_gives_the_decoded_flows_without_the_redirect_layers() -> None:
    for windows in ("vista", "vista-sp1"):
        for flow, decoded in DECODED.items():
            expected = [step for step in decoded["steps"] if "_REDIRECT_" not in step[1]]
            assert steps(run_flow(flow, configure(windows=windows)).to_json()) == expected, (windows, flow)


def test_any_termination_is_the_same_for_sender_and_receiver() -> None:
    for options in ({}, {"close": "closure_release"}):
        runs = []
        for endpoint in ("sender", "receiver"):
            run = run_stimuli(endpoint, ("bind", "close"), configure(assume=options)).to_json()
            runs.append({key: value for key, value in run.items() if key != "endpoint"})
        assert runs[0] == runs[1]


OUTCOME_OF = {  # what fsm.names.OUTCOMES says of each
    "receiver.passive_open": None,
    "sender.active_open": "sent",
    "receiver.first_datagram": "delivered",
    "dropped_port.no_listener": "icmp_error",
    "dropped_port.silenced": "silent",
    "receiver.reauthorized": "delivered",
    "receiver.reauthorization_failed": "blocked",
    "any.termination": None,
}


@pytest.mark.parametrize("flow", DECODED)
def test_a_decoded_flow_has_the_outcome_that_the_base_page_means(flow: str) -> None:
    assert run_flow(flow).outcome == OUTCOME_OF[flow]
    assert OUTCOME_OF[flow] in (None, *OUTCOMES)


# --- the catalogue


def told_by(flow: str, config: Config, engine: str) -> dict[str, object] | str:
    """The JSON of a flow, or why this machine refuses it."""
    try:
        return run_flow(flow, config, engine=engine).to_json()
    except FsmError as error:
        return str(error)


@pytest.mark.parametrize("windows", ["vista", "7", "11"])
def test_both_engines_give_equal_json_for_every_flow(windows: str) -> None:
    for flow in FLOWS:
        config = configure(windows=windows)
        assert told_by(flow, config, "table") == told_by(flow, config, "live"), (flow, config)


# Building a live machine takes time: all machines for the small endpoints, and some flows of a sender.
SMALL = [flow for flow in FLOWS if not flow.startswith(("sender.", "any."))]
SOME = ["any.termination", "sender.dual_stack", "sender.redirected_to_proxy"]


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("evidence", ["base", "documented", "observed"])
def test_both_engines_give_equal_json_on_every_machine(ip: int, evidence: str) -> None:
    for windows in ("vista", "7", "11"):
        for flow in (*SMALL, *(SOME if windows == "11" else ())):
            config = configure(ip=ip, windows=windows, evidence=evidence)
            assert told_by(flow, config, "table") == told_by(flow, config, "live"), (flow, config)


# Flows that need what a Windows does not have yet: the words that the refusal must hold.
NOT_ON_VISTA = {
    "sender.interface_change": "no rule knows it on Windows vista",
    "receiver.interface_change": "no rule knows it on Windows vista",
    "sender.flow_aborted": "no rule knows it on Windows vista",
}


def test_a_flow_is_refused_on_vista_only_where_vista_lacks_what_it_needs() -> None:
    for flow in FLOWS:
        told = told_by(flow, configure(windows="vista"), "table")
        assert isinstance(told, str) == (flow in NOT_ON_VISTA), (flow, told)
        assert not isinstance(told, str) or NOT_ON_VISTA[flow] in told
    told = told_by("sender.interface_change", configure(windows="vista-sp1"), "table")  # fact a.11.3
    assert not isinstance(told, str)
    assert "Windows 7" in str(told_by("sender.flow_aborted", configure(windows="7"), "table"))  # fact a.13.5
    assert not isinstance(told_by("sender.flow_aborted", configure(windows="8"), "table"), str)


def test_a_flow_with_verdicts_at_redirect_layers_says_on_vista_that_they_were_not_reached() -> None:
    for flow in ("sender.redirected", "sender.bind_redirected", "sender.redirected_to_proxy"):
        run = run_flow(flow, configure(windows="vista"))
        assert all("_REDIRECT_" not in labelled.step.layer for labelled in run.steps)
        assert len(run.unused_blocks) == 1 and "_REDIRECT_" in run.unused_blocks[0]


FIXED = {  # layers whose IP version does not follow that of the peer
    "sender.dual_stack": {
        "FWPM_LAYER_ALE_BIND_REDIRECT_V6",
        "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4",
        "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V6",
        "FWPM_LAYER_ALE_CONNECT_REDIRECT_V6",
    }
}


def test_ip_version_changes_nothing_but_the_layer_names_and_ids() -> None:
    for flow in FLOWS:
        four, six = (run_flow(flow, configure(ip=ip)).to_json() for ip in (4, 6))
        fixed = FIXED.get(flow, set())
        for run in (four, six):
            run.pop("ip")
            for entry in (*run["steps"], *run["logged"]):  # type: ignore[misc]
                entry.pop("runtime_id")
                if entry["layer"] not in fixed:
                    entry["layer"] = entry["layer"].replace("_V4", "_V6")
            run["blocked_at"] = run["blocked_at"] and str(run["blocked_at"]).replace("_V4", "_V6")
        assert four == six


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_of_the_catalogue_says_what_it_is(flow: str) -> None:
    entry = FLOWS[flow]
    assert entry.name == flow and flow.split(".")[0] == entry.endpoint
    assert entry.title and entry.cite and entry.stimuli
    assert not (set(dict(entry.labels)) - set(POSITIONS))


@pytest.mark.parametrize("flow", FLOWS)
def test_every_step_of_a_flow_traces_back_to_a_row(flow: str) -> None:
    run = run_flow(flow, configure(evidence="documented"))
    assert run.steps
    rows = {row.key: row for row in RULES}
    for labelled in run.steps:
        row = rows[labelled.step.rule]
        assert (labelled.step.cite, labelled.step.basis) == (row.cite, row.basis)
    states = [(step.from_state, step.to_state) for record in run.records for step in record.steps]
    if not any("@" in word for word in FLOWS[flow].stimuli):  # another peer has another flow register
        assert all(a[1] == b[0] for a, b in pairwise(states))


def test_setup_steps_are_printed_under_setup_and_not_under_steps() -> None:
    got = run_flow("receiver.reauthorized").to_json()
    assert got["setup"] == ["bind", "datagram", "policy_change"]
    assert {step["stimulus"] for step in got["steps"]} == {"datagram"}  # type: ignore[attr-defined]
    assert len(got["steps"]) == 4  # type: ignore[arg-type]


def test_a_verdict_of_a_flow_does_not_hold_during_its_setup() -> None:
    run = run_flow("receiver.reauthorization_failed")
    assert all(step.verdict != "block" for record in run.records[: -len(run.own_records)] for step in record.steps)
    assert run.blocked_at == "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"


# --- labels


def test_datagram_data_is_data_in_one_flow_and_udp_message_in_another() -> None:
    worded = {}
    for flow in ("receiver.first_datagram", "receiver.reauthorized"):
        worded[flow] = [x.label for x in run_flow(flow).steps if "DATAGRAM_DATA" in x.step.layer]
    assert worded == {"receiver.first_datagram": ["data"], "receiver.reauthorized": ["UDP message"]}


def test_every_position_has_a_label_and_flow_established_has_the_empty_one() -> None:
    unlabelled = {position for position in POSITIONS if not label_of(position)}
    # The base page has no word for FLOW_ESTABLISHED, nor for the completion of a pended operation.
    established = {row.at for row in RULES if row.layer == "ALE_FLOW_ESTABLISHED"}
    assert unlabelled == established | {"send.complete", "send.group_complete", "receive.complete"}


def test_the_labels_of_every_flow_are_words_of_the_base_page_or_of_the_model() -> None:
    words = {label for flow in DECODED.values() for label, _ in flow["steps"]} | {"ICMP error", "close", "connect"}
    for flow in FLOWS:
        for evidence in ("base", "documented"):
            assert {x.label for x in run_flow(flow, configure(evidence=evidence)).steps} <= words


def test_a_discard_layer_is_labelled_as_the_layer_it_belongs_to() -> None:
    run = run_flow("sender.blocked").to_json()
    assert steps(run)[-2:] == [
        ["sendto", "FWPM_LAYER_ALE_AUTH_CONNECT_V4"],
        ["sendto", "FWPM_LAYER_ALE_AUTH_CONNECT_V4_DISCARD"],
    ]


# --- deleting a row


def path_rows(flow: str, config: Config) -> list[str]:
    """The rows that a run of the flow uses, set-up included."""
    run = run_flow(flow, config)
    return list(dict.fromkeys(step.rule for record in run.records for step in record.steps))


@lru_cache(maxsize=64)
def without(endpoint: str, config: Config, key: str) -> Table:
    """The same machine with one row of the package left out."""
    kept = [row for row in RULES if row.key != key]
    assert len(kept) == len(RULES) - 1, key
    return compile_rows(endpoint, config, kept)


CASES = sorted(
    (
        (flow, evidence, key)
        for flow in FLOWS
        for evidence in ("base", "observed")
        for key in path_rows(flow, configure(evidence=evidence))
    ),
    # Neighbours share their table.
    key=lambda case: (FLOWS[case[0]].runs_on, FLOWS[case[0]].assume, case[1], case[2]),
)
ON_SENDER = [case for case in CASES if FLOWS[case[0]].runs_on == "sender"]
ON_SMALL = [case for case in CASES if FLOWS[case[0]].runs_on != "sender"]
HALF = len(ON_SENDER) // 2


def survivors(cases: list[tuple[str, str, str]], engine: str) -> list[str]:
    """The cases in which the flow does not notice that the row is gone; whatever is no refusal fails the test."""
    found = []
    for flow, evidence, key in cases:
        config = configure(evidence=evidence)
        try:
            table = without(FLOWS[flow].runs_on, flow_config(FLOWS[flow], config), key)
            got = run_flow(flow, config, engine=engine, table=table).to_json()
        except FsmError:
            continue
        if got == run_flow(flow, config).to_json():
            found.append(f"{flow}, {evidence}, without {key}: nothing changed")
    return found


@pytest.mark.parametrize(
    ("cases", "engine"),
    [
        (ON_SENDER[:HALF], "table"),
        (ON_SENDER[HALF:], "table"),
        (ON_SMALL, "table"),
        (ON_SMALL, "live"),
        (ON_SENDER[::25], "live"),
    ],
    ids=["sender-1", "sender-2", "small", "small-live", "sender-live"],
)
def test_deleting_any_row_on_the_path_of_a_flow_changes_or_refuses_it(
    cases: list[tuple[str, str, str]], engine: str
) -> None:
    found = survivors(cases, engine)
    assert not found, "\n".join(found)


def test_a_row_that_is_not_missed_is_found() -> None:
    assert survivors([("receiver.passive_open", "base", "receive.data.block")], "table")


def test_every_flow_has_rows_on_its_path_to_delete() -> None:
    assert {flow for flow, _, _ in CASES} == set(FLOWS)
    assert len(CASES) > 800


def test_deleting_a_row_off_the_path_leaves_the_flow_as_it_is() -> None:
    config = configure()
    table = without("sender", config, "receive.data.block")
    assert run_flow("sender.active_open", config, table=table).to_json() == run_flow("sender.active_open").to_json()


# --- blocks


@pytest.mark.parametrize(
    "spelling",
    ["INBOUND_IPPACKET_DISCARD", "FWPM_LAYER_INBOUND_IPPACKET_V4_DISCARD", "inbound_ippacket_v4_discard", "1"],
)
def test_nothing_fires_after_a_block_at_the_ippacket_discard_layer(spelling: str) -> None:
    got = run_flow("dropped_port.no_listener", blocks=[spelling]).to_json()
    assert steps(got) == DECODED["dropped_port.silenced"]["steps"]
    assert got["outcome"] == "silent" and got["blocked_at"] == "FWPM_LAYER_INBOUND_IPPACKET_V4_DISCARD"
    assert "timeout" in str(got["remote_sees"]) and got["unused_blocks"] == []
    quiet = run_flow("dropped_port.silenced").to_json()
    assert {k: v for k, v in got.items() if k not in ("flow", "title")} == {
        k: v for k, v in quiet.items() if k not in ("flow", "title")
    }


def test_a_block_at_each_layer_of_the_first_send_ends_at_it_or_at_its_discard_twin() -> None:
    path = [step[1] for step in DECODED["sender.active_open"]["steps"]]
    for index, layer in enumerate(path):
        if "FLOW_ESTABLISHED" in layer:
            continue
        got = run_stimuli("sender", ("bind", "sendto") if index >= 2 else ("bind",), blocks=[layer]).to_json()
        fired = [step["layer"] for step in got["steps"]]  # type: ignore[attr-defined]
        twin = [] if "_REDIRECT_" in layer else [f"{layer}_DISCARD"]
        assert fired == path[: index + 1] + twin
        assert got["outcome"] == "blocked" and got["blocked_at"] == layer


def test_a_block_that_is_not_reached_is_reported() -> None:
    run = run_flow("sender.later_send", blocks=["AUTH_CONNECT"])
    assert run.unused_blocks == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4",)
    assert "was not reached" in run_text(run) and run.outcome == "sent"


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("FLOW_ESTABLISHED", "no policy point"),
        ("ENDPOINT_CLOSURE", "cannot be blocked"),
        ("RESOURCE_RELEASE", "cannot be blocked"),
        ("AUTH_CONECT", "AUTH_CONNECT"),
        ("FWPM_LAYER_ALE_AUTH_CONNECT_V6", "V"),
    ],
)
def test_a_block_that_cannot_be_is_refused_with_the_reason(layer: str, reason: str) -> None:
    with pytest.raises(FsmError, match=reason):
        run_flow("sender.active_open", blocks=[layer])


def test_a_layer_that_vista_lacks_cannot_be_blocked_there() -> None:
    with pytest.raises(FsmError, match="vista"):
        run_flow("sender.active_open", configure(windows="vista"), blocks=["CONNECT_REDIRECT"])


# --- disputes, one command each

DISPUTES: dict[str, tuple[tuple[str, ...], ...]] = {  # the commands that show it
    "no_listener": (("flow", "dropped_port.no_listener"),),
    "inbound_transport_without_listener": (("flow", "dropped_port.no_listener"),),
    "close": (("flow", "any.termination"),),
    "blocked_first_send_result": (("flow", "sender.blocked"),),
    "recv_accept_completion": (("flow", "receiver.pended"),),
    "multicast_reauthorization": (("flow", "receiver.group"),),
    "bind_reauthorization": (("run", "sender", "bind", "complete", "--verdict", "BIND_REDIRECT=pend"),),
    "wildcard_bind": (("flow", "receiver.passive_open"),),
    "icmp_echo_flow": (("flow", "sender.icmp_echo"),),
    "injected_send_entry": (("flow", "sender.injected"),),
    "udp_local_redirect": (("flow", "sender.redirected_to_proxy"),),
    "icmp_rate_limit": (("flow", "dropped_port.no_listener"),),
    "dual_stack": (("flow", "sender.active_open"),),
    # IGMP differs from UDP on the host's side, a raw socket from IGMP at the bind.
    "protocol": (("flow", "sender.blocked"), ("flow", "dropped_port.no_listener"), ("flow", "sender.active_open")),
    "path": (("flow", "sender.active_open"),),
    "redirect_target": (("flow", "sender.redirected"),),
    "multicast_state": (("flow", "sender.group_answer"),),
    "udp_connreset": (("flow", "sender.icmp_error"),),
}


def told(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli, [*arguments, "--format", "json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    got: dict[str, Any] = json.loads(done.stdout)
    return got


def test_every_dispute_and_setting_has_a_command_that_shows_it() -> None:
    assert set(DISPUTES) == {name for name, choice in CHOICES.items() if choice.about == "machine"}


def shows(dispute: str, option: str, *columns: str) -> str:
    """These columns of the steps that the commands of a dispute print under one option."""
    runs = [told(*command, "--assume", f"{dispute}={option}") for command in DISPUTES[dispute]]
    return json.dumps([[[step[column] for column in columns] for step in run["steps"]] for run in runs])


@pytest.mark.parametrize("dispute", DISPUTES)
def test_each_option_of_a_dispute_shows_different_steps(dispute: str) -> None:
    # Layers, rules and flags; a dispute about what sendto returns shows in what the application sees there.
    options = CHOICES[dispute].option_names()
    shown = {shows(dispute, option, "layer", "rule", "flags", "application_sees") for option in options}
    assert len(shown) == len(options)


ABOUT_LAYERS = [
    *("no_listener", "close", "inbound_transport_without_listener", "icmp_rate_limit", "recv_accept_completion"),
    *("multicast_reauthorization", "bind_reauthorization", "icmp_echo_flow", "injected_send_entry"),
    *("udp_local_redirect", "dual_stack", "multicast_state"),
]


@pytest.mark.parametrize("dispute", ABOUT_LAYERS)
def test_each_option_of_a_dispute_about_layers_shows_different_layers(dispute: str) -> None:
    options = CHOICES[dispute].option_names()
    assert len({shows(dispute, option, "layer") for option in options}) == len(options)


@pytest.mark.parametrize("dispute", ["wildcard_bind", "path"])
def test_each_option_of_a_dispute_about_flags_shows_different_flags(dispute: str) -> None:
    options = CHOICES[dispute].option_names()
    assert len({shows(dispute, option, "flags") for option in options}) == len(options)
    assert len({shows(dispute, option, "layer") for option in options}) == 1


EVIDENCE_CHOOSES = [  # the first voice of fsm.choices.PREFERENCE that speaks
    ("no_listener", "base", "ippacket"),
    ("no_listener", "documented", "transport"),
    ("no_listener", "observed", "transport"),
    ("close", "base", "nothing"),
    ("close", "documented", "closure_release"),
    ("close", "observed", "closure_release"),
    ("inbound_transport_without_listener", "base", "absent"),
    ("inbound_transport_without_listener", "documented", "absent"),
    ("inbound_transport_without_listener", "observed", "absent"),
    ("blocked_first_send_result", "base", "success"),
    ("blocked_first_send_result", "documented", "success"),
    ("blocked_first_send_result", "observed", "success"),
    # Facts g.10, g.16, g.9, g.14, g.17, g.27, g.24: what the documents say outweighs, unless logs are asked first.
    *((name, evidence, option) for evidence in ("base", "documented", "observed") for name, option in (
        ("recv_accept_completion", "reinject"),
        ("multicast_reauthorization", "each_packet"),
        ("bind_reauthorization", "never"),
        ("wildcard_bind", "port_zero"),
        ("injected_send_entry", "top"),
    )),
    ("icmp_echo_flow", "base", "shared"),
    ("icmp_echo_flow", "documented", "shared"),
    ("icmp_echo_flow", "observed", "per_request"),
    ("udp_local_redirect", "base", "works"),
    ("udp_local_redirect", "documented", "works"),
    ("udp_local_redirect", "observed", "fails"),
]  # fmt: skip


@pytest.mark.parametrize(("dispute", "evidence", "option"), EVIDENCE_CHOOSES)
def test_an_order_of_preference_chooses_what_the_design_says(dispute: str, evidence: str, option: str) -> None:
    for command in DISPUTES[dispute]:
        preferred = told(*command, "--evidence", evidence)
        assumed = told(*command, "--evidence", evidence, "--assume", f"{dispute}={option}")
        own = dict(FLOWS[command[1]].assume) if command[0] == "flow" else {}
        assert preferred == assumed and preferred["assume"] == own


def test_what_every_order_chooses_is_tested_for_every_dispute() -> None:
    tested = {(name, evidence) for name, evidence, _ in EVIDENCE_CHOOSES}
    disputes = [name for name, choice in CHOICES.items() if (choice.kind, choice.about) == ("dispute", "machine")]
    assert tested == {(name, evidence) for name in disputes for evidence in ("base", "documented", "observed")}


@pytest.mark.parametrize("dispute", [name for name in DISPUTES if CHOICES[name].kind == "dispute"])
def test_the_text_of_a_flow_names_the_other_sides_of_its_dispute(dispute: str) -> None:
    for option in CHOICES[dispute].option_names():
        arguments = (*DISPUTES[dispute][0], "--assume", f"{dispute}={option}")
        text = CliRunner().invoke(cli, arguments, catch_exceptions=False).stdout
        lines = [line for line in text.splitlines() if line.startswith(f"disputed:    {dispute}={option}")]
        assert len(lines) == 1, text
        assert all(other in lines[0] for other in CHOICES[dispute].option_names())


def test_an_assumption_overrides_the_order_of_preference() -> None:
    got = told("flow", "dropped_port.no_listener", "--evidence", "observed", "--assume", "no_listener=ippacket")
    assert steps(got) == DECODED["dropped_port.no_listener"]["steps"]
    assert got["assume"] == {"no_listener": "ippacket"}


# --- names


@pytest.mark.parametrize(
    "name", ["no_listener", "NO-LISTENER", "dropped_port.no_listener", " Dropped-Port.No-Listener "]
)
def test_a_flow_is_found_by_any_plain_spelling(name: str) -> None:
    assert find_flow(name).name == "dropped_port.no_listener"


def test_an_ambiguous_short_name_lists_the_candidates() -> None:
    with pytest.raises(UnknownName, match=r"sender\.blocked.*receiver\.blocked|receiver\.blocked.*sender\.blocked"):
        find_flow("blocked")


def test_the_list_of_flows_names_every_flow_with_its_title() -> None:
    text = flow_list_text()
    assert text.isascii()
    for flow in FLOWS.values():
        assert flow.name in text and flow.title in text


@pytest.mark.parametrize("flow", FLOWS)
def test_the_text_of_a_flow_shows_every_layer_once_in_order_and_in_ascii(flow: str) -> None:
    run = run_flow(flow, configure(evidence="observed"))
    text = run_text(run)
    assert text.isascii()
    shown = [line for line in text.splitlines() if re.search(r" (doc|obs|inf)  ", line)]
    assert len(shown) == len(run.steps)
    for line, labelled in zip(shown, run.steps, strict=True):
        assert labelled.step.layer.removeprefix("FWPM_LAYER_") in line.split()
        assert str(labelled.step.runtime_id) in line.split()


def test_a_word_with_an_argument_it_does_not_take_is_refused() -> None:
    from fsm.endpoint import Endpoint

    with pytest.raises(FsmError, match="takes no argument '5'"):
        perform(Endpoint("sender"), "bind:5")
