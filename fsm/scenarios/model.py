"""What a scenario file says, as values: settings, endpoints, and the actions in order with their expectations."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm.choices import Config


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands in a file; lines and columns count from 1."""

    source: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class ExpectedLayer:
    """One element of `expect layers`: a full FWPM name, its verdict, flags it must be called with; or any run.

    In `answers`, `refused` says that the layer must not take this verdict; it is then asked again.
    """

    layer: str  # "" for `...`
    verdict: str = "permit"
    flags: tuple[str, ...] = ()
    spot: Spot = Spot("", 0)
    refused: bool = False

    @property
    def is_gap(self) -> bool:
        """Whether this is `...`: any layers, none included."""
        return not self.layer

    def __str__(self) -> str:
        if self.is_gap:
            return "..."
        verdict = "" if self.verdict == "permit" and not self.refused else f":{self.verdict}{'!' * self.refused}"
        return self.layer.removeprefix("FWPM_LAYER_") + verdict + "".join(f"+{flag}" for flag in self.flags)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One `expect` line. What is used depends on `kind`: see the grammar in `parse`."""

    kind: str  # layers | no_layer | outcome | application | remote | logged | state | refused
    spot: Spot
    layers: tuple[ExpectedLayer, ...] = ()
    text: str = ""
    at_layer: str = ""
    events: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """From here on this layer answers so, at one endpoint or ("") at all of them."""

    spot: Spot
    verdict: str
    layer: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class UsePolicy:
    """From here on this policy gives the verdicts; flows that exist are authorized again.

    `ordinary` takes what is not told of program and interface as usual, `callouts` says what callouts answer that
    nobody has described: "unknown" or "permit".
    """

    spot: Spot
    file: str
    at_s: int
    ordinary: bool = False
    callouts: str = "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """What a policy is asked about, for one endpoint or ("") all of them, during the whole scenario.

    `kind` is "local", "peer" or "program"; `value` an end (`192.0.2.1:50000`) or a program; `peer` the peer's name.
    """

    spot: Spot
    kind: str
    value: str
    peer: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    """Something that happens to an endpoint at a time, with what is expected of it.

    `answers` are the layers that come, in this order, with the verdict that each gets; `...` is none of them. Where
    they end, or where there are none, the verdicts that were set before hold.
    """

    spot: Spot
    at_s: int
    endpoint: str
    stimulus: str
    peer: str = ""
    expects: tuple[Expectation, ...] = ()
    answers: tuple[ExpectedLayer, ...] = ()

    @property
    def expects_refusal(self) -> bool:
        """Whether the scenario wants this to be impossible."""
        return any(expectation.kind == "refused" for expectation in self.expects)


Action = SetVerdict | UsePolicy | Do


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: a title, the machine that is meant, endpoints by name in order, and what happens."""

    title: str
    spot: Spot
    config: Config
    endpoints: tuple[tuple[str, str], ...]  # (name, sender | receiver | dropped_port)
    actions: tuple[Action, ...] = field(default=())
    told: tuple[Told, ...] = ()
