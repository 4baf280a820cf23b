"""The picture in a page: the SVG of `fsm.draw` without its links, and what each of its parts stands for.

Citations and tooltips are told by the page, from the same rows, so the SVG goes without them.
"""

from __future__ import annotations

import re
from typing import Any

from fsm.choices import Config
from fsm.draw.endpoint_picture import endpoint_dot, endpoint_sheet
from fsm.draw.packet_path import packet_path_dot, packet_path_sheet
from fsm.draw.page import Box, Page
from fsm.draw.render import NoRenderer, render
from fsm.draw.session_picture import session_dot
from fsm.draw.theme import row_tooltip, safe_id, theme_svg
from fsm.errors import FsmError
from fsm.names import IDLE
from fsm.rows import Row
from fsm.rules import RULES
from fsm.space import StateSpace
from fsm.stimuli import VIEWS

Json = dict[str, Any]
_LINK = re.compile(r"<a [^>]*>|</a>")
_WRAPPER = re.compile(r'<g id="a_[^"]*">')
_TITLE = re.compile(r"<title>[^<]*</title>\s*")
_EDGE = re.compile(r'<g id="(edge\d+)" class="edge[^"]*">\s*<title>([^<]*)</title>')


def endpoint_diagram(name: str, config: Config) -> Json:
    """`svg`, and its `boxes`, `ways` and `lines` with the keys of their rows; `missing` where nothing can draw here."""
    return _of_rows(lambda: endpoint_dot(name, config), endpoint_sheet(name, config), VIEWS[name].text)


def packet_path_diagram(config: Config) -> Json:
    """The same for the packet path, on which every layer stands."""
    return _of_rows(lambda: packet_path_dot(config), packet_path_sheet(config), "the packet path")


def session_diagram(space: StateSpace) -> Json:
    """`svg`, and its `places` and `ways`, by the registers of the sockets."""
    try:
        svg = render(session_dot(space), "svg").decode("utf-8")
    except NoRenderer as error:
        return {"missing": str(error)}
    except FsmError as error:  # more sockets than a sheet has directions: the page goes without a picture
        return {"missing": str(error)}
    edges = {edge: ends.replace("&#45;", "-").replace("&gt;", ">").split("->") for edge, ends in _EDGE.findall(svg)}
    keys = {safe_id("n", f"place {key}"): key for key in _place_keys(space)}
    ids = {safe_id("place", key): key for key in keys.values()}
    ways: dict[str, list[str]] = {}
    for edge, ends in edges.items():
        known = [_place_of(end, keys, ids) for end in ends]
        if all(known):
            ways[edge] = known
    return {
        "svg": _plain(svg, "the session"),
        "places": ids,
        "ways": ways,
        "words": {safe_id("way", f"{a} {b}"): [a, b] for a, b in ways.values()},
    }


def _place_of(end: str, keys: dict[str, str], ids: dict[str, str]) -> str:
    return keys.get(end) or ids.get(end) or ""


def _place_keys(space: StateSpace) -> dict[str, None]:
    """The registers of the sockets, as the picture names its places."""
    return dict.fromkeys(
        " ".join(socket.socket for socket in space.state(number).sockets) for number in range(len(space))
    )


def _of_rows(dot: Any, page: Page, title: str) -> Json:
    try:
        svg = render(dot(), "svg").decode("utf-8")
    except NoRenderer as error:
        return {"missing": str(error)}
    # A line tells of several rows, and its tooltip is made of theirs.
    told = {row_tooltip(row): row.key for row in RULES}
    lines: dict[str, list[str]] = {}
    for box in page.boxes:
        for line in box.lines:
            for name, tooltip in ((line.id, line.tooltip), (line.right_id, line.right_tooltip)):
                keys = [key for text in tooltip.split("\n") if (key := told.get(text))]
                if name and keys:
                    lines[name] = list(dict.fromkeys((*lines.get(name, ()), *keys)))
    return {
        "svg": _plain(svg, title, tuple(lines)),
        "boxes": [_box_json(box, page) for box in page.boxes if box.kind != "note"],
        "ways": [
            {
                "id": edge.way.id,
                "rows": [row.key for row in edge.way.rows],
                "runs": [[row.key for row in rows] for rows in edge.way.made_by] if edge.way.derived else [],
                "from": edge.way.start,
                "to": edge.way.end,
                "ghost": edge.way.ghost,
            }
            for edge in page.edges
        ],
        "lines": lines,
    }


def _box_json(box: Box, page: Page) -> Json:
    leaving = [
        row for edge in page.edges if edge.way.start == box.key and not edge.way.derived for row in edge.way.rows
    ]
    rows = {row.key: row for row in (*leaving, *box.badges)}
    own = [row for row in rows.values() if row.at in box.positions or row.at == IDLE or not box.positions]
    return {
        "id": safe_id(box.kind, box.key.partition(" ")[2]),
        "key": box.key,
        "kind": box.kind,
        "title": box.title,
        "stem": box.stem,
        "positions": [*box.positions, *_twins(box, own)],
        "rows": [row.key for row in rows.values()],
        "ghost": box.ghost,
    }


def _twins(box: Box, rows: list[Row]) -> list[str]:
    """The discard positions that this box tells of, so that it is also the place of what was just blocked there."""
    return list(dict.fromkeys(row.next for row in rows if row.at in box.positions and row.next.endswith("_discard")))


def _plain(svg: str, title: str, lines: tuple[str, ...] = ()) -> str:
    """The themed SVG without links and inner titles, with the ids of lines kept."""
    for name in lines:  # the cells of a table have their ids on the wrapper of a link
        svg = svg.replace(f'<g id="a_{name}">', f'<g class="line" data-line="{name}">')
    svg = _WRAPPER.sub("<g>", _LINK.sub("", svg))
    themed = theme_svg(svg, title=f"Diagram: {title}")
    head, end, body = themed.partition("</style>")
    return (head + end + _TITLE.sub("", body)).replace('role="img"', 'role="group"', 1)
