"""What a callout answers: as it was declared, as a page says of a built-in one, else every answer that is possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fsm.policy.model import Behaviour, Callout, Filter
from fsm.policy.well_known import spelled_key

# Built-in callouts of which a page says what they do (BCI, UCO; facts d.1, d.2, d.4). The options callouts never permit
# or block (fact a.14.3).
BUILT_IN: dict[str, Behaviour] = {
    **{f"FWPM_CALLOUT_WFP_TRANSPORT_LAYER_{ip}_SILENT_DROP": Behaviour("block") for ip in ("V4", "V6")},
    **{
        f"FWPM_CALLOUT_SET_OPTIONS_{layer}_LAYER_{ip}": Behaviour("continue")
        for layer in ("AUTH_CONNECT", "AUTH_RECV_ACCEPT")
        for ip in ("V4", "V6")
    },
}
UNDECLARED: tuple[str, ...] = ("unknown", "permit")  # what to take of a callout that nobody has described


@dataclass(frozen=True, slots=True)
class Effect:
    """One answer of a filter that matched.

    `answer` is permit, block, absorb, pend, redirect or continue; `clears` says that it takes the write right away;
    `by_callout` that a callout gave it, which alone can veto. `why` tells of an answer that is only possible.
    """

    answer: str
    clears: bool = False
    by_callout: bool = False
    why: str = ""


def effects_of(
    filter: Filter,
    callouts: Mapping[str, Callout],
    *,
    reauthorizes: bool = False,
    own_packet: bool = False,
    undeclared: str = "unknown",
    may_block: bool = True,
    completes: bool = False,
) -> tuple[Effect, ...]:
    """Every answer that a matching filter can give; more than one where its callout is not described.

    Parameters
    ----------
    filter, callouts : the filter, and the callouts of the policy by key.
    reauthorizes : the classify carries IS_REAUTHORIZE, where nothing can be pended.
    own_packet : the packet is one that the callout has injected itself.
    undeclared : "unknown" for every answer that the action allows, "permit" for a callout that lets everything pass.
        A block among them stands for absorbing and pending too.
    completes : the reauthorization is that of a completion with permit, by the callout that has pended.
    may_block : False at a layer that takes no block; a callout that nobody described is taken to keep to that.
    """
    hard = "CLEAR_ACTION_RIGHT" in filter.flags
    if filter.action == "PERMIT":
        return (Effect("permit", hard),)
    if filter.action == "BLOCK":
        return (Effect("block", True),)
    if not filter.action.startswith("CALLOUT_"):
        return (Effect("continue"),)
    key = spelled_key(filter.callout)
    callout = callouts.get(key)
    behaviour = callout.behaviour if callout else Behaviour()
    if behaviour.answer == "unknown":
        behaviour = BUILT_IN.get(key, behaviour)
    registered = callout.registered if callout else None
    if registered is None and (behaviour.answer != "unknown" or undeclared != "unknown"):
        registered = True  # who says what it does, says that it is there
    answers: list[Effect] = []
    if registered is not False:
        if completes and behaviour.answer == "pend" and not behaviour.on_reauthorize:
            behaviour = replace(behaviour, on_reauthorize="permit")
        answers += _answers(filter, behaviour, hard, reauthorizes, own_packet, undeclared if may_block else "permit")
    if registered is not True:
        answers.append(_unregistered(filter, "" if registered is False else "if its callout is not registered"))
    return tuple(dict.fromkeys(answers))


def _unregistered(filter: Filter, why: str) -> Effect:
    """A filter whose callout is not registered blocks, unless it is flagged to permit then (BOP)."""
    allowed = filter.action in ("CALLOUT_TERMINATING", "CALLOUT_UNKNOWN")
    if allowed and "PERMIT_IF_CALLOUT_UNREGISTERED" in filter.flags:
        return Effect("permit", "CLEAR_ACTION_RIGHT" in filter.flags, why=why)
    return Effect("block", True, why=why)


def _answers(
    filter: Filter, behaviour: Behaviour, hard: bool, reauthorizes: bool, own_packet: bool, undeclared: str
) -> list[Effect]:
    if filter.action == "CALLOUT_INSPECTION":
        return [Effect("continue", by_callout=True)]
    answer = behaviour.on_reauthorize if reauthorizes and behaviour.on_reauthorize else behaviour.answer
    if answer == "unknown":
        if undeclared == "permit":
            passes = "permit" if filter.action == "CALLOUT_TERMINATING" else "continue"
            return [Effect(passes, by_callout=True)]
        possible = ["permit", "block"] if filter.action == "CALLOUT_TERMINATING" else ["continue", "permit", "block"]
        return [
            Effect(each, clears, True, "what its callout answers is not declared")
            for each in possible
            for clears in ((False,) if each == "continue" else (hard,) if hard else (False, True))
        ]
    if own_packet and behaviour.checks_injection and answer in ("pend", "absorb", "redirect", "block"):
        answer = "permit"  # its own clone, which it recognises (INJ)
    if answer == "pend" and reauthorizes:
        # It cannot be pended (ALER, ASY); what the callout answers instead is its own affair.
        clears = hard or behaviour.clears_write
        if undeclared == "permit":
            return [Effect("permit", clears, True)]
        why = "what its callout, which pends, answers to a reauthorization is not declared (on_reauthorize)"
        return [Effect("permit", clears, True, why), Effect("block", clears, True, why)]
    clears = hard or behaviour.clears_write or answer == "pend"  # a pending block takes the right away (TOC)
    return [Effect(answer, clears and answer != "continue", True)]
