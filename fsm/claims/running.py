"""What a claim takes over from an `Endpoint` that could be run, and what is said of values that no claim is about."""

from __future__ import annotations

from fsm.choices import Config
from fsm.endpoint import Endpoint, FixedVerdicts
from fsm.errors import FsmError
from fsm.names import Verdict
from fsm.policy.in_force import PolicyIndex
from fsm.policy.model import Policy

_CONFIG = "endpoint('sender', config)"
_POLICY = "endpoint('sender', policy=..., from_='192.0.2.1:50000', to='198.51.100.1:53')"


def fixed_verdicts(given: Endpoint) -> dict[str, str]:
    """{full layer name: verdict} of an endpoint that nothing has happened to: what its callouts of `verdict_at` give.

    A claim is about everything that can happen from the start; an endpoint stands somewhere, and its callouts may look
    at anything, so only one that was just made, with fixed verdicts, says the same as `endpoint(...)` of claims.

    Raises
    ------
    FsmError : it has moved, or a callout is no fixed verdict.
    """
    where = f"claims, {given.name}"
    if given.history or given.state != given.table.start or given.now_s:
        done = ", ".join(record.stimulus for record in given.history) or "restored"
        raise FsmError(
            where,
            f"this endpoint has moved ({done}; it stands in {given.table.name_of(given.state)}), and a claim is about "
            "all that can happen from the start",
            fix="Make the claim of one that nothing has happened to, or step on: wfp-udp step, fsm.stepper",
        )
    verdicts: dict[str, str] = {}
    for layer, callout in given.callouts:
        if not isinstance(callout, FixedVerdicts):
            name = getattr(callout, "__name__", type(callout).__name__)
            raise FsmError(
                where,
                f"its callout {name} may look at more than the layer and its flags",
                fix=f"Write endpoint('{given.name}', callouts=[...]) with functions of (layer, flags)",
            )
        for full, verdict in callout.verdicts.items():
            if verdict == Verdict.PERMIT or layer not in (None, full):
                continue
            # A pend lets a reauthorization pass on to the next callout, which no fixed verdict can say.
            if verdicts.setdefault(full, verdict) != verdict and verdicts[full] == Verdict.PEND:
                raise FsmError(
                    where,
                    f"two callouts answer at {full}: pend and {verdict}",
                    fix=f"Write endpoint('{given.name}', callouts=[...]) with a function of (layer, flags)",
                )
    return verdicts


def no_subject(given: object) -> FsmError:
    """That no claim can be made of this value, and what to write in its place."""
    name = type(given).__name__
    if isinstance(given, Config):
        return FsmError("claims", "a configuration alone has no endpoint", fix=f"Write {_CONFIG}")
    if isinstance(given, Policy | PolicyIndex):
        return FsmError("claims", "a policy alone has no datagram", fix=f"Write {_POLICY}")
    return FsmError(
        "claims",
        f"no claim can be made of {'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}",
        "Possible: the name of an endpoint, endpoint(...), an Endpoint, make_session(...), a Trace",
    )
