"""The full-screen stepper: panels around one walk; every command is a line of the dialogue, so both mean the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import Static

from fsm.cli.dialogue import Dialogue
from fsm.errors import FsmError
from fsm.predicates import PEER_NAME
from fsm.stepper import Walk
from fsm.stepper.token import is_meant
from fsm.tui import look, offers, panels, picture
from fsm.tui.dialogs import Page, Prompt, TokenPage, keys_text
from fsm.tui.keys import GROUPS, KEYS
from fsm.tui.lines import Row, short
from fsm.tui.rows import Rows

_PANELS = ("where", "ladder", "state", "history")  # the tabs of a narrow screen, in this order
_TITLES = {"moves": "Moves", "where": "Where", "ladder": "Ladder", "state": "State", "history": "History"}
_FOLD = "fold "


def _key_line() -> Content:
    """The line at the bottom; a click does what the key does. Textual's own is built anew with every dialog."""
    # Help and the end come first, so that a narrow screen has them.
    keys = sorted((key for key in KEYS if key.label), key=lambda key: key.action not in ("help", "quit"))
    shown = (f"[@click=app.{key.action}][bold $primary]{key.first}[/] {key.label}[/]" for key in keys)
    return Content.from_markup("  ".join(shown))


class Tab(Static):
    """The name of a panel on a narrow screen; a click shows it."""

    def __init__(self, panel: str, classes: str = "") -> None:
        super().__init__(Text(_TITLES[panel]), classes=classes)
        self.panel = panel

    def on_click(self) -> None:
        assert isinstance(self.app, Stepper)
        self.app.show(self.panel)


class Stepper(App[None]):
    """Steps through `walk`; a loaded walk takes its place."""

    CSS_PATH = "app.tcss"
    TITLE = "wfp-udp step"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (Textual declares it so)
        (0, "-tiny"), (60, "-narrow"), (100, "-medium"), (150, "-wide"),
    ]  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.key, key.action, key.text, show=False) for key in KEYS),
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
        Binding("escape", "all_moves", show=False),
        *(Binding(digit, f"digit({digit})", show=False) for digit in "123456789"),
    ]

    def __init__(
        self, walk: Walk, *, seed: int = 1, engine: str = "table", arm: Callable[[Walk], None] | None = None
    ) -> None:
        no_colour = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if no_colour else None)
        self._said: list[str] = []
        self._dialogue = Dialogue(walk, self._said.append, seed=seed, engine=engine, arm=arm)
        self._arm, self._engine = arm, engine
        self._peer = ""
        self._wanted = ""
        self._unfolded: frozenset[str] = frozenset()
        self._typed = ""
        self._offers: tuple[offers.Offer, ...] = ()
        self._message = (walk.notice, "change") if walk.notice else ("", "ink")
        self._tab = _PANELS[0]
        for dark in (True, False):
            self.register_theme(look.theme_of(dark))
        self.theme = look.LIGHT if look.is_light_terminal() else look.DARK

    @property
    def walk(self) -> Walk:
        """Where it stands."""
        return self._dialogue.walk

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with Horizontal(id="body"):
            yield Rows(self._move_rows, id="moves", cursor=True, click_chooses=True)
            with Container(id="rest"):
                with Horizontal(id="tabs"):
                    for panel in _PANELS:
                        yield Tab(panel)
                yield Rows(lambda width: picture.picture(self.walk, width), id="where")
                yield Rows(lambda width: panels.state(self.walk, width), id="state")
                yield Rows(lambda width: panels.ladder(self.walk, width), id="ladder", cursor=True)
                yield Rows(
                    lambda width: panels.history(self.walk, width), id="history", cursor=True, click_chooses=True
                )
        yield Static(id="info")
        yield Static(_key_line(), id="keys")

    def on_mount(self) -> None:
        self.show(self._tab)
        self._rows("moves").focus()
        self.renew()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.renew)

    # -- showing --------------------------------------------------------------------------------------------------

    def _rows(self, panel: str) -> Rows:
        return self.screen_stack[0].query_one(f"#{panel}", Rows)

    def renew(self) -> None:
        """Show what the walk is now."""
        walk = self.walk
        self.screen_stack[0].set_class(not walk.system.can_wait, "-session")
        self._offers = offers.offers(walk, self._peer)
        for panel in _TITLES:
            self._rows(panel).border_title = self._title_of(panel)
        first = walk.suggestion[0] if walk.layer else ""
        self._rows("moves").rebuild(first or next((offer.move for offer in self._offers if not offer.why), ""))
        self._rows("where").rebuild(picture.CURRENT)
        self._rows("state").rebuild()
        self._rows("ladder").rebuild(str(walk.at))
        self._rows("history").rebuild(str(walk.at))
        self._tell_where()
        self._inform()

    def _title_of(self, panel: str) -> Text:
        title = _TITLES[panel]
        if panel == "moves":
            title += f" for {self._peer}" if self._peer else ""
            title += f" /{self._wanted}" if self._wanted else ""
        if panel == "ladder":
            title += f" {len(self.walk.ladder)}"
        if panel == "history":
            title += f" {len(self.walk.nodes)}"
        return Text(title)

    def _move_rows(self, width: int) -> list[Row]:
        return offers.rows(self._offers, self._wanted, self._unfolded)

    def _tell_where(self) -> None:
        walk = self.walk
        config = walk.system.config
        machine = f"IPv{config.ip}, Windows {config.windows}, {config.evidence}"
        bits = [(walk.system.title, "head")]
        bits += [(f"  {walk.state}", "ink")] if walk.system.can_wait else []
        bits += [(f"  {walk.branch} {walk.at}", "branch")]
        bits += [("  manual", "change")] if walk.manual else []
        bits += [(f"  {machine}", "muted")]
        self.screen_stack[0].query_one("#bar", Static).update(self._text(bits), layout=False)

    def _text(self, spans: list[tuple[str, str]]) -> Text:
        dark, colour = self.current_theme.dark, not self.no_color
        text = Text(no_wrap=False)
        for part, role in spans:
            text.append(part, look.style_of(role, dark=dark, colour=colour))
        return text

    def tell(self, text: str, role: str = "ink") -> None:
        """Say something at the bottom, until the next key that does something."""
        self._message = (text, role)
        self._inform()

    def _inform(self) -> None:
        text, role = self._message
        mark = "! " if role == "error" else ""
        spans = [(mark + text, role)] if text else [(self._question(), "change"), (self._about(), "muted")]
        self.screen_stack[0].query_one("#info", Static).update(self._text(spans), layout=False)

    def _question(self) -> str:
        """What stops the walk here. The picture says it too, but on a narrow screen another panel may be in front."""
        question = self.walk.question
        return f"The policy leaves it open: {question}\n" if question else ""

    def _about(self) -> str:
        """What the cursor of the panel in focus stands on."""
        panel = self.focused
        if not isinstance(panel, Rows) or not panel.key:
            panel = self._rows("moves")
        if panel.id == "moves":
            offer = next((offer for offer in self._offers if offer.move == panel.key and not offer.why), None)
            if offer is not None:
                return offers.about(self.walk, offer)
        return panel.about

    def on_rows_highlighted(self, event: Rows.Highlighted) -> None:
        self._message = ("", "ink")
        self._inform()

    def show(self, panel: str) -> None:
        """Put a panel in front on a narrow screen."""
        self._tab = panel
        for name in _PANELS:
            self._rows(name).set_class(name == panel, "-shown")
        for tab in self.screen_stack[0].query(Tab):
            tab.set_class(tab.panel == panel, "-active")
        if isinstance(self.focused, Rows) and not self.focused.display:
            self._rows("moves").focus()
        self.call_after_refresh(self._rows(panel).rebuild, self._anchor(panel))

    def _anchor(self, panel: str) -> str:
        return picture.CURRENT if panel == "where" else str(self.walk.at)

    # -- doing ----------------------------------------------------------------------------------------------------

    def say(self, line: str) -> list[str]:
        """Do what a line of the dialogue says, and show what has become of it. Returns what the dialogue answered.

        Raises
        ------
        FsmError : a line that makes no sense here; nothing has changed.
        """
        self._said.clear()
        self._typed = ""
        self._message = ("", "ink")
        try:
            going_on = self._dialogue.hear(line)
            self._peer = ""
        finally:
            self.renew()  # a policy may stop a stimulus on its way
        if not going_on:
            self.exit()
        return list(self._said)

    def do(self, line: str, note: str = "") -> None:
        """The same for a key: an error is told at the bottom."""
        try:
            self.say(line)
        except FsmError as error:
            self.tell(str(error), "error")
            return
        if note:
            self.tell(note)

    def take(self, move: str) -> None:
        """Choose a move by its name."""
        # A move may be called as a command is: its name alone is always a move.
        self._typed = ""
        self._message = ("", "ink")
        try:
            self.walk.choose(move)
            self._peer = self._wanted = ""
        except FsmError as error:
            self.renew()
            self.tell(str(error), "error")
            return
        self.renew()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        panel, key = event.panel.id, event.key
        if panel == "moves" and key.startswith(_FOLD):
            why = key.removeprefix(_FOLD)
            self._unfolded ^= {why}
            self._rows("moves").rebuild(key)
            self._inform()
        elif panel == "moves":
            self.take(key)
        else:
            self.do(f"jump {key}")

    def action_digit(self, digit: int) -> None:
        """A number takes its move as soon as no longer number begins like it; otherwise Enter does."""
        count = sum(not offer.why for offer in self._offers)
        typed = self._typed + str(digit)
        number = int(typed)
        self._typed = ""
        if number > count:
            self.tell(f"There is no move {number}: 1 to {count}" if count else "No move is left", "error")
            return
        move = self._offers[number - 1].move
        if number * 10 > count:
            self.take(move)
            return
        self._typed = typed
        self._wanted = ""
        self._rows("moves").focus()
        self._rows("moves").rebuild(move)
        self.tell(f"{typed}_ : Enter takes {move}, another digit makes the number longer")

    def on_key(self, event: events.Key) -> None:
        if not event.character or not event.character.isdigit():
            self._typed = ""

    def action_go_on(self) -> None:
        """The waiting layer gets what it gets by itself; otherwise on to where there is a choice."""
        if self.walk.layer:
            self.do("go")
            return
        try:
            self.say("until choice")
        except FsmError as error:
            self.tell(str(error), "error")
            return
        left = bool(self.walk.moves)
        self.tell("No layer waits: choose a move" if left else "No move is left: b goes back, 0 to the start")

    def action_one_back(self) -> None:
        self.do("b")

    def action_one_forward(self) -> None:
        self.do("f")

    def action_reset(self) -> None:
        if self._typed:  # a 0 within a number
            self.action_digit(0)
            return
        self.do("reset")

    def action_manual(self) -> None:
        self.do("manual", "A stimulus runs to its end" if self.walk.manual else "Stops before each layer")

    def action_dark(self) -> None:
        self.theme = look.LIGHT if self.current_theme.dark else look.DARK
        self.renew()

    def action_tab(self, by: int) -> None:
        self.show(_PANELS[(_PANELS.index(self._tab) + by) % len(_PANELS)])

    def action_all_moves(self) -> None:
        self._wanted = self._peer = self._typed = ""
        self._message = ("", "ink")
        self.renew()

    def action_help(self) -> None:
        groups = [(title, [(key.shown, key.text) for key in keys]) for title, keys in GROUPS]
        self.push_screen(Page("keys", keys_text(groups)))

    def action_inform(self) -> None:
        self.push_screen(Page("in full", self._message[0] or self._question() + self._about()))

    def action_token(self) -> None:
        try:
            token = self.walk.token
        except FsmError as error:
            self.tell(str(error), "error")
            return
        self.push_screen(TokenPage(token, self.walk.state))

    # -- asking ---------------------------------------------------------------------------------------------------

    def ask(
        self,
        title: str,
        hint: str,
        value: str,
        done: Callable[[str], None],
        changed: Callable[[str], None] | None = None,
        ended: Callable[[bool | None], None] | None = None,
    ) -> None:
        """A line at the bottom; `done` may raise `FsmError`."""
        self._typed = ""
        self.push_screen(Prompt(title, hint, value, done, changed), ended)

    def _ask_line(self, title: str, hint: str, value: str, word: str) -> None:
        """Ask for the rest of a line of the dialogue, and tell what it answered last."""

        def done(given: str) -> None:
            said = self.say(f"{word} {given}")
            notes = [line for line in said if line.startswith((f"{word}:", "until:", "random:", "written:", "saved:"))]
            notes += [line for line in said if line.startswith(("branch ", "token of", "walk"))]
            if notes:
                self.tell(notes[-1])

        self.ask(title, hint, value, done)

    def action_random(self) -> None:
        self._ask_line("random moves", "how many, and the seed: 10 1. Without a seed the next one", "10", "r")

    def action_until(self) -> None:
        endpoint = self.walk.system.can_wait
        example = "flow=OUT, fired=AUTH_CONNECT, outcome=blocked" if endpoint else "receiver=BOUND/IN"
        self._ask_line("run until", f"{example}; choice; or a number of moves", "choice", "until")

    def action_wait(self) -> None:
        if not self.walk.system.can_wait:
            self.tell("A session has no model time: its timeouts are moves", "error")
            return
        self._ask_line("let model time pass", "seconds", "61", "wait")

    def action_jump(self) -> None:
        self._ask_line("to a node", f"0 to {len(self.walk.nodes) - 1}", "", "jump")

    def action_fork(self) -> None:
        self._ask_line("begin a branch here", "its name; empty: the next free one", "", "fork")

    def action_switch(self) -> None:
        names = ", ".join(list(self.walk.branches)[:12])
        self._ask_line("to the end of a branch", names, "", "switch")

    def action_break_at(self) -> None:
        self._ask_line("stop before a layer", "in any spelling; again: no more", short(self.walk.layer), "break")

    def action_save(self) -> None:
        self._ask_line("save the walk", "a file", f"{self._file_name()}.json", "save")

    def action_export(self) -> None:
        file = f"pytest test_{self._file_name()}.py"
        self._ask_line("write the way to here", "pytest, dot or mermaid, and a file", file, "export")

    def _file_name(self) -> str:
        return f"walk_{self.walk.system.title}"

    def action_watch(self) -> None:
        def done(given: str) -> None:
            watched = " ".join(word for word in given.split() if word.lower() != "and") in self.walk.watches
            if not given:
                raise FsmError("watch", "nothing is named", fix="Write for example flow")
            self.say(f"{'unwatch' if watched else 'watch'} {given}")

        now = ", ".join(self.walk.watches)
        self.ask("watch", f"flow, time, socket=BOUND. Watched: {now}" if now else "flow, time, socket=BOUND", "", done)

    def action_load(self) -> None:
        def done(given: str) -> None:
            if is_meant(given):
                walk = Walk.from_token(given, manual=self.walk.manual, engine=self._engine)
                if self._arm is not None:
                    self._arm(walk)
                self._dialogue.walk = walk
                self._message = ("", "ink")
                self._peer = self._wanted = ""
                self.renew()
            else:
                self.say(f"load {given}")
            self.tell(self.walk.notice or "loaded")

        self.ask("load", "a file, or a share token; it takes the place of this walk", "", done)

    def action_peer(self) -> None:
        if not self.walk.system.can_wait or self.walk.layer:
            what = "A layer waits: its verdict first" if self.walk.layer else "The moves of a session name their peers"
            self.tell(what, "error")
            return

        def done(given: str) -> None:
            if given and not PEER_NAME.fullmatch(given):
                raise FsmError("peer", f"'{given}' is no name of a peer", "Letters, digits, _ and -", "Write B")
            self._peer = given
            self._message = ("", "ink")
            self.renew()

        self.ask("the moves for another peer", "its name, such as B; empty: the one of the last stimulus", "B", done)

    def action_filter(self) -> None:
        before = self._wanted

        def changed(given: str) -> None:
            self._wanted = given.strip()
            self.renew()

        def ended(taken: bool | None) -> None:
            if not taken:
                changed(before)

        self.ask(
            "filter the moves", "what they contain; Enter keeps it, Esc takes it back", before, changed, changed, ended
        )

    def action_command(self) -> None:
        pages: list[Page] = []

        def done(given: str) -> None:
            said = self.say(given)
            if len(said) == 1:
                self.tell(said[0].strip())
            elif said and given.split()[0] not in ("r", "random", "until"):
                pages.append(Page(given, "\n".join(said)))

        def ended(taken: bool | None) -> None:
            for page in pages:
                self.push_screen(page)

        hint = "why block, break AUTH_CONNECT, until flow=OUT, jump 3; ? lists all"
        self.ask("a line of the dialogue", hint, "", done, ended=ended)
