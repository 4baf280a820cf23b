"""The words of the model: registers and their values, verdicts, Windows versions, bases, outcomes.

Every other module takes these spellings from here; layers are in `fsm.catalogue`, stimuli in `fsm.stimuli`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

IDLE = "idle"  # the position of an endpoint that works off nothing
DONE = "done"  # the end of a stimulus, as `next` of a row


class Basis(StrEnum):
    """Where a row's statement comes from."""

    DOCUMENTED = "documented"  # Microsoft says so (page or header)
    OBSERVED = "observed"  # a named party saw it (log, driver, test)
    INFERRED = "inferred"  # concluded here, reason in the row's note


class Verdict(StrEnum):
    """What a classify can answer. Veto is a block against an earlier hard permit (fact b.2.4)."""

    PERMIT = "permit"
    BLOCK = "block"
    ABSORB = "absorb"  # block without discard layer and audit (fact b.3)
    PEND = "pend"
    REDIRECT = "redirect"
    VETO = "veto"


VERDICTS: tuple[str, ...] = tuple(verdict.value for verdict in Verdict)

# Each is the newest build of its name.
WINDOWS: tuple[str, ...] = ("vista", "vista-sp1", "7", "8", "8.1", "10", "11")
IP_VERSIONS: tuple[int, ...] = (4, 6)
EVIDENCE: tuple[str, ...] = ("base", "documented", "observed")
ENDPOINTS: tuple[str, ...] = ("sender", "receiver", "dropped_port")

Scope = Literal["socket", "flow", "host"]

# The registers of a socket endpoint and their values, in the order in which a state is written.
REGISTERS: dict[str, tuple[str, ...]] = {
    "socket": (
        *("UNBOUND", "BIND_REDIRECT_PENDED", "BIND_PENDED", "BIND_V6_PENDED"),
        *("BOUND", "CONNECT_PENDED", "CONNECT_OTHER_PENDED", "CLOSE_PENDED", "CLOSED"),
    ),
    "connected": ("no", "this", "other"),  # connect() was called with this peer, or with another one
    # Of the group state: a group datagram was sent less than 4 s ago, or the one that would begin it is held.
    "window": ("closed", "open", "redirect_pended", "pended"),
    "flow": ("NONE", "OUT", "IN", "OUT_STALE", "IN_STALE", "OUT_REDIRECT_PENDED", "OUT_PENDED", "IN_PENDED"),
}

# What became of the datagram of a stimulus. None (no outcome) when no datagram took part and nothing was blocked.
OUTCOMES: dict[str, str] = {
    "delivered": "the datagram reached the receiving socket",
    "sent": "the datagram left the host",
    "blocked": "a verdict stopped it; a discard layer or an audit event can show that",
    "silent": "it vanished, or its ICMP error did: nobody is told",
    "icmp_error": "an ICMP error went back or came in",
    "pended": "a callout holds the operation",
    "unknown": "a limit was reached before the end",
}
