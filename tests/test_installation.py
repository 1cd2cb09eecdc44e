"""An installation adds one name, `bench`, which no foreign folder hides."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bench.result import Store

ROOT = Path(__file__).parents[1]
FORMER_NAMES = ("benchmarks", "methods", "baselines", "reports")
COMES_ALONG = (
    "suites/digits.yaml",
    "labelling/templates/page.html.j2",
    "reports/boards/published.csv",
    "reports/pages/CITATION.cff",
    "reports/pages/templates/suite.html.j2",
    "methods/bade.py",
    "baselines/standard.py",
)


def run(folder: Path, *arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Python as a person starts it in a folder, with `bench` found on PYTHONPATH alone."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("BENCH_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with packages of somebody else, which fail when they are imported."""
    for name in FORMER_NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('a foreign package')\n")
    return tmp_path


def test_a_trial_runs_in_a_folder_with_foreign_packages_of_our_former_names(foreign: Path) -> None:
    options = "--methods standard --tasks parity|ink --seeds 1 --set training.epochs=1 --jobs 1"
    ended = run(
        foreign, "-m", "bench", "--suite", "digits", *options.split(), "--no-track", "--no-report",
        path=ROOT / "src",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    store = Store(foreign / "results")
    plan = store.read_plan("digits")
    assert plan is not None
    [result] = store.read_all("digits", [trial.key for trial in plan.trials])
    assert (result.status, result.method) == ("ok", "standard")


def test_a_notebook_in_such_a_folder_imports_every_public_name(foreign: Path) -> None:
    code = "import bench; print([getattr(bench, name) for name in bench.__all__])"
    ended = run(foreign, "-c", code, path=ROOT / "src")
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git knows: building writes beside them."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("needs git to tell the files of the project")
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_file():
            target.write_bytes(source.read_bytes())
    return copy


def build(checkout: Path, kind: str) -> Path:
    """The wheel or the sdist of a checkout, built without network by setuptools itself."""
    code = (
        "from setuptools import build_meta; import sys, os; os.makedirs('dist', exist_ok=True); "
        f"name = build_meta.build_{kind}('dist'); print(name, file=sys.stderr)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True, capture_output=True)
    [built] = (checkout / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    return build(checkout, "wheel")


def data_files() -> set[str]:
    """Suites, templates, scripts and tables of a checkout, as they are named below `bench`."""
    package = ROOT / "src" / "bench"
    patterns = {
        "suites": ("*.yaml",),
        "labelling": ("templates/*", "static/*"),
        "reports/boards": ("*.csv",),
        "reports/pages": ("templates/*", "static/*", "*.cff"),
    }
    return {
        str(path.relative_to(package))
        for folder, globs in patterns.items()
        for pattern in globs
        for path in (package / folder).glob(pattern)
    }


def test_a_wheel_holds_the_one_package_and_all_that_it_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [record] = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        listed = {line.rsplit(",", 2)[0] for line in archive.read(record).decode().splitlines()}
        assert listed == set(archive.namelist())
    tops = {name.partition("/")[0] for name in listed}
    assert tops == {"bench", record.partition("/")[0]}
    inside = {name.removeprefix("bench/") for name in listed}
    assert set(COMES_ALONG) - inside == set()
    assert data_files() - inside == set()
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "methods").glob("*.py")}
    assert modules - inside == set()


def test_an_sdist_holds_files_in_place_of_links(checkout: Path) -> None:
    with tarfile.open(build(checkout, "sdist")) as archive:
        members = {member.name.partition("/")[2]: member for member in archive.getmembers()}
    assert [name for name, member in members.items() if member.issym() or member.islnk()] == []
    absent = [name for name in COMES_ALONG if f"src/bench/{name}" not in members]
    assert absent == []


def test_a_wheel_that_is_installed_elsewhere_runs_from_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    target, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target"]
    subprocess.run([*command, str(target), str(wheel)], check=True, capture_output=True)
    assert {path.name for path in target.iterdir()} - {"bin"} == {
        "bench",
        wheel.name.replace("-py3-none-any.whl", ".dist-info"),
    }
    ended = run(empty, "-m", "bench", "list", path=target)
    assert ended.returncode == 0, ended.stderr
    assert {"digits", "bade", "badnets"} <= set(ended.stdout.split())
    where = run(empty, "-c", "import bench; print(bench.__file__)", path=target)
    assert Path(where.stdout.strip()).is_relative_to(target)
