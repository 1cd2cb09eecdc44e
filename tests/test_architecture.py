"""The arrows of the design, read off the imports, and a few rules of the house."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("benchmarks", "methods", "baselines", "reports")
FOR_METHODS = (
    "bench.tracks",
    "bench.learning",
    "bench.triggers.choice",
    "bench.perception",
    "bench.triggers.planting",
    "bench.method",
    "bench.errors",
    "bench.result",
)
RUNNER = tuple(
    f"benchmarks.{name}"
    for name in ("plan", "trial", "sweep", "engines", "suite", "cli", "tracking")
)
CODE = {".py", ".sh", ".yaml", ".yml", ".toml", ".j2", ".css", ".js"}


def files() -> list[Path]:
    """Every file of the project, as git sees it or else as it lies there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [
            path
            for folder in (*OURS, "tests")
            for path in (ROOT / folder).rglob("*")
            if "__pycache__" not in path.parts
        ]
    return sorted(path for path in found if path.is_file())


FILES = files()
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in FILES
    if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in OURS
}
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES if path.suffix == ".py"
}


def imports(module: str) -> set[str]:
    """What a module of ours imports from this project, wherever in the file."""
    found = set()
    for node in ast.walk(TREES[SOURCES[module]]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if is_module(whole) else node.module or "")
    return {name for name in found if name.partition(".")[0] in OURS}


def is_module(name: str) -> bool:
    return name in SOURCES or f"{name}.__init__" in SOURCES


def under(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def in_rooms(*rooms: str) -> list[str]:
    return [module for module in SOURCES if under(module, rooms)]


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def test_the_four_rooms_are_there() -> None:
    assert {module.partition(".")[0] for module in SOURCES} == set(OURS)
    assert "bench.method" in imports("bench.methods.bade")


@pytest.mark.parametrize("module", in_rooms("methods", "baselines"))
def test_a_method_imports_contracts_and_learning_and_no_other_method(module: str) -> None:
    assert {name for name in imports(module) if not under(name, FOR_METHODS)} == set()


def test_reports_read_results_and_nothing_else() -> None:
    allowed = ("bench.result", "bench.errors", "reports")
    wrong = {(m, i) for m in in_rooms("reports") for i in imports(m) if not under(i, allowed)}
    assert wrong == set()


def test_a_track_does_not_know_the_runner() -> None:
    wrong = {(m, i) for m in in_rooms("bench.tracks") for i in imports(m) if under(i, RUNNER)}
    assert wrong == set()


def test_nothing_imports_the_command_line() -> None:
    wrong = [m for m in SOURCES if any(under(i, ("bench.cli.main",)) for i in imports(m))]
    assert wrong in ([], ["benchmarks.__main__"])


def test_learning_knows_neither_tracks_nor_methods_nor_the_runner() -> None:
    beyond = ("bench.tracks", "bench.method", "methods", "baselines", "reports", *RUNNER)
    wrong = {(m, i) for m in in_rooms("bench.learning") for i in imports(m) if under(i, beyond)}
    assert wrong == set()


def test_no_source_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in FILES
        if path.suffix in CODE or path.name in {"Makefile", "Dockerfile"}
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_no_module_is_named_after_nothing() -> None:
    empty_words = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert [str(path) for path in TREES if empty_words & {path.stem, path.parent.name}] == []


def test_nothing_is_unpickled() -> None:
    forbidden = {"pickle", "cPickle", "dill", "joblib", "shelve", "cloudpickle"}
    for place, node in nodes(ast.Import):
        assert isinstance(node, ast.Import)
        assert not {alias.name.partition(".")[0] for alias in node.names} & forbidden, place
    for place, node in nodes(ast.ImportFrom):
        assert isinstance(node, ast.ImportFrom)
        assert (node.module or "").partition(".")[0] not in forbidden, place
    for place, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called == "torch.load":
            assert given.get("weights_only") == "True", place
        assert given.get("allow_pickle", "False") == "False", place


def test_no_exception_is_swallowed_in_silence() -> None:
    silent = [
        place
        for place, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert silent == []
