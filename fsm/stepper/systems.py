"""The systems by the name that share tokens and saved walks call them."""

from __future__ import annotations

from typing import Any

from fsm.choices import Config
from fsm.errors import FsmError, UnknownName
from fsm.names import ENDPOINTS
from fsm.session import make_session
from fsm.stepper.endpoint_system import EndpointSystem
from fsm.stepper.session_system import LOOPBACK, SessionSystem
from fsm.stepper.system import System

SESSION = "session"
_FIELDS = ("network", "cap", "stimuli", "verdicts", "granularity")


def system_named(name: str, config: Config, engine: str = "table", where: str = "token") -> System[Any]:
    """The system of a name such as `sender` or `session:sender@1,receiver@2;network=deliver;cap=1;...`.

    Raises
    ------
    UnknownName, FsmError : there is no such system.
    """
    kind, colon, about = name.partition(":")
    if kind in ENDPOINTS and not colon:
        return EndpointSystem(kind, config, engine)
    if kind != SESSION or not colon:
        raise UnknownName.of(where, "system", name[:60], (*ENDPOINTS, "session:..."))
    endpoints, *words = about.split(";")
    given: dict[str, str] = {}
    loopback = False
    for word in words:
        field, equals, value = word.partition("=")
        if field == LOOPBACK and not equals and not loopback:
            loopback = True
        elif field not in _FIELDS or not equals or field in given:
            raise FsmError(
                where, f"'{word[:60]}' says nothing of a session", f"Known: {', '.join((*_FIELDS, LOOPBACK))}"
            )
        else:
            given[field] = value
    if set(given) != set(_FIELDS):
        raise FsmError(
            where, f"a session without {', '.join(f for f in _FIELDS if f not in given)}", fix="Copy it again"
        )
    if not given["cap"].isascii() or not given["cap"].isdecimal() or len(given["cap"]) > 3:
        raise FsmError(where, f"'{given['cap']}' is no number of datagrams", "1 to 999")
    session = make_session(
        tuple(endpoints.split(",")),
        config,
        network=tuple(filter(None, given["network"].split(","))),
        cap=int(given["cap"]),
        stimuli=tuple(filter(None, given["stimuli"].split(","))),
        verdicts=tuple(given["verdicts"].split(",")),
        granularity=given["granularity"],
        loopback=loopback,
    )
    return SessionSystem(session)
