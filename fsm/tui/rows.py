"""A panel of rows: draws only what is in sight, has a cursor for keys and takes clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fsm.tui.lines import SCROLLED, Row
from fsm.tui.look import cursor_style, style_of

Make = Callable[[int], list[Row]]


class Rows(ScrollView, can_focus=True):
    """Rows that `make(width)` makes, again whenever the width changes.

    With `cursor` the rows that have a key can be highlighted, and chosen with Enter; with `click_chooses` also by one
    click, otherwise a click highlights.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(1)", show=False),
        Binding("end", "edge(-1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Highlighted(Message):
        """The cursor stands elsewhere, or its row means something else."""

        def __init__(self, panel: Rows, key: str, about: str) -> None:
            super().__init__()
            self.panel, self.key, self.about = panel, key, about

    class Chosen(Message):
        """A row was chosen."""

        def __init__(self, panel: Rows, key: str) -> None:
            super().__init__()
            self.panel, self.key = panel, key

    def __init__(self, make: Make, *, id: str, cursor: bool = False, click_chooses: bool = False) -> None:
        super().__init__(id=id)
        self._make = make
        self._has_cursor = cursor
        self._click_chooses = click_chooses
        self._rows: list[Row] = []
        self._made_for = 0
        self._at = 0

    @property
    def rows(self) -> list[Row]:
        """What is shown."""
        return self._rows

    @property
    def key(self) -> str:
        """The key of the row under the cursor; "" for none."""
        return self._rows[self._at].key if self._has_cursor and self._at < len(self._rows) else ""

    @property
    def about(self) -> str:
        """What explains the row under the cursor."""
        return self._rows[self._at].about if self.key else ""

    @property
    def _width(self) -> int:
        """Columns for a row; the last one of the panel shows how far it is scrolled."""
        return self.scrollable_content_region.width - 1

    def rebuild(self, to: str = "") -> None:
        """Make the rows anew. The cursor goes to the row with this key, or stays at the number where it was.

        Without a cursor the row with this key comes into sight.
        """
        width = self._width
        if width <= 0:
            return
        self._fill(width)
        number = next((n for n in reversed(range(len(self._rows))) if to and self._rows[n].key == to), None)
        if self._has_cursor:
            self._at = self._nearest(self._at if number is None else number)
            number = self._at
        if number is not None:
            self._show(number)
        else:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def _fill(self, width: int) -> None:
        self._made_for = width
        self._rows = self._make(width)
        self.virtual_size = Size(width + 1, len(self._rows))

    def _nearest(self, number: int) -> int:
        """The row with a key that is nearest to this number, looked for downwards first."""
        keyed = [n for n, made in enumerate(self._rows) if made.key]
        if not keyed:
            return 0
        return next((n for n in keyed if n >= number), keyed[-1])

    def _show(self, number: int) -> None:
        # Of a picture also what stands below the row, as far as there is room.
        below = 1 if self._has_cursor else max(self.scrollable_content_region.height * 2 // 3, 1)
        region = Region(0, number, 1, min(below, len(self._rows) - number))
        self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def on_resize(self, event: events.Resize) -> None:
        if self._width != self._made_for:
            self.rebuild(self.key)

    def on_focus(self) -> None:
        self.refresh()
        self.post_message(self.Highlighted(self, self.key, self.about))

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line as it stands on the screen."""
        number = y + round(self.scroll_y)
        width = self._width
        base = self.rich_style
        if not 0 <= number < len(self._rows):
            return Strip.blank(width + 1, base)
        app = self.app
        dark, colour = app.current_theme.dark, not app.no_color
        text = Text(end="", no_wrap=True)
        for part, role in self._rows[number].spans:
            text.append(part, style_of(role, dark=dark, colour=colour))
        text.truncate(width, overflow="ellipsis")
        if self._has_cursor and number == self._at and self._rows[number].key:
            text.append(" " * (width - text.cell_len))
            text.stylize(cursor_style(focused=self.has_focus, dark=dark, colour=colour))
        text.append(" " * (width - text.cell_len))
        text.append(SCROLLED if self._is_in_bar(y) else " ", style_of("bar", dark=dark, colour=colour))
        strip = Strip(text.render(app.console)).adjust_cell_length(width + 1, base)
        return strip.apply_style(base)

    def _is_in_bar(self, y: int) -> bool:
        """Whether the bar at the right stands in this line of the screen: it shows which part is in sight."""
        height, rows = self.scrollable_content_region.height, len(self._rows)
        if rows <= height:
            return False
        length = max(height * height // rows, 1)
        start = round(self.scroll_y) * (height - length) // max(rows - height, 1)
        return start <= y < start + length

    # -- keys and clicks ------------------------------------------------------------------------------------------

    def _go(self, number: int) -> None:
        if number == self._at:
            return
        self._at = number
        self._show(number)
        self.refresh()
        self.post_message(self.Highlighted(self, self.key, self.about))

    def highlight(self, key: str) -> None:
        """Put the cursor on the row with this key."""
        number = next((n for n, made in enumerate(self._rows) if made.key == key), None)
        if number is not None:
            self._go(number)

    def action_move(self, by: int) -> None:
        """The cursor up or down; without a cursor the rows move."""
        if not self._has_cursor:
            self.scroll_relative(y=by, animate=False)
            return
        keyed = [n for n, made in enumerate(self._rows) if made.key]
        beyond = [n for n in keyed if (n > self._at if by > 0 else n < self._at)]
        if beyond:
            self._go(beyond[0] if by > 0 else beyond[-1])
        else:
            # Headings above the first row come into sight.
            self._show(0 if by < 0 else len(self._rows) - 1)

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        height = max(self.scrollable_content_region.height - 1, 1)
        if not self._has_cursor:
            self.scroll_relative(y=by * height, animate=False)
            return
        self._go(self._nearest(min(max(self._at + by * height, 0), len(self._rows))))

    def action_edge(self, which: int) -> None:
        """To the first row or the last one."""
        if not self._has_cursor:
            self.scroll_to(y=0 if which > 0 else self.max_scroll_y, animate=False)
            return
        self._go(self._nearest(0 if which > 0 else len(self._rows)))

    def action_choose(self) -> None:
        """The row under the cursor is meant."""
        if self.key:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self._has_cursor:
            return
        number = offset.y + round(self.scroll_y)
        if number < len(self._rows) and self._rows[number].key:
            self._go(number)
            if self._click_chooses or event.chain > 1:
                self.action_choose()
