"""A slow, literal interpreter of the filter engine: what the documents say, sentence by sentence, and nothing more.

It is written from the facts (`fsm.facts`; each comment has the number) and from the pages that they cite, whose words
stand in quotation marks with FWPM_FILTER0, FWP_MATCH_TYPE, ARB, BOP or TOC. It shares no code with the engine it
judges: only the values of `fsm.policy.model` are common. Where a document leaves something open (two filters of one
weight, a callout nobody has described, a field nobody knows) it plays every possibility: the answer is the set of
outcomes, and the engine may be certain only where that set has one member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm.policy.model import Callout, Condition, Filter, Policy, Value

Choose = Callable[[Sequence[Any]], Any]


class Empty:
    """The field is there, its value is FWP_EMPTY (a.11.4)."""

    def __repr__(self) -> str:
        return "EMPTY"


EMPTY = Empty()

# b.2.13: weights of the sublayers of a real machine, for policies that do not list them. b.2.11: the default.
WEIGHTS_SEEN = {
    "FWPM_SUBLAYER_RPC_AUDIT": 49152,
    "FWPM_SUBLAYER_IPSEC_TUNNEL": 40960,
    "FWPM_SUBLAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL": 36864,
    "FWPM_SUBLAYER_IPSEC_DOSP": 34816,
    "FWPM_SUBLAYER_UNIVERSAL": 32768,
    "FWPM_SUBLAYER_LIPS": 32767,
    "FWPM_SUBLAYER_SECURE_SOCKET": 16384,
    "FWPM_SUBLAYER_IPSEC_SECURITY_REALM": 12288,
    "FWPM_SUBLAYER_TCP_TEMPLATES": 8704,
    "FWPM_SUBLAYER_TCP_CHIMNEY_OFFLOAD": 8192,
    "FWPM_SUBLAYER_MPSSVC_APP_ISOLATION": 7,
    "FWPM_SUBLAYER_MPSSVC_TENANT_RESTRICTIONS": 6,
    "FWPM_SUBLAYER_MPSSVC_EDP": 5,
    "FWPM_SUBLAYER_MPSSVC_QUARANTINE": 4,
    "FWPM_SUBLAYER_MPSSVC_WSH": 3,
    "FWPM_SUBLAYER_MPSSVC_WF": 2,
    "FWPM_SUBLAYER_TEREDO": 1,
    "FWPM_SUBLAYER_INSPECTION": 0,
}
UNIVERSAL = "FWPM_SUBLAYER_UNIVERSAL"

INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "BYTE_ARRAY16", "BYTE_ARRAY6")


@dataclass(frozen=True)
class Outcome:
    """What one classify came to.

    `action`: permit or block. `write`: the right to change it is still there (the outcome is soft). `veto`: a callout
    blocked what had been permitted hard. `effect`: absorb or pend, of the callout whose block stands, else nothing.
    `redirected`: a callout changed where the flow goes, and no block stands. `deciding`: for each sublayer that
    was asked and decided, heaviest first, its key, the key of its filter, and permit, block, absorb, pend or redirect.
    """

    action: str
    write: bool
    veto: bool
    effect: str
    redirected: bool
    deciding: tuple[tuple[str, str, str], ...]


# a.16.3: each pair is one GUID
SAME_FIELD = {
    "FWPM_CONDITION_ICMP_TYPE": "FWPM_CONDITION_IP_LOCAL_PORT",
    "FWPM_CONDITION_ICMP_CODE": "FWPM_CONDITION_IP_REMOTE_PORT",
}


def field_of(condition: Condition) -> str:
    return SAME_FIELD.get(condition.field, condition.field)


# ------------------------------------------------------------------------------------------------ one condition


def value_equals(field_value: object, wanted: Value) -> bool | None:
    # b.2/types: an IPv4 field is compared with an address and mask.
    if wanted.type == "V4_ADDR_MASK":
        address, mask = wanted.data  # type: ignore[misc]
        return (field_value & mask) == (address & mask)  # type: ignore[operator]
    # b.2/types: an IPv6 field is compared with an address and a prefix length.
    if wanted.type == "V6_ADDR_MASK":
        address, length = wanted.data  # type: ignore[misc]
        bits = range(127, 127 - length, -1)
        return all((field_value >> bit) & 1 == (address >> bit) & 1 for bit in bits)  # type: ignore[operator]
    # Whether a security descriptor admits a token takes a token: nobody here has one. Nor does anybody know what
    # a type without documents compares.
    if wanted.type in ("SECURITY_DESCRIPTOR", "TOKEN_INFORMATION", "TOKEN_ACCESS_INFORMATION"):
        return None
    if wanted.type not in (*INTEGERS, "BYTE_BLOB", "UNICODE_STRING", "SID"):
        return None
    return field_value == wanted.data


def condition_holds(condition: Condition, values: Mapping[str, object]) -> bool | None:
    """True, False, or None where nobody can say. A field that `values` lacks is unknown."""
    if field_of(condition) not in values:
        return None
    value: Any = values[field_of(condition)]
    wanted = condition.value
    match = condition.match
    # b.2.9, a.11.4: an empty field passes EQUAL. Of the other match types nothing is said.
    if value is EMPTY:
        return True if match == "EQUAL" else None
    # b.2/match; FWP_MATCH_TYPE: "tests whether the value is equal to the condition value".
    if match == "EQUAL":
        return value_equals(value, wanted)
    # "... not equal to the condition value"
    if match == "NOT_EQUAL":
        equal = value_equals(value, wanted)
        return None if equal is None else not equal
    # "... is within a given range of condition values": both ends belong to it
    if match == "RANGE":
        low, high = wanted.data  # type: ignore[misc]
        return bool(low.data <= value <= high.data)  # type: ignore[union-attr]
    # "... greater than, less than, at least, at most": the field against the condition's value
    if match == "GREATER":
        return bool(value > wanted.data)
    if match == "LESS":
        return bool(value < wanted.data)
    if match == "GREATER_OR_EQUAL":
        return bool(value >= wanted.data)
    if match == "LESS_OR_EQUAL":
        return bool(value <= wanted.data)
    # "whether all flags are set", "any flags", "no flags"
    if match in ("FLAGS_ALL_SET", "FLAGS_ANY_SET", "FLAGS_NONE_SET"):
        wanted_bits = [bit for bit in range(64) if wanted.data & (1 << bit)]  # type: ignore[operator]
        set_bits = [bit for bit in wanted_bits if value & (1 << bit)]
        if match == "FLAGS_ALL_SET":
            return set_bits == wanted_bits
        if match == "FLAGS_ANY_SET":
            return set_bits != []
        return set_bits == []
    # "... equal to the condition value. The test is case insensitive."
    if match == "EQUAL_CASE_INSENSITIVE":
        return bool(value.lower() == wanted.data.lower())  # type: ignore[union-attr]
    # PREFIX "has a misleading name. It tests whether the value ends with the condition value"
    if match == "PREFIX":
        return bool(value.endswith(wanted.data))
    if match == "NOT_PREFIX":
        return not value.endswith(wanted.data)
    return None


# ------------------------------------------------------------------------------------------------ one filter


def any_of(truths: Sequence[bool | None]) -> bool | None:
    if any(truth is True for truth in truths):
        return True
    return None if any(truth is None for truth in truths) else False


def all_of(truths: Sequence[bool | None]) -> bool | None:
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def filter_matches(
    each: Filter, values: Mapping[str, object], *, same_field: str = "anywhere", windows_7: bool = True
) -> bool | None:
    """Whether the conditions hold. `same_field`: consecutive | anywhere, which conditions on one field are OR-ed."""
    conditions = list(each.conditions)
    # FWPM_FILTER0: "If no conditions are specified, the action is always performed."
    if conditions == []:
        return True
    # FWPM_FILTER0, before the note: "All must be true ... the conditions are evaluated using the AND operator."
    if not windows_7:
        return all_of([condition_holds(condition, values) for condition in conditions])
    # b.2.9: from Windows 7 on, neighbours on one field are alternatives; different fields must all hold.
    groups: list[list[Condition]] = []
    for condition in conditions:
        if same_field == "consecutive":
            if groups and field_of(groups[-1][0]) == field_of(condition):
                groups[-1].append(condition)
            else:
                groups.append([condition])
        else:
            for group in groups:
                if field_of(group[0]) == field_of(condition):
                    group.append(condition)
                    break
            else:
                groups.append([condition])
    return all_of([any_of([condition_holds(condition, values) for condition in group]) for group in groups])


def is_in_force(each: Filter, *, booting: bool = False) -> bool:
    # b.2/flags; FWPM_FILTER0: "Filter is disabled."
    if "DISABLED" in each.flags:
        return False
    # b.2.14: boot-time filters hold until the engine runs, all others from then on.
    return ("BOOTTIME" in each.flags) == booting


def weight_range(each: Filter) -> tuple[int, int]:
    # e.3: `netsh` prints what the engine made of the weight.
    if each.effective_weight is not None:
        return each.effective_weight, each.effective_weight
    # b.2.8: as given
    if each.weight.type == "UINT64":
        assert each.weight.value is not None
        return each.weight.value, each.weight.value
    # b.2.8: the top 4 bits are given, nobody says what the others will be
    if each.weight.type == "UINT8":
        assert each.weight.value is not None
        return each.weight.value * 2**60, each.weight.value * 2**60 + 2**60 - 1
    # b.2.8: automatic, below every UINT8 weight but 0
    return 0, 2**60 - 1


def heaviest_first(items: Sequence[Any], weight_of: Callable[[Any], tuple[int, int]], choose: Choose) -> list[Any]:
    """In an order that the weights allow. Nobody says which of two comes first where they do not tell."""
    left = list(items)
    ordered = []
    while left:
        first = [x for x in left if not any(weight_of(y)[0] > weight_of(x)[1] for y in left)]
        picked = choose(first)
        ordered.append(picked)
        left.remove(picked)
    return ordered


def sublayer_of(each: Filter) -> str:
    # b.2.11: the default
    return each.sublayer or UNIVERSAL


def sublayer_weight(policy: Policy, key: str) -> tuple[int, int]:
    for sublayer in policy.sublayers:
        if sublayer.key == key:
            return sublayer.weight, sublayer.weight
    if key in WEIGHTS_SEEN:
        return WEIGHTS_SEEN[key], WEIGHTS_SEEN[key]
    return 0, 65535


# ------------------------------------------------------------------------------------------------ one filter's answer


@dataclass(frozen=True)
class Answer:
    """What one filter returns. `by_callout`: a callout function was called and said so."""

    action: str  # permit | block | continue
    hard: bool = False
    by_callout: bool = False
    effect: str = ""


def callout_of(policy: Policy, each: Filter) -> Callout | None:
    for callout in policy.callouts:
        if callout.key == each.callout:
            return callout
    return None


def is_registered(callout: Callout | None, choose: Choose, said: dict[str, bool] | None, key: str) -> bool:
    if callout is not None and callout.registered is not None:
        return callout.registered
    # A callout whose answer is declared is one that answers; of any other that nobody speaks of, nobody knows.
    if callout is not None and callout.behaviour.answer != "unknown":
        return True
    if said is None:
        return bool(choose([True, False]))
    if key not in said:
        said[key] = choose([True, False])
    return said[key]


def answer_of(
    policy: Policy,
    each: Filter,
    *,
    action: str,
    write: bool,
    reauthorize: bool,
    choose: Choose,
    registered: dict[str, bool] | None,
) -> Answer:
    clear = "CLEAR_ACTION_RIGHT" in each.flags
    # b.2.3: a filter permits soft; b.2.5: unless it has the flag
    if each.action == "PERMIT":
        return Answer("permit", hard=clear)
    # b.2.3: a filter blocks hard
    if each.action == "BLOCK":
        return Answer("block", hard=True)
    # b.2.1: after Continue comes the next filter
    if each.action == "CONTINUE":
        return Answer("continue")

    callout = callout_of(policy, each)
    # b.2.10: without its callout a filter blocks; two of the three callout actions may carry the flag that makes it
    # permit; BOP: such filters "are treated as Block filters".
    if not is_registered(callout, choose, registered, each.callout):
        allowed = each.action in ("CALLOUT_TERMINATING", "CALLOUT_UNKNOWN")
        if "PERMIT_IF_CALLOUT_UNREGISTERED" in each.flags and allowed:
            return Answer("permit", hard=clear)
        return Answer("block", hard=True)

    # b.1: CALLOUT_INSPECTION is a callout action with the flag NON_TERMINATING; a.14.3: the options
    # callouts, which are such, neither permit nor block.
    if each.action == "CALLOUT_INSPECTION":
        return Answer("continue", by_callout=True)

    said = callout.behaviour.answer if callout is not None else "unknown"
    clears = callout.behaviour.clears_write if callout is not None else False
    if reauthorize and callout is not None and callout.behaviour.on_reauthorize:
        said = callout.behaviour.on_reauthorize
    if said == "unknown":
        # b.1: TERMINATING ends the evaluation of its sublayer, UNKNOWN may or may not.
        said = choose(["permit", "block"] if each.action == "CALLOUT_TERMINATING" else ["permit", "block", "continue"])
        clears = clears or choose([False, True]) if said != "continue" else False
    if said == "pend":
        # a.11.7: nothing can be pended then; what its callout answers instead is not said.
        if reauthorize:
            said = choose(["permit", "block"])
        # a.21.5: it must find the right to write, to pend; TOC: else it "must
        # not pend the indication and should not change the current action type", so that action is what it returns.
        elif not write:
            return Answer(action, hard=True)
        # a.21.5: and it clears the right as it blocks and absorbs
        else:
            clears = True
    if said == "continue":
        return Answer("continue", by_callout=True)
    # b.2.3: what a callout answers is soft unless it clears the right; b.2.5: or the filter has the flag.
    hard = clears or clear
    # a.22: a redirection is a permit with another destination or another local end.
    if said in ("permit", "redirect"):
        return Answer("permit", hard=hard, by_callout=True, effect="redirect" if said == "redirect" else "")
    # b.3, a.12.1: absorb and pend are a block with a flag
    return Answer("block", hard=hard, by_callout=True, effect="" if said == "block" else said)


# ------------------------------------------------------------------------------------------------ one classify


def classify_once(
    policy: Policy,
    layer: str,
    values: Mapping[str, object],
    *,
    choose: Choose,
    reauthorize: bool,
    same_field: str,
    windows_7: bool,
    booting: bool,
    after_block: str,
    apart: bool = False,
) -> Outcome:
    registered: dict[str, bool] | None = None if apart else {}
    # b.2.7: the answer where no filter matches
    action, write, veto, effect, redirected = "permit", True, False, "", False
    deciding: list[tuple[str, str, str]] = []

    here = [each for each in policy.filters if each.layer == layer and is_in_force(each, booting=booting)]
    # ARB: "Compute the list of matching filters ..."
    matching = []
    for each in here:
        truth = filter_matches(each, values, same_field=same_field, windows_7=windows_7)
        if truth is None:
            truth = choose([True, False])
        if truth:
            matching.append(each)

    # b.2.1: the heaviest sublayer first
    keys = []
    for each in matching:
        if sublayer_of(each) not in keys:
            keys.append(sublayer_of(each))
    for key in heaviest_first(keys, lambda key: sublayer_weight(policy, key), choose):
        # b.2.2, g.8: whether the others are asked after a hard block is disputed
        if after_block == "stop" and action == "block" and not write:
            break
        # b.2.1: in it the heaviest filter first, to the first that permits or blocks
        inside = [each for each in matching if sublayer_of(each) == key]
        for each in heaviest_first(inside, weight_range, choose):
            answer = answer_of(
                policy, each, action=action, write=write, reauthorize=reauthorize, choose=choose, registered=registered
            )
            if answer.action == "continue":
                continue
            deciding.append((key, each.key, answer.effect or answer.action))
            if write:
                # b.2.3: what is soft a lighter sublayer may change
                action, write = answer.action, not answer.hard
                effect = answer.effect if answer.action == "block" else ""
                redirected = redirected or answer.effect == "redirect"
            elif action == "permit" and answer.action == "block" and answer.by_callout:
                # b.2.4: a block after a permit has cleared the right is a veto;
                # b.2.3: nothing else undoes a hard permit; ARB: "only by a callout Veto"
                action, write, veto, effect = "block", False, True, answer.effect
            # b.2.3: nothing undoes a hard block
            break
    if action == "block":
        redirected = False
    return Outcome(action, write, veto, effect, redirected, tuple(deciding))


def every_play(play: Callable[[Choose], Any], *, limit: int = 20_000) -> list[Any]:
    """Play again and again until every combination of choices was made."""
    results = []
    todo: list[tuple[int, ...]] = [()]
    while todo:
        script = todo.pop()
        offered: list[int] = []

        def choose(options: Sequence[Any], script: tuple[int, ...] = script, offered: list[int] = offered) -> Any:
            number = script[len(offered)] if len(offered) < len(script) else 0
            offered.append(len(options))
            return options[number]

        results.append(play(choose))
        if len(results) > limit:
            raise OverflowError(f"more than {limit} possibilities")
        for depth in range(len(script), len(offered)):
            for other in range(1, offered[depth]):
                todo.append(script + (0,) * (depth - len(script)) + (other,))
    return results


def outcomes(
    policy: Policy,
    layer: str,
    values: Mapping[str, object],
    *,
    reauthorize: bool = False,
    same_field: str = "anywhere",
    windows_7: bool = True,
    booting: bool = False,
    after_block: str = "continue",
    apart: bool = False,
) -> set[Outcome]:
    """Every outcome of one classify that the documents leave possible.

    Two conditions that nobody can evaluate are open each for itself. With `apart`, so is whether a callout is
    registered for each filter that names it; by default it is or it is not, for all of them.
    """
    return set(
        every_play(
            lambda choose: classify_once(
                policy,
                layer,
                values,
                choose=choose,
                reauthorize=reauthorize,
                same_field=same_field,
                windows_7=windows_7,
                booting=booting,
                after_block=after_block,
                apart=apart,
            )
        )
    )


# ------------------------------------------------------------------------------------------------ from layer to layer


@dataclass(frozen=True)
class Consequence:
    """One row of b.4. `ends`: whether the block ends the datagram (or the error) here. Events are Security ids."""

    discard: str | None
    ends: bool
    application: str
    events: tuple[int, ...]


# b.4, first five columns; layers without their version
CONSEQUENCES = {
    "ALE_BIND_REDIRECT": Consequence(None, True, "bind fails", ()),
    "ALE_RESOURCE_ASSIGNMENT": Consequence("ALE_RESOURCE_ASSIGNMENT_DISCARD", True, "bind fails", (5159,)),
    "ALE_CONNECT_REDIRECT": Consequence(None, True, "sendto returned success", ()),
    "ALE_AUTH_CONNECT": Consequence("ALE_AUTH_CONNECT_DISCARD", True, "sendto returned success", (5157, 5152)),
    "DATAGRAM_DATA": Consequence("DATAGRAM_DATA_DISCARD", True, "silent", (5152,)),
    "OUTBOUND_TRANSPORT": Consequence("OUTBOUND_TRANSPORT_DISCARD", True, "silent", (5152,)),
    "OUTBOUND_IPPACKET": Consequence("OUTBOUND_IPPACKET_DISCARD", True, "silent", (5152,)),
    "INBOUND_IPPACKET": Consequence("INBOUND_IPPACKET_DISCARD", True, "recv waits", (5152,)),
    "INBOUND_TRANSPORT": Consequence("INBOUND_TRANSPORT_DISCARD", True, "recv waits", (5152,)),
    "ALE_AUTH_RECV_ACCEPT": Consequence("ALE_AUTH_RECV_ACCEPT_DISCARD", True, "recv waits", (5152, 5157)),
    "INBOUND_ICMP_ERROR": Consequence("INBOUND_ICMP_ERROR_DISCARD", True, "no 10054", (5152,)),
    "OUTBOUND_ICMP_ERROR": Consequence("OUTBOUND_ICMP_ERROR_DISCARD", True, "remote times out", (5152,)),
    "INBOUND_IPPACKET_DISCARD": Consequence(None, True, "remote times out", (5152,)),
    # b.4/INBOUND_TRANSPORT_DISCARD: for UDP the ICMP error is still attempted
    "INBOUND_TRANSPORT_DISCARD": Consequence(None, False, "nothing changes", (5152,)),
}

# a.1, a.2, a.6, a.9, a.10: the orders, layers without their version
PATHS = {
    "bind": ("ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT"),
    "first_send": (
        "ALE_CONNECT_REDIRECT",
        "ALE_AUTH_CONNECT",
        "ALE_FLOW_ESTABLISHED",
        "DATAGRAM_DATA",
        "OUTBOUND_TRANSPORT",
        "OUTBOUND_IPPACKET",
    ),
    "next_send": ("DATAGRAM_DATA", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET"),
    "first_receive": (
        "INBOUND_IPPACKET",
        "INBOUND_TRANSPORT",
        "ALE_AUTH_RECV_ACCEPT",
        "ALE_FLOW_ESTABLISHED",
        "DATAGRAM_DATA",
    ),
    "next_receive": ("INBOUND_IPPACKET", "INBOUND_TRANSPORT", "DATAGRAM_DATA"),
    # a.9, as logs show it
    "no_listener": (
        "INBOUND_IPPACKET",
        "INBOUND_TRANSPORT_DISCARD",
        "OUTBOUND_ICMP_ERROR",
        "OUTBOUND_TRANSPORT",
        "OUTBOUND_IPPACKET",
    ),
    # a.9, by the base page
    "no_listener_as_documented": (
        "INBOUND_IPPACKET",
        "INBOUND_IPPACKET_DISCARD",
        "OUTBOUND_ICMP_ERROR",
        "OUTBOUND_TRANSPORT",
        "OUTBOUND_IPPACKET",
    ),
    "icmp_error_received": ("INBOUND_IPPACKET", "INBOUND_ICMP_ERROR"),
}


def full_name(layer: str, ip: int) -> str:
    stem, discard, _ = layer.partition("_DISCARD")
    return f"FWPM_LAYER_{stem}_V{ip}{discard}"


def walk(
    policy: Policy, path: str, values: Mapping[str, object], *, ip: int = 4
) -> set[tuple[tuple[tuple[str, str], ...], str | None]]:
    """Every (visits, blocked_at): visits are (layer, permit | block), layers in their full names."""

    def play(choose: Choose) -> tuple[tuple[tuple[str, str], ...], str | None]:
        visits: list[tuple[str, str]] = []
        for layer in PATHS[path]:
            name = full_name(layer, ip)
            outcome = classify_once(
                policy,
                name,
                values,
                choose=choose,
                reauthorize=False,
                same_field="anywhere",
                windows_7=True,
                booting=False,
                after_block="continue",
            )
            visits.append((name, outcome.action))
            # b.2.6: each layer decides for itself; b.2.12: the shim drops what it was told to
            if outcome.action == "block" and CONSEQUENCES[layer].ends:
                # b.3: what is absorbed comes to no discard layer
                twin = CONSEQUENCES[layer].discard
                if twin is not None and outcome.effect == "":
                    visits.append((full_name(twin, ip), "noted"))
                return tuple(visits), name
        return tuple(visits), None

    return set(every_play(play))
