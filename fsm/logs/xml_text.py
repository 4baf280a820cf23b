"""Event XML that stands as a text in a field of another record; guarded as whole inputs are (`xml_guards`)."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from .xml_guards import LIMIT_DEPTH, LIMIT_TEXT_BYTES, TOO_DEEP, reason
from .xml_records import LIMIT_RECORD_ELEMENTS, Node, event_record


class BadXml(ValueError):
    """Why a text is no XML that can be read."""


def events_in(text: str) -> list[dict[str, Any]]:
    """The events of a text that is an Event element, or some in an Events element; [] when it is other XML.

    Raises
    ------
    BadXml : the text is broken, cut off, hostile, or too long.
    """
    root = _tree(text)
    nodes = [root] if root.name == "Event" else [node for node in root.children if node.name == "Event"]
    return [event_record(node) for node in nodes]


def fields_in(text: str) -> dict[str, Any]:
    """The named Data elements of an EventData, however much stands around it.

    Raises
    ------
    BadXml : as above.
    """
    data: dict[str, Any] = {}
    nodes = [_tree(text)]
    while nodes:
        node = nodes.pop()
        nodes += reversed(node.children)
        if node.name == "Data" and node.attributes.get("Name"):
            data[node.attributes["Name"]] = node.text
    return data


def _tree(text: str) -> Node:
    if len(text) > LIMIT_TEXT_BYTES:
        raise BadXml(f"XML of more than {LIMIT_TEXT_BYTES >> 20} MiB")
    above = Node("", {})
    path = [above]
    elements = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        elements += 1
        if len(path) > LIMIT_DEPTH:
            raise BadXml(f"XML that {TOO_DEEP}")
        if elements > LIMIT_RECORD_ELEMENTS:
            raise BadXml(f"XML of more than {LIMIT_RECORD_ELEMENTS} elements")
        node = Node(tag.rpartition(":")[2], attributes)
        path[-1].children.append(node)
        path.append(node)

    def refuse(*_: object) -> None:
        raise BadXml("XML with a document type or entities, which no event has")

    parser = expat.ParserCreate("utf-8")  # whatever it declares: it is decoded already
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: path.pop()
    parser.CharacterDataHandler = lambda piece: path[-1].pieces.append(piece)
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.strip("\ufeff \t\r\n\x00").encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise BadXml(f"broken XML ({reason(error)})") from None
    return above.children[0]
