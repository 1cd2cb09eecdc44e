"""The workflows: pinned, with no more rights than they need, and of steps that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bench.cli.main import app
from bench.ending import ExitCode

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


def test_there_is_one_for_audits_one_for_pages_and_one_for_tests() -> None:
    assert [path.stem for path in WORKFLOWS] == ["audit", "pages", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_come_from_github_by_their_commit_with_the_version_beside(path: Path) -> None:
    used = re.findall(r"\buses: *(.*)", path.read_text(encoding="utf-8"))
    assert len(used) == sum("uses" in step for step in steps(path)) > 0
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version_and_one_commit_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: *(\S+)@(\w+) # (\S+)", text))
    assert len({name for name, _, _ in pins}) == len(pins)


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
    assert rights(ROOT / ".github/workflows/audit.yml") == set()
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


def run_pages(folder: Path, codes: dict[str, int]) -> tuple[int, list[str]]:
    """The step that runs the suites, as it stands, with a `docker` that ends with given codes.

    Returns its exit code, and the first words after `bench` of every command that it ran.
    """
    [step] = [s for s in steps(ROOT / ".github/workflows/pages.yml") if s.get("name") == "Run"]
    arms = "".join(f"*' {words} '*) exit {code};;\n" for words, code in codes.items())
    docker = folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$@" >>{folder}/ran\ncase " $* " in\n{arms}esac\n')
    docker.chmod(0o755)
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # as GitHub does
        cwd=folder,
        env={"PATH": f"{docker.parent}:{os.environ['PATH']}", "SUITES": "one two",
             "GITHUB_REPOSITORY": "somebody/bench", "GITHUB_REPOSITORY_OWNER": "somebody"},
        check=False,
    )  # fmt: skip
    ran = (folder / "ran").read_text().splitlines()
    assert all("/out" in line for line in ran)
    return ended.returncode, [line.rpartition(" bench ")[2].split(" --no")[0] for line in ran]


PUBLISHED = "publish --to site --url https://somebody.github.io/bench/ --yes"


def test_pages_are_published_although_trials_failed(tmp_path: Path) -> None:
    assert run_pages(tmp_path, {"--suite one": ExitCode.FAILED}) == (
        0, ["--suite one", "--suite two", PUBLISHED],
    )  # fmt: skip


@pytest.mark.parametrize("code", [*sorted(set(ExitCode) - {0, 1}), 125, 137, 139])
def test_pages_are_never_published_after_a_fault_or_an_interruption(
    tmp_path: Path, code: int
) -> None:
    assert run_pages(tmp_path, {"--suite one": code}) == (code, ["--suite one"])


def test_a_fault_in_the_last_suite_or_in_publishing_ends_the_job(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    codes: dict[str, int] = {"--suite one": 1, "--suite two": 70}
    assert run_pages(tmp_path, codes) == (70, ["--suite one", "--suite two"])
    assert run_pages(tmp_path / "b", {"publish": 70})[0] == 70


@pytest.mark.parametrize(("code", "reports"), [(0, True), (1, True), (2, False), (70, False)])
def test_demo_all_goes_on_after_failed_trials_and_after_nothing_else(
    tmp_path: Path, code: int, reports: bool
) -> None:
    """The loop of the Makefile, as it stands, with a `bench` that ends with a given code."""
    bench = tmp_path / ".venv" / "bin" / "bench"
    bench.parent.mkdir(parents=True)
    ran = tmp_path / "ran"
    bench.write_text(f'#!/bin/sh\necho "$1" >>{ran}\n[ "$1" = report ] || exit {code}\n')
    bench.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / ".installed").touch()
    ended = subprocess.run(
        ["make", "demo-all", "SMALL=a_small b_small"], cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert ran.read_text().split() == (["--suite", "--suite", "report"] if reports else ["--suite"])
    assert (ended.returncode == 0) == reports
    assert reports or f"Error {code}" in ended.stderr
