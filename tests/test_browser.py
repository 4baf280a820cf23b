"""The stepper's page in an installed Chromium: it runs as Python runs, and does what a reader asks of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Opened, browser, chromium

from fsm.choices import CHOICES, Config, configure
from fsm.claims import always_before
from fsm.errors import FsmError
from fsm.flows import FLOWS, flow_config, run_flow
from fsm.names import ENDPOINTS, VERDICTS
from fsm.page import TraceEvent, TraceStep, endpoint_page, session_page, trace_page
from fsm.page.finding import finding_page
from fsm.session import make_session
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import SessionSystem
from fsm.stepper.token import sealed
from fsm.stepper.walk import Walk
from fsm.stimuli import STIMULI

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed here"),
    # Playwright's own event loop outlives what it was made for.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

WALKS, LENGTH = 40, 250
CONFIGS = {
    "default": Config(),
    "ip6-vista": configure(ip=6, windows="vista"),
    "documented-dual-stack": configure(evidence="documented", assume={"dual_stack": "yes"}),
    "observed-8-echo": configure(evidence="observed", windows="8", assume={"protocol": "icmp_echo"}),
}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@lru_cache(maxsize=64)
def written(folder: Path, endpoint: str, config: Config) -> Path:
    """The page of an endpoint or of the default session as a file."""
    path = folder / f"{endpoint}-{abs(hash(config))}.html"
    if endpoint == "session":
        text = session_page(Walk(SessionSystem(make_session(config=config))))
    else:
        text = endpoint_page(Walk(EndpointSystem(endpoint, config)))
    path.write_text(text, encoding="utf-8")
    return path


class Stepper:
    """Opens pages of this browser and folder; closing them checks that they asked for nothing and were silent."""

    def __init__(self, chrome: Any, folder: Path) -> None:
        self.chrome, self.folder = chrome, folder
        self.opened: list[Opened] = []

    def __call__(self, endpoint: str, config: Config | None = None, fragment: str = "", **context: Any) -> Opened:
        opened = Opened(self.chrome, written(self.folder, endpoint, config or Config()), fragment, **context)
        self.opened.append(opened)
        return opened


@pytest.fixture
def stepper(chrome: Any, folder: Path) -> Iterator[Stepper]:
    made = Stepper(chrome, folder)
    yield made
    for opened in made.opened:
        opened.close()


# ---- the same walks in Python, on the live machine and in the browser


def random_script(system: EndpointSystem, length: int, seed: int) -> list[str]:
    """Moves of any kind: possible and impossible ones, of several peers, and time that passes."""
    rng = random.Random(seed)
    place, script = system.start(), []
    stimuli = system.table.view.stimuli
    while len(script) < length:
        moves = system.moves(place)
        if not moves:
            move = "reset"
        elif system.layer(place) or rng.random() < 0.35:
            move = rng.choice(moves) if rng.random() < 0.95 else rng.choice((*VERDICTS, *stimuli))
        elif rng.random() < 0.2:
            move = f"wait:{rng.choice((1, 3, 4, 30, 60, 61))}"
        else:
            move = rng.choice(stimuli)
            if STIMULI[move].with_peer and (peer := rng.choice("ABC")) != "A":
                move = f"{move}@{peer}"
        script.append(move)
        if move == "reset":
            place = system.start()
            continue
        with suppress(FsmError):
            place, _ = system.take(place, move)
    return script


def followed(system: EndpointSystem, script: list[str]) -> list[Any]:
    """What the probe `follow` gives, from Python."""
    place: Any = system.start()
    seen: list[Any] = []
    for move in script:
        if move == "reset":
            place = system.start()
            seen.append(None)
            continue
        done, steps = True, ()
        try:
            place, steps = system.take(place, move)
        except FsmError:
            done = False
        seen.append(
            [
                done,
                system.state(place),
                system.layer(place),
                place.peer,
                place.now_s,
                [[s.layer, s.verdict, s.rule, list(s.flags), s.from_state, s.to_state] for s in steps],
                list(system.moves(place)),
                [list(pair) for pair in system.refusals(place)],
                [list(map(list, records)) for records in (place.flows, place.touched_s, place.reasons)],
                place.window_touched_s,
                place.connected_to,
                place.connecting_to,
            ]
        )
    return seen


def compare(mine: list[Any], theirs: list[Any], script: list[str]) -> None:
    assert len(mine) == len(theirs)
    for at, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        assert one == other, f"move {at}: {script[max(0, at - 5) : at + 1]}"


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_walks_with_peers_waits_and_refused_moves_are_the_same(stepper: Stepper, endpoint: str, config: Config) -> None:
    system, live = (EndpointSystem(endpoint, config, engine) for engine in ("table", "live"))
    opened = stepper(endpoint, config)
    for begin in range(0, WALKS, 10):
        scripts = [random_script(system, LENGTH, seed) for seed in range(begin, begin + 10)]
        results = opened.probe("follow", scripts)
        for number, (script, seen) in enumerate(zip(scripts, results, strict=True)):
            compare(followed(system, script), seen, script)
            if begin == 0 and number < 2:
                compare(followed(live, script), seen, script)


def test_moves_are_listed_for_the_peer_in_focus_and_the_focus_comes_back(stepper: Stepper) -> None:
    """`sendto@B` is listed as such while B is in focus; a bare word means A, and time leaves the focus where it is."""
    system = EndpointSystem("sender")
    script = ["bind", "permit", "permit", "datagram", *["permit"] * 5, "sendto@B", *["permit"] * 7]
    script += ["wait:1", "policy_change", "sendto@B", "wait:2", "datagram@C", *["permit"] * 5, "interface_change"]
    script += [
        "icmp_error@C",
        "permit",
        "permit",
        "wait:61",
        "wait:61",
        "connect_other@B",
        "pend",
        "connect@B",
        "complete@B",
    ]
    mine = followed(system, script)
    compare(mine, stepper("sender").probe("follow", [script])[0], script)
    focus = [seen[3] for seen in mine]
    assert [focus[script.index(move)] for move in ("sendto@B", "wait:1", "policy_change", "wait:2")] == [
        "B",
        "B",
        "A",
        "B",
    ]
    moves = mine[script.index("wait:1")][6]
    assert {"sendto@B", "datagram@B", "close", "policy_change"} <= set(moves)
    assert not {"sendto", "datagram"} & set(moves)
    for word in moves:
        move = ["bind", "permit", "permit", "sendto@B", *["permit"] * 8, word]
        compare(followed(system, move), stepper.opened[0].probe("follow", [move])[0], move)


def walked(walk: Walk, steps: int, seed: int) -> list[Any]:
    """What the probe `random` gives, from Python."""
    system = walk.system
    return [
        [
            node.move,
            system.state(node.place),
            [step.layer for step in node.steps],
            list(system.moves(node.place)),
            [list(pair) for pair in system.refusals(node.place)],
        ]
        for node in walk.random(steps, seed)
    ]


@pytest.mark.parametrize("engine", ["table", "live"])
@pytest.mark.parametrize(("endpoint", "steps"), [("sender", 10_000), ("receiver", 2_000), ("dropped_port", 1_000)])
def test_a_seeded_random_walk_is_the_same(stepper: Stepper, endpoint: str, steps: int, engine: str) -> None:
    mine = walked(Walk(EndpointSystem(endpoint, engine=engine)), steps, 20_240_501)
    theirs = stepper(endpoint).probe("random", [steps, 20_240_501])
    assert len(theirs) == steps
    assert theirs == mine


@pytest.mark.parametrize("seed", [0, 1, 4_294_967_295])
def test_the_buttons_of_a_random_walk_do_what_python_does(stepper: Stepper, seed: int) -> None:
    walk = Walk(EndpointSystem("sender"))
    walk.random(60, seed)
    opened = stepper("sender")
    opened.page.fill("#steps", "60")
    opened.page.fill("#seed", str(seed))
    opened.page.click("#random")
    assert opened.token == walk.token_at(walk.at)


def test_a_random_walk_through_a_session_is_the_same(stepper: Stepper) -> None:
    mine = walked(Walk(SessionSystem(make_session())), 2_000, 7)
    assert stepper("session").probe("random", [2_000, 7]) == mine


# ---- the documented flows, clicked through


@pytest.mark.parametrize("name", FLOWS)
def test_a_documented_flow_clicked_through_fires_the_same_layers(stepper: Stepper, name: str) -> None:
    flow = FLOWS[name]
    config = flow_config(flow, Config())
    run = run_flow(name)
    opened = stepper(flow.runs_on, config)
    for word in flow.setup:
        opened.click_move(word)
    before = len(opened.ladder)
    opened.manual(True)
    for word, record in zip(flow.stimuli, run.own_records, strict=False):
        opened.click_move(word)
        for step in record.classified:
            assert f"FWPM_LAYER_{opened.waiting}" == step.layer
            opened.click_move(step.verdict)
    assert opened.ladder[before:] == [(one.step.layer, one.step.verdict) for one in run.steps]
    assert opened.state["stimulus"] == "none"


# ---- verdicts by hand


def ways_to_layers(endpoint: str, words: tuple[str, ...]) -> list[tuple[str, str]]:
    """The token of the place before each layer on the way, and that layer."""
    walk = Walk(EndpointSystem(endpoint), manual=True)
    found = []
    for word in words:
        walk.choose(word)
        while walk.layer:
            found.append((walk.token_at(walk.at), walk.layer))
            walk.choose("permit")
    return found


PATHS = [
    (endpoint, token, layer)
    for endpoint, words in (
        ("sender", ("bind", "sendto", "datagram", "icmp_error", "policy_change", "sendto")),
        ("receiver", ("bind", "datagram", "sendto")),
        ("dropped_port", ("datagram",)),
    )
    for token, layer in ways_to_layers(endpoint, words)
]


@pytest.mark.parametrize(("endpoint", "token", "layer"), PATHS, ids=[f"{n}-{p[2][11:]}" for n, p in enumerate(PATHS)])
def test_a_block_at_each_layer_goes_the_models_way(stepper: Stepper, endpoint: str, token: str, layer: str) -> None:
    walk = Walk.from_token(token)
    opened = stepper(endpoint, fragment=token)
    assert f"FWPM_LAYER_{opened.waiting}" == walk.layer == layer
    assert opened.moves == list(walk.moves)
    assert opened.refusals == sorted(walk.refused)
    if "block" not in walk.moves:
        assert dict(opened.refusals)["block"]
        return
    walk.choose("block")
    opened.click_move("block")
    opened.page.wait_for_function("!page.walk.layer")
    assert opened.ladder == [(step.layer, step.verdict) for step in walk.ladder]
    assert opened.state["position"] == walk.values["position"]
    assert opened.token == walk.token_at(walk.at)
    if walk.outcome():
        assert walk.outcome() in opened.page.inner_text("#outcome")


def test_a_ticked_layer_stops_an_automatic_run(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.click_move("bind")
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("auth connect")
    shown = opened.page.locator("#layers li:visible")
    assert shown.evaluate_all("all => all.map(one => one.dataset.layer)") == [
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4",
        "FWPM_LAYER_ALE_AUTH_CONNECT_V4_DISCARD",
    ]
    opened.page.check('#layers [data-layer="FWPM_LAYER_ALE_AUTH_CONNECT_V4"] input')
    opened.click_move("sendto")
    assert opened.waiting == "ALE_AUTH_CONNECT_V4"
    opened.click_move("block")
    assert opened.ladder[-2:] == [
        ("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "block"),
        ("FWPM_LAYER_ALE_AUTH_CONNECT_V4_DISCARD", "permit"),
    ]
    opened.page.fill("#search", "48")
    assert shown.count() == 1
    opened.page.fill("#search", "no such layer")
    assert opened.page.locator("#no-layer").is_visible()


# ---- history


def test_back_forward_fork_switch_and_reset(stepper: Stepper) -> None:
    opened, page = stepper("sender"), None
    page = opened.page
    opened.click_move("bind")
    opened.click_move("sendto")
    whole, end = opened.ladder, opened.token
    page.click("#undo")
    assert opened.waiting == "BOUND/NONE"
    for _ in range(2):
        page.click("#forward")
    assert opened.waiting == "ALE_AUTH_CONNECT_V4"
    page.click("#fork")
    assert page.locator("#branches").input_value() == "branch2"
    opened.click_move("block")
    blocked = opened.ladder
    assert blocked[-2][1] == "block"
    page.select_option("#branches", "main")
    assert opened.ladder == whole
    assert opened.token == end
    page.select_option("#branches", "branch2")
    assert opened.ladder == blocked
    page.keyboard.press("b")
    assert opened.ladder == blocked[:-1]
    page.keyboard.press("ArrowRight")
    assert opened.ladder == blocked
    page.click("#reset")
    assert opened.ladder == []
    assert page.locator("#back").is_disabled()
    page.locator("#history .branch", has_text="block").click()
    assert opened.ladder == blocked


def test_branches_are_those_of_the_python_walk(stepper: Stepper) -> None:
    walk = Walk(EndpointSystem("sender"))
    opened = stepper("sender")
    for action in ("bind", "sendto", *["back"] * 5, "block", "back", "back", "absorb", "fork", "close"):
        if action in ("back", "fork"):
            getattr(walk, action)()
            opened.page.click(f"#{action}")
        else:
            walk.choose(action)
            opened.click_move(action)
    told = opened.page.evaluate("[...page.walk.branches].map(([name, end]) => [name, end.number])")
    assert told == [list(item) for item in walk.branches.items()]
    assert opened.page.evaluate("page.walk.branch") == walk.branch


def test_a_rung_leads_back_to_its_layer_and_another_verdict_makes_a_branch(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.click_move("bind")
    opened.click_move("sendto")
    opened.page.click('#ladder [data-layer="FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"]')
    assert opened.waiting == "ALE_AUTH_CONNECT_V4"
    opened.click_move("absorb")
    assert opened.ladder[-1] == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "absorb")
    assert opened.page.locator("#history .branch").count() >= 4


def test_the_slider_goes_through_the_branch_and_keeps_what_lies_ahead(stepper: Stepper) -> None:
    opened = stepper("sender")
    slider = opened.page.locator("#slider")
    assert slider.is_hidden()
    opened.click_move("bind")
    opened.click_move("sendto")
    whole, end = opened.ladder, opened.token
    count = int(str(slider.get_attribute("max")))
    assert slider.input_value() == str(count) == str(opened.page.evaluate("page.walk.at.depth"))
    slider.fill("4")
    assert opened.waiting == "ALE_CONNECT_REDIRECT_V4"
    assert slider.get_attribute("aria-valuetext") == f"4 of {count} steps: sendto"
    slider.fill("0")
    assert opened.ladder == []
    slider.fill(str(count))
    assert (opened.ladder, opened.token) == (whole, end)


def test_what_is_held_stands_at_the_layer_that_pended_it(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.click_move("bind")
    opened.manual(True)
    for move in ("sendto_group", "permit", "pend"):
        opened.click_move(move)
    assert opened.state["window"] == "pended"
    assert opened.waiting == "BOUND/group_pended/NONE"
    opened.click_move("complete_group")
    assert opened.waiting == "ALE_AUTH_CONNECT_V4"
    for move in ("permit", "permit", "sendto", "permit", "pend"):
        opened.click_move(move)
    assert opened.waiting == "BOUND/window/OUT_PENDED"
    assert opened.page.inner_text("#not-drawn") == ""
    opened.page.wait_for_timeout(800)
    assert opened.probe("framed", "position_send_authorize")


def test_what_changed_is_marked(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.click_move("bind")
    assert opened.page.eval_on_selector_all("#state .changed", "all => all.map(one => one.dataset.name)") == ["socket"]
    opened.click_move("sendto")
    assert opened.page.eval_on_selector_all("#state .changed", "all => all.map(one => one.dataset.name)") == ["flow"]
    assert opened.state["flow"] == "OUT"
    opened.click_move("wait:60")
    assert opened.state["flow"] == "NONE"
    assert opened.state["time"] == "60 s"


# ---- links


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "session"])
def test_a_link_opens_at_the_same_place(stepper: Stepper, endpoint: str) -> None:
    first = stepper(endpoint)
    first.page.evaluate("page.act(() => page.walk.random(30, 5))")
    second = stepper(endpoint, fragment=first.token)
    assert second.token == first.token
    assert second.ladder == first.ladder
    assert second.state == first.state
    assert second.moves == first.moves


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("endpoint", ["sender", "receiver", "session"])
def test_a_token_of_python_opens_at_its_place_and_the_other_way_round(
    stepper: Stepper, endpoint: str, seed: int
) -> None:
    walk = Walk(SessionSystem(make_session()) if endpoint == "session" else EndpointSystem(endpoint))
    if endpoint != "session":
        script = random_script(EndpointSystem(endpoint), 25, seed)
        for move in script:
            try:
                walk.choose(move)
            except FsmError:
                continue
    walk.random(10, seed)
    opened = stepper(endpoint, fragment=walk.token_at(walk.at))
    assert opened.token == walk.token_at(walk.at)
    assert opened.ladder == [(step.layer, step.verdict) for step in walk.ladder]
    mine = {name: value for name, value in walk.values.items() if name != "outcome"}
    assert {name: value for name, value in opened.state.items() if name in mine} == mine
    opened.page.evaluate("page.act(() => page.walk.random(10, 3))")
    again = Walk.from_token(opened.token)
    assert opened.ladder == [(step.layer, step.verdict) for step in again.ladder]


def test_equal_moves_in_a_row_are_counted_in_the_token(stepper: Stepper) -> None:
    walk = Walk(EndpointSystem("sender"))
    opened = stepper("sender")
    for word in ("bind", *["wait:61"] * 4, *["policy_change"] * 3, *["icmp_error@B"] * 2, "sendto@B"):
        walk.choose(word)
        opened.click_move(word)
    assert opened.token == walk.token_at(walk.at)
    assert "w61.4m3" in opened.token


def changed(token: str, change: Callable[[list[str]], list[str]]) -> str:
    """A token with other parts, and the check that belongs to them."""
    return sealed("_".join(change(token.split("_")[:-1])))


def test_a_link_of_another_model_is_told_and_replayed_only_when_asked(stepper: Stepper) -> None:
    walk = Walk(EndpointSystem("sender"))
    walk.choose("bind")
    fragment = changed(walk.token_at(walk.at), lambda parts: [parts[0], "00000000", *parts[2:]])
    opened = stepper("sender", fragment=fragment)
    notice = opened.page.locator("#notice")
    assert "model version 00000000" in notice.inner_text()
    assert walk.token_at(walk.at).split("_")[1] in notice.inner_text()
    assert opened.ladder == []
    notice.get_by_role("button", name="Replay").click()
    assert opened.ladder == [(step.layer, step.verdict) for step in walk.ladder]
    assert notice.is_hidden()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts: [*parts[:3], "6", *parts[4:]], "IP version 6 (here: 4)"),
        (lambda parts: [*parts[:2], "receiver", *parts[3:]], "system receiver (here: sender)"),
        (
            lambda parts: [*parts[:5], "observed.path.loopback", parts[6]],
            "evidence observed.path.loopback (here: base)",
        ),
        (lambda parts: [*parts[:-1], "b%zz"], "damaged: it is not written as addresses are"),
        (lambda parts: [*parts[:-1], "bpps!"], "no move is written '!'"),
        (lambda parts: [*parts[:-1], "bh"], "no move has the letter 'h'"),
        (lambda parts: [*parts[:-1], "bz"], "Only 1 of 2 steps"),
        (lambda parts: parts[:-1], "This link was cut off"),
        (lambda parts: ["wfp9", *parts[1:]], "This link is of format wfp9, and this page reads wfp2 only."),
        (lambda parts: ["event", *parts[1:]], "no token"),
    ],
)
def test_a_link_that_cannot_be_followed_says_why(stepper: Stepper, change: Any, said: str) -> None:
    opened = stepper("sender", fragment=changed(Walk(EndpointSystem("sender")).token_at(0), change))
    assert said in opened.page.inner_text("#notice")


def test_a_cut_or_changed_token_leads_nowhere_in_the_page_and_white_space_does_no_harm(stepper: Stepper) -> None:
    walk = Walk(EndpointSystem("sender"))
    for word in ("bind", "sendto@x-1_", "wait:61", "wait:61", "wait:61", "policy_change"):
        walk.choose(word)
    token = walk.token
    damaged = [token[:end] for end in range(len(token))]
    every = [*map(chr, range(33, 127)), "é", "\u200b"]
    damaged += [token[:at] + new + token[at + 1 :] for at, old in enumerate(token) for new in every if new != old]
    took = """all => all.filter(one => {
      try { readToken(one, HEAD); return true; } catch (error) { if (!(error instanceof NotPossible)) throw error; }
    })"""
    opened = stepper("sender")
    assert opened.page.evaluate(took, damaged) == []
    whole = [token, f" {token[:9]}\r\n{token[9:]}\n"]
    assert opened.page.evaluate(took, whole) == whole
    again = stepper("sender", fragment=f"{token[:9]}%0A{token[9:]}")
    assert again.token == token
    again.page.evaluate("location.hash = " + repr("#" + token[:-12]))
    notice = again.page.locator("#notice")
    notice.get_by_text("This link was cut off, or a character was changed").wait_for()
    assert token[-24:-12] in notice.inner_text()


def test_a_walk_that_is_too_long_for_a_link_leaves_none(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.page.evaluate(
        "for (let i = 0; i < 500; i++) for (const s of [1, 2]) page.walk.choose(`wait:${s}`); page.show()"
    )
    assert opened.token == ""
    opened.page.click("#share")
    assert "too long for a link" in opened.page.inner_text("#notice")
    assert opened.page.locator("#ladder .more").is_visible()


# ---- the diagram


def test_an_edge_and_a_badge_take_their_moves(stepper: Stepper) -> None:
    opened = stepper("sender")
    page = opened.page
    page.dispatch_event('[id="row_idle_bind_socket_UNBOUND_windows_7"]', "click")
    assert [layer for layer, _ in opened.ladder] == [
        "FWPM_LAYER_ALE_BIND_REDIRECT_V4",
        "FWPM_LAYER_ALE_RESOURCE_ASSIGNMENT_V4",
    ]
    opened.manual(True)
    opened.click_move("sendto")
    opened.click_move("permit")
    assert opened.waiting == "ALE_AUTH_CONNECT_V4"
    badge = page.locator('[data-line^="row_send_authorize_block"]').first
    assert "can" in str(badge.get_attribute("class"))
    badge.dispatch_event("click")
    assert opened.ladder[-1] == ("FWPM_LAYER_ALE_AUTH_CONNECT_V4", "block")


def test_the_current_place_and_the_path_are_marked(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.click_move("bind")
    opened.manual(True)
    opened.click_move("sendto")
    assert opened.page.locator(".halos .here").count() == 1
    assert opened.page.locator(".edge.on").count() >= 1
    assert opened.page.locator(".edge.was").count() >= 1
    opened.page.wait_for_timeout(800)  # it scrolls there
    assert opened.probe("framed", "position_send_redirect")


def test_a_box_shows_its_rules_with_citations_and_takes_one_by_the_keyboard(stepper: Stepper) -> None:
    opened = stepper("sender")
    page = opened.page
    page.locator("#stimulus_bind").focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#detail-title") == "bind"
    article = page.locator("#detail .rule").first
    assert "idle.bind[socket=UNBOUND" in article.inner_text()
    assert article.locator("a").first.get_attribute("href").startswith("https://learn.microsoft.com/")
    article.get_by_role("button", name="Take bind").click()
    assert len(opened.ladder) == 2


def test_a_way_between_states_runs_its_stimulus(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.page.dispatch_event('[id="run_UNBOUND_NONE_BOUND_OUT"]', "click")
    assert opened.waiting == "BOUND/OUT"


def test_tooltips_cite(stepper: Stepper) -> None:
    opened = stepper("sender")
    opened.page.hover('#moves [data-move="bind"]')
    tip = opened.page.locator("#tip")
    assert tip.is_visible()
    assert "documented: UDP Packet Flows (the base page)" in tip.inner_text()
    opened.page.mouse.move(0, 0)
    assert tip.is_hidden()
    opened.page.click('#moves [data-move="bind"]')
    opened.page.wait_for_timeout(300)
    assert tip.is_hidden()  # another button has come to lie under the pointer
    opened.page.hover('#moves [data-move="close"]')
    assert tip.is_visible()


def test_zoom_keeps_the_page_still(stepper: Stepper) -> None:
    opened = stepper("sender")
    for button in ("#fit", "#zoom-in", "#zoom-in", "#zoom-out"):
        opened.page.click(button)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1440
    opened.page.click("#fit")
    sizes = opened.page.evaluate(
        "(one => [one.scrollWidth, one.clientWidth, one.scrollHeight, one.clientHeight])($('viewport'))"
    )
    assert sizes[0] <= sizes[1] and sizes[2] <= sizes[3]


def test_places_of_a_session_are_marked_and_lead_on(stepper: Stepper) -> None:
    opened = stepper("session")
    page = opened.page
    page.dispatch_event("#place_UNBOUND_BOUND", "click")
    assert opened.state["receiver"] == "BOUND"
    assert page.locator(".halos .here").count() == 1
    page.click("#moves [data-move='sender: sendto@receiver']")
    assert "datagram:sender>receiver" in page.inner_text("#scene .network")
    assert page.locator("#refused li").count() > 0


def test_a_graph_that_hit_its_limit_says_so(chrome: Any, folder: Path) -> None:
    path = folder / "limited.html"
    path.write_text(session_page(Walk(SessionSystem(make_session())), limit_states=8), encoding="utf-8")
    opened = Opened(chrome, path)
    assert "limit of 8 states was hit" in opened.page.inner_text("#notice")
    while "beyond the limit" not in opened.page.inner_text("#moves"):
        assert opened.moves, "no state with moves beyond the limit was met"
        opened.page.keyboard.press("1")
    opened.close()


# ---- keys, labels, looks


def test_everything_can_be_done_by_keys(stepper: Stepper) -> None:
    opened = stepper("sender")
    page = opened.page
    for key in ("1", "3"):
        page.keyboard.press(key)
    assert opened.waiting == "BOUND/connected/OUT" or opened.ladder
    page.keyboard.press("w")
    assert opened.state["time"] == "61 s"
    page.keyboard.press("m")
    assert page.is_checked("#manual")
    page.keyboard.press("p")
    assert page.get_attribute('#peers [data-peer="B"]', "aria-pressed") == "true"
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()
    page.keyboard.press("1")  # nothing happens behind the dialog
    page.keyboard.press("Escape")
    assert page.locator("#help-dialog").is_hidden()
    page.keyboard.press("Home")
    assert opened.ladder == []
    page.keyboard.press("t")
    assert page.get_attribute("html", "data-theme") == "dark"


def test_each_step_is_announced(stepper: Stepper) -> None:
    opened = stepper("sender")
    said = opened.page.locator("#say")
    assert said.get_attribute("aria-live") == "polite"
    opened.click_move("bind")
    assert "BOUND/NONE" in said.inner_text()
    opened.manual(True)
    opened.click_move("sendto")
    assert "waits for the verdict of ALE_CONNECT_REDIRECT_V4" in said.inner_text()


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "session"])
def test_every_control_has_a_name(stepper: Stepper, endpoint: str) -> None:
    opened = stepper(endpoint)
    opened.page.keyboard.press("1")
    assert opened.probe("unnamed") == []


def test_dark_follows_the_system_and_the_button(stepper: Stepper) -> None:
    dark, light = stepper("sender", color_scheme="dark"), stepper("sender", color_scheme="light")
    assert dark.probe("lightness") < 200 < 600 < light.probe("lightness")
    text = "getComputedStyle(document.querySelector('#viewport svg text')).fill"
    assert dark.page.evaluate(text) != light.page.evaluate(text)
    dark.page.click("#theme")
    light.page.click("#theme")
    assert light.probe("lightness") < 200 < 600 < dark.probe("lightness")
    assert dark.page.evaluate(text) != light.page.evaluate(text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("endpoint", ["sender", "session"])
def test_text_has_contrast(stepper: Stepper, endpoint: str, scheme: str) -> None:
    opened = stepper(endpoint, color_scheme=scheme)
    for key in ("1", "3", "b"):
        opened.page.keyboard.press(key)
    assert opened.probe("pale") == []


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "session"])
def test_a_phone_scrolls_only_downwards(stepper: Stepper, endpoint: str) -> None:
    opened = stepper(endpoint, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened.page
    for _ in range(3):
        page.locator("#moves [data-move]").first.tap()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert opened.probe("low", 30) == []
    page.evaluate("document.querySelector('#refused').open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_page_of_every_other_option_opens_and_takes_a_move(folder: Path, chrome: Any) -> None:
    for choice in CHOICES.values():
        for option in choice.options:
            config = configure(assume={choice.name: option.name})
            if config == Config():
                continue
            opened = Opened(chrome, written(folder, "sender", config))
            opened.page.keyboard.press("1")
            assert opened.ladder
            opened.close()


def test_a_long_walk_stays_usable(stepper: Stepper) -> None:
    opened = stepper("sender")
    page = opened.page
    page.fill("#steps", "10000")
    page.click("#random")
    assert page.evaluate("page.walk.nodes.length") > 5_000
    assert page.locator("#ladder li").count() < 500
    assert page.locator("#history li").count() < 500
    assert page.locator("#branches option").count() < 200
    page.click("#reset")
    opened.click_move("bind")
    assert opened.waiting.startswith("BOUND") or opened.ladder


# ---- a trace


def trace() -> str:
    events = []
    for name in ("sender.active_open", "sender.blocked", "receiver.first_datagram"):
        for number, record in enumerate(run_flow(name).own_records):
            steps = tuple(TraceStep(s.layer, s.verdict, s.rule, s.flags) for s in record.steps)
            level = "bad" if record.outcome == "blocked" else "good"
            events.append(
                TraceEvent(f"{name} {number} <i>", f"outcome {record.outcome}", steps, f"12:00:{number}", level=level)
            )
    return trace_page("Three flows", events, summary="as recorded")


def test_the_slider_of_a_trace_goes_through_its_events(chrome: Any, folder: Path) -> None:
    path = folder / "trace.html"
    path.write_text(trace(), encoding="utf-8")
    opened = Opened(chrome, path)
    page = opened.page
    assert page.locator("#events .event").count() == 4
    assert page.inner_text("#event-title") == "sender.active_open 0 <i>"
    page.locator("#slider").fill("2")
    assert page.inner_text("#event-title") == "sender.blocked 0 <i>"
    assert [verdict for layer, verdict in opened.ladder if layer] == ["permit", "block", "permit"]
    assert page.locator(".halos .here").count() >= 1
    assert page.locator(".edge.on").count() >= 1
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#where").startswith("Event 4 of 4")
    assert page.locator("#forward").is_disabled()
    page.fill("#search", "blocked")
    assert page.locator("#events li:visible").count() == 1
    page.locator("#events li:visible .event").click()
    assert opened.token == "event=3"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert opened.probe("unnamed") == []
    opened.close()


def test_a_finding_is_a_slider_through_its_run_with_the_way_into_the_stepper(chrome: Any, folder: Path) -> None:
    found = always_before("receiver", "AUTH_CONNECT", "outcome=delivered")
    path = folder / "finding.html"
    path.write_text(finding_page(found), encoding="utf-8")
    opened = Opened(chrome, path)
    page = opened.page
    assert page.inner_text("#page-title") == "Counterexample"
    assert "refuted:" in page.inner_text("#subtitle")
    assert "receive.data.permit" in page.inner_text("#found").replace("\u200b", "")
    page.click("#last")
    command = page.inner_text("#event .token")
    assert command == f"wfp-udp step --token {found.token}"
    assert [one for one in opened.ladder if one[0]] == [("FWPM_LAYER_DATAGRAM_DATA_V4", "permit")]
    page.click("#back")
    earlier = Walk.from_token(page.inner_text("#event .token").split()[-1])
    assert [step.layer for step in earlier.ladder][-1] == "FWPM_LAYER_ALE_FLOW_ESTABLISHED_V4"
    page.get_by_role("button", name="Copy").click()
    page.locator("#event button", has_text=re.compile("Copied|Marked")).wait_for()  # a clipboard takes its time
    assert opened.probe("unnamed") == opened.probe("pale") == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    opened.close()


# ---- how long it takes (printed, never asserted)


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "session"])
def test_the_time_to_the_first_click_is_told(
    stepper: Stepper, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    times = []
    for _ in range(5):
        opened = stepper(endpoint)
        times.append(int(str(opened.page.get_attribute("body", "data-ready"))))
        opened.page.keyboard.press("1")
        assert opened.page.locator("#back").is_enabled()
    size = written(stepper.folder, endpoint, Config()).stat().st_size
    with capsys.disabled():
        print(
            f"\n{endpoint}: {size / 1000:.0f} kB, first click possible after {sorted(times)[2]} ms (median of {times})"
        )
