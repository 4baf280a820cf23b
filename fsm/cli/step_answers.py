"""What answers the layers of `wfp-udp step`: the policy and the verdicts that its options name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fsm.cli.circumstances import circumstances_of
from fsm.cli.options import verdicts_of
from fsm.endpoint import ClassifyContext, verdict_at
from fsm.errors import FsmError
from fsm.flows import asked_verdicts

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.policy.datagram import Datagram
    from fsm.stepper import Walk


class StepAnswers:
    """The options `--policy` with its addresses and circumstances, and `--verdict`.

    Raises
    ------
    FsmError : options that do not go together, or a policy that cannot be read.
    """

    def __init__(
        self,
        policy_file: str | None,
        from_: str | None,
        to: str | None,
        verdicts: Sequence[str],
        circumstances: Mapping[str, Any],
    ) -> None:
        self._from, self._to = from_, to
        self._verdicts = verdicts_of(verdicts)
        self.remarks: tuple[str, ...] = ()
        self.given = "--policy" if policy_file is not None else "--verdict" if verdicts else ""
        self._policy = None
        if policy_file is not None:
            from fsm.policy.read import read_policy

            if (from_ is None) != (to is None):
                missing = "--to" if to is None else "--from"
                raise FsmError("--policy", f"{missing} is missing", fix="Give both ends, or none for example addresses")
            self._circumstances = circumstances_of(circumstances)
            self._ordinary = bool(circumstances["ordinary"])
            self._undeclared = str(circumstances["callouts"])
            self._boot_time = bool(circumstances["boot_time"])
            self._policy = read_policy(policy_file)
            return
        said = [
            name
            for name, value in circumstances.items()
            if not (value is None or value is False or value in ((), "unknown"))
        ]
        said = [*(["from"] if from_ else []), *(["to"] if to else []), *said]
        if said:
            option = {"settings": "set", "flags": "flag", "no_flags": "no-flag"}.get(said[0], said[0].replace("_", "-"))
            raise FsmError(f"--{option}", "it says what a policy is asked about, and none is given", fix="Add --policy")

    def machine(self, config: Config, endpoint: str) -> Config:
        """The machine, with what follows from the addresses and from the classify options of the policy."""
        if self._policy is None:
            return config
        from fsm.policy.whatif import machine_for

        return machine_for(self._datagram(config, endpoint), config, dict(self._policy.options))

    def _datagram(self, config: Config, endpoint: str) -> Datagram:
        from fsm.endpoint import Endpoint
        from fsm.policy.datagram import Datagram, datagram_of, end_of

        if self._from is not None and self._to is not None:
            return datagram_of(self._from, self._to, sends=endpoint == "sender", where="step")
        example = Endpoint(endpoint, config).tuple5("A")
        return Datagram(end_of(example.local_address, "step"), end_of(str(example.remote_address), "step"))

    def arm(self, walk: Walk) -> None:
        """Let a walk be answered so: the one of the command line, and each that is loaded later.

        Raises
        ------
        FsmError : it is a session, or a machine that the addresses do not fit.
        """
        if not self.given:
            return
        if not walk.system.can_wait:
            raise FsmError(self.given, "the verdicts of a session are moves", fix="Use --verdicts")
        config = walk.system.config
        asked = asked_verdicts((), self._verdicts, config)
        policy = None
        if self._policy is not None:
            from fsm.policy.callout import policy_callout

            policy = policy_callout(
                self._policy,
                config=config,
                from_=self._from,
                to=self._to,
                circumstances=self._circumstances,
                ordinary=self._ordinary,
                undeclared=self._undeclared,
                open_questions="unknown",
                boot_time=self._boot_time,
            )
            self.remarks = policy.remarks
        walk.ask(callouts=[_named(asked)] if asked else (), policy=policy)


def _named(asked: Mapping[str, str]) -> Any:
    fixed = verdict_at(asked)

    def verdict(context: ClassifyContext) -> str | None:
        return fixed(context)

    verdict.__name__ = "--verdict"
    return verdict
