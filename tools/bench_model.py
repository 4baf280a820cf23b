"""Speed of the model against named competitors, as ratios of one run; prints JSON.

    python tools/bench_model.py [--rounds 7]

Every figure is a ratio: in each round all candidates run one after the other, the ratio is taken within the round,
and the median of the rounds is printed with its range. The competitor for stepping is a bare `transitions` machine
with the same states and transitions, triggered by name; for drawing it is `transitions`' own GraphMachine; for
start-up it is `import click` over a bare interpreter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from fsm.choices import Config
from fsm.draw import endpoint_picture
from fsm.draw.overlay import Overlay
from fsm.draw.pen import Pen
from fsm.draw.render import render
from fsm.endpoint import ClassifyContext, Endpoint
from fsm.machine import LiveEndpoint, build_machine
from fsm.rules import RULES
from fsm.table import Table, compile_table

# A walk that comes back to where it began: one send and one receive on a live flow, then a new socket.
WALK = ["sendto", "permit", "permit", "permit", "datagram", "permit", "permit", "permit"]
SETUP = ["bind", "permit", "permit", "sendto", *["permit"] * 6]


def seconds(work: Callable[[], object]) -> float:
    """The time that one call takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def ratios(rounds: int, base: Callable[[], float], candidate: Callable[[], float]) -> dict[str, float]:
    """base / candidate, round by round: above 1 the candidate is faster."""
    values = [base() / candidate() for _ in range(rounds)]
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def per_step_bare(table: Table, repeats: int) -> float:
    """Seconds per trigger of a bare `transitions` machine, by event name."""
    machine = build_machine(table)
    model = machine.models[0]
    trigger = model.trigger
    for event in SETUP:
        trigger(event)

    def work() -> None:
        for _ in range(repeats):
            for event in WALK:
                trigger(event)

    return seconds(work) / (repeats * len(WALK))


def per_step_table(table: Table, repeats: int) -> float:
    """Seconds per `Table.step(state, event)` on integers."""
    state = table.start
    for event in SETUP:
        state = table.step(state, table.event_ids[event])
    walk = [table.event_ids[event] for event in WALK]
    step = table.step

    def work() -> None:
        here = state
        for _ in range(repeats):
            for event in walk:
                here = step(here, event)

    return seconds(work) / (repeats * len(WALK))


def per_step_recorded(table: Table, repeats: int) -> float:
    """Seconds per recorded step of an endpoint: the `Step` value, the trace, the operations."""
    endpoint = Endpoint("sender", table=table)
    walk = [table.event_ids[event] for event in WALK]
    for event in SETUP:
        endpoint.advance(table.event_ids[event])

    def work() -> None:
        for _ in range(repeats):
            for event in walk:
                endpoint.advance(event)

    return seconds(work) / (repeats * len(WALK))


def per_step_live(table: Table, repeats: int) -> float:
    """Seconds per step of the live machine: stimuli run to their end, a callout called at every layer."""
    endpoint = LiveEndpoint("sender", table=table)
    endpoint.run("bind")
    endpoint.run("sendto")
    calls = 0

    def callout(context: ClassifyContext) -> str | None:
        nonlocal calls
        calls += 1
        return None

    endpoint.register(callout)

    def work() -> None:
        for _ in range(repeats):
            endpoint.run("sendto")
            endpoint.run("datagram")

    taken = seconds(work)
    assert calls == repeats * (len(WALK) - 2), "a layer was not classified"
    return taken / (repeats * len(WALK))


def start_up(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement, in seconds."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", statement], check=True))


def import_ratio(rounds: int) -> dict[str, float]:
    """(import fsm - bare) / (import click - bare), medians of whole processes; below 1 is lighter than click."""
    bare, click, fsm = [], [], []
    for _ in range(rounds * 3):
        bare.append(start_up("pass"))
        click.append(start_up("import click"))
        fsm.append(start_up("import fsm"))
    base = statistics.median(bare)
    over_click, over_fsm = statistics.median(click) - base, statistics.median(fsm) - base
    return {"median": round(over_fsm / over_click, 3)}


def loaded_by_help() -> list[str]:
    """Which of the drawing and graph packages `wfp-udp --help` loads."""
    code = (
        "import sys\ntry:\n    from fsm.cli import cli\n    cli(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', [m for m in ('networkx', 'graphviz', 'transitions') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    found = output.rsplit("LOADED", 1)[1].strip()
    return [name.strip(" '\"") for name in found.strip("[]").split(",") if name.strip()]


def draw_ratios(rounds: int) -> dict[str, dict[str, float]]:
    """GraphMachine's DOT text of an endpoint over ours, three ways.

    `text`: both write the text alone; ours is for a known layout. `text_with_layout`: ours places and routes as well,
    theirs leaves that to dot. `layout_by_dot`: theirs is laid out by the same renderer that draws ours (receiver, since
    the sender's full state graph takes dot minutes).
    """
    from transitions.extensions import GraphMachine

    def graph_machine(name: str) -> Any:
        table = compile_table(name, Config())
        transitions = [
            {"trigger": event, "source": table.names[state], "dest": table.names[table.next_or_none(state, number)]}
            for state in range(len(table.states))
            for number, event in enumerate(table.events)
            if table.next_or_none(state, number) >= 0
        ]
        names = list(table.names)
        return GraphMachine(
            states=names, transitions=transitions, initial=names[0], auto_transitions=False, graph_engine="graphviz"
        )

    sender, receiver = graph_machine("sender"), graph_machine("receiver")
    known = endpoint_picture._pen("sender", Config(), RULES, False, "transparent")

    def theirs() -> float:
        return seconds(lambda: sender.get_graph(force_new=True).source)

    def text() -> float:
        return seconds(
            lambda: Pen("sender", known.page, "Sender", "", dark=False, background="white").source(Overlay()) and None
        )

    def with_layout() -> float:
        endpoint_picture._pen.cache_clear()
        return seconds(lambda: endpoint_picture.endpoint_dot("sender", Config()))

    def theirs_drawn() -> float:
        return seconds(lambda: render(receiver.get_graph(force_new=True).source, "svg"))

    def ours_drawn() -> float:
        endpoint_picture._pen.cache_clear()
        return seconds(lambda: render(endpoint_picture.endpoint_dot("receiver", Config()), "svg"))

    theirs(), text(), with_layout()  # what they import on first use is no drawing
    return {
        "text": ratios(rounds, theirs, text),
        "text_with_layout": ratios(rounds, theirs, with_layout),
        "layout_by_dot": ratios(2, theirs_drawn, ours_drawn),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = compile_table("sender", Config())
    report = {
        "states": len(table.states),
        "table_step_over_transitions": ratios(
            rounds, lambda: per_step_bare(table, 2_000), lambda: per_step_table(table, 50_000)
        ),
        "recorded_step_over_transitions": ratios(
            rounds, lambda: per_step_bare(table, 2_000), lambda: per_step_recorded(table, 10_000)
        ),
        "live_with_callouts_costs_transitions": ratios(
            rounds, lambda: per_step_live(table, 2_000), lambda: per_step_bare(table, 2_000)
        ),
        "import_fsm_over_import_click": import_ratio(rounds),
        "help_loads": loaded_by_help(),
        "dot_text_over_graph_machine": draw_ratios(rounds),
        "python": sys.version.split()[0],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
