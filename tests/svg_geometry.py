"""What a reader would see wrong in an SVG of Graphviz: cut text, text on text, boxes on boxes, lines through boxes.

Reads the file as a picture and shares no code with what drew it; text is measured with the widths of Arial.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

_SVG = "{http://www.w3.org/2000/svg}"
Bounds = tuple[float, float, float, float]  # left, top, right, bottom

# Widths of Arial and Arial Bold in 1/1000 em, the characters of one width together.
_REGULAR = {
    191: "'", 222: "ijl", 260: "|", 278: " !,./:;I[\\]ft", 333: "()-`r", 355: '"', 389: "*", 469: "^", 500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopqu", 584: "+<=>~", 611: "FTZ", 667: "&ABEKPSVXY", 722: "CDHNRUw", 778: "GOQ",
    833: "Mm", 889: "%", 944: "W", 1015: "@",
}  # fmt: skip
_BOLD = {
    238: "'", 278: " ,./I\\ijl", 333: "!()-:;[]ft`", 389: "*r", 474: '"', 500: "z", 556: "#$0123456789J_aceksvxy",
    584: "+<=>^~", 611: "?FLTZbdghnopqu", 667: "EPSVXY", 722: "&ABCDHKNRU", 778: "GOQw", 833: "M", 889: "%m",
    944: "W", 975: "@",
}  # fmt: skip
_WIDTHS, _BOLD_WIDTHS = (
    {character: width for width, characters in table.items() for character in characters} for table in (_REGULAR, _BOLD)
)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in Arial."""
    return sum((_BOLD_WIDTHS if bold else _WIDTHS).get(c, 600) for c in text) * size / 1000


@dataclass
class Text:
    """A piece of text and where it stands."""

    said: str
    bounds: Bounds


@dataclass
class Group:
    """A node, edge or cluster of Graphviz."""

    id: str
    classes: frozenset[str]
    shapes: list[Bounds] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    lines: list[list[tuple[float, float]]] = field(default_factory=list)

    @property
    def bounds(self) -> Bounds:
        return _around(self.shapes)


@dataclass
class Picture:
    """All groups of an SVG, and its size."""

    view: Bounds
    nodes: list[Group]
    edges: list[Group]
    clusters: list[Group]


def read(svg: str) -> Picture:
    """The geometry of an SVG as Graphviz writes it, themed or not."""
    root = ET.fromstring(re.sub(r"<!DOCTYPE.*?>", "", svg, flags=re.DOTALL))
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    graph = next(g for g in root.iter(f"{_SVG}g") if "graph" in g.attrib.get("class", "").split())
    moved = re.search(r"translate\(([-\d.]+)[ ,]([-\d.]+)\)", graph.attrib["transform"])
    assert moved is not None
    dx, dy = float(moved[1]), float(moved[2])
    picture = Picture((x, y, x + width, y + height), [], [], [])
    for element in graph.iter(f"{_SVG}g"):
        classes = element.attrib.get("class", "").split()
        for kind, groups in (("node", picture.nodes), ("edge", picture.edges), ("cluster", picture.clusters)):
            if kind in classes:
                groups.append(_group(element, frozenset(classes), dx, dy))
    return picture


def problems(svg: str, *, not_solid: frozenset[str] = frozenset({"chip", "legend"}), slack: float = 1.5) -> list[str]:
    """Everything that is wrong, in words; empty for a good picture.

    Parameters
    ----------
    not_solid : classes of nodes that may lie on others (marks of an overlay).
    slack : points by which a text may be measured wrong.
    """
    picture = read(svg)
    solid = [node for node in picture.nodes if not node.classes & not_solid and node.shapes]
    return [
        *_cut_texts([*picture.nodes, *picture.clusters], slack),
        *_texts_on_texts(picture.nodes),
        *_boxes_on_boxes(solid),
        *_outside(picture, slack),
        *_lines_through_boxes(picture.edges, solid),
    ]


def words_on_boxes(svg: str) -> list[str]:
    """Text without a shape of its own (headings, labels) that touches a box or another text."""
    nodes = [node for node in read(svg).nodes if "lane" not in node.classes]
    texts = [text for node in nodes if not node.shapes for text in node.texts]
    others = [(shape, node.id) for node in nodes for shape in node.shapes]
    found = []
    for text in texts:
        for bounds, name in [*others, *((other.bounds, other.said) for other in texts if other is not text)]:
            wide = min(text.bounds[2], bounds[2]) - max(text.bounds[0], bounds[0])
            high = min(text.bounds[3], bounds[3]) - max(text.bounds[1], bounds[1])
            if wide > 0.5 and high > 0.5:
                found.append(f"{text.said!r} on {name!r}")
    return found


def _cut_texts(groups: list[Group], slack: float) -> Iterator[str]:
    for group in groups:
        if not group.shapes:
            continue
        for text in group.texts:
            over = _over(text.bounds, group.bounds)
            if over > slack:
                yield f"{group.id}: {text.said!r} stands {over:.1f} outside"


def _texts_on_texts(groups: list[Group]) -> Iterator[str]:
    for group in groups:
        for a, b in itertools.combinations(group.texts, 2):
            wide = min(a.bounds[2], b.bounds[2]) - max(a.bounds[0], b.bounds[0])
            high = min(a.bounds[3], b.bounds[3]) - max(a.bounds[1], b.bounds[1])
            if wide > 3 and high > 3:
                yield f"{group.id}: {a.said!r} and {b.said!r} lie on each other"


def _boxes_on_boxes(nodes: list[Group]) -> Iterator[str]:
    for a, b in itertools.combinations(nodes, 2):
        wide = min(a.bounds[2], b.bounds[2]) - max(a.bounds[0], b.bounds[0])
        high = min(a.bounds[3], b.bounds[3]) - max(a.bounds[1], b.bounds[1])
        if wide > 0.5 and high > 0.5:
            yield f"{a.id} and {b.id} overlap by {wide:.1f} x {high:.1f}"


def _outside(picture: Picture, slack: float) -> Iterator[str]:
    for group in (*picture.nodes, *picture.edges, *picture.clusters):
        bounds = [*group.shapes, *(text.bounds for text in group.texts)]
        bounds += [_box_of(line) for line in group.lines]
        over = max((_over(one, picture.view) for one in bounds), default=0.0)
        if over > slack:
            yield f"{group.id}: {over:.1f} outside the picture"


def _lines_through_boxes(edges: list[Group], nodes: list[Group]) -> Iterator[str]:
    for edge in edges:
        for line in edge.lines:
            ends = (line[0], line[-1])
            for node in nodes:
                left, top, right, bottom = node.bounds
                if any(left - 9 < x < right + 9 and top - 9 < y < bottom + 9 for x, y in ends):
                    continue  # where it begins or ends
                if any(left + 1 < x < right - 1 and top + 1 < y < bottom - 1 for x, y in line):
                    yield f"{edge.id} runs through {node.id}"


def _group(element: ET.Element, classes: frozenset[str], dx: float, dy: float) -> Group:
    group = Group(element.attrib.get("id", "?"), classes)
    for shape in element.iter():
        if shape.tag in (f"{_SVG}polygon", f"{_SVG}polyline"):
            group.shapes.append(_box_of(_numbers(shape.attrib["points"], dx, dy)))
        elif shape.tag == f"{_SVG}ellipse":
            cx, cy, rx, ry = (float(shape.attrib[name]) for name in ("cx", "cy", "rx", "ry"))
            group.shapes.append((cx - rx + dx, cy - ry + dy, cx + rx + dx, cy + ry + dy))
        elif shape.tag == f"{_SVG}path":
            points = _curve(shape.attrib["d"], dx, dy)
            if "edge" in classes:
                group.lines.append(points)
            else:
                group.shapes.append(_box_of(points))
        elif shape.tag == f"{_SVG}text" and shape.text and shape.text.strip():
            group.texts.append(_text(shape, dx, dy))
    return group


def _text(element: ET.Element, dx: float, dy: float) -> Text:
    said, size = element.text or "", float(element.attrib["font-size"])
    width = text_width(said, size, "bold" in element.attrib.get("font-weight", ""))
    anchor = element.attrib.get("text-anchor", "start")
    left = float(element.attrib["x"]) + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    left += text_width(said[: len(said) - len(said.lstrip())], size)  # blanks in front are not seen
    width = text_width(said.strip(), size, "bold" in element.attrib.get("font-weight", ""))
    base = float(element.attrib["y"]) + dy
    return Text(said, (left, base - 0.72 * size, left + width, base + 0.21 * size))


def _curve(d: str, dx: float, dy: float) -> list[tuple[float, float]]:
    """Points on a path of cubic curves, close enough that no box slips between them."""
    numbers = _numbers(d, dx, dy)
    if "C" not in d or len(numbers) % 3 != 1:
        return numbers
    points = [numbers[0]]
    for a, b, c, e in zip(numbers[::3], numbers[1::3], numbers[2::3], numbers[3::3], strict=False):
        steps = max(2, int((abs(e[0] - a[0]) + abs(e[1] - a[1])) / 4))
        for i in range(1, steps + 1):
            t = i / steps
            k = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * p[n] for w, p in zip(k, (a, b, c, e), strict=True)) for n in (0, 1))
            points.append((x, y))
    return points


def _numbers(text: str, dx: float, dy: float) -> list[tuple[float, float]]:
    return [(float(x) + dx, float(y) + dy) for x, y in re.findall(r"(-?[\d.]+)[ ,](-?[\d.]+)", text)]


def _box_of(points: list[tuple[float, float]]) -> Bounds:
    return _around([(x, y, x, y) for x, y in points])


def _around(bounds: list[Bounds]) -> Bounds:
    lefts, tops, rights, bottoms = zip(*bounds, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _over(inner: Bounds, outer: Bounds) -> float:
    """By how much `inner` stands out of `outer`."""
    return max(outer[0] - inner[0], outer[1] - inner[1], inner[2] - outer[2], inner[3] - outer[3])
