"""Run a scenario on the compiled table and say where it differs from what it expects.

The texts are for a reader who has only the scenario file: what was expected, the longest part of it that the model
does, what came instead and by which rule, and the command that goes there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fsm.aside import aside
from fsm.endpoint import FIRST_PEER, Endpoint, StimulusRecord
from fsm.errors import FsmError, NoTransition
from fsm.scenarios.model import Do, Expectation, ExpectedLayer, Scenario, SetVerdict, UsePolicy
from fsm.scenarios.verdicts import OpenPolicy, PolicyLoader, Verdicts
from fsm.stimuli import STIMULI
from fsm.table import Step


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that did not hold.

    `lines` is the text below the first line, ready to print; `step_through` the command that goes to where it stood,
    with a share token, and "" where there is nothing to step through.
    """

    line: int
    column: int
    what: str
    lines: tuple[str, ...] = ()
    step_through: str = ""

    def text(self, source: str) -> str:
        """The whole message; the first line says where and what."""
        return "\n".join([f"{source}:{self.line}:{self.column}: {self.what}", *(f"  {line}" for line in self.lines)])


@dataclass(slots=True)
class Done:
    """One `at` line that was run: its records (timeouts on the way included) and the state of its endpoint after."""

    do: Do
    record: StimulusRecord | None
    state: str
    refusal: str = ""


@dataclass(slots=True)
class ScenarioRun:
    """What came of a scenario: what was done in order, and each expectation that did not hold."""

    scenario: Scenario
    endpoints: dict[str, Endpoint]
    done: list[Done] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    expectations: int = 0
    moves: dict[str, list[str]] = field(default_factory=dict)  # of each endpoint, as a walk takes them

    @property
    def passed(self) -> bool:
        return not self.failures

    def text(self) -> str:
        """All failures, one below the other; empty when everything held."""
        source = self.scenario.spot.source
        texts = []
        for number, failure in enumerate(self.failures):
            texts.append(failure.text(source))
            after = self.failures[number + 1].step_through if number + 1 < len(self.failures) else ""
            if failure.step_through != after:  # once for the failures of one `at` line
                texts[-1] += f"\n  step through it: {failure.step_through}"
        return "\n\n".join(texts)


def run_scenario(
    scenario: Scenario,
    *,
    load_policy: PolicyLoader | None = None,
    engine: str = "table",
    tap: Callable[[str, Endpoint, Step], None] | None = None,
) -> ScenarioRun:
    """Run one scenario to its end, or to the first `at` line that the model refuses unexpectedly.

    A scenario without any `expect` or `answers` fails: it could never fail otherwise.

    Parameters
    ----------
    scenario : from `parse`.
    load_policy : reads the policy of a `policy` line; without it such a line is an error.
    tap : called with each step that was taken: (endpoint name, endpoint, step).

    Raises
    ------
    FsmError : a `policy` line that cannot be followed.
    """
    from fsm.flows import make_endpoint

    run = ScenarioRun(
        scenario, {name: make_endpoint(view, scenario.config, engine) for name, view in scenario.endpoints}
    )
    run.moves.update({name: [] for name in run.endpoints})
    verdicts = {name: Verdicts(scenario, name) for name in run.endpoints}
    for name, endpoint in run.endpoints.items():
        endpoint.register(verdicts[name])
    for action in scenario.actions:
        match action:
            case SetVerdict():
                for name in [action.endpoint] if action.endpoint else list(run.endpoints):
                    verdicts[name].fixed[action.layer] = action.verdict
            case UsePolicy():
                if load_policy is None:
                    raise FsmError(str(action.spot), f"policy '{action.file}' cannot be read here")
                policy = load_policy(scenario, action)
                for each in verdicts.values():
                    each.use(policy, action)
                _pass_time(run, action.at_s)
                for name, endpoint in run.endpoints.items():
                    _reauthorize(run, name, endpoint)
            case Do():
                if not _perform(run, action, verdicts[action.endpoint], tap):
                    break
    if not any(do.expects or do.answers for do in scenario.actions if isinstance(do, Do)):
        lines = ("how to fix:     add an expect line below an at line; wfp-udp scenario --grammar lists them",)
        what = f"scenario '{scenario.title}' expects nothing, so it says nothing"
        run.failures.append(Failure(scenario.spot.line, scenario.spot.column, what, lines))
    return run


def _reauthorize(run: ScenarioRun, name: str, endpoint: Endpoint) -> None:
    """Filters were changed: flows that exist are authorized again at their next packet."""
    if endpoint.history and "policy_change" in endpoint.table.moves(endpoint.state):
        endpoint.run("policy_change")
        run.moves[name].append("policy_change")


def _pass_time(run: ScenarioRun, at_s: int) -> None:
    for name, endpoint in run.endpoints.items():
        if at_s > endpoint.now_s:
            run.moves[name].append(f"wait:{at_s - endpoint.now_s}")
            endpoint.wait(at_s - endpoint.now_s)


def _perform(run: ScenarioRun, do: Do, verdicts: Verdicts, tap: Callable[[str, Endpoint, Step], None] | None) -> bool:
    """One `at` line with its expectations; False when the scenario cannot go on."""
    _pass_time(run, do.at_s)
    endpoint = run.endpoints[do.endpoint]
    begun, failed = len(endpoint.history), len(run.failures)
    verdicts.asked.clear()
    try:
        return _tried(run, do, endpoint, tap)
    finally:
        run.moves[do.endpoint] += _moves(endpoint.history[begun:])
        if len(run.failures) > failed:
            _show_way(run, do, verdicts, failed)


def _tried(run: ScenarioRun, do: Do, endpoint: Endpoint, tap: Callable[[str, Endpoint, Step], None] | None) -> bool:
    before, taken = endpoint.state, len(endpoint.trace)
    try:
        record = endpoint.begin(do.stimulus, do.peer or FIRST_PEER)
        misfit = _answer(do, endpoint, record)
        if misfit is not None:
            run.failures.append(misfit)
            return False
        if endpoint.table.layer(endpoint.state) is not None:
            endpoint.proceed(record)
    except OpenPolicy as open_:
        run.expectations += len(do.expects)
        lines = (
            f"open:           {open_.question}",
            "say more:       local is, peer is, program is, policy FILE ordinary",
            f"or by hand:     permit at {_short(open_.layer)}",
        )
        what = f"the policy leaves the verdict of {_short(open_.layer)} open"
        run.failures.append(Failure(do.spot.line, do.spot.column, what, lines))
        return False
    except NoTransition as refusal:
        waiting = endpoint.table.layer(endpoint.state) is not None
        run.done.append(Done(do, None, endpoint.table.name_of(endpoint.state), str(refusal)))
        goes_on = _check_refused(run, do, endpoint, before, refusal)
        if goes_on and waiting:
            endpoint.proceed()  # a verdict was refused: the layer gets another one, and the stimulus its end
        return goes_on
    if tap is not None:
        for step in endpoint.trace[taken:]:
            tap(do.endpoint, endpoint, step)
    done = Done(do, record, endpoint.table.name_of(endpoint.state))
    run.done.append(done)
    for expectation in do.expects:
        run.expectations += 1
        failure = _check(expectation, record, endpoint, done)
        if failure is not None:
            run.failures.append(failure)
    return True


def _moves(records: list[StimulusRecord]) -> list[str]:
    """What was done, as the moves of a walk: the stimulus, and the verdict of each layer that was asked."""
    moves = []
    for record in records:
        peer = f"@{record.peer}" if record.peer != FIRST_PEER and STIMULI[record.stimulus].with_peer else ""
        moves += [record.stimulus + peer, *(step.verdict for step in record.steps if step.layer)]
    return moves


def _show_way(run: ScenarioRun, do: Do, verdicts: Verdicts, first: int) -> None:
    """Add to the failures of one `at` line which filters decided in it, and the command that goes there."""
    view = dict(run.scenario.endpoints)[do.endpoint]
    decided = tuple(f"policy:         {_short(layer)} {verdict}: {by}" for layer, verdict, by in verdicts.asked)
    command = _command(run, do.endpoint, view)
    run.failures[first:] = [
        replace(failure, lines=(*failure.lines, *decided), step_through=command) for failure in run.failures[first:]
    ]


@aside()
def _command(run: ScenarioRun, name: str, view: str) -> str:
    from fsm.stepper import EndpointSystem, Walk

    walk = Walk(EndpointSystem(view, run.scenario.config), manual=True)
    for move in run.moves[name]:
        walk.choose(move)
    try:
        return f"wfp-udp step {view} --token {walk.token}"
    except FsmError as error:
        return f"not by a token: {error.what}"


def _answer(do: Do, endpoint: Endpoint, record: StimulusRecord) -> Failure | None:
    """Give each layer the answer that the scenario has for it; a failure where another layer comes."""
    for number, answer in enumerate(do.answers):
        layer = endpoint.table.layer(endpoint.state)
        if layer is None or layer.fwpm_name != answer.layer:
            comes = f"what comes is {_short(layer.fwpm_name)}" if layer else f"{do.stimulus} is at its end"
            lines = [
                f"answers:        {' '.join(map(str, do.answers))}",
                f"seen:           {' '.join(_shown(step) for step in record.classified) or 'no layer'}",
                f"possible as far as: {' '.join(map(str, do.answers[:number])) or 'nothing of it'}",
                f"asked next:     {answer}; {comes}",
            ]
            spot = answer.spot
            return Failure(spot.line, spot.column, f"{_short(answer.layer)} does not come here", tuple(lines))
        if not answer.refused:
            endpoint.decide(answer.verdict, record)
            continue
        try:
            step = endpoint.decide(answer.verdict, record)
        except NoTransition:
            continue  # as it must be; the layer is asked again
        spot, what = answer.spot, f"{answer.verdict} is possible at {_short(answer.layer)}: rule {step.rule}"
        return Failure(spot.line, spot.column, what)
    return None


def _check_refused(run: ScenarioRun, do: Do, endpoint: Endpoint, before: int, refusal: NoTransition) -> bool:
    wanted = [expectation for expectation in do.expects if expectation.kind == "refused"]
    run.expectations += len(do.expects)
    moves = ", ".join(endpoint.table.moves(endpoint.state)) or "nothing, this is the end"
    for expectation in wanted:
        if expectation.text not in refusal.what:
            what = f"'{do.stimulus}' is refused, but not because of '{expectation.text}'"
            run.failures.append(
                Failure(expectation.spot.line, expectation.spot.column, what, (f"the reason is: {refusal.what}",))
            )
    others = [expectation for expectation in do.expects if expectation.kind != "refused"]
    if wanted and others:
        what = f"nothing else can be expected of a '{do.stimulus}' that is refused"
        run.failures.append(Failure(others[0].spot.line, others[0].spot.column, what))
    if not wanted:
        state = endpoint.table.name_of(before)
        lines = (f"state:          {state}", f"why not:        {refusal.what}", f"possible there: {moves}")
        run.failures.append(
            Failure(do.spot.line, do.spot.column, f"'{do.stimulus}' is not possible for {do.endpoint}", lines)
        )
    return bool(wanted)


def _check(expectation: Expectation, record: StimulusRecord, endpoint: Endpoint, done: Done) -> Failure | None:
    match expectation.kind:
        case "layers":
            return _check_layers(expectation, record, endpoint)
        case "no_layer":
            hits = [step for step in record.classified if step.layer == expectation.at_layer]
            problem = f"{_short(expectation.at_layer)} fires: rule {hits[0].rule} ({_source(hits[0])})" if hits else ""
        case "outcome":
            problem = _outcome_problem(expectation, record)
        case "application" | "remote":
            told = record.application_sees if expectation.kind == "application" else record.remote_sees
            problem = (
                "" if expectation.text in told else f"the {expectation.kind} is told '{told}', not '{expectation.text}'"
            )
        case "logged":
            events = tuple(event for event, _ in record.logged)
            where = ", ".join(f"{event} at {_short(step.layer)}" for event, step in record.logged) or "nothing"
            wanted = " ".join(map(str, expectation.events)) or "nothing"
            problem = "" if events == expectation.events else f"logged is {where}, not {wanted}"
        case "state":
            problem = _state_problem(expectation.text, endpoint)
        case _:
            problem = f"'{done.do.stimulus}' is possible: it leads to {done.state}"
    return Failure(expectation.spot.line, expectation.spot.column, problem) if problem else None


def _outcome_problem(expectation: Expectation, record: StimulusRecord) -> str:
    outcome = record.outcome or "none"
    at = f" at {_short(record.blocked_at)}" if record.blocked_at else ""
    if outcome != expectation.text:
        return f"the outcome is {outcome}{at}, not {expectation.text}"
    if expectation.at_layer and expectation.at_layer != record.blocked_at:
        return f"the outcome is {outcome}{at or ' without a block'}, not at {_short(expectation.at_layer)}"
    return ""


def _state_problem(expression: str, endpoint: Endpoint) -> str:
    for word in expression.split():
        name, _, values = word.partition("=")
        register, _, peer = name.partition("@")
        # Without a peer the state is asked as it is for the peer of the line, or of the last line that had one.
        value = endpoint.flow(peer) if peer else endpoint.table.register(endpoint.state, register)
        if value not in values.split("|"):
            whose = f", peer {endpoint.peer}" if register == "flow" else ""
            state = f"state {endpoint.table.name_of(endpoint.state)}{whose}"
            return f"{name} is {value}, not {values.replace('|', ' or ')} ({state})"
    return ""


# -- layers ---------------------------------------------------------------------------------------------------------


def _check_layers(expectation: Expectation, record: StimulusRecord, endpoint: Endpoint) -> Failure | None:
    wanted, seen = expectation.layers, record.classified
    best = _longest_prefix(wanted, seen)
    if best is None:
        return None
    elements, steps = best
    lines = [
        f"expected:       {' '.join(map(str, wanted)) or 'no layer'}",
        f"seen:           {' '.join(_shown(step) for step in seen) or 'no layer'}",
        f"possible as far as: {' '.join(map(str, wanted[:elements])) or 'nothing of it'}",
    ]
    there = seen[steps] if steps < len(seen) else None
    if elements < len(wanted):
        given = wanted[elements]
        what = f"{given} does not come here"
        if elements and wanted[elements - 1].is_gap:  # it may come later: the place to look at is where its layer is
            there = next((step for step in seen[steps:] if step.layer == given.layer), None)
        if there is not None:
            lines.append(f"expected next:  {given}; what comes is {_shown(there)}: {_difference(given, there)}")
        elif steps < len(seen):
            lines.append(f"expected next:  {given}; its layer is nowhere in the rest")
        else:
            end = record.steps[-1].to_state
            lines.append(f"expected next:  {given}; but {record.stimulus} is at its end: state {end}")
    else:
        assert there is not None
        what = f"{_shown(there)} comes in addition"
    if there is not None:
        lines.append(f"by rule:        {there.rule} ({_source(there)})")
        lines.append(f"possible there: {_possible(endpoint, there)}")
    spot = wanted[elements].spot if elements < len(wanted) else expectation.spot
    return Failure(spot.line, spot.column, what, tuple(lines))


def _longest_prefix(wanted: tuple[ExpectedLayer, ...], seen: list[Step]) -> tuple[int, int] | None:
    """None when everything fits, else how many elements fit at most, and how many steps those take at least.

    One row of positions that can be reached for each element: a gap reaches everything behind it.
    """
    positions = {0}
    for index, element in enumerate(wanted):
        if element.is_gap:
            after = set(range(min(positions), len(seen) + 1))
        else:
            after = {at + 1 for at in positions if at < len(seen) and _fits(element, seen[at])}
        if not after:
            return index, min(positions)
        positions = after
    return None if len(seen) in positions else (len(wanted), max(positions))


def _fits(element: ExpectedLayer, step: Step) -> bool:
    return step.layer == element.layer and step.verdict == element.verdict and set(element.flags) <= set(step.flags)


def _difference(given: ExpectedLayer, step: Step) -> str:
    if step.layer != given.layer:
        return f"another layer ({step.layer})"
    if step.verdict != given.verdict:
        return f"the verdict there is {step.verdict}, not {given.verdict}"
    missing = [flag for flag in given.flags if flag not in step.flags]
    return f"it is called without {', '.join(missing)} (its flags: {', '.join(step.flags) or 'none'})"


def _shown(step: Step) -> str:
    verdict = "" if step.verdict == "permit" else f":{step.verdict}"
    return _short(step.layer) + verdict + "".join(f"+{flag}" for flag in step.flags)


def _possible(endpoint: Endpoint, step: Step) -> str:
    table = endpoint.table
    verdicts = table.moves(table.names.index(step.from_state))
    return f"{', '.join(verdicts)} at {_short(step.layer)}"


def _source(step: Step) -> str:
    return f"{step.basis}; {', '.join(step.cite)}"


def _short(layer: str) -> str:
    return layer.removeprefix("FWPM_LAYER_")
