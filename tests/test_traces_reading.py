"""Reading a driver's log: forms, spellings, patterns, times, tuples; and that no line is lost without a word."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import pytest

from fsm import catalogue
from fsm.errors import FsmError, LogError, UnknownName
from fsm.traces.conformance import AGREES, CANNOT_TELL, DIVERGES, check_trace
from fsm.traces.conversations import conversations
from fsm.traces.observation import Observation, Trace
from fsm.traces.patterns import BUILT_IN, LIMIT_LINE_CHARS
from fsm.traces.reading import read_trace
from fsm.traces.runaway import runs_away
from fsm.traces.words import BadWord, end_of, flags_of, layer_of, seconds_of, verdict_of

EVIDENCE = Path(__file__).resolve().parent.parent.parent / "shared" / "evidence" / "callout-traces"
CONNECT, DATA = "FWPM_LAYER_ALE_AUTH_CONNECT_V4", "FWPM_LAYER_DATAGRAM_DATA_V4"
TEXT = "ts=1.0 layer=AUTH_CONNECT verdict=permit\nnoise\n\nts=2.5 layer=DATAGRAM_DATA_V4 verdict=block\n"


def layers_of(trace: Trace) -> list[str]:
    return [one.layer for one in trace.observations]


def accounted(trace: Trace) -> bool:
    return trace.lines == len(trace.observations) + trace.other_lines + len(trace.not_understood)


FORMS = {
    "utf-8": TEXT.encode(),
    "utf-8 with byte order mark": TEXT.encode("utf-8-sig"),
    "utf-16 with byte order mark": TEXT.encode("utf-16"),
    "utf-16 big endian": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "utf-16 without byte order mark": TEXT.encode("utf-16-le"),
    "crlf": TEXT.replace("\n", "\r\n").encode(),
    "gzip": gzip.compress(TEXT.encode()),
    "no newline at the end": TEXT.rstrip("\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_alike(form: str, tmp_path: Path) -> None:
    path = tmp_path / "drv.log"
    path.write_bytes(FORMS[form])
    for source in (FORMS[form], BytesIO(FORMS[form]), path, str(path)):
        trace = read_trace(source)
        assert layers_of(trace) == [CONNECT, DATA]
        assert [one.at_s for one in trace.observations] == [0.0, 1.5]
        assert (trace.lines, trace.other_lines, trace.not_understood) == (4, 2, ())
        assert trace.pattern == "key-value"
    assert trace.observations[1].source == "drv.log, line 4"


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("json-lines", '{"layerName": "FWPS_LAYER_ALE_AUTH_CONNECT_V4", "action": "FWP_ACTION_PERMIT"}'),
        ("json-lines", '{"event": {"layer_id": 48, "verdict": "permit"}}'),
        ("key-value", "[12:00:01.250] drv: Layer: AUTH_CONNECT Verdict: Permit"),
        ("key-value", "drv layer = 48, action = 0x1002"),
        ("layer-name", "12:00:01 classify at FWPS_LAYER_ALE_AUTH_CONNECT_V4 -> PERMIT"),
        ("layer-name", "FWPM_LAYER_ALE_AUTH_CONNECT_V4: Permitted 10.0.0.1:5 -> 10.0.0.2:53"),
    ],
)
def test_a_built_in_pattern_is_found(pattern: str, line: str) -> None:
    trace = read_trace(line.encode())
    assert trace.pattern == pattern
    assert [(one.layer, one.verdict) for one in trace.observations] == [(CONNECT, "permit")]


@pytest.mark.parametrize(
    "ends",
    [
        "10.0.0.1:5000 -> 10.0.0.2:53",
        "10.0.0.1:5000,10.0.0.2:53",
        "10.0.0.1:5000\t10.0.0.2:53",
        "10.0.0.1:5000 | 10.0.0.2:53",
        "local=10.0.0.1:5000 remote=10.0.0.2:53",
        "remote: 10.0.0.2:53; local: 10.0.0.1:5000",
        "LocalAddress=10.0.0.1:5000, RemoteAddress=10.0.0.2:53",
        "src=10.0.0.1:5000 dst=10.0.0.2:53",
    ],
)
def test_the_ends_beside_a_layer_name_are_read_however_they_are_written(ends: str) -> None:
    trace = read_trace(f"FWPM_LAYER_ALE_AUTH_CONNECT_V4 PERMIT {ends}\n".encode())
    assert trace.pattern == "layer-name"
    assert [(one.local, one.remote) for one in trace.observations] == [("10.0.0.1:5000", "10.0.0.2:53")]
    assert trace.notes == ()


def test_addresses_that_were_not_read_as_ends_are_told() -> None:
    line = "FWPM_LAYER_ALE_AUTH_CONNECT_V4 PERMIT from {} by {}\n"
    lines = "".join(line.format(f"10.0.0.1:{port}", "10.0.0.2:53") for port in (5000, 6000))
    (note,) = read_trace(lines.encode()).notes
    assert note.startswith("addresses were not read as ends in 2 of 2 lines (first in line 1)")
    own = r"(?P<layer>FWPM\S+) (?P<verdict>\w+) from (?P<local>\S+) by (?P<remote>\S+)"
    assert read_trace(lines.encode(), own).notes == ()


def test_own_pattern_with_all_its_groups() -> None:
    own = (
        r"^(?P<time>\S+) (?P<direction>in|out) (?P<layer>\S+) (?P<verdict>\w+) (?P<src>\S+) (?P<dst>\S+)"
        r" (?P<flags>\S+) (?P<endpoint>\S+)$"
    )
    trace = read_trace(b"1.5 in 24 drop 10.0.0.2:53 10.0.0.1:5000 0x4 0xAB\nother\n", own)
    assert trace.other_lines == 1
    assert trace.observations == (
        Observation(
            "FWPM_LAYER_DATAGRAM_DATA_V4",
            "block",
            "0xAB",
            "10.0.0.1:5000",
            "10.0.0.2:53",
            0.0,
            ("IS_REAUTHORIZE",),
            "trace, line 1",
            "1.5 in 24 drop 10.0.0.2:53 10.0.0.1:5000 0x4 0xAB",
            "inbound",
        ),
    )


def test_own_keys_read_json_and_pairs() -> None:
    line = b'{"a": {"l": "Datagram Data"}, "v": "absorb", "f": ["IS_REAUTHORIZE"]}\nl2=x a.l=DATAGRAM_DATA v=permit\n'
    trace = read_trace(line, keys="layer=a.l, verdict=v, flags=f")
    assert [(one.verdict, one.flags) for one in trace.observations] == [
        ("absorb", ("IS_REAUTHORIZE",)),
        ("permit", None),
    ]


def test_what_is_not_understood_is_told_with_the_nearest_name() -> None:
    lines = ["layer=AUTH_CONNECT verdict=permit", "layer=AUTH_CONECT verdict=permit", "layer=24 verdict=permt"]
    lines += [f"layer=24 verdict=permit {'x' * LIMIT_LINE_CHARS}", "layer=24 verdict=permit flags=IS_REAUTHORISE"]
    lines += ["layer=24 verdict=permit local=10.0.0.1:70000", "layer=24 time=noon", '{"layer": 24']
    trace = read_trace("\n".join(lines).encode())
    assert accounted(trace)
    assert len(trace.observations) == 1
    why = dict(trace.not_understood)
    assert "Did you mean 'AUTH_CONNECT'" in why["trace, line 2"]
    assert "Did you mean 'permit'" in why["trace, line 3"]
    assert f"at most {LIMIT_LINE_CHARS}" in why["trace, line 4"]
    assert "Did you mean 'IS_REAUTHORIZE'" in why["trace, line 5"]
    assert "no port '70000'" in why["trace, line 6"]
    assert "no time 'noon'" in why["trace, line 7"]
    assert "is no JSON object" in why["trace, line 8"]
    assert trace.other_lines == 0


def test_lines_about_tcp_are_set_aside() -> None:
    trace = read_trace(
        b"layer=24 verdict=permit proto=17\nlayer=48 verdict=permit proto=6\nlayer=48 verdict=permit proto=TCP"
    )
    assert (len(trace.observations), trace.other_lines) == (1, 2)


@pytest.mark.parametrize("layer", catalogue.layers(), ids=lambda layer: layer.name)
def test_every_layer_is_read_by_its_names_and_id(layer: catalogue.Layer) -> None:
    ip = layer.ip_version or 4
    assert layer_of(str(layer.runtime_id), ip, "11", "") == layer.name
    for name in {layer.name, layer.fwps_name, layer.short_name, f"0x{layer.runtime_id:x}"} - {""}:
        assert layer_of(name, ip, "11", "") == layer.name


def test_words_that_name_two_layers_need_a_direction() -> None:
    assert layer_of("Transport", 4, "11", "inbound") == "FWPM_LAYER_INBOUND_TRANSPORT_V4"
    assert layer_of("Transport", 6, "11", "outbound") == "FWPM_LAYER_OUTBOUND_TRANSPORT_V6"
    with pytest.raises(BadWord, match="names 2 layers: INBOUND_TRANSPORT_V4, OUTBOUND_TRANSPORT_V4"):
        layer_of("Transport", 4, "11", "")


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("12.5", 12.5),
        ("1500 ms", 1.5),
        ("00:01:02.250", 62.25),
        ("1:00:00 PM", 46_800.0),
        ("1970-01-02T00:00:01Z", 86_401.0),
        ("1970-01-02 02:00:01,5+02:00", 86_401.5),
        ("01\\02\\1970-00:00:01:623", 86_401.623),
        ("1970/01/02-00:00:01.000000100", 86_401.0000001),
        ("133600000000000000", 13_360_000_000.0),
        ("1700000000000", 1_700_000_000.0),
    ],
)
def test_times_are_read_in_many_forms(word: str, seconds: float) -> None:
    assert seconds_of(word)[0] == pytest.approx(seconds, abs=1e-6)


def test_a_time_of_day_goes_on_after_midnight() -> None:
    trace = read_trace(b"23:59:59.5 layer=24 verdict=permit\n00:00:00.5 layer=24 verdict=permit")
    assert [one.at_s for one in trace.observations] == [0.0, 1.0]


def test_the_newest_line_first_is_noticed_and_told() -> None:
    lines = b"time=3.0 layer=24 verdict=permit\ntime=2.0 layer=48 verdict=permit"
    trace = read_trace(lines)
    assert layers_of(trace) == [CONNECT, DATA]
    assert [one.at_s for one in trace.observations] == [0.0, 1.0]
    assert trace.notes == ("read from the last line to the first (its times fall)",)
    untimed = b"layer=24 verdict=permit\nlayer=48 verdict=permit"
    assert layers_of(read_trace(untimed)) == layers_of(read_trace(untimed, reverse=True))[::-1]


def test_verdicts_flags_and_ends() -> None:
    assert [verdict_of(w) for w in ("FWP_ACTION_BLOCK", "0x1002", "4097", "Allow", "continue")] == [
        "block", "permit", "block", "permit", "",
    ]  # fmt: skip
    assert flags_of("0x24") == (("IS_REAUTHORIZE", "IS_FRAGMENT"), 0)
    assert flags_of("FWP_CONDITION_FLAG_IS_LOOPBACK|reauthorize") == (("IS_LOOPBACK", "IS_REAUTHORIZE"), 0)
    assert flags_of("0x80000000") == ((), 0x80000000)
    ends = [end_of("[2001:db8::1]:53"), end_of("2001:DB8::1", "53"), end_of("10.0.0.1"), end_of("-")]
    assert ends == ["[2001:db8::1]:53", "[2001:db8::1]:53", "10.0.0.1", ""]


# -- refusals


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        (r"(?P<layer>", "is no regular expression"),
        (r"(?P<level>\S+)", "no group of a trace pattern named 'level'"),
        (r"\S+", "has no group 'layer'"),
        (r"(?P<layer>(\w+)+)x", "a repeat inside a repeat"),
        (r"(?P<layer>(?:ab|\wc)*)x", "can begin with the same character"),
        (r"(?P<layer>.*.*.*.*.*.*=X)", "3 open repeats in a row"),
        (r"(?P<layer>\w*\w*\w*\w*)!", "3 open repeats in a row"),
        (r"(?P<layer>\w+)-?(\w*)(?:-\w*)?!", "3 open repeats in a row"),
        (r".*,.*,(?P<layer>.*),x", "[^,]*, in place of .*,"),
        (r"(?=.*.*.*x)(?P<layer>\w+)", "3 open repeats in a row"),
        (r"(?P<layer>\w{0,30}\w{0,30}\w{0,30}!)", "3 open repeats in a row"),
        (r"(?:(?P<layer>\w+)|\w*\w*\w*!)", "3 open repeats in a row"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(expression: str, what: str) -> None:
    with pytest.raises(FsmError) as caught:
        read_trace(b"x", expression)
    assert what in str(caught.value)


def test_ordinary_patterns_do_not_run_away() -> None:
    for expression in (
        r"(?:\[\w+\] )*(?P<layer>\S+)",
        r".*layer=(?P<layer>\w+).*verdict=(?P<verdict>\w+)",
        r"(?:ab|ac)*",
        r"^(?P<time>\S+) +(?P<layer>\S+)\s+(?P<verdict>\w+)\s*$",
        r"^[^,]*,[^,]*,(?P<layer>[^,]*),(?P<verdict>[^,]*),.*$",
        r".*?\[(?P<layer>\w+)\] (?P<src>[\d.]+):(?P<src_port>\d+)\s*->\s*(?P<dst>[\d.]+):(?P<dst_port>\d+).*",
    ):
        assert runs_away(expression) == ""
    assert {pattern.name for pattern in BUILT_IN if pattern.name in ("wfpsampler", "kernel-stack", "layer-name")
            and runs_away(pattern.text)} == set()  # fmt: skip


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(LogError, match=r"names a layer in a form that is known \(json-lines, .*columns\)"):
        read_trace(b"nothing to see\n")
    with pytest.raises(LogError, match="has no line"):
        read_trace(b"")
    with pytest.raises(LogError, match="is no text"):
        read_trace(bytes(range(256)) * 20)
    with pytest.raises(LogError, match="cannot be opened"):
        read_trace("no-such-file.log")
    with pytest.raises(LogError, match="none of 1 lines fits"):
        read_trace(b"layer 24\n", r"layer=(?P<layer>\d+)")
    with pytest.raises(LogError, match="not understood, like every line"):
        read_trace(b"layer=nowhere\n", r"layer=(?P<layer>\w+)")
    with pytest.raises(UnknownName, match="field"):
        read_trace(b"x", keys="layr=a")
    with pytest.raises(FsmError, match="both"):
        read_trace(b"x", "(?P<layer>x)", keys="layer=a")


def test_a_damaged_gzip_gives_what_was_before_and_says_so() -> None:
    whole = gzip.compress("".join(f"ts={n} layer=24 verdict=permit note={n * n:x}\n" for n in range(9000)).encode())
    trace = read_trace(whole[: len(whole) // 2])
    assert trace.broken
    assert 0 < len(trace.observations) < 9000


# -- conversations


def seen(layer: str, local: str = "", remote: str = "", endpoint: str = "") -> Observation:
    return Observation(f"FWPM_LAYER_{layer}", "permit", endpoint, local, remote)


def test_a_bind_belongs_to_every_peer_of_its_socket() -> None:
    bind = seen("ALE_RESOURCE_ASSIGNMENT_V4", "0.0.0.0:5000")
    one = seen("ALE_AUTH_CONNECT_V4", "10.0.0.1:5000", "10.0.0.2:53")
    two = seen("ALE_AUTH_CONNECT_V4", "10.0.0.1:5000", "10.0.0.3:53")
    other = seen("ALE_AUTH_CONNECT_V4", "10.0.0.1:6000", "10.0.0.2:53")
    found, _ = conversations([bind, one, two, other])
    assert [c.observations for c in found] == [(bind, one), (bind, two), (other,)]


def test_handles_hold_lines_together_and_tell_sockets_of_one_port_apart() -> None:
    lines = [seen("ALE_RESOURCE_ASSIGNMENT_V4", "10.0.0.1:5000", "", e) for e in ("0x1", "0x2")]
    found, _ = conversations(lines)
    assert [(c.endpoint, list(c.observations)) for c in found] == [("0x1", lines[:1]), ("0x2", lines[1:])]


def test_a_line_without_ports_is_of_the_only_peer_with_that_address_or_its_layer_is_set_aside() -> None:
    packet = seen("OUTBOUND_IPPACKET_V4", "10.0.0.1", "10.0.0.2")
    one = seen("DATAGRAM_DATA_V4", "10.0.0.1:5000", "10.0.0.2:53")
    two = seen("DATAGRAM_DATA_V4", "10.0.0.1:6000", "10.0.0.2:53")
    (alone,), _ = conversations([one, packet])
    assert alone.observations == (one, packet)
    found, _ = conversations([one, packet, two])
    assert [c.observations for c in found] == [(one,), (two,)]
    assert {c.set_aside for c in found} == {("FWPM_LAYER_OUTBOUND_IPPACKET_V4",)}


def test_layers_outside_the_model_are_counted_apart() -> None:
    found, outside = conversations([seen("IPFORWARD_V4"), seen("DATAGRAM_DATA_V4"), seen("DATAGRAM_DATA_V6")])
    assert [o.layer for o in outside] == ["FWPM_LAYER_IPFORWARD_V4"]
    assert [c.ip for c in found] == [4, 6]


def test_conversations_that_need_different_worlds_are_told() -> None:
    """One port closes silently, the other with closure and release, though callouts stand at both layers."""
    closing = [seen(layer, "10.0.0.1:1", "", "a") for layer in ("ALE_ENDPOINT_CLOSURE_V4", "ALE_RESOURCE_RELEASE_V4")]
    opening = seen("ALE_RESOURCE_ASSIGNMENT_V4", "10.0.0.2:2")
    lines = (seen("ALE_RESOURCE_ASSIGNMENT_V4", "10.0.0.1:1", "", "a"), *closing, opening, opening)
    only = ("ALE_RESOURCE_ASSIGNMENT", "ALE_ENDPOINT_CLOSURE", "ALE_RESOURCE_RELEASE")
    result = check_trace(Trace(lines), only=only, never=("protection_level",))
    assert [one.verdict for one in result.conversations] == [AGREES, AGREES]
    assert [dict(one.possible)["close"] for one in result.conversations] == [("closure_release",), ("nothing",)]
    assert result.conflict == ("endpoint a, 10.0.0.1:1", "10.0.0.2:2")
    assert (result.verdict, result.decides) == (DIVERGES, ())


# -- what the recorded traces tell


def test_the_recorded_traces_are_read_and_what_they_cannot_tell_is_said() -> None:
    if not EVIDENCE.is_dir():
        pytest.skip("the recordings are not here")
    sampler = read_trace(EVIDENCE / "wfpsampler_issue144_udp_connect_redirect.txt")
    assert (sampler.pattern, sampler.lines, sampler.other_lines) == ("wfpsampler", 10, 9)
    assert layers_of(sampler) == ["FWPM_LAYER_ALE_CONNECT_REDIRECT_V4"]
    stack = read_trace(EVIDENCE / "ebpf_issue3786_udp_inbound_stack.txt")
    assert (stack.pattern, stack.lines, stack.other_lines) == ("kernel-stack", 6, 4)
    assert layers_of(stack) == ["FWPM_LAYER_INBOUND_TRANSPORT_V4", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"]
    assert stack.notes == ("read from the last line to the first (a stack has the innermost call first)",)
    for trace in (sampler, stack):
        (result,) = check_trace(trace).conversations
        assert result.verdict == CANNOT_TELL
        assert "verdicts, classify flags, lines of other layers" in result.why
    (inbound,) = check_trace(stack).conversations
    assert [told.stimulus for told in inbound.told] == ["datagram"]
