"""The filters behind the ids of a log: named where the policy is that of the log, and refused where it is not."""

# Tables are read across.
# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from explain_records import DATA, EVIDENCE, accept, bind, connect, drop, numbered, record

from fsm.cli import cli
from fsm.explain.explainer import Explainer
from fsm.explain.filters import LIMIT_IDS, FilterBook, Fit
from fsm.logs import LogEvent
from fsm.placement import place
from fsm.policy.model import Callout, Filter, LayerEntry, Policy, Provider, ProviderContext, Sublayer
from fsm.policy.read import read_policy

MADE = DATA / "explain-policy"
STATE = MADE / "state.xml"
REAL_STATE = EVIDENCE / "wfp-state" / "keploy_wfpstate.xml.gz"
REAL_LOGS = sorted((EVIDENCE / "security-json").glob("*")) + sorted((EVIDENCE / "security-evtx").glob("*"))
evidence = pytest.mark.skipif(not REAL_STATE.is_file(), reason="the recordings are not here")


def one(number: int, layer: str = "ALE_AUTH_CONNECT_V4", action: str = "PERMIT", **more: Any) -> Filter:
    return Filter(f"{{key-{number}}}", f"name {number}", f"FWPM_LAYER_{layer}", "{s}", action, filter_id=number, **more)


POLICY = Policy(
    (
        one(10, provider="{p}", provider_context="{x}"),
        one(20, "ALE_AUTH_RECV_ACCEPT_V4", "BLOCK"),
        one(30, "INBOUND_TRANSPORT_V4_DISCARD", "CALLOUT_TERMINATING", callout="{c}"),
        Filter("{no id}", "no id", "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "{s}", "BLOCK"),
    ),
    (Sublayer("{s}", "the sublayer", 1),),
    (Callout("{c}", "the callout", "FWPM_LAYER_INBOUND_TRANSPORT_V4_DISCARD"),),
    (Provider("{p}", "the provider"),),
    contexts=(ProviderContext("{x}", "a context", data="Stealth".encode("utf-16-le").hex()),),
    source="state.xml",
)


def book(*events: LogEvent, policy: Policy = POLICY) -> FilterBook:
    filters = FilterBook(policy)
    list(Explainer(place, filters=filters).run(numbered(*events)))
    return filters


def fit(*events: LogEvent, policy: Policy = POLICY) -> Fit:
    (found,) = book(*events, policy=policy).fits.values()
    return found


# what the records are, what the ids come to (fits, contradicts, absent, unchecked), the verdict
FITS: list[tuple[str, list[LogEvent], tuple[int, int, int, int], str]] = [
    ("layer and action", [connect(filter_id=10)], (1, 0, 0, 0), "fits"),
    ("a callout can do either", [drop(filter_id=30)], (1, 0, 0, 0), "fits"),
    ("another layer", [connect(filter_id=20)], (0, 1, 0, 0), "does not fit"),
    ("a permit that blocks", [connect(event_id=5157, filter_id=10)], (0, 1, 0, 0), "does not fit"),
    ("a block that permits", [accept(filter_id=20)], (0, 1, 0, 0), "does not fit"),
    ("no such id", [connect(filter_id=11)], (0, 0, 1, 0), "does not fit"),
    ("no filter at all", [bind(500)], (0, 0, 0, 0), "cannot tell"),
    ("a contradiction stays", [accept(filter_id=10), connect(filter_id=10, at=1.0)], (0, 1, 0, 0), "does not fit"),
    ("some are gone", [connect(filter_id=10), drop(filter_id=31)], (1, 0, 1, 0), "fits"),
    ("most are gone", [connect(filter_id=n) for n in (10, 11, 12)], (1, 0, 2, 0), "cannot tell"),
    ("one of three is another", [connect(filter_id=10), drop(filter_id=30), accept(filter_id=20)], (2, 1, 0, 0), "cannot tell"),
    ("a veto has no action", [connect(event_id=5153, filter_id=10)], (1, 0, 0, 0), "fits"),
    ("a filter of the same key", [record(5447, 48, filter_id=10, protocol=None, extra={"FilterKey": "{KEY-10}"})], (1, 0, 0, 0), "fits"),
    ("a filter of another key", [record(5447, 48, filter_id=10, protocol=None, extra={"FilterKey": "key-9"})], (0, 1, 0, 0), "does not fit"),
    ("nothing to compare", [record(5447, None, filter_id=10, protocol=None)], (0, 0, 0, 1), "cannot tell"),
    ("other filters of a net event",
     [record(None, 48, filter_id=10, event_type="CLASSIFY_ALLOW", extra={"terminatingFiltersInfo": json.dumps(
         [{"filterId": "10", "actionType": "FWP_ACTION_PERMIT"}, {"filterId": "20", "actionType": "FWP_ACTION_PERMIT"}])})],
     (1, 1, 0, 0), "does not fit"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "counts", "verdict"), [c[1:] for c in FITS], ids=[c[0] for c in FITS])
def test_ids_are_compared_by_layer_action_and_key(
    events: list[LogEvent], counts: tuple[int, int, int, int], verdict: str
) -> None:
    found = fit(*events)
    assert tuple(found.count(name) for name in ("fits", "contradicts", "absent", "unchecked")) == counts
    assert found.verdict == verdict
    assert len(found.contradictions) == counts[1]


def test_the_numbers_of_layers_are_those_of_the_dump() -> None:
    """Layer ids move between builds; the dump says its own."""
    moved = Policy(POLICY.filters, layers=(LayerEntry("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "x", 200),))
    assert fit(connect(layer=200, filter_id=10), policy=moved).verdict == "fits"


def test_hosts_are_judged_apart() -> None:
    found = book(connect(filter_id=10, host="A"), connect(filter_id=77, host="B"))
    assert {one.host: one.verdict for one in found.fits.values()} == {"A": "fits", "B": "does not fit"}
    assert [seen.filter_id for _, _, seen in found.decided()] == [10]


def test_incidents_are_counted_and_a_pair_is_one() -> None:
    pair = [accept(event_id=5152, filter_id=20), accept(event_id=5157, filter_id=20)]
    found = book(*pair, connect(filter_id=10, at=5.0), connect(filter_id=10, at=9.0))
    assert [(count, seen.filter_id) for _, count, seen in found.decided()] == [(2, 10), (1, 20)]


def test_everything_behind_a_filter_is_named() -> None:
    found = book(connect(filter_id=10), drop(filter_id=30))
    texts = [seen.text() for _, _, seen in found.decided()]
    assert texts == [
        "10 'name 10' (permit), sublayer the sublayer, provider the provider, origin 'Stealth'",
        "30 'name 30' (callout_terminating), sublayer the sublayer, callout the callout",
    ]


def test_ids_that_are_kept_are_bounded() -> None:
    filters = FilterBook(POLICY)
    for number in range(LIMIT_IDS + 5):
        filters.meet(connect(filter_id=1000 + number), "host")
    (found,) = filters.fits.values()
    assert (len(found.findings), found.left_out) == (LIMIT_IDS, 5)


# --- the command


def explain(*arguments: str | Path) -> str:
    ran = CliRunner().invoke(cli, ["explain", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_made_log_fits_the_made_state() -> None:
    text = " ".join(explain(MADE / "log.json", "--policy", STATE).split())
    assert "3 filter ids in the log: 3 fit fits: layer, action or key of the filters agree with the records" in text
    assert "2 116027 'Default Outbound' (permit), sublayer WFP Built-in MPSSVC Windows Firewall Sublayer" in text
    assert "callout WFP Built-in Silent Drop Transport v4 Discard Layer Callout, origin 'Stealth'" in text
    assert "filter 117066 'WSH Default Inbound Block' (block)" in text  # in the example of its group


def test_json_has_the_filter_of_each_event_and_the_verdict() -> None:
    plain = json.loads(explain(MADE / "log.json", "--format", "json"))
    out = json.loads(explain(MADE / "log.json", "--format", "json", "--policy", STATE))
    assert "policy" not in plain and all("filter" not in event for event in plain["events"])
    for before, event in zip(plain["events"], out["events"], strict=True):
        named = event.pop("filter")
        assert event == before  # old keys are unchanged
        assert (named is None) == (not event["filter_id"])
        assert named is None or (named["id"], named["finding"]) == (event["filter_id"], "fits")
    (host,) = out["policy"]["hosts"]
    assert (host["verdict"], host["ids"], host["fits"]) == ("fits", 3, 3)
    assert [(one["id"], one["incidents"]) for one in out["policy"]["decided"]] == [
        (116027, 2),
        (117089, 1),
        (117066, 1),
    ]
    assert out["policy"]["decided"][1]["origin"] == "Stealth"
    by_id = {one.filter_id: one for one in read_policy(STATE).filters}
    for named in out["policy"]["decided"]:
        assert (named["name"], named["layer"]) == (by_id[named["id"]].name, by_id[named["id"]].layer)


def test_a_real_net_event_fits_the_filter_that_was_published_with_it() -> None:
    """121180 of the two was recorded on one machine; 121165, which the event names too, was not published."""
    text = explain(DATA / "wfp-netevents" / "uwp_case4_drop.xml", "--policy",
                   DATA / "wfp-netevents" / "uwp_filter_121180.xml")  # fmt: skip
    assert "  2 filter ids in the log: 1 fit, 1 are not in it" in text
    made = explain(MADE / "udp-by-121180.xml", "--policy", DATA / "wfp-netevents" / "uwp_filter_121180.xml")
    assert "1  121180 'Block Outbound Default Rule' (block), sublayer FWPM_SUBLAYER_MPSSVC_WSH" in made


def test_another_boot_is_told_and_no_filter_is_named() -> None:
    text = explain(MADE / "other-boot.json", "--policy", STATE)
    assert "does not fit: filters of the same ids are others there" in text
    assert "filter 116027 is at ALE_AUTH_CONNECT_V4, the record at ALE_AUTH_RECV_ACCEPT_V4 (record 1 of" in text
    assert "Default Outbound" not in text
    out = json.loads(explain(MADE / "other-boot.json", "--policy", STATE, "--format", "json"))
    assert [event["filter"]["name"] for event in out["events"]] == [None, None, None]
    assert {one["name"] for one in out["policy"]["decided"]} == {None}


@evidence
def test_no_real_log_fits_the_real_state_of_another_machine() -> None:
    filters = FilterBook(read_policy(REAL_STATE))
    from fsm.logs import read

    list(Explainer(place, filters=filters).run(read(REAL_LOGS)))
    judged = {one.host: one for one in filters.fits.values() if one.findings}
    assert len(judged) > 10
    assert {one.verdict for one in judged.values()} == {"does not fit"}
    assert list(filters.decided()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "nowhere.xml"), "nowhere.xml: cannot be opened"),
        (("--policy", DATA / "cases" / "25-interface.toml"), "no filter in it has a run-time id"),
        (("--policy", STATE, "--evidence-report"), "--policy: the evidence report names no filters"),
    ],
)
def test_a_policy_that_cannot_be_used_is_one_line(arguments: tuple[Any, ...], said: str) -> None:
    ran = CliRunner().invoke(cli, ["explain", str(MADE / "log.json"), *map(str, arguments)])
    assert ran.output == "" and said in str(ran.exception)
