"""CONTRIBUTING.md, followed word for word in a copy of the repository, and the tests of the result.

A comment before a code block says what a reader does with it: `<!-- file: PATH -->` writes a file,
`<!-- append: PATH -->` adds to one, `<!-- run -->` types the commands.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- (file|append|run)(?:: (\S+))? -->\n```\w*\n(.*?)```", re.DOTALL)
FOLLOWED = "TESTS_FOLLOW_CONTRIBUTING"
"""Set in the copy, whose tests would otherwise make copies in turn."""
CONTRACTS = (
    "tests/methods/test_every_method.py", "tests/attacks/poisoning/test_every_attack.py",
    "tests/data/test_every_data_set.py",
)  # fmt: skip
"""The tests that run over every plug-in of a kind, for each of them by its name."""
ABOUT_ALL = ("tests/test_architecture.py", "tests/test_docs.py")

pytestmark = pytest.mark.skipif(FOLLOWED in os.environ, reason="this is the copy")


def in_copy(copy: Path, *command: str) -> str:
    """What a command prints in the copy; it must succeed."""
    done = subprocess.run(
        command,
        cwd=copy,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(copy / "src"),
            "COLUMNS": "200",
            FOLLOWED: "yes",
        },
        capture_output=True,
        text=True,
        check=False,  # the assertion below shows what it said
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout


def followed(copy: Path) -> Iterator[Path]:
    """Do what the document says, step by step; yields the test files that it adds."""
    for action, path, text in BLOCK.findall((copy / "CONTRIBUTING.md").read_text("utf-8")):
        if action == "run":
            for command in text.splitlines():
                in_copy(copy, "bash", "-c", command)
        elif action == "append":
            with (copy / path).open("a", encoding="utf-8") as file:
                file.write(f"\n{text}" if path.endswith(".md") else text)
        else:
            assert not (copy / path).exists(), f"{path} is there already"
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(text, encoding="utf-8")
            if path.startswith("tests/"):
                yield copy / path


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as git sees it, links as links, with its environment."""
    folder = tmp_path_factory.mktemp("contributor") / "bench"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def added(copy: Path) -> list[Path]:
    """The tests that a contributor has written on the way."""
    return list(followed(copy))


def test_what_contributing_adds_shows_up_everywhere(copy: Path, added: list[Path]) -> None:
    assert len(added) == 5
    page = (copy / "site" / "digits" / "index.html").read_text()
    assert "group_weights[power=0.5]" in page
    assert "every group counts the same" in page
    table = (copy / "site" / "digits" / "results.csv").read_text()
    assert ",group_weights,0,ok,odds," in table
    assert "breast_cancer benign|radius" in (copy / "site" / "mine" / "results.csv").read_text()
    count = (
        "from mlflow.tracking import MlflowClient as C; c = C('sqlite:///results/mlflow.db');"
        "e = c.get_experiment_by_name('digits').experiment_id;"
        "print(len(c.search_runs([e], \"tags.method = 'group_weights'\")))"
    )
    calibrated = (copy / "site" / "calibration" / "index.html").read_text()
    assert "Expected calibration error." in calibrated
    assert "Σ_b n_b/n" in (copy / "site" / "reading.html").read_text()
    runs = in_copy(copy, sys.executable, "-c", count)
    assert runs.strip() == "4"  # on each of two tracks, the trial and its summary


def test_what_contributing_adds_passes_lint_types_and_the_tests_of_every_plug_in(
    copy: Path, added: list[Path]
) -> None:
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        in_copy(copy, *command)
    new = " or ".join(path.stem.removeprefix("test_") for path in added)
    in_copy(copy, sys.executable, "-m", "pytest", "-x", "-q", "-k", new, *CONTRACTS)
    own = [str(path.relative_to(copy)) for path in added]
    in_copy(copy, sys.executable, "-m", "pytest", "-x", "-q", *ABOUT_ALL, *own)


@pytest.mark.slow
def test_and_now_make_test_is_green(copy: Path, added: list[Path]) -> None:
    assert added
    (copy / ".venv" / ".installed").touch()  # newer than the copy's pyproject.toml
    in_copy(copy, "make", "test")
