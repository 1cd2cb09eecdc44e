"""LABOR's tables and figures as suites: what the paper prints stands beside what is measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.data.dataset import Library
from bench.reports.boards.published import CSV, lookup
from bench.result import Plan, PlannedMethod, PlannedTask, Store
from bench.runner.plan import select, sweep
from bench.suites.reader import read_suite, suite_names

LABOR = sorted(name for name in suite_names() if name.startswith("labor_"))
with CSV.open(encoding="utf-8", newline="") as _file:
    PRINTED = [line for line in csv.DictReader(_file) if line["paper"] == "labor"]


def planned(name: str, folder: Path) -> Plan:
    """The plan of a suite whose data nobody has."""
    suite = read_suite(suite_names()[name])
    chosen = select(suite, seeds=[0])
    return sweep(chosen, Library(folder / "data"), Store(folder / "results"), "bench").plan


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[PlannedTask, PlannedMethod]]:
    """Every method on every task of LABOR's suites, but for the small forms."""
    folder, found = tmp_path_factory.mktemp("plans"), []
    for name in LABOR:
        if name.endswith("_small"):
            continue
        plan = planned(name, folder)
        tasks = {task.name: task for task in plan.tasks}
        methods = {method.label: method for method in plan.methods}
        found += [(tasks[trial.task], methods[trial.method]) for trial in plan.trials]
    return found


def test_every_figure_of_the_paper_stands_beside_an_entry_of_one_of_its_suites(
    entries: list[tuple[PlannedTask, PlannedMethod]],
) -> None:
    same = ("dataset", "task", "condition", "method", "metric")
    absent = []
    for line in PRINTED:
        data = [(task, method) for task, method in entries if task.data == line["dataset"]]
        beside = [lookup(task, method, line["metric"]) for task, method in data]
        # Tables 2 and 3 differ about VGG-16; the first is quoted.
        rivals = [other for other in PRINTED if all(other[key] == line[key] for key in same)]
        printed = {float(rival["value"]) for rival in rivals}
        values = {figure.value for figure in beside if figure and figure.of == line["method"]}
        if not values & printed:
            absent.append("-".join(list(line.values())[:7]))
    assert len(PRINTED) > 100
    assert absent == []


def test_a_poisoned_task_and_its_clean_twin_have_figures_of_their_own(
    entries: list[tuple[PlannedTask, PlannedMethod]],
) -> None:
    found = {
        task.name: lookup(task, method, "cda")
        for task, method in entries
        if task.data == "mnist" and method.label == "no_defence"
    }
    values = {name: figure.value for name, figure in found.items() if figure}
    assert values == {"mnist digit under badnets": 99.78, "mnist digit under clean": 99.87}


@pytest.mark.parametrize(
    ("suite", "task", "method", "asr"),
    [
        ("mnist", "mnist digit under badnets", "labor[clustering=kmeans]", 10.27),
        ("cifar10", "cifar10 class under badnets", "labor[clusters_per_class=10,epochs=20]", 11.7),
        ("speech_commands", "speech_commands digit under background_noise", "labor", 10.35),
        ("imdb", "imdb sentiment under trigger_words", "labor", 7.83),
        (
            "consumer_complaints",
            "consumer_complaints product under trigger_words[rate=0.03,words=consumer_complaints]",
            "labor",
            14.83,
        ),
        ("cicids2017", "cicids2017 attack under feature_values", "labor", 6.14),
    ],
)
def test_the_suites_of_single_data_sets_quote_the_paper_too(
    suite: str, task: str, method: str, asr: float, tmp_path: Path
) -> None:
    plan = planned(suite, tmp_path)
    [of] = [each for each in plan.tasks if each.name == task]
    [by] = [each for each in plan.methods if each.label == method]
    figure = lookup(of, by, "asr")
    assert figure is not None
    assert figure.value == asr


@pytest.mark.parametrize("name", [name for name in LABOR if not name.endswith("_small")])
def test_every_suite_of_the_paper_has_a_small_form(name: str) -> None:
    assert f"{name}_small" in LABOR
