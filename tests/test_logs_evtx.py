"""Binary event logs: counts of the recordings, damage told and passed by, and what is said without the package."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from explain_records import EVIDENCE

from fsm.cli.explain import command
from fsm.errors import LogError
from fsm.logs import LogEvent, NotUnderstood, OtherRecord, ReadSummary, read

HEADER, CHUNK = 4096, 65536
FIRST_RECORD = HEADER + 512

# Security_short_selected.evtx: github.com/omerbenamram/evtx, samples/, commit
# 9c7d0b5429e86200d9e449bbdd2679cbe54b54ea, MIT or Apache-2.0. Whole and unchanged, as zlib in base 85.
SHORT = zlib.decompress(
    base64.b85decode(
        b"""
c-rln3v3+K6^75u&aT(%-L)OZ1VTa*APEWBNo?#mq!5fBA&o;!;xwrmDKYkjI9abFKSCaaIJ}cqNJv2GQxT;qR4tEIw1onV+R}%FXrV6^si>;@Kt
c#opsi>m_nb3#c4jxb#sr+G%KxqI&fJ-E=iYnHx#!+HyKU)h?S1JK<r6i>QBD?xh$<}lxEUR`|4RS>000000001(blTF}TDE6)lDE4rF~|J8ya%8
Qh&nGMI@G`Lfsb0RJpcNOj_e6un;9YcEm!zXnCNvUSN;TFzcTdU>v`z|${dQAy2I}A-$wr7h%fUczP2r|Ju5i>AKN{jo>xbI*gt>NoUdWoc7EnFP
Vu(%PanUn8!CyOOS<Q8migDeT{3ZfBxdF27cM0FbJVx@(I+n6IQ^BEt#ZqvxHUh1aCn~SrJVnz;pK+!pZLn*m2-dgySuq3BGp_;H#=?zg=gYnYNO
qhq6`gl{w_|D9p>h<<zd=G{gmdLL!1v=4YZxbhG`dFL5uh^L_K^Z#WLM|UdzWmzA{JyoExBRELqF>0lvP7ZsL0xKGxA<{#?#yi>ZmfQ`zc=a&opc
Huhr3x7$Ehgx1qumKxR?iR|XFu}=pqdVGJBI<@xQTvsnk4f54SPVJsEuD;))>$tJ~BrnmDNwOlF%&i604y~jSEy=gasXWviqBVTJ&q%!2T@p~%Dr
yxyi^9a^<S`3gjnVb|h;CL{A9ue`n;@!7Iux;!A&NLw8C@9g^m9u~=u<|lk6WIRekIGuaV#CdSr_kpDNG$kJ!usp5wd9pXJ!~bZQJiqm)c^dir7-
2MYGKi5FWcALTlN8VwPUjf}OPFNnyH}{E@TcS5aEcxA(H$2Do*-+6_AyrfP@P-pQGJjp*`w%DB=#)oBZhrnmuOqFzruGK$2fKCwTRV?nPFt0zL0A
uGn-;>VKqP$Ho1b$skGEpat(Cu0<ow%id22oL?UjN2e$gQ_QKiKo`h^3Zl87&{)LW`3gF7H=8mcDc_@mQZ;_f`XX6;e|@AI-TuPkwOV^m$9+_KoI
%CQ>EO2J=*Y*Ks&CLcCa-`+7kOisqxt!798S_d0>>H5ecng+B=p-Sy|hSZaoDgODP(%D%723ngDnkyJ!nbc5_Xctfy3v<?v{_oZP4;hFhMAs-pVY
6-KmcGFI%c6*b1$rCJnE79C#`2);*aqijaESA#|iL=veYUL4-m5upv-7kR2_Y@Dh>PO_5bI5b6P6h{+#s3svw)toBz+~G4xQHrUYM?2>#sGO5U4W
T)FrL=DLRQF!Rs22}KUR?Bz!?7wipq~_&YG|Vdq+ZV7#8+!h>QfEddW7%ysqHd!Bh7u__O3l$_pSQ+GgmDSUGkGeehD`WU$gJwe|bS(&fj{y=KW)
LKKsJ_w@y60)po-$TcgW%=TD*a*3y8lx2m&sn+Uhu%%|cpM+Th0-Sb7|64}Dm$xhTuc7ogiQe&Pl%a<?XzU|^qTJ_?O5<9_dlQIiTnVdRWS!z)G?
91D({1PL7kuRTMjSi@Gq*cw_qFya6?Xwdhx7?+s+)Te*ET>$j`XNsT3CAr_us5yx+~JdI3A<(Hn=<G5Wun<Kehravq+R_EtBwa)Z+4=DqD6bq&iY
B4VYQCOt_%V@5q0fRP`4dyg}o~8%};isbR1jw^8WKBAUag0Ln+3?$|9cNXgVhuMCWpf>R@t*RZ{b@?9i&Ax%^qeQ*#3?<7v8%>Ny}U<9sb&ZP1)d
-gSDvk@L&=dLw_=vP>g?H>%`fPWAk0;yW_1r$yc6O7Q7RDUrX{k#&u%Z+^|=!uGB`e|Xc$>zj`&e*D~$_+c#$O>ytd9`)*zpU_@p&CEM;2I9w|tM
2)%w_ud>)~C)n@c7?rU%TWB=e~Nim5m>lTW<W27*TILWUlWaNp8;w-9S6cc=f{ZdR^d1Y^W07YA_||`z6bZl=S`5#E504?4^F$%Dl3zI>mHr|NZh
NW=x>f9bEoKjWljV3%SdWrKaQpzhp%~Ha8af^-2VBNTz3=jo6JWP2x7<4wmbtVey784##WwIcs@zHS?1%W^2p&YF;9)<FgHX?;mDm=K4W8Tf0I0S
p4}xK88+<Ki{kVOihnW@#e#Pf1ZCP{Q3B0$86aMNmu3kZ@<{S^Vz@7+xpJedVc&GW&QaT^8LABjPGPS_VB{Cn`=%5tV-i}lPrb@Rel^lE?C<}ofU
TK4AFh^e0Py4Q|*_L?TITpVrICh>}_JIPnsxPp{AS4+F!+sFY%-GoZ7jSTUfUn_;@Y*-E|tzTlk6`*K&Rf_q~~~tmf~PEU|^R3`_WXvCen>YK=Z^
>7dpxEzkGh9Yn{}^bZ=p+*CqYKRSBoo=Nn}>m%xyODc={<t1mrFZVt4_WK*$UXYxxJaJ3opX~RyeD!-jDt*Ms`sJ6Mvp3EbT-6mCQ(kW!x3{M-7R
^enU}O)LEZoz`ghyowkIG^_YuD$d)l*Ws@9S1S%;?&!_*%@>Wo|vCZaqcTZl1Qg*c*3g4`S|W@)T#bGPiZBOzGu*>GO1S4C`x}jE<1tdcRmqjl0h
)=(U9-qhB`Rmc7!HUF4Uo;{Fcm-gHQ#*09-AuUB8#t!+!G_LAf5Dmu7qv38e_V<q=>Mu+O*M%9R&sBpDjP`=QPs*)<4;`38s+e{g!O{>`Y`FobCa
eP_i{r$>RUC&e(SkFj4IOD|4Q9^an$jLq1BsYXt)763f!l|x@tiXTICO$v)^ZX<`1le`S{z2v|*_(KgqMq-}X04`lB#76!Z)EbHQ$sacb5q=HK?_
|$oAc(7%{i~3<jI@O>q&nVSIhV0-A(abP^0d28fmFpk<6zuuO8#>d#{wYwtcsE^5)g2DgXV4SD*L(W5tm(`2NG&hsFc@P}}T7?E?EyuaiOB<nBmw
cbiN2)1<jNV~IjL(I$Oa{$wO~589}AFAMHJ#cpE1qudVf=Y*|mpWHcl_Pbx-U&ZR?7Pa5i#(vi6v|shAgE8;N4LSeT7q^`M%Qa)`>X)~4KJ350de
HXQMH7mjt#~7KR=$y9`9(&4jxQhA^;N(2AeHm7SXMK|*UZ6EYjhQ`UA;SH%JR&|b7CSd_INR8dXd;8^QEK@8-s#zX1wV1!7(T}Yg&c=y)AJ`;!~&
N|IRzP@u^MY6V*3o_ibK%`WJIf*PMy@CH;;1Chvz)Iq$svkH3H7xvlqIyW*!E<j1FX&*JxE1;^XkKsj&4E#KKVHrJGz=9enTTbpO&SHbAosg~NUk
tU@p^A5A_%SN&Zue3`}VWl0_^>Ar{^{|XUNi$6TijT0q&G*XL`kP>n&JeQ0nyqmuWA-M4rzGFS_iremPw!3QL|3(G&UdSpy!C9BP6z*|0RR91000
0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
000000000000000000000000000000000000001h|36-zNz_zDv@c{XSe72bQ}}BQ^-&KE(f|!{+D5}vLmT;8hI%=F6JM>N4V>$v-IQXvA?l_yb@
6$cQ$MF+zPguMIN!&)4CfDi=WuV!&3A5^NwMx9E?oMV$*5xyt)*Qm-Oaf^eojV9#jWSxn0nilQSK%8&Y=WZo*o=}gwGc)Bt7mo+8DWi?A={ce`A%
iR^ry@2GeiOvx!7C7MGA@Q^X{qC{=T+qzZjrR8y2<Di^0JePS2qDyW<rW6?C4!*`bQ$88QX>eX1xPW#VtJ5i3EZZ_JOcJ#61-#q7Z+R3Z2ke%Y^`
7Jxk>_mmf(*dK6b1EO7bUQWi$G4MLW3lmc0Co!4=@z4nN4Jc;dwT8U)mX?*FV6B?hWSa32aPsn-8K1k%8h$ojm7MA5OxaKY1C-r?d?n6JH6w{tFc
(z8%5j;*y)hb#*PD%Z>QYx<keWnPBYs4mcdSPywzyq^G$W9c|3VF78_5uVqI<(-(~&}BP%K8
""".replace(b"\n", b"")
    )
)

# file, records, events by id, protocol and layer: counted by hand
RECORDINGS: list[tuple[str, int, dict[tuple[int, int | None, int | None], int]]] = [
    ("Security_short_selected.evtx", 7, {(5152, 1, 44): 1, (5152, 6, 13): 1, (5157, 1, 44): 1}),
    ("ID4688-5447-4950-Firewall-disabled-command.evtx.gz", 998,
     {(5447, None, 44): 208, (5447, None, 46): 200, (5447, None, 48): 296, (5447, None, 50): 280}),
    ("ID4624-4670-4688-4674-DAMP.evtx.gz", 824, {(5447, None, layer): 4 for layer in (40, 42, 44, 46)}),
]  # fmt: skip
needs_evidence = pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the evidence is not beside this checkout")

pytest.importorskip("evtx")


def file(tmp_path: Path, data: bytes, name: str = "a.evtx") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def counted(items: list[Any]) -> dict[tuple[int | None, int | None, int | None], int]:
    return dict(Counter((e.event_id, e.protocol, e.runtime_id) for e in items if isinstance(e, LogEvent)))


def troubles(items: list[Any]) -> list[NotUnderstood]:
    return [item for item in items if isinstance(item, NotUnderstood)]


def record_at(number: int) -> tuple[int, int]:
    """Offset and size of one record of the first chunk."""
    at = FIRST_RECORD
    for _ in range(number):
        at += struct.unpack_from("<I", SHORT, at + 4)[0]
    return at, struct.unpack_from("<I", SHORT, at + 4)[0]


def damaged(at: int, by: bytes, data: bytes = SHORT) -> bytes:
    return data[:at] + by + data[at + len(by) :]


def two_chunks() -> bytes:
    """The records twice, in two chunks."""
    return damaged(42, struct.pack("<H", 2), SHORT) + SHORT[HEADER:]


def run(*args: str, stdin: bytes | None = None) -> Any:
    return CliRunner().invoke(command, args, input=stdin)


@needs_evidence
@pytest.mark.parametrize(("name", "records", "expected"), RECORDINGS, ids=[r[0] for r in RECORDINGS])
def test_recording_gives_the_published_counts(
    name: str, records: int, expected: dict[tuple[int, int | None, int | None], int]
) -> None:
    items = list(read([EVIDENCE / "security-evtx" / name]))
    assert len(items) == records and not troubles(items)
    assert counted(items) == expected
    assert [item.record for item in items] == list(range(1, records + 1))


@needs_evidence
def test_inline_copy_is_the_recording() -> None:
    assert (EVIDENCE / "security-evtx" / "Security_short_selected.evtx").read_bytes() == SHORT


def with_a_ring() -> bytes:
    """Two lists of names, each going on with the other."""
    heads = [struct.unpack_from("<I", SHORT, HEADER + 128 + 4 * each)[0] for each in range(64)]
    one, other = [head for head in heads if head][:2]
    data = damaged(HEADER + one, struct.pack("<I", other))
    return damaged(HEADER + other, struct.pack("<I", one), data)


def test_names_in_a_ring_do_not_keep_the_reader_busy(tmp_path: Path) -> None:
    """In a process of its own: the package would not even end on Ctrl-C."""
    command = [sys.executable, "-m", "fsm", "explain", file(tmp_path, with_a_ring()), "--format", "json"]
    ran = subprocess.run(command, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    items = list(read([file(tmp_path, with_a_ring())]))
    assert counted(items) == {(5152, 1, 44): 1, (5152, 6, 13): 1, (5157, 1, 44): 1}
    (trouble,) = troubles(items)
    assert trouble.where == "chunk 1" and trouble.why.startswith("a list of its names has no end")


@pytest.mark.parametrize("name", ["a.evtx", "a.log", "a.evtx.gz"])
def test_content_decides_and_gzip_is_unpacked(tmp_path: Path, name: str) -> None:
    items = list(read([file(tmp_path, gzip.compress(SHORT) if name.endswith("gz") else SHORT, name)]))
    assert counted(items) == {(5152, 1, 44): 1, (5152, 6, 13): 1, (5157, 1, 44): 1}
    assert sum(isinstance(item, OtherRecord) for item in items) == 4


def test_fields_are_read_as_from_other_forms(tmp_path: Path) -> None:
    events = [e for e in read([file(tmp_path, SHORT)]) if isinstance(e, LogEvent)]
    packet = next(e for e in events if e.event_id == 5152 and e.protocol == 1)
    assert (packet.host, packet.process_id, packet.application) == ("temporal", 4, "System")
    assert (packet.source_address, packet.source_port, packet.dest_address, packet.dest_port) == (
        "169.46.118.42", 0, "169.46.6.101", 8,
    )  # fmt: skip
    assert (packet.filter_id, packet.direction, packet.layer_code) == (67249, "inbound", "%%14610")
    assert packet.time is not None and packet.time.startswith("2016-06-29T15:24:57.090800")
    assert packet.record_number and packet.time_s


def test_pipe_gives_the_same(tmp_path: Path) -> None:
    for data in (SHORT, gzip.compress(SHORT)):
        result = run("-", "--format", "json", stdin=data)
        assert result.exit_code == 0
        assert json.loads(result.stdout)["accounting"]["records"] == 7


def test_echo_request_of_an_old_log_is_one_incident(tmp_path: Path) -> None:
    """5152 and 5157 name the ends the other way round (fact e.1/ends)."""
    out = json.loads(run(file(tmp_path, SHORT), "--format", "json").stdout)
    packet, connection = out["events"]
    assert packet["local"] == connection["local"] == {"address": "169.46.6.101", "port": None}
    assert packet["icmp"] == connection["icmp"] == {"type": 8, "code": 0}
    assert "A socket owns the port" not in packet["text"] and "no program and no port take part" in packet["text"]
    assert packet["remote_sees"] == "its ping times out"
    assert out["accounting"]["incidents"] == 1


# ---- damage


def test_damaged_record_is_told_and_passed_by(tmp_path: Path) -> None:
    at, size = record_at(2)
    items = list(read([file(tmp_path, damaged(at + 24, b"\xff" * (size - 28)))]))
    assert len(items) - len(troubles(items)) == 6
    first = troubles(items)[0]
    assert (first.record, first.where) == (3, "after record 2") and "damaged record" in first.why
    assert not first.broken_container
    assert counted(items) and run(file(tmp_path, damaged(at + 24, b"\xff" * (size - 28)))).exit_code == 0


def test_damaged_chunk_is_told_and_passed_by(tmp_path: Path) -> None:
    items = list(read([file(tmp_path, damaged(HEADER, b"XXXXXXXX", two_chunks()))]))
    assert len(items) - len(troubles(items)) == 7
    assert any("chunk" in trouble.why for trouble in troubles(items))


def test_cut_off_file_is_told_with_what_was_read(tmp_path: Path) -> None:
    path = file(tmp_path, two_chunks()[: HEADER + CHUNK + 1000])
    summary = ReadSummary()
    items = [summary.note(item) for item in read([path])]
    assert len(items) == 8 and summary.exit_status == 2
    assert troubles(items)[-1].why == "the file is cut off: 1 of its 2 chunks are whole"
    result = run(path, "--format", "json")
    assert result.exit_code == 2 and len(json.loads(result.stdout)["events"]) == 2
    assert "the file is cut off: 1 of its 2 chunks are whole" in " ".join(run(path).stdout.split())


@pytest.mark.parametrize("size", [9, 3000, HEADER, HEADER + 5000])
def test_log_without_a_whole_chunk_is_an_error(tmp_path: Path, size: int) -> None:
    path = file(tmp_path, SHORT[:size])
    result = run(path)
    refused = isinstance(result.exception, LogError)
    assert refused or result.exit_code == 2
    words = str(result.exception) if refused else result.stdout
    assert "damaged" in words or "cut off" in words
    assert "\n" not in str(result.exception)


def test_damage_of_one_file_leaves_the_others(tmp_path: Path) -> None:
    good, bad = file(tmp_path, SHORT, "good.evtx"), file(tmp_path, SHORT[:3000], "bad.evtx")
    for order in ([good, bad], [bad, good]):
        items = list(read(order))
        assert counted(items) == {(5152, 1, 44): 1, (5152, 6, 13): 1, (5157, 1, 44): 1}
        assert [trouble.source for trouble in troubles(items)] == [bad]


@pytest.mark.parametrize("at", range(FIRST_RECORD, FIRST_RECORD + 6000, 137))
def test_no_damage_is_a_traceback(tmp_path: Path, at: int) -> None:
    for by in (b"\x00" * 16, b"\xff" * 16):
        try:
            items = list(read([file(tmp_path, damaged(at, by))]))
        except LogError:
            continue
        assert all(isinstance(item, LogEvent | OtherRecord | NotUnderstood) for item in items)


# ---- without the package


def test_missing_package_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)
    result = run(file(tmp_path, SHORT))
    assert isinstance(result.exception, LogError)
    line = str(result.exception)
    assert "\n" not in line and "pip install evtx" in line and "wevtutil qe FILE" in line
    assert result.exception.exit_status == 2


def test_missing_package_leaves_other_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)
    other = tmp_path / "a.json"
    other.write_text(json.dumps({"EventID": 4624, "SourceName": "Microsoft-Windows-Security-Auditing"}) + "\n")
    items = list(read([file(tmp_path, SHORT), other]))
    (trouble,) = troubles(items)
    assert "not installed" in trouble.why and trouble.broken_container
    assert any(isinstance(item, OtherRecord) for item in items)


# ---- known gaps of fsm.logs.evtx_records


def test_zeroed_chunk_is_told(tmp_path: Path) -> None:
    assert troubles(list(read([file(tmp_path, damaged(HEADER, bytes(CHUNK), two_chunks()))])))


def test_cut_off_gzip_gives_what_was_read(tmp_path: Path) -> None:
    whole = gzip.compress(two_chunks() + bytes(range(256)) * 4000, compresslevel=0)
    result = run(file(tmp_path, whole[: HEADER + CHUNK + 30000], "a.evtx.gz"), "--format", "json")
    assert result.exit_code == 2 and len(json.loads(result.stdout)["events"]) == 2


def test_damaged_record_is_counted_once(tmp_path: Path) -> None:
    at, size = record_at(2)
    assert len(list(read([file(tmp_path, damaged(at + 24, b"\xff" * (size - 28)))]))) == 7
