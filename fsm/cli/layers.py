"""`wfp-udp layers`: the layer catalogue as table, cards, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Sequence

import click

from fsm import catalogue
from fsm.catalogue import Layer
from fsm.counts import counted
from fsm.names import WINDOWS

WIDTH = 100
CARDS_UP_TO = 4  # a name without version has 2 layers, the words for an ALE layer have 4

_PEND_WORDS = {"FwpsPendOperation0": "operation", "FwpsPendClassify0": "classify", "reinject": "reinject"}
_LEGEND = (
    "block: error = only an error may block, this is no policy point. pend: operation = FwpsPendOperation0, "
    "classify = FwpsPendClassify0, reinject = block, absorb and inject a clone, stream = defer or out-of-band. "
    "? = not known, - = none or does not apply. Everything about one layer: wfp-udp layers NAME (or id or GUID)."
)


@click.command(name="layers", short_help="Look up filtering layers by any of their names.")
@click.argument("what", nargs=-1)
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--ip", type=click.Choice(["4", "6"]), help="Only this IP version (and layers without version).")
@click.option("--windows", default="11", show_default=True, help=f"Only layers this Windows has: {', '.join(WINDOWS)}.")
def command(what: tuple[str, ...], form: str, ip: str | None, windows: str) -> None:
    """Look up filtering layers by any of their names; without WHAT list all 99.

    WHAT is a name (ALE_AUTH_CONNECT_V4, auth-connect, FWPS_LAYER_...), a run-time id (48), a GUID, a message code
    (%%14611), or the words of the event viewer (Receive/Accept). Words and codes do not tell versions and discard
    layers apart, so they find several layers.
    """
    version = int(ip) if ip else None
    if what:
        found = catalogue.find(" ".join(what), ip=version, windows=windows, where="wfp-udp layers")
    else:
        found = tuple(
            layer
            for layer in catalogue.layers()
            if layer.exists_on(windows) and (version is None or layer.ip_version in (None, version))
        )
    if form == "json":
        click.echo(json.dumps([layer_record(layer) for layer in found], indent=2))
    elif form == "csv":
        # Bytes, because text mode would write CRLF on Windows.
        click.echo(layers_csv(found).encode("ascii"), nl=False)
    elif what and len(found) <= CARDS_UP_TO:
        click.echo("\n\n".join(layer_card(layer, windows) for layer in found))
    else:
        click.echo(layers_table(found, windows))


def layer_record(layer: Layer) -> dict[str, str | int | bool | None]:
    """Every field of a layer, with None where it has none; `layer` is the name to quote."""
    return {
        "layer": layer.name,
        "runtime_id": layer.runtime_id,
        "fwpm_name": layer.fwpm_name or None,
        "fwps_name": layer.fwps_name,
        "short_name": layer.short_name,
        "stem": layer.stem,
        "display_name": layer.display_name,
        "guid": layer.guid,
        "ip_version": layer.ip_version,
        "direction": layer.direction,
        "group": layer.group,
        "is_discard": layer.is_discard,
        "discard_twin": layer.discard_twin,
        "discard_twin_id": _twin_id(layer),
        "message_code": layer.message_code,
        "event_words": layer.event_words,
        "since": layer.since,
        "since_text": layer.since_text,
        "classified_per": layer.classified_per,
        "may_block": layer.may_block,
        "may_pend": layer.may_pend,
        "may_redirect": layer.may_redirect,
        "rs5_id": layer.rs5_id,
        "source": layer.source,
        "note": layer.note,
    }


def layers_csv(found: Sequence[Layer]) -> str:
    """The same fields as comma-separated values with a header; empty for None, yes and no for truth values."""
    out = io.StringIO()
    records = [layer_record(layer) for layer in found]
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({k: ("yes" if v else "no") if isinstance(v, bool) else v for k, v in record.items()})
    return out.getvalue()


def layers_table(found: Sequence[Layer], windows: str = "11") -> str:
    """One line per layer, at most 100 columns, with the build that the ids are read for."""
    head = ("id", "name", "IP", "direction", "group", "twin", "since", "block", "pend", "redir")
    rows = [head, *(_table_row(layer, windows) for layer in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    right = {0, 5}  # ids
    lines = [
        " ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    count = f"{counted(len(found), 'layer')}."
    moves = any(layer.runtime_id > catalogue.STABLE_IDS_TO for layer in found)
    numbering = catalogue.numbering(windows) if moves else "Their run-time ids are the same on every build."
    foot = [*textwrap.wrap(f"{count} {numbering}", WIDTH), *textwrap.wrap(_LEGEND, WIDTH)]
    return "\n".join([*(line.rstrip() for line in lines), "", *foot])


def layer_card(layer: Layer, windows: str = "11") -> str:
    """Everything about one layer, wrapped to 100 columns."""
    twin = catalogue.twin_of(layer)
    fields = [
        ("management API", layer.fwpm_name or "none (no public FWPM name)"),
        ("run-time API", layer.fwps_name),
        ("netsh shows", layer.display_name),
        ("event log shows", f"{layer.event_words} ({layer.message_code})" if layer.event_words else "no known code"),
        ("run-time id", _id_text(layer, windows)),
        ("GUID", f"{{{layer.guid}}}"),
        ("IP version", str(layer.ip_version or "not bound to one")),
        ("direction", layer.direction),
        ("group", layer.group + (", discard layer" if layer.is_discard else "")),
        ("layer" if layer.is_discard else "discard layer", f"{twin.name} (id {twin.runtime_id})" if twin else "none"),
        ("since", layer.since_text),
        ("classified per", layer.classified_per),
        ("may block", layer.may_block + (" (no policy point)" if layer.may_block == "error-only" else "")),
        ("may pend", layer.may_pend),
        ("may redirect", layer.may_redirect),
        *(("note", remark) for remark in layer.note.split(" | ") if remark),
        *(("source", source) for source in layer.source.split("; ")),
    ]
    lines = [layer.short_name]
    before = ""
    for label, text in fields:
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {'' if label == before else label:<17}",
            subsequent_indent=" " * 19,
            break_long_words=False,
            break_on_hyphens=False,
        )
        before = label
    return "\n".join(lines)


def _table_row(layer: Layer, windows: str) -> tuple[str, ...]:
    number = layer.runtime_id_on(windows)
    twin = _twin_id(layer)
    pend = layer.may_pend.split()[0].removesuffix("-specific")
    return (
        "?" if number is None else str(number),
        layer.short_name,
        str(layer.ip_version or "any"),
        "-" if layer.direction == "none" else layer.direction,
        {"transport-fast": "fast", "connection-policy": "policy", "name-cache": "cache"}.get(layer.group, layer.group),
        "-" if twin is None else str(twin),
        layer.since,
        {"error-only": "error", "unknown": "?"}.get(layer.may_block, layer.may_block),
        "?" if pend == "unknown" else _PEND_WORDS.get(pend, pend),
        layer.may_redirect.split()[0],
    )


def _id_text(layer: Layer, windows: str) -> str:
    if layer.runtime_id <= catalogue.STABLE_IDS_TO:
        return f"{layer.runtime_id} (the same on every build)"
    here = layer.runtime_id_on(windows)
    return f"{'not known' if here is None else here} on Windows {windows}. {catalogue.numbering(windows)}"


def _twin_id(layer: Layer) -> int | None:
    twin = catalogue.twin_of(layer)
    return None if twin is None else twin.runtime_id
