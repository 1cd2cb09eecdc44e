"""The arrows of the design, read off the imports, and a few rules of the house."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"benchmarks": "bench", "methods": "bench.methods", "baselines": "bench.baselines",
           "reports": "bench.reports"}  # fmt: skip
"""Where the parts of the package `bench` lie (src/bench is a link to benchmarks/)."""

FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("labelling", "speed"),
    ("runner", "reports.publish"),
    ("tracking", "reports.site"),
    ("reports.export", "reports.compare"),
    ("reports.pages",),
    ("reports.charts",),
    ("reports.boards",),
    ("reports.wording",),
    ("reports.statistics",),
    ("methods", "baselines", "suites"),
    ("tracks.robust_fairness",),
    ("tracks.debiasing", "tracks.imperceptibility", "tracks.poisoning"),
    ("tracks",),
    ("attacks.adversarial", "attacks.poisoning"),
    ("triggers",),
    ("perception.distances",),
    ("perception",),
    ("learning",),
    ("method",),
    ("models",),
    ("data",),
    ("listening", "disk"),
    ("result", "plugins", "ending"),
    ("outside",),
    ("errors", "heartbeat", "privacy", "seeds"),
)
"""The rooms from the roof to the ground: a room imports from lower floors alone.

A folder is a room; so is a module that lies at the top of benchmarks/ or reports/.
"""
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FOR_METHODS = (
    "attacks.adversarial", "learning", "method", "models", "perception", "result", "seeds",
    "tracks", "triggers", "errors",
)  # fmt: skip


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
            for folder in (*FOLDERS, "tests")
            for path in (ROOT / folder).rglob("*")
            if "__pycache__" not in path.parts
        ]
    return sorted(path for path in found if path.is_file())


FILES = files()


def dotted(path: Path) -> str:
    """The name under which a file of ours is imported."""
    top, *parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[top], *parts]).removesuffix(".__init__")


SOURCES = {
    dotted(path): path
    for path in FILES
    if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in FOLDERS
}
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}
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
    return {name for name in found if name.partition(".")[0] == "bench"}


def is_module(name: str) -> bool:
    return name in SOURCES


def room(module: str) -> str:
    """The folder of a module below `bench`, or the module itself where it lies at a top."""
    inside = module.removeprefix("bench.")
    folder = inside if module in PACKAGES else inside.rpartition(".")[0]
    return inside if folder in ("", "reports") else folder


def floor(name: str) -> int:
    """The floor of a room; a track that is not listed stands above those that are."""
    new = name.startswith("tracks.") and name not in FLOOR
    return FLOOR["tracks.robust_fairness" if new else name]


def arrows() -> dict[tuple[str, str], str]:
    """(room, room it imports from) -> an import that says so."""
    return {
        (room(module), room(name)): f"{module} imports {name}"
        for module in SOURCES
        for name in imports(module)
        if name != "bench" and module != "bench" and room(module) != room(name)
    }


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def test_every_room_has_its_floor() -> None:
    bare = {"bench", "attacks", "reports"}  # packages that hold nothing but rooms
    rooms = {room(module) for module in SOURCES} - bare
    assert rooms - set(FLOOR) == {name for name in rooms if name.startswith("tracks.")} - set(FLOOR)
    assert set(FLOOR) <= rooms
    assert "bench.method" in imports("bench.methods.bade")


def test_imports_go_down_and_never_back() -> None:
    assert [said for (a, b), said in arrows().items() if floor(b) <= floor(a)] == []


def test_rooms_do_not_stand_in_circles() -> None:
    lower: dict[str, set[str]] = {}
    for above, below in arrows():
        lower.setdefault(above, set()).add(below)
    TopologicalSorter(lower).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", [m for m in SOURCES if room(m) in ("methods", "baselines")])
def test_a_method_imports_contracts_and_learning_and_no_other_method(module: str) -> None:
    assert [name for name in imports(module) if not room(name).startswith(FOR_METHODS)] == []


MAY_READ = ("reports", "result", "errors", "outside")


def test_reports_read_results_and_nothing_else() -> None:
    reading = [(a, b) for a, b in arrows() if a.startswith("reports")]
    assert [(a, b) for a, b in reading if not b.startswith(MAY_READ)] == []


def test_every_import_names_the_one_package() -> None:
    """`import benchmarks` works in a checkout, where the folder lies, and nowhere else."""
    strays = [
        place
        for place, node in [*nodes(ast.Import), *nodes(ast.ImportFrom)]
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        )
        if name.partition(".")[0] in FOLDERS
    ]  # fmt: skip
    assert strays == []


@pytest.mark.parametrize("folder", ["benchmarks", "reports"])
def test_few_modules_lie_at_the_top(folder: str) -> None:
    assert len(list((ROOT / folder).glob("*.py"))) < 10


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


READS_ENVIRONMENT = {
    "benchmarks/data/raw.py": "the mirror of raw files",
    "benchmarks/plugins/__init__.py": "folders of plug-ins",
    "benchmarks/privacy/credentials.py": "secrets and names that no text may hold",
    "benchmarks/runner/template.py": "settings of the memory allocator for trials",
    "benchmarks/runner/provenance.py": "the commit that an image was built from",
    "benchmarks/tracking/tracker.py": "what MLflow prints and sends",
    "benchmarks/cli/main.py": "whether the variables of options are text",
    "benchmarks/tracking/ui.py": "the environment of MLflow's server",
    "benchmarks/tracks/imperceptibility/saliency.py": "a network of one's own, part of keys",
}
"""The files that read environment variables, and which; the command line's options do so, too."""


def test_there_is_no_hidden_state() -> None:
    """The folder of weights, say, is an argument: keys must not depend on who makes a plan."""
    readers, context_variables, changed = set(), set(), []
    for place, node in nodes(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        if node.attr in ("environ", "environb", "getenv"):
            readers.add(place.rpartition(":")[0])
        if node.attr == "__setattr__":
            changed.append(place)
    for place, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "ContextVar":
            context_variables.add(place.rpartition(":")[0])
        if name == "vars" and ast.unparse(node) == "vars(self)":
            changed.append(place)
    changed += [place for place, _ in nodes(ast.Global)]

    def of_product(places: Iterable[str]) -> set[str]:
        return {place for place in places if place.partition("/")[0] in FOLDERS}

    assert of_product(readers) == READS_ENVIRONMENT.keys()
    assert of_product(context_variables) == {"benchmarks/heartbeat.py"}
    assert of_product(changed) == set()


def test_no_exception_is_swallowed_in_silence() -> None:
    silent = [
        place
        for place, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert silent == []
