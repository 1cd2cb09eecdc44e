"""The workflows: pinned, with no more rights than they need, and of steps that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bench.cli.main import app

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def rights(path: Path) -> set[tuple[str, str, str]]:
    """Job, scope and level of everything that a job may do beyond the workflow's rights."""
    jobs = read(path)["jobs"].items()
    return {(n, *pair) for n, job in jobs for pair in job.get("permissions", {}).items()}


def test_there_is_one_for_tests_and_one_for_pages() -> None:
    assert [path.stem for path in WORKFLOWS] == ["pages", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_come_from_github(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_the_least_and_time_is_bounded(path: Path) -> None:
    whole = read(path)
    assert whole["permissions"] == {"contents": "read"}
    for job in whole["jobs"].values():
        assert job["timeout-minutes"] <= 120
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_only_the_deployment_may_write() -> None:
    assert rights(ROOT / ".github/workflows/tests.yml") == set()
    assert rights(ROOT / ".github/workflows/pages.yml") == {
        ("deploy", "pages", "write"), ("deploy", "id-token", "write"),
    }  # fmt: skip


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_input_is_pasted_into_a_script(path: Path) -> None:
    """What a person types arrives as a variable of the environment, never as code."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_scripts_call_what_is_there(path: Path) -> None:
    script = "\n".join(step.get("run", "") for step in steps(path))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", script):
        assert f"\n{target}:" in makefile
    for file in re.findall(r"\btests/[\w./]+", script):
        assert (ROOT / file).exists()
    for line in re.findall(r"^ *bench (?!\(\))(.*)$", script, re.MULTILINE):
        command = [word for word in line.split()[:1] if not word.startswith("-")]
        told = CliRunner().invoke(app, [*command, "--help"]).output
        for option in re.findall(r"(?<!\S)--[a-z-]+", line):
            assert option in told, f"{line}: {option}"


def test_pictures_of_the_pages_are_kept() -> None:
    kept = [s["with"]["path"] for s in steps(ROOT / ".github/workflows/tests.yml")
            if s.get("uses", "").startswith("actions/upload-artifact@")]  # fmt: skip
    assert kept == ["build/screenshots"]
    browser = (ROOT / "tests" / "tracking" / "test_ui_browser.py").read_text(encoding="utf-8")
    assert '"build" / "screenshots"' in browser
