"""The project as a whole: what lies where, who may import what, what is installed, and the two scripts of tools/.

The rules are the tables at the top; the tests only carry them out.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# --- what lies where
TOP_LEVEL = {
    *("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "requirements.lock"),
    *("diagrams", "fsm", "tests", "tools"),
}
MAY_FOLLOW = {"CONTRIBUTING.md", "SECURITY.md"}
# Folders, not packages: an editable install makes them importable, and PyPI has packages of these names.
NO_PACKAGE = ("diagrams", "tools")

# --- who may import what. A name stands for the module and all below it.
IMPORTS_NOTHING_OF_FSM = ("fsm.errors", "fsm.names")
DOORS = {  # third-party package | the only modules that import it
    "click": ("fsm.cli",),
    "graphviz": ("fsm.draw",),
    "hypothesis": ("fsm.strategies",),
    "networkx": ("fsm.graph",),
    "pytest": ("fsm.pytest_plugin", "fsm.plugin_coverage"),
    "rich": ("fsm.tui",),
    "textual": ("fsm.tui",),
    "transitions": ("fsm.machine",),
}
# The edge: files, terminal, programs, clock. Only the edge may import the command line.
COMMAND_LINE = ("fsm.cli", "fsm.tui", "fsm.__main__")
EDGE = (
    *(*COMMAND_LINE, "fsm.pytest_plugin", "fsm.plugin_coverage"),
    *("fsm.coverage_pictures", "fsm.draw.gallery", "fsm.draw.render"),
    *("fsm.logs", "fsm.policy.read", "fsm.traces.reading", "fsm.traces.stoppable"),
)
CORE_IMPORTS_NOT = {
    *("io", "os", "pathlib", "shutil", "tempfile"),
    *("random", "secrets", "socket", "subprocess", "time"),
}
CORE_CALLS_NOT = {"breakpoint", "input", "open", "print"}
CORE_NAMES_NOT = {"argv", "environ", "getenv", "now", "stderr", "stdin", "stdout", "today", "utcnow"}  # attributes

# --- what a start loads
LOADED_NOT = [  # arguments of Python | packages that must not be loaded by that
    (["-c", "import fsm"], ("click", "graphviz", "hypothesis", "networkx", "pytest", "textual", "transitions")),
    (["-m", "fsm", "--help"], ("graphviz", "networkx", "transitions")),
]

SCRIPTS = ("demo.py", "test.py")
NO_INDEX = "http://127.0.0.1:9/simple"  # nothing listens there


def under(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in names)


def modules() -> dict[str, ast.Module]:
    """Every module of the package, parsed."""
    found = {}
    for path in sorted((ROOT / "fsm").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_bytes())
    return found


MODULES = modules()
PACKAGES = {module for module in MODULES if (ROOT / Path(*module.split("."))).is_dir()}
CORE = sorted(name for name in MODULES if not under(name, EDGE))


def nodes_at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker looks at."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test).endswith("TYPE_CHECKING"):
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from nodes_at_run_time(child)


def imported(module: str) -> set[str]:
    """Names of the modules that `module` imports, at the top or inside a function."""
    names = set()
    for node in nodes_at_run_time(MODULES[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # Level 1 is the package a module lies in; for a package's own __init__ that is the module itself.
            up = node.level - (module in PACKAGES)
            home = module.split(".")[: -up or None] if node.level else []
            origin = ".".join([*home, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                names.add(full if full in MODULES else origin)
    return names


def tracked_files() -> list[str]:
    """The files git tracks; skips where there is no git or no checkout (an unpacked sdist)."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name]


def project() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "run": [*table["project"]["dependencies"], *table["build-system"]["requires"]],
        "test": table["project"]["optional-dependencies"]["test"],
    }


def normal(requirement: str) -> str:
    """The name in a requirement, as indexes spell it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def lock_parts() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The two parts of the lock: what is needed to run, and what only the checks need; name to entries."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    parts = []
    for part in text.split("# Checks only"):
        entries: dict[str, list[str]] = {}
        for entry in re.split(r"\n(?=\S)", part):
            if "==" in entry and not entry.startswith("#"):
                entries.setdefault(normal(entry), []).append(entry)
        parts.append(entries)
    assert len(parts) == 2, "requirements.lock has one line '# Checks only': tools/demo.py reads no further"
    return parts[0], parts[1]


# --- what lies where -------------------------------------------------------------------------------------------


def test_top_level_holds_what_the_readme_names_and_nothing_else() -> None:
    tops = {name.split("/")[0] for name in tracked_files()}
    assert sorted(top for top in tops - TOP_LEVEL - MAY_FOLLOW if not top.startswith(".")) == []
    assert sorted(name for name in TOP_LEVEL if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("folder", NO_PACKAGE)
def test_folder_is_no_package(folder: str) -> None:
    assert not list((ROOT / folder).rglob("__init__.py"))


def test_wheel_holds_fsm_and_nothing_else(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed here; tools/test.py installs it")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"fsm"}
    wanted = {p.relative_to(ROOT).as_posix() for p in (ROOT / "fsm").rglob("*") if p.is_file()}
    assert {name for name in wanted if "__pycache__" not in name} <= names
    assert any(name.endswith("/LICENSE") for name in names)


# --- who may import what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", IMPORTS_NOTHING_OF_FSM)
def test_words_and_errors_import_nothing_of_the_package(module: str) -> None:
    assert not {name for name in imported(module) if under(name, ("fsm",))}


@pytest.mark.parametrize("package", DOORS)
def test_dependency_has_one_door(package: str) -> None:
    users = [m for m in MODULES if any(under(name, (package,)) for name in imported(m))]
    assert [m for m in users if not under(m, DOORS[package])] == []


def test_only_the_command_line_imports_the_command_line() -> None:
    users = [m for m in MODULES if any(under(name, COMMAND_LINE) for name in imported(m))]
    assert [m for m in users if not under(m, COMMAND_LINE)] == []


def test_imports_point_one_way() -> None:
    """No module reaches itself over imports, those inside functions included."""
    needs = {module: sorted(imported(module) & set(MODULES)) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "imports in a circle: " + " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for needed in needs[module]:
                visit(needed, (*path, module))
            done.add(module)

    for module in needs:
        visit(module, ())


@pytest.mark.parametrize("module", CORE)
def test_core_takes_values_and_returns_values(module: str) -> None:
    """No terminal, file, clock, chance, environment or other program outside the edge."""
    found = [f"imports {n}" for n in sorted(imported(module)) if n.split(".")[0] in CORE_IMPORTS_NOT]
    for node in nodes_at_run_time(MODULES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CORE_CALLS_NOT:
            found.append(f"line {node.lineno}: calls {node.func.id}")
        if isinstance(node, ast.Attribute) and node.attr in CORE_NAMES_NOT:
            found.append(f"line {node.lineno}: .{node.attr}")
    assert found == []


@pytest.mark.parametrize(("arguments", "packages"), LOADED_NOT, ids=lambda value: " ".join(value))
def test_start_loads_no_heavy_package(arguments: list[str], packages: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "fsm" in {name.split(".")[0] for name in loaded}
    assert [name for name in packages if name in loaded] == []


# --- what is installed -----------------------------------------------------------------------------------------


def test_lock_pins_every_dependency() -> None:
    to_run, to_check = lock_parts()
    needed = project()
    assert [line for line in needed["run"] if normal(line) not in to_run] == []
    assert [line for line in needed["test"] if normal(line) not in to_run | to_check] == []


def test_lock_pins_what_the_dependencies_need() -> None:
    """Checked for what is installed here; on other systems the resolver's word is taken."""
    to_run, to_check = lock_parts()
    locked = to_run | to_check
    missing = []
    for name in locked:
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        needed = {normal(line) for line in lines if ";" not in line}
        missing += [f"{name} needs {other}" for other in sorted(needed - set(locked))]
    assert missing == []


def test_lock_has_exact_pins_with_hashes() -> None:
    for part in lock_parts():
        for entries in part.values():
            for entry in entries:
                assert re.match(r"[a-z0-9._-]+==[^\s;*]+( ; .+)? \\\n", entry), entry
                hashes = entry.split("\n")[1:]
                plain = [line for line in hashes if line.strip() and not line.startswith("#")]
                assert plain, entry
                assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in plain), entry


def test_lock_names_no_host_and_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"://|index-url|find-links|trusted-host|@ |(?:^|\s)/\S+|[A-Za-z]:\\", text) == []


# --- the two scripts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_parses_on_an_old_python(script: str) -> None:
    tree = ast.parse((ROOT / "tools" / script).read_bytes(), feature_version=(3, 6))
    early = {n.name for node in tree.body if isinstance(node, ast.Import) for n in node.names}
    early |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert early <= {"os", "sys"}  # all else comes after the version check


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_refuses_an_old_python_in_one_line(script: str) -> None:
    code = "import runpy, sys; sys.version_info = (3, 10, 9); runpy.run_path(sys.argv[1], run_name='__main__')"
    command = [sys.executable, "-c", code, str(ROOT / "tools" / script)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: tools/{script} needs Python 3.11 or later; this is Python 3.10.9.\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout without environment, of what the set-up reads."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def set_up(copy: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))} | variables
    command = [sys.executable, str(copy / "tools" / "demo.py"), "--only-setup"]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize("half_made", [False, True], ids=["new", "half-made"])
def test_missing_ensurepip_is_one_line_and_leaves_nothing(copy: Path, half_made: bool) -> None:
    shim = copy / "shim" / "sitecustomize.py"
    shim.parent.mkdir()
    shim.write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'ensurepip' else find(name, package)\n"
    )
    if half_made:
        (copy / ".venv").mkdir()
        (copy / ".venv" / "wfp-udp-setup.json").write_text("{")
    ran = set_up(copy, PYTHONPATH=str(shim.parent))
    assert ran.returncode == 2, ran.stderr
    remedy = r"(Run: sudo apt install python3\.\d+-venv|Install a Python .*)"
    assert re.fullmatch(rf"error: .*ensurepip.* {remedy}\n", ran.stderr)
    assert not (copy / ".venv").exists()


def test_no_network_is_one_line_with_the_index_and_the_log(copy: Path) -> None:
    settings = {"PIP_INDEX_URL": NO_INDEX, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    ran = set_up(copy, **settings)
    log = copy / ".venv" / "setup.log"
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith(f"error: packages could not be fetched: no answer from the package index {NO_INDEX}.")
    assert ran.stderr.endswith(f"All that pip said: {log}\n")
    assert "Could not find a version" in log.read_text(encoding="utf-8")


def test_somebody_elses_folder_is_not_removed(copy: Path) -> None:
    (copy / ".venv").mkdir()
    (copy / ".venv" / "notes.txt").write_text("mine")
    ran = set_up(copy)
    assert ran.returncode == 2
    assert "is no Python environment, not made by this script. Remove or rename it" in ran.stderr
    assert (copy / ".venv" / "notes.txt").exists()
