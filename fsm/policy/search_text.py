"""The answers of `search` as text and as JSON: ranges as people write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from ipaddress import IPv4Address, IPv6Address
from textwrap import wrap
from typing import TYPE_CHECKING

from fsm.counts import counted
from fsm.policy.answer import Whatif
from fsm.policy.boxes import Intervals, prefixes
from fsm.policy.condition_text import short_field
from fsm.policy.datagram import OTHER, Circumstances
from fsm.policy.space import ADDRESSES, FIELD, Symbol, scene_domains
from fsm.policy.whatif_text import question_text, short_layer

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.policy.search import Box, Example, Part, Range, Search, Work

WIDTH = 110
LIMIT_SHOWN = 12  # of the ranges or names of one dimension
LIMIT_PREFIXES = 2  # an interval of addresses in so many prefixes is shown as these
LIMIT_QUESTIONS = 4


def open_words(answer: Whatif) -> tuple[str, ...]:
    """What would have to be known, as a line each."""
    found = {f"{short_layer(q.layer)}, '{q.filter.name}': {question_text(q)}": None for q in answer.open_questions}
    return tuple(found)


def dimension_text(name: str) -> str:
    """`local address` for `local_address`; a condition field by its short name; `user` for `token`."""
    if name.startswith(FIELD):
        return short_field(name.removeprefix(FIELD))
    return "user" if name == "token" else name.replace("_", " ")


def numbers_text(name: str, ip: int, numbers: Intervals) -> list[str]:
    """Intervals as people write them: prefixes and ranges of addresses, ports."""
    if name not in ADDRESSES:
        return [str(low) if low == high else f"{low}-{high}" for low, high in numbers]
    bits, make = (32, IPv4Address) if ip == 4 else (128, IPv6Address)
    found = []
    for low, high in numbers:
        nets = list(prefixes(low, high, bits))
        if len(nets) <= LIMIT_PREFIXES:
            found += [str(make(base)) if length == bits else f"{make(base)}/{length}" for base, length in nets]
        else:
            found.append(f"{make(low)}-{make(high)}")
    return found


def symbol_text(symbol: Symbol) -> str:
    """A program, a set of flags, or a user with a store app."""
    if isinstance(symbol, frozenset):
        return " ".join(sorted(symbol)) or "none of them"
    if isinstance(symbol, tuple):
        user, app = symbol
        said = "any other user" if user == OTHER else user
        of = {"": "no store app", OTHER: "any other store app", None: ""}.get(app, f"store app {app}")
        return f"{said}, {of}" if of else said
    return "any other" if symbol == OTHER else symbol


def _names(names: Sequence[Symbol]) -> list[str]:
    """Names; pairs of users and store apps as a product where they are one."""
    pairs = [name for name in names if isinstance(name, tuple)]
    if len(pairs) < 2 or len(pairs) != len(names):
        return [symbol_text(name) for name in names]
    users, apps = dict.fromkeys(user for user, _ in pairs), dict.fromkeys(app for _, app in pairs)
    if len(users) * len(apps) != len(pairs):
        return [symbol_text(name) for name in names]
    left = [symbol_text((user, None)) for user in users]
    right = [symbol_text((OTHER, app)).removeprefix("any other user, ") for app in apps]
    return [f"{_listed(left)} with {_listed(right)}" if right[0] != "any other user" else _listed(left)]


def _listed(words: Sequence[str], limit: int = LIMIT_SHOWN) -> str:
    more = f" ... ({len(words)} in all)" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def range_text(each: Range, ip: int, limit: int = LIMIT_SHOWN) -> str:
    """`remote port: all but 53`."""
    words = numbers_text(each.dimension, ip, each.numbers) if each.numbers else _names(each.names)
    return f"{dimension_text(each.dimension)}: {'all but ' if each.all_but else ''}{_listed(words, limit)}"


def wanted_text(answer: Search) -> str:
    """What was asked for."""
    return f"blocked at {answer.layer}" if answer.layer else answer.outcome


def search_text(answer: Search, *, everything: bool = False) -> str:
    """The answer for people."""
    return "\n".join(_lines(answer, everything))


def _headline(answer: Search) -> str:
    wanted = wanted_text(answer)
    boxes = sum(len(part.boxes) + part.unlisted for part in answer.parts)
    open_ = sum(len(part.open_boxes) + part.open_unlisted for part in answer.parts)
    if not all(part.complete for part in answer.parts):
        return f"Not known: there are too many different classes of datagrams. Say more of them ({wanted} was asked)."
    if not boxes and not open_:
        return f"No datagram: {wanted} is not possible with what was given."
    if any(not part.dimensions and part.boxes for part in answer.parts) and len(answer.parts) == 1 and not open_:
        return f"Every datagram: {wanted} whatever is not given."
    sets = f"{boxes} set{'s' if boxes != 1 else ''} of datagrams"
    if not open_:
        return f"{wanted[0].upper()}{wanted[1:]}: exactly {sets}."
    unsure = f"{open_} more {'are' if open_ != 1 else 'is'} open"
    return f"{wanted[0].upper()}{wanted[1:]}: {sets} for certain; {unsure}; all others not."


def _lines(answer: Search, everything: bool) -> Iterator[str]:
    yield _headline(answer)
    yield ""
    yield (
        f"Windows {answer.config.windows}, protocol {answer.config.choice('protocol')}, asked: "
        + (" ".join(answer.parts[0].stimuli) if answer.parts else "nothing")
        + (f", before: {' '.join(answer.setup)} (permitted)" if answer.setup else "")
    )
    given = _given(answer.circumstances)
    yield from wrap(f"Taken as given: {given}", WIDTH, subsequent_indent="  ")
    for part in answer.parts:
        yield ""
        yield from _part_lines(part, everything)
    if not any(part.loopback for part in answer.parts):
        yield ""
        yield "Traffic that stays on this host is asked apart: --loopback."
    work = answer.work
    yield ""
    yield (
        f"Done: {counted(work.filters, 'filter')} on the way, {counted(work.ways, 'way')} through the machine, "
        f"{counted(work.nodes, 'part')} of the space, {counted(work.arbitrations, 'arbitration')}."
    )


def _given(known: Circumstances) -> str:
    found = []
    for each in fields(known):
        value = getattr(known, each.name)
        if each.name == "bound_to_any":
            found.append("bound to any address" if value else "bound to the local address")
        elif value not in (None, ()):
            words = value if isinstance(value, tuple) else (value,)
            shown = " ".join("=".join(map(str, w)) if isinstance(w, tuple) else str(w) for w in words)
            found.append(f"{each.name.replace('_', ' ')} {shown or 'none'}")
    return ", ".join(found)


def _part_lines(part: Part, everything: bool) -> Iterator[str]:
    kind = "a group" if part.group else "one host"
    kind += "" if part.loopback or part.group else " (no loopback address at either end, and not one address at both)"
    stays = ", staying on this host" if part.loopback else ""
    yield f"To {kind}{stays}, IPv{part.ip}:"
    if not part.complete:
        yield "  not known: the limit of parts was reached"
        return
    usual = set(_usual(part))
    for each in part.within:
        if each.numbers not in usual:
            yield f"  asked about {range_text(each, part.ip)}"
    split = ", ".join(f"{dimension_text(d.name)} ({len(d)})" for d in part.dimensions) or "nothing"
    yield from wrap(f"split along (classes): {split}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    if any(d.name == "token" for d in part.dimensions):
        yield "  a user holds one of the SIDs that filters name, or none of them"
    for name in part.left_open:
        yield f"  {short_field(name)} was not split: its conditions tell too many values apart"
    yield from _order_lines(part, everything)
    for number, box in enumerate(part.boxes, start=1):
        yield from _box_lines(f"{number}.", box, part, everything)
    if part.unlisted:
        yield f"  ... and {part.unlisted} more (--limit)"
    if not part.boxes:
        yield "  none for certain"
    for number, box in enumerate(part.open_boxes, start=1):
        yield from _box_lines(f"open {number}.", box, part, everything)
    if part.open_unlisted:
        yield f"  ... and {part.open_unlisted} more that are open (--limit)"


def _usual(part: Part) -> Iterator[Intervals]:
    """What a scene holds where no ends were given: need not be told."""
    yield ((0, 0xFFFF),)
    for group in (False, True):
        domains = scene_domains(part.ip, sends=True, group=group, loopback=part.loopback, from_={}, to={})
        yield from (domains["local_address"], domains["remote_address"])


def _order_lines(part: Part, everything: bool) -> Iterator[str]:
    if not part.by_rule:
        return
    shown = part.by_rule if everything else part.by_rule[:1]
    for layer, one, other in shown:
        yield from wrap(
            f"Note: at {short_layer(layer)} '{one.name}' was asked before '{other.name}'; both can match, and which "
            "comes first is not documented (one weight, or automatic weights)",
            WIDTH, initial_indent="  ", subsequent_indent="    ",
        )  # fmt: skip
    if len(part.by_rule) > len(shown):
        yield f"  and {counted(len(part.by_rule) - len(shown), 'more pair')} of filters of that kind (--all)"


def _box_lines(head: str, box: Box, part: Part, everything: bool) -> Iterator[str]:
    limit = 10_000 if everything else LIMIT_SHOWN
    words = [range_text(each, part.ip, limit) for each in box.ranges] or ["all of them"]
    yield from wrap(f"{head} {words[0]}", WIDTH, initial_indent="  ", subsequent_indent="       ")
    for word in words[1:]:
        yield from wrap(word, WIDTH, initial_indent="     ", subsequent_indent="       ")
    yield f"     for example {example_text(box.example)}"
    for question in box.open if everything else box.open[:LIMIT_QUESTIONS]:
        yield from wrap(f"? {question}", WIDTH, initial_indent="     ", subsequent_indent="       ")
    if len(box.open) > LIMIT_QUESTIONS and not everything:
        yield f"     ? and {len(box.open) - LIMIT_QUESTIONS} more questions (--all)"


def example_text(example: Example) -> str:
    """`192.0.2.1:50000 to 198.51.100.1:53`."""
    return f"{example.from_} to {example.to}"


# --- JSON


def search_json(answer: Search) -> dict[str, object]:
    """The answer as plain values."""
    return {
        "outcome": answer.outcome,
        "blocked_at": answer.layer,
        "complete": answer.complete,
        "parts": [_part_json(part) for part in answer.parts],
        "circumstances": circumstances_json(answer.circumstances),
        "endpoint": answer.endpoint,
        "setup": list(answer.setup),
        **machine_json(answer.config, answer.work),
    }


def machine_json(config: Config, work: Work) -> dict[str, object]:
    """What was asked, but for the IP version, which follows from the ends; and how much work it was."""
    machine = {name: value for name, value in config.to_json().items() if name != "ip"}
    return {**machine, "work": asdict(work)}


def circumstances_json(known: Circumstances) -> dict[str, object]:
    """What was taken as given."""
    return {each.name: getattr(known, each.name) for each in fields(known)}


def _part_json(part: Part) -> dict[str, object]:
    return {
        "to": "group" if part.group else "host",
        "loopback": part.loopback,
        "ip": part.ip,
        "stimuli": list(part.stimuli),
        "complete": part.complete,
        "within": {each.dimension: range_json(each, part.ip) for each in part.within},
        "classes": {d.name: len(d) for d in part.dimensions},
        "boxes": [box_json(box, part.ip) for box in part.boxes],
        "unlisted": part.unlisted,
        "open_boxes": [box_json(box, part.ip) for box in part.open_boxes],
        "open_unlisted": part.open_unlisted,
        "not_split": list(part.left_open),
        "order_by_rule": [
            {"layer": layer, "first": one.key, "second": other.key} for layer, one, other in part.by_rule
        ],
    }


def box_json(box: Box, ip: int) -> dict[str, object]:
    """A box: its ranges by dimension, an example, and what is open."""
    return {
        "ranges": {each.dimension: range_json(each, ip) for each in box.ranges},
        "example": {
            "from": box.example.from_,
            "to": box.example.to,
            "circumstances": circumstances_json(box.example.circumstances),
        },
        "open": list(box.open),
    }


def range_json(each: Range, ip: int) -> dict[str, object]:
    """`{"all_but": false, "ranges": [["10.0.0.0", "10.255.255.255"]]}`, or "names" in place of "ranges"."""
    if not each.numbers:
        return {"all_but": each.all_but, "names": [_symbol_json(name) for name in each.names]}
    make = (IPv4Address if ip == 4 else IPv6Address) if each.dimension in ADDRESSES else None
    return {
        "all_but": each.all_but,
        "ranges": [[str(make(low)), str(make(high))] if make else [low, high] for low, high in each.numbers],
    }


def _symbol_json(symbol: Symbol) -> object:
    if isinstance(symbol, frozenset):
        return sorted(symbol)
    return {"user": symbol[0], "package": symbol[1]} if isinstance(symbol, tuple) else symbol
