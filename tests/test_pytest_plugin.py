"""The pytest plugin, by running pytest inside pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    result.stdout.fnmatch_lines(["worst.wfp: cannot be read as UTF-8 text*"])


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
    result = pytester.runpytest("-s", "--wfp-windows", "10", "--wfp-evidence", "observed")
    result.stdout.fnmatch_lines(["*machine 6 10 observed nothing*"])
    result.stdout.fnmatch_lines(["*marked 6 7*"])
    result.stdout.fnmatch_lines(["wfp-udp-fsm: *IPv6, Windows 10, evidence observed, close=nothing"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wfp-windows", "12"), "*no Windows named '12'. Did you mean '11' or '10'?*"),
        (("--wfp-assume", "clos=nothing"), "*no *named 'clos'. Did you mean 'close'?*"),
        (("--wfp-cov", "--wfp-cov-report", "xml"), "*'xml' is none of term, json:FILE, dot:FOLDER, none*"),
        (("--wfp-cov", "--wfp-cov-report", "json"), "*'json' is none of term, json:FILE, dot:FOLDER, none*"),
        (("--wfp-cov-report", "json:no/such/a.json"), "*--wfp-cov-report: no file can be made at 'no/such/a.json'*"),
        (("--wfp-cov-report", "dot:test_a_wrong_option_is_a_usage_error.py"), "*--wfp-cov-report dot:*"),
        (("--wfp-cov-fail-under", "nan"), "*--wfp-cov-fail-under: nan is no percentage. 0 to 100.*"),
        (("--wfp-cov-fail-under", "101"), "*--wfp-cov-fail-under: 101 is no percentage. 0 to 100.*"),
        (("--wfp-ip", "5"), "*--wfp: no IP version '5'. Allowed: 4, 6.*"),
        (("-o", "wfp_ip=four"), "*--wfp: no IP version 'four'. Allowed: 4, 6.*"),
    ],
)
def test_a_wrong_option_is_a_usage_error(pytester: pytest.Pytester, arguments: tuple[str, ...], said: str) -> None:
    pytester.makepyfile("def test_it(wfp_sender): pass")
    result = pytester.runpytest(*arguments)
    assert result.ret != pytest.ExitCode.OK
    (result.stderr if result.stderr.lines else result.stdout).fnmatch_lines([said])


def test_a_wrong_marker_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.wfp(window='11')\ndef test_it(wfp_sender): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no setting named window*"])


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


# --- what a failing assert says


def test_a_failed_claim_is_shown_whole(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from fsm.claims import endpoint, never

        def test_it():
            assert never(endpoint("sender"), "FLOW_ESTABLISHED")

        def test_other():
            never(endpoint("sender"), "FLOW_ESTABLISHED").require()
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert text.count("claim of wfp-udp-fsm") == 1  # the other one stands whole in its AssertionError
    assert text.count("token: wfp-udp step") >= 2  # a summary on a build server repeats it
    result.stdout.no_fnmatch_line("*raise AssertionError(self.message)*")


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
