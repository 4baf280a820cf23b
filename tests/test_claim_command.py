"""`wfp-udp claim` with two subjects and with recorded traces: whole texts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm.claims import accepts, endpoint, equivalent, matches
from fsm.claims.subject import TraceSubject
from fsm.cli import cli
from fsm.cli.claim_subject import both_of, settings_of
from fsm.errors import FsmError
from fsm.fingerprint import fingerprint
from fsm.policy.read import read_policy
from fsm.stepper.token import sealed
from fsm.traces.reading import read_trace

HERE = Path(__file__).resolve().parent
SENT = ("ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_CONNECT_REDIRECT", "ALE_AUTH_CONNECT",
        "ALE_FLOW_ESTABLISHED", "DATAGRAM_DATA", "OUTBOUND_TRANSPORT", "OUTBOUND_IPPACKET")  # fmt: skip
DATAGRAM = ("--from", "192.0.2.1:50000", "--to", "198.51.100.1:53")
FILTER = """
[[filter]]
name = "{name}"
layer = "AUTH_CONNECT"
action = "{action}"
when = {{ remote_port = {port} }}
"""


def claim(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit status, output and error output."""
    done = CliRunner().invoke(cli, ["claim", *arguments], input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


def log(*layers: str) -> str:
    words = ((n, *one.partition(":")) for n, one in enumerate(layers))
    lines = (
        f"{n:02d} drv: layer=FWPM_LAYER_{layer}_V4 verdict={verdict or 'permit'}" for n, layer, _, verdict in words
    )
    return "\n".join(("drv: loaded", *lines, ""))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sent.log").write_text(log(*SENT), encoding="utf-8")
    (tmp_path / "gap.log").write_text(log(*SENT[:4], *SENT[5:]), encoding="utf-8")
    (tmp_path / "blocked.log").write_text(log(*SENT[:3], "ALE_AUTH_CONNECT:block"), encoding="utf-8")
    (tmp_path / "dns.toml").write_text(FILTER.format(name="no DNS", action="block", port=53), encoding="utf-8")
    (tmp_path / "web.toml").write_text(FILTER.format(name="no web", action="block", port=443), encoding="utf-8")
    (tmp_path / "also.toml").write_text(FILTER.format(name="no QUIC", action="block", port=4433), encoding="utf-8")
    return tmp_path


# ---- two subjects


def test_two_policies_are_compared_as_the_function_does(files: Path) -> None:
    asked = ("equivalent", "sender", "--policy", "dns.toml", "--against-policy", "web.toml", *DATAGRAM)
    one, two = (
        endpoint("sender", policy=read_policy(name), from_="192.0.2.1:50000", to="198.51.100.1:53")
        for name in ("dns.toml", "web.toml")
    )
    status, text, error = claim(*asked)
    assert (status, text, error) == (1, equivalent(one, two).message + "\n", "")
    head = "sender (IPv4, Windows 11, policy {}.toml, from 192.0.2.1:50000 to 198.51.100.1:53)"
    said = (
        f"refuted: {head.format('dns')} and {head.format('web')} show the same sequences of layer, verdict",
        "possible so far: both can show ALE_BIND_REDIRECT_V4 permit, ALE_RESOURCE_ASSIGNMENT_V4 permit, "
        "ALE_CONNECT_REDIRECT_V4 permit",
        f"given next: ALE_AUTH_CONNECT_V4 block, which only {head.format('dns')} can show",
        "why: ALE_AUTH_CONNECT_V4 answers permit there: no filter matches",
        "it would take block by rule send.authorize.block[flow=NONE; protocol:udp|igmp|raw; "
        "blocked_first_send_result:success] (observed: LID, AUD, EBPF, E5157)",
        f"possible there: in {head.format('web')}: ALE_RESOURCE_ASSIGNMENT_V4 permit, ALE_CONNECT_REDIRECT_V4 permit, "
        "INBOUND_IPPACKET_V4 permit, ALE_AUTH_CONNECT_V4 permit",
    )
    assert " ".join(text.split()).startswith(" ".join(said))
    same = claim("equivalent", "sender", "--policy", "web.toml", "--against-policy", "also.toml", *DATAGRAM)
    assert same[0] == 0 and same[1].startswith("holds: ")


def test_two_machines_are_compared() -> None:
    assert claim("equivalent", "dropped_port", "--against-assume", "no_listener=both") == (
        1,
        """\
refuted: dropped_port (IPv4, Windows 11) and dropped_port (IPv4, Windows 11, no_listener=both) show the same sequences of layer, verdict
possible so far: both can show INBOUND_IPPACKET_V4 permit
given next: INBOUND_IPPACKET_V4_DISCARD permit, which only dropped_port (IPv4, Windows 11) can show
why: INBOUND_TRANSPORT_V4_DISCARD comes before it in (datagram): rule
        drop.transport_discard.permit[no_listener:both; protocol:udp] (inferred: INFERRED)
possible there: in dropped_port (IPv4, Windows 11, no_listener=both): INBOUND_TRANSPORT_V4_DISCARD permit
shortest counterexample:
    (datagram): INBOUND_IPPACKET_V4 permit, INBOUND_IPPACKET_V4_DISCARD permit
    then: NO_SOCKET datagram@drop.icmp_error (the ICMP destination-unreachable is about to be sent)
token: wfp-udp step --token {}
draw:
    wfp-udp run dropped_port datagram --format json > walk.json
    wfp-udp diagram packet-path --highlight walk.json
""".format(sealed(f"wfp2_{fingerprint()}_dropped-port_4_11_base_rpp")),  # noqa: E501
        "",
    )
    assert claim("equivalent", "sender", "--against-windows", "7") == (
        0,
        "holds: sender (IPv4, Windows 11) and sender (IPv4, Windows 7) show the same sequences of layer, verdict\n"
        "searched: 1 pair of what may be the case, and there are no others\n",
        "",
    )
    assert claim("equivalent", "sender", "--against-windows", "vista")[0] == 1
    assert claim("equivalent", "sender", "--against-ip", "6")[0] == 1
    assert claim("equivalent", "sender", "--against-ip", "6", "--observing", "stem,verdict")[0] == 0


def test_the_machines_of_two_sessions_are_told_apart() -> None:
    status, text, _ = claim("equivalent", "session", "--against-evidence", "observed", "--stimuli", "bind,close")
    session = "session (sender@1, receiver@2, dropped_port@2; verdicts permit{})"
    assert status == 1
    assert text.startswith(f"refuted: {session.format('')} and {session.format('; evidence observed')} show the same ")


def test_another_endpoint_and_other_verdicts_are_the_other_side(files: Path) -> None:
    assert claim("equivalent", "sender", "receiver")[1].startswith(
        "refuted: sender (IPv4, Windows 11) and receiver (IPv4, Windows 11) show"
    )
    for more in (("--against-block", "AUTH_CONNECT"), ("--against-verdict", "AUTH_CONNECT=block")):
        assert claim("equivalent", "sender", *more)[1].startswith(
            "refuted: sender (IPv4, Windows 11) and sender (IPv4, Windows 11, block ALE_AUTH_CONNECT_V4) show"
        )
    # Filters that block nothing of this datagram, and none at all; what the other stimuli bring is the same.
    asked = ("equivalent", "sender", "--against-policy", "web.toml", *DATAGRAM, "--stimuli", "bind,sendto,close")
    assert claim(*asked)[0] == 0
    blocked = ("equivalent", "sender", "--policy", "dns.toml", *DATAGRAM, "--stimuli", "bind,sendto,close")
    assert claim(*blocked, "--against-block", "AUTH_CONNECT")[0] == 0


NOTHING: dict[str, object] = {
    "blocks": (), "verdicts": (), "any_verdict": False, "policies": (), "places": (), "from_": "", "to": "",
    "ordinary": False, "callouts": "unknown", "stimuli": "", "limit_states": None, "trace": "", "pattern": None,
    "keys": None, "reverse": False, "ip": 4, "windows": "11", "evidence": "base", "assumptions": (),
}  # fmt: skip


def test_the_other_side_is_as_the_first_but_for_what_is_said() -> None:
    options = NOTHING | {"assumptions": ("close=nothing", "path=wire"), "stimuli": "bind", "blocks": ("AUTH_CONNECT",)}
    against = {"against_assume": ("path = loopback",), "against_verdict": ("AUTH_CONNECT=pend",), "against_ip": None}
    one, two = both_of(settings_of("sender", options), "", options | against, "here")
    assert (one.assumptions, one.blocks, one.stimuli) == (("close=nothing", "path=wire"), ("AUTH_CONNECT",), "bind")
    assert (two.assumptions, two.blocks, two.stimuli) == (("close=nothing", "path = loopback"), (), "bind")
    assert (two.verdicts, two.ip) == (("AUTH_CONNECT=pend",), 4)
    one, two = both_of(settings_of("session", options | {"limit_states": 9}), "sender", options, "here")
    assert (one.blocks, one.limit_states, two.blocks, two.limit_states) == ((), 9, ("AUTH_CONNECT",), None)


def test_two_sessions_are_compared_by_the_policies_of_their_hosts(files: Path) -> None:
    at = ("--at", "sender=192.0.2.1:50000", "--at", "receiver=198.51.100.1:53")
    one = ("equivalent", "session", "--policy", "sender=dns.toml", *at)
    assert claim(*one, "--against-policy", "sender=web.toml")[0] == 1
    other = ("equivalent", "session", "--policy", "sender=web.toml", *at, "--against-policy", "sender=also.toml")
    assert claim(*other)[0] == 0


# ---- recorded traces


def test_a_recorded_trace_is_accepted_or_not_as_the_function_says(files: Path) -> None:
    status, text, error = claim("accepts", "sender", "--trace", "sent.log")
    assert (status, error) == (0, "")
    token = sealed(f"wfp2_{fingerprint()}_sender_4_11_base_sp8")
    assert text == (
        "holds: sender (IPv4, Windows 11) can have made sent.log\n"
        "it can have happened like this:\n"
        "    the whole log\n"
        "        sendto: UNBOUND/NONE to BOUND/OUT (lines 2-9)\n"
        "searched: sent.log: 9 lines = 8 observations + 1 about something else + 0 not understood\n"
        f"token: wfp-udp step --token {token}\ndraw: wfp-udp step --token {token} -o walk.svg\n"
    )
    assert claim("accepts", "sender", "--trace", "gap.log")[0] == 0  # no callout stands at the layer that is not shown
    status, text, error = claim("accepts", "sender", "--trace", "gap.log", "--only", ",".join(SENT))
    assert (status, error) == (1, "")
    assert text == accepts("sender", read_trace("gap.log"), only=SENT).message + "\n"
    assert (
        text
        == """\
refuted: sender (IPv4, Windows 11) can have made gap.log
possible so far:
    4 of 7 lines of the whole log
    sendto: UNBOUND/NONE to BOUND/NONE sendto@send.establish (lines 2-5)
given next: gap.log, line 6: 04 drv: layer=FWPM_LAYER_DATAGRAM_DATA_V4 verdict=permit
why: the model asks ALE_FLOW_ESTABLISHED_V4 there (in sendto, at send.establish) (rule send.establish.permit:
        UDPF, WLR)
possible there: ALE_FLOW_ESTABLISHED_V4 permit outbound
shortest way: missing: a line for ALE_FLOW_ESTABLISHED_V4 permit outbound before gap.log, line 6; or say
        --without ALE_FLOW_ESTABLISHED_V4 if no callout stands there
token: wfp-udp step --token {token}
draw: wfp-udp step --token {token} -o walk.svg
""".format(token=sealed(f"wfp2_{fingerprint()}_sender_4_11_base_sp4"))
    )
    assert claim("accepts", "sender", "--trace", "sent.log", "--from-start", "--only", ",".join(SENT))[0] == 0
    assert (
        claim("accepts", "sender", "--trace", "sent.log", "--never", "sendto,sendto_group,connect,connect_other")[0]
        == 1
    )
    assert claim("accepts", "sender", "--trace", "blocked.log", "--verdict", "AUTH_CONNECT=block")[0] == 0
    assert claim("accepts", "sender", "--trace", "blocked.log", "--verdict", "CONNECT_REDIRECT=block")[0] == 1
    assert claim("accepts", "sender", "--trace", "-", stdin=log(*SENT).encode())[0] == 0
    twice = log(*SENT[3:5] * 2).replace("permit", "permit remote=192.0.2.7:53").encode()
    assert claim("accepts", "sender", "--trace", "-", "--allow-unknown", stdin=twice)[0] == 1
    assert claim("accepts", "sender", "--trace", "-", "--allow", "idle_timeout", stdin=twice)[0] == 0


def test_claims_are_made_of_a_recorded_trace(files: Path) -> None:
    status, text, error = claim("matches", "trace", "... AUTH_CONNECT:block ...", "--trace", "blocked.log")
    assert (status, error) == (0, "")
    about = TraceSubject(read_trace("blocked.log"))
    assert text == matches(about, "... AUTH_CONNECT:block ...").message + "\n"
    assert " ".join(text.split()) == (
        "holds: some run of trace blocked.log (4 classifies) matches ... AUTH_CONNECT:block ... shortest run: "
        "recorded: ALE_BIND_REDIRECT_V4 permit (blocked.log, line 2), ALE_RESOURCE_ASSIGNMENT_V4 permit "
        "(blocked.log, line 3), ALE_CONNECT_REDIRECT_V4 permit (blocked.log, line 4), ALE_AUTH_CONNECT_V4 block "
        "(blocked.log, line 5) then: the end of the trace"
    )
    assert claim("never", "trace", "AUTH_CONNECT:block", "--trace", "blocked.log")[0] == 1
    assert claim("reaches", "trace", "FLOW_ESTABLISHED", "--trace", "sent.log")[0] == 0
    assert claim("always-before", "trace", "AUTH_CONNECT", "DATAGRAM_DATA", "--trace", "gap.log")[0] == 0
    assert claim("equivalent", "trace", "sender", "--trace", "sent.log")[0] == 1
    keyed = "\n".join(json.dumps({"where": f"FWPM_LAYER_{layer}_V4", "did": "permit"}) for layer in reversed(SENT))
    asked = ("matches", "trace", "BIND_REDIRECT ...", "--trace", "-", "--keys", "layer=where,verdict=did")
    assert claim(*asked, "--reverse", stdin=keyed.encode())[::2] == (
        0, "trace: read from the last line to the first (--reverse)\n",
    )  # fmt: skip
    assert claim(*asked, stdin=keyed.encode())[0] == 1


def test_what_is_not_understood_of_a_trace_is_told(files: Path) -> None:
    (files / "odd.log").write_text(log(*SENT, *("ALE_NOTHING",) * 5), encoding="utf-8")
    status, _, error = claim("reaches", "trace", "AUTH_CONNECT", "--trace", "odd.log")
    assert status == 0
    assert [line.partition(" is not understood: ")[0] for line in error.splitlines()[:3]] == [
        f"odd.log, line {number}" for number in (10, 11, 12)
    ]
    assert error.splitlines()[3:] == ["odd.log: 2 more not understood; 'wfp-udp check' lists them"]


def test_a_page_shows_the_run_of_the_side_that_has_it(files: Path) -> None:
    (files / "one.log").write_text(log(SENT[3]), encoding="utf-8")
    for side, other in (("sender", "trace"), ("trace", "sender")):
        asked = ("equivalent", side, other, "--trace", "one.log", "--html", f"{side}.html")
        assert claim(*asked)[0] == 1
        page = (files / f"{side}.html").read_text(encoding="utf-8")
        assert ("one.log, line 2" in page) == (side == "trace")
    assert claim("equivalent", "sender", "receiver", "--html", "two.html")[0] == 1
    assert "send.redirect.permit[" in (files / "two.html").read_text(encoding="utf-8")
    same = claim("equivalent", "sender", "--against-windows", "7", "--html", "no.html")
    assert same[::2] == (0, "no.html is not written: there is no run to show\n")
    assert claim("matches", "trace", "...AUTH_CONNECT:block", "--trace", "blocked.log", "--html", "t.html")[0] == 0
    assert "blocked.log, line 5" in (files / "t.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("equivalent", "sender"),
            "wfp-udp claim equivalent: sender is given on both sides, with the same settings. "
            "Name another endpoint, or say with --against-... how the second one differs.",
        ),
        (
            ("equivalent", "sender", "receiver", "dropped_port"),
            "wfp-udp claim equivalent: 2 words are given. It takes [OTHER]. Use quotes.",
        ),
        (
            ("never", "sender", "AUTH_CONNECT", "--against-windows", "7"),
            "wfp-udp claim never: --against-windows is for equivalent. Leave it out.",
        ),
        (
            ("never", "sender", "AUTH_CONNECT", "--observing", "layer"),
            "wfp-udp claim never: --every is for matches, --before for always-after, --observing for equivalent. "
            "Leave it out.",
        ),
        (
            ("equivalent", "sender", "receiver", "--observing", "layr"),
            "equivalent, observing: no thing to observe named 'layr'. Did you mean 'layer'?",
        ),
        (("equivalent", "sender", "sendr"), "claims: no endpoint named 'sendr'. Did you mean 'sender'?"),
        (
            ("equivalent", "sender", "--against-policy", "dns.toml"),
            "wfp-udp claim equivalent sender: --policy is asked about one datagram, and its ends are not given. "
            "Give --from 192.0.2.1:50000 and --to 198.51.100.1:53.",
        ),
        (
            ("equivalent", "sender", "receiver", "--limit-states", "9"),
            "wfp-udp claim equivalent sender: --limit-states is for sessions. Leave it out.",
        ),
        (
            ("equivalent", "sender", "receiver", "--trace", "sent.log"),
            "wfp-udp claim equivalent sender: --trace, --pattern, --keys and --reverse are for a recorded trace. "
            "Make the claim of trace.",
        ),
        (
            ("accepts", "sender"),
            "wfp-udp claim accepts: neither layers nor a trace are given. Give LAYER... or --trace FILE.",
        ),
        (
            ("accepts", "sender", "AUTH_CONNECT", "--trace", "sent.log"),
            "wfp-udp claim accepts: layers and a trace are given. Give LAYER... or --trace FILE.",
        ),
        (
            ("reaches", "trace", "AUTH_CONNECT", "--trace", "sent.log", "--from-start"),
            "wfp-udp claim reaches: --from-start is for accepts with --trace. Leave it out.",
        ),
        (
            ("accepts", "trace", "--trace", "sent.log"),
            "accepts: a trace does not accept traces. Give an endpoint or a session first.",
        ),
        (("reaches", "trace", "AUTH_CONNECT"), "wfp-udp claim reaches trace: no trace is given. Give --trace FILE."),
        (
            ("reaches", "trace", "AUTH_CONNECT", "--trace", "none.log"),
            "none.log: cannot be opened (No such file or directory). Check the name.",
        ),
        (
            ("reaches", "trace", "AUTH_CONNECT", "--trace", "sent.log", "--stimuli", "bind"),
            "wfp-udp claim reaches trace: a trace is what was recorded: nothing can be said of verdicts, stimuli or "
            "states. Leave these options out.",
        ),
        (
            ("reaches", "trace", "AUTH_CONNECT", "--trace", "sent.log", "--evidence", "observed"),
            "wfp-udp claim reaches trace: --evidence and --assume say nothing of a trace. Leave them out.",
        ),
        (("reaches", "sender"), "wfp-udp claim reaches: no word is given. It takes TARGET."),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(files: Path, arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(FsmError) as error:
        claim(*arguments)
    assert str(error.value) == told


def test_a_damaged_trace_is_no_trace(files: Path) -> None:
    import gzip

    (files / "cut.gz").write_bytes(gzip.compress(log(*SENT * 500).encode())[:-20])
    with pytest.raises(FsmError, match=r"claim reaches trace: cut.gz cannot be read to its end: .* Record it anew"):
        claim("reaches", "trace", "AUTH_CONNECT", "--trace", "cut.gz")
