"""`wfp-udp session`: endpoints on two hosts, a network between them, and every state they can reach."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from fsm.cli.options import config_of, machine_options
from fsm.cli.session_policies import (
    filter_lines,
    filters_json,
    policies_of,
    policy_options,
    question_lines,
    questions_on,
    settled_layer,
    settled_state,
    unknown_text,
)
from fsm.counts import counted
from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.graph import Answer, SessionGraph
    from fsm.session import Session, SessionState
    from fsm.space import StateSpace, Summary

LISTED = 8  # how many state numbers a line of the summary lists
WIDTH = 100
WITHOUT = " without socket"


@click.command("session")
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT[@HOST]]...")
@click.option(
    "--stimuli",
    default=None,
    metavar="LIST",
    help="What applications and hosts do.  [default: bind, sendto, policy_change, idle_timeout, close]",
)
@click.option(
    "--verdicts",
    default="permit",
    show_default=True,
    metavar="LIST",
    help="What layers answer, each a branch: permit, block, absorb, pend.",
)
@click.option(
    "--network", default=None, metavar="LIST", help="Of deliver, lose, duplicate, reorder.  [default: deliver, lose]"
)
@click.option(
    "--cap", type=int, default=1, show_default=True, metavar="N", help="Datagrams and ICMP errors in flight, in all."
)
@click.option("--loopback", is_flag=True, help="All endpoints on one host; the network only delivers.")
@click.option(
    "--granularity",
    default="stimulus",
    show_default=True,
    metavar="stimulus|classify",
    help="What an edge is: a stimulus run to its end, or one step.",
)
@click.option(
    "--limit-states",
    type=int,
    default=10_000,
    show_default=True,
    metavar="N",
    help="Stop after N states; what is not found then is unknown.",
)
@click.option(
    "--reach",
    "expressions",
    multiple=True,
    metavar="EXPR",
    help='Shortest path to a state, such as "receiver=BOUND/IN". Repeated: all in one state.',
)
@click.option(
    "--reach-layer",
    "layer",
    default="",
    metavar="LAYER",
    help="Shortest path on which a layer fires; sender:LAYER for one endpoint.",
)
@click.option(
    "--layers-from",
    "layers_of",
    type=int,
    default=None,
    metavar="STATE",
    help="Which layers can still fire from this state.",
)
@click.option(
    "--from",
    "start",
    type=int,
    default=None,
    metavar="STATE",
    help="Where --reach and --reach-layer begin, by number.  [default: 0]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["summary", "json", "graphml", "dot"]),
    default="summary",
    show_default=True,
)
@click.option(
    "--collapse",
    default="",
    metavar="network|flows",
    help="For dot: leave out what is in flight, or that and the flows.",
)
@policy_options
@machine_options
def command(
    endpoints: tuple[str, ...],
    stimuli: str | None,
    verdicts: str,
    network: str | None,
    cap: int,
    loopback: bool,
    granularity: str,
    limit_states: int,
    expressions: tuple[str, ...],
    layer: str,
    layers_of: int | None,
    start: int | None,
    output_format: str,
    collapse: str,
    policies: tuple[str, ...],
    places: tuple[str, ...],
    ordinary: bool,
    callouts: str,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
) -> None:  # fmt: skip
    """Every joint state of endpoints on two hosts and a network between them.

    Without ENDPOINT: sender@1 receiver@2 dropped_port@2. A second endpoint of a kind is called sender2.

    \b
    Examples:
      wfp-udp session
      wfp-udp session --reach "receiver=BOUND/IN sender=CLOSED"
      wfp-udp session --reach-layer "sender:INBOUND_ICMP_ERROR"
      wfp-udp session --cap 2 --network deliver,lose,duplicate,reorder
      wfp-udp session --format dot --collapse flows
      wfp-udp session sender receiver --policy sender=a.toml --policy receiver=b.xml --ordinary
          --at sender=192.0.2.1:50000 --at receiver=198.51.100.7:53 --reach sender=receiver:OUT

    EXPR is one or more NAME=TERM/TERM, as states are printed. Terms of an endpoint: BOUND, CLOSED ...; OUT, IN,
    OUT_STALE ... (receiver:OUT for the flow with one peer); connected, connecting, window, group_pended,
    group_redirect_pended, heard, at:POSITION. Of network: empty, a kind (datagram, icmp_error, group), or
    datagram:sender>receiver.

    With --policy the filters of a host decide at its layers, for all its endpoints. Where that depends on what is not
    given, every possible verdict is a branch, and what rests on it is said to depend.
    """
    from fsm.session import make_session
    from fsm.space import explore

    config = config_of(ip, windows, evidence, assumptions)
    asked = [bool(expressions), bool(layer), layers_of is not None]
    _check_combination(asked, output_format, collapse, start)
    session = make_session(
        endpoints,
        config,
        network=_some_words("--network", network, "network move"),
        cap=cap,
        stimuli=_some_words("--stimuli", stimuli, "stimulus"),
        verdicts=_words(verdicts),
        granularity=granularity,
        loopback=loopback,
        **policies_of(policies, places, ordinary, callouts),
    )
    space = explore(session, limit_states=limit_states)
    if any(asked):
        lines = _answers(space, expressions, layer, layers_of, start or 0, output_format == "json")
    elif output_format == "json":
        lines = session_json(space)
    elif output_format == "graphml":
        from fsm.graph import graphml_lines, session_graph

        lines = graphml_lines(session_graph(space))
    elif output_format == "dot":
        from fsm.graph import session_dot, session_graph

        lines = iter([session_dot(session_graph(space), collapse=collapse)])
    else:
        lines = summary_lines(space)
    for line in lines:
        click.echo(line)


def _words(given: str) -> list[str]:
    return [word for word in given.replace(",", " ").split() if word]


def _some_words(option: str, given: str | None, kind: str) -> list[str]:
    """The words of an option that may be left out, but not be empty."""
    words = _words(given or "")
    if given is not None and not words:
        raise FsmError(option, f"no {kind} is given", fix=f"Leave out {option} for the default, or name one")
    return words


def _check_combination(asked: Sequence[bool], output_format: str, collapse: str, start: int | None) -> None:
    if sum(asked) > 1:
        raise FsmError(
            "options", "--reach, --reach-layer and --layers-from are three questions", fix="Ask one at a time"
        )
    if any(asked) and output_format in ("graphml", "dot"):
        raise FsmError("--format", f"an answer cannot be printed as {output_format}", "Allowed: summary, json")
    if collapse and output_format != "dot":
        raise FsmError("--collapse", "only a drawing is collapsed", fix="Add --format dot")
    if start is not None and not any(asked[:2]):
        raise FsmError("--from", "there is no path to begin there", fix="Add --reach or --reach-layer")


# ---- answers


def _answers(
    space: StateSpace, expressions: Sequence[str], layer: str, layers_of: int | None, start: int, as_json: bool
) -> Iterator[str]:
    from fsm.graph import layers_from, node_of, reachable, reachable_layer, session_graph

    space.state(start if layers_of is None else layers_of)  # a number that is not there is refused before the work
    graph = session_graph(space)
    if layers_of is not None:
        answers = {
            actor: {name: settled_layer(space, one, f"{actor}:{name}", layers_of) for name, one in found.items()}
            for actor, found in layers_from(graph, node_of(graph, layers_of)).items()
        }
        if as_json:
            yield json.dumps(
                {**_head(space), "state": _node(space, layers_of), "layers": _layers_json(answers)}, indent=2
            )
        else:
            yield from layers_lines(space, layers_of, answers)
        return
    node = node_of(graph, start)
    if layer:
        answer, question = reachable_layer(graph, layer, start=node), layer
        answer = settled_layer(space, answer, layer, start)
    else:
        question = " ".join(expressions)
        answer = settled_state(space, reachable(graph, question, start=node), question, start)
    if as_json:
        yield json.dumps({**_head(space), "question": question, **_path_json(graph, answer, start)}, indent=2)
    else:
        yield from path_lines(space, answer, question, start)


def path_lines(space: StateSpace, answer: Answer, question: str, start: int) -> Iterator[str]:
    """A shortest path step by step, or why there is none."""
    from fsm.session import short

    if answer.verdict == "unknown" and not answer.path:
        yield f"Unknown: {question} was not found among {counted(len(space), 'state')}; {unknown_text(space)}."
        return
    if answer.verdict == "no":
        yield (
            f"No: {question} cannot be reached from state {start}. "
            f"{'The only state was' if len(space) == 1 else f'All {len(space):,} states were'} explored."
            if (space.complete)
            else f"No: {question} cannot be reached from state {start}; all that can was explored."
        )
        return
    count = len(answer.path)
    moves = counted(count, "move")
    if answer.verdict == "unknown":
        yield f"Depends on what filters ask and nobody has told: {question}, in {moves} if so."
        yield from (f"  {asked}" for asked in questions_on(answer))
    else:
        yield f"Yes: {question}, in {moves} (the fewest)."
    yield f"  state {start}: {space.label(start)}"
    for number, step in enumerate(answer.path, start=1):
        move = step.move
        yield f"{number:3}. {move.label}"
        deciders = [one.decider for one in move.decided] or [""] * len(move.classified)
        for layer_step, decider in zip(move.classified, deciders, strict=True):
            yield f"       {short(layer_step.layer):36} {layer_step.verdict:7} {layer_step.basis:10} {layer_step.rule}"
            if decider:
                yield f"         {decider}"
        for text, messages in (("in flight", move.emits), ("lost, the network is full", move.lost)):
            if messages:
                yield f"       {text}: {', '.join(map(str, messages))}"
        sees = [layer_step.application_sees for layer_step in move.steps if layer_step.application_sees]
        if sees:
            yield f"       the application sees: {sees[-1]}"
        if move.note:
            yield f"       {move.note}"
        yield f"  -> state {step.target}: {space.label(step.target)}"


def layers_lines(space: StateSpace, number: int, answers: dict[str, dict[str, Answer]]) -> Iterator[str]:
    """Which layers can still fire from a state."""
    from fsm.session import short

    yield f"From state {number}: {space.label(number)}"
    words = {"yes": "can fire", "no": "cannot", "depends": "depends on what filters ask and nobody has told"}
    words["unknown"] = f"unknown, {unknown_text(space).partition('.')[0]}"
    for actor, layers in answers.items():
        yield actor
        if all(answer.verdict == "no" for answer in layers.values()):
            yield f"  none of its {counted(len(layers), 'layer')}"
            continue
        for verdict, text in words.items():
            names = [
                short(name) + (f" ({len(answer.path)})" if answer.path else "")
                for name, answer in layers.items()
                if ("depends" if answer.verdict == "unknown" and answer.path else answer.verdict) == verdict
            ]
            if names:
                yield from textwrap.wrap(
                    f"{text}: {', '.join(names)}", WIDTH, initial_indent="  ", subsequent_indent="    ",
                    break_on_hyphens=False,
                )  # fmt: skip
    yield "In brackets: how many moves away the layer is."


# ---- the whole


def summary_lines(space: StateSpace) -> Iterator[str]:
    """What the session is, how large it is, where it ends, and which layers fire."""
    from fsm.space import summarize

    summary = summarize(space)
    yield from _head_lines(space.session)
    yield ""
    leading = counted(len(space.open_states or space.undocumented), "state leads", "states lead")
    beyond = f"; unknown {_beyond(space)} ({leading} there)"
    yield f"states    {summary.states:,}{', complete' if space.complete else beyond}"
    idle = f"{summary.idle_edges:,} {'changes' if summary.idle_edges == 1 else 'change'} nothing"
    yield f"edges     {summary.edges:,}, of which {idle}"
    yield f"depth     {counted(summary.depth, 'move')} to the farthest state{'' if space.complete else ' found'}"
    unknown = "" if space.complete else _beyond(space)
    yield f"ends      {_numbers(summary.ends, 'every socket closed, nothing in flight', unknown)}"
    yield f"deadlocks {_numbers(summary.deadlocks, 'somebody waits for ever', unknown)}"
    yield from question_lines(space)
    yield ""
    yield from _layer_table(space, summary)


def _layer_table(space: StateSpace, summary: Summary) -> Iterator[str]:
    """One column for each actor, one row for each layer that fires anywhere; the others in one line."""
    from fsm.session import short

    shown = [actor for actor in summary.actors if actor.edges]
    starred = any(actor.name.endswith(WITHOUT) for actor in shown)
    columns = [(actor, actor.name.replace(WITHOUT, "*"), dict(actor.fires)) for actor in shown]
    fired = dict.fromkeys(layer for actor in shown for layer, _ in actor.fires)
    never = [layer for layer in dict.fromkeys(la for actor in shown for la in actor.never) if layer not in fired]
    rows: list[tuple[str, list[str]]] = [
        ("", [title for _, title, _ in columns]),
        ("local states", [f"{actor.local_states:,}" for actor in shown]),
        ("edges", [f"{actor.edges:,}" for actor in shown]),
    ]
    for layer in fired:
        cells = [
            f"{counts[layer]:,}" if layer in counts else "never" if layer in actor.never else ""
            for actor, _, counts in columns
        ]
        rows.append((short(layer), cells))
    first = max(len(row[0]) for row in rows) + 1
    widths = [max(len(row[1][column]) for row in rows) + 2 for column in range(len(columns))]
    for title, cells in rows:
        line = f"{title:{first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield line.rstrip()
    yield f"{'network':{first}}  {counted(summary.network_edges, 'edge')} of its own"
    if starred:
        yield "* what its host does about datagrams for it while its socket is not bound"
    title = "never fire here: " if summary.complete else f"not seen to fire, unknown {_beyond(space)}: "
    if not summary.complete:
        yield '"never" means: not among the states explored'
    yield ""
    yield from textwrap.wrap(title + (", ".join(map(short, never)) or "none"), WIDTH, break_on_hyphens=False)


def _head_lines(session: Session) -> Iterator[str]:
    config = session.config
    for host in session.hosts:
        names = [member.name for member in session.members if member.host == host]
        yield f"host {host}    {', '.join(names)}"
    assumed = "".join(f", {name}={option}" for name, option in config.assume)
    yield f"machine   IPv{config.ip}, Windows {config.windows}, evidence {config.evidence}{assumed}"
    yield f"network   {', '.join(session.network)}; at most {session.cap} in flight"
    yield f"stimuli   {', '.join(session.stimuli)}"
    yield f"verdicts  {', '.join(session.verdicts)}; an edge is one {session.granularity}"
    yield from filter_lines(session)


def _beyond(space: StateSpace) -> str:
    """What is not known of an incomplete session."""
    return "beyond the limit" if space.open_states else "after verdicts that are not followed"


def _numbers(numbers: Sequence[int], text: str, beyond: str) -> str:
    if not numbers:
        return f"none found, unknown {beyond}" if beyond else "none"
    listed = ", ".join(map(str, numbers[:LISTED])) + (", ..." if len(numbers) > LISTED else "")
    return f"{len(numbers):,} ({text}): state {listed}"


# ---- JSON


def _head(space: StateSpace) -> dict[str, object]:
    from dataclasses import asdict

    session, config = space.session, space.session.config
    return {
        "endpoints": [{"name": m.name, "view": m.view, "host": m.host} for m in session.members],
        "config": {**asdict(config), "assume": dict(config.assume)},
        "network": list(session.network),
        "cap": session.cap,
        "stimuli": list(session.stimuli),
        "verdicts": list(session.verdicts),
        "granularity": session.granularity,
        "complete": space.complete,
        "states": len(space),
        "edges": space.edge_count,
        **filters_json(space),
    }  # fmt: skip


def session_json(space: StateSpace) -> Iterator[str]:
    """The whole graph, one node or link a line, written while it is made."""
    head = json.dumps(_head(space), indent=2)
    yield head.removesuffix("\n}") + ","
    yield '  "nodes": ['
    yield from _listed(_node(space, number) for number in range(len(space)))
    yield '  ],\n  "links": ['
    yield from _listed(
        {"source": number, "target": target, **move.to_json()}
        for number in range(len(space))
        for move, target in space.edges(number)
    )
    yield "  ]\n}"


def _listed(records: Iterable[dict[str, object]]) -> Iterator[str]:
    waiting = None
    for record in records:
        if waiting is not None:
            yield f"    {waiting},"
        waiting = json.dumps(record)
    if waiting is not None:
        yield f"    {waiting}"


def _node(space: StateSpace, number: int) -> dict[str, object]:
    state = space.state(number)
    return {
        "id": number,
        "label": space.label(number),
        "depth": space.depth(number),
        "open": space.is_open(number),
        "endpoints": _endpoints(space.session, state),
        "network": [str(message) for message in state.network],
    }


def _endpoints(session: Session, state: SessionState) -> dict[str, object]:
    from dataclasses import asdict

    record: dict[str, object] = {}
    for member, socket in zip(session.sockets, state.sockets, strict=True):
        flows = dict(zip(session.peers(member), socket.flows, strict=True))
        record[member.name] = {**asdict(socket), "flows": flows, "heard": list(socket.heard)}
    for host, here in zip(session.hosts, state.hosts, strict=True):
        if here.stimulus:
            record[f"host{host}"] = asdict(here)
    return record


def _path_json(graph: SessionGraph, answer: Answer, start: int) -> dict[str, object]:
    return {
        "answer": answer.verdict,
        **({"questions": list(questions_on(answer))} if questions_on(answer) else {}),
        "from": start,
        "path": [{"source": s.source, "target": s.target, **s.move.to_json()} for s in answer.path],
    }


def _layers_json(answers: dict[str, dict[str, Answer]]) -> dict[str, object]:
    return {
        actor: {name: {"answer": a.verdict, "path": list(a.labels)} for name, a in layers.items()}
        for actor, layers in answers.items()
    }
