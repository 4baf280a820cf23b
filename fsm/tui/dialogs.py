"""What opens over the screen: a line to write, the share token, and pages to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from fsm.errors import FsmError


class Prompt(ModalScreen[bool]):
    """One line to write, at the bottom, so that the rest stays in sight.

    `done` takes what was written; when it raises `FsmError` the prompt says so and stays. `changed` is told of every
    letter. Ends with True when `done` took it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(
        self,
        title: str,
        hint: str,
        value: str,
        done: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._hint, self._value = title, hint, value
        self._done, self._changed = done, changed

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt") as box:
            box.border_title = Text(self._title)
            yield Input(self._value, id="line", compact=True)
            yield Static(Text(self._hint), id="hint")

    def on_mount(self) -> None:
        line = self.query_one(Input)
        line.cursor_blink = False
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if self._changed is not None and self.is_current:
            self._changed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self._done(event.value.strip())
        except FsmError as error:
            hint = self.query_one("#hint", Static)
            hint.add_class("error")
            hint.update(Text(f"! {error}"))
            return
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)


class Page(ModalScreen[None]):
    """A text to read; it scrolls, and any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "leave", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def __init__(self, title: str, text: Text | Table | str, keys: str = "Esc closes") -> None:
        super().__init__()
        self._title, self._text, self._keys = title, text, keys

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="page") as box:
            box.border_title = Text(self._title)
            box.border_subtitle = Text(self._keys)
            yield Static(Text(self._text) if isinstance(self._text, str) else self._text, id="text")

    def on_mount(self) -> None:
        self.query_one("#page").focus()

    def action_leave(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one("#page").scroll_relative(y=by, animate=False)


class TokenPage(Page):
    """The share token, whole and copied to the clipboard of the terminal where that takes OSC 52."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("t,c,y", "copy", show=False)]

    def __init__(self, token: str, place: str) -> None:
        self.token = token
        text = Text.assemble(
            (token, "bold"),
            f"\n\n{len(token)} characters: the way to {place}, without other branches. "
            "It was handed to the clipboard of this terminal (OSC 52), which not every terminal takes: "
            "otherwise select it with the mouse (with Shift held in most terminals).\n\n"
            f"Go on from it with\n  wfp-udp step --token {token}",
        )
        super().__init__("share token", text, "c copies again, Esc closes")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_copy()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.token)


def keys_text(groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Table:
    """The help page: keys and what they do, in groups."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for number, (title, keys) in enumerate(groups):
        if number:
            table.add_row("", "")
        table.add_row(Text(title, "bold underline"), "")
        for key, what in keys:
            table.add_row(Text(key, "bold"), Text(what))
    return table
