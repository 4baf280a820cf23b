"""A policy on the one-page picture: how many filters each layer has, and what blocks there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fsm import catalogue
from fsm.choices import Config, default_config
from fsm.counts import counted
from fsm.draw.boxes import layer_names
from fsm.draw.overlay import Overlay
from fsm.draw.packet_path import packet_path_page, packet_path_sketch
from fsm.draw.page import Box, Line
from fsm.draw.pen import Pen
from fsm.draw.pictures import Picture
from fsm.draw.sketch import about
from fsm.draw.theme import safe_id
from fsm.names import IP_VERSIONS
from fsm.policy.in_force import PolicyIndex, index_policy
from fsm.policy.model import Filter, Policy

SHOWN = 2  # names of filters in a box


@dataclass(frozen=True, slots=True)
class LayerFilters:
    """The filters in force at one layer.

    Parameters
    ----------
    layer : the full FWPM name.
    permits, blocks, callouts, others : how many there are of each kind.
    blocks_all : the blocks without condition, which stop whatever nothing heavier permits; `blocking` the others.
    """

    layer: str
    permits: int
    blocks: int
    callouts: int
    others: int
    blocks_all: tuple[Filter, ...]
    blocking: tuple[Filter, ...]

    @property
    def total(self) -> int:
        return self.permits + self.blocks + self.callouts + self.others


def filters_at(index: PolicyIndex, layer: str) -> LayerFilters:
    """What is in force at a layer (full FWPM name), the heaviest first."""
    filters = [ready.filter for sublayer in index.at(layer) for ready in sublayer.filters]
    blocks = [one for one in filters if one.action == "BLOCK"]
    permits = sum(one.action == "PERMIT" for one in filters)
    callouts = sum(one.action.startswith("CALLOUT_") for one in filters)
    return LayerFilters(
        layer,
        permits,
        len(blocks),
        callouts,
        len(filters) - permits - len(blocks) - callouts,
        tuple(one for one in blocks if not one.conditions),
        tuple(one for one in blocks if one.conditions),
    )


def policy_picture(policy: Policy, config: Config | None = None, overlay: Overlay | None = None) -> Picture:
    """The one-page picture with a policy on it.

    Parameters
    ----------
    config : the machine: its Windows decides which layers there are.
    overlay : what to lay over it, such as the path of a datagram that was asked about.
    """
    config = config or default_config()
    index = index_policy(policy, config.windows)
    name = _ascii(policy.source.replace("\\", "/").rpartition("/")[2] or "policy")
    return Picture(
        "policy",
        "packet path",
        f"{name}: {counted(len(policy.filters), 'filter')}",
        "The filtering layers between application and wire, each with the number of its filters and what blocks there.",
        "The filters of a policy at every layer that a datagram meets",
        lambda dark, background: policy_dot(index, name, config, overlay, dark=dark, background=background),
        lambda: policy_mermaid(index, config, overlay),
        lambda: policy_text(index, name, config, overlay),
    )


def policy_dot(
    index: PolicyIndex, name: str, config: Config, overlay: Overlay | None = None, *, dark: bool = False,
    background: str = "transparent",
) -> str:  # fmt: skip
    """The DOT text of the picture."""
    sketch = packet_path_sketch(config)
    for box in sketch.boxes.values():
        if box.stem and box.kind == "position":
            box.lines[:0] = _box_lines(index, box.stem, safe_id("filters", box.key))
    sketch.boxes["note legend"].lines[:0] = list(_note_lines(index, sketch.boxes.values()))
    page = packet_path_page(sketch)
    said = f"{name}; {about(config, sketch.selection.rows)}"
    title = "Filters of a policy in the Windows Filtering Platform"
    return Pen("policy", page, title, said, dark=dark, background=background).source(overlay or Overlay())


def _box_lines(index: PolicyIndex, stem: str, id: str) -> list[Line]:
    """The lines of one layer's box: the numbers for IPv4 and IPv6, then what blocks."""
    found = [filters_at(index, layer) for layer in layer_names(stem)]
    if not any(here.total for here in found):
        return [Line("no filter", "grey_ink", id)]
    lines = [Line(f"filters: {_by_version([here.total for here in found])}", "taken", id, _tooltip(found), bold=True)]
    parts = []
    for word, numbers in (
        ("permit", [here.permits for here in found]),
        ("block", [here.blocks for here in found]),
        ("callout", [here.callouts for here in found]),
        ("continue", [here.others for here in found]),
    ):
        if any(numbers):
            parts.append(f"{word} {_by_version(numbers)}")
    lines.append(Line(", ".join(parts), "muted"))
    everything = _names(one for here in found for one in here.blocks_all)
    some = _names(one for here in found for one in here.blocking)
    if everything:
        lines.append(Line(f"blocks what is left: {everything}", "block"))
    if some:
        lines.append(Line(f"blocks by condition: {some}", "block"))
    return lines


def _by_version(numbers: Sequence[int]) -> str:
    """`57` for both versions alike, else `213/254` as the ids beside it."""
    return str(numbers[0]) if len(set(numbers)) == 1 else "/".join(map(str, numbers))


def _names(filters: Iterable[Filter]) -> str:
    names = list(dict.fromkeys(_ascii(one.name or one.key) for one in filters))
    clipped = [name if len(name) <= 26 else name[:24] + ".." for name in names[:SHOWN]]
    return ", ".join(clipped) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _tooltip(found: Sequence[LayerFilters]) -> str:
    return "\n".join(
        f"{here.layer.removeprefix('FWPM_LAYER_')}: {counted(here.total, 'filter')}, {here.permits} permit, "
        f"{here.blocks} block, {here.callouts} callout"
        for here in found
    )


def _note_lines(index: PolicyIndex, boxes: Iterable[Box]) -> Iterator[Line]:
    shown = {layer for box in boxes if box.stem for layer in layer_names(box.stem)}
    layers = index.layers
    here = sum(filters_at(index, layer).total for layer in layers if layer in shown)
    total = sum(filters_at(index, layer).total for layer in layers)
    yield Line(f"{counted(here, 'filter is', 'filters are')} in the boxes", "taken", bold=True)
    if total > here:
        yield Line(
            f"{total - here:,} {'is' if total - here == 1 else 'are'} at other layers: discard twins, TCP, others"
        )
    if index.left_out:
        verb = "is" if len(index.left_out) == 1 else "are"
        yield Line(f"{len(index.left_out):,} {verb} not in force (disabled, or of the boot time)")
    yield Line("filters n/m: of IPv4 and of IPv6", "muted")


def policy_mermaid(index: PolicyIndex, config: Config, overlay: Overlay | None = None) -> str:
    """Mermaid text of the packet path, with the number of filters (xN) at each layer."""
    from fsm.draw.mermaid import packet_path_mermaid

    over = overlay or Overlay()
    counts = {
        catalogue.by_name(layer).runtime_id: filters_at(index, layer).total
        for layer in index.layers
        if layer in {each.name for each in catalogue.layers()}
    }
    counted = Overlay(over.counts, counts, over.path, over.current, over.blocked_at)
    return packet_path_mermaid(config, counted)


def policy_text(index: PolicyIndex, name: str, config: Config, overlay: Overlay | None = None) -> str:
    """The layers that a datagram meets, with their filters, as plain text of at most 100 columns."""
    from fsm.draw.walks import packet_ways

    stems = dict.fromkeys(
        catalogue.by_name(step.layer).stem for _, _, way in packet_ways(config) for step in way.classified
    )
    lines = [name, f"IPv4 and IPv6, Windows {config.windows}", ""]
    lines.append(f"{'layer':<26}{'filters':>12}{'permit':>10}{'block':>10}{'callout':>10}  what blocks")
    for stem in stems:
        found = [filters_at(index, catalogue.layer_of(stem, ip).name) for ip in IP_VERSIONS]
        cells = [
            _by_version([getattr(here, word) for here in found]) for word in ("total", "permits", "blocks", "callouts")
        ]
        blocks = _names(one for here in found for one in (*here.blocks_all, *here.blocking))
        room = 100 - 26 - 12 - 30 - 2
        blocks = blocks if len(blocks) <= room else blocks[: room - 2] + ".."
        stopped = overlay is not None and overlay.blocked_at in layer_names(stem)
        mark = "X" if stopped else " "
        row = f"{mark}{stem.removeprefix('ALE_'):<25}{cells[0]:>12}{cells[1]:>10}{cells[2]:>10}{cells[3]:>10}  {blocks}"
        lines.append(row.rstrip())
    lines += ["", "n/m: IPv4/IPv6. Discard layers, layers of TCP and others are not shown."]
    if overlay is not None and overlay.blocked_at:
        lines.append("X: the datagram was stopped there.")
    return "\n".join(lines)


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
