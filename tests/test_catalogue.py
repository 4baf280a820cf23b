"""The layer catalogue: equal to the table it was made from, and every layer found by everything it is called."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm import catalogue
from fsm.catalogue import by_name, by_runtime_id, find, layer_of, layers, numbering, resolve, twin_of
from fsm.cli.layers import command, layer_card, layer_record, layers_csv, layers_table
from fsm.errors import FsmError, UnknownName
from fsm.names import WINDOWS

SHARED = Path(__file__).resolve().parents[2] / "shared"
REVIEWED_CSV = SHARED / "wfp" / "layers.csv"
STATE_DUMP = SHARED / "evidence" / "wfp-state" / "keploy_wfpstate.xml.gz"

# The one remark that the package words for a reader, not for the reader of a table.
DISCARD_REMARK = re.compile(r"discard row: discard_twin names the normal layer; [^|]*")
DISCARD_NOTE = "blocking here can suppress the follow-up ICMP error or RST (wfp-udp sources b.4)"


def ids(found: tuple[catalogue.Layer, ...]) -> list[int]:
    return [layer.runtime_id for layer in found]


def refused(what: str, **options: object) -> str:
    with pytest.raises(UnknownName) as caught:
        find(what, **options)  # type: ignore[arg-type]
    return str(caught.value)


# ---- the data


@pytest.mark.skipif(not REVIEWED_CSV.exists(), reason="the reviewed table is not beside this checkout")
def test_all_layers_equal_the_reviewed_table_in_every_field() -> None:
    with REVIEWED_CSV.open(encoding="utf-8", newline="") as file:
        reviewed = {int(row["runtime_id"]): row for row in csv.DictReader(file)}
    assert sorted(reviewed) == ids(layers())
    for layer in layers():
        carried = {
            "fwpm_name": layer.fwpm_name,
            "fwps_name": layer.fwps_name,
            "runtime_id": str(layer.runtime_id),
            "guid": layer.guid,
            "ip_version": "any" if layer.ip_version is None else str(layer.ip_version),
            "direction": layer.direction,
            "group": layer.group,
            "is_discard": "yes" if layer.is_discard else "no",
            "discard_twin": layer.discard_twin or "",
            "since_windows": layer.since_text,
            "classified_per": layer.classified_per,
            "block_allowed": layer.may_block,
            "pend_support": layer.may_pend,
            "redirect_support": layer.may_redirect,
            "source": " | ".join(p for p in (layer.source, layer.note) if p),
        }
        wanted = reviewed[layer.runtime_id]
        assert carried == {**wanted, "source": DISCARD_REMARK.sub(DISCARD_NOTE, wanted["source"])}


@pytest.mark.skipif(not REVIEWED_CSV.exists(), reason="the reviewed table is not beside this checkout")
def test_the_rs5_id_is_the_one_of_the_reviewed_table() -> None:
    for layer in layers():
        stated = re.search(r"RS5-era header gives (\d+)", layer.note)
        assert layer.rs5_id == (int(stated[1]) if stated else None)


@pytest.mark.skipif(not STATE_DUMP.exists(), reason="the evidence is not beside this checkout")
def test_ids_names_and_guids_equal_a_real_state_dump() -> None:
    text = gzip.decompress(STATE_DUMP.read_bytes()).decode("utf-8-sig")
    dumped = re.findall(r"<layer>\s*<layerKey>(.*?)</layerKey>(.*?)<layerId>(\d+)</layerId>", text, re.DOTALL)
    assert len(dumped) == 99
    for key, rest, number in dumped:
        layer = by_runtime_id(int(number))
        # 83 and 84 have no name, so netsh prints their GUID.
        assert key == (layer.fwpm_name or f"{{{layer.guid}}}")
        name = re.search(r"<name>(.*?)</name>", rest)
        assert name is not None
        assert layer.display_name == name[1].strip()


def test_the_packaged_data_is_the_reviewed_one() -> None:
    found = layers()
    assert ids(found) == list(range(99))
    assert len({layer.guid for layer in found}) == 99
    assert len({layer.name for layer in found}) == 99
    assert Counter(layer.ip_version for layer in found) == {4: 40, 6: 40, None: 19}
    assert Counter(layer.is_discard for layer in found) == {False: 71, True: 28}
    assert Counter(layer.may_block for layer in found) == {"yes": 82, "unknown": 9, "no": 6, "error-only": 2}
    assert Counter(layer.since for layer in found) == {"vista": 67, "7": 13, "8": 10, "8.1": 4, "10": 3, "11": 2}
    text = json.dumps([asdict(layer) for layer in found], sort_keys=True)
    assert text.isascii()
    # After a reviewed change of the data: print this digest and set it here.
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "dab21c707283bfbcbcb0ab5db06cacc2d0072f8c24f41f403fd0866d9cb9b730"
    )


def test_since_is_a_known_windows_and_agrees_with_the_source_wording() -> None:
    for layer in layers():
        assert layer.since in WINDOWS
        assert layer.since_text.lower().removeprefix("windows ").startswith(layer.since)


def test_discard_twins_are_symmetric() -> None:
    for layer in layers():
        twin = twin_of(layer)
        if twin is None:
            assert not layer.is_discard
            continue
        assert twin_of(twin) is layer
        assert twin.is_discard is not layer.is_discard
        assert (twin.ip_version, twin.direction, twin.group) == (layer.ip_version, layer.direction, layer.group)
        assert abs(twin.runtime_id - layer.runtime_id) == 1
        assert twin.stem.removesuffix("_DISCARD") == layer.stem.removesuffix("_DISCARD")


def test_only_ids_83_and_84_have_no_management_name() -> None:
    assert [layer.runtime_id for layer in layers() if not layer.fwpm_name] == [83, 84]
    assert by_runtime_id(83).name == "FWPS_LAYER_RESERVED_LAYER_9"


def test_names_of_a_layer_are_derived_from_the_full_name() -> None:
    connect = by_runtime_id(48)
    assert (connect.stem, connect.short_name) == ("ALE_AUTH_CONNECT", "ALE_AUTH_CONNECT_V4")
    assert (connect.message_code, connect.event_words) == ("%%14611", "Connect")
    discard = by_runtime_id(1)
    assert (discard.stem, discard.short_name) == ("INBOUND_IPPACKET_DISCARD", "INBOUND_IPPACKET_V4_DISCARD")
    assert (discard.message_code, discard.event_words) == ("%%14596", "IP Packet")
    assert by_runtime_id(72).message_code == "%%14641"
    assert by_runtime_id(93).message_code is None and by_runtime_id(93).event_words is None


@pytest.mark.parametrize(
    ("runtime_id", "code"),
    [(13, 14597), (28, 14601), (32, 14601), (44, 14610), (40, 14609), (48, 14611), (36, 14608)],
)
def test_codes_equal_those_seen_beside_their_ids_in_real_events(runtime_id: int, code: int) -> None:
    assert by_runtime_id(runtime_id).message_code == f"%%{code}"


# ---- one layer


def test_layer_of_gives_the_layer_of_a_stem_for_each_version() -> None:
    for layer in layers():
        for ip in (4, 6) if layer.ip_version is None else (layer.ip_version,):
            assert layer_of(layer.stem, ip) is layer
    with pytest.raises(UnknownName, match="Did you mean 'ALE_AUTH_CONNECT'"):
        layer_of("ALE_AUTH_CONECT", 4)
    with pytest.raises(UnknownName, match="no IP version named '5'"):
        layer_of("ALE_AUTH_CONNECT", 5)


def test_by_name_takes_full_names_only() -> None:
    assert by_name("FWPM_LAYER_ALE_AUTH_CONNECT_V6").runtime_id == 50
    assert by_name("FWPS_LAYER_RESERVED_LAYER_10").runtime_id == 84
    with pytest.raises(UnknownName):
        by_name("ALE_AUTH_CONNECT_V6")
    with pytest.raises(UnknownName):
        by_name("")


# ---- look-up


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: layer.short_name)
def test_every_layer_is_found_by_each_of_its_own_names(layer: catalogue.Layer) -> None:
    spellings = [
        layer.name,
        layer.fwps_name,
        layer.name.lower(),
        layer.short_name,
        layer.short_name.lower(),
        layer.short_name.removeprefix("ALE_"),
        layer.short_name.replace("_", "-"),
        layer.short_name.replace("_", " "),
        layer.short_name.replace("_", "/"),
        f"FWPM_LAYER_{layer.stem.removesuffix('_DISCARD')}_DISCARD_V{layer.ip_version}" if layer.is_discard else "",
        layer.display_name,
        str(layer.runtime_id),
        layer.guid,
        layer.guid.upper(),
        f"{{{layer.guid}}}",
    ]
    for spelling in filter(None, spellings):
        assert find(spelling) == (layer,), spelling
        assert resolve(spelling) is layer, spelling
    both_versions = tuple(other for other in layers() if other.stem == layer.stem)
    assert find(layer.stem) == both_versions
    if layer.stem != "STREAM":  # in lower case that is the log's word
        assert find(layer.stem.removeprefix("ALE_").lower().replace("_", "-")) == both_versions
    assert find(layer.stem, ip=layer.ip_version) == (both_versions if layer.ip_version is None else (layer,))
    if layer.message_code:
        assert layer in find(layer.message_code)
        assert layer in find(layer.message_code.removeprefix("%%"))
        assert layer in find(layer.event_words or "")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("FWPM_LAYER_ALE_AUTH_CONNECT_V4", [48]),
        ("ale_auth_connect", [48, 50]),
        ("Auth Connect v6", [50]),
        ("auth/connect", [48, 50]),
        ("  auth   connect  ", [48, 50]),
        ("INBOUND_TRANSPORT", [12, 14]),
        ("INBOUND_TRANSPORT_DISCARD", [13, 15]),
        ("INBOUND_TRANSPORT_DISCARD_V4", [13]),
        ("inbound ippacket", [0, 2]),
        ("013", [13]),
        ("{AC4A9833-F69D-4648-B261-6DC84835EF39}", [13]),
        ("%%14611", [48, 49, 50, 51]),
        ("%14611", [48, 49, 50, 51]),
        ("14601", list(range(28, 36))),
        ("%%14604", list(range(72, 78))),
        ("vSwitch", list(range(72, 78))),
        ("vSwitch Egress", [73, 76, 77]),
        ("%%14598", [8, 9, 10, 11]),
        ("Receive/Accept", [44, 45, 46, 47]),
        ("receive/accept", [44, 45, 46, 47]),
        ("Receive/Accept v6", [46, 47]),
        ("Connect", [48, 49, 50, 51]),
        ("ICMP Error", list(range(28, 36))),
        ("Transport", list(range(12, 20))),
        ("transport discard", [13, 15, 17, 19]),
        ("IP Packet", list(range(8))),
        ("MAC 802.3", [56, 57]),
        ("Endpoint Closure", [64, 65]),
        # Where words and name are alike the spelling decides.
        ("Resource Assignment", [36, 37, 38, 39]),
        ("resource assignment", [36, 37, 38, 39]),
        ("RESOURCE_ASSIGNMENT", [36, 38]),
        ("resource-assignment", [36, 38]),
        ("ALE Resource Assignment", [36, 38]),
        ("Stream", [20, 21, 22, 23]),
        ("STREAM", [20, 22]),
        # As netsh shows them.
        ("ALE Connect v4 Layer", [48]),
        ("ALE Accept Redirect v4 Layer", [83]),
        ("ale accept redirect", [83, 84]),
    ],
)
def test_documented_spellings_find(what: str, expected: list[int]) -> None:
    assert ids(find(what)) == expected


def test_ip_version_narrows_words_and_codes() -> None:
    assert ids(find("%%14611", ip=6)) == [50, 51]
    assert ids(find("Transport", ip=4)) == [12, 13, 16, 17]
    assert ids(find("INBOUND_TRANSPORT_FAST", ip=6)) == [78]


def test_an_unknown_name_proposes_the_nearest() -> None:
    assert "Did you mean 'ALE_AUTH_CONNECT'" in refused("ALE_AUTH_CONECT")
    assert "Did you mean 'FWPM_LAYER_ALE_AUTH_CONNECT_V4'" in refused("FWPM_LAYER_ALE_AUTH_CONECT_V4")
    assert "Did you mean 'FWPS_LAYER_DATAGRAM_DATA'" in refused("fwps_layer_datagram_dat")
    assert "'Receive/Accept'" in refused("Recieve/Accept")
    assert "'INBOUND_TRANSPORT_DISCARD'" in refused("inbound_trnsport_discard")
    assert refused("zzzz", where="--block") == "--block: no layer named 'zzzz'. See wfp-udp layers for all names."


def test_a_guid_proposes_another_only_when_few_characters_differ() -> None:
    guid = by_runtime_id(48).guid
    assert f"{{{guid}}}, ALE_AUTH_CONNECT_V4?" in refused(guid[:-1] + "3")
    assert "Did you mean" not in refused("00000000-0000-0000-0000-000000000000")
    assert "no layer has the GUID '{nonsense}'" in refused("{nonsense}")


def test_numbers_that_name_no_layer_say_why() -> None:
    assert refused("140") == "layers: no layer has run-time id 140 on Windows 11. Known ids run from 0 to 98."
    assert "run-time id of 5000 digits" in refused("9" * 5000)
    assert "%%14592 is the direction Inbound, not a layer" in refused("%%14592")
    assert "ICMP Echo-Request" in refused("14640")
    assert "no layer has the message code '%%14613'" in refused("14613")
    assert "no layer has the message code '%%48'" in refused("%%48")
    with pytest.raises(UnknownName, match="run-time id -1"):
        by_runtime_id(-1)
    assert "is empty" in refused("  ")


def test_a_version_that_does_not_fit_is_an_error_that_names_the_other() -> None:
    text = refused("ALE_AUTH_CONNECT_V6", ip=4)
    assert "is an IPv6 layer, but IPv4 is asked for" in text
    assert "ALE_AUTH_CONNECT_V4" in text
    assert "Did you mean 'INBOUND_RESERVED2'" in refused("INBOUND_RESERVED2_V4")
    assert "no IP version named '5'" in refused("Connect", ip=5)


def test_a_windows_without_the_layer_is_an_error_that_says_since_when() -> None:
    text = refused("ALE_ENDPOINT_CLOSURE", windows="vista")
    assert "does not exist on Windows vista" in text
    assert "since Windows 7 / Server 2008 R2" in text
    assert "NAME_RESOLUTION_CACHE_V4 exists since Windows 7" in refused("60", windows="vista")
    assert ids(find("ALE_ENDPOINT_CLOSURE", windows="7")) == [64, 65]
    assert "no Windows version named '12'" in refused("Connect", windows="12")


def test_ids_above_81_are_read_for_the_windows_asked_for() -> None:
    assert by_runtime_id(90).short_name == "IPSEC_V6"
    assert by_runtime_id(90, windows="10").short_name == "INBOUND_RESERVED2"
    assert by_runtime_id(81, windows="10").runtime_id == 81
    assert find("102", windows="10") == (by_runtime_id(98),)
    assert "It is RPC_EP_ADD on Windows 10" in refused("99")
    assert "It is RESERVED_LAYER_9 on Windows 11" in refused("83", windows="10")
    assert "not known for Windows 7" in refused("90", windows="7")
    assert by_runtime_id(90).runtime_id_on("7") is None
    assert "2024" in numbering() and "RS5" in numbering("10") and "83 and 84" in numbering()


def test_resolve_gives_exactly_one_layer_or_lists_the_candidates() -> None:
    assert resolve("AUTH_CONNECT", 4).runtime_id == 48
    assert resolve("Connect", 6).runtime_id == 50  # the layer, not its discard twin
    assert resolve("INBOUND_TRANSPORT_DISCARD", 4).runtime_id == 13
    with pytest.raises(UnknownName) as caught:
        resolve("Transport", 4, where="--block")
    assert isinstance(caught.value, FsmError)
    assert str(caught.value) == (
        "--block: 'Transport' names 2 layers. "
        "Candidates: INBOUND_TRANSPORT_V4, OUTBOUND_TRANSPORT_V4. Give one of them."
    )
    with pytest.raises(UnknownName, match="ALE_AUTH_CONNECT_V4, ALE_AUTH_CONNECT_V6"):
        resolve("AUTH_CONNECT")


def test_importing_the_catalogue_reads_nothing() -> None:
    code = (
        "import sys, fsm.catalogue as c; assert 'csv' not in sys.modules and 'click' not in sys.modules;"
        "assert c._catalogue.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the command


def run(*args: str) -> str:
    done = CliRunner().invoke(command, args, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_json_holds_every_field_of_every_layer() -> None:
    records = json.loads(run("--format", "json"))
    assert len(records) == 99
    for record, layer in zip(records, layers(), strict=True):
        fields = asdict(layer) | {"fwpm_name": layer.fwpm_name or None}
        assert {key: record[key] for key in fields} == fields
        assert record["layer"] == layer.name
        assert (record["stem"], record["short_name"]) == (layer.stem, layer.short_name)
        assert (record["message_code"], record["event_words"]) == (layer.message_code, layer.event_words)
    assert records[48]["discard_twin_id"] == 49
    assert records[83]["fwpm_name"] is None


def test_csv_and_json_hold_the_same() -> None:
    text = run("--format", "csv")
    assert "\r" not in text and text.endswith("\n")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(layer_record(layers()[0]))
    as_text = {None: "", True: "yes", False: "no"}
    for row, record in zip(rows, json.loads(run("--format", "json")), strict=True):
        assert row == {k: as_text[v] if v is None or isinstance(v, bool) else str(v) for k, v in record.items()}
    assert layers_csv(layers()) == text


def test_the_table_fits_100_columns_and_says_which_build_it_means() -> None:
    for windows in WINDOWS:
        text = run("--windows", windows)
        assert max(map(len, text.splitlines())) <= 100
        assert "Ids 83 and 84" in " ".join(text.split())
    lines = layers_table(layers()).splitlines()
    assert lines[0].split() == ["id", "name", "IP", "direction", "group", "twin", "since", "block", "pend", "redir"]
    assert " ".join(lines[14].split()) == "13 INBOUND_TRANSPORT_V4_DISCARD 4 inbound transport 12 vista yes no no"
    assert " ".join(lines[49].split()) == "48 ALE_AUTH_CONNECT_V4 4 outbound ale 49 vista yes operation no"
    assert "the same on every build" in layers_table(find("Transport"))


def test_few_layers_are_printed_as_cards_with_everything() -> None:
    assert run("auth", "connect", "v4") == layer_card(by_runtime_id(48)) + "\n"
    for layer in layers():
        lines = layer_card(layer).splitlines()
        assert max(map(len, lines)) <= 100
        text = " ".join(" ".join(lines).split())
        for value in (layer.name, layer.fwps_name, layer.guid, layer.display_name, layer.since_text, layer.may_pend):
            assert value in text
        for value in (layer.classified_per, layer.may_redirect, *layer.note.split(" | "), *layer.source.split("; ")):
            assert value in text
    assert "90 on Windows 10" in run("INBOUND_RESERVED2", "--windows", "10")
    assert len(run("Connect").split("\n\n")) == 4
    assert "8 layers." in run("Transport")


def test_listing_can_be_narrowed_to_a_version_and_a_windows() -> None:
    assert "59 layers." in run("--ip", "6")
    assert "67 layers." in run("--windows", "vista")


def as_process(*args: str, encoding: str = "cp1252") -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run([sys.executable, "-m", "fsm", "layers", *args], capture_output=True, env=env, check=False)


@pytest.mark.parametrize("args", [(), ("--format", "json"), ("--format", "csv"), ("Connect",), ("83",)])
def test_output_is_ascii_in_a_cp1252_pipe(args: tuple[str, ...]) -> None:
    done = as_process(*args)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii() and done.stdout.endswith(b"\n")


def test_a_wrong_name_is_one_line_and_exit_status_2() -> None:
    done = as_process("ALE_AUTH_CONECT")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines() == [
        "error: wfp-udp layers: no layer named 'ALE_AUTH_CONECT'. Did you mean 'ALE_AUTH_CONNECT' "
        "or 'ALE_AUTH_RECV_ACCEPT' or 'ALE_AUTH_LISTEN'? See wfp-udp layers for all names."
    ]
    assert as_process("caf\u00e9").returncode == 2
