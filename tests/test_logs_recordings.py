"""Every recording gives the counts that were made by hand, and nothing is lost on the way."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fsm.errors import LogError
from fsm.logs import LogEvent, NotUnderstood, OtherRecord, ReadSummary, read
from fsm.logs.event import Skipped

DATA = Path(__file__).parent / "data"
EVIDENCE = Path(__file__).parents[2] / "shared" / "evidence"
needs_evidence = pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the recordings are not beside this checkout")

# file, lines, members that are no log, counts made by hand
SECURITY_JSON = [
    ("cmd_dumping_ntds_dit_file_ntdsutil.zip", 11184, 0,
     "5152 p17 L28: 10; 5156 p17 L44: 14, L46: 12, L48: 23, L50: 47; p2 L48: 2; p58 L46: 29, L50: 3; "
     "p6 L46: 9, L50: 9; 5158 p17 L36: 23, L38: 22; p6 L38: 8"),
    ("metasploit_procdump_lsass_memory_dump.zip", 42482, 0,
     "5152 p1 L32: 5; p17 L13: 7, L44: 1; 5156 p17 L44: 21, L46: 12, L48: 113, L50: 5; p58 L46: 1; p6 L48: 6; "
     "5157 p17 L44: 1; 5158 p17 L36: 128, L38: 124; p6 L36: 6"),
    ("empire_mimikatz_opth.tar.gz", 5792, 0,
     "5156 p17 L44: 13, L46: 3, L48: 24, L50: 3; p6 L44: 1, L46: 9, L48: 104, L50: 9; 5157 p17 L44: 1; "
     "5158 p17 L36: 6, L38: 6; p6 L36: 98, L38: 9"),
    ("covenant_persistwmi.tar.gz", 1001, 0,
     "5156 p17 L44: 10, L46: 2, L48: 12, L50: 2; p6 L44: 4, L46: 8, L48: 47, L50: 8; 5158 p17 L36: 9, L38: 8; "
     "p6 L36: 47, L38: 8"),
    ("covenant_dcom_registerxll.zip", 5504, 0,
     "5031: 4; 5154 p6 L40: 1, L42: 1; 5156 p17 L44: 4, L48: 8; p6 L44: 13, L46: 10, L48: 42, L50: 10; "
     "5158 p17 L36: 4, L38: 2; p6 L36: 78, L38: 11"),
    ("covenant_dcom_executeexcel4macro_blocked.zip", 1200, 0,
     "5156 p17 L44: 1, L48: 4; p6 L44: 2, L46: 3, L48: 46, L50: 3; 5157 p6 L44: 5; 5158 p17 L36: 1, L38: 1; "
     "p6 L36: 95, L38: 3"),
    ("mimikatz_CVE-2020-1472_Unauthenticated_NetrServerAuthenticate2.zip", 790, 0,
     "5156 p17 L44: 1, L48: 1; p6 L44: 3, L46: 3, L48: 41, L50: 3; 5158 p6 L36: 48, L38: 3"),
    ("purplesharp_pe_injection_createremotethread.zip", 692, 0,
     "5156 p1 L44: 5, L48: 5; p6 L48: 2; 5158 p6 L36: 2"),
    ("cmd_stop_event_logging_controlset001_minint_key.zip", 16010, 1,
     "5156 p17 L44: 6, L48: 1; p58 L50: 1; p6 L48: 2; 5158 p6 L36: 2"),
    ("cmd_psh_stop_netprofm_eventlog_after_reboot.zip", 12704, 1,
     "5154 p6 L40: 1, L42: 1; 5156 p17 L48: 4, L50: 3; p2 L48: 1; p58 L50: 1; p6 L48: 3; 5158 p17 L36: 5, L38: 4; "
     "p6 L36: 3, L38: 1; 5447: 436"),
    ("cmd_netsh_fw_mod_open_ports.zip", 2366, 0, "5447: 8"),
    ("psh_python_webserver.zip", 2395, 0, "5154 p6 L42: 1; 5156 p6 L44: 2, L48: 2; 5158 p6 L36: 3, L38: 1; 5447: 8"),
    ("securityauditing_log4shell_cve2021_44228_java_serialized_object.zip", 39, 0,
     "5156 p6 L44: 1, L48: 4; 5158 p17 L36: 2, L38: 2; p6 L36: 4, L38: 1"),
]  # fmt: skip


def counts_of(text: str) -> Counter[tuple[int, int | None, int | None]]:
    """The notation of these counts: `5152 p1 L32: 5; p17 L13: 7, L44: 1`."""
    counts: Counter[tuple[int, int | None, int | None]] = Counter()
    event, protocol = 0, None
    for part in text.replace(";", ",").split(","):
        *words, number = part.replace(":", "").split()
        layer = None
        for word in words:
            if word[0] == "p":
                protocol = int(word[1:])
            elif word[0] == "L":
                layer = int(word[1:])
            else:
                event, protocol = int(word), None
        counts[event, protocol, layer] = int(number)
    return counts


def counted(events: list[LogEvent]) -> Counter[tuple[int | None, int | None, int | None]]:
    return Counter((e.event_id, e.protocol, None if e.event_id == 5447 else e.runtime_id) for e in events)


@needs_evidence
@pytest.mark.parametrize(("name", "lines", "no_logs", "expected"), SECURITY_JSON, ids=[r[0] for r in SECURITY_JSON])
def test_security_json_recording_gives_the_published_counts(name: str, lines: int, no_logs: int, expected: str) -> None:
    items = list(read([EVIDENCE / "security-json" / name]))
    events = [i for i in items if isinstance(i, LogEvent)]
    others = [i for i in items if isinstance(i, OtherRecord)]
    assert counted(events) == counts_of(expected)
    assert len(events) + len(others) == lines
    assert [i for i in items if isinstance(i, NotUnderstood)] == []
    assert len([i for i in items if isinstance(i, Skipped)]) == len(items) - lines == no_logs
    for event in events:
        assert event.host and event.time_s is not None and event.time and event.time.endswith("Z")
        if event.event_id != 5031:
            assert event.process_id is not None and event.filter_id is not None
            assert event.layer_code
        if event.event_id in (5152, 5156, 5157):
            assert event.direction in ("inbound", "outbound")
            assert None not in (event.source_port, event.dest_port, event.source_address, event.dest_address)


@pytest.mark.parametrize(
    ("event_id", "protocol", "layer", "direction", "source", "dest", "program"),
    [
        (5152, 6, 44, "inbound", ("10.0.0.100", 49278), ("10.0.0.10", 3333), "listener.exe"),
        (5154, 6, 42, None, ("::", 49669), (None, None), "services.exe"),
        (5156, 17, 50, "outbound", ("fe80::80ac:4126:fa58:1b81", 546), ("ff02::1:2", 547), "svchost.exe"),
        (5157, 6, 44, "inbound", ("10.0.0.10", 3333), ("10.0.0.100", 49218), "listener.exe"),
        (5158, 6, 36, None, ("0.0.0.0", 3333), (None, None), "listener.exe"),
        (5159, 6, 36, None, ("0.0.0.0", 5555), (None, None), "nc.exe"),
    ],
)
def test_single_security_event_as_xml(
    event_id: int, protocol: int, layer: int, direction: str | None, source: object, dest: object, program: str
) -> None:
    (event,) = read([DATA / "security-xml" / f"event_{event_id}.xml"])
    assert isinstance(event, LogEvent)
    assert (event.event_id, event.protocol, event.runtime_id, event.direction) == (event_id, protocol, layer, direction)
    assert ((event.source_address, event.source_port), (event.dest_address, event.dest_port)) == (source, dest)
    assert event.application is not None and event.application.startswith("\\device\\harddiskvolume")
    assert event.application.endswith(f"\\{program}") and "\\\\" not in event.application
    assert event.record_number and event.time_s and event.host


NET_EVENTS = [  # file, type, protocol, layer, filter, local, remote, end of the program, terminating filters
    ("quarantine_default_udp_drop", "CLASSIFY_DROP", 17, 44, 66241, ("255.255.255.255", 21), ("10.195.33.252", 61706),
     "\\device\\harddiskvolume1\\windows\\system32\\svchost.exe", 3),
    ("uwp_case2_drop", "CLASSIFY_DROP", 6, 50, 68893, ("2001:4898:1a:1045:8469:3351:e6e2:543", 63187),
     ("2620:1ec:c11::200", 443), "\\uwpsocketclient.exe", 2),
    ("uwp_case4_drop", "CLASSIFY_DROP", 6, 48, 121180, ("10.216.117.17", 52998), ("10.50.50.50", 53),
     "\\uwpsocketclient.exe", 2),
    ("uwp_case8_allow_item", "CLASSIFY_ALLOW", 6, 48, 208757, ("10.195.36.30", 61673), ("204.79.197.200", 443),
     "\\uwpsocketclient.exe", 2),
]  # fmt: skip


@pytest.mark.parametrize("expected", NET_EVENTS, ids=[r[0] for r in NET_EVENTS])
def test_net_event_names_its_ends(expected: tuple[object, ...]) -> None:
    name, kind, protocol, layer, filter_id, local, remote, program, filters = expected
    (event,) = read([DATA / "wfp-netevents" / f"{name}.xml"])
    assert isinstance(event, LogEvent)
    assert event.event_id is None
    assert (event.event_type, event.protocol, event.runtime_id, event.filter_id) == (kind, protocol, layer, filter_id)
    assert ((event.local_address, event.local_port), (event.remote_address, event.remote_port)) == (local, remote)
    assert event.application is not None and event.application.endswith(str(program))
    assert event.source_address is None and event.dest_address is None
    assert event.extra["terminatingFiltersInfo"].count("filterId") == filters


def test_quarantine_drop_keeps_direction_and_origin_as_recorded() -> None:
    (event,) = read([DATA / "wfp-netevents" / "quarantine_default_udp_drop.xml"])
    assert isinstance(event, LogEvent)
    assert (event.direction, event.is_loopback, event.filter_origin) == ("outbound", False, "Quarantine Default")
    assert (event.time_s, event.reauthorize_reason) == (1602032636.281, 0)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("lsass_udp_drops.json", 307,
         "5152 p1 L32: 5; p17 L13: 7, L44: 1; 5156 p6 L48: 2; p17 L44: 21, L46: 12, L48: 74, L50: 5; p58 L46: 1; "
         "5157 p17 L44: 1; 5158 p6 L36: 2; p17 L36: 86, L38: 84"),
        ("ntds_icmp_errors.json", 104,
         "5152 p17 L28: 10; 5156 p6 L46: 1, L50: 1; p17 L44: 2, L48: 12, L50: 36; p58 L46: 29, L50: 3; "
         "5158 p6 L38: 2; p17 L36: 1, L38: 1"),
    ],
)  # fmt: skip
def test_trimmed_recording_is_read_completely(name: str, lines: int, expected: str) -> None:
    items = list(read([DATA / name]))
    assert len(items) == lines
    assert not any(isinstance(i, NotUnderstood) for i in items)
    assert counted([i for i in items if isinstance(i, LogEvent)]) == counts_of(expected)
    assert sum(isinstance(i, OtherRecord) for i in items) == 6
    assert [i.record for i in items] == list(range(1, lines + 1))


@needs_evidence
@pytest.mark.parametrize(
    ("copy", "archive"),
    [
        ("lsass_udp_drops.json", "metasploit_procdump_lsass_memory_dump.zip"),
        ("ntds_icmp_errors.json", "cmd_dumping_ntds_dit_file_ntdsutil.zip"),
    ],
)
def test_trimmed_lines_are_lines_of_the_original_in_its_order(copy: str, archive: str) -> None:
    with zipfile.ZipFile(EVIDENCE / "security-json" / archive) as opened:
        original = iter(opened.read(opened.namelist()[0]).splitlines(keepends=True))
    for line in (DATA / copy).read_bytes().splitlines(keepends=True):
        assert any(line == candidate for candidate in original)  # goes on where the last line was found


@needs_evidence
@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("pfirewall/ParseFirewallLog_pfirewall.log", "Windows Firewall text log"),
        ("pfirewall/plaso_windows_firewall.log", "Windows Firewall text log"),
        ("wfp-state/keploy_wfpstate.xml.gz", "netsh wfp show state"),
        ("wfp-filters/le_voile_filters.xml", "WFP filters"),
        ("wfp-filters/ebpf_netebpfext_objects.xml", "WFP object"),
        ("wfp-netevents/uwp_filter_121180.xml", "a WFP filter"),
        ("etw-text/netebpfext_connect_redirect.txt", "text of an event trace"),
        ("etw-text/msquic_tsg_tcpip_uro.txt", "text of an event trace"),
        ("callout-traces/ebpf_issue3786_udp_inbound_stack.txt", "wfp-udp check FILE"),
        ("callout-traces/wfpsampler_issue144_udp_connect_redirect.txt", "wfp-udp check FILE"),
    ],
)
def test_other_recordings_are_named_and_refused(path: str, named: str) -> None:
    content = (EVIDENCE / path).read_bytes()
    # by content: a stream has no name to go by
    with pytest.raises(LogError, match="Readable here: ") as caught:
        list(read([io.BytesIO(content)]))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_evidence
def test_summary_of_all_recordings() -> None:
    summary = ReadSummary()
    for item in read(sorted((EVIDENCE / "security-json").iterdir())):
        summary.note(item)
    assert (summary.readable, summary.not_understood, summary.exit_status) == (sum(r[1] for r in SECURITY_JSON), 0, 0)
