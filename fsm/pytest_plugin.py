"""The pytest plugin. It is loaded by every pytest run, so nothing of the package is imported before it is used.

Fixtures are named `wfp_...`; `*.wfp` files are collected as `file::scenario`; `--wfp-cov` measures which part of the
model a run has exercised.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.endpoint import Endpoint
    from fsm.policy.model import Policy
    from fsm.scenarios.model import Scenario, UsePolicy
    from fsm.session import Session
    from fsm.stepper import Walk
    from fsm.traces.observation import Trace

SUFFIX = ".wfp"
_COVERAGE = "wfp-coverage"  # the plugin that is there while a run is measured
_SESSION: pytest.StashKey[Any] = pytest.StashKey()  # what options and ini file say is in force
_TEST: pytest.StashKey[Any] = pytest.StashKey()  # what the marker of this test says is in force
_SHOWN: pytest.StashKey[bool] = pytest.StashKey()  # the header line has been printed
_USED: pytest.StashKey[bool] = pytest.StashKey()  # a worker of xdist has used the model


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wfp", "UDP in the Windows Filtering Platform (wfp-udp-fsm)")
    group.addoption("--wfp-ip", type=int, default=None, metavar="4|6", help="IP version of the machine (default 4)")
    group.addoption("--wfp-windows", default=None, metavar="VERSION", help="Windows version (default 11)")
    group.addoption("--wfp-evidence", default=None, metavar="ORDER", help="base, documented or observed (default base)")
    group.addoption(
        "--wfp-assume", action="append", default=None, metavar="DISPUTE=OPTION", help="decide a dispute; repeatable"
    )
    group.addoption("--wfp-cov", action="store_true", help="measure which part of the model this run exercises")
    group.addoption(
        "--wfp-cov-report",
        action="append",
        default=None,
        metavar="term|json:FILE|dot:FOLDER|none",
        help="how to report it; repeatable (default term)",
    )
    group.addoption(
        "--wfp-cov-fail-under", type=float, default=None, metavar="PERCENT", help="fail when fewer rows were exercised"
    )
    parser.addini("wfp_ip", "IP version of the machine, 4 or 6", default="")
    parser.addini("wfp_windows", "Windows version of the machine", default="")
    parser.addini("wfp_evidence", "which source is preferred: base, documented, observed", default="")
    parser.addini("wfp_assume", "disputes that are decided, DISPUTE=OPTION, one a line", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "wfp(ip=4, windows='11', evidence='base', assume={...}): the machine of this test, where a call gives none",
    )
    if _is_given(config):
        from fsm.choices import meaning

        config.stash[_SESSION] = _begun(meaning(_machine_or_usage_error(config)))
    # Who asks for a report or for a least wants it measured: neither is passed over in silence.
    asked = ("--wfp-cov-report", "--wfp-cov-fail-under")
    if config.getoption("--wfp-cov") or any(config.getoption(option) is not None for option in asked):
        from fsm.plugin_coverage import CoveragePlugin

        config.pluginmanager.register(CoveragePlugin(config, _machine_or_usage_error(config)), _COVERAGE)


def pytest_unconfigure(config: pytest.Config) -> None:
    _ended(config, _SESSION)


def _begun(context: AbstractContextManager[object]) -> AbstractContextManager[object]:
    context.__enter__()
    return context


def _ended(config: pytest.Config, key: pytest.StashKey[Any]) -> None:
    if key in config.stash:
        config.stash[key].__exit__(None, None, None)
        del config.stash[key]


# -- the machine that is meant ----------------------------------------------------------------------------------------


def _is_given(config: pytest.Config) -> bool:
    """Whether an option or the ini file says anything about the machine."""
    names = ("ip", "windows", "evidence", "assume")
    return any(config.getoption(f"--wfp-{name}") is not None or config.getini(f"wfp_{name}") for name in names)


def _machine_or_usage_error(config: pytest.Config) -> Config:
    from fsm.errors import FsmError
    from fsm.plugin_settings import machine

    try:
        return machine(config)
    except FsmError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """From here on, what the marker says is meant wherever a call gives no configuration."""
    if item.get_closest_marker("wfp") is None:
        return
    from fsm.choices import meaning
    from fsm.errors import FsmError
    from fsm.plugin_settings import machine

    try:
        meant = machine(item.config, item)
    except FsmError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    item.config.stash[_TEST] = _begun(meaning(meant))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """A fixture that several tests share is about what their class or module says, not about the first of them."""
    if _TEST not in request.config.stash or fixturedef.scope == "function":
        return (yield)
    from fsm.choices import meaning
    from fsm.plugin_settings import machine

    with meaning(machine(request.config, request.node)):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        _ended(item.config, _TEST)


# -- the header line --------------------------------------------------------------------------------------------------


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The line with model and setting, where it is sure from the start that it is wanted."""
    return [_header(config)] if _is_given(config) or config.pluginmanager.has_plugin(_COVERAGE) else []


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """The same line, where only the tests show that the run uses any of it."""
    if _SHOWN in config.stash or config.getoption("no_header", False) or not any(map(_uses, items)):
        return []
    return [_header(config)]


def _header(config: pytest.Config) -> str:
    from fsm.plugin_settings import header

    config.stash[_SHOWN] = True
    return header(config)


def _uses(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    marked = item.get_closest_marker("wfp") is not None
    return marked or isinstance(item, ScenarioItem) or any(name.startswith("wfp_") for name in names)


def _check_options(where: str, given: Iterable[str], functions: Iterable[Callable[..., object]]) -> None:
    """Refuse a keyword that these functions do not take, with the nearest one that they do."""
    from inspect import Parameter, signature

    from fsm.errors import UnknownName

    parameters = [each for function in functions for each in signature(function).parameters.values()]
    known = [each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
    for name in given:
        if name not in known:
            raise UnknownName.of(where, "option", name, known)


# -- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def wfp_config() -> Config:
    """The machine that is meant: the marker `wfp`, else the `--wfp-` options, else the ini file, else the defaults."""
    from fsm.choices import default_config

    return default_config()


@pytest.fixture
def wfp_endpoint(wfp_config: Config) -> Callable[..., Endpoint]:
    """Makes endpoints: `wfp_endpoint("sender", block=["AUTH_CONNECT"], verdicts={"CONNECT_REDIRECT": "pend"})`."""

    def make(
        endpoint: str, *, block: str | tuple[str, ...] | list[str] = (), verdicts: dict[str, str] | None = None,
        engine: str = "table", **unknown: object,
    ) -> Endpoint:  # fmt: skip
        from fsm.endpoint import verdict_at
        from fsm.flows import asked_verdicts, make_endpoint

        _check_options("wfp_endpoint", unknown, (make,))
        made = make_endpoint(endpoint, wfp_config, engine)
        blocks = (block,) if isinstance(block, str) else block
        asked = asked_verdicts(blocks, verdicts or {}, wfp_config, ("block", "verdicts"))
        if asked:
            made.register(verdict_at(asked))
        return made

    return make


@pytest.fixture
def wfp_sender(wfp_endpoint: Callable[..., Endpoint]) -> Endpoint:
    """A socket that sends first."""
    return wfp_endpoint("sender")


@pytest.fixture
def wfp_receiver(wfp_endpoint: Callable[..., Endpoint]) -> Endpoint:
    """A socket that is sent to first."""
    return wfp_endpoint("receiver")


@pytest.fixture
def wfp_dropped_port(wfp_endpoint: Callable[..., Endpoint]) -> Endpoint:
    """A host where no socket owns the port."""
    return wfp_endpoint("dropped_port")


@pytest.fixture
def wfp_session(wfp_config: Config) -> Callable[..., Session]:
    """Makes sessions: `wfp_session(["sender@1", "receiver@2"], cap=2)`.

    With filters: `wfp_session(policies={"sender": wfp_policy("a.toml")}, at={"sender": "192.0.2.1:50000", ...})`.
    """

    def make(endpoints: tuple[str, ...] | list[str] = (), **options: Any) -> Session:
        from fsm.session import make_session

        _check_options("wfp_session", options, (make_session,))
        return make_session(tuple(endpoints), wfp_config, **options)

    return make


@pytest.fixture
def wfp_walk(wfp_config: Config) -> Callable[..., Walk]:
    """Makes walks that can be stepped and shared: `wfp_walk("sender")`, `wfp_walk(token="wfp2_...")`."""

    def make(endpoint: str = "sender", *, token: str = "", **options: Any) -> Walk:
        from fsm.stepper import EndpointSystem, Walk

        if token:
            _check_options("wfp_walk", options, (Walk.from_token, Walk))
            return Walk.from_token(token, **options)
        _check_options("wfp_walk", options, (Walk,))
        return Walk(EndpointSystem(endpoint, wfp_config), **options)

    return make


@pytest.fixture
def wfp_policy(request: pytest.FixtureRequest) -> Callable[[str | Path], Policy]:
    """Reads policies; a relative path is one beside the test file."""

    def read(path: str | Path) -> Policy:
        from fsm.policy.read import read_policy

        return read_policy(request.path.parent / path)

    return read


@pytest.fixture
def wfp_trace(request: pytest.FixtureRequest, wfp_config: Config) -> Callable[..., Trace]:
    """Reads recorded callout traces; a relative path is one beside the test file."""

    def read(path: str | Path, **options: Any) -> Trace:
        from fsm.traces.reading import read_trace

        _check_options("wfp_trace", options, (read_trace,))
        usual: dict[str, Any] = {"ip": wfp_config.ip, "windows": wfp_config.windows}  # of layers named without them
        return read_trace(request.path.parent / path, **(usual | options))

    return read


# -- what a failing assert says ----------------------------------------------------------------------------------------


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Two sequences of layers, or of steps, that differ: as far as they agree, and what comes on either side then."""
    if op != "==":
        return None
    from fsm.plugin_compare import compared

    return compared(left, right)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Before a failure is put into words: a claim is told whole, and a mistake at the user's own line."""
    claims, errors = sys.modules.get("fsm.claims.finding"), sys.modules.get("fsm.errors")
    if call.excinfo is None:
        return
    value = call.excinfo.value
    if claims is not None and isinstance(value, AssertionError):
        whole = claims.told_whole(str(value), call.excinfo.traceback[-1].frame.f_locals.values())
        value.args = (whole,) if whole != str(value) else value.args
    elif errors is not None and isinstance(value, errors.FsmError) and not item.config.getoption("fulltrace", False):
        _end_at_the_caller(value)


def _end_at_the_caller(error: BaseException) -> None:
    """Let a traceback end at the last line that is not of this package, if there is one."""
    package, last, at = Path(__file__).parent, None, error.__traceback__
    while at is not None:
        if package not in Path(at.tb_frame.f_code.co_filename).parents:
            last = at
        at = at.tb_next
    if last is not None:
        last.tb_next = None


# -- scenario files ---------------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == SUFFIX:
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """A scenario file; its items are its scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        from fsm.errors import FsmError
        from fsm.scenarios.files import text_of
        from fsm.scenarios.parse import parse

        try:
            scenarios = parse(text_of(self.path.read_bytes(), self.path.name), self.path.name)
        except FsmError as error:
            raise self.CollectError(str(error)) from None
        except OSError as error:
            raise self.CollectError(f"{self.path.name}: cannot be read: {error.strerror or error}") from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.title, scenario=scenario)


class ScenarioFailed(Exception):
    """A scenario whose expectations did not all hold; the text is for the report."""


class ScenarioItem(pytest.Item):
    """One scenario as a test."""

    def __init__(self, *, scenario: Scenario, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.scenario = scenario

    def runtest(self) -> None:
        from fsm.scenarios.run import run_scenario

        run = run_scenario(self.scenario, load_policy=self._loaded)
        if not run.passed:
            raise ScenarioFailed(run.text())

    def _loaded(self, scenario: Scenario, line: UsePolicy) -> Policy:
        from fsm.errors import FsmError
        from fsm.policy.read import read_policy

        try:
            return read_policy(self.path.parent / line.file, name=line.file)
        except FsmError as error:
            raise FsmError(f"{line.spot}: policy {error.where}", error.what, error.nearest, error.fix) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from fsm.errors import FsmError

        if isinstance(excinfo.value, ScenarioFailed | FsmError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.scenario.spot.line - 1, f"scenario: {self.name}"


# -- workers of xdist -------------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["wfp_used"] = any(map(_uses, session.items))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if getattr(node, "workeroutput", {}).get("wfp_used"):
        node.config.stash[_USED] = True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _USED in config.stash and _SHOWN not in config.stash and not config.getoption("no_header", False):
        terminalreporter.write_line(_header(config))  # only the workers have seen the tests
