"""A new track is one folder: with nothing else touched it is everywhere where tracks are shown."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

TRACK = '''
"""The guessing track: a class is guessed without looking at any input."""

from typing import ClassVar

from pydantic import Field

from bench.result import CrossQuestion, TrackInfo
from bench.tracks.options import TrackOptions
from bench.tracks.registry import Track, metric
from bench.tracks.session import Evaluation, Session

from . import Guesser


class GuessingOptions(TrackOptions):
    of_judge: ClassVar[frozenset[str]] = frozenset({"tries"})

    tries: int = Field(1, ge=1)
    """Guesses that are allowed."""


class GuessingSession(Session):
    def __init__(self, prepared):
        self.classes, self.tries = prepared.classes, prepared.options.tries
        self.y = prepared.splits()["test"].y
        self.context = prepared.context(prepared.splits()["validation"], None)

    def evaluate(self, method):
        guesses = method.guess(len(self.classes))[: self.tries]
        rate = sum(float((self.y == guess).double().mean()) for guess in guesses)
        return Evaluation({"hit_rate": rate}, {"surprise": "a guess surprises nobody"})


TRACK = Track(
    TrackInfo(
        name="guessing",
        reference="first_class",
        rank_by=["hit_rate"],
        ranking="Who hits more often is better at guessing.",
        selection="There is nothing to select when guessing.",
        metrics=[
            metric("hit_rate", "Hit rate", "higher", "Share of targets that were guessed.",
                   formula="P(guess = Y)", headline=True),
            metric("surprise", "Surprise", "", "How surprised everyone is.", unit=""),
        ],
        questions=[
            CrossQuestion(title="Luck of guessers", sentence="Were they lucky?",
                          home="guessing", metrics=["hit_rate"]),
        ],
    ),
    1,
    GuessingSession,
    GuessingOptions,
    suffix=" guessed",
)
'''
FILES = {
    "tracks/guessing/__init__.py": '''
"""Guessing."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from bench.method import Method


@dataclass(frozen=True)
class Guesser(Method):
    track: ClassVar[str] = "guessing"

    @abstractmethod
    def guess(self, classes: int) -> list[int]:
        """Classes, the likeliest first."""
''',
    "tracks/guessing/track.py": TRACK,
    "methods/first_class.py": '''
"""Guesses the classes in their order."""

from dataclasses import dataclass
from typing import ClassVar

from bench.method import Paper

from ..tracks.guessing import Guesser


@dataclass(frozen=True)
class FirstClass(Guesser):
    """Counts up."""

    paper: ClassVar[Paper] = Paper("Nobody 2026", "On guessing")
    start: int = 0
    """The class to begin with."""

    def guess(self, classes):
        return [(self.start + i) % classes for i in range(classes)]
''',
    "suites/guesses.yaml": """
title: Guesses
seeds: 2
training: {backbone: small_cnn, epochs: 1}
tasks:
  - {data: digits, task: digit|ink, track: guessing, matrix: {tries: [1, 10]}}
methods: [first_class, first_class: {start: 3}]
figures: [{kind: line, title: Hits over tries, x: tries, values: [hit_rate]}]
""",
}

Results = Mapping[tuple[str, str, int], Any]
"""Results as JSON has them, by task, method and seed."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a track, a method of it and a suite, and a place for what they leave."""
    root = tmp_path_factory.mktemp("guessing")
    for name, text in FILES.items():
        path = root / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
    return root


def bench(folder: Path, *arguments: str) -> str:
    """What the command prints, in a process of its own; errors included."""
    command = [sys.executable, "-m", "bench", *arguments]
    environment = {**os.environ, "BENCH_PLUGINS": str(folder / "plugins"), "COLUMNS": "200"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return ended.stdout


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    """What the sweep prints."""
    return bench(folder, "--suite", "guesses", "--jobs", "1").splitlines()


@pytest.fixture(scope="module")
def results(folder: Path, lines: list[str]) -> Results:
    """Every result by task, method and seed."""
    assert lines
    files = (folder / "results" / "guesses" / "trials").glob("*.json")
    read = [json.loads(path.read_text()) for path in files]
    return {(one["task"], one["method"], one["seed"]): one for one in read}


def test_the_command_line_lists_it_and_shows_its_method(folder: Path) -> None:
    listed = bench(folder, "list").splitlines()
    heading = listed.index("Methods, guessing")
    assert listed[heading + 1].split() == (
        ["first_class", "Guesses", "the", "classes", "in", "their", "order.", "Nobody", "2026"]
    )
    assert any(line.split()[:1] == ["guesses"] for line in listed)
    assert "first_class (guessing)" in bench(folder, "show", "first_class")


def test_its_options_tell_tasks_and_keys_apart(
    results: Results,
) -> None:
    tasks = {task for task, _, _ in results}
    assert tasks == {"digits digit|ink guessed", "digits digit|ink [tries=10] guessed"}
    assert len({one["key"] for one in results.values()}) == len(results) == 8
    rates = [one["metrics"]["hit_rate"] for key, one in results.items() if "tries" in key[0]]
    assert rates == pytest.approx([1, 1, 1, 1])


def test_the_line_of_a_trial_shows_its_headline_and_nothing_else(lines: list[str]) -> None:
    ended = [line for line in lines if "ok " in line and "tries=10" in line]
    assert len(ended) == 4
    assert all("hit_rate 100.0" in line and "surprise" not in line for line in ended)


def test_mlflow_has_its_metric_and_its_name(folder: Path, results: Results) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - costs seconds

    client = MlflowClient(f"sqlite:///{folder / 'results' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("guesses")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`bench.kind` = 'trial'")
    assert {run.data.tags["track"] for run in runs} == {"guessing"}
    assert sorted(run.data.metrics["hit_rate"] for run in runs) == sorted(
        one["metrics"]["hit_rate"] for one in results.values()
    )


def test_pages_have_its_words_formula_reference_figure_and_question(
    folder: Path, lines: list[str]
) -> None:
    assert lines
    site = folder / "site"
    suite, reading, questions = (
        html.unescape((site / name).read_text())
        for name in ("guesses/index.html", "reading.html", "cross-examination.html")
    )
    for words in ("Hit rate", "Hits over tries", "Who hits more often", "nothing to select"):
        assert words in suite, words
    assert re.search(r"first_class, the reference,|(above|below) first_class \(", suite)
    for words in ("P(guess = Y)", "Share of targets that were guessed.", "How surprised"):
        assert words in reading, words
    assert "Luck of guessers" in questions
    assert "Were they lucky?" in questions
    assert 'class="value"' in questions


def test_an_unknown_option_is_a_mistake_in_the_suite(folder: Path) -> None:
    path = folder / "wrong.yaml"
    path.write_text(FILES["suites/guesses.yaml"].replace("tries", "trials"))
    with pytest.raises(AssertionError, match=r'unknown field "trials"\. Did you mean "tries"'):
        bench(folder, "--suite", "wrong.yaml")
