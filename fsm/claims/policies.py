"""An endpoint with a filter policy, for claims: the machine that a datagram meets, and what can happen there.

The socket has one remote end, the other end of the datagram that is asked about: what concerns another (a group,
another peer) does not happen to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.choices import Config
from fsm.errors import FsmError
from fsm.policy.by_state import PolicyAnswers, concerns
from fsm.policy.callout import policy_callout
from fsm.policy.datagram import Circumstances, End, datagram_of
from fsm.policy.in_force import PolicyIndex
from fsm.policy.model import Policy
from fsm.policy.whatif import machine_for
from fsm.stimuli import VIEWS
from fsm.table import Table, compile_table


@dataclass(frozen=True, slots=True)
class Asked:
    """An endpoint with a policy: the machine that the datagram meets, its table, what can happen, what is answered."""

    config: Config
    table: Table
    stimuli: tuple[str, ...]
    named: tuple[str, ...]
    answers: PolicyAnswers
    settings: tuple[str, ...]


def ask(
    name: str,
    policy: Policy | PolicyIndex,
    from_: str | End,
    to: str | End,
    config: Config,
    *,
    circumstances: Circumstances | None,
    ordinary: bool,
    undeclared: str,
    stimuli: Sequence[str],
) -> Asked:
    """What `endpoint(..., policy=...)` is made of.

    Raises
    ------
    FsmError : an end that is missing or not understood, a stimulus that concerns another remote end.
    UnknownName : a stimulus or a choice for undeclared callouts that is none.
    """
    where = f"claims, {name}"
    if not isinstance(policy, Policy | PolicyIndex):
        given = f"{policy!r:.60}"
        fix = f"Write policy=read_policy({given})" if isinstance(policy, str) else "Give what read_policy reads"
        raise FsmError(where, f"policy is {given}, and no policy", fix=fix)
    if not from_ or not to:
        raise FsmError(where, "a policy is asked about a datagram, and its ends are not given",
                       fix='Give from_="192.0.2.1:50000" and to="198.51.100.1:53"')  # fmt: skip
    datagram = datagram_of(from_, to, sends=name == "sender", where=where)
    own = policy.policy if isinstance(policy, PolicyIndex) else policy
    machine = machine_for(datagram, config, dict(own.options))
    table = compile_table(name, machine)
    possible = tuple(stimulus for stimulus in VIEWS[name].stimuli if concerns(stimulus, datagram))
    named = tuple(table.stimulus(given, f"{where}, stimuli") for given in stimuli)
    for stimulus in named:
        if stimulus not in possible:
            raise FsmError(
                f"{where}, stimuli",
                f"'{stimulus}' concerns another end than {datagram.remote}",
                f"Possible: {', '.join(possible)}",
            )
    callout = policy_callout(
        policy, config=machine, from_=from_, to=to, circumstances=circumstances, ordinary=ordinary,
        undeclared=undeclared, open_questions="unknown",
    )  # fmt: skip
    only = named or possible
    # The file without its folder, which is another on each machine.
    file = own.source.replace("\\", "/").rpartition("/")[2]
    settings = (f"policy {file}".strip(), f"from {from_} to {to}", *(("as usual otherwise",) if ordinary else ()))
    return Asked(machine, table, only, named, PolicyAnswers(callout, table, only), settings)
