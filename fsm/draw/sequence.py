"""A run of a session as a sequence: a lane for each endpoint, a box for each move with its layers, time downwards.

A datagram or an ICMP error is an arrow from the move that sent it to the move that takes it out of the network.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cached_property

from fsm.draw.mermaid import text_of
from fsm.draw.pictures import Picture
from fsm.draw.sheet import Line, Look, Rect, Sheet, broken, height_of
from fsm.draw.theme import cite_url, palette
from fsm.names import Verdict
from fsm.session import NETWORK, Message, Move, Session, short
from fsm.table import Step

WIDTH = 100  # of the text, in columns
_LANE, _GUTTER, _GAP, _HEAD = 236.0, 66.0, 16.0, 10.0
_STOPS = (Verdict.BLOCK, Verdict.ABSORB, Verdict.VETO)


def sequence_picture(session: Session, moves: Sequence[Move], start: str, end: str) -> Picture:
    """The picture of a run: the moves of a session from the state `start` to the state `end`, both as text."""
    run = _Run(session, tuple(moves), start, end)
    layers = ", ".join(f"{_told(step)}@{move.endpoint}" for move in moves for step in move.classified)
    return Picture(
        "run", "session", run.title, f"Layers in order: {layers or 'none'}. Then: {end}", run.title,
        lambda dark, background: run.dot(dark, background), run.mermaid, run.text,
    )  # fmt: skip


def _told(step: Step) -> str:
    flags = f" [{', '.join(step.flags)}]" if step.flags else ""
    return f"{short(step.layer)} {step.verdict}{flags}"


class _Run:
    """A run, and what every form of it needs."""

    def __init__(self, session: Session, moves: tuple[Move, ...], start: str, end: str) -> None:
        self.session, self.moves, self.start, self.end = session, moves, start, end
        config = session.config
        count = f"{len(moves)} move{'' if len(moves) == 1 else 's'}"
        assumed = "".join(f", {name}={option}" for name, option in config.assume)
        self.title = f"A run of a session, {count} (IPv{config.ip}, Windows {config.windows}{assumed})"

    @cached_property
    def lanes(self) -> dict[str, str]:
        """The lanes by name, with their headings; what no endpoint does is in the lane of the network."""
        lanes = {member.name: f"{member.name} (host {member.host})" for member in self.session.members}
        return lanes | ({} if all(move.endpoint in lanes for move in self.moves) else {NETWORK: NETWORK})

    def lane(self, move: Move) -> str:
        return move.endpoint if move.endpoint in self.lanes else NETWORK

    # -- as a drawing ---------------------------------------------------------------------------------------------

    def dot(self, dark: bool, background: str) -> str:
        colours = palette(dark)
        sheet = Sheet("sequence", colours, background)
        lefts = {name: (_LANE + _GUTTER) * number for number, name in enumerate(self.lanes)}
        width = (_LANE + _GUTTER) * len(lefts) - _GUTTER
        head = [*broken(self.title, width, 12, bold=True), Line(""), *broken(f"First: {self.start}", width, _HEAD)]
        sheet.text("heading", Rect(0, 0, width, height_of(head)), head)
        top = y = height_of(head) + 12
        y += 26
        rects: list[Rect] = []
        for number, move in enumerate(self.moves, 1):
            lines = [Line(part, 9.5, bold=True) for part in textwrap.wrap(f"{number}. {move.label}", 40)]
            for step in move.classified:
                stops = step.verdict in _STOPS
                colour = colours.block if stops else colours.ink
                for part in broken(_told(step), _LANE - 22, bold=stops, colour=colour):
                    lines.append(Line(part.text, bold=stops, colour=colour, url=cite_url(step.cite), tooltip=step.rule))
            lines += [] if move.classified else [Line("no layer sees this", colour=colours.muted)]
            rects.append(Rect(lefts[self.lane(move)], y, _LANE, height_of(lines, 14)))
            stopped = any(step.verdict in _STOPS for step in move.classified)
            look = Look(colours.block_fill if stopped else colours.paper,
                        colours.block if stopped else colours.rule, colours.ink)  # fmt: skip
            sheet.box(f"move {number}", rects[-1], look, lines, indent=10, kind="move", tooltip=move.label)
            y += rects[-1].height + _GAP
        for name, title in self.lanes.items():
            sheet.area(f"lane {name}", Rect(lefts[name] - 8, top, _LANE + 16, y - top), colours.band_below)
            sheet.text(f"name {name}", Rect(lefts[name], top + 5, _LANE, 16), [Line(title, _HEAD, True)], centred=True)
        for count, (message, sent, taken) in enumerate(self.messages()):
            self._arrow(sheet, rects, message, sent, taken, count % 5, colours.icmp if "icmp" in message.kind
                        else colours.out)  # fmt: skip
        foot = broken(f"Then: {self.end}", width, _HEAD)
        sheet.text("end", Rect(0, y + 8, width, height_of(foot)), foot)
        return sheet.dot()

    def _arrow(
        self, sheet: Sheet, rects: Sequence[Rect], message: Message, sent: int, taken: int, place: int, colour: str
    ) -> None:
        a, b = rects[sent], rects[taken]
        names = f"move {sent + 1}", f"move {taken + 1}"
        y1, y2 = a.bottom - 8, b.top + 9
        if a.left == b.left:
            x = a.right + 14 + 8 * place
            corners = [(a.right, y1), (x, y1), (x, y2), (b.right, y2)]
        elif a.left < b.left:
            x = a.right + 14 + 8 * place
            corners = [(a.right, y1), (x, y1), (x, y2), (b.left, y2)]
        else:
            x = a.left - 14 - 8 * place
            corners = [(a.left, y1), (x, y1), (x, y2), (b.right, y2)]
        sheet.line(*names, corners, colour=colour, wide=1.6, tooltip=str(message))

    def messages(self) -> list[tuple[Message, int, int]]:
        """Each message that is taken out of the network, with the moves that sent it and that take it."""
        flying: list[tuple[Message, int]] = []
        found = []
        for number, move in enumerate(self.moves):
            sent = next((one for one in flying if one[0] == move.arrives), None)
            if sent is not None:
                found.append((*sent, number))
                flying.remove(sent)
            flying += [(message, number) for message in move.emits]
        return found

    # -- as text --------------------------------------------------------------------------------------------------

    def text(self) -> str:
        lines = [self.title, "", *textwrap.wrap(f"First: {self.start}", WIDTH, subsequent_indent="  ")]
        for number, move in enumerate(self.moves, 1):
            lines += ["", f"{number:3}. {move.label}"]
            lines += [f"       {_told(step)}" for step in move.classified] or ["       no layer sees this"]
            lines += [f"       in flight: {', '.join(map(str, move.emits))}"] if move.emits else []
        lines += ["", *textwrap.wrap(f"Then: {self.end}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)]
        return "\n".join(lines).encode("ascii", "backslashreplace").decode() + "\n"

    # -- as Mermaid -----------------------------------------------------------------------------------------------

    def mermaid(self) -> str:
        config = self.session.config
        ids = {member.name: f"e{number}" for number, member in enumerate(self.session.members)}
        lines = ["sequenceDiagram", f"  title {text_of(f'session (IPv{config.ip}, Windows {config.windows})')}"]
        lines += [
            f"  participant {ids[m.name]} as {text_of(f'{m.name} (host {m.host})')}" for m in self.session.members
        ]
        everybody = f"{ids[self.session.members[0].name]},{ids[self.session.members[-1].name]}"
        for number, move in enumerate(self.moves, start=1):
            told = (text_of(f"{short(step.layer)} {step.verdict}") for step in move.classified)
            about = "<br/>".join([text_of(f"{number} {move.label}"), *told])
            if move.arrives is not None and move.endpoint in ids:
                lines.append(f"  {ids[move.arrives.sender]}->>{ids[move.endpoint]}: {about}")
            elif move.arrives is not None and move.stimulus == "lose":
                lines.append(f"  {ids[move.arrives.sender]}-x{ids[move.arrives.to]}: {about}")
            else:
                lines.append(f"  Note over {ids.get(move.endpoint, everybody)}: {about}")
        lines.append(f"  Note over {everybody}: {text_of(f'state {self.end}')}")
        return "\n".join(lines) + "\n"
