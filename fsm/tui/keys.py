"""The keys: one table for the bindings, the help page and the line at the bottom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A key as Textual calls it, as people do, the action, what it does; `label` is for the line at the bottom."""

    key: str
    shown: str
    action: str
    text: str
    label: str = ""

    @property
    def first(self) -> str:
        """The first of several keys."""
        return self.shown.partition(",")[0]


GROUPS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    (
        "Go on",
        (
            Key("", "1 2 3 ...", "", "take the move of this number"),
            Key("", "arrows, Enter", "", "go to a move and take it; a click takes it too"),
            Key("space", "Space", "go_on", "permit: the waiting layer gets what it gets by itself", "Go on"),
            Key("r", "r", "random", "random moves: how many, and the seed", "Random"),
            Key("u", "u", "until", "run until something holds", "Until"),
            Key("W", "W", "wait", "let model time pass"),
            Key("p", "p", "peer", "the moves for another peer"),
        ),
    ),
    (
        "History",
        (
            Key("b,left", "b, Left", "one_back", "one move back", "Back"),
            Key("f,right", "f, Right", "one_forward", "one move forward again", "Fwd"),
            Key("R,0", "R, 0", "reset", "to the start; the history stays"),
            Key("g", "g", "jump", "to a node by its number; a click on a node does that too"),
            Key("k", "k", "fork", "begin a branch here", "Fork"),
            Key("v", "v", "switch", "to the end of another branch"),
        ),
    ),
    (
        "Look",
        (
            Key("slash", "/", "filter", "only moves that contain this; Esc: all of them", "Filter"),
            Key("w", "w", "watch", "show an expression after each move; again: no more"),
            Key("m", "m", "manual", "stop before each layer, or run a stimulus to its end", "Manual"),
            Key("B", "B", "break_at", "stop before a layer; again: no more"),
            Key("", "Tab", "", "to the next panel, Shift+Tab to the one before"),
            Key("right_square_bracket", "]", "tab(1)", "the next tab of a narrow screen"),
            Key("left_square_bracket", "[", "tab(-1)", "the tab before"),
            Key("i", "i", "inform", "the whole text of the lines at the bottom"),
            Key("D", "D", "dark", "dark or light"),
        ),
    ),
    (
        "Keep",
        (
            Key("t", "t", "token", "the share token of this place", "Token"),
            Key("s", "s", "save", "save the walk with all branches", "Save"),
            Key("l", "l", "load", "load a saved walk, or go where a token leads"),
            Key("e", "e", "export", "write the way to here as pytest, dot or mermaid", "Export"),
            Key("colon", ":", "command", "any line of the dialogue, such as why block"),
            Key("question_mark", "?", "help", "this page", "Help"),
            Key("q", "q", "quit", "the end", "Quit"),
        ),
    ),
)

KEYS = tuple(key for _, keys in GROUPS for key in keys if key.action)
