"""The pattern grammar: text to a tree, with the column of what is wrong.

    pattern  := sequence ("|" sequence)*
    sequence := item item ...                       one after the other, separated by spaces or commas
    item     := primary suffix*
    suffix   := "?" | "*" | "+" | "{n}" | "{n,}" | "{n,m}" | "within" N "s"
    primary  := "..." | "." | atom | "!" primary | "(" pattern ")"
    atom     := LAYER[:verdict][+FLAG][@endpoint] | [condition] | in parentheses: stimulus[@endpoint]

`within` bounds the model time from the first to the last event of the group before it. `!` is one event that none of
what follows is, so it stands before one event or a choice of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsm.claims.words import Atom, Vocabulary, read_atom, read_condition, read_stimulus
from fsm.errors import FsmError, UnknownName
from fsm.stimuli import STIMULI, STIMULUS_ALIASES

WHERE = "pattern"
LONGEST_REPEAT = 1000
LONGEST_WITHIN_S = 3600


@dataclass(frozen=True, slots=True)
class One:
    """One event: one of these atoms (by number), or with `negated` none of them; no atoms and negated is any."""

    atoms: tuple[int, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` at least `least` times, at most `most` (None: without end)."""

    item: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Within:
    """`item` from its first to its last event in at most so many seconds."""

    item: Node
    seconds: int


Node = One | Sequence | Choice | Repeat | Within
ANY = One((), negated=True)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was read: its text, its tree, and its atoms in the order in which it names them."""

    text: str
    tree: Node
    atoms: tuple[Atom, ...]

    @property
    def sees_stimuli(self) -> bool:
        """Whether stimuli count as events: where the pattern names one. Otherwise it is about classifies only."""
        return any(atom.stimulus for atom in self.atoms)

    @property
    def is_timed(self) -> bool:
        return _timed(self.tree)


def _timed(node: Node) -> bool:
    if isinstance(node, Within):
        return True
    if isinstance(node, Repeat):
        return _timed(node.item)
    parts = node.items if isinstance(node, Sequence) else node.options if isinstance(node, Choice) else ()
    return any(map(_timed, parts))


_TOKEN = re.compile(
    r"""(?P<blank>[\s,]+)
      | (?P<any_run>\.\.\.)
      | (?P<any>\.)
      | (?P<condition>\[[^\]]*\])
      | (?P<count>\{\s*[0-9]+\s*(?:,\s*[0-9]*\s*)?\})
      | (?P<mark>[|()?*!]|\+(?![A-Za-z]))
      | (?P<word>(?:"[^"]*"|\{[0-9A-Fa-f-]{36}\}|\+(?=[A-Za-z])|[^\s,|()?*!.\[\]{}"+])+)""",
    re.VERBOSE,
)


class _Reader:
    """Recursive descent over the tokens of one pattern."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text, self.vocabulary = text, vocabulary
        self.atoms: list[Atom] = []
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                what = {"[": "a condition is not closed", '"': "a quotation is not closed"}.get(text[at])
                raise FsmError(
                    _where(at), what or f"'{text[at : at + 12]}' means nothing here", "", _CLOSE.get(text[at], "")
                )
            kind = str(found.lastgroup)
            if kind != "blank":
                self.tokens.append((kind, found[0], at))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", len(self.text))

    def take(self) -> tuple[str, str, int]:
        token = self.peek()
        self.at += 1
        return token

    def whole(self) -> Node:
        if not self.tokens:
            raise FsmError(WHERE, "it is empty", fix="Write for example AUTH_CONNECT ... DATAGRAM_DATA")
        tree = self.choice(0)
        kind, given, at = self.peek()
        if kind != "end":
            raise FsmError(_where(at), f"'{given}' closes nothing", fix="Leave it out, or open it before")
        return tree

    def choice(self, depth: int) -> Node:
        options = [self.sequence(depth)]
        while self.peek()[1] == "|":
            _, _, at = self.take()
            options.append(self.sequence(depth))
            if options[-2:].count(Sequence(())):
                raise FsmError(_where(at), "nothing stands on one side of '|'", fix="Write A? for A or nothing")
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self, depth: int) -> Node:
        items: list[Node] = []
        while True:
            kind, given, _ = self.peek()
            if kind == "end" or given in ("|", ")"):
                return items[0] if len(items) == 1 else Sequence(tuple(items))
            items.append(self.item(depth))

    def item(self, depth: int) -> Node:
        grouped = self.peek()[1] == "("
        node = self.primary(depth)
        while True:
            kind, given, at = self.peek()
            if kind == "mark" and given in "?*+":
                self.take()
                node = Repeat(node, int(given == "+"), 1 if given == "?" else None)
            elif kind == "count":
                self.take()
                node = self.counted(node, given, at)
            elif kind == "word" and given.lower() == "within":
                self.take()
                node = self.bounded(node, at, grouped)
            else:
                return node

    def counted(self, node: Node, given: str, at: int) -> Node:
        low, comma, high = (part.strip() for part in given[1:-1].partition(","))
        least, most = int(low), int(high) if high else None if comma else int(low)
        if most is not None and most < least:
            raise FsmError(_where(at), f"{given} asks for at least {least} and at most {most}", fix="Swap them")
        if max(least, most or 0) > LONGEST_REPEAT:
            raise FsmError(_where(at), f"{given} is too often", f"At most {LONGEST_REPEAT} times", "Write + for many")
        return Repeat(node, least, most)

    def bounded(self, node: Node, at: int, grouped: bool) -> Node:
        kind, given, begin = self.take()
        digits = given.removesuffix("s")
        if digits.isdecimal() and self.peek()[0] == "any" and self.peek()[2] == begin + len(given):
            raise FsmError(_where(at), f"'{given}.' is no whole number of seconds", fix="Write within 4s")
        if digits == given and self.peek()[1] == "s":
            self.take()
        if kind != "word" or not (digits.isascii() and digits.isdecimal()):
            raise FsmError(_where(at), f"no number of seconds follows 'within' but '{given}'", fix="Write within 4s")
        if int(digits) > LONGEST_WITHIN_S:
            raise FsmError(_where(at), f"{given} is too long", f"At most {LONGEST_WITHIN_S} s")
        if not grouped and not isinstance(node, Repeat):
            raise FsmError(
                _where(at), "one event takes no time, so 'within' bounds nothing here",
                fix="Put what it spans in parentheses: (A ... B) within 4s",
            )  # fmt: skip
        return Within(node, int(digits))

    def primary(self, depth: int) -> Node:
        kind, given, at = self.take()
        if kind == "any_run":
            return Repeat(ANY, 0, None)
        if kind == "any":
            return ANY
        if given == "(":
            node = self.choice(depth + 1)
            if self.take()[1] != ")":
                raise FsmError(_where(at), "this parenthesis is not closed", fix="Add )")
            if node == Sequence(()):
                raise FsmError(_where(at), "nothing stands in these parentheses", fix="Write (sendto) or (A | B)")
            return node
        if given == "!":
            return self.anything_but(depth, at)
        if kind == "condition":
            return self.atom(read_condition(given[1:-1], self.vocabulary, _where(at), given))
        if kind != "word":
            raise FsmError(_where(at), f"'{given}' repeats nothing", fix="Write it after a layer, or after (...)")
        plain = given.partition("@")[0]
        is_stimulus = plain in STIMULI or plain in STIMULUS_ALIASES or plain in self.vocabulary.stimuli
        if is_stimulus and not depth:
            raise FsmError(_where(at), f"'{plain}' is a stimulus, not a layer", fix=f"Write ({given})")
        if is_stimulus:
            return self.atom(read_stimulus(given, self.vocabulary, _where(at)))
        try:
            return self.atom(read_atom(given, self.vocabulary, _where(at)))
        except UnknownName as error:
            if depth and error.what.startswith("no layer") and plain.islower():
                # In parentheses a word in lower case may as well be a misspelt stimulus.
                known = (*self.vocabulary.stimuli, *error.nearest.split("'")[1::2])
                raise UnknownName.of(_where(at), "stimulus or layer", plain, known) from None
            raise

    def anything_but(self, depth: int, at: int) -> Node:
        node = self.primary(depth)
        options = node.options if isinstance(node, Choice) else (node,)
        atoms: list[int] = []
        for option in options:
            if not isinstance(option, One) or (option.negated and len(options) > 1):
                raise FsmError(
                    _where(at), "'!' stands before something that is more than one event",
                    fix="Write !A, !(A | B), or !(sendto)",
                )  # fmt: skip
            atoms += option.atoms
        if isinstance(node, One):
            if node == ANY:
                raise FsmError(_where(at), "'!.' is no event at all", fix="Name what must not be")
            return One(node.atoms, not node.negated)
        return One(tuple(atoms), negated=True)

    def atom(self, atom: Atom) -> One:
        if atom not in self.atoms:
            self.atoms.append(atom)
        return One((self.atoms.index(atom),))


_CLOSE = {"[": "Add ]", '"': 'Add "', "{": "Write {2} or {2,5}", "]": "Open it with ["}


def _where(at: int) -> str:
    return f"{WHERE}, column {at + 1}"


def read_pattern(text: str, vocabulary: Vocabulary) -> Pattern:
    """The pattern that a text means for a subject.

    Raises
    ------
    FsmError, UnknownName : with the column, and the nearest name.
    """
    reader = _Reader(text, vocabulary)
    tree = reader.whole()
    return Pattern(" ".join(text.split()), tree, tuple(reader.atoms))
