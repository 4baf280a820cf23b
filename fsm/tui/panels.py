"""The ladder of fired layers, the state with its changes, and the history as a tree: rows for the panels."""

from __future__ import annotations

from fsm.draw.rungs import citation
from fsm.names import VERDICTS, Basis, Verdict
from fsm.stepper import Node, SessionSystem, Walk
from fsm.table import Step
from fsm.tui.lines import HERE, Row, row, short, wrapped

_WORDS = {Basis.DOCUMENTED: "doc", Basis.OBSERVED: "obs", Basis.INFERRED: "inf"}
_QUIET = ("", "hand", "permit", "random")
_STOPS = (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO)


def ladder(walk: Walk, width: int) -> list[Row]:
    """The layers that have fired on the way to here, in order; the key of a row is the node that it fired in."""
    lines: list[Row] = []
    number = 0
    for node in walk.path:
        # A session by classifies names layer and verdict in the move: the line of the layer says it all.
        by_classify = not walk.system.can_wait and len(node.layers) == 1 and node.move.endswith(node.verdict)
        if not by_classify and (node.move not in VERDICTS or not walk.system.can_wait):
            quiet = "  no layer sees this" if _quiet(walk, node) else ""
            key = str(node.number)
            lines.append(row((f" {node.move}", "head"), (quiet, "muted"), key=key, about=_about_node(walk, node)))
        for step in node.steps:
            if step.layer:
                number += 1
                lines.append(_rung(number, step, node, width, node.move.partition(":")[0] if by_classify else ""))
    return lines or wrapped("No layer has fired yet.", width, "muted")


def _quiet(walk: Walk, node: Node) -> bool:
    """Whether nothing is told of it by any layer. Of a session by classifies the layers come later."""
    by_classify = isinstance(walk.system, SessionSystem) and walk.system.session.granularity == "classify"
    return not node.layers and not walk.system.layer(node.place) and not by_classify


def _rung(number: int, step: Step, node: Node, width: int, who: str) -> Row:
    flags = [f"{step.discard.reason} ({step.discard.value})"] if step.discard else []
    flags += [*step.flags, *(f"event {event}" for event in step.logged)]
    by = node.decided_by if node.decided_by not in _QUIET else ""
    verdict_role = "stop" if step.verdict in _STOPS else "done"
    spans: list[tuple[str, str]] = [(f"{number:>3} ", "number")]
    basis_role = "muted" if step.basis == Basis.DOCUMENTED else "observed"
    if width >= 60:
        # The name gives way first where a panel is narrow.
        name = short(step.layer)
        spans += [(f"{name:<34}", "ink"), (f"{step.runtime_id:>4} ", "muted"), (f"{step.verdict:<9}", verdict_role)]
        spans += [(f"{step.basis:<11}" if width >= 76 else f"{_WORDS[Basis(step.basis)]} ", basis_role)]
        spans += [(", ".join(filter(None, (who, f"by {by}" if by else "", *flags))), "muted")]
    else:
        # The id and the word for documented give way to the name.
        identity = f" {step.runtime_id:>3}" if width >= 48 else ""
        room = max(width - 3 - len(identity) - 9 - 3, 8)
        name = short(step.layer)
        name = name if len(name) <= room else name[: room - 1] + "…"
        mark = "" if step.basis == Basis.DOCUMENTED else _WORDS[Basis(step.basis)]
        spans = [(f"{number:>2} ", "number"), (f"{name:<{room}}", "ink"), (identity, "muted")]
        spans += [(f" {step.verdict:<8}", verdict_role), (mark, basis_role)]
    told = [f"flags {', '.join(flags)}"] if flags else []
    about = " ".join((citation(step), *told, *([f"Decided by {by}."] if by else [])))
    return Row(tuple(spans), str(node.number), about)


def state(walk: Walk, width: int) -> list[Row]:
    """What the place is made of, what the last move changed, and what is watched."""
    changed = walk.changed
    lines: list[Row] = []
    values = walk.values
    wide = max((len(name) for name in (*values, *changed)), default=0) + 1
    for name in dict.fromkeys((*values, *changed)):
        value = values.get(name, "none")
        new = name in changed
        spans = [("* " if new else "  ", "change"), (f"{name:<{wide}}", "muted"), (value, "change" if new else "ink")]
        was = f" was {changed[name][0]}" if new else ""
        if len(was) + 2 + wide + len(value) <= width:
            lines.append(row(*spans, (was, "faint")))
        else:
            lines += [row(*spans), row((f"  {'':<{wide}}{was.strip()}", "faint"))]
    for title, rows in (("watched", walk.watches), ("stops before", {short(one): "" for one in walk.breakpoints})):
        if rows:
            lines += [row(""), row((title, "lane"))]
            for text, value in rows.items():
                lines += [row(f"  {text} ", (value, "head"))]
    return lines


def history(walk: Walk, width: int) -> list[Row]:
    """Every node, what forks off set in below its fork; the key of a row is the number of its node."""
    ends: dict[int, list[str]] = {}
    for name, tip in walk.branches.items():
        ends.setdefault(tip, []).append(name)
    on_way = {0, *(node.number for node in walk.path), *(node.number for node in walk.ahead)}
    lines: list[Row] = []
    waiting: list[tuple[int, int, bool]] = [(0, 0, False)]
    most = max(width // 4, 2)
    while waiting:
        number, inset, forks = waiting.pop()
        node = walk.nodes[number]
        here = number == walk.at
        guides = "│ " * (min(inset, most) - forks) + ("├╴" if forks else "")
        look = "here" if here else "ink" if number in on_way else "faint"
        text = _what(walk, node)
        stops = node.verdict in _STOPS
        names = f" ← {', '.join(ends[number])}" if number in ends and (len(walk.branches) > 1 or not here) else ""
        lines.append(
            row(
                (HERE if here else " ", "here"),
                (f"{number:>3} ", "here" if here else "number" if number in on_way else "faint"),
                (guides, "lane"),
                (text, "stop" if stops and number in on_way and not here else look),
                (names, "branch"),
                key=str(number),
                about=_about_node(walk, node),
            )
        )
        # The first way on stays in its column and comes last, below what forks off.
        children = walk.children(number)
        waiting += [(child.number, inset + (index > 0), index > 0) for index, child in enumerate(children)]
    return lines


def _what(walk: Walk, node: Node) -> str:
    if not node.number:
        return "start"
    if node.move in VERDICTS and walk.system.can_wait:
        # Most verdicts are permit: the others are told.
        return f" {short(node.layer)}" if node.move == Verdict.PERMIT else f" {node.move} {short(node.layer)}"
    return node.move


def _about_node(walk: Walk, node: Node) -> str:
    told = f"Node {node.number}: {_what(walk, node).strip()}"
    by = f", decided by {node.decided_by}" if node.decided_by not in _QUIET else ""
    return f"{told}{by}. State {walk.system.state(node.place)}"
