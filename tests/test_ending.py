"""How commands end: a code for each way, and a fault of ours told apart from all others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.cli import main
from bench.ending import ExitCode, exit_code
from bench.errors import DataError, SuiteError, UsageError
from tests.in_process import sweep_here

ROOT = Path(__file__).parents[1]


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def endless(depth: int = 0) -> int:
    return endless(depth + 1) + 1


class UnprintableError(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("answer", [None, 0, 1, 143])
def test_a_command_that_ends_by_itself_keeps_its_code(answer: int | None) -> None:
    assert exit_code(lambda: answer) == (answer or 0)


@pytest.mark.parametrize("kind", [UsageError, DataError, SuiteError])
def test_a_mistake_of_the_user_is_one_line(
    kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(raising(kind("there is no such [thing]."))) == 2
    assert capsys.readouterr().err == "bench: there is no such [thing].\n"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("broken"),
        KeyError("x"),
        EOFError(),
        MemoryError(),
        AssertionError("never"),
        OSError(9, "Bad file descriptor"),
        BrokenPipeError(32, "Broken pipe"),  # of a worker, say: standard output is whole
        SystemExit(3),
        SystemExit(0),
        SystemExit("stop"),
        GeneratorExit(),
        UnprintableError(),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
        RuntimeError("\udcff \x1b[31m"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_anything_unforeseen_is_a_fault_with_a_traceback_and_one_line(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(raising(error)) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert any("in fail" in line for line in lines)
    assert lines[-1].startswith("bench: this is a fault of bench and none of yours")
    assert f"({type(error).__name__}, shown above). Please report it" in lines[-1]


def test_endless_recursion_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(endless) == 70
    errors = capsys.readouterr().err
    assert "RecursionError" in errors
    assert errors.count("\n") < 50  # Python names repeated lines once


def test_what_a_disk_refuses_is_one_line_that_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(raising(OSError(28, "No space left on device", "/full/a.json"))) == 2
    assert exit_code(lambda: (tmp_path / ("a" * 300)).write_text("")) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "bench: /full/a.json: No space left on device."
    assert second.endswith("File name too long.")


def test_ctrl_c_is_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "bench: interrupted.\n"


# Every command


class Command(NamedTuple):
    """A command line, and what is broken in it for the test."""

    words: str
    broken: str


COMMANDS = [
    Command("--suite digits", "bench.runner.sweep.run"),
    Command("--suite digits --dry-run", "bench.runner.preparation.read_suite"),
    Command("--version", "bench.runner.provenance.git_state"),
    Command("", "bench.cli.main.descriptions"),
    Command("list", "bench.data.dataset.data_sets"),
    Command("show bade", "bench.method.methods"),
    Command("report --out .", "bench.reports.site.build"),
    Command("log --out .", "bench.result.Store.suites"),
    Command("ui --out .", "bench.tracking.tracker.serve"),
    Command("label mnist", "bench.labelling.command.read_suite"),
    Command("export --out .", "bench.reports.export.export"),
    Command("compare a b", "bench.reports.compare.side"),
    Command("merge a b --into c", "bench.runner.merge.merge"),
    Command("publish --to c --out .", "bench.reports.publish.site_of"),
    Command("data list", "bench.data.dataset.Library.raw"),
    Command("data get digits", "bench.data.dataset.Library.get"),
    Command("data check digits", "bench.data.dataset.Library.raw"),
    Command("data prepare digits", "bench.data.dataset.Library.prepare"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words or "bench")
def test_a_fault_in_any_command_ends_with_70_and_ctrl_c_with_130(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    sweep_here(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["bench", *command.words.split()])
    for error, code in ((ZeroDivisionError("ours"), 70), (KeyboardInterrupt(), 130)):
        monkeypatch.setattr(command.broken, raising(error))
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == code
        errors = capsys.readouterr().err
        assert ("Traceback" in errors) == (code == 70), errors
        assert ("fault of bench" in errors) == (code == 70)


def test_every_command_is_among_them() -> None:
    def leaves(command: object, *path: str) -> set[str]:
        below = getattr(command, "commands", {})
        found = {leaf for name, sub in below.items() for leaf in leaves(sub, *path, name)}
        return found or {" ".join(path)}

    from typer.main import get_command  # noqa: PLC0415

    tried = {" ".join(c.words.split()[:2]) for c in COMMANDS}
    for name in leaves(get_command(main.app)):
        assert any(words == name or words.startswith(f"{name} ") for words in tried), name


def test_a_broken_installation_is_a_fault_and_no_failed_trial(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('half an installation')")
    path = f"{tmp_path}{os.pathsep}{ROOT / 'src'}"
    ended = started(tmp_path, "list", PYTHONPATH=path)
    _, errors = ended.communicate(timeout=60)
    assert ended.returncode == 70
    assert "half an installation" in errors
    assert "fault of bench" in errors


@pytest.mark.parametrize("module", ["bench.speed.memory", "bench.triggers.pictures"])
def test_a_fault_of_a_module_that_is_run_ends_with_70_too(module: str, tmp_path: Path) -> None:
    code = (
        "import multiprocessing, pathlib, runpy, sys, torch\n"
        "def fail(*_, **__): raise ZeroDivisionError('ours')\n"
        "multiprocessing.get_context = pathlib.Path.mkdir = fail\n"
        f"sys.argv = ['x']; runpy.run_module({module!r}, run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert ended.returncode == 70, ended.stderr
    assert "fault of bench" in ended.stderr.splitlines()[-1]


def test_every_module_that_can_be_run_ends_in_conclude() -> None:
    runnable = [
        path
        for folder in ("benchmarks", "methods", "baselines", "reports")
        for path in (ROOT / folder).rglob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8")
    ]
    assert len(runnable) >= 6
    for path in runnable:
        last = path.read_text("utf-8").partition('if __name__ == "__main__":')[2]
        assert re.search(r"\bconclude(_typer)?\(|^\s*main\(\)", last), path


# Real processes


def started(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("words", [["list"], ["--help"]])
def test_a_reader_that_goes_away_is_no_fault_and_no_failed_trial(
    words: list[str], tmp_path: Path
) -> None:
    process = started(tmp_path, *words)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    assert (process.wait(timeout=60), errors) == (ExitCode.CLOSED, "")
    process.stderr.close()


def test_ctrl_c_during_the_first_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    process = started(tmp_path, "list", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT / 'src'}")
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "bench: interrupted.\n")
