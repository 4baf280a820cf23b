"""A dispute as text and as Mermaid: the same comparison as in the picture, for whom nothing can draw."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import pairwise

from fsm.choices import Config
from fsm.draw.mermaid import text_of
from fsm.draw.overlay import Overlay
from fsm.draw.theme import BASIS, LIGHT
from fsm.draw.variants import SEEN_BY, Comparison, Item, Row, compare
from fsm.names import Basis
from fsm.sources import SOURCES

WIDTH = 100
_LEFT = 46  # layer and id
_BASIS_WORDS = {Basis.DOCUMENTED: "doc", Basis.OBSERVED: "obs", Basis.INFERRED: "inf"}


def dispute_text(
    name: str, config: Config | None = None, overlay: Overlay | None = None, *, blocks: Iterable[str] = ()
) -> str:
    """The options of a dispute as one table in 100 columns of ASCII: a star stands at every row that differs."""
    return comparison_text(compare(name, config, blocks=blocks), overlay)


def comparison_text(shown: Comparison, overlay: Overlay | None = None) -> str:
    """Any runs as one table."""
    over = overlay or Overlay()
    lines = [*_wrapped(f"{shown.choice.name}: {shown.choice.question}"), *_wrapped(shown.shown_by)]
    lines += [*_wrapped(shown.about), ""]
    for variant in shown.variants:
        option = variant.option
        lines.append(option.name + (" (holds here)" if variant.holds else ""))
        sources = "; ".join(SOURCES[key].title for key in option.cite)
        said = f"said by:  {variant.said_by}: {sources}" if variant.said_by else f"sources:  {sources}"
        taken = f"taken by: {variant.taken_by}" if variant.taken_by else ""
        for text in (option.text, said if variant.said_by or option.cite else "", taken):
            lines += textwrap.wrap(
                text, WIDTH, initial_indent="    ", subsequent_indent=" " * 14, break_on_hyphens=False
            )
    names = [variant.option.name for variant in shown.variants]
    wide = (WIDTH - _LEFT) // len(names)
    lines += ["", (" " * _LEFT + "".join(f"{name[: wide - 1]:<{wide}}" for name in names)).rstrip()]
    for row in shown.rows:
        lines += _row_lines(row, names, wide, over)
    lines += ["", "* differs. - there is no such step. doc = documented, obs = observed, inf = inferred here."]
    if not shown.differing:
        lines.append("On this machine no step differs.")
    if over.path or over.counts or over.current:
        lines.append("> marks what is highlighted.")
    return "\n".join(line.rstrip() for line in lines).encode("ascii", "backslashreplace").decode() + "\n"


def _row_lines(row: Row, names: list[str], wide: int, over: Overlay) -> Iterator[str]:
    item, star = row.item, "*" if row.differs else " "
    if item.kind == "rung":
        number = item.lines[1].removeprefix("id ")
        cells = "".join(f"{_verdict(cell, over):<{wide}}" for cell in row.cells)
        yield f"{star}   {item.lines[0]:<{_LEFT - 9}}{number:>3}  {cells}"
        remarks = [", ".join(cell.lines[3:]) if cell else None for cell in row.cells]
        known = [remark for remark in remarks if remark is not None]
        if len(set(known)) == 1:
            yield from _indented(known[0]) if known[0] else ()
        else:
            for name, remark in zip(names, remarks, strict=True):
                yield from _indented(f"{name}: {remark or 'no remark'}") if remark is not None else ()
        return
    if item.kind == "start":
        yield ""
        yield f"{star} {item.lines[0]}"
    texts = [_said(cell, over) for cell in row.cells]
    if not row.differs:
        mark = ">" if texts[0].startswith(">") else " "
        yield from _wrapped(item.lines[1] if item.kind == "start" else item.sentence, f"  {mark} ")
        return
    if item.kind != "start":
        yield f"{star}   {SEEN_BY.get(item.kind, item.kind)}"
    for name, text in zip(names, texts, strict=True):
        yield from _indented(f"{name}: {text}")


def _verdict(cell: Item | None, over: Overlay) -> str:
    if cell is None or cell.step is None:
        return "-"
    mark = "> " if over.takes(cell.step.rule) else ""
    return f"{mark}{cell.lines[2]} {_BASIS_WORDS[Basis(cell.step.basis)]}"


def _said(cell: Item | None, over: Overlay) -> str:
    if cell is None:
        return "-"
    here = cell.kind == "state" and over.current is not None and cell.part.state == over.current
    return ("> " if here else "") + cell.lines[-1]


def _indented(text: str) -> list[str]:
    return _wrapped(text, " " * 6)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False
    )


def dispute_mermaid(
    name: str, config: Config | None = None, overlay: Overlay | None = None, *, blocks: Iterable[str] = ()
) -> str:
    """The options of a dispute as a flowchart: one subgraph each, what differs with a thick border and the word."""
    return comparison_mermaid(compare(name, config, blocks=blocks), overlay)


def comparison_mermaid(shown: Comparison, overlay: Overlay | None = None) -> str:
    """Any runs as a flowchart."""
    over = overlay or Overlay()
    lines = ["flowchart TB", f"  %% {text_of(f'{shown.choice.name} ({shown.about})')}"]
    lines.append(f'  question["{text_of(shown.choice.question)}<br/>{text_of(shown.shown_by)}"]')
    differing: list[str] = []
    marked: list[str] = []
    for column, variant in enumerate(shown.variants):
        head = f"{variant.option.name}: {variant.option.text}"
        head += f" ({variant.taken_by})" if variant.taken_by else ""
        nodes = []
        lines.append(f'  subgraph option{column}["{text_of(head)}"]')
        for number, row in enumerate(shown.rows):
            cell = row.cells[column]
            if cell is None:
                continue
            node = f"o{column}r{number}"
            nodes.append(node)
            lines.append(f'    {node}["{_label(shown, cell, row.differs)}"]')
            differing += [node] if row.differs else []
            marked += [node] if cell.step and over.takes(cell.step.rule) else []
        lines += [f"    {before} --> {after}" for before, after in pairwise(nodes)]
        lines += ["  end", f"  question --> {nodes[0]}"]
    if differing:
        lines += ["  classDef differs stroke-width:4px", f"  class {','.join(differing)} differs"]
    if marked:
        lines += [f"  classDef marked stroke:{LIGHT.taken}", f"  class {','.join(marked)} marked"]
    return "\n".join(lines) + "\n"


def _label(shown: Comparison, cell: Item, differs: bool) -> str:
    basis = BASIS[Basis(cell.step.basis)].mark if cell.step else ""
    if cell.kind == "rung":
        said = [cell.lines[0], f"{', '.join(cell.lines[1:])} {basis}".strip()]
    elif cell.kind == "start":
        said = list(cell.lines)
    else:
        said = [cell.sentence]
    return "<br/>".join([*(["differs"] if differs and shown.differing else []), *map(text_of, said)])
