"""Event and net event elements from a stream of XML; the only module that parses whole XML inputs.

expat with guards of our own: no document type (so no entities), bounded depth, text, attributes and records. What
is not an event is not kept, so memory does not grow with the input. Exports are often no single document (`wevtutil`
writes Event elements without a root): at the end of a root a new parser takes over. Damage in one Event costs that
Event: reading goes on at the next one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.parsers import expat

from fsm.errors import LogError

from .fields import clean
from .recognise import EXPORT, READABLE
from .stream import Broken, Readable
from .xml_guards import (
    CUT,
    LIMIT_DEPTH,
    LIMIT_TEXT_BYTES,
    LIMIT_UNPROCESSED_BYTES,
    TOO_DEEP,
    TOO_LONG_A_TAG,
    TOO_LONG_A_TEXT,
    code_page,
    reason,
)

READ_BYTES = 64 * 1024
FEED_BYTES = 8 * 1024  # at once to one parser; what is left over at the end of a root goes to the next parser
LIMIT_RECORD_ELEMENTS = 20_000
LIMIT_RECORD_TEXT = 4 * 1024 * 1024
LIMIT_ELEMENTS_WITHOUT_EVENT = 3_000_000  # a state dump before the events of a capture has some 200,000
LIMIT_DAMAGED = 1000

_REST = "the rest is not read"
_COST_OF_ROOT = 30  # elements; a new parser takes about as long

_RECORDS = ("Event", "netEvent")
_EVENT_PARTS = ("System", "EventData", "UserData")  # what holds one of them is an event, whatever it is called
_ITEM_PARENTS = (None, "netEvents", "events", "items")  # whose `item` may be a net event
_NAMED_ROOTS = {
    "wfpstate": "this is a dump of `netsh wfp show state`, which holds no events: `wfp-udp policy` reads it",
    "firewallState": "this is a dump of `netsh wfp show state`, which holds no events: `wfp-udp policy` reads it",
    "Objs": "this is PowerShell's own XML (Export-Clixml), which is not read",
    "html": "this is a web page, no log",
}
_FILTERS = "this holds WFP filters (`netsh wfp show filters`), not events: `wfp-udp policy` reads it"
_OBJECTS = "this holds WFP objects (sublayers, callouts, providers), not events: `wfp-udp policy` reads it"
_RESUME = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:Event|netEvent)[\s>]")
_CLOSING = re.compile(rb"\s*</[^<>]{1,200}>")


@dataclass(slots=True)
class Node:
    """One element of a record, with its text and everything in it."""

    name: str
    attributes: dict[str, str]
    pieces: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()

    def child(self, name: str) -> Node | None:
        return next((c for c in self.children if c.name == name), None)


def event_record(node: Node) -> dict[str, Any]:
    """An Event element in the shape that evtx_dump gives it in JSON."""
    system: dict[str, Any] = {}
    body: dict[str, Any] = {}
    unnamed: list[str] = []
    for part in node.children:
        if part.name == "System":
            for child in part.children:
                if child.name in ("Provider", "TimeCreated"):
                    system[child.name] = {"#attributes": child.attributes}
                else:
                    system[child.name] = child.text
        elif part.name == "EventData":
            for child in part.children:
                if child.name == "Data" and "Name" in child.attributes:
                    body[child.attributes["Name"]] = child.text
                elif child.name == "Data":
                    unnamed.append(child.text)
    return {"Event": {"System": system, "EventData": body or ({"Data": unnamed} if unnamed else {})}}


class Element(NamedTuple):
    """One record element, or why there is none (`broken`: and nothing after it is read)."""

    where: str
    node: Node | None
    why: str = ""
    broken: bool = False


class _Stop(Exception):
    """Raised in a handler. expat goes on to the end of what it was fed, without handlers: the place is kept here."""

    def __init__(self, parser: _Parser, what: str) -> None:
        super().__init__(what)
        self.line, self.at = parser.line, parser.expat.CurrentByteIndex


class _Refused(_Stop):
    """Hostile, or nothing we read: not worth going on."""


class _Nested(_Stop):
    """An event begins inside another, whose end is missing."""


class _Parser:
    """One expat parser: one root element."""

    def __init__(self, base_line: int) -> None:
        self.done: list[tuple[int, Node]] = []
        self.names: set[str] = set()  # of elements that are kept track of, to say what an input is
        self.elements = 0
        self.base_line = base_line
        self.root: str | None = None
        self.root_closed = False
        self._depth = self._size = self._record_size = self._record_elements = self._line = 0
        self._path: list[str] = []  # outside records
        self._lines: list[int] = []  # of the same elements
        self._misnamed = 0  # how deep the innermost of them lies that has parts of an event; 0 for none
        self._open: list[Node] = []  # inside a record
        self.expat = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = self._refuse_doctype

    @property
    def line(self) -> int:
        return self.base_line + self.expat.CurrentLineNumber - 1

    @property
    def in_record(self) -> bool:
        return bool(self._open)

    @property
    def record_line(self) -> int:
        return self._line

    def _refuse_doctype(self, *_: object) -> None:
        raise _Refused(self, "declares a document type or entities, which no log does")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        self._depth += 1
        self._size = 0
        self.elements += 1
        if self._depth > LIMIT_DEPTH:
            raise _Refused(self, TOO_DEEP)
        if self._open:
            if name in _RECORDS and not any(node.name == "UserData" for node in self._open):
                raise _Nested(self, name)  # what other providers put into UserData may be called anything
            self._record_elements += 1
            if self._record_elements > LIMIT_RECORD_ELEMENTS:
                raise _Refused(self, f"has a record of more than {LIMIT_RECORD_ELEMENTS} elements")
            node = Node(name, attributes)
            self._open[-1].children.append(node)
            self._open.append(node)
            return
        parent = self._path[-1] if self._path else None
        if name in _RECORDS or (name == "item" and parent in _ITEM_PARENTS):
            self._line, self._record_size, self._record_elements = self.line, 0, 0
            self._open.append(Node(name, attributes))
        elif self._depth <= 3 and len(name) < 100 and len(self.names) < 100:
            self.names.add(name)
        if parent is None:
            self.root = name
            if name in _NAMED_ROOTS:
                raise _Refused(self, _NAMED_ROOTS[name])
        if name in _EVENT_PARTS and parent is not None and parent not in _EVENT_PARTS:
            self._misnamed = len(self._path)
        self._path.append(name)
        self._lines.append(self.line)

    def _end(self, _tag: str) -> None:
        self._depth -= 1
        self._size = 0
        if self._open:
            node = self._open.pop()
            if self._open:
                return
            self.done.append((self._line, node))
        elif len(self._path) == self._misnamed:
            self._misnamed = 0
            self.done.append((self._lines[-1], Node(self._path[-1], {})))
        self._path.pop()
        self._lines.pop()
        self.root_closed = not self._path

    def _characters(self, data: str) -> None:
        self._size += len(data)
        if self._size > LIMIT_TEXT_BYTES:
            raise _Refused(self, TOO_LONG_A_TEXT)
        if self._open:
            self._record_size += len(data)
            if self._record_size > LIMIT_RECORD_TEXT:
                raise _Refused(self, f"has a record of more than {LIMIT_RECORD_TEXT >> 20} MiB")
            self._open[-1].pieces.append(data)


def elements(stream: Readable, prefix: str, where: str) -> Iterator[Element]:
    """The record elements of `stream`, whose text begins with `prefix`.

    Raises
    ------
    LogError : when there is no event in it at all; later trouble is an Element with `broken`.
    """
    found = False
    held: list[Element] = []  # what is no event, until there is an event: else the input is refused as what it is
    reader = _Reader(stream, code_page(prefix))
    for item in reader.run():
        found = found or item.node is not None
        if found:
            yield from held
            held.clear()
            yield item
        elif item.broken or len(held) >= LIMIT_DAMAGED:
            raise Broken(where, f"{item.where}: {item.why}", READABLE, EXPORT)
        else:
            held.append(item)
    if not found:
        what = f"{held[0].where}: {held[0].why}" if held else _no_log(reader.names, reader.root)
        raise LogError(where, what, READABLE, EXPORT)


def _no_log(names: set[str], root: str | None) -> str:
    if "filters" in names or "filterKey" in names:
        return _FILTERS
    if names & {"providers", "subLayers", "callouts", "layers"}:
        return _OBJECTS
    return f"this is XML (root element {clean(root or '?')!r}) without an Event or netEvent element"


def _problem(node: Node) -> str:
    """Why an element is no record; empty when it is one."""
    if node.name in _RECORDS:
        return ""
    if node.name != "item":
        return f"the element {clean(node.name)!r} holds what an Event does, and is not called so"
    names = {child.name for child in node.children}
    if "header" in names or "type" in names:
        return ""
    if "filterKey" in names:
        return "a WFP filter (an item of `netsh wfp show filters`), not an event"
    if names & {"subLayerKey", "calloutKey", "providerKey", "layerKey"}:
        return "a WFP object (sublayer, callout, provider), not an event"
    return "an item element without header and type, so no net event"


class _Reader:
    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        # Decoded here, and expat told that it is UTF-8, because declarations are often wrong: redirected output of
        # wevtutil is in the console's code page or UTF-16. Bytes that make no sense become U+FFFD.
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self.names: set[str] = set()
        self.root: str | None = None
        self._chunk, self._next = b"", 0  # what was read, and where the part not given to a parser yet begins
        self._window = b""  # what the parser has been given and not used up
        self._base = 0  # the parser's offset of the window
        self._parser = _Parser(1)
        self._fed = False  # whether this parser has got anything
        self._ended = False
        self._resumed = False  # closing tags of the elements around are expected
        self._elements = 0
        self._found = False
        self._damaged = 0

    def run(self) -> Iterator[Element]:
        while True:
            if self._damaged > LIMIT_DAMAGED:
                line = self._parser.line
                yield Element(f"line {line}", None, f"more than {LIMIT_DAMAGED} broken events; {_REST}", broken=True)
                return
            given = self._more()
            if not self._fed:
                stripped = given.lstrip(b" \t\r\n\x00")
                self._parser.base_line += given.count(b"\n", 0, len(given) - len(stripped))
                given = stripped
                self._fed = bool(given)
                if self._at_end and not given:
                    self._note()
                    return
            self._window += given
            parser = self._parser
            try:
                if self._fed:
                    parser.expat.Parse(given, self._at_end)
            except _Refused as refusal:
                yield from self._drain()
                yield Element(f"line {refusal.line}", None, str(refusal), broken=True)
                return
            except _Nested as nested:
                yield from self._drain()
                yield self._damage("an event that ends in the middle: the next one begins inside it")
                self._restart(nested.at - self._base, nested.line)
                self._resumed = True
            except expat.ExpatError as error:
                yield from self._drain()
                at = parser.expat.ErrorByteIndex - self._base
                line = parser.base_line + error.lineno - 1
                # the closing tags of the elements around an event where we went on
                if self._resumed and (parser.root_closed or not parser.root):
                    closing = _CLOSING.match(self._window, max(self._window.rfind(b"<", 0, at + 1), 0))
                    if closing:
                        self._restart(closing.end(), line)
                        continue
                if parser.root_closed:  # the next root
                    self._restart(at, line)
                    continue
                cut = self._at_end and error.code in CUT
                why = "cut off: the XML ends in the middle" if cut else f"broken XML ({reason(error)})"
                damage = self._damage(why, line)
                if cut or not self._seek(at, line):
                    what = f"{why}; {_REST}" if self._found else why
                    yield Element(f"line {line}", None, what, broken=True)
                    return
                yield damage
            else:
                yield from self._drain()
                self._forget()
                if len(self._window) > LIMIT_UNPROCESSED_BYTES:
                    yield Element(f"line {parser.line}", None, TOO_LONG_A_TAG, broken=True)
                    return
                if not self._found and self._elements + parser.elements > LIMIT_ELEMENTS_WITHOUT_EVENT:
                    what = f"has no event among its first {LIMIT_ELEMENTS_WITHOUT_EVENT} elements"
                    yield Element(f"line {parser.line}", None, what, broken=True)
                    return
                if self._at_end:
                    self._note()
                    return

    @property
    def _at_end(self) -> bool:
        return self._ended and self._next >= len(self._chunk)

    def _more(self) -> bytes:
        """The next piece for the parser; empty only at the end."""
        while self._next >= len(self._chunk) and not self._ended:
            data = self._stream.read(READ_BYTES)
            self._ended = not data
            self._chunk = self._decoder.decode(data, final=not data).encode("utf-8", "replace")
            self._next = 0
        piece = self._chunk[self._next : self._next + FEED_BYTES]
        self._next += len(piece)
        return piece

    def _drain(self) -> Iterator[Element]:
        for line, node in self._parser.done:
            problem = _problem(node)
            self._found = self._found or not problem
            yield Element(f"line {line}", None if problem else node, problem)
        self._parser.done.clear()

    def _damage(self, why: str, line: int | None = None) -> Element:
        self._damaged += 1
        if self._parser.in_record:
            line = self._parser.record_line
        return Element(f"line {line}", None, why)

    def _forget(self) -> None:
        used = self._parser.expat.CurrentByteIndex - self._base
        if used > 0:
            self._window = self._window[used:]
            self._base += used

    def _note(self) -> None:
        self.names |= self._parser.names
        self.root = self.root or self._parser.root

    def _restart(self, at: int, line: int) -> None:
        """A new parser, which begins at `at` of the window, on that line."""
        self._note()
        self._elements += self._parser.elements + _COST_OF_ROOT
        rest = self._window[max(at, 0) :]
        if len(rest) <= self._next:
            self._next -= len(rest)  # nearly always: the same bytes stand in the chunk
        else:
            self._chunk, self._next = rest + self._chunk[self._next :], 0
        self._window, self._base, self._fed = b"", 0, False
        self._parser = _Parser(line)

    def _seek(self, at: int, line: int) -> bool:
        """Go on at the next event after damage at `at`; False when there is none."""
        # the place of an error can be the very beginning of the next event
        self._window, skip = self._window[max(at, 0) :], int(at <= 0)
        while True:
            if match := _RESUME.search(self._window, skip):
                self._restart(match.start(), line + self._window.count(b"\n", 0, match.start()))
                self._resumed = True
                return True
            tail = self._window[-100:]
            line += self._window.count(b"\n", 0, len(self._window) - len(tail))
            more = self._more()
            if not more:
                return False
            self._window, skip = tail + more, 0
