"""What `search` and `compare` ask alike: the space of datagrams, split into scenes, on the machine of a policy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fsm.choices import Config
from fsm.errors import FsmError, UnknownName
from fsm.policy.boxes import Intervals, intersection, intervals
from fsm.policy.callouts import UNDECLARED
from fsm.policy.datagram import Circumstances, Datagram
from fsm.policy.given import checked
from fsm.policy.model import Policy
from fsm.policy.space import LOOPBACK, Scene, example_value, networks, scene_domains
from fsm.policy.whatif import events_of, machine_for, sends, setup_of, word_of


@dataclass(frozen=True, slots=True)
class Ends:
    """What was said of one end: addresses and ports, where anything was."""

    ip: int | None
    sets: tuple[tuple[str, Intervals], ...]

    def as_mapping(self) -> dict[str, Intervals]:
        return dict(self.sets)


def ends_of(given: str, where: str) -> Ends:
    """A part of the space of ends: `192.0.2.0/24`, `10.0.0.1-10.0.0.9:53`, `[2001:db8::/32]:1024-65535`, `*:53`, ``.

    Raises
    ------
    FsmError : it is none of these.
    """
    text = given.strip()
    if not text:
        return Ends(None, ())
    found = re.fullmatch(r"\[([^\[\]]*)\](?::(.+))?", text) or re.fullmatch(r"([^:]*)(?::([^:]+))?", text)
    address, ports = (found[1], found[2]) if found else (text, None)
    sets: list[tuple[str, Intervals]] = []
    ip = None
    if address not in ("", "*"):
        ip, low, high = _addresses(address, given, where)
        sets.append(("address", ((low, high),)))
    if ports is not None:
        sets.append(("port", _ports(ports, where)))
    return Ends(ip, tuple(sets))


def _addresses(text: str, given: str, where: str) -> tuple[int, int, int]:
    fix = "Write 192.0.2.1:53, 192.0.2.0/24, 10.0.0.1-10.0.0.9, [2001:db8::/32]:53 or *:53; names are not looked up"
    try:
        first, dash, last = (part.strip() for part in text.partition("-"))
        if dash:
            low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
            if low.version != high.version or int(low) > int(high):
                raise ValueError(text)
            return low.version, int(low), int(high)
        net = ipaddress.ip_network(text)
        return net.version, int(net.network_address), int(net.broadcast_address)
    except ValueError:
        raise FsmError(where, f"{given!r} is no range of addresses with ports", fix=fix) from None


def _ports(text: str, where: str) -> Intervals:
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,5})\s*(?:-\s*([0-9]{1,5})\s*)?", part)
        if match is None:
            raise FsmError(where, f"{text!r} is no port or range of ports", "53, 1024-65535, 53,5353")
        low, high = int(match[1]), int(match[2] or match[1])
        if low > high or high > 65535:
            raise FsmError(where, f"no ports {part.strip()}", "0 to 65535, the lower one first")
        found.append((low, high))
    return intervals(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a scene: what happens, on which machine. `datagram` is one of those that are meant."""

    scene: Scene
    datagram: Datagram
    endpoint: str
    setup: tuple[str, ...]
    stimuli: tuple[str, ...]
    sends: bool


def asked_of(
    *,
    event: str | Sequence[str],
    from_: str,
    to: str,
    flow_state: str,
    listener: bool,
    loopback: bool,
    config: Config,
    circumstances: Circumstances | None,
    ordinary: bool,
    undeclared_callouts: str,
    where: str,
) -> list[Asked]:
    """The scenes that a question is about: to one host and to a group apart, as the machine treats them apart.

    Raises
    ------
    FsmError : something given is not understood, or no datagram is left.
    """
    if undeclared_callouts not in UNDECLARED:
        raise UnknownName.of(where, "choice for undeclared callouts", undeclared_callouts, UNDECLARED)
    events = events_of(event)
    outgoing = sends(events)
    source, target = ends_of(from_, f"{where}, from"), ends_of(to, f"{where}, to")
    if source.ip and target.ip and source.ip != target.ip:
        raise FsmError(where, f"{from_} is IPv{source.ip}, {to} is IPv{target.ip}", fix="Give both in one IP version")
    ip = source.ip or target.ip or config.ip
    known = checked(circumstances or Circumstances())
    stays = loopback or any(_is_inside(each, ip) for each in (source, target))
    found: list[Asked] = []
    for group in (False, True):
        if group and stays:
            continue
        domains = scene_domains(
            ip, sends=outgoing, group=group, loopback=stays, from_=source.as_mapping(), to=target.as_mapping()
        )
        if not all(domains.values()):
            continue
        here = known.ordinary(loopback=stays) if ordinary else known
        scene = Scene(ip, group, stays, tuple(domains.items()), here)
        chosen = {name: example_value(name, ip, within) for name, within in domains.items()}
        datagram, _ = scene.datagram(chosen)
        if not stays and datagram.local.address == datagram.remote.address:
            if len({*domains["local_address"], *domains["remote_address"]}) == 1 and _is_one(domains["local_address"]):
                raise FsmError(where, "both ends are one address", fix="Ask whatif, or --loopback for 127.0.0.0/8")
            ends = domains["remote_address"]
            chosen["remote_address"] = next(
                n for low, high in ends for n in (low, high) if n != chosen["local_address"]
            )
            datagram, _ = scene.datagram(chosen)
        try:
            words = tuple(word_of(word, datagram, outgoing) for word in events)
        except FsmError:
            if group or source.sets or target.sets:
                raise
            continue  # a stimulus of groups alone
        if group and found and found[0].stimuli == words:
            continue  # nothing goes to the address: a bind, an ICMP error
        setup = setup_of(flow_state, words, datagram, listener, outgoing)
        found.append(Asked(scene, datagram, "sender" if listener else "dropped_port", setup, words, outgoing))
    if not found:
        raise FsmError(where, "no datagram has these ends", fix="A group is no sender; loopback is asked with loopback")
    return found


def config_for(asked: Asked, config: Config, policy: Policy) -> Config:
    """The machine that the datagrams of a scene meet, with the options of a policy."""
    found = machine_for(asked.datagram, config, dict(policy.options))
    if not asked.scene.loopback:
        return found
    return replace(found, assume=tuple({**dict(found.assume), "path": "loopback"}.items()))


def _is_inside(ends: Ends, ip: int) -> bool:
    """Whether the addresses are loopback addresses."""
    given = dict(ends.sets).get("address")
    return given is not None and intersection(given, networks([LOOPBACK[ip]])) == given


def _is_one(given: Intervals) -> bool:
    return len(given) == 1 and given[0][0] == given[0][1]


def limits_of(asked: Asked) -> Mapping[str, Intervals]:
    """What belongs to the scene, by dimension."""
    return dict(asked.scene.allowed)
