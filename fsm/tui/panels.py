"""The ladder of fired layers, the state with its changes, and the history as a tree: rows for the panels."""

from __future__ import annotations

from fsm.draw.rungs import citation
from fsm.names import VERDICTS, Basis, Verdict
from fsm.stepper import Node, Walk
from fsm.table import Step
from fsm.tui.lines import HERE, Row, row, short, wrapped

_WORDS = {Basis.DOCUMENTED: "doc", Basis.OBSERVED: "obs", Basis.INFERRED: "inf"}
_QUIET = ("", "hand", "permit", "random")
_STOPS = (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO)


def ladder(walk: Walk, width: int) -> list[Row]:
    """The layers that have fired on the way to here, in order; the key of a row is the node that it fired in."""
    lines: list[Row] = []
    wide = width >= 60
    number = 0
    stimulus = ""
    for node in walk.path:
        if node.move not in VERDICTS or not walk.system.can_wait:
            stimulus = node.move
            lines.append(row((f"{'':>4}{stimulus}", "head"), ("  no layer sees this" if _quiet(walk, node) else "", "muted"),
                             key=f"{node.number}", about=_about_node(walk, node)))  # fmt: skip
        for step in node.steps:
            if step.layer:
                number += 1
                lines.append(_rung(number, step, node, width, wide))
    return lines or wrapped("No layer has fired yet.", width, "muted")


def _quiet(walk: Walk, node: Node) -> bool:
    return not node.layers and not walk.system.layer(node.place)


def _rung(number: int, step: Step, node: Node, width: int, wide: bool) -> Row:
    flags = [f"{step.discard.reason} ({step.discard.value})"] if step.discard else []
    flags += [*step.flags, *(f"event {event}" for event in step.logged)]
    by = node.decided_by if node.decided_by not in _QUIET else ""
    verdict_role = "stop" if step.verdict in _STOPS else "done"
    spans: list[tuple[str, str]] = [(f"{number:>3} ", "number")]
    basis_role = "muted" if step.basis == Basis.DOCUMENTED else "observed"
    if wide:
        # The name gives way first where a panel is narrow.
        name = short(step.layer)
        spans += [(f"{name:<34}", "ink"), (f"{step.runtime_id:>4} ", "muted"), (f"{step.verdict:<9}", verdict_role)]
        spans += [(f"{step.basis:<11}" if width >= 76 else f"{_WORDS[Basis(step.basis)]} ", basis_role)]
        spans += [(", ".join([*([f"by {by}"] if by else []), *flags]), "muted")]
    else:
        room = max(width - 4 - 4 - 8 - 4, 8)
        name = short(step.layer)
        name = name if len(name) <= room else name[: room - 1] + "…"
        spans += [
            (f"{name:<{room}}", "ink"),
            (f"{step.runtime_id:>3} ", "muted"),
            (f"{step.verdict:<8} ", verdict_role),
        ]
        spans += [(_WORDS[Basis(step.basis)], basis_role)]
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
        return f" {node.move} {short(node.layer)}"
    return node.move


def _about_node(walk: Walk, node: Node) -> str:
    told = f"Node {node.number}: {_what(walk, node).strip()}"
    by = f", decided by {node.decided_by}" if node.decided_by not in _QUIET else ""
    return f"{told}{by}. State {walk.system.state(node.place)}"
