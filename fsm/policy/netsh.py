"""Dumps of `netsh wfp` (show filters, show state, parts of them) to a `Policy`, as a stream and with all guards on.

expat with the guards of the log reader: no document type, bounded depth, texts, tags, records. A dump is often no
single document (`show state` writes two roots, fact e.3): at the end of a root a new parser takes over. A damaged dump
is refused as a whole: what half a policy would do is no answer.

The accounts: every element is used, or lies in a part that is no policy (`set_aside`, counted), or is told in
`not_understood`, once per kind with the first line and the count.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fsm.logs.fields import clean
from fsm.logs.stream import Readable
from fsm.logs.xml_guards import (
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

from .errors import PolicyError
from .model import Filter, NotUnderstood, Policy
from .netsh_objects import Builder, Record

FEED_BYTES = 64 * 1024
LIMIT_RECORD_BYTES = 4 * 1024 * 1024
LIMIT_ROOTS = 2000
LIMIT_OBJECTS = 200_000
LIMIT_KINDS = 200  # of what is not understood; more are counted together
_ATTRIBUTE = re.compile(rb"""<[^<>!?/\s"']+(?:\s[^<>]*?)?\s([^\s<>=/"']+)\s*=\s*["']""")
_REPLACEMENT = "\ufffd".encode()
EXPORT = "Export with `netsh wfp show state` or `netsh wfp show filters`"

# section -> what its items are
_KINDS = {
    "filters": "filter",
    "callouts": "callout",
    "providers": "provider",
    "subLayers": "sublayer",
    "providerContexts": "context",
}
_KIND_OF_KEY = (
    ("filterKey", "filter"),
    ("calloutKey", "callout"),
    ("subLayerKey", "sublayer"),
    ("providerContextKey", "context"),
    ("layerKey", "layer"),
    ("providerKey", "provider"),
)
_FRAMES = frozenset(("wfpstate", "wfpdiag", "firewallState", "items", "layers", "subscriptions"))
# Parts of a state dump or a capture that are no policy.
_SET_ASIDE = frozenset(
    (
        *("sessions", "calloutSubscriptions", "filterSubscriptions", "netEventSubscriptions", "providerSubscriptions"),
        *("providerContextSubscriptions", "subLayerSubscriptions", "connectionSubscriptions", "ipsecSaContexts"),
        *("ipsecSas", "ipsecDospStates", "aleConnectedEndpoints", "ikeextStatistics", "ikeextSas", "ipsecStatistics"),
        *("netEvents", "netEvent", "events", "vSwitchEvents", "connections", "systemPorts", "netEventOptions"),
        *("dynamicKeywordAddresses", "ipsecDospStatistics", "engineOptions", "options", "dynamicKeywords"),
    )
)
# Contents of a provider context that say how IPsec works, not what a filter does.
_ASIDE_IN_CONTEXT = frozenset(
    (
        *("keyingPolicy", "ikeQmTransportPolicy", "ikeQmTunnelPolicy", "authipQmTransportPolicy"),
        *("authipQmTunnelPolicy", "ikeMmPolicy", "authIpMmPolicy", "ikeV2QmTunnelPolicy", "ikeV2QmTransportPolicy"),
        *("ikeV2MmPolicy", "idpOptions", "networkConnectionPolicy"),
    )
)
_WEB_PAGE = frozenset(("html", "head", "body"))


class _Refused(Exception):
    """Raised in a handler: what is wrong, and the line."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


def read_dump(stream: Readable, prefix: str, source: str) -> Policy:
    """The policy of a dump.

    Parameters
    ----------
    stream : its bytes, as UTF-8 or in the code page that `prefix` declares.
    prefix : how its text begins.
    source : the name for messages and for the `source` of each filter.

    Raises
    ------
    PolicyError : damaged, hostile, or nothing that belongs to a policy in it.
    """
    reader = _Dump(source, code_page(prefix))
    while data := stream.read(FEED_BYTES):
        reader.feed(data)
    reader.feed(b"", final=True)
    return reader.policy()


class _Dump:
    """Feeds expat and keeps what comes out. Records are built as nested dictionaries and handed on when they end."""

    def __init__(self, source: str, encoding: str) -> None:
        self._source = source
        # Decoded here, and expat told that it is UTF-8: declarations are often wrong (redirected output).
        # And output sent to a file from a console is in its code page: what is no text costs a character, not the dump.
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._is_utf8 = self._plain = encoding == "utf-8"  # plain: no half of a character is waiting
        self._found: dict[str, dict[Any, Any]] = {kind: {} for _, kind in _KIND_OF_KEY}
        self._build = Builder()
        self._keys: set[str] = set()  # of filters
        self._seen: set[tuple[str, str]] = set()  # kind and key of the others
        self._aside: dict[str, int] = {}
        self._strange: dict[str, list[int]] = {}  # what -> [first line, count]
        self._texts: list[str] = []
        self._stack: list[None] = []  # the open elements of a record that is skipped; one for one that is built
        self._root: Element | None = None  # the record that is built
        self._path: list[str] = []
        self._kind = ""
        self._line = 0
        self._taken_at = ""
        self._roots: list[str] = []
        self._names: set[str] = set()
        self._given = 0  # bytes given to this parser
        self._record_at = 0
        self._window = b""  # what this parser has not used up
        self._open(1)

    # ---- the parser

    def _open(self, line: int) -> None:
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.buffer_size = 32 * 1024
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = self._refuse_doctype
        self._base_line = line
        self._given = 0
        self._window = b""
        self._closed = False  # the root
        self._outside()

    def feed(self, data: bytes, *, final: bool = False) -> None:
        """Give the next bytes; the last call has none and `final` set."""
        self._attributes_in(data)
        if not (self._plain and data.isascii()):  # most of a dump is, and costs nothing
            data = self._as_utf8(data, final)
        while True:
            if not self._given:
                stripped = data.lstrip(b" \t\r\n\x00")
                self._base_line += data.count(b"\n", 0, len(data) - len(stripped))
                data = stripped
                if not data:
                    return
            self._window += data
            self._given += len(data)
            try:
                self._parser.Parse(data, final)
            except _Refused as refusal:
                raise self._error(str(refusal), refusal.line) from None
            except expat.ExpatError as error:
                data = self._next_root(error, final)
                continue
            break
        if final:
            return
        self._check()

    def _as_utf8(self, data: bytes, final: bool) -> bytes:
        known = data.count(_REPLACEMENT)
        text = self._decoder.decode(data, final)
        self._plain = self._is_utf8 and not self._decoder.getstate()[0]
        data = text.encode("utf-8", "replace")
        if data.count(_REPLACEMENT) > known:
            line = self._now() + data.count(b"\n", 0, data.find(_REPLACEMENT))
            self._tell("bytes that are no text in the encoding of the file, shown as U+FFFD", line)
        return data

    def _check(self) -> None:
        used = self._parser.CurrentByteIndex
        unused = self._given - used
        if unused > LIMIT_UNPROCESSED_BYTES:
            raise self._error(TOO_LONG_A_TAG)
        self._window = self._window[len(self._window) - unused :] if unused else b""
        if len(self._texts) > 8 and sum(map(len, self._texts)) > LIMIT_TEXT_BYTES:
            raise self._error(TOO_LONG_A_TEXT)
        if self._open_depth() > LIMIT_DEPTH:
            raise self._error(TOO_DEEP)
        if self._stack and used - self._record_at > LIMIT_RECORD_BYTES:
            raise self._error(f"has a record of more than {LIMIT_RECORD_BYTES >> 20} MiB")

    def _next_root(self, error: expat.ExpatError, final: bool) -> bytes:
        """What follows a root that has ended; raises for anything else."""
        line = self._base_line + error.lineno - 1
        if not self._closed:
            cut = final and error.code in CUT
            what = "cut off: the XML ends in the middle" if cut else f"broken XML ({reason(error)})"
            raise self._error(what, line)
        at = self._parser.ErrorByteIndex - (self._given - len(self._window))
        rest = self._window[max(at, 0) :]
        content = rest.strip(b" \t\r\n\x00").removeprefix(b"\xef\xbb\xbf")  # some copies are padded with zero bytes
        if content and not content.startswith(b"<"):
            raise self._error("something that is no XML after the last element", line)
        if len(self._roots) > LIMIT_ROOTS:
            raise self._error(f"has more than {LIMIT_ROOTS} root elements", line)
        self._texts.clear()
        self._open(line)
        return rest.lstrip(b"\x00").removeprefix(b"\xef\xbb\xbf") if content else b""

    def _refuse_doctype(self, *_: object) -> None:
        raise self._refused("declares a document type or entities, which no dump does")

    def _refused(self, what: str) -> _Refused:
        return _Refused(what, self._now())

    def _now(self) -> int:
        return self._base_line + self._parser.CurrentLineNumber - 1

    def _error(self, what: str, line: int | None = None) -> PolicyError:
        return PolicyError(f"{self._source}, line {line or self._now()}", what, "", EXPORT)

    # ---- outside records: few elements, looked at closely

    def _outside(self) -> None:
        self._parser.CharacterDataHandler = self._texts.append
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self._drop_text()
        path = self._path
        parent = path[-1] if path else ""
        if len(path) > LIMIT_DEPTH:
            raise self._refused(TOO_DEEP)
        if not parent:
            self._roots.append(name)
            if name.lower() in _WEB_PAGE:
                raise self._refused("this is a web page, no dump")
        elif len(path) < 3 and len(self._names) < 100:
            self._names.add(name)
        if name == "layer" and parent == "item":
            self._begin("layer")
        elif parent in _SET_ASIDE:
            self._begin(f"aside:{parent}" if name in ("item", "netEvent") else "aside:")
        elif name == "item" and parent != "layers":
            self._begin(_KINDS.get(parent, "?"))
        elif name in _SET_ASIDE:
            self._aside.setdefault(name, 0)
            if name == "netEvent":
                self._begin("aside:netEvent")
            else:
                path.append(name)
        elif name in _KINDS or name in _FRAMES or name in ("timeStamp", "item"):
            path.append(name)
        elif parent.startswith("!"):  # inside something strange: told once, but searched for filters
            path.append("!" + name)
        else:
            shown = clean(name)[:80]
            self._tell(f"<{shown}> in <{parent}>" if parent else f"a root <{shown}>")
            path.append("!" + name)

    def _end(self, _: str) -> None:
        name = self._path.pop()
        text = "".join(self._texts).strip()
        self._texts.clear()
        if name == "timeStamp":
            self._taken_at = self._taken_at or text
        elif text and name[0] != "!":
            self._tell(f"text in <{name}>")
        self._closed = not self._path

    def _drop_text(self) -> None:
        if self._texts:
            if self._path and self._path[-1][0] != "!" and "".join(self._texts).strip():
                self._tell(f"text in <{self._path[-1]}>")
            self._texts.clear()

    # ---- inside a record: nearly all elements are, so C does the work

    def _begin(self, kind: str) -> None:
        self._kind, self._line = kind, self._now()
        self._record_at = self._parser.CurrentByteIndex
        self._stack.append(None)
        parser = self._parser
        if kind.startswith("aside:"):
            if kind != "aside:":
                self._count_aside(kind[6:])
            parser.CharacterDataHandler = None
            parser.StartElementHandler, parser.EndElementHandler = self._skipping(len(self._path))
        else:
            parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._building()

    def _skipping(self, depth: int) -> tuple[Any, Any]:
        stack = self._stack

        def start(_: str, __: dict[str, str]) -> None:
            stack.append(None)
            if len(stack) + depth > LIMIT_DEPTH:
                raise self._refused(TOO_DEEP)

        def end(_: str) -> None:
            stack.pop()
            if not stack:
                self._finish_root()
                self._outside()

        return start, end

    def _building(self) -> tuple[Any, Any, Any]:
        """Handlers that build one element tree, in C; only the end of the record comes back here."""
        builder = TreeBuilder()
        self._root = root = builder.start("record", {})
        close = builder.end

        def end(name: str) -> None:
            if close(name) is root:
                self._root = None
                self._stack.pop()
                self._finish(self._record(root, LIMIT_DEPTH - len(self._path)))

        return builder.start, end, builder.data

    def _record(self, element: Element, deepest: int) -> Record:
        """An element as nested dictionaries: `{name: text | {...}}`, the `item` elements of a list under "item"."""
        if deepest < 0:
            raise self._refused(TOO_DEEP)
        record: Record = {}
        for child in element:
            name, tail = child.tag, child.tail
            value: Any
            if len(child):
                value = self._record(child, deepest - 1)
                text = child.text
                if text and not text.isspace():
                    self._tell(f"text between the elements of a {self._kind}", self._line)
            else:
                value = child.text
                value = value.strip() if value else ""
            if name == "item":
                if "item" in record:
                    record["item"].append(value)
                else:
                    record["item"] = [value]
            elif name not in record:
                record[name] = value
            else:
                self._tell(f"a second <{clean(name)[:80]}> in a {self._kind}", self._line)
                if not record[name]:
                    record[name] = value
            if tail and not tail.isspace():
                self._tell(f"text between the elements of a {self._kind}", self._line)
        return record

    def _open_depth(self) -> int:
        """How deep the element that is open now lies in its record."""
        depth, element = 0, self._root
        while element is not None and len(element):
            element, depth = element[-1], depth + 1
        return depth

    def _attributes_in(self, data: bytes) -> None:
        """Tell attributes that no dump has. Cheap where there are none: nearly every attribute is numItems."""
        if data.count(b"=") != data.count(b' numItems="'):
            for found in _ATTRIBUTE.finditer(data):
                name = found[1].decode("utf-8", "replace")
                if not name.startswith(("xmlns", "xml:", "xsi:")) and name != "numItems":
                    self._tell(f"attribute {clean(name)[:80]}", self._now() + data.count(b"\n", 0, found.start()))

    def _finish(self, record: Record) -> None:
        """A record has ended."""
        self._outside()
        self._finish_root()
        kind = self._kind
        if kind == "?":
            kind = next((kind for key, kind in _KIND_OF_KEY if key in record), "")
            if not kind:
                if not self._path or self._path[-1][0] != "!":
                    self._tell("an <item> without a key")
                return
        if kind == "context":
            for name in [name for name in record if name in _ASIDE_IN_CONTEXT]:
                del record[name]
                self._count_aside(f"providerContexts/{name}")
        made = getattr(self._build, kind)(record, f"{self._source}, line {self._line}", self._teller(kind))
        objects = self._found[kind]
        if kind == "filter":
            self._add_filter(made)
        elif made in objects:
            self._count_aside(f"repeated {kind}")
        else:
            if made.key and (kind, made.key) in self._seen:
                self._tell(f"a second one with the same key in a {kind}", self._line)
            self._seen.add((kind, made.key))
            objects[made] = None
            if len(objects) > LIMIT_OBJECTS:
                raise self._refused(f"has more than {LIMIT_OBJECTS:,} of kind {kind}")

    def _add_filter(self, made: Filter) -> None:
        filters = self._found["filter"]
        if made.key in self._keys:
            if any(replace(made, source=old.source) == old for old in filters.values() if old.key == made.key):
                self._count_aside("repeated filter")
                return
            if made.key:
                self._tell("a second one with the same key in a filter", self._line)
        self._keys.add(made.key)
        filters[len(filters)] = made
        if len(filters) > LIMIT_OBJECTS:
            raise self._refused(f"has more than {LIMIT_OBJECTS:,} filters")

    def _finish_root(self) -> None:
        self._closed = not self._path

    # ---- accounts

    def _count_aside(self, name: str) -> None:
        if name in self._aside or len(self._aside) < LIMIT_KINDS:
            self._aside[name] = self._aside.get(name, 0) + 1

    def _teller(self, kind: str) -> Any:
        return lambda what: self._tell(f"{clean(what)[:200]} in a {kind}", self._line)

    def _tell(self, what: str, line: int | None = None) -> None:
        if what not in self._strange and len(self._strange) >= LIMIT_KINDS:
            what = "more of other kinds"
        entry = self._strange.setdefault(what, [line or self._now(), 0])
        entry[1] += 1

    def policy(self) -> Policy:
        """What came of it, when everything was fed.

        Raises
        ------
        PolicyError : nothing of it belongs to a policy.
        """
        found = self._found
        if self._path or self._stack or not self._roots:
            raise self._error("cut off: the XML ends in the middle")
        if not any(found[kind] for kind in found):
            names = ", ".join(f"<{clean(name)[:40]}>" for name in [*self._roots[:2], *sorted(self._names)[:3]])
            events = any(name in ("netEvents", "netEvent", "events") for name in self._aside)
            events = events or self._roots[0] in ("Event", "Events")
            raise PolicyError(
                self._source,
                f"this is XML ({names}) without a filter, sublayer, callout or provider",
                "It holds events: give it to wfp-udp explain" if events else "",
                EXPORT,
            )
        return Policy(
            filters=tuple(found["filter"].values()),
            sublayers=tuple(found["sublayer"]),
            callouts=tuple(found["callout"]),
            providers=tuple(found["provider"]),
            contexts=tuple(found["context"]),
            layers=tuple(found["layer"]),
            source=self._source,
            taken_at=self._taken_at,
            set_aside=tuple(self._aside.items()),
            not_understood=tuple(
                NotUnderstood(f"{self._source}, line {line}", what if count == 1 else f"{what} ({count} times)")
                for what, (line, count) in self._strange.items()
            ),
        )
