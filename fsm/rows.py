"""The shape of a rule: one row of the table that everything else is made from.

A row says: standing at `at` (idle, or before the layer of a position), when `event` comes (a stimulus, or the
verdict of that layer) and the guards hold, go on to `next`, set these registers, do these operations. Rows hold
values only, no code: what cannot be printed cannot be drawn, counted or compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm.names import WINDOWS, Basis, Scope

Guards = tuple[tuple[str, tuple[str, ...]], ...]

# The closed list of operations: what happens to things that are not finite registers. Every interpreter does these
# and no others; a row names them in the order in which they happen.
OPERATIONS: dict[str, str] = {
    "create_flow": "a flow record for this remote peer begins, in the direction of this packet",
    "drop_flow": "the flow record of this peer ends; contexts get flowDeleteFn, no layer is indicated",
    "drop_all_flows": "the flow records of every peer of the socket end",
    "mark_stale": "the flow is to be authorized again at its next packet",
    "touch": "the idle timer of the flow starts anew",
    "lose": "the datagram is gone",
    "deliver": "the datagram goes to the receiving socket",
    "emit": "the datagram goes to the wire",
    "emit_icmp": "an ICMP destination-unreachable goes back to the sender of the datagram",
    "socket_error": "the socket reports the error of an earlier send",
    "queue": "the operation is held by a callout",
    "reinject": "the callout's clone enters the stack",
    "rewrite": "the callout changes the address or port that the layer lets it change",
    "touch_window": "the 4 s of the group state start anew",
    "loop_back": "a copy comes back to the group's receivers on this host",
}


@dataclass(frozen=True, slots=True)
class Discard:
    """Why the stack discards, as FWPS_DISCARD_METADATA0 gives it (fact c.1)."""

    module: str  # NETWORK | TRANSPORT | GENERAL
    reason: str  # IpDiscardPortUnreachable ...
    value: int


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of the model.

    `when` lists guards as (register, "stimulus" or stimulus attribute; allowed values); all must hold. `choices`
    lists disputes and settings as (name; options under which the row stands). `ip` is 0 for the IP version of the
    configuration, 4 or 6 where it is fixed. `until` is the last Windows that has the row ("" for no end).
    """

    scope: Scope
    at: str
    event: str
    next: str
    layer: str | None
    cite: tuple[str, ...]
    basis: Basis
    when: Guards = ()
    sets: tuple[tuple[str, str], ...] = ()
    ip: int = 0
    since: str = "vista"
    until: str = ""
    choices: Guards = ()
    ops: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    discard: Discard | None = None
    outcome: str = ""
    application_sees: str = ""
    remote_sees: str = ""
    logged: tuple[int, ...] = ()
    note: str = ""

    @property
    def key(self) -> str:
        """The row's name, derived from its cell: `send.authorize.permit[flow=NONE]`."""
        parts = [f"{name}={'|'.join(values)}" for name, values in self.when]
        parts += [f"{name}:{'|'.join(options)}" for name, options in self.choices]
        if self.ip:
            parts.append(f"ip{self.ip}")
        if self.since != "vista" or self.until:
            parts.append(f"windows {self.since}..{self.until}")
        return f"{self.at}.{self.event}" + (f"[{'; '.join(parts)}]" if parts else "")

    def on_windows(self, windows: str) -> bool:
        """Whether this row stands on that Windows (a name of `names.WINDOWS`)."""
        here = WINDOWS.index(windows)
        return WINDOWS.index(self.since) <= here <= (WINDOWS.index(self.until) if self.until else here)


@dataclass(frozen=True, slots=True)
class VerdictRefusal:
    """A verdict that some layers do not take, and why. With `flag`, only where the layer is called with that flag."""

    layers: tuple[str, ...]  # stems; ("*_DISCARD",) stands for every discard layer
    verdict: str
    why: str
    cite: tuple[str, ...]
    basis: Basis
    flag: str = ""


@dataclass(frozen=True, slots=True)
class SettingFlag:
    """A classify flag that layers carry because of a setting, whatever the row."""

    choice: str
    option: str
    flag: str
    layers: tuple[str, ...]  # stems
    cite: tuple[str, ...]
    note: str = ""
    since: str = "vista"


@dataclass(frozen=True, slots=True)
class ReauthorizeReason:
    """One bit of FWPM_CONDITION_ALE_REAUTH_REASON. `stimulus` is empty where nothing in this model sets it."""

    name: str
    value: int
    stimulus: str
    cite: tuple[str, ...]
    basis: Basis
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the work on a stimulus: before which layer, with a packet in which direction."""

    name: str
    packet_direction: str  # "outbound", "inbound", or "" where no packet is attached
    text: str


@dataclass(frozen=True, slots=True)
class Stimulus:
    """Something that happens to an endpoint. `attributes` are what guards may ask for besides its name."""

    name: str
    scopes: tuple[Scope, ...]
    text: str
    attributes: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    packet_direction: str = ""  # of the datagram that it brings, if any
    per_flow: bool = False  # applies to the flow record of every peer, not to one
    with_peer: bool = True  # False where it happens to the socket as a whole
    seen_by_application: bool = True  # False where a callout does it and no call of the application is answered
