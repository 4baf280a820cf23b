"""One look for every picture: palette, line styles for the basis, ids, labels, and an SVG that is light and dark.

DOT is always written in one palette. An SVG is written in the light one, and its style sheet maps each light colour to
its dark partner where the reader's system is dark: the colours of a palette are therefore all different. A PNG has no
style sheet, so for it the DOT itself can be written in either palette, on a background.

Nothing is told by colour alone: the basis of a statement has its own line and a mark in brackets, a block its own word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache

from fsm.names import Basis
from fsm.rows import Row
from fsm.sources import SOURCES

# Metric-compatible fonts exist everywhere (Arial, Liberation Sans, Arimo); Helvetica is replaced by wider ones.
FONT = "Arial"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they are for. The values of one palette are all different: the style sheet maps by value."""

    paper: str  # behind everything, and the inside of boxes
    ink: str  # text
    muted: str  # text of second rank
    rule: str  # border of boxes
    hair: str  # border of bands, grid lines
    grey: str  # fill of what is shown and not run
    grey_ink: str  # text of what is shown and not run, and of what an overlay dims
    dim: str  # lines of what an overlay dims
    out: str  # lines and text: outbound
    out_fill: str
    inn: str  # inbound
    inn_fill: str
    local: str  # bind, close, flow events: no packet
    local_fill: str
    icmp: str  # ICMP errors
    icmp_fill: str
    block: str  # a block and what follows
    block_fill: str
    taken: str  # overlay: the path taken, counts
    taken_fill: str
    state: str  # register states, at rest
    state_fill: str
    band_app: str
    band_ale: str
    band_transport: str
    band_network: str
    band_below: str
    band_wire: str


LIGHT = Palette(
    paper="#ffffff",
    ink="#1f2328",
    muted="#505a64",
    rule="#57606b",
    hair="#ccd3da",
    grey="#f3f4f6",
    grey_ink="#626b76",
    dim="#b4bbc4",
    out="#0b5cad",
    out_fill="#dcecfd",
    inn="#0a6b4b",
    inn_fill="#d8f3e5",
    local="#6136a8",
    local_fill="#ebe2fb",
    icmp="#8f4a00",
    icmp_fill="#ffe9d0",
    block="#b3261e",
    block_fill="#fdecea",
    taken="#9c0f6b",
    taken_fill="#fde3f3",
    state="#3d4650",
    state_fill="#fdf6c9",
    band_app="#f8f5ff",
    band_ale="#fffaf0",
    band_transport="#f3f8ff",
    band_network="#f2faf5",
    band_below="#f7f8f9",
    band_wire="#eceff2",
)

DARK = Palette(
    paper="#0d1117",
    ink="#e6edf3",
    muted="#a9b4c0",
    rule="#8b96a2",
    hair="#38414b",
    grey="#1b2027",
    grey_ink="#8f99a5",
    dim="#4b5561",
    out="#79b8ff",
    out_fill="#12304f",
    inn="#5fd6a0",
    inn_fill="#0f3a2a",
    local="#c7a6ff",
    local_fill="#32224f",
    icmp="#ffb066",
    icmp_fill="#45290c",
    block="#ff8e85",
    block_fill="#41191a",
    taken="#ff8fd0",
    taken_fill="#4a1537",
    state="#d3dae1",
    state_fill="#3a3510",
    band_app="#15131d",
    band_ale="#1a1712",
    band_transport="#10161f",
    band_network="#0f1814",
    band_below="#13161a",
    band_wire="#1c2127",
)


def palette(dark: bool = False) -> Palette:
    """The light or the dark palette."""
    return DARK if dark else LIGHT


@dataclass(frozen=True, slots=True)
class BasisLook:
    """How a basis looks without colour: line style and arrow head of DOT, and a mark for text."""

    style: str
    arrowhead: str
    mark: str
    text: str


BASIS: dict[Basis, BasisLook] = {
    Basis.DOCUMENTED: BasisLook("solid", "normal", "", "documented"),
    Basis.OBSERVED: BasisLook("dashed", "normal", "[O]", "observed"),
    Basis.INFERRED: BasisLook("dotted", "onormal", "[I]", "inferred here"),
}


# ---- DOT ------------------------------------------------------------------------------------------------------------


def graph_attributes(colours: Palette, background: str = "transparent") -> dict[str, str]:
    """Attributes of the whole graph. `background` is a colour, "transparent", or "paper" for that of the palette."""
    return {
        "fontname": FONT,
        "fontcolor": colours.ink,
        "bgcolor": colours.paper if background == "paper" else background,
        "pad": "0.15",
    }


def node_attributes(colours: Palette) -> dict[str, str]:
    """Defaults of nodes."""
    return {"fontname": FONT, "fontsize": "10", "fontcolor": colours.ink, "color": colours.rule, "shape": "plain"}


def edge_attributes(colours: Palette) -> dict[str, str]:
    """Defaults of edges."""
    return {
        "fontname": FONT,
        "fontsize": "9",
        "fontcolor": colours.ink,
        "color": colours.rule,
        "arrowsize": "0.7",
        "penwidth": "1.2",
    }


@cache
def safe_id(kind: str, name: str) -> str:
    """An id for SVG and CSS from a row key, a position or a state: `row_send_authorize_permit_flow_NONE`."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}"


_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"} | dict.fromkeys((*range(32), 127), " "))


def html(text: str) -> str:
    """Text for an HTML-like label of DOT: escaped, no control characters. For text from logs and files too.

    Backslashes are left as they are; Graphviz reads `\\N` even here, so who prints foreign text doubles them.
    """
    return text.translate(_HTML)


def cited(keys: Iterable[str]) -> str:
    """The sources behind citation keys, for a tooltip."""
    return "; ".join(SOURCES[key].title for key in keys)


def cite_url(keys: Iterable[str]) -> str:
    """The page of the first citation that has one; empty where none has. URLs never come from input."""
    return next((SOURCES[key].url for key in keys if SOURCES[key].url), "")


@cache
def row_tooltip(row: Row) -> str:
    """What a reader gets who points at a row: its key, the note, basis and sources.

    Written for DOT, which takes a backslash in a tooltip for the start of an escape.
    """
    note = f" - {row.note}" if row.note else ""
    return f"{row.key}{note} ({row.basis}: {cited(row.cite)})".replace("\\", "\\\\")


def counted_tooltip(rows: Iterable[Row], counts: Mapping[str, int]) -> str:
    """`row_tooltip` of several rows, each behind its count: what stands for them together may be taken by one only."""
    found = ((counts.get(row.key, 0), row) for row in rows)
    return "\n".join(f"{f'x{count}' if count else 'never'}: {row_tooltip(row)}" for count, row in found)


# ---- measuring text, for pictures that are laid out here ------------------------------------------------------------

# Advance widths of the printable ASCII characters from the blank on, in 1/1000 em, of Arial and Arial Bold.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 "
    "556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 "
    "667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 "
    "556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_HEAVY = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 "
    "556 556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 "
    "667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 "
    "611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584"
)
_WIDTHS, _BOLD_WIDTHS = (
    {chr(32 + place): int(width) for place, width in enumerate(table.split())} for table in (_REGULAR, _HEAVY)
)


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """About how wide Arial sets this text, in the unit of `size`."""
    widths = _BOLD_WIDTHS if bold else _WIDTHS
    return sum(widths.get(character, 1000) for character in text) * size / 1000


def wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Text broken into lines that fit into `width`; a word that is too long stays whole."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


# ---- SVG ------------------------------------------------------------------------------------------------------------

SVG_CLASS = "wfp-picture"


@cache
def css() -> str:
    """The style sheet of every SVG: colours as variables, so that a page can choose its own look.

    A page with a switch of its own sets `data-theme="light"` or `"dark"` on any element around the picture.
    Renderers that know no variables (librsvg, Inkscape) keep the light colours that stand in the SVG.
    """
    roles = [field.name for field in fields(Palette)]
    light, dark = ("".join(f"--{role}:{getattr(look, role)};" for role in roles) for look in (LIGHT, DARK))
    mapped = "".join(
        f'.{SVG_CLASS} [{kind}="{getattr(LIGHT, role)}"]{{{kind}:var(--{role})}}\n'
        for role in roles
        for kind in ("fill", "stroke")
    )
    return (
        f".{SVG_CLASS}{{{light}}}\n"
        # A dark picture brings its background: the page around it, or the browser's empty canvas, may be white.
        f"@media screen and (prefers-color-scheme:dark){{.{SVG_CLASS}{{{dark}background:var(--paper)}}}}\n"
        f'[data-theme="light"] .{SVG_CLASS}{{{light}background:none}}\n'
        f'[data-theme="dark"] .{SVG_CLASS}{{{dark}}}\n'
        f"{mapped}"
        f".{SVG_CLASS} text{{font-family:Arial,'Liberation Sans',Arimo,Helvetica,sans-serif}}\n"
        f".{SVG_CLASS} a:hover text{{text-decoration:underline}}\n"
        f".{SVG_CLASS} .edge:hover path{{stroke-width:3}}\n"
    )


def theme_svg(svg: str, *, title: str, desc: str = "", max_width_px: int | None = None, name: str = "picture") -> str:
    """An SVG of Graphviz made ready to publish: light and dark, scaling, readable by a screen reader.

    The width and height go and the viewBox stays, so that it fills the page it is put on up to `max_width_px` (its
    own size in pixels without it). Prologue and comments go, so it can stand inside HTML; what Graphviz wrote as the
    `title` of an element (its node name) becomes the tooltip, where it has one. `name` begins the ids of title and
    description: give each its own where several pictures stand in one page.
    """
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->", "", svg, flags=re.DOTALL).strip()
    opening = re.search(r'<svg width="([\d.]+)(pt|px)?" height="([\d.]+)(pt|px)?"\s+viewBox="([^"]+)"([^>]*)>', svg)
    if opening is None:
        raise ValueError("theme_svg: this is not an SVG as Graphviz writes it")
    wide_px = max_width_px or round(float(opening[1]) * (4 / 3 if opening[2] == "pt" else 1))
    about = f'<desc id="{name}-desc">{html(desc)}</desc>' if desc else ""
    labelled = f"{name}-title {name}-desc" if desc else f"{name}-title"
    head = (
        f'<svg class="{SVG_CLASS}" viewBox="{opening[5]}"{opening[6]} role="img" aria-labelledby="{labelled}" '
        f'style="width:100%;max-width:{wide_px}px;height:auto">\n'
        f'<title id="{name}-title">{html(title)}</title>{about}\n<style>\n{css()}</style>\n'
    )
    body = svg[opening.end() :]
    # A browser shows the nearest <title> as tooltip: let it be the tooltip and not a name like "n17".
    body = re.sub(
        r'<title>[^<]*</title>\s*(<g id="[^"]*"><a [^>]*?xlink:title="([^"]*)">)',
        lambda found: f"<title>{found[2]}</title>{found[1]}",
        body,
    )
    body = re.sub(r"<title>(?:[A-Za-z0-9_]+|%3|[^<]*&#45;&gt;[^<]*)</title>\s*", "", body)
    return head + re.sub(r"\n{2,}", "\n", body).strip() + "\n"
