"""What the documents say is tried: their examples run, their commands and files exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.learning.settings import Training
from bench.method import methods
from bench.suites.reader import suite_names

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """The code block that follows the marker of an example."""
    found = re.search(
        rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)```", CONTRIBUTING, re.DOTALL
    )
    assert found, f"CONTRIBUTING.md has no example {name}"
    return found.group(1)


def private(folder: Path) -> dict[str, str]:
    """Where the examples' methods stand, if there are any."""
    methods_folder = folder / "private"
    return {"BENCH_METHODS": str(methods_folder)} if methods_folder.exists() else {}


def bench(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **private(folder)},
        capture_output=True,
        text=True,
        check=False,  # the assertion below shows what it said
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_method_added_as_contributing_says_shows_up_everywhere(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    code = example("baselines/group_weights.py")
    (tmp_path / "private" / "group_weights.py").write_text(code)
    assert "group_weights" in bench(tmp_path, "list")
    assert "power" in bench(tmp_path, "show", "group_weights")
    bench(
        tmp_path, "--suite", "digits", "--seeds", "1", "--set", "training.epochs=1",
        "--methods", "standard,group_weights,group_weights[power=0.5]", "--jobs", "2",
    )  # fmt: skip
    page = (tmp_path / "site" / "digits" / "index.html").read_text()
    assert "group_weights[power=0.5]" in page
    assert "every group counts the same" in page
    table = (tmp_path / "site" / "digits" / "results.csv").read_text()
    assert ",group_weights,0,ok,odds," in table
    code = (
        "from mlflow.tracking import MlflowClient as C; c = C('sqlite:///results/mlflow.db');"
        "e = c.get_experiment_by_name('digits').experiment_id;"
        "print(len(c.search_runs([e], \"tags.method = 'group_weights'\")))"
    )
    runs = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert runs.stdout.strip() == "4"  # on each of two tracks, the trial and its summary


def test_the_suite_of_contributing_expands_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(example("mine.yaml"))
    plan = bench(tmp_path, "--suite", "mine.yaml", "--dry-run")
    assert plan.count("to do  ") == 2 * 3 * 2
    for name in ("parity|ink [correlation=0.5]", "parity|ink [correlation=0.9]",
                 "bade[strength=0.5]", "bade · seed 1"):  # fmt: skip
        assert name in plan


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", *(
    f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])  # fmt: skip
def test_files_and_make_targets_that_documents_name_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z][a-z-]+)", text):
        assert f"\n{target}:" in makefile, f"{document}: no target {target}"
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / document).parent / link).exists(), f"{document}: {link} does not exist"
    for path in re.findall(r"\b(?:docs|benchmarks|reports|tests)/[\w/]+\.(?:py|md|yaml)\b", text):
        if "group_weights" not in path and "NAME" not in path:
            assert (ROOT / path).exists(), f"{document}: {path} does not exist"


def test_every_method_and_every_training_setting_is_documented() -> None:
    described = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    for name in methods():
        assert f"**{name}**" in described, f"docs/methods.md does not describe {name}"
    settings = (ROOT / "docs" / "suites.md").read_text(encoding="utf-8")
    for field in Training.model_fields:
        assert f"`{field}`" in settings, f"docs/suites.md does not describe {field}"


def test_the_readme_names_every_suite() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "small form (`..._small`)" in readme
    for name in {name.removesuffix("_small") for name in suite_names()}:
        assert f"`{name}`" in readme or f"--suite {name}" in readme


def test_citation_file_is_valid_yaml_with_the_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    titles = {reference["title"].lower() for reference in citation["references"]}
    for name, method in methods().items():
        paper = method.paper.title.lower()
        named = any(title.startswith(paper) for title in titles)
        assert named, f"CITATION.cff does not name {name}'s paper"
