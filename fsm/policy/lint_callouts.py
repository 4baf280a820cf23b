"""Rules about callouts: those that are not there, and plans and needs that their layer does not allow."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.catalogue import Layer, by_name, layers
from fsm.names import WINDOWS
from fsm.policy.advise_needs import NO, PARTLY, WANTS, wanted
from fsm.policy.lint_finding import LintFinding, Work, finding_of
from fsm.policy.model import Callout, Filter
from fsm.policy.well_known import NAMES, spelled_key

_LAYERS = frozenset(layer.name for layer in layers())
# What a plan means beside the wants of the same name: a handle or record that a redirection brings along.
_BESIDES = ("redirect_handle", "redirect_records", "check_injection")
_ANSWER_WANTS = {"block": "block", "absorb": "absorb", "pend": "delay", "redirect": "redirect"}
_PERMIT_IF = "PERMIT_IF_CALLOUT_UNREGISTERED"


def missing(work: Work) -> Iterator[LintFinding]:
    """Filters whose callout is not registered, not listed, or of another layer."""
    listed = bool(work.policy.callouts)
    for layer in work.index.layers:
        for one in work.in_force(layer):
            if not one.action.startswith("CALLOUT_"):
                continue
            key = spelled_key(one.callout)
            callout = work.index.callouts.get(key)
            if callout is None:
                if listed and key not in NAMES:
                    what = f"its callout {one.callout or '(none)'} is not among the callouts of the policy"
                    yield finding_of("callout-missing", what, filters=(one,), layer=layer, severity="warning")
                continue
            if callout.registered is False:
                yield _not_registered(one, callout, layer)
            if callout.layer and callout.layer != layer:
                what = f"its callout '{callout.name}' is of {_short(callout.layer)}"
                yield finding_of("callout-of-other-layer", what, filters=(one,), layer=layer, callout=callout)


def _not_registered(one: Filter, callout: Callout, layer: str) -> LintFinding:
    permits = _PERMIT_IF in one.flags and one.action in ("CALLOUT_TERMINATING", "CALLOUT_UNKNOWN")
    does = "permits, as it is flagged to" if permits else "blocks all that it matches"
    what = f"its callout '{callout.name}' is not registered: the filter {does}"
    return finding_of(
        "callout-missing", what, filters=(one,), layer=layer, callout=callout, severity="hint" if permits else "error"
    )


def plans(work: Work) -> Iterator[LintFinding]:
    """Declared plans and needs of callouts against what their layer allows."""
    for callout in work.policy.callouts:
        if callout.layer not in _LAYERS:
            continue
        layer = by_name(callout.layer)
        users = tuple(
            one
            for one in work.policy.filters
            if one.layer == callout.layer and spelled_key(one.callout) == spelled_key(callout.key)
        )
        for finding in _about(callout, layer, work.windows):
            yield finding_of(
                finding.rule,
                finding.what,
                filters=users,
                layer=layer.name,
                callout=callout,
                severity=finding.severity,
                fix=finding.fix,
                cite=finding.cite,
            )


def _about(callout: Callout, layer: Layer, windows: str) -> Iterator[LintFinding]:
    behaviour = callout.behaviour
    planned = list(dict.fromkeys(wanted(plan) for plan in behaviour.plans))
    doing = list(dict.fromkeys([*planned, *_answer_wants(callout)]))
    at, name = layer.short_name, callout.name or callout.key
    no_pend = list(_pends(callout, layer))
    yield from no_pend
    for plan in doing:
        if plan in _BESIDES or (no_pend and plan == "delay"):
            continue
        if plan not in WANTS:
            known = ", ".join([*WANTS, *_BESIDES])
            yield finding_of(
                "callout-plan", f"nobody knows the plan '{plan}' of callout '{name}'. Known: {known}", severity="hint"
            )
            continue
        yield from _one_want("callout-plan", f"callout '{name}' plans {WANTS[plan].text}", plan, layer, windows)
    for need in dict.fromkeys(wanted(need) for need in behaviour.needs):
        if need not in WANTS:
            known = ", ".join(WANTS)
            yield finding_of(
                "callout-need", f"nobody knows the need '{need}' of callout '{name}'. Known: {known}", severity="hint"
            )
            continue
        yield from _one_want("callout-need", f"callout '{name}' needs {WANTS[need].text}", need, layer, windows)
    if {"inject", "modify"} & set(planned) and not behaviour.checks_injection:
        yield finding_of(
            "reinject-without-check",
            f"callout '{name}' clones and injects at {at} without checking the injection state "
            "(FwpsQueryPacketInjectionState0): the packet meets the callout again, and again",
            fix="Permit packets that it has injected itself, or had injected before",
        )
    if "redirect" in doing and layer.may_redirect != "no":
        yield from _redirections(name, layer, planned, windows)


def _pends(callout: Callout, layer: Layer) -> Iterator[LintFinding]:
    """Pending in its own sense (FwpsPendOperation0, FwpsPendClassify0), which `delay` leaves open."""
    behaviour, name = callout.behaviour, callout.name or callout.key
    planned = any(plan.strip().lower() == "pend" for plan in behaviour.plans)
    if (planned or "pend" in (behaviour.answer, behaviour.on_reauthorize)) and layer.may_pend.startswith("reinject"):
        what = f"callout '{name}' pends at {layer.short_name}, and a packet layer holds nothing back"
        fix = "Absorb the packet and inject a clone later, or pend at AUTH_CONNECT or AUTH_RECV_ACCEPT"
        yield finding_of("callout-plan", what, fix=fix, cite=("TOC", "ASY", "WLR"))
    elif behaviour.on_reauthorize == "pend" and "not while reauthorizing" in layer.may_pend:
        what = f"callout '{name}' pends a reauthorization at {layer.short_name}, where only the first classify can be"
        yield finding_of("callout-plan", what, fix="Answer permit or block then", cite=("DDI-pend",))


def _answer_wants(callout: Callout) -> list[str]:
    said = (callout.behaviour.answer, callout.behaviour.on_reauthorize)
    if callout.behaviour.answer == "redirect" and "redirect_local" in callout.behaviour.plans:
        return []  # what it redirects is said by its plan
    return [_ANSWER_WANTS[answer] for answer in said if answer in _ANSWER_WANTS]


def _one_want(rule: str, begins: str, want: str, layer: Layer, windows: str) -> Iterator[LintFinding]:
    if rule == "callout-plan" and want == "block" and layer.may_block != "yes":
        return  # the rule no-policy-point says so
    if rule == "callout-plan" and want == "redirect" and layer.stem == "ALE_BIND_REDIRECT":
        return  # the rule about binds says what it means
    answer = WANTS[want].answer(layer, windows)
    if answer.level == NO:
        what = f"{begins}, which {layer.short_name} does not give: {answer.why}"
        yield finding_of(rule, what, cite=answer.cite, fix=_elsewhere(want, layer, windows))
    elif answer.level == PARTLY:
        what = f"{begins}, which {layer.short_name} gives in part: {answer.why}"
        yield finding_of(rule, what, cite=answer.cite, severity="hint")


def _elsewhere(want: str, layer: Layer, windows: str) -> str:
    """Where the same can be had: layers that a datagram visits, of the same IP version."""
    found = [
        other.short_name
        for other in layers()
        if other.ip_version == layer.ip_version
        and not other.is_discard
        and other.exists_on(windows)
        and other.group in ("ippacket", "transport", "datagram", "ale", "icmp-error", "icmp")
        and WANTS[want].answer(other, windows).level == "yes"
        and other.stem not in ("ALE_AUTH_LISTEN",)
    ]
    return f"It can be had at {', '.join(found)}" if found else ""


def _redirections(name: str, layer: Layer, planned: list[str], windows: str) -> Iterator[LintFinding]:
    if layer.stem == "ALE_BIND_REDIRECT":
        yield finding_of(
            "bind-redirect-is-for-all-peers",
            f"callout '{name}' redirects the bind: the destination is unknown there, and what is changed holds for "
            "every peer of the socket, loopback included",
            fix="Leave sockets alone that also talk to loopback, or redirect single flows at CONNECT_REDIRECT",
        )
        return
    if WINDOWS.index(windows) >= WINDOWS.index("8") and not {"redirect_handle", "redirect_records"} & set(planned):
        yield finding_of(
            "redirect-to-own-host",
            f"callout '{name}' redirects and plans no redirect handle: if its target is a process of this host, since "
            "Windows 8 it needs a redirect handle and the process id of the target (localRedirectTargetPID), and the "
            "proxy's own flow has to carry the redirect records",
            fix="Set handle and target, and say plans = ['redirect', 'redirect_handle']; to another host none is "
            "needed",
        )


def no_policy_point(work: Work) -> Iterator[LintFinding]:
    """Blocks where nothing can be blocked."""
    for layer_name, order in work.orders.items():
        if layer_name not in _LAYERS or by_name(layer_name).may_block in ("yes", "unknown"):
            continue
        layer = by_name(layer_name)
        why = "it is no policy point" if layer.may_block == "error-only" else "it reports what has happened"
        for sublayer in order.sublayers:
            for ready in sublayer.filters:
                one = ready.filter
                callout = work.index.callouts.get(spelled_key(one.callout)) if one.callout else None
                stops = one.action == "BLOCK" or (
                    callout is not None
                    and one.action != "CALLOUT_INSPECTION"
                    and callout.behaviour.answer in ("block", "absorb", "pend")
                )
                if stops:
                    what = f"it blocks at {layer.short_name}: {why}"
                    fix = "Block at AUTH_CONNECT and AUTH_RECV_ACCEPT" if layer.may_block == "error-only" else ""
                    yield finding_of(
                        "no-policy-point", what, filters=(one,), layer=layer_name, callout=callout, fix=fix
                    )


def _short(layer: str) -> str:
    return layer.removeprefix("FWPM_LAYER_")


CHECKS = [
    (missing, ("callout-missing", "callout-of-other-layer")),
    (
        plans,
        ("callout-plan", "callout-need", "reinject-without-check", "redirect-to-own-host",
         "bind-redirect-is-for-all-peers"),
    ),
    (no_policy_point, ("no-policy-point",)),
]  # fmt: skip
