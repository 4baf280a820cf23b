"""The options of a dispute run side by side: which flow shows the difference, and which of its steps differ.

Which case shows a dispute is data here; the steps come from the machine. The runs are put into one list of rows as
a comparison of files does it, so that the same step stands in the same row and a step that only one option has
leaves a gap in the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations, zip_longest
from typing import Literal

from fsm.aside import aside
from fsm.choices import CHOICES, Choice, Config, Option, configure, default_config
from fsm.draw.rungs import Ladder, Part, Rung, ladder_of
from fsm.flows import FLOWS, FlowRun, run_flow, run_stimuli
from fsm.names import EVIDENCE
from fsm.table import Step


@dataclass(frozen=True, slots=True)
class Case:
    """What shows a difference: a flow of the catalogue, or stimuli on an endpoint with verdicts (by layer stem)."""

    flow: str = ""
    endpoint: str = ""
    stimuli: tuple[str, ...] = ()
    verdicts: tuple[tuple[str, str], ...] = ()
    title: str = ""

    @property
    def command(self) -> str:
        """How to run it."""
        if self.flow:
            return f"wfp-udp flow {self.flow}"
        asked = "".join(f" --verdict {layer}={verdict}" for layer, verdict in self.verdicts)
        return f"wfp-udp run {self.endpoint} {' '.join(self.stimuli)}{asked}"


# By the name of the dispute or setting: what shows the options apart. Two settings have no case: `redirect_target`
# changes rules and no step that anybody sees, and most options of `protocol` do the same.
CASES: dict[str, Case] = {
    "no_listener": Case("dropped_port.no_listener"),
    "inbound_transport_without_listener": Case("dropped_port.no_listener"),
    "close": Case("any.termination"),
    "blocked_first_send_result": Case("sender.blocked"),
    "recv_accept_completion": Case("receiver.pended"),
    "multicast_reauthorization": Case("receiver.group_again"),
    "bind_reauthorization": Case(
        "", "sender", ("bind", "complete"), (("ALE_BIND_REDIRECT", "pend"),), "A callout pends a bind, and completes it"
    ),
    "wildcard_bind": Case("receiver.passive_open"),
    "icmp_echo_flow": Case("sender.icmp_echo"),
    "injected_send_entry": Case("sender.injected"),
    "udp_local_redirect": Case("sender.redirected_to_proxy"),
    "icmp_rate_limit": Case("dropped_port.no_listener"),
    "dual_stack": Case("sender.active_open"),
    "path": Case("sender.active_open"),
    "multicast_state": Case("sender.group_answer"),
    "udp_connreset": Case("sender.icmp_error"),
}

_VOICES = {
    "base": "the base page",
    "microsoft": "pages of Microsoft",
    "logs": "logs and drivers",
    "inference": "concluded here",
    "minor": "a page of Microsoft that others outweigh",
}

SEEN_BY = {"application": "application sees", "remote": "peer sees"}
ItemKind = Literal["start", "rung", "application", "remote", "end", "state"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens in a run: a stimulus, a classify, what somebody sees, an end, a state."""

    kind: ItemKind
    name: str  # what it is compared by: the layer, the stimulus
    lines: tuple[str, ...]  # what is said of it
    part: Part
    rung: Rung | None = None
    step: Step | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Items of one key can stand in one row."""
        return self.kind, self.name

    @property
    def sentence(self) -> str:
        """What is said, with who sees it: `application sees nothing: no socket owns the port`."""
        head, text = SEEN_BY.get(self.kind, ""), self.lines[0]
        return f"{head}{' ' if text.startswith('nothing') else ': '}{text}" if head else text


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the comparison: what each option has there, None where it has nothing."""

    cells: tuple[Item | None, ...]

    @property
    def differs(self) -> bool:
        """Whether what happens is not the same for all. Who says so (the basis) is no difference."""
        said = {cell.lines if cell else None for cell in self.cells}
        return len(said) > 1

    @property
    def item(self) -> Item:
        """Some item of the row."""
        return next(cell for cell in self.cells if cell is not None)


@dataclass(frozen=True, slots=True)
class Variant:
    """One option: its run, who speaks for it, which `--evidence` takes it, and whether this machine does."""

    option: Option
    run: FlowRun
    said_by: str
    taken_by: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All options of a dispute or setting, and the rows of their runs."""

    choice: Choice
    case: Case
    about: str
    shown_by: str
    variants: tuple[Variant, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> int:
        """How many rows differ; none where the dispute does not matter on this machine."""
        return sum(row.differs for row in self.rows)


@aside()
def compare(name: str, config: Config | None = None, *, blocks: Iterable[str] = ()) -> Comparison:
    """Run the case of a dispute or setting once for each of its options.

    Parameters
    ----------
    name : a name of `CHOICES`.
    config : the machine; what it assumes about `name` itself only says which option holds.
    blocks : layers that block during the case.

    Raises
    ------
    FsmError : this machine refuses the case (a stimulus or a layer that it does not have).
    """
    config, choice, case, blocks = config or default_config(), CHOICES[name], CASES[name], tuple(blocks)
    given = dict(FLOWS[case.flow].assume) if case.flow else {}
    assumed = {**given, **dict(config.assume)}
    holding = configure(
        ip=config.ip, windows=config.windows, evidence=config.evidence, assume=assumed
    ).choice(name)  # fmt: skip
    variants = []
    for option in choice.options:
        there = configure(
            ip=config.ip, windows=config.windows, evidence=config.evidence, assume={**assumed, name: option.name}
        )
        variants.append(
            Variant(
                option, _run(case, there, blocks), _said_by(option), _taken_by(choice, option), option.name == holding
            )
        )
    others = [f"{key}={value}" for key, value in config.assume if key != name]
    about = ", ".join((f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}", *others))
    first = ladder_of(variants[0].run)
    after = f" after {first.setup}" if first.setup else ""
    title = FLOWS[case.flow].title if case.flow else case.title
    shown_by = f"Shown by {case.flow or case.command.removeprefix('wfp-udp ')}{after}: {title}"
    rows = merged([items(ladder_of(variant.run)) for variant in variants])
    return Comparison(choice, case, about, shown_by, tuple(variants), rows)


def _run(case: Case, config: Config, blocks: Sequence[str]) -> FlowRun:
    if case.flow:
        return run_flow(case.flow, config, blocks=blocks)
    versions = ("_V4", "_V6") if config.choice("dual_stack") == "yes" else ("",)  # such a socket visits layers of both
    verdicts = {f"{layer}{version}": verdict for layer, verdict in case.verdicts for version in versions}
    return run_stimuli(case.endpoint, case.stimuli, config, blocks=blocks, verdicts=verdicts)


def _said_by(option: Option) -> str:
    return ", ".join(_VOICES[voice] for voice in option.voices)


def _taken_by(choice: Choice, option: Option) -> str:
    """Which setting takes an option: `--evidence base (default)`."""
    assumed = f"--assume {choice.name}={option.name}"
    if choice.kind == "setting":
        return f"the default, {assumed}" if option is choice.options[0] else assumed
    takes = [order for order in EVIDENCE if choice.default(order) == option.name]
    if not takes:
        return assumed
    every = "any --evidence" if len(takes) == len(EVIDENCE) else f"--evidence {' or '.join(takes)}"
    return every + (" (default)" if takes[0] == EVIDENCE[0] and len(takes) < len(EVIDENCE) else "")


# ---- rows


def items(ladder: Ladder) -> list[list[Item]]:
    """What happens in a run, part by part; a state is listed where it is another one than before."""
    before = ladder.state
    parts = []
    for part in ladder.parts:
        found = [_start(part)]
        found += [_rung(part, rung) for rung in part.rungs]
        for kind, text in (("application", part.application_sees), ("remote", part.remote_sees)):
            if text:
                found.append(Item("application" if kind == "application" else "remote", "", (text,), part))
        if part.way_out in ("lost", "held"):
            text = part.lost if part.way_out == "lost" else "a callout holds it"
            found.append(Item("end", "", (text,), part))
        if part.state and part.state != before:
            found.append(Item("state", "", (f"state {part.state}{part.of_peer}",), part))
        before = part.state or before
        parts.append(found)
    return parts


def _start(part: Part) -> Item:
    text = part.text if part.rungs else f"{part.text}; no layer sees this"
    return Item("start", part.name, (part.name, text), part, step=part.begin)


def _rung(part: Part, rung: Rung) -> Item:
    verdict = rung.step.verdict if rung.step.verdict == "permit" else rung.step.verdict.upper()
    lines = (rung.short_name, f"id {rung.step.runtime_id}", verdict, *rung.remarks)
    return Item("rung", rung.step.layer, lines, part, rung, rung.step)


def merged(columns: Sequence[list[list[Item]]]) -> tuple[Row, ...]:
    """The items of all columns as rows: in the order of each column, the same key in the same row where that goes."""
    rows: list[Row] = []
    for parts in zip_longest(*columns, fillvalue=[]):
        # Which columns are merged first decides what can share a row: the order that gives the fewest rows is taken.
        grids = (_grid(parts, order) for order in permutations(range(len(columns))))
        rows += [Row(tuple(cells)) for cells in min(grids, key=len)]
    return tuple(rows)


def _grid(parts: Sequence[list[Item]], order: Sequence[int]) -> list[list[Item | None]]:
    grid: list[list[Item | None]] = []
    for column in order:
        grid = _with(grid, column, parts[column], len(parts))
    return grid


def _with(grid: list[list[Item | None]], column: int, added: list[Item], columns: int) -> list[list[Item | None]]:
    """The grid with one more column filled: rows that are common are shared, what is new comes between them."""
    keys = [next(cell.key for cell in row if cell is not None) for row in grid]
    common = _common(keys, [item.key for item in added])
    out: list[list[Item | None]] = []
    old = new = 0
    for i, j in [*common, (len(grid), len(added))]:
        out += grid[old:i]
        out += [[item if place == column else None for place in range(columns)] for item in added[new:j]]
        if i < len(grid):
            out.append([added[j] if place == column else cell for place, cell in enumerate(grid[i])])
        old, new = i + 1, j + 1
    return out


def _common(a: list[tuple[str, str]], b: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence of two short lists."""
    length = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            same = length[i + 1][j + 1] + 1 if a[i] == b[j] else 0
            length[i][j] = max(same, length[i + 1][j], length[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j] and length[i][j] == length[i + 1][j + 1] + 1:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif length[i + 1][j] >= length[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
