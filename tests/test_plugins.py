"""Plug-ins: what lies outside the repository is found, and faults in it break nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from bench import plugins
from bench.attacks.poisoning.contract import Attack
from bench.data.dataset import DataSet
from bench.errors import UsageError
from bench.method import Method, configurable
from bench.plugins import UnfitError, classes, discover, lookup, unreported
from bench.suites.source import descriptions, suite_names

ROOT = Path(__file__).resolve().parent.parent

METHOD = '''"""Constant: answers the same whatever it is asked."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bench.method import Paper
from bench.tracks.debiasing import Debiaser


@dataclass(frozen=True)
class Constant(Debiaser):
    """Nobody (2024), section 1."""

    paper: ClassVar[Paper] = Paper("Nobody (2024)", "On nothing")
    answer: int = 0
    """The answer."""

    def fit(self, task, context):
        return nn.Identity()
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that BENCH_PLUGINS names; problems of other tests are forgotten."""
    path = tmp_path / "ours"
    path.mkdir()
    monkeypatch.setenv("BENCH_PLUGINS", str(path))
    monkeypatch.setattr(plugins, "_problems", {})
    monkeypatch.setattr(plugins, "_reported", set())
    return path


def write(folder: Path, name: str, text: str) -> Path:
    """A file, whose folder is made where there is none."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def found_methods(packages: tuple[str, ...] = ()) -> dict[str, type[Method]]:
    """Methods that are plug-ins, and those of the packages."""
    return discover("method", packages, partial(configurable, base=Method))


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`bench`, with plug-ins in the folder `ours` beside the results."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env={**os.environ, "BENCH_PLUGINS": str(folder / "ours"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,  # the assertions say how it should end
    )


@pytest.mark.parametrize("place", ["constant.py", "methods/constant.py", "constant/__init__.py"])
def test_a_file_in_the_folder_is_a_method_of_its_name(folder: Path, place: str) -> None:
    write(folder, place, METHOD)
    [(name, cls)] = found_methods().items()
    assert name == "constant"
    assert cls(answer=3).label == "constant[answer=3]"  # type: ignore[call-arg]
    assert unreported() == []


def test_several_folders_may_be_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.py", METHOD)
    write(tmp_path, "more/b.py", METHOD)
    monkeypatch.setenv("BENCH_PLUGINS", f"{folder}{os.pathsep}{tmp_path / 'more'}")
    assert list(found_methods()) == ["a", "b"]


def test_a_file_imports_its_neighbours_and_shadows_no_installed_package(folder: Path) -> None:
    write(folder, "_shared.py", "CITE = 'Shared (2025)'\n")
    text = METHOD.replace("from torch", "from .._shared import CITE\nfrom torch")
    write(folder, "methods/json.py", text.replace('"Nobody (2024)"', "CITE"))
    assert found_methods()["json"].paper.cite == "Shared (2025)"
    assert sys.modules["json"] is json
    assert unreported() == []


def test_names_that_begin_with_an_underscore_are_left_alone(folder: Path) -> None:
    write(folder, "_broken.py", "1 / 0")
    assert found_methods() == {}
    assert unreported() == []


def test_a_suite_in_the_folder_is_known_by_its_name(folder: Path) -> None:
    path = write(folder, "suites/ours.yaml", "description: A  suite\n  of ours.\n")
    assert suite_names()["ours"] == path
    assert descriptions()["ours"] == "A suite of ours."
    assert "digits" in suite_names()


def test_an_entry_point_names_a_package_of_plugins(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    write(site, "installed_plugins/__init__.py", "")
    write(site, "installed_plugins/methods/installed.py", METHOD)
    write(site, "installed_plugins/suites/installed.yaml", "description: Comes along.\n")
    about = site / "installed_plugins-1.0.dist-info"
    write(about, "METADATA", "Metadata-Version: 2.1\nName: installed-plugins\nVersion: 1.0\n")
    write(
        about, "entry_points.txt",
        "[bench.plugins]\nours = installed_plugins\ngone = no_such_package_of_plugins\n",
    )  # fmt: skip
    monkeypatch.syspath_prepend(site)
    assert found_methods()["installed"].__module__ == "installed_plugins.methods.installed"
    assert descriptions()["installed"] == "Comes along."
    [problem] = unreported()
    assert "entry point gone = no_such_package_of_plugins" in str(problem)
    assert "Install no_such_package_of_plugins" in problem.remedy


FAULTS: dict[str, tuple[str, str]] = {
    "syntax": ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax (line 2). Correct the file."),
    "missing": (
        "\nimport no_such_package",
        "ModuleNotFoundError: No module named 'no_such_package' (line 2). Install no_such_package",
    ),
    "name": ("from bench.method import Methud", "ImportError: cannot import name 'Methud' from"),
    "boom": ("def f():\n    return 1 / 0\nf()", "ZeroDivisionError: division by zero (line 2)."),
    "beside": ("from ._torn import x", "SyntaxError: invalid syntax (_torn.py, line 2) (line 1)."),
    "setup": ("import sys\nsys.exit(3)", "SystemExit: 3 (line 2)."),
    "no_paper": (
        METHOD.replace("paper: ClassVar", "papers: ClassVar"),
        "class Constant has no `paper`. Give the class `paper: ClassVar[Paper] = ...`.",
    ),
    "title_alone": (
        METHOD.replace('Paper("Nobody (2024)", "On nothing")', '"On nothing"'),
        "Constant.paper: Input should be an instance of Paper. It is declared as `paper: ClassV",
    ),
    "no_fit": (METHOD.replace("def fit(", "def fits("), "class Constant has no fit()."),
    "odd_field": (
        METHOD.replace("answer: int", "answer: 'Unheard'"),
        "PydanticUndefinedAnnotation: name 'Unheard' is not defined. Correct the file.",
    ),
    "bade": (METHOD, 'there is a method "bade" already. Give it another name.'),
    "two": (METHOD + METHOD.partition("\n\n\n")[2].join(["\n\n", ""]).replace("s Con", "s Other"),
            'it defines more than one method. Give each a file of its own.'),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_named_in_one_line_and_left_out(folder: Path, name: str) -> None:
    text, message = FAULTS[name]
    path = write(folder, f"{name}.py", text)
    write(folder, "sound.py", METHOD)
    write(folder, "_torn.py", FAULTS["syntax"][0])
    methods = found_methods(("bench.methods",))
    assert {"sound", "bade"} <= methods.keys()
    assert methods["bade"].__module__ == "bench.methods.bade"
    assert name not in methods or name == "bade"
    [problem] = unreported()
    assert str(problem).startswith(f"plug-in {path} is left out: {message}")
    assert "\n" not in str(problem)
    found_methods(("bench.methods",))
    assert unreported() == []  # told once


def test_a_faulty_data_set_or_attack_is_left_out_too(folder: Path) -> None:
    text = "from bench.data.dataset import DataSet\nclass Bare(DataSet):\n"
    write(folder, "bare.py", f"{text}    def prepare(self, raw, options, work): ...\n")
    write(
        folder, "lame.py",
        "from bench.attacks.poisoning.contract import Attack\n"
        "class Lame(Attack):\n    def poison(self, train, random): ...\n",
    )  # fmt: skip
    assert discover("data set", [], partial(classes, base=DataSet)) == {}
    assert discover("attack", [], partial(classes, base=Attack)) == {}
    bare, lame = unreported()
    assert "class Bare has no `title`" in str(bare)
    assert "class Lame has no attempts()" in str(lame)


@pytest.mark.parametrize("text", ["a: [", "[not, a, mapping]"])
def test_a_yaml_file_that_is_no_suite_is_left_out_of_lists(folder: Path, text: str) -> None:
    path = write(folder, "compose.yaml", text)
    write(folder, "digits.yaml", "description: Ours.")
    assert {"compose", "digits"} <= suite_names().keys()
    assert "compose" not in descriptions()
    assert descriptions()["digits"] != "Ours."
    taken, faulty = map(str, unreported())
    assert 'digits.yaml is left out: there is a suite "digits" already' in taken
    assert faulty.startswith(f"plug-in {path} is left out: ")


def test_a_folder_that_is_not_there_is_a_problem_and_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_METHODS", f"{folder}/gone")
    assert found_methods() == {}
    [problem] = unreported()
    assert f"BENCH_METHODS={folder}/gone is left out: there is no such folder" in str(problem)


def test_a_look_up_says_why_a_plugin_is_not_there(folder: Path) -> None:
    write(folder, "boom.py", "1 / 0")
    methods = found_methods()
    with pytest.raises(UsageError, match=r"boom\.py is left out: ZeroDivisionError"):
        lookup("method", "boom", methods)
    assert unreported() == []  # the error has told it
    with pytest.raises(UsageError, match='unknown method "bom"'):
        lookup("method", "bom", methods)


def test_a_fault_of_the_project_itself_is_raised(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "site/own_package/__init__.py", "")
    write(tmp_path, "site/own_package/nopaper.py", FAULTS["no_paper"][0])
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(UnfitError, match="class Constant has no `paper`"):
        found_methods(("own_package",))
    write(tmp_path, "site/own_package/nopaper.py", "1 / 0")
    sys.modules.pop("own_package.nopaper")
    with pytest.raises(ZeroDivisionError):
        found_methods(("own_package",))
    assert unreported() == []


def test_what_picks_from_modules_may_import_more_of_them(folder: Path) -> None:
    """Tracks are packages; their modules are imported when they are looked for."""
    write(folder, "tracks/toy/__init__.py", "")
    write(folder, "tracks/toy/track.py", "TRACK = 'toy'")
    write(folder, "tracks/torn/__init__.py", "")
    write(folder, "tracks/torn/track.py", "1 / 0")

    def pick(module: ModuleType) -> list[str]:
        __import__(f"{module.__name__}.track")
        return [module.track.TRACK]

    assert discover("track", [], pick) == {"toy": "toy"}
    [problem] = unreported()
    assert problem.name == "torn"


COMMANDS: dict[str, Callable[[str], bool]] = {
    "list": lambda printed: "bade" in printed and "badnets" in printed,
    "data list": lambda printed: "digits" in printed,
    "--suite digits --dry-run": lambda printed: "190 to do" in printed,
}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_command_breaks_and_each_tells_what_it_left_out(tmp_path: Path, arguments: str) -> None:
    path = write(tmp_path, "ours/boom.py", "1 / 0")
    ended = command(tmp_path, *arguments.split())
    assert ended.returncode == 0, ended.stderr
    assert COMMANDS[arguments](ended.stdout)
    line = f"bench: plug-in {path} is left out: ZeroDivisionError: division by zero (line 1)."
    assert ended.stderr.splitlines() == [f"{line} Correct the file."]


def test_to_show_a_faulty_method_is_to_say_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, "ours/mine.py", FAULTS["no_paper"][0])
    ended = command(tmp_path, "show", "mine")
    assert (ended.returncode, ended.stdout) == (2, "")
    start = f"bench: plug-in {path} is left out: class Constant has no `paper`."
    assert ended.stderr.startswith(start)
    assert ended.stderr.count("\n") == 1


def test_files_of_bench_methods_import_each_other_by_their_bare_names(tmp_path: Path) -> None:
    write(tmp_path, "neighbour.py", "CITE = 'Beside (2025)'\n")
    text = METHOD.replace("from torch", "from neighbour import CITE\nfrom torch")
    write(tmp_path, "constant.py", text.replace('"Nobody (2024)"', "CITE"))
    code = "from bench.method import methods; print(methods()['constant'].paper.cite)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BENCH_METHODS": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("Beside (2025)\n", "")


def test_the_examples_of_the_document_run_in_worker_processes(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    for name, text in re.findall(r"<!-- example: (.*?) -->\n```\w+\n(.*?)```", document, re.DOTALL):
        write(tmp_path, f"ours/{name}", text)
    ended = command(tmp_path, "--suite", "moons", "--jobs", "2", "--no-track")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    trials = [json.loads(path.read_text()) for path in tmp_path.glob("results/moons/trials/*.json")]
    success = {
        (trial["method"], trial["seed"]): trial["metrics"]["asr"]
        for trial in trials
        if trial["task"] == "moons moon|side under far_away"
    }
    assert success == {
        ("no_defence", 0): 1.0, ("no_defence", 1): 1.0,
        ("far_filter", 0): 0.0, ("far_filter", 1): 0.0,
    }  # fmt: skip
    assert "not in this repository" in (tmp_path / "site/methods/far-filter.html").read_text()
