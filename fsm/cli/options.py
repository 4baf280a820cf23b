"""The options that several commands share, and how they become a `Config`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from fsm.choices import CHOICES, Config, configure
from fsm.errors import FsmError
from fsm.names import EVIDENCE, VERDICTS, WINDOWS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MACHINE: tuple[Decorator, ...] = (
    click.option("--ip", type=int, default=4, show_default=True, metavar="4|6", help="IP version."),
    click.option("--windows", default="11", show_default=True, metavar="VERSION", help=f"One of {', '.join(WINDOWS)}."),
    click.option(
        "--evidence",
        default="base",
        show_default=True,
        metavar="ORDER",
        help=f"Which source is preferred: {', '.join(EVIDENCE)}.",
    ),
    click.option(
        "--assume",
        "assumptions",
        multiple=True,
        metavar="DISPUTE=OPTION",
        help=f"Decide one of: {', '.join(CHOICES)}. May be repeated.",
    ),
)


format_option = click.option(
    "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--ip --windows --evidence --assume`, in this order in the help, as `ip, windows, evidence, assumptions`."""
    for option in reversed(_MACHINE):
        function = option(function)
    return function


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The machine options, for a command that takes the `config` they mean and not their words."""

    @functools.wraps(function)
    def command(*, ip: int, windows: str, evidence: str, assumptions: Sequence[str], **given: Any) -> None:
        function(config=config_of(ip, windows, evidence, assumptions), **given)

    return machine_options(command)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`config_options`, and `--block --verdict --engine --format`."""
    for option in (
        format_option,
        click.option(
            "--engine",
            default="table",
            show_default=True,
            metavar="table|live",
            help="Compiled integers, or the transitions machine; equal results.",
        ),
        click.option(
            "--block",
            "blocks",
            multiple=True,
            metavar="LAYER",
            help="Block at this layer, in any spelling. May be repeated.",
        ),
        click.option(
            "--verdict",
            "verdicts",
            multiple=True,
            metavar="LAYER=VERDICT",
            help=f"Another verdict at this layer: {', '.join(VERDICTS)}. May be repeated.",
        ),
    ):
        function = option(function)
    return config_options(function)


def number_or_all(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """How many items to list; None for all."""
    if value.lower() == "all":
        return None
    if value.isascii() and value.isdigit():
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a number nor 'all'.", ctx, param)


def config_of(ip: int, windows: str, evidence: str, assumptions: Sequence[str]) -> Config:
    """The checked configuration that the machine options mean.

    Raises
    ------
    FsmError : an assumption that is not NAME=OPTION, or contradicts another; an unknown name.
    """
    pairs: dict[str, str] = {}
    for given in assumptions:
        name, equals, option = (part.strip() for part in given.partition("="))
        if not equals or not option:
            options = ", ".join(CHOICES[name].option_names()) if name in CHOICES else ""
            raise FsmError(
                "--assume",
                f"'{given}' is not DISPUTE=OPTION",
                f"Options of {name}: {options}" if options else f"Disputes: {', '.join(CHOICES)}",
            )
        if pairs.setdefault(name, option) != option:
            raise FsmError("--assume", f"'{name}' is assumed twice: {pairs[name]} and {option}", fix="Keep one")
    return configure(ip=ip, windows=windows, evidence=evidence, assume=pairs, where="options")


def verdicts_of(given: Sequence[str]) -> dict[str, str]:
    """{layer as given: verdict} from LAYER=VERDICT words.

    Raises
    ------
    FsmError : a word without an equals sign.
    """
    pairs: dict[str, str] = {}
    for word in given:
        layer, equals, verdict = (part.strip() for part in word.rpartition("="))
        if not equals or not layer:
            raise FsmError("--verdict", f"'{word}' is not LAYER=VERDICT", f"Verdicts: {', '.join(VERDICTS)}")
        if pairs.setdefault(layer, verdict.lower()) != verdict.lower():
            raise FsmError("--verdict", f"{layer} is given twice: {pairs[layer]} and {verdict.lower()}", fix="Give one")
    return pairs


def words_of(given: Iterable[str]) -> list[str]:
    """The words of an option that may be repeated and may hold several, with commas between."""
    return [word.strip() for one in given for word in one.split(",") if word.strip()]
