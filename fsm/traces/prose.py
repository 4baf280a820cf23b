"""What a line says in free text: the layer by its full name, its verdict, the ends of its packet, the direction.

A word counts by its place. Where the place does not tell, the line is not understood: a rule's name can hold any word.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

from fsm.traces.words import ACTION_NUMBERS, VERDICT_WORDS, BadWord, verdict_of

LAYER = "\x01"  # stands in a text for a layer that was read from it
_FIX = "Say --pattern with a group for it"

NAME = re.compile(r"(?<![A-Za-z0-9_])FWP[MS]_LAYER_[A-Z0-9_]+(?![A-Za-z0-9_])", re.IGNORECASE)
_WORD = "|".join(sorted((re.escape(word) for word, verdict in VERDICT_WORDS.items() if verdict), key=len, reverse=True))
_ACTION = r"FWP_ACTION_[A-Z_]+"
# Part of a longer word, or of a name with hyphens or dots, it is none.
_VERDICT = rf"(?<![\w.\-])(?:{_ACTION}|{_WORD})(?![\w\-]|\.\w)"
_ANY_VERDICT = re.compile(_VERDICT, re.IGNORECASE)
_AN_ACTION = re.compile(rf"(?<!\w){_ACTION}", re.IGNORECASE)
_JOINED = rf"(?:\s?[/|+]\s?(?:{_ACTION}|{_WORD})(?![\w\-]))"
_WHOLE_ACTION = re.compile(rf"{_ACTION}(?:[|+]\w+)*", re.IGNORECASE)
_WHOLE_WORD = re.compile(rf"(?:{_WORD}|continue){_JOINED}*", re.IGNORECASE)
_SEVERAL = re.compile(rf"(?:{_VERDICT}){_JOINED}+", re.IGNORECASE)
_ACTION_NUMBER = re.compile(
    r"(?:\baction(?:_?type)?(?!\w)[\s:=>\-]{1,8}|[\-=]>\s?)(0x[0-9a-f]{1,8}|[1-9][0-9]{3,9})(?![\w.:])", re.IGNORECASE
)
_LINK = r"[\s:,;|=>()\[\]{}\"'.\-]{0,12}"  # bounded here and below, as the work on a line is
_GAPS = re.compile(r"\s+")
_PLACES = tuple(
    re.compile(place, re.IGNORECASE)
    for place in (
        rf"{LAYER}{_LINK}(?P<verdict>{_VERDICT}|(?<![\w.\-])continue(?![\w\-]))",  # after the layer
        rf"(?P<verdict>{_VERDICT}){_LINK}(?:(?:at|in|on|by|@|from)(?!\w){_LINK})?{LAYER}",  # before it
        rf"[\d:,;|>=)\]]\s*(?P<verdict>{_VERDICT})[\s.!)\]]*$",  # the last word, and no other before it
        rf"(?:->|=>){_LINK}(?P<verdict>{_VERDICT})",
        rf"(?:[,;|\t]\s*|[(\[])(?P<verdict>{_VERDICT})(?=\s*[,;|\t)\]])",  # a column, or in brackets, by itself
    )
)
_NOT = re.compile(r"(?:\b(?:not|never|no|cannot|would|if|unless)|n't)\s+(?:be\s+)?$", re.IGNORECASE)


def is_verdict(word: str) -> bool:
    """Whether a word is the value of a verdict, whatever its key: a FWP_ACTION_..., or a listed word in capitals."""
    return bool(_WHOLE_ACTION.fullmatch(word) or (word.isupper() and _WHOLE_WORD.fullmatch(word)))


def verdict_in(text: str) -> str:
    """The word for the verdict in a text whose layers are `LAYER`, "" where there is none.

    Raises
    ------
    BadWord : there are such words, and none of them is clearly the verdict.
    """
    found: dict[str, str] = {}
    text = _narrow(_ELSE.sub(" ", _narrow(text)))
    for several in _SEVERAL.finditer(text):
        verdict = _of_several(several[0])
        found.setdefault(verdict, verdict)
    for action in _AN_ACTION.finditer(_SEVERAL.sub(" ", text)):
        found.setdefault(verdict_of(action[0]) or "continue", action[0])
    for number in _ACTION_NUMBER.finditer(text):
        if int(number[1], 0) in ACTION_NUMBERS:
            found.setdefault(verdict_of(number[1]) or "continue", number[1])
    if not found:
        for place in _PLACES:
            for word in place.finditer(text):
                if _NOT.search(text[: word.start("verdict")]):
                    raise BadWord(f"'{word['verdict']}' stands after a word that turns it round. {_FIX}")
                found.setdefault(verdict_of(word["verdict"]), word["verdict"])
    if len(found) > 1:
        raise BadWord(f"{' and '.join(map(repr, found.values()))}: which is the verdict is not clear. {_FIX}")
    if not found and (some := _ANY_VERDICT.search(text)):
        raise BadWord(f"whether '{some[0]}' is the verdict is not clear. {_FIX}")
    return next(iter(found.values()), "")


def _of_several(words: str) -> str:
    """The verdict of words with a bar, plus or slash between: block and absorb are one, others have to be the same."""
    parts = {verdict_of(part) for part in re.split(r"\s?[/|+]\s?", words)}
    if parts == {"block", "absorb"}:
        return "absorb"
    if len(parts) > 1:
        raise BadWord(f"'{words}': which is the verdict is not clear. {_FIX}")
    return parts.pop()


def _narrow(text: str) -> str:
    """The text with one character for each stretch of white space, a tab where it has one."""
    return _GAPS.sub(lambda gap: "\t" if "\t" in gap[0] else " ", text)


# ---- ends

_V4 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"
_V6 = (
    r"(?<![\w:.])(?=[0-9A-Fa-f:.]*::|(?:[0-9A-Fa-f]{1,4}:){7})"
    r"[0-9A-Fa-f:]{2,39}(?:\d{0,3}(?:\.\d{1,3}){3})?(?:%\w+)?(?![\w:])"
)
_END = rf"(?:{_V4}(?::\d{{1,5}}(?!\d))?|\[[0-9A-Fa-f:.]{{2,45}}(?:%\w+)?\](?::\d{{1,5}}(?!\d))?|{_V6})"
_BY = r"\s?[,;|\t ]\s?"
_ADDRESS = re.compile(rf"{_V4}|{_V6}|(?<=\[)[0-9A-Fa-f:.]{{2,45}}(?=[%\]])")
_LABELLED = {
    name: re.compile(rf"(?i:\b{name}[a-z_]{{0,12}}\s?[:= ]\s?)(?P<{name}>{_END})")
    for name in ("local", "remote", "src", "dst")
}
# In the order in which they are tried; side by side, the local end comes first. What an arrow is,
# the whole log has to tell.
_UNLABELLED = (
    re.compile(rf"(?P<local>{_END})\s?<->\s?(?P<remote>{_END})"),
    re.compile(rf"(?P<left>{_END})\s?(?:->|=>|>|to)\s?(?P<right>{_END})"),
    re.compile(rf"(?P<local>{_V4}|{_V6}){_BY}(?P<local_port>\d{{1,5}}){_BY}(?P<remote>{_V4}|{_V6}){_BY}(?P<remote_port>\d{{1,5}})(?![\w.:])"),
    re.compile(rf"(?P<local>{_END})(?:\s?[,;|\t]\s?|\s)(?P<remote>{_END})"),
    re.compile(rf"(?P<local>{_END})\s?[,;|\t]\s*$"),  # the column of the remote end is empty
)  # fmt: skip
BOTH_ENDS = re.compile(rf"{_END}\s?(?:<->|->|=>)\s?{_END}")
_ALONE = re.compile(
    rf"(?P<local>{_V4}|{_V6}){_BY}(?P<local_port>\d{{1,5}})(?=\s?[,;|\t]|\s*$)|(?P<end>{_END})", re.IGNORECASE
)


# What can stand between a layer and its verdict: ends, a direction, a protocol.
_ELSE = re.compile(
    rf"(?:\b(?:local|remote|src|dst|from|to)[a-z_]{{0,12}}\s?[:= ]\s?)?{_END}"
    r"|(?<![\w.\-])(?:inbound|outbound|IPPROTO_UDP|UDP|IPv[46])(?![\w.\-])",
    re.IGNORECASE,
)


def ends_in(text: str) -> Mapping[str, str]:
    """The ends of a text by their labels, or by how they stand; nothing where they stand so in several ways."""
    text = _narrow(text)
    labelled = {name: {one[name] for one in way.finditer(text)} for name, way in _LABELLED.items()}
    if any(labelled.values()):
        clear = all(len(found) < 2 for found in labelled.values())
        return {name: found.pop() for name, found in labelled.items() if found} if clear else {}
    for way in _UNLABELLED:
        ways = {tuple(sorted(one.groupdict().items())) for one in way.finditer(text)}
        if ways:
            return dict(ways.pop()) if len(ways) == 1 else {}
    return {}


def only_end_in(text: str) -> Mapping[str, str]:
    """The only address of a text, with its port where it shows one, as its local end; nothing where it has several."""
    ends = [one.groupdict() for one in _ALONE.finditer(_narrow(text))]
    if len(ends) != 1:
        return {}
    (one,) = ends
    return {"local": one["end"]} if one["end"] else {"local": one["local"], "local_port": one["local_port"]}


def addresses_in(text: str) -> frozenset[str]:
    """The IP addresses that a text shows, in their usual form, without the unspecified ones."""
    return frozenset(str(address) for address in _addresses(text) if not address.is_unspecified)


def _addresses(text: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for word in _ADDRESS.findall(text):
        try:
            yield ipaddress.ip_address(word.partition("%")[0])
        except ValueError:  # a version, a time
            continue


# ---- the rest

_DIRECTION = re.compile(r"\b(inbound|outbound)\b", re.IGNORECASE)
_PROTOCOL = re.compile(r"(?<![\w.\-])(?:IPPROTO_)?(TCP|UDP|ICMP)(?![\w.\-!])", re.IGNORECASE)


def _the_only(way: re.Pattern[str], text: str) -> str:
    found = {one.lower() for one in way.findall(text)}
    return found.pop() if len(found) == 1 else ""


def direction_in(text: str) -> str:
    """ "inbound" or "outbound" where the text has one of the words."""
    return _the_only(_DIRECTION, text)


def protocol_in(text: str) -> str:
    """The only protocol that a text names."""
    return _the_only(_PROTOCOL, text)


def layers_in(text: str) -> Sequence[str]:
    """The full names of layers, as they are written."""
    return NAME.findall(text)
