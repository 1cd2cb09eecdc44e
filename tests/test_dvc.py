"""dvc repro: raw -> prepared -> results -> pages, and nothing the second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = (
    "dvc.yaml", "params.yaml", ".dvcignore", "CITATION.cff",
    "src", "benchmarks", "methods", "baselines", "reports",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, small enough to run: one epoch, one seed."""
    for name in FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, symlinks=True)
        else:
            shutil.copy(source, tmp_path / name)
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    for path in (tmp_path / "benchmarks" / "suites").glob("*.yaml"):
        suite = yaml.safe_load(path.read_text())
        suite["seeds"], suite["methods"] = 1, ["standard", "undersampling"]
        suite["training"]["epochs"] = 1
        suite["tasks"] = [
            {key: value for key, value in task.items() if key != "methods"}
            for task in suite["tasks"]
        ]
        suite.pop("figures", None)
        path.write_text(yaml.safe_dump(suite))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def repro(folder: Path, **environment: str) -> str:
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["dvc", "repro"],
        cwd=folder,
        env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}",
             "PYTHONPATH": str(folder / "src"), **environment},
        capture_output=True,
        text=True,
        check=False,  # the assertion below shows what it said
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dvc_repro_makes_the_pages_and_a_second_one_does_nothing(project: Path) -> None:
    first = repro(project)
    assert "Running stage 'run@digits'" in first
    page = project / "site" / "digits" / "index.html"
    assert "undersampling" in page.read_text()
    again = repro(project)
    assert "Running stage" not in again
    assert "up to date" in again


@pytest.mark.slow
def test_dvc_repro_takes_adult_and_meps_from_a_mirror(project: Path, mirror: Path) -> None:
    names = ["digits", "adult", "meps"]
    params = {
        "data": {name: name for name in names},
        "suites": {name: {"data": name} for name in names},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    repro(project, BENCH_MIRROR=str(mirror))
    for name in names:
        assert (project / "site" / name / "index.html").exists()
    assert "Running stage" not in repro(project, BENCH_MIRROR=str(mirror))
