"""What the roles of lines look like: the palettes of the pictures, in light, dark, and without colour."""

from __future__ import annotations

import os

from rich.style import Style
from textual.theme import Theme

from fsm.draw.theme import palette

DARK, LIGHT = "wfp-dark", "wfp-light"

# Role: (colour of the palette, attributes). Attributes alone have to tell enough where colour is not wanted.
_ROLES: dict[str, tuple[str, str]] = {
    "ink": ("ink", ""),
    "muted": ("muted", ""),
    "faint": ("grey_ink", "dim"),
    "head": ("ink", "bold"),
    "number": ("muted", ""),
    "move": ("ink", "bold"),
    "refused": ("grey_ink", "dim"),
    "done": ("inn", ""),
    "stop": ("block", "bold"),
    "waits": ("taken", "bold reverse"),
    "here": ("taken", "bold"),
    "next": ("grey_ink", "dim"),
    "lane": ("out", ""),
    "change": ("icmp", "bold"),
    "branch": ("local", "bold"),
    "observed": ("icmp", ""),
    "bar": ("dim", ""),
    "error": ("block", "bold"),
}


def style_of(role: str, *, dark: bool, colour: bool) -> Style:
    """How a role is drawn."""
    name, attributes = _ROLES[role]
    if not colour:
        return Style.parse(attributes or "none")
    colours = palette(dark)
    bright = attributes.replace("dim", "").strip()  # these greys are dim already
    return Style.parse(f"{bright} {getattr(colours, name)}".strip())


def cursor_style(*, focused: bool, dark: bool, colour: bool) -> Style:
    """How the line under the cursor is drawn."""
    if not colour:
        return Style(reverse=focused, underline=not focused)
    colours = palette(dark)
    return Style(bgcolor=colours.out_fill if focused else colours.grey)


def theme_of(dark: bool) -> Theme:
    """The palette as Textual wants it."""
    colours = palette(dark)
    return Theme(
        name=DARK if dark else LIGHT,
        primary=colours.out,
        secondary=colours.local,
        warning=colours.icmp,
        error=colours.block,
        success=colours.inn,
        accent=colours.taken,
        foreground=colours.ink,
        background=colours.paper,
        surface=colours.paper,
        panel=colours.grey,
        dark=dark,
        text_alpha=1.0,
        variables={
            "border": colours.rule,
            "border-blurred": colours.hair,
            "footer-key-foreground": colours.out,
            "footer-background": colours.grey,
            "footer-foreground": colours.ink,
            "footer-item-background": colours.grey,
            "footer-description-background": colours.grey,
            "footer-key-background": colours.grey,
            "scrollbar": colours.dim,
            "scrollbar-hover": colours.muted,
            "scrollbar-active": colours.out,
            "scrollbar-background": colours.paper,
            "scrollbar-background-hover": colours.paper,
            "scrollbar-background-active": colours.paper,
            "scrollbar-corner-color": colours.paper,
            "input-cursor-background": colours.ink,
            "input-cursor-foreground": colours.paper,
            "input-selection-background": colours.out_fill,
        },
    )


def is_light_terminal() -> bool:
    """Whether the terminal says that its background is light: COLORFGBG, as rxvt, Konsole and others set it."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
