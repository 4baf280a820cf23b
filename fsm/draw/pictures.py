"""Every picture by one name, in every form that needs no renderer.

The packet path, the endpoints, the session, the disputes and settings with their options side by side, the flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from fsm.aside import aside
from fsm.choices import CHOICES, Config, default_config
from fsm.draw import ladder, mermaid, text
from fsm.draw.overlay import Overlay
from fsm.draw.variants import CASES
from fsm.errors import FsmError, UnknownName
from fsm.flows import FLOWS, FlowRun, find_flow, run_flow
from fsm.names import ENDPOINTS
from fsm.stimuli import VIEWS

if TYPE_CHECKING:
    from fsm.space import StateSpace

PACKET_PATH, SESSION = "packet-path", "session"
Kind = Literal["packet path", "endpoint", "session", "dispute", "setting", "flow"]
# Name of the picture to name of the dispute or setting, disputes first.
_CHOSEN = {f"{kind}.{name}": name for kind in ("dispute", "setting") for name in CASES if CHOICES[name].kind == kind}


@dataclass(frozen=True, slots=True)
class Highlight(Overlay):
    """An overlay that marks what somebody named: the rows of its path are not numbered."""

    def numbers(self, key: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. `title` and `desc` are for readers who cannot see it, `sentence` for a list of pictures."""

    name: str
    kind: Kind
    title: str
    desc: str
    sentence: str
    _dot: Callable[[bool, str], str]
    _mermaid: Callable[[], str]
    _text: Callable[[], str]

    def dot(self, *, dark: bool = False, background: str = "transparent") -> str:
        """DOT text in the light or the dark palette, on nothing, a colour, or "paper"."""
        return self._dot(dark, background)

    def mermaid(self) -> str:
        """Mermaid text."""
        return self._mermaid()

    def text(self) -> str:
        """Plain ASCII text of at most 100 columns."""
        return self._text()


def picture_names() -> tuple[str, ...]:
    """What can be drawn: `packet-path`, the endpoints, `session`, `dispute.NAME`, `setting.NAME`, the flows."""
    return (PACKET_PATH, *ENDPOINTS, SESSION, *_CHOSEN, *FLOWS)


@aside()
def picture(
    what: str,
    config: Config | None = None,
    *,
    blocks: Iterable[str] = (),
    overlay: Overlay | None = None,
    where: str = "diagram",
) -> Picture:
    """The picture of that name; `blocks` are layers that block during a flow, or the case of a dispute.

    Raises
    ------
    UnknownName : there is no such picture; with the nearest names.
    FsmError : blocks are given for a picture that runs nothing.
    """
    config, name, blocks = config or default_config(), what.strip().lower(), tuple(blocks)
    known = {key.replace("_", "-"): key for key in (PACKET_PATH, *ENDPOINTS, SESSION, *_CHOSEN)}
    plain = known.get(name.replace("_", "-"))
    if plain in _CHOSEN:
        return _options(plain, config, overlay, blocks)
    if plain and blocks:
        raise FsmError(
            where,
            f"{plain} shows {'permits only' if plain == SESSION else 'every verdict'}, so nothing can be blocked there",
            fix="Draw a flow with --block",
        )
    if plain == PACKET_PATH:
        return _packet_path(config, overlay)
    if plain == SESSION:
        return _session(config, overlay)
    if plain:
        return _endpoint(plain, config, overlay)
    try:
        flow = find_flow(what, where)
    except UnknownName as error:
        if " names " in error.what:  # a short name of several flows
            raise
        short = [key for key, choice in _CHOSEN.items() if choice == name.replace("-", "_")]
        if short:
            return _options(short[0], config, overlay, blocks)
        raise UnknownName.of(where, "picture", what, picture_names(), "'wfp-udp flow' lists the flows") from None
    return run_picture(run_flow(flow.name, config, blocks=blocks), overlay)


def all_pictures(config: Config | None = None) -> Iterator[Picture]:
    """Every picture, in the order of `picture_names`."""
    return (picture(name, config) for name in picture_names())


def run_picture(run: FlowRun, overlay: Overlay | None = None) -> Picture:
    """The ladder of a run: of a flow, or of any list of stimuli."""
    layers = ", ".join(f"{step.step.layer.removeprefix('FWPM_LAYER_')} {step.step.verdict}" for step in run.steps)
    sees = f"The application sees: {run.application_sees}. The remote host sees: {run.remote_sees}."
    return Picture(
        run.name or "run",
        "flow",
        f"{run.name}: {run.title}" if run.name else f"{run.endpoint}: {run.title}",
        f"Layers in order: {layers or 'none'}. {sees}",
        run.title,
        lambda dark, background: ladder.ladder_dot(run, overlay, dark=dark, background=background),
        lambda: mermaid.ladder_mermaid(run, overlay),
        lambda: text.ladder_text(run, overlay),
    )


def _options(what: str, config: Config, overlay: Overlay | None, blocks: tuple[str, ...]) -> Picture:
    """The options of a dispute or setting side by side."""
    from fsm.draw.dispute_picture import dispute_dot
    from fsm.draw.dispute_text import dispute_mermaid, dispute_text

    name = _CHOSEN[what]
    choice = CHOICES[name]
    *first, last = choice.option_names()
    options = "; ".join(f"{option.name}: {option.text}" for option in choice.options)
    return Picture(
        what,
        choice.kind,
        f"{name}: {choice.question}",
        f"The options side by side, each with its steps. {options}.",
        f"{choice.question} Side by side: {', '.join(first)} and {last}",
        lambda dark, background: dispute_dot(name, config, overlay, blocks=blocks, dark=dark, background=background),
        lambda: dispute_mermaid(name, config, overlay, blocks=blocks),
        lambda: dispute_text(name, config, overlay, blocks=blocks),
    )


@lru_cache(maxsize=2)
def session_space(config: Config) -> StateSpace:
    """The session that is drawn: the default one, over loopback where the machine says so."""
    from fsm.session import make_session
    from fsm.space import explore

    return explore(make_session((), config, loopback=config.choice("path") == "loopback"))


def _session(config: Config, overlay: Overlay | None) -> Picture:
    from fsm.draw.session_picture import session_dot
    from fsm.draw.session_text import session_mermaid, session_text

    about = "A sender, a receiver and a port without socket, and everything that can happen between them"
    return Picture(
        SESSION,
        "session",
        f"{about} (IPv{config.ip}, Windows {config.windows})",
        "One box for each way in which the two sockets stand, with the moves that keep it and those that leave it.",
        about,
        lambda dark, background: session_dot(session_space(config), overlay, dark=dark, background=background),
        lambda: session_mermaid(session_space(config), overlay),
        lambda: session_text(session_space(config), overlay),
    )


# The layout of these two takes longer to load than all the text: only who draws loads it.


def _packet_path(config: Config, overlay: Overlay | None) -> Picture:
    def dot(dark: bool, background: str) -> str:
        from fsm.draw.packet_path import packet_path_dot

        return packet_path_dot(config, overlay, dark=dark, background=background)

    title = f"Where a UDP datagram meets the Windows Filtering Platform (IPv{config.ip}, Windows {config.windows})"
    return Picture(
        PACKET_PATH,
        "packet path",
        title,
        "The filtering layers between application and wire, in the order in which packets of each kind meet them.",
        "Every layer that a datagram, its reply, its ICMP error or a bind meets, from the application down to the wire",
        dot,
        lambda: mermaid.packet_path_mermaid(config, overlay),
        lambda: text.packet_path_text(config, overlay),
    )


def _endpoint(name: str, config: Config, overlay: Overlay | None) -> Picture:
    def dot(dark: bool, background: str) -> str:
        from fsm.draw.endpoint_picture import endpoint_dot

        return endpoint_dot(name, config, overlay, dark=dark, background=background)

    about = VIEWS[name].text
    return Picture(
        name,
        "endpoint",
        f"{name}: {about} (IPv{config.ip}, Windows {config.windows})",
        f"The states of {about}, and the layers between them.",
        f"The state machine of {about}",
        dot,
        lambda: mermaid.endpoint_mermaid(name, config, overlay),
        lambda: text.endpoint_text(name, config, overlay),
    )
