"""The one-page picture of the path of a UDP datagram through WFP: both directions, every layer, every consequence.

No line is drawn by hand: boxes and lines come from the rows, the layers that are shown in grey from the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fsm import catalogue
from fsm.choices import Config
from fsm.draw import boxes
from fsm.draw.overlay import Overlay
from fsm.draw.page import SMALL, Box, Line, Page, Place, Way
from fsm.draw.pen import Pen
from fsm.draw.sketch import PLACES, SHOWN_DISPUTES, Sketch, about, once, stimuli_words, strongest_first
from fsm.draw.theme import cite_url, cited, row_tooltip, safe_id
from fsm.names import REGISTERS
from fsm.rows import Row
from fsm.rules import RULES

# What this picture has and the others have not.
_PLACES: dict[str, Place] = {
    **PLACES,
    "state NONE": (7, 1, 2),
    "state OUT": (7, 2, 1),
    "state IN": (8, 2, 1),
    "state OUT_STALE": (7, 3, 1),
    "state IN_STALE": (8, 3, 1),
    "grey forward": (0, 7, 1),
    "grey vswitch outbound": (2, 8, 1),
    "grey mac outbound": (3, 8, 1),
    "grey mac inbound": (4, 8, 1),
    "grey vswitch inbound": (5, 8, 1),
}
# The layers that are shown and not run: key, group and direction in the catalogue.
_GREY: tuple[tuple[str, str, str], ...] = (
    ("forward", "forward", "forward"),
    ("vswitch outbound", "vswitch", "outbound"),
    ("mac outbound", "mac", "outbound"),
    ("mac inbound", "mac", "inbound"),
    ("vswitch inbound", "vswitch", "inbound"),
)
_FRAGMENTS = (
    "A packet in n fragments is classified 2n+1 times at INBOUND_IPPACKET: each as a plain packet, again with "
    "IS_FRAGMENT, and the whole with IS_REASSEMBLED. All layers above see the whole only. Outbound: one classify "
    "before fragmentation, none per fragment."
)
_FRAGMENTS_CITE = ("WLR", "CFL", "LID", "PIP")

_FLOW_TEXT = {
    "NONE": "no packet of this peer was authorized",
    "OUT": "the first packet went out; packets of both directions belong to it",
    "IN": "the first packet came in; packets of both directions belong to it",
    "OUT_STALE": "outbound flow: its next packet is authorized again at AUTH_CONNECT",
    "IN_STALE": "inbound flow: its next packet is authorized again at AUTH_RECV_ACCEPT",
}
_FLOW_WORDS = {
    "first packet": "first packet permitted",
    "idle_timeout": "60 s idle",
    "permit": "permitted again",
    "block": "blocked",
    "absorb": "blocked",
}


def packet_path_dot(
    config: Config,
    overlay: Overlay | None = None,
    *,
    dark: bool = False,
    background: str = "transparent",
    rows: tuple[Row, ...] = RULES,
) -> str:
    """The DOT text of the one-page picture.

    Parameters
    ----------
    config : the machine; the other sides of `SHOWN_DISPUTES` are drawn in grey.
    overlay : what to lay over it: a path, counts, where it was blocked.
    dark, background : for a PNG, which has no style sheet; an SVG is written light and themed by `theme_svg`.
    rows : other rows than the package's own, for experiments.
    """
    return _pen(config, rows, dark, background).source(overlay or Overlay())


def packet_path_sheet(config: Config) -> Page:
    """What `packet_path_dot` draws, before it is DOT: boxes and lines, each with the rows that it stands for."""
    return _pen(config, RULES, False, "transparent").page


def packet_path_sketch(config: Config, rows: tuple[Row, ...] = RULES) -> Sketch:
    """The boxes and lines before they have places: for pictures that tell more in the boxes."""
    selection = boxes.select(rows, config, SHOWN_DISPUTES)
    sketch = Sketch(selection, config)
    sketch.add_rows()
    _add_flow(sketch)
    _add_grey(sketch)
    sketch.legend("grey box: a layer that is not run here")
    line = Line(_FRAGMENTS, "ink", "note_fragments_text", cited(_FRAGMENTS_CITE), cite_url(_FRAGMENTS_CITE))
    sketch.note("fragments", "Fragments", [line])
    return sketch


def packet_path_page(sketch: Sketch) -> Page:
    """The sketch with places."""
    return sketch.page(_PLACES, spread={7: 20.0})


@lru_cache(maxsize=32)
def _pen(config: Config, rows: tuple[Row, ...], dark: bool, background: str) -> Pen:
    sketch = packet_path_sketch(config, rows)
    title = "UDP in the Windows Filtering Platform"
    said = about(config, sketch.selection.rows)
    return Pen("packet_path", packet_path_page(sketch), title, said, dark=dark, background=background)


def _add_grey(sketch: Sketch) -> None:
    windows = sketch.config.windows
    for key, group, direction in _GREY:
        stems = dict.fromkeys(
            layer.stem
            for layer in catalogue.layers()
            if (layer.group, layer.direction) == (group, direction)
            and layer.exists_on(windows)
            and not layer.is_discard
            and not layer.stem.endswith("_FAST")
        )
        if stems:
            name = f"grey {key}"
            lines = [
                Line(f"{boxes.layer_title(s)} {boxes.layer_ids(s, windows)}", "grey_ink", size=SMALL) for s in stems
            ]
            sketch.boxes[name] = Box(name, "grey", "grey", "", lines=lines, tooltip="shown, not run by this model")


def _add_flow(sketch: Sketch) -> None:
    """The flow register as a small machine: its values, and every row that changes it.

    Pended values are no rest: the boxes where a flow is pended tell of them.
    """
    moves: dict[tuple[str, str], list[Row]] = {}
    for row in sketch.selection.rows:
        for value, target in _flow_moves(row):
            if row.key not in sketch.selection.ghosts and not f"{value} {target}".count("_PENDED"):
                moves.setdefault((value, target), []).append(row)
    for name in dict.fromkeys(name for move in moves for name in move):
        key = f"state {name}"
        sketch.boxes[key] = Box(key, "state", "state", f"flow {name}", tooltip=_FLOW_TEXT.get(name, name))
    seen: set[str] = set()
    for (value, target), rows in moves.items():
        rows = strongest_first(rows)
        own = [row for row in rows if row.scope == "flow"]
        name = once(safe_id("row", own[0].key) if own else safe_id("flow", f"{value} {target}"), seen)
        words = flow_words(rows)
        if target == value:
            tooltip = "\n".join(row_tooltip(row) for row in rows)
            sketch.boxes[f"state {value}"].lines.append(Line(f"stays: {words}", "muted", name, tooltip))
        else:
            made_by = tuple((row,) for row in rows)
            first = own[0] if own else rows[0]
            way = Way(name, first, f"state {value}", f"state {target}", made_by, words, derived=True)
            sketch.ways.append(way)


def _flow_moves(row: Row) -> list[tuple[str, str]]:
    """The changes of the flow register that a row makes: from each value for which it stands to the one it sets."""
    values, target = boxes.flow_values(row)
    if target is None and row.scope != "flow":
        return []
    if "drop_all_flows" in row.ops or "CLOSED" in dict(row.sets).values():
        return []  # the socket ends, and every flow with it: that is drawn at the socket
    if "flow" not in dict(row.when):
        if "create_flow" in row.ops:
            values = ("NONE",)
        elif "IS_REAUTHORIZE" in row.flags:
            made = "IN" if row.layer == "ALE_AUTH_RECV_ACCEPT" else "OUT"  # the flows that this layer authorizes
            values = tuple(value for value in REGISTERS["flow"] if value == f"{made}_STALE")
    return [(value, target or value) for value in values]


def flow_words(rows: Iterable[Row]) -> str:
    """What changes a flow, in words: `blocked or 60 s idle`."""
    words = ("first packet" if "create_flow" in row.ops else row.event for row in rows)
    told = stimuli_words(words).split(", ")
    said = [_FLOW_WORDS.get(word, word.replace("policy_change", "policy change").replace("_", " ")) for word in told]
    return " or ".join(dict.fromkeys(said))
