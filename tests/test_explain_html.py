"""A log as a page with a slider: what is in it, what is left out, and that the log stays text in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Opened, browser, chromium
from click.testing import CliRunner, Result
from explain_records import DATA, connect, drop, numbered

from fsm.cli import cli
from fsm.explain.explainer import Explainer
from fsm.explain.to_page import PageEvents, log_page
from fsm.placement import place

MADE = DATA / "explain-policy"
LSASS = DATA / "lsass_udp_drops.json"


def explain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["explain", *map(str, arguments)], catch_exceptions=False)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def page_of(limit: int, *events: Any) -> tuple[str, PageEvents]:
    kept, explainer = PageEvents(limit), Explainer(place)
    for explained in explainer.run(numbered(*events)):
        kept.add(explained)
    return log_page(kept, explainer.account, ["folder/log.json"]), kept


def test_every_event_of_a_log_is_in_the_page(tmp_path: Path) -> None:
    file = tmp_path / "log.html"
    ran = explain(LSASS, "--html", file, "--format", "json")
    events = json.loads(ran.stdout)["events"]
    data = data_of(file.read_text(encoding="utf-8"))
    assert f"{file}: " in ran.stderr and "open it in a browser" in ran.stderr and "shown" not in ran.stderr
    assert len(data["events"]) == len(events)
    for shown, event in zip(data["events"], events, strict=True):
        assert shown["title"].startswith(f"{event['event_id']} {event['code']}: ")
        assert (shown["time"], shown["state"]) == (event["time"], event["state"] or "")
        assert event["text"] in shown["text"] and event["next_check"] in shown["text"]
        (step,) = shown["steps"]
        assert (step["layer"], step["verdict"], step["rule"]) == (event["layer"], event["verdict"], event["rule"] or "")
        assert (shown["level"] == "good") == (event["verdict"] == "permit")
    assert file.stat().st_size < 2_000_000


def test_the_page_needs_no_network(tmp_path: Path) -> None:
    file = tmp_path / "log.html"
    explain(MADE / "log.json", "--html", file)
    page = file.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_what_is_left_out_is_told_and_what_was_refused_goes_first() -> None:
    allowed = [connect(source=f"192.0.2.43:{port}", at=0.1 * port) for port in range(1, 9)]
    dropped = [drop(source=f"198.51.100.7:{port}", at=2.0 + 0.1 * port) for port in range(1, 5)]
    page, kept = page_of(6, *allowed, *dropped)
    shown = data_of(page)["events"]
    assert [event["title"].split()[1] for event in shown] == ["permitted_connect:"] * 2 + ["no_listener:"] * 4
    said = "6 of 12 records are shown: all of 4 that were not allowed, and the first 2 of 8 that were"
    assert kept.left_out() == said and said in data_of(page)["head"]["subtitle"]
    _, fewer = page_of(3, *allowed, *dropped)
    said = "3 of 12 records are shown: the first 3 of 4 that were not allowed, and the first 0 of 8 that were"
    assert fewer.left_out() == said
    _, every = page_of(12, *allowed, *dropped)
    assert every.left_out() == "" and len(every.chosen()) == 12


def test_a_program_of_a_log_is_text_and_nothing_else() -> None:
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    page, _ = page_of(5, connect(application=f"c:\\{bad}.exe", host=bad))
    assert page.count("<script") == 2 and "onerror=alert" not in page.replace("\\u003c", "<").split('id="data"')[0]
    assert "<img" not in page


def test_the_filters_of_a_policy_are_named_where_it_fits(tmp_path: Path) -> None:
    file = tmp_path / "log.html"
    explain(MADE / "log.json", "--policy", MADE / "state.xml", "--html", file)
    data = data_of(file.read_text(encoding="utf-8"))
    assert "policy state.xml: fits" in data["head"]["subtitle"]
    assert "Filter 117066 'WSH Default Inbound Block' (block)" in data["events"][3]["text"]
    explain(MADE / "other-boot.json", "--policy", MADE / "state.xml", "--html", file)
    data = data_of(file.read_text(encoding="utf-8"))
    assert "policy state.xml: does not fit" in data["head"]["subtitle"]
    assert not any("Filter 116027" in event["text"] for event in data["events"])


def test_a_log_without_events_makes_no_page(tmp_path: Path) -> None:
    file = tmp_path / "log.html"
    ran = explain(DATA / "wfp-netevents" / "uwp_case4_drop.xml", "--html", file)
    assert ran.exit_code == 0 and not file.exists()
    assert "not written, no record is about a datagram or socket other than TCP's" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--html", "no/such/folder/x.html"), "--html no/such/folder/x.html: no folder 'no/such/folder'"),
        (("--html", "x.html", "--evidence-report"), "--html: the page shows events"),
        (("--html", "."), "--html .: this is a folder. Name a file in it."),
        (("--diagram", "x.xyz"), "--diagram x.xyz: no format has the ending '.xyz'"),
        (("--diagram", "no/such/folder/x.svg"), "--diagram no/such/folder/x.svg: no folder"),
    ],
)
def test_a_page_that_cannot_be_made_is_refused_before_reading(arguments: tuple[str, ...], said: str) -> None:
    ran = CliRunner().invoke(cli, ["explain", str(LSASS), *arguments])
    assert ran.output == "" and said in str(ran.exception)


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="no Chromium here")
def test_the_page_steps_through_the_log_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "log.html"
    explain(MADE / "log.json", "--policy", MADE / "state.xml", "--html", file)
    with browser() as running:
        opened = Opened(running, file)
        opened.page.click("#last")
        assert opened.page.inner_text("#event-title").startswith("5156 permitted_connect")
        opened.page.click("#first")
        opened.page.click("#forward")
        assert opened.page.inner_text("#where").startswith("Event 2 of 6")
        assert opened.page.get_attribute("#ladder .rung", "data-layer") == "FWPM_LAYER_ALE_AUTH_CONNECT_V4"
        opened.close()
