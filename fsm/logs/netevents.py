"""One net event of `netsh wfp show netevents` or of a capture as a LogEvent.

Source: fact e.2 (types, flags, order of the elements). A capture calls the item `netEvent`, and its types can begin
with PUBLIC_.
"""

from __future__ import annotations

import json
import re
from typing import Any

from . import fields
from .event import LogEvent, LogItem, NotUnderstood
from .fields import BadField
from .xml_records import Node

TYPES = (
    "IKEEXT_MM_FAILURE", "IKEEXT_QM_FAILURE", "IKEEXT_EM_FAILURE", "CLASSIFY_DROP", "IPSEC_KERNEL_DROP",
    "IPSEC_DOSP_DROP", "CLASSIFY_ALLOW", "CAPABILITY_DROP", "CAPABILITY_ALLOW", "CLASSIFY_DROP_MAC",
    "LPM_PACKET_ARRIVAL",
)  # fmt: skip
_NEEDS_LAYER = ("CLASSIFY_DROP", "CLASSIFY_ALLOW")
_SPACES = re.compile(r"\s+")


def net_event_item(node: Node, source: str, ordinal: int, where: str) -> LogItem:
    """The item for one netEvent (or item) element."""
    try:
        return _event(node, source, ordinal)
    except BadField as error:
        return NotUnderstood(source, ordinal, where, f"net event: {error}")


def _event(node: Node, source: str, ordinal: int) -> LogEvent:
    header = node.child("header") or Node("header", {})
    kind = node.child("type")
    extra: dict[str, str] = {}
    event_type = _event_type(kind.text if kind else "", extra)
    values = _leaves(header, ("appId",))
    details: dict[str, str] = {}
    for part in node.children:
        if part.name == "internalFields" or part is header or part is kind:
            continue
        if not part.children and part.text:
            extra[part.name] = fields.clean(part.text)
        details.update(_leaves(part, ()))
    internal = node.child("internalFields")
    if internal is not None:
        for name, text in _leaves(internal, ("terminatingFiltersInfo",)).items():
            details.setdefault(name, text)
        filters = internal.child("terminatingFiltersInfo")
        if filters is not None and filters.children:
            extra["terminatingFiltersInfo"] = json.dumps([_leaves(item, ()) for item in filters.children])

    time, time_s = fields.when(values.pop("timeStamp", None))
    ends: dict[str, Any] = {}
    for side in ("local", "remote"):
        given = [k for k in (f"{side}AddrV4", f"{side}AddrV6.byteArray16", f"{side}AddrV6") if values.get(k)]
        name = given[0] if given else f"{side}AddrV4"
        ends[f"{side}_address"], zone = fields.address(name, values.pop(name, None))
        if zone:
            extra[f"{side}AddressZone"] = zone
        ends[f"{side}_port"] = fields.port(f"{side}Port", values.pop(f"{side}Port", None))
    layer = fields.layer_id("layerId", details.pop("layerId", None))
    if layer is None and event_type in _NEEDS_LAYER:
        raise BadField("layerId", f"is missing in a net event of type {event_type}", f"0 to {fields.MAX_LAYER}")
    direction = fields.direction(details.get("msFwpDirection"))
    if direction is not None:
        del details["msFwpDirection"]
    loopback = {"true": True, "false": False, "1": True, "0": False}.get(details.pop("isLoopback", "").casefold())
    protocol = fields.protocol("ipProtocol", values.pop("ipProtocol", None))
    filter_id = fields.number("filterId", details.pop("filterId", None), 2**64 - 1)
    reason = fields.number("reauthReason", details.pop("reauthReason", None), 2**32 - 1)
    origin = details.pop("filterOrigin", None)
    for name, text in (*values.items(), *details.items()):
        if text:
            extra.setdefault(fields.clean(name), fields.clean(text))
    return LogEvent(
        source=source,
        record=ordinal,
        event_id=None,
        event_type=event_type,
        time=time,
        time_s=time_s,
        protocol=protocol,
        runtime_id=layer,
        direction=direction,
        application=_program(header.child("appId")),
        filter_id=filter_id,
        filter_origin=fields.as_text(origin) or None,
        reauthorize_reason=reason,
        is_loopback=loopback,
        extra=extra,
        **ends,
    )


def _event_type(text: str, extra: dict[str, str]) -> str:
    given = fields.integer(text)
    if given is not None and 0 <= given < len(TYPES):
        return TYPES[given]
    name = text.removeprefix("FWPM_NET_EVENT_TYPE_")
    if name.startswith("PUBLIC_"):
        extra["type"] = fields.clean(text)
        name = name.removeprefix("PUBLIC_")
    if not name or not re.fullmatch(r"[A-Z0-9_]{1,60}", name):
        raise BadField("type", f"{fields.shown(text)} is no net event type", "FWPM_NET_EVENT_TYPE_CLASSIFY_DROP ...")
    return name


def _leaves(node: Node, without: tuple[str, ...]) -> dict[str, str]:
    """Every text in `node` by the name of its element; lists of `item` as one text, nested names with a dot."""
    found: dict[str, str] = {}
    for child in node.children:
        if child.name in without:
            continue
        if not child.children:
            found[child.name] = child.text
        elif all(c.name == "item" and not c.children for c in child.children):
            found[child.name] = ", ".join(c.text for c in child.children)
        else:
            for name, text in _leaves(child, ()).items():
                # <localAddrV6><byteArray16> is written <localAddrV6.byteArray16> in other builds
                found.setdefault(f"{child.name}.{name}", text)
    return found


def _program(app_id: Node | None) -> str | None:
    """The program of `appId`: from the bytes where they are whole, else from the text with a dot for each zero byte."""
    if app_id is None:
        return None
    data, text = app_id.child("data"), app_id.child("asString")
    if data is not None and data.text:
        try:
            decoded = bytes.fromhex(data.text).decode("utf-16-le").rstrip("\x00")
        except ValueError:
            decoded = ""
        # Published samples shorten the hex digits in the middle.
        if decoded.isprintable() and (decoded.casefold().startswith("\\device\\") or decoded[1:3] == ":\\"):
            return fields.program(decoded)
    if text is None or not text.text:
        return None
    dotted = _SPACES.sub(" ", text.text).replace("\\\\", "\\")
    if len(dotted) > 2 and dotted[1::2].strip(".") == "":
        dotted = dotted[0::2].rstrip(".")
    return fields.program(dotted)
