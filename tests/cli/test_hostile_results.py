"""Names in files of results lead nowhere: one line, exit code 2, and nothing outside is touched."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.errors import BenchError
from bench.reports import wording
from bench.result import LONGEST_NAME, Store, file_name
from bench.tracking.artifacts import staged
from tests.tracking.tracking_examples import make_plan, make_result

COMMANDS = {
    "merge": ("merge", "a", "--into", "b"),
    "merge into": ("merge", "honest", "--into", "a"),
    "report": ("report", "--out", "a"),
    "log": ("log", "--out", "a"),
    "export": ("export", "--out", "a"),
    "publish": ("publish", "--out", "a", "--to", "published", "--yes"),
    "compare": ("compare", "a", "honest"),
    "ui": ("ui", "--out", "a", "--tracking-uri", "http://127.0.0.1:9"),
}
BAD_NAMES = [
    "../../x",
    "/elsewhere/x",
    "a/b",
    "a\\b",
    "",
    " ",
    ".",
    "..",
    "con",
    "NUL.x",
    "x" * 300,
    "a\nb",
]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with honest results in a/ and honest/, and a file that nobody may touch."""
    work = tmp_path / "outer" / "work"
    for name in ("a", "honest"):
        plan = make_plan("small")
        Store(work / name).write_plan(plan)
        for trial in plan.trials:
            Store(work / name).write(make_result(plan, trial))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "treasure.json").write_text("treasure")
    monkeypatch.chdir(work)
    yield work
    assert names_in(tmp_path) == {"outer", "outside"}
    assert names_in(tmp_path / "outer") == {"work"}
    assert names_in(tmp_path / "outside") == {"treasure.json"}
    assert (tmp_path / "outside" / "treasure.json").read_text() == "treasure"


def ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    """The exit code of a command and what it said on the error stream."""
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0), capfd.readouterr().err


def changed(path: Path, **fields: Any) -> None:
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps(content))


PLAN = Path("a/small/plan.json")
RESULT = Path("a/small/trials/smallbade0.json")


def a_key_with_a_slash() -> None:
    trials = json.loads(PLAN.read_text())["trials"]
    changed(PLAN, trials=[{**trials[0], "key": "../../../../x"}, *trials[1:]])


def a_link_of(path: str, target: str) -> Callable[[], None]:
    def make() -> None:
        place = Path(path)
        place.rename("moved")
        place.symlink_to(target)

    make.__name__ = f"a link of {path}"
    return make


def another_track() -> None:
    plan = json.loads(PLAN.read_text())
    plan["methods"][0]["track"] = "../../x"
    changed(PLAN, methods=plan["methods"])


def a_plan_that_is_a_pipe() -> None:
    PLAN.unlink()
    os.mkfifo(PLAN)


HOSTILE: dict[str, tuple[Callable[[], object], str, str]] = {
    "a suite that climbs": (lambda: changed(PLAN, suite="../../x"), "plan.json", "suite"),
    "an absolute suite": (lambda: changed(PLAN, suite="/elsewhere/x"), "plan.json", "suite"),
    "another suite": (lambda: changed(PLAN, suite="other"), "plan.json", "suite"),
    "a result of another suite": (lambda: changed(RESULT, suite="other"), "bade0.json", "suite"),
    "a result that climbs": (lambda: changed(RESULT, suite="../.."), "bade0.json", "suite"),
    "a result with another key": (lambda: changed(RESULT, key="other"), "bade0.json", "key"),
    "a key with a slash": (a_key_with_a_slash, "plan.json", "key"),
    "a track that climbs": (another_track, "plan.json", "track"),
    "a plan without its tasks": (lambda: changed(PLAN, tasks=[]), "plan.json", "task"),
    "a plan that is a pipe": (a_plan_that_is_a_pipe, "plan.json", "no file"),
    "a folder with a name of Windows": (
        lambda: Path("a/small").rename("a/con"), "con", "name of a device"
    ),
    "a link to a suite": (a_link_of("a/small", "../honest/small"), "small", "link"),
    "a link to trials": (a_link_of("a/small/trials", "../../honest"), "trials", "link"),
    "a link to a result": (a_link_of(str(RESULT), "../../../../../outside/treasure.json"),
                           "smallbade0.json", "link"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["merge", "merge into", "report"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_leads_elsewhere_ends_in_a_line_that_names_it(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    command: str,
) -> None:
    spoil, file, field = HOSTILE[name]
    spoil()
    code, said = ended(monkeypatch, capfd, *COMMANDS[command])
    assert (code, said.count("\n")) == (2, 1), said
    assert file in said
    assert field in said
    assert not (place / "b").exists()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("merge", "report")])
def test_every_command_refuses_a_suite_that_climbs(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    del place
    changed(PLAN, suite="../../x")
    code, said = ended(monkeypatch, capfd, *COMMANDS[command])
    assert (code, said.count("\n")) == (2, 1), said
    assert "plan.json" in said


@pytest.mark.parametrize("link", [".lock", "site", "site/small"])
def test_links_where_files_are_written_are_not_followed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], link: str
) -> None:
    outside = "../../outside" if link == "site" else "../../../outside"
    target = "../../../outside/treasure.json" if link == ".lock" else outside
    path = place / ("honest" if link == ".lock" else "") / link
    path.parent.mkdir(exist_ok=True)
    if link == "site":
        (place / "site").mkdir()
        path = place / "site" / "index.html"
    path.symlink_to(target)
    words = ("merge", "a", "--into", "honest") if link == ".lock" else ("report", "--out", "a")
    code, said = ended(monkeypatch, capfd, *words)
    assert (code, said.count("\n")) == (2, 1), said
    assert "link" in said


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_no_file_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        file_name(name)
    for act in (Store(tmp_path).path, Store(tmp_path).read):
        with pytest.raises(BenchError, match=r"Move it away"):
            act(name, "key")
    with pytest.raises(BenchError, match=r"Move it away"):
        Store(tmp_path).read("suite", name)


@pytest.mark.parametrize("name", ["small", "0123456789abcdef01234567", "my suite (v2)", "größe-é"])
def test_a_name_that_files_have_is_taken_as_it_is(name: str) -> None:
    assert file_name(name) == name
    assert file_name("x" * LONGEST_NAME)


def test_pages_get_names_that_files_may_have_and_no_two_alike() -> None:
    names = [
        "../../x",
        "/etc/passwd",
        "con",
        "..",
        "x" * 500,
        "x" * 501,
        "a\nb",
        "💥",
        "",
        "A|b",
        "a b",
    ]
    slugs = wording.slugs(names)
    assert len(set(slugs.values())) == len(names)
    assert all(file_name(f"{slug}.html") for slug in slugs.values())


def test_pictures_and_links_among_pages_lead_nowhere(place: Path) -> None:
    plan = make_plan("small")
    method = plan.methods[0].model_copy(update={"label": "../" * 40 + "x", "picture": "AAAA"})
    plan = plan.model_copy(update={"methods": [method]})
    (place / "site" / "small").mkdir(parents=True)
    (place / "site" / "small" / "index.html").write_text("page")
    (place / "site" / "small" / "leak.html").symlink_to("../../../../outside/treasure.json")
    with staged(plan, place / "site") as (folder, _):
        files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert [name.rpartition("/")[0] for name in files] == ["pages", "pictures"]


def test_a_suite_file_whose_name_no_folder_may_have_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / "con.yaml").write_text("title: x\n")
    code, said = ended(monkeypatch, capfd, "--suite", "con.yaml")
    assert (code, said.count("\n")) == (2, 1), said
    assert "con.yaml" in said
