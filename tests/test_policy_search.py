"""`search` against brute force: `whatif` on every point of a small universe must be in the box that says so."""

from __future__ import annotations

import ipaddress
import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from policy_worlds import APPS, LAYERS, NET_4, datum
from policy_worlds import policy as random_policy

import fsm
from fsm.cli import cli
from fsm.errors import FsmError
from fsm.policy.datagram import OTHER, Circumstances
from fsm.policy.model import Behaviour, Callout, Filter, Policy
from fsm.policy.read import read_policy
from fsm.policy.search import Box, Part, Range, Search, search
from fsm.policy.search_text import search_text
from fsm.policy.whatif import whatif

CASES = Path(__file__).resolve().parent / "data" / "cases"
STATE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"
PROGRAMS = tuple(app.decode("utf-16-le").rstrip("\0") for app in APPS)
HOSTS, SERVICES = (0, 1, 3), (50, 53, 57)
ENDS = {"from_": "10.0.0.0-10.0.0.3:49-57", "to": "10.0.0.4-10.0.0.7:49-57"}


def holds(box: Box, point: Mapping[str, object]) -> bool:
    """Whether a point is in a box: of every range, in one of its intervals or among its names."""

    def inside(each: Range) -> bool:
        value = point[each.dimension]
        if each.numbers:
            assert isinstance(value, int)
            found = any(low <= value <= high for low, high in each.numbers)
        else:
            found = value in each.names
        return found != each.all_but

    return all(inside(each) for each in box.ranges)


def points(rng: random.Random, sends: bool) -> Iterator[dict[str, object]]:
    """Every pair of ends of the universe, with something of everything else."""
    for source, target, one, other in itertools.product(HOSTS, HOSTS, SERVICES, SERVICES):
        from_, to = (NET_4 + source, one), (NET_4 + 4 + target, other)
        local, remote = (from_, to) if sends else (to, from_)
        yield {
            "local_address": local[0],
            "local_port": local[1],
            "remote_address": remote[0],
            "remote_port": remote[1],
            "program": rng.choice((*PROGRAMS, OTHER)),
            "token": (rng.choice(("S-1-5-32-544", OTHER)), rng.choice(("", "S-1-15-2-1", "S-1-15-2-2", OTHER))),
            "compartment": rng.choice((1, 2, 3, 4)),
            "interface": rng.choice((1 << 40, 2 << 40, 3 << 40, 5)),
        }


def circumstances(point: Mapping[str, object]) -> Circumstances:
    token = point["token"]
    assert isinstance(token, tuple)
    return Circumstances(
        program=point["program"],  # type: ignore[arg-type]
        user=(token[0],),
        package=token[1],
        compartment=point["compartment"],  # type: ignore[arg-type]
        interface=point["interface"],  # type: ignore[arg-type]
    )


def ends(point: Mapping[str, object], sends: bool) -> dict[str, str]:
    local, remote = (
        f"{ipaddress.IPv4Address(point[f'{end}_address'])}:{point[f'{end}_port']}"  # type: ignore[arg-type]
        for end in ("local", "remote")
    )
    return {"from_": local, "to": remote} if sends else {"from_": remote, "to": local}


def classified(part: Part, point: Mapping[str, object]) -> dict[str, object]:
    """The point with names that the policy does not name as `other`."""
    found = dict(point)
    for dimension in part.dimensions:
        if dimension.name == "program" and point["program"] not in dimension.symbols:
            found["program"] = OTHER
        if dimension.name == "token":
            user, package = point["token"]  # type: ignore[misc]
            users, packages = ({symbol[at] for symbol in dimension.symbols} for at in (0, 1))  # type: ignore[index]
            found["token"] = (user if user in users else OTHER, package if package in packages else OTHER)
    return found


def truth(answer: object, wanted: str, layer: str) -> bool | None:
    """Whether all endings of a whatif are what is wanted; None where it depends."""
    endings = answer.endings  # type: ignore[attr-defined]
    if wanted == "unknown":
        return len({e.outcome for e in endings}) > 1 or endings[0].outcome == "unknown"
    if any(e.outcome == "unknown" for e in endings):
        return None
    said = {e.blocked_at == layer if wanted == "blocked-at" else e.outcome == wanted for e in endings}
    return said.pop() if len(said) == 1 else None


ASKED = {
    "sendto": ({"event": "sendto"}, "sent", LAYERS[0]),
    "sendto blocked": ({"event": "sendto"}, "blocked", LAYERS[0]),
    "sendto blocked at": ({"event": "sendto"}, "blocked-at", LAYERS[2]),
    "sendto open": ({"event": "sendto"}, "unknown", LAYERS[0]),
    "next send": ({"event": "sendto", "flow_state": "out_stale"}, "sent", LAYERS[0]),
    "receive": ({"event": "receive"}, "delivered", LAYERS[1]),
    "no listener": ({"event": "receive", "listener": False}, "silent", LAYERS[4]),
    "receive twice": ({"event": ["receive", "receive"]}, "delivered", LAYERS[1]),
}
POLICIES = 7


def asked_of(policy: Policy, name: str) -> tuple[Search, dict[str, object], str, str]:
    words, wanted, layer = ASKED[name]
    found = search(
        policy, wanted, layer=layer if wanted == "blocked-at" else None, **ENDS, **words, limit_boxes=100_000
    )  # type: ignore[arg-type]
    return found, words, wanted, layer


def made(rng: random.Random, name: str) -> Policy:
    here = {"receive": LAYERS[1:2], "receive twice": LAYERS[1:2], "no listener": LAYERS[4:5]}.get(name, LAYERS[:3:2])
    certain = "open" not in name and rng.random() < 0.3
    towards = datum(rng, here[0], certain=True)
    found = random_policy(rng, layers=here, most_filters=8, certain=certain, towards=towards)
    if "open" not in name:
        return found
    return replace(found, callouts=tuple(replace(each, behaviour=Behaviour()) for each in found.callouts))


def disagreements(policy: Policy, name: str, rng: random.Random) -> tuple[int, int, int, int]:
    """(points where boxes and whatif differ, points in a box, points that are open, points outside)."""
    found, words, wanted, layer = asked_of(policy, name)
    (part,) = found.parts
    sends = name not in ("receive", "no listener", "receive twice")
    wrong, counts = 0, {True: 0, None: 0, False: 0}
    for point in points(rng, sends):
        answer = whatif(policy, **ends(point, sends), **words, circumstances=circumstances(point))  # type: ignore[arg-type]
        if not answer.complete:
            continue
        inside, open_ = (
            sum(holds(box, classified(part, point)) for box in boxes) for boxes in (part.boxes, part.open_boxes)
        )
        assert inside + open_ <= 1, "two boxes have a datagram in common"
        here = True if inside else None if open_ else False
        counts[here] += 1
        wrong += here is not truth(answer, wanted, layer)
    return wrong, counts[True], counts[None], counts[False]


def agrees(name: str, seeds: range) -> None:
    totals = [0, 0, 0]
    for seed in seeds:
        rng = random.Random(f"{name} {seed}")
        policy = made(rng, name)
        wrong, *counts = disagreements(policy, name, rng)
        assert not wrong, f"{name}, seed {seed}: {policy}"
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
    assert totals[0] + totals[1] and totals[2], totals


@pytest.mark.parametrize("name", ASKED)
def test_search_agrees_with_whatif_on_every_point(name: str) -> None:
    agrees(name, range(POLICIES))


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_search_agrees_with_whatif_on_many_policies(name: str) -> None:
    agrees(name, range(100, 160))


# --- real questions


def boxes(found: Search) -> list[list[tuple[str, object, bool]]]:
    return [
        [(each.dimension, each.numbers or each.names, each.all_but) for each in box.ranges]
        for part in found.parts
        for box in part.boxes
    ]


def test_the_kill_switch_lets_the_tunnel_out_and_nothing_else_not_even_dhcp() -> None:
    found = search(read_policy(CASES / "26-kill-switch.toml"), "sent")
    tunnel = int(ipaddress.IPv4Address("198.51.100.7"))
    assert found.complete
    assert boxes(found) == [[("remote_port", ((51820, 51820),), False), ("remote_address", ((tunnel, tunnel),), False)]]
    dhcp = search(read_policy(CASES / "26-kill-switch.toml"), "blocked", from_="0.0.0.0:68", to="255.255.255.255:67")
    (part,) = dhcp.parts
    assert dhcp.complete and part.group and [box.ranges for box in part.boxes] == [()]


def test_the_dns_block_stops_loopback_too() -> None:
    policy = read_policy(CASES / "24-block-outside-dns.toml")
    found = search(policy, "blocked-at ALE_AUTH_CONNECT", loopback=True)
    assert found.complete and boxes(found) == [[("remote_port", ((53, 53),), False)]]
    above = read_policy(CASES / "24-permit-in-the-same-sublayer.toml")
    assert boxes(search(above, "blocked", loopback=True)) == []
    assert boxes(search(above, "blocked")) == [[("remote_port", ((53, 53),), False)]] * 2


def test_both_ends_on_one_address_stay_on_the_host_and_are_not_asked_with_the_wire() -> None:
    with pytest.raises(FsmError, match="both ends are one address"):
        search(Policy(), "sent", from_="192.0.2.1", to="192.0.2.1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"from_": "10.0.0.0/33"}, "is no range of addresses"),
        ({"to": "*:70000"}, "no ports 70000"),
        ({"to": "*:9-5"}, "the lower one first"),
        ({"from_": "10.0.0.1", "to": "[2001:db8::1]"}, "Give both in one IP version"),
        ({"from_": "224.0.0.1"}, "no datagram has these ends"),
        ({"outcome": "delivred"}, "Did you mean 'delivered'"),
        ({"outcome": "blocked-at"}, "needs a layer"),
        ({"outcome": "blocked-at ALE_AUTH_CONECT"}, "ALE_AUTH_CONNECT"),
        ({"outcome": "sent", "layer": "ALE_AUTH_CONNECT"}, "a layer belongs to blocked-at"),
        ({"undeclared_callouts": "block"}, "unknown"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(words: dict[str, str], said: str) -> None:
    outcome = words.pop("outcome", "sent")
    with pytest.raises(FsmError, match=re.escape(said)) as refused:
        search(Policy(), outcome, **words)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_space_beyond_the_limit_is_not_known() -> None:
    policy = read_policy(CASES / "26-kill-switch.toml")
    found = search(policy, "sent", limit_nodes=0)
    assert not found.complete and not found.parts[0].complete and found.parts[0].boxes == ()
    assert search_text(found).startswith("Not known")


def test_what_nobody_described_is_open_with_its_question_and_never_a_guess() -> None:
    state = Policy(
        (Filter("{f}", "inspects", LAYERS[0], "", "CALLOUT_TERMINATING", callout="{c}"),),
        callouts=(Callout("{c}", "c", LAYERS[0], True),),
    )
    found = search(state, "sent", to="192.0.2.0/24:53")
    (part,) = found.parts
    assert not found.complete and not part.boxes
    assert [box.open for box in part.open_boxes] == [
        ("ALE_AUTH_CONNECT_V4, 'inspects': what its callout answers is not declared",)
    ]
    assert "open" in search_text(found)
    assert search(state, "sent", to="192.0.2.0/24:53", undeclared_callouts="permit").complete


def test_filters_of_one_weight_that_say_different_things_are_noted() -> None:
    both = tuple(
        Filter(f"{{{action}}}", action, LAYERS[0], "", action, effective_weight=7) for action in ("PERMIT", "BLOCK")
    )
    found = search(Policy(both), "sent")
    assert [(one.name, other.name) for _, one, other in found.parts[0].by_rule] == [("PERMIT", "BLOCK")]
    assert "which comes first is not documented" in " ".join(search_text(found).split())
    remarks = whatif(Policy(both), from_="192.0.2.1:1", to="192.0.2.2:2").remarks
    assert any("other way round ALE_AUTH_CONNECT_V4 says block" in remark for remark in remarks)


def test_the_command_prints_text_and_json() -> None:
    arguments = [
        "search",
        str(CASES / "26-kill-switch.toml"),
        "--outcome",
        "blocked-at",
        "ALE_AUTH_CONNECT",
        "--to",
        "*:53",
    ]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.stdout.startswith("Blocked at ALE_AUTH_CONNECT"), done.stdout
    assert done.stdout.isascii()
    got = json.loads(CliRunner().invoke(cli, [*arguments, "--format", "json"]).stdout)
    assert got["complete"] is True and got["parts"][0]["boxes"]
    assert fsm.search is search


@pytest.mark.skipif(not STATE.is_file(), reason="the recorded state is not here")
def test_boxes_of_the_real_state_say_what_whatif_says_of_their_examples() -> None:
    state = read_policy(STATE)
    for outcome, event in (("blocked", "receive"), ("blocked", "sendto")):
        found = search(state, outcome, event=event)
        assert any(part.boxes for part in found.parts)
        for part in found.parts:
            for box in (*part.boxes[::6], *part.open_boxes[::6]):
                answer = whatif(
                    state,
                    from_=box.example.from_,
                    to=box.example.to,
                    event=event,
                    circumstances=box.example.circumstances,
                )
                assert truth(answer, outcome, "") is (True if box in part.boxes else None)


def test_the_program_that_a_policy_file_names_with_its_drive_is_found_and_told_by_example() -> None:
    example = read_policy(str(Path(__file__).parent / "data" / "policies" / "example.toml"))
    found = search(example, "sent")
    tunnel = found.parts[0].boxes[0].example
    assert (tunnel.from_, tunnel.to) == ("192.0.2.1:50000", "192.0.2.2:443")
    assert tunnel.circumstances.program == "c:\\program files\\example\\vpn.exe"
    played = whatif(example, from_=tunnel.from_, to=tunnel.to, circumstances=tunnel.circumstances)
    assert played.outcome == "sent"
    assert "and not one address at both" in search_text(found)
