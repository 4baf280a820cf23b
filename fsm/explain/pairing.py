"""Records that belong together, found among neighbours within one second of log time.

- 5152 and 5157 of one packet: same filter, same ends, possibly turned round (facts b.4, e.1/ends).
- A drop that no socket took and the suppressed ICMP error to the same peer, logged after it (fact a.9.2).
- A drop and its copy with the ports exchanged, in the same millisecond (seen once, in tests/data/lsass_udp_drops.json).

Records without time belong together when they are adjacent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from fsm.explain.draft import Draft
from fsm.explain.history import HostHistory
from fsm.explain.orientation import learn_order

LOOK_AHEAD_S = 1.0
ADJACENT_RECORDS = 3  # of the same host, for records without time
SAME_MOMENT_S = 0.0015  # logs have millisecond steps, EVTX finer ones

Key = tuple[object, ...]


def is_near(a: Draft, b: Draft) -> bool:
    """Whether two records of one host and one log can be about the same moment."""
    if a.event.source != b.event.source:
        return False
    if a.event.time_s is None or b.event.time_s is None:
        return abs(a.turn - b.turn) <= ADJACENT_RECORDS
    return abs(a.event.time_s - b.event.time_s) <= LOOK_AHEAD_S


def gap_s(a: Draft, b: Draft) -> float | None:
    """How long after `a` record `b` was logged."""
    if a.event.time_s is None or b.event.time_s is None:
        return None
    return b.event.time_s - a.event.time_s


class Neighbours:
    """The recent records of one host that another record may belong to."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Draft, Key]] = deque()
        self._by_key: dict[Key, deque[Draft]] = {}

    def meet(self, draft: Draft, history: HostHistory) -> None:
        """Link the new record with an earlier one where they belong together, then keep it for later ones."""
        while self._recent and not is_near(self._recent[0][0], draft):
            old, key = self._recent.popleft()
            self._by_key[key].remove(old)
            if not self._by_key[key]:
                del self._by_key[key]
        if draft.is_drop:
            self._mark_exchanged_ports(draft)
            self._join_error_logged_first(draft)
            self._keep(draft, _drop_key(draft))
            self._keep(draft, _ports_key(draft))
        elif draft.is_suppressed_error:
            self._join_drop(draft)
            self._keep(draft, ("error", *_peer(draft)))
        elif draft.event.event_id in (5152, 5157) and "ALE_AUTH" in draft.reading.stem:
            self._join_other_report(draft, history)
            self._keep(draft, _report_key(draft, draft.event.event_id))

    def _keep(self, draft: Draft, key: Key) -> None:
        self._recent.append((draft, key))
        self._by_key.setdefault(key, deque()).append(draft)

    def _unpaired(self, key: Key, draft: Draft) -> Iterator[Draft]:
        for other in reversed(self._by_key.get(key, ())):
            if other.partner is None and is_near(other, draft):
                yield other

    def _join_drop(self, error: Draft) -> None:
        """The nearest drop of the same peer without a twin; one with exchanged ports only if there is no other."""
        drops = list(self._unpaired(("drop", *_peer(error)), error))
        for drop in sorted(drops, key=lambda d: "ports_swapped_duplicate" in d.tags):
            if (gap_s(drop, error) or 0.0) >= 0:
                drop.partner, error.partner = error, drop
                return

    def _join_error_logged_first(self, drop: Draft) -> None:
        """Records of the same millisecond have no certain order."""
        for error in self._unpaired(("error", *_peer(drop)), drop):
            gap = gap_s(error, drop)
            if gap == 0 or (gap is None and drop.turn - error.turn == 1):
                drop.partner, error.partner = error, drop
                return

    def _mark_exchanged_ports(self, drop: Draft) -> None:
        local, remote = drop.ends.local, drop.ends.remote
        if local is None or remote is None or local.port == remote.port:
            return
        for other in reversed(self._by_key.get(_ports_key(drop), ())):
            there, far = other.ends.local, other.ends.remote
            gap = gap_s(other, drop)
            same_moment = drop.turn - other.turn == 1 if gap is None else abs(gap) <= SAME_MOMENT_S
            if there is None or far is None or not same_moment or not is_near(other, drop):
                continue
            if (there.port, far.port) == (remote.port, local.port) and (drop.is_late_reply != other.is_late_reply):
                _mark_copy(other if drop.is_late_reply else drop, drop if drop.is_late_reply else other)
                return
            if (there.port, far.port) == (remote.port, local.port) and not drop.is_late_reply:
                # Neither has a query in the log: the port that the host was seen to use is the right one.
                wrong = other if (drop.bind or drop.sender) and not (other.bind or other.sender) else drop
                _mark_copy(wrong, other if wrong is drop else drop)
                return

    def _join_other_report(self, draft: Draft, history: HostHistory) -> None:
        wanted = 5157 if draft.event.event_id == 5152 else 5152
        for other in self._unpaired(_report_key(draft, wanted), draft):
            other.partner, draft.partner = draft, other
            draft.is_second = True
            packet, connection = (draft, other) if wanted == 5157 else (other, draft)
            _trust_packet(packet, connection, history)
            return


def _mark_copy(wrong: Draft, right: Draft) -> None:
    wrong.tags.add("ports_swapped_duplicate")
    wrong.copy_of = right


def _trust_packet(packet: Draft, connection: Draft, history: HostHistory) -> None:
    """5152 has the packet's order on every Windows, so it tells how the host writes 5157 (fact e.1)."""
    if connection.ends.local == packet.ends.local or packet.ends.assumed:
        return
    turned = not connection.ends.turned
    connection.ends = replace(packet.ends, turned=turned)
    connection.icmp = packet.icmp  # type and code stand in the port fields, turned round with them
    connection.tags -= {"orientation_assumed", "orientation_unknown"}
    connection.tags |= set(packet.ends.tags)
    learn_order(connection.event, connection.reading, connection.ends, history)
    connection.look_up(history)


def _peer(draft: Draft) -> tuple[object, object]:
    local, remote = draft.ends.local, draft.ends.remote
    return (local.address if local else None, remote.address if remote else None)


def _drop_key(draft: Draft) -> Key:
    return ("drop", *_peer(draft))


def _ports_key(draft: Draft) -> Key:
    ports = [end.port for end in (draft.ends.local, draft.ends.remote) if end is not None and end.port is not None]
    return ("ports", draft.event.protocol, *_peer(draft), *sorted(ports))


def _report_key(draft: Draft, event_id: int | None) -> Key:
    """Equal for two reports of one packet, whichever end is written first."""
    event, ends = draft.event, draft.ends
    both = frozenset(end for end in (ends.local, ends.remote) if end is not None)
    icmp = draft.icmp and frozenset(draft.icmp)
    return ("report", event_id, event.filter_id, event.protocol, draft.reading.stem, both, icmp)
