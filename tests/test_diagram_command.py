"""`wfp-udp diagram`, run as a user runs it: arguments in, bytes and exit status out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import pytest

from fsm.cli import main
from fsm.draw.pictures import picture_names
from fsm.draw.render import find_renderer
from fsm.flows import run_flow

# What the first bytes of a file of this format are.
MAGIC = {"svg": b"<svg class=", "png": b"\x89PNG", "jpg": b"\xff\xd8", "dot": b"digraph ", "mermaid": b"", "text": b""}
ENDINGS = {"svg": "svg", "png": "png", "jpg": "jpg", "dot": "dot", "gv": "dot", "mmd": "mermaid", "txt": "text"}
renderer = pytest.mark.skipif(find_renderer() is None, reason="nothing here can draw")


def wfp_udp(*arguments: str, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in this process, on streams of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    environment = {k: v for k, v in os.environ.items() if k != "WFP_UDP_DOT"} | variables
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.multiple(sys, argv=["wfp-udp", *arguments], stdout=out, stderr=err),
        contextlib.chdir(folder or Path.cwd()),
        pytest.raises(SystemExit) as left,
    ):
        main()
        raise SystemExit(0)
    for stream in (out, err):
        stream.flush()
    status = left.value.code if isinstance(left.value.code, int) else 0 if left.value.code is None else 1
    return subprocess.CompletedProcess(arguments, status, out.buffer.getvalue(), err.buffer.getvalue())


def as_process(*arguments: str, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != "WFP_UDP_DOT"} | variables
    return subprocess.run([sys.executable, "-m", "fsm", *arguments], cwd=folder, env=environment, capture_output=True)


def refusal(*arguments: str, folder: Path | None = None, **variables: str) -> str:
    """The one line that a refused command prints."""
    ran = wfp_udp("diagram", *arguments, folder=folder, **variables)
    assert (ran.returncode, ran.stdout) == (2, b""), ran
    line = ran.stderr.decode()
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line.removeprefix("error: ").rstrip()


@pytest.mark.parametrize("name", picture_names())
def test_every_picture_is_text_on_the_output(name: str) -> None:
    ran = wfp_udp("diagram", name)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.isascii()
    assert ran.stdout.count(b"\n") > 5
    assert b"\r" not in ran.stdout


@renderer
@pytest.mark.parametrize("ending", ENDINGS)
def test_ending_of_the_file_says_the_format(ending: str, tmp_path: Path) -> None:
    for name in ("packet-path", "receiver", "sender.blocked"):
        file = tmp_path / f"{name}.{ending}"
        ran = wfp_udp("diagram", name, "-o", str(file))
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
        assert file.read_bytes().startswith(MAGIC[ENDINGS[ending]])
        if ending == "svg":
            ElementTree.fromstring(file.read_bytes())


@renderer
@pytest.mark.parametrize("form", MAGIC)
def test_format_goes_to_the_output_too(form: str) -> None:
    ran = wfp_udp("diagram", "dropped_port.silenced", "-o", "-", "--format", form)
    assert ran.returncode == 0
    assert ran.stdout.startswith(MAGIC[form])


@renderer
def test_svg_is_light_and_dark_unless_dark_is_asked_for(tmp_path: Path) -> None:
    both = wfp_udp("diagram", "sender.active_open", "--format", "svg").stdout
    dark = wfp_udp("diagram", "sender.active_open", "--format", "svg", "--dark").stdout
    assert b"prefers-color-scheme" in both
    assert b' fill="#dcecfd"' in both
    assert b' fill="#dcecfd"' not in dark
    assert b' fill="#12304f"' in dark


def test_options_of_the_machine_reach_the_picture() -> None:
    text = wfp_udp("diagram", "sender.active_open", "--ip", "6", "--windows", "vista", "--block", "auth-connect").stdout
    assert b"IPv6, Windows vista" in text
    assert b"ALE_AUTH_CONNECT_V6                50 BLOCK" in text
    assert b"REDIRECT" not in text
    text = wfp_udp("diagram", "no-listener", "--assume", "no_listener=both").stdout
    assert text.index(b"INBOUND_TRANSPORT_V4_DISCARD") < text.index(b"INBOUND_IPPACKET_V4_DISCARD")


def test_output_survives_a_cp1252_pipe() -> None:
    for form in ("text", "dot", "mermaid"):
        ran = as_process("diagram", "sender.blocked", "--format", form, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
        assert (ran.returncode, ran.stderr) == (0, b"")


# --- what is marked


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace, with the byte-order mark that PowerShell may put before it."""
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(run_flow("sender.blocked").to_json()), encoding="utf-8-sig")
    return path


def test_trace_is_numbered_in_the_picture(trace: Path) -> None:
    plain = wfp_udp("diagram", "sender.blocked").stdout
    marked = wfp_udp("diagram", "sender.blocked", "--highlight", str(trace)).stdout
    assert b"  2*sendto" not in plain
    assert b"  2*sendto" in marked
    assert b"* BOUND/NONE" in marked


@pytest.mark.parametrize("given", ["ALE_AUTH_CONNECT", "auth-connect", "48", "send.authorize.permit[flow=NONE]"])
def test_layer_or_rule_is_marked_by_any_of_its_names(given: str) -> None:
    ran = wfp_udp("diagram", "sender.active_open", "--highlight", given)
    assert [line.split()[0] for line in ran.stdout.decode().splitlines() if "*sendto" in line] == ["4*sendto"]


def test_state_is_marked() -> None:
    assert b"* BOUND/OUT\n" in wfp_udp("diagram", "sender.active_open", "--highlight", "bound/out").stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("BOUND/OTU", "--highlight: no state, rule, layer or .json file named 'BOUND/OTU'. Did you mean 'BOUND/OUT'"),
        ("ALE_AUTH_CONECT", "named 'ALE_AUTH_CONECT'. Did you mean 'ALE_AUTH_CONNECT'"),
        ("nothing.json", "--highlight nothing.json: no such file. Make one with"),
        ("STREAM_V4", "--highlight: STREAM_V4 is on no way of a UDP datagram"),
    ],
)
def test_unknown_mark_names_the_nearest(given: str, said: str, tmp_path: Path) -> None:
    assert said in refusal("sender", "--highlight", given, folder=tmp_path)


def test_two_states_cannot_both_be_where_it_stands() -> None:
    assert "two states, BOUND/OUT and BOUND/IN" in refusal(
        "sender", "--highlight", "BOUND/OUT", "--highlight", "BOUND/IN"
    )


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"steps": [1]}', b'{"steps": 3}', b"\xff\xfe\x00", b"[" * 100_000]
)
def test_file_that_is_no_trace_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    said = refusal("sender", "--highlight", "bad.json", folder=tmp_path)
    assert said == (
        "--highlight bad.json: not a trace: no JSON with a list of steps. "
        "Make one with 'wfp-udp flow FLOW --format json'."
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"windows": 7},
        {"ip": "4"},
        {"assume": "x"},
        {"evidence": {}},
        {"endpoint": 1},
        {"endpoint": "nobody"},
        {"ip": 5},
    ],
)
def test_trace_whose_configuration_makes_no_sense_is_drawn_by_its_rules(
    changed: dict[str, object], tmp_path: Path
) -> None:
    trace = json.loads(wfp_udp("flow", "sender.active_open", "--format", "json").stdout)
    (tmp_path / "odd.json").write_text(json.dumps({**trace, **changed}))
    ran = wfp_udp("diagram", "sender", "--highlight", "odd.json", "--format", "text", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_stimulus_of_a_trace_is_on_its_path_where_the_trace_says_where_it_stood(tmp_path: Path) -> None:
    trace = json.loads(wfp_udp("flow", "sender.blocked", "--format", "json").stdout)
    rules_alone = {**trace, "steps": [{"rule": step["rule"]} for step in trace["steps"]]}
    seen = []
    for name, given in (("whole.json", trace), ("rules.json", rules_alone)):
        (tmp_path / name).write_text(json.dumps(given))
        drawn = wfp_udp("diagram", "sender", "--highlight", name, "--format", "dot", folder=tmp_path).stdout.decode()
        seen.append('id="stimulus_sendto" class="stimulus out taken"' in drawn)
    assert seen == [True, False]


def test_trace_of_unknown_rules_names_step_and_nearest(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"steps": [{"rule": "send.establish.permitted"}]}')
    said = refusal("sender", "--highlight", "old.json", folder=tmp_path)
    assert said.startswith(
        "--highlight old.json, step 1: no rule named 'send.establish.permitted'. Did you mean 'send.establish.permit'"
    )


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sendr"], "wfp-udp diagram: no picture named 'sendr'. Did you mean 'sender'"),
        (["sender.activ_open"], "Did you mean 'sender.active_open'"),
        (["blocked"], "'blocked' names 2 flows. Did you mean sender.blocked or receiver.blocked?"),
        (["sender", "--format", "pgn"], "--format: no format named 'pgn'. Did you mean 'png'"),
        (["sender", "-o", "a.bmp"], "-o a.bmp: no format has the ending '.bmp'. Endings: .svg .png"),
        (["sender", "-o", "a"], "-o a: no ending says which format. Endings: .svg .png"),
        (["sender", "-o", "no/a.svg"], "-o no/a.svg: no folder 'no'. Make it first, or give another file."),
        (
            ["sender", "--block", "48"],
            "sender shows every verdict, so nothing can be blocked there. Draw a flow with --block.",
        ),
        (["sender.blocked", "--block", "FLOW_ESTABLISHED"], "takes no block"),
        (["sender", "--windows", "12"], "no Windows named '12'"),
    ],
)
def test_refusal_is_one_line_that_helps(arguments: list[str], said: str, tmp_path: Path) -> None:
    assert said in refusal(*arguments, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    assert refusal("sender", "-o", "a.txt", folder=tmp_path).startswith("-o a.txt: cannot be written: ")


@renderer
def test_pdf_without_a_real_dot_is_one_clear_line(tmp_path: Path) -> None:
    said = refusal("sender", "-o", "a.pdf", folder=tmp_path, PATH=str(tmp_path))
    assert said.startswith("renderer: graphviz-pure cannot write pdf. It can write: svg, png")
    assert said.endswith("For pdf install Graphviz, or set WFP_UDP_DOT to its dot.")
    assert list(tmp_path.iterdir()) == []


# --- no renderer


def test_without_renderer_the_picture_is_written_in_the_other_forms(tmp_path: Path) -> None:
    said = refusal("sender.active_open", "-o", "a.svg", folder=tmp_path, WFP_UDP_DOT="/no/such/dot")
    assert said == (
        "WFP_UDP_DOT: no program '/no/such/dot'. Written instead: a.svg.dot, a.svg.mmd, a.svg.txt. "
        "Give the path of a dot program, or unset it."
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg.dot", "a.svg.mmd", "a.svg.txt"]
    assert (tmp_path / "a.svg.dot").read_bytes().startswith(b"digraph ladder")
    assert (tmp_path / "a.svg.mmd").read_bytes().startswith(b"sequenceDiagram")
    assert b"OUTBOUND_IPPACKET_V4" in (tmp_path / "a.svg.txt").read_bytes()


def test_machine_without_any_renderer_says_how_to_get_one(tmp_path: Path) -> None:
    """The package hidden and PATH empty, as on a machine without wheel; text needs neither."""
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import importlib.metadata as m, sysconfig as s\n"
        "m.files = lambda name: []\n"
        f"old, hide = s.get_path, {str(hide)!r}\n"
        "s.get_path = lambda name, *a, **k: hide if name == 'scripts' else old(name, *a, **k)\n"
    )
    bare = {"PYTHONPATH": str(hide), "PATH": str(hide)}
    ran = as_process("diagram", "dropped_port.no_listener", "-o", "a.png", folder=tmp_path, **bare)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().splitlines() == [
        "error: renderer: nothing here can draw png. Written instead: a.png.dot, a.png.mmd, a.png.txt. Get one with "
        "'pip install graphviz-pure' or install Graphviz, or set WFP_UDP_DOT to a dot program."
    ]
    for form in ("text", "dot", "mermaid"):
        assert as_process("diagram", "sender.blocked", "--format", form, folder=None, **bare).returncode == 0
