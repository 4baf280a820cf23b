"""The pytest plugin, by running pytest inside pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fsm.choices import Config, default_config

pytest_plugins = ["pytester"]

GOOD = """\
scenario a bind that works
  socket s is sender
  at 0s s bind
    expect outcome none

scenario a send that is blocked
  socket s is sender
  block at AUTH_CONNECT
  at 0s s sendto
    expect outcome blocked at AUTH_CONNECT
"""
BAD = """\
scenario a wrong idea
  socket s is sender
  at 0s s sendto
    expect no layer FLOW_ESTABLISHED
"""
FIXTURES = """
import pytest

def test_endpoints(wfp_sender, wfp_receiver, wfp_dropped_port):
    assert [step.layer for step in wfp_sender.run("bind").classified]
    wfp_receiver.run("bind")
    assert wfp_dropped_port.run("datagram").outcome == "icmp_error"

def test_blocks(wfp_endpoint):
    sender = wfp_endpoint("sender", block=["AUTH_CONNECT"])
    assert sender.run("sendto").outcome == "blocked"
    live = wfp_endpoint("sender", verdicts={"AUTH_CONNECT": "pend"}, engine="live")
    assert live.run("sendto").outcome == "pended"

@pytest.mark.wfp(ip=6, windows="vista", assume={"no_listener": "transport"})
def test_marker(wfp_config, wfp_sender):
    assert (wfp_config.ip, wfp_config.windows, wfp_config.choice("no_listener")) == (6, "vista", "transport")
    assert wfp_sender.run("bind").classified[0].layer.endswith("_V6")

def test_session(wfp_session):
    assert [member.name for member in wfp_session(["sender", "receiver"]).members] == ["sender", "receiver"]
"""


def test_a_scenario_reads_the_policy_beside_its_file(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("sub")
    (folder / "p.toml").write_text(
        '[[filter]]\nname = "no dns"\nlayer = "AUTH_CONNECT"\naction = "block"\nwhen = { remote_port = 53 }\n',
        encoding="utf-8",
    )
    head = "scenario a policy\n  socket s is sender\n  policy {}\n  at 0s s sendto\n    expect outcome {}\n"
    (folder / "good.wfp").write_text(head.format("p.toml", "blocked"), encoding="utf-8")
    (folder / "bad.wfp").write_text(head.format("p.toml", "sent"), encoding="utf-8")
    (folder / "none.wfp").write_text(head.format("none.toml", "sent"), encoding="utf-8")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "bad.wfp:5:12: the outcome is blocked at ALE_AUTH_CONNECT_V4, not sent",
            "  policy:         ALE_AUTH_CONNECT_V4 block: filter 'no dns'*",
            "  step through it: wfp-udp step sender --token wfp2_*",
            "none.wfp:3:3: policy none.toml: cannot be opened*",
        ]
    )


def test_scenario_files_are_collected_as_items(pytester: pytest.Pytester) -> None:
    (pytester.path / "good.wfp").write_text(GOOD, encoding="utf-8")
    result = pytester.runpytest("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*good.wfp::a bind that works PASSED*", "*good.wfp::a send that is blocked PASSED*"])
    result = pytester.runpytest("good.wfp::a bind that works")
    result.assert_outcomes(passed=1)


def test_a_failing_scenario_shows_the_message_and_no_traceback(pytester: pytest.Pytester) -> None:
    (pytester.path / "bad.wfp").write_text(BAD, encoding="utf-8")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["bad.wfp:4:12: ALE_FLOW_ESTABLISHED_V4 fires: rule send.establish.permit*"])
    result.stdout.no_fnmatch_line("*run_scenario*")


def test_a_file_that_cannot_be_read_is_an_error_with_line_and_column(pytester: pytest.Pytester) -> None:
    (pytester.path / "worse.wfp").write_text("scenario x\n  socket s is sendr\n", encoding="utf-8")
    (pytester.path / "worst.wfp").write_bytes(b"\xff\xfe\x00x")
    result = pytester.runpytest()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["worse.wfp:2:15: no kind of socket named 'sendr'. Did you mean 'sender'?"])
    result.stdout.fnmatch_lines(["worst.wfp:1:1: this is UTF-16 text. Save the file as UTF-8."])


def test_the_fixtures_give_what_they_say(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FIXTURES)
    result = pytester.runpytest("--strict-markers", "-W", "error")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["wfp-udp-fsm: *, model ????????, IPv4, Windows 11, evidence base"])


def test_the_session_fixture_takes_policies(pytester: pytest.Pytester) -> None:
    for layer in ("ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"):
        filters = f'[[filter]]\nname = "no"\nlayer = "{layer}_V4"\naction = "block"\n'
        (pytester.path / f"{layer}.toml").write_text(filters, encoding="utf-8")
    pytester.makepyfile(
        """
        import pytest
        from fsm.claims import never, reaches

        AT = {"sender": "192.0.2.1:50000", "receiver": "192.0.2.53:53"}

        @pytest.mark.parametrize(("file", "claim"), [("ALE_AUTH_CONNECT", never), ("ALE_AUTH_RECV_ACCEPT", reaches)])
        def test_it(wfp_session, wfp_policy, file, claim):
            session = wfp_session(policies={"sender": wfp_policy(f"{file}.toml")}, at=AT)
            claim(session, "outcome=delivered@receiver").require()

        def test_a_refutation_names_host_and_filter(wfp_session, wfp_policy):
            session = wfp_session(policies={"sender": wfp_policy("ALE_AUTH_CONNECT.toml")}, at=AT)
            reaches(session, "outcome=delivered@receiver").require()
        """
    )
    result = pytester.runpytest("-W", "error")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E*ALE_AUTH_CONNECT_V4@sender, host 1 would have to answer permit there*filter 'no'*"])


def test_options_and_ini_say_which_machine_and_the_marker_counts_most(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_here(wfp_config):
            print("machine", wfp_config.ip, wfp_config.windows, wfp_config.evidence, wfp_config.choice("close"))

        @pytest.mark.wfp(windows="7")
        def test_marked(wfp_config):
            print("marked", wfp_config.ip, wfp_config.windows)
        """
    )
    pytester.makeini("[pytest]\nwfp_ip = 6\nwfp_windows = 8\nwfp_assume =\n  close=nothing\n")
    result = pytester.runpytest(
        "-s", "--wfp-windows", "10", "--wfp-evidence", "observed", "--wfp-assume", "no_listener=both"
    )
    result.stdout.fnmatch_lines(["*machine 6 10 observed nothing*"])
    result.stdout.fnmatch_lines(["*marked 6 7*"])
    # What the ini file decides stays decided, unless an option decides it otherwise.
    line = "wfp-udp-fsm: *IPv6, Windows 10, evidence observed, no_listener=both, close={}"
    result.stdout.fnmatch_lines([line.format("nothing")])
    result = pytester.runpytest("--wfp-assume", "close=closure_release", "--wfp-assume", "no_listener=both")
    result.stdout.fnmatch_lines(["wfp-udp-fsm: *evidence base, no_listener=both, close=closure_release"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wfp-windows", "12"), "*no Windows named '12'. Did you mean '11' or '10'?*"),
        (
            ("--wfp-assume", "close=nothing", "--wfp-assume", "close=closure_release"),
            "*--wfp-assume: 'close' is assumed twice: nothing and closure_release. Keep one.*",
        ),
        (("--wfp-assume", "clos=nothing"), "*no *named 'clos'. Did you mean 'close'?*"),
        (("--wfp-cov", "--wfp-cov-report", "xml"), "*'xml' is none of term, json:FILE, dot:FOLDER, none*"),
        (("--wfp-cov", "--wfp-cov-report", "json"), "*'json' is none of term, json:FILE, dot:FOLDER, none*"),
        (("--wfp-cov-report", "json:no/such/a.json"), "*--wfp-cov-report: no file can be made at 'no/such/a.json'*"),
        (
            ("--wfp-cov-report", "dot:test_a_wrong_option_is_a_usage_error.py"),
            "*--wfp-cov-report: no folder for pictures can be made at 'test_a_wrong*.py': Not a directory*",
        ),
        (
            ("--wfp-cov-report", "dot:test_a_wrong_option_is_a_usage_error.py/p"),
            "*no folder for pictures can be made at*",
        ),
        (("--wfp-cov-report", "json:test_a_wrong_option_is_a_usage_error.py/a"), "*no file can be made at*"),
        (("--wfp-cov-report", "json:."), "*no file can be made at '.': Is a directory*"),
        (("--wfp-cov-fail-under", "nan"), "*--wfp-cov-fail-under: nan is no percentage. 0 to 100.*"),
        (("--wfp-cov-fail-under", "101"), "*--wfp-cov-fail-under: 101 is no percentage. 0 to 100.*"),
        (("--wfp-ip", "5"), "*--wfp: no IP version '5'. Allowed: 4, 6.*"),
        (("-o", "wfp_ip=four"), "*--wfp: no IP version 'four'. Allowed: 4, 6.*"),
    ],
)
def test_a_wrong_option_is_a_usage_error(pytester: pytest.Pytester, arguments: tuple[str, ...], said: str) -> None:
    pytester.makepyfile("def test_it(wfp_sender): pass")
    result = pytester.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stderr if result.stderr.lines else result.stdout).fnmatch_lines([said])


def test_a_wrong_marker_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.wfp(window='11')\ndef test_it(wfp_sender): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*marker wfp: no setting named 'window'. Did you mean 'windows'?*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("assume=['close']", "*marker wfp: assume is ?'close'?. Write assume={'close': 'nothing'}*"),
        ("ip='x'", "*marker wfp: no IP version 'x'. Allowed: 4, 6.*"),
        ("windows='12'", "*marker wfp: no Windows named '12'*"),
    ],
)
def test_a_wrong_value_of_a_marker_names_the_marker(pytester: pytest.Pytester, marker: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.wfp({marker})\ndef test_it(wfp_sender): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


def test_who_asks_for_a_report_gets_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(wfp_sender): pass")
    assert pytester.runpytest("--wfp-cov-report", "json:a.json").ret == pytest.ExitCode.OK
    assert "percent" in json.loads((pytester.path / "a.json").read_text(encoding="utf-8"))


def test_a_walk_from_a_token_takes_the_options_of_a_walk(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from fsm.stepper.token import sealed

        def test_it(wfp_walk):
            old = sealed("wfp2_00000000_sender_4_11_base_b")
            walk = wfp_walk(token=old, other_model=True, manual=True)
            assert (walk.manual, walk.layer) == (True, "FWPM_LAYER_ALE_BIND_REDIRECT_V4")
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_options_and_markers_are_described(pytester: pytest.Pytester) -> None:
    helped = pytester.runpytest("--help").stdout
    helped.fnmatch_lines(["*wfp-udp-fsm*", "*--wfp-evidence=ORDER*", "*--wfp-cov-fail-under=PERCENT*"])
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.wfp(ip=4, windows='11'*"])
    pytester.runpytest("--fixtures").stdout.fnmatch_lines(["wfp_sender*", "*A socket that sends first.*"])


# --- the machine that is meant reaches every call that gives none

MEANT = """
    from fsm.choices import configure
    from fsm.claims import endpoint, observation, reaches
    from fsm.claims.subject import of
    from fsm.endpoint import Endpoint
    from fsm.flows import run_flow
    from fsm.machine import LiveEndpoint
    from fsm.scenarios.parse import parse
    from fsm.session import make_session
    from fsm.stepper import EndpointSystem
    import pytest
    from threading import Thread

    SIX = configure(ip=6, windows="7", evidence="documented")

    def check(machine):
        configs = []
        def collect():
            configs.append(endpoint("sender").table.config)
        thread = Thread(target=collect)
        thread.start()
        thread.join()
        (scenario,) = parse("scenario x\\n socket s is sender\\n at 0s s bind")
        configs += [
            endpoint("sender").table.config, of("receiver").table.config, make_session().config, scenario.config,
            Endpoint("sender").table.config, LiveEndpoint("sender").table.config, EndpointSystem("sender").config,
            run_flow("sender.active_open").config,
        ]
        assert configs == [machine] * 9
        assert observation("AUTH_CONNECT").layer.endswith(f"_V{machine.ip}")
        assert endpoint("sender", configure()).table.config == configure()
        assert make_session((), configure()).config == configure()
        assert reaches("sender", f"AUTH_CONNECT_V{machine.ip}")
        assert f"IPv{machine.ip}, Windows {machine.windows}" in reaches("sender", "AUTH_CONNECT").claim
"""


def test_options_reach_claims_sessions_and_endpoints(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MEANT
        + """
    AT_IMPORT = endpoint('sender')

    def test_it():
        check(SIX)

    def test_import():
        assert AT_IMPORT.table.config == SIX
    """
    )
    options = ("--wfp-ip", "6", "--wfp-evidence", "documented", "--wfp-windows", "7")
    result = pytester.runpytest("--strict-markers", "-W", "error", *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["wfp-udp-fsm: *, IPv6, Windows 7, evidence documented"])
    pytester.makeini("[pytest]\nwfp_ip = 6\nwfp_windows = 7\nwfp_evidence = documented\n")
    pytester.runpytest().assert_outcomes(passed=2)
    pytester.runpytest_subprocess("-n", "1").assert_outcomes(passed=2)


def test_what_was_meant_ends_with_the_test_and_with_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from fsm.choices import default_config

        @pytest.fixture(scope="module")
        def shared():
            return default_config()

        @pytest.fixture
        def late():
            yield
            assert default_config().ip == 6

        @pytest.mark.wfp(ip=6)
        def test_marked(shared, late):
            assert (default_config().ip, default_config().windows) == (6, "7")

        def test_plain(shared):
            assert (shared.ip, default_config().ip, default_config().windows) == (4, 4, "7")

        @pytest.mark.wfp(ip=6)
        def test_fails():
            assert False

        def test_after():
            assert default_config().ip == 4
        """
    )
    pytester.runpytest("--wfp-windows", "7").assert_outcomes(passed=3, failed=1)
    assert default_config() == Config()


def test_the_inner_marker_wins_and_the_others_stay(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MEANT
        + """
    pytestmark = pytest.mark.wfp(ip=4, windows="vista", evidence="documented")

    @pytest.mark.wfp(windows="7")
    class TestIt:
        @pytest.mark.wfp(ip=6)
        def test_it(self):
            check(SIX)

        @pytest.fixture(scope="class")
        def shared(self):
            return endpoint("sender").table.config

        @pytest.mark.wfp(ip=6)
        def test_shared(self, shared):
            assert (shared.ip, shared.windows, shared.evidence) == (4, "7", "documented")
    """
    )
    pytester.runpytest("--wfp-windows", "8").assert_outcomes(passed=2)


def test_scenario_files_take_the_options_and_what_they_say_themselves_wins(pytester: pytest.Pytester) -> None:
    form = "scenario x\n{}  socket s is sender\n  at 0s s sendto\n    expect layers ... AUTH_CONNECT_V{} ...\n"
    (pytester.path / "silent.wfp").write_text(form.format("", 6), encoding="utf-8")
    (pytester.path / "says.wfp").write_text(form.format("  ip 4\n", 4), encoding="utf-8")
    closing = "scenario y\n{}  socket s is sender\n  at 0s s bind\n  at 1s s close\n    expect layers {}\n"
    both = "ENDPOINT_CLOSURE RESOURCE_RELEASE"
    (pytester.path / "close.wfp").write_text(closing.format("", both), encoding="utf-8")
    (pytester.path / "keep.wfp").write_text(closing.format("  assume close=nothing\n", "none"), encoding="utf-8")
    assumed = ("--wfp-assume", "close=closure_release")
    pytester.runpytest("--wfp-ip", "6", *assumed).assert_outcomes(passed=4)
    pytester.runpytest("-o", "wfp_ip=6", *assumed).assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--wfp-ip", "9"), "*--wfp: no IP version '9'. Allowed: 4, 6.*"),
        (("--wfp-ip", "0"), "*--wfp: no IP version '0'. Allowed: 4, 6.*"),
        (("--wfp-windows", ""), "*--wfp: no Windows named ''*"),
        (("--wfp-evidence", "foo"), "*--wfp: no evidence setting named 'foo'. Allowed: base, documented, observed*"),
        (("--wfp-assume", "close"), "*--wfp: no option of close named ''. Allowed: *"),
        (("-o", "wfp_windows=12"), "*no Windows named '12'*"),
        (("--wfp-ip", "9", "-n", "1"), "*--wfp: no IP version '9'. Allowed: 4, 6.*"),
    ],
)
def test_a_wrong_option_is_refused_where_no_test_uses_it(
    pytester: pytest.Pytester, options: tuple[str, ...], said: str
) -> None:
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_fixtures_are_subjects_of_claims(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from fsm.claims import endpoint, equivalent, never, reaches
        from fsm.endpoint import Endpoint, verdict_at
        from fsm.errors import FsmError

        pytestmark = pytest.mark.wfp(ip=6)
        LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V6"

        @pytest.mark.parametrize("engine", ["table", "live"])
        def test_verdicts(wfp_endpoint, engine):
            blocked = wfp_endpoint("sender", block=["AUTH_CONNECT"], engine=engine)
            assert never(blocked, "AUTH_CONNECT:permit")
            assert "IPv6, Windows 11, block ALE_AUTH_CONNECT_V6" in never(blocked, "AUTH_CONNECT:permit").claim
            pended = wfp_endpoint("sender", verdicts={"AUTH_CONNECT": "pend"}, engine=engine)
            same = endpoint("sender", verdicts={"AUTH_CONNECT": "pend"})
            assert equivalent(pended, same, ["layer", "verdict", "flags", "stimulus", "outcome"])

        def test_plain(wfp_sender, wfp_receiver, wfp_dropped_port):
            assert reaches(wfp_sender, "outcome=sent")
            assert reaches(wfp_receiver, "outcome=delivered")
            assert never(wfp_dropped_port, "FLOW_ESTABLISHED")
            assert never(Endpoint("dropped_port"), "FLOW_ESTABLISHED")

        def test_the_first_of_two_callouts_decides(wfp_endpoint):
            both = wfp_endpoint("sender", block=["AUTH_CONNECT"])
            both.register(verdict_at({LAYER: "pend"}))
            assert never(both, "AUTH_CONNECT:pend")
            other = wfp_endpoint("sender")
            other.register(verdict_at({LAYER: "block"}), layer="RESOURCE_ASSIGNMENT")
            assert reaches(other, "AUTH_CONNECT:permit")

        def moved(sender):
            sender.run("bind")

        def waited(sender):
            sender.wait(5)

        def called(sender):
            sender.register(lambda context: None)

        def two(sender):
            for verdict in ("pend", "block"):
                sender.register(verdict_at({LAYER: verdict}))

        @pytest.mark.parametrize(("done", "said"), [
            (moved, "claims, sender: this endpoint has moved (bind; it stands in BOUND/NONE), and a claim"),
            (waited, "claims, sender: this endpoint has moved (wait;"),
            (called, "claims, sender: its callout <lambda> may look at more than the layer and its flags"),
            (two, f"claims, sender: two callouts answer at {LAYER}: pend and block"),
        ])
        def test_what_no_claim_can_be_made_of(wfp_sender, done, said):
            done(wfp_sender)
            with pytest.raises(FsmError) as raised:
                reaches(wfp_sender, "outcome=sent")
            assert str(raised.value).startswith(said)
        """
    )
    pytester.runpytest().assert_outcomes(passed=8)


# --- the header line


@pytest.mark.parametrize("extra", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    ("test", "options", "shown"),
    [
        ("def test_it(): pass", ("--wfp-ip", "6"), 1),
        ("def test_it(): pass", ("--wfp-cov",), 1),
        ("def test_it(): pass", (), 0),
        ("def test_it(wfp_sender): pass", ("--wfp-ip", "6"), 1),
        ("def test_it(wfp_sender): pass", (), 1),
        ("def test_it(wfp_sender): pass", ("--no-header",), 0),
        ("import pytest\n@pytest.mark.wfp(ip=6)\ndef test_it(): pass", (), 1),
    ],
    ids=["option", "coverage", "nothing", "both", "fixture", "none-wanted", "marker"],
)
def test_the_header_line_is_there_once(
    pytester: pytest.Pytester, test: str, options: tuple[str, ...], shown: int, extra: tuple[str, ...]
) -> None:
    pytester.makepyfile(test)
    result = pytester.runpytest_subprocess(*options, *extra)
    result.assert_outcomes(passed=1)
    lines = [line for line in result.stdout.lines if line.startswith("wfp-udp-fsm: ")]
    assert len(lines) == shown
    assert all(("IPv6" in line) == ("6" in options) for line in lines)


# --- what a failing assert says


def test_a_failed_claim_is_shown_whole(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from fsm.claims import endpoint, never, reaches
        from fsm.session import make_session

        LAYER = "FLOW_ESTABLISHED"

        def test_asserted():
            assert never(endpoint("sender"), LAYER)

        def test_required():
            never(endpoint("sender"), LAYER).require()

        def test_in_a_session():
            assert never(make_session(), LAYER + "@sender")

        def test_with_a_text_of_its_own():
            finding = never("sender", LAYER)
            assert finding, "the design leaks"

        def test_that_it_does_not_hold():
            assert not reaches("sender", LAYER)

        def test_among_others():
            finding = never("sender", LAYER)
            assert [finding] and finding.verdict == "holds"
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert "\\n" not in text and "Session(" not in text and "claim of wfp-udp-fsm" not in text
    for block in text.split("\n____")[1:]:
        told = block.partition("short test summary")[0]
        assert told.count("token: wfp-udp step") == 1, block
    whole = ["E *why: ALE_FLOW_ESTABLISHED_V4 permit*", "E *shortest counterexample:", "E *token: wfp-udp step*"]
    title = "refuted: sender (IPv4, Windows 11) never comes to FLOW_ESTABLISHED*"
    result.stdout.fnmatch_lines(
        [
            *(">*assert never(endpoint(?sender?), LAYER)", f"E       AssertionError: {title}", *whole),
            *(">*never(endpoint(?sender?), LAYER).require()", f"E       AssertionError: {title}", *whole),
            *(">*assert never(make_session()*", "E       AssertionError: refuted: session (sender@1*"),
            *("E       AssertionError: the design leaks", f"E       {title}", *whole),
            *("E       AssertionError: holds: sender (IPv4, Windows 11) reaches FLOW_ESTABLISHED*", "E *run:*"),
            *("E*<refuted: sender (IPv4, Windows 11) never comes*'refuted' == 'holds'", f"E       {title}", *whole),
        ]
    )
    result.stdout.no_fnmatch_line("*raise AssertionError(self.message)*")


def test_a_refuted_claim_that_is_not_asserted_is_not_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from fsm.claims import never

        def test_it():
            finding = never("sender", "FLOW_ESTABLISHED")
            assert finding.verdict == "refuted"
            assert 1 == 2
        """
    )
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["E*assert 1 == 2"])
    result.stdout.no_fnmatch_line("*refuted: *")


def test_a_claim_that_is_unknown_passes_neither_way(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from fsm.claims import reaches
        from fsm.session import make_session

        def asked(**options):
            return reaches(make_session(), "sender=CLOSED receiver=CLOSED", limit_states=5, **options)

        def test_allowed():
            assert asked(allow_unknown=True)

        def test_that_it_holds():
            assert asked()

        def test_that_it_does_not():
            assert not asked()

        def test_required():
            asked().require()
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=3)
    for line in ("assert asked()", "assert not asked()", "asked().require()"):
        said = [f">       {line}", "E       *Undecided: unknown: session (*", "E *so nothing is sure*"]
        result.stdout.fnmatch_lines(said)
    result.stdout.no_fnmatch_line("*raise*Undecided*")


MISTAKES = """
    import pytest
    from fsm.claims import endpoint, never, reaches

    def test_0(): reaches("sendr", "FLOW_ESTABLISHED").require()
    def test_1(): reaches("sender", "FLOW_ESTABLISHE").require()
    def test_2(wfp_endpoint): wfp_endpoint("sendr")
    def test_3(wfp_endpoint): wfp_endpoint("sender", blok=["AUTH_CONNECT"])
    def test_4(wfp_session): wfp_session(["sender"], capp=2)
    def test_5(wfp_walk): wfp_walk("sender", manuel=True)
    def test_6(wfp_walk): wfp_walk(token="wfp2_x", manuel=True)
    def test_7(wfp_trace): wfp_trace("x.log", revers=True)

    @pytest.fixture
    def mine():
        return endpoint("sender", block=["AUTH_CONECT"])

    def test_8(mine): pass
"""


def test_a_mistake_is_shown_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MISTAKES)
    result = pytester.runpytest()
    result.assert_outcomes(failed=8, errors=1)
    said = [
        ("mine", "*'AUTH_CONECT'*AUTH_CONNECT*"),
        ("test_0", "claims: no endpoint named 'sendr'. Did you mean 'sender'?"),
        ("test_1", "reaches: no layer, stimulus or outcome named 'FLOW_ESTABLISHE'. Did you mean *"),
        ("test_2", "table: no endpoint named 'sendr'. Did you mean 'sender'?"),
        ("test_3", "wfp_endpoint: no option named 'blok'. Did you mean 'block'?"),
        ("test_4", "wfp_session: no option named 'capp'. Did you mean 'cap'?"),
        ("test_5", "wfp_walk: no option named 'manuel'. Did you mean 'manual'?"),
        ("test_6", "wfp_walk: no option named 'manuel'. Did you mean 'manual'?"),
        ("test_7", "wfp_trace: no option named 'revers'. Did you mean 'reverse'?"),
    ]
    expected = [part for name, text in said for part in (f"*def {name}(*", f"E *fsm.errors.*: {text}")]
    result.stdout.fnmatch_lines(expected)
    assert [line for line in result.stdout.lines if "/fsm/" in line.replace("\\", "/")] == []


def test_the_whole_trace_of_a_mistake_is_there_where_it_is_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MISTAKES)
    pytester.runpytest("--full-trace", "-k", "test_0").stdout.fnmatch_lines(["*raise UnknownName.of(*VIEWS)"])


def test_sequences_of_layers_that_differ_are_compared_by_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(wfp_sender):
            wfp_sender.run("bind")
            seen = [step.layer for step in wfp_sender.run("sendto").classified]
            expected = list(seen)
            expected[2:4] = reversed(expected[2:4])
            assert seen == expected

        def test_lists_of_other_things_are_left_to_pytest():
            assert ["a", "b"] == ["a", "c"]
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*layers: 6 seen, 6 expected",
            "E*they agree as far as: ALE_CONNECT_REDIRECT_V4 ALE_AUTH_CONNECT_V4",
            "E*then is seen: * ALE_FLOW_ESTABLISHED_V4 DATAGRAM_DATA_V4*",
            "E*then is expected: * DATAGRAM_DATA_V4 ALE_FLOW_ESTABLISHED_V4*",
        ]
    )
    result.stdout.fnmatch_lines(["E*At index 1 diff*"])


# --- coverage


def test_coverage_counts_what_was_taken_and_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from fsm import NoTransition

        def test_it(wfp_sender):
            wfp_sender.run("bind")
            with pytest.raises(NoTransition):
                wfp_sender.run("bind")
        """
    )
    result = pytester.runpytest("--wfp-cov", "--wfp-cov-report", "json:cov.json", "--wfp-cov-report", "term")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["endpoint*goal*hit*of*percent", "sender*rows*3*", "receiver*rows*0*"])
    got = json.loads((pytester.path / "cov.json").read_text(encoding="utf-8"))
    sender = got["endpoints"]["sender"]
    assert (sender["rows"]["hit"], sender["layers"]["hit"], sender["refusals"]["hit"]) == (3, 2, 1)
    assert "bind when idle" not in sender["refusals"]["missed"]
    assert set(got["counts"]["sender"].values()) == {1}


def test_coverage_is_the_same_under_xdist(pytester: pytest.Pytester) -> None:
    (pytester.path / "good.wfp").write_text(GOOD, encoding="utf-8")
    pytester.makepyfile(FIXTURES)
    reports = []
    for name, extra in (("one", ()), ("two", ("-n", "2"))):
        result = pytester.runpytest_subprocess("--wfp-cov", "--wfp-cov-report", f"json:{name}.json", *extra)
        result.assert_outcomes(passed=6)
        reports.append(json.loads((pytester.path / f"{name}.json").read_text(encoding="utf-8")))
    assert reports[0]["endpoints"] == reports[1]["endpoints"]
    assert {at: sorted(counts.items()) for at, counts in reports[0]["counts"].items()} == {
        at: sorted(counts.items()) for at, counts in reports[1]["counts"].items()
    }
    assert reports[0]["outside"], "the marked test ran under other settings"


@pytest.mark.parametrize(("least", "status"), [("0.1", pytest.ExitCode.OK), ("99", pytest.ExitCode.TESTS_FAILED)])
@pytest.mark.parametrize("extra", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_too_little_coverage_fails_the_run(
    pytester: pytest.Pytester, least: str, status: pytest.ExitCode, extra: tuple[str, ...]
) -> None:
    (pytester.path / "good.wfp").write_text(GOOD, encoding="utf-8")
    result = pytester.runpytest_subprocess("--wfp-cov-fail-under", least, *extra)
    assert result.ret == status
    result.stdout.fnmatch_lines([f"coverage of the UDP model: *% of the rows *{least}%"])


def test_coverage_is_drawn(pytester: pytest.Pytester) -> None:
    (pytester.path / "good.wfp").write_text(GOOD, encoding="utf-8")
    result = pytester.runpytest("--wfp-cov", "--wfp-cov-report", "dot:pictures")
    result.assert_outcomes(passed=2)
    text = (pytester.path / "pictures" / "coverage_sender.dot").read_text(encoding="utf-8")
    assert "x1" in text or "x2" in text
    assert (pytester.path / "pictures" / "coverage_receiver.dot").exists()


CLAIM = """
    from fsm.claims import never, reaches

    def test_claim():
        assert reaches("sender", "AUTH_CONNECT")

    def test_required():
        reaches("receiver", "outcome=icmp_error").require()

    def test_refuted():
        assert never("sender", "AUTH_CONNECT").verdict == "refuted"
"""


def test_claims_are_no_coverage(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLAIM)
    result = pytester.runpytest("--wfp-cov-fail-under", "0.1")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["0 of 451 rows (0.0%) taken on *", "*0.0% of the rows is less than 0.1%"])


def test_a_failing_scenario_is_counted_once(pytester: pytest.Pytester) -> None:
    (pytester.path / "fails.wfp").write_text(GOOD.replace("expect outcome none", "expect outcome sent"), "utf-8")
    pytester.runpytest("--wfp-cov-report", "json:cov.json").assert_outcomes(passed=1, failed=1)
    got = json.loads((pytester.path / "cov.json").read_text(encoding="utf-8"))
    assert got["counts"]["sender"]["idle.bind[socket=UNBOUND; windows 7..]"] == 1


@pytest.mark.parametrize("extra", [("-p", "no:xdist"), ("-n", "2")], ids=["alone", "xdist"])
def test_what_ran_on_another_machine_is_told_and_not_counted(pytester: pytest.Pytester, extra: tuple[str, ...]) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.wfp(ip=6)
        def test_six(wfp_sender):
            wfp_sender.run("sendto")
        """
    )
    scenario = "scenario six\n  ip 6\n  socket s is sender\n  at 0s s bind\n    expect outcome none\n"
    (pytester.path / "six.wfp").write_text(scenario, encoding="utf-8")
    reports = ("--wfp-cov-report", "json:cov.json", "--wfp-cov-report", "term")
    result = pytester.runpytest_subprocess(*reports, *extra)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "0 of 451 rows (0.0%) taken on IPv4, Windows 11, evidence base",
            "outside this count: 12 steps, 8 layers",
            "  sender, IPv6, Windows 11, evidence base: 12 steps, 8 layers",
        ]
    )
    got = json.loads((pytester.path / "cov.json").read_text(encoding="utf-8"))
    (part,) = got["outside"]
    assert got["ran"] == {"steps": 12, "counted": 0, "outside": 12}
    assert (part["endpoint"], part["config"]["ip"], part["steps"], sum(part["counts"].values())) == (
        "sender",
        6,
        12,
        12,
    )
    assert got["endpoints"]["sender"]["rows"]["hit"] == 0


def test_reports_are_written_without_a_terminal(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(wfp_sender): wfp_sender.run('bind')")
    options = ("--wfp-cov-report", "json:a.json", "--wfp-cov-report", "dot:p", "--wfp-cov-fail-under", "50")
    command = [sys.executable, "-m", "pytest", "-p", "no:terminal", "-p", "no:xdist", *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=pytester.path, check=False)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert json.loads((pytester.path / "a.json").read_text(encoding="utf-8"))["ran"]["counted"] == 3
    assert (pytester.path / "p" / "coverage_sender.dot").exists()
    assert ran.stderr == "coverage of the UDP model: 0.6% of the rows is less than 50%\n"


def test_a_report_that_fails_after_all_leaves_the_others(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pathlib import Path

        def test_it(wfp_sender):
            wfp_sender.run("bind")
            Path("p").write_text("in the way")
            Path("a.json").mkdir()
        """
    )
    reports = (f"--wfp-cov-report={report}" for report in ("dot:p", "json:a.json", "json:later.json"))
    result = pytester.runpytest(*reports)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = [f"--wfp-cov-report {report}: *cannot be written: *" for report in ("dot:p", "json:a.json")]
    result.stdout.fnmatch_lines(["*written to later.json", *said])
    assert (pytester.path / "later.json").exists()


def test_asking_for_a_report_leaves_nothing_before_it_is_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pathlib import Path

        def test_it():
            assert not Path("p").exists() and not Path("a.json").exists()
        """
    )
    options = ("--wfp-cov-report", "dot:p/q", "--wfp-cov-report", "json:a.json")
    pytester.runpytest(*options).assert_outcomes(passed=1)
    assert (pytester.path / "p" / "q" / "coverage_sender.dot").exists()


def test_a_worker_that_dies_with_its_coverage_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_a(wfp_sender):
            wfp_sender.run("bind")

        def test_b():
            os._exit(3)

        def test_c(wfp_receiver):
            wfp_receiver.run("bind")
        """
    )
    reports = ("--wfp-cov-report", "json:cov.json", "--wfp-cov-report", "term")
    result = pytester.runpytest_subprocess("-n", "1", *reports)
    said = "lost: xdist worker gw0 has ended without its counts; what it ran is not in this report"
    result.stdout.fnmatch_lines(["3 of 451 rows *", said])
    got = json.loads((pytester.path / "cov.json").read_text(encoding="utf-8"))
    assert got["lost"] == ["xdist worker gw0"] and got["ran"]["counted"] == 3


# --- what it costs others


def test_a_suite_that_does_not_use_it_loads_nothing_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    loaded = [name for name in sys.modules if name.split('.')[0] == 'fsm']\n"
        "    assert set(loaded) == {'fsm', 'fsm.pytest_plugin'}, loaded\n"
        "    assert not {'networkx', 'transitions', 'graphviz', 'click', 'textual'} & set(sys.modules)\n",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        str(tmp_path),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "wfp-udp-fsm" not in ran.stdout


def test_collecting_alone_leaves_the_reports_of_an_earlier_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(wfp_sender):\n    wfp_sender.run('bind')\n")
    report = ("--wfp-cov", "--wfp-cov-report", "json:a.json")
    pytester.runpytest(*report).assert_outcomes(passed=1)
    before = (pytester.path / "a.json").read_bytes()
    assert json.loads(before)["ran"]["steps"] > 0
    assert pytester.runpytest(*report, "--collect-only", "--wfp-cov-fail-under", "1").ret == pytest.ExitCode.OK
    assert pytester.runpytest(*report, "nofile.py").ret == pytest.ExitCode.USAGE_ERROR
    assert (pytester.path / "a.json").read_bytes() == before


def test_what_is_not_in_the_numbers_is_told_with_reports_that_are_files_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.wfp(ip=6)\ndef test_it(wfp_endpoint):\n"
        "    wfp_endpoint('sender', block='AUTH_CONNECT').run('sendto')\n"
    )
    result = pytester.runpytest("--wfp-cov", "--wfp-cov-report", "json:a.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["coverage of the UDP model: outside this count: *", "coverage *IPv6*"])
