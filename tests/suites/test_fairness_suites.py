"""Perceptual-DRO's section 4 as suites: what the paper prints stands beside what is measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.data.dataset import Library
from bench.reports.boards.published import CSV, comparison, lookup
from bench.result import Plan, Store
from bench.runner.plan import select, sweep
from bench.suites.reader import read_suite, suite_names

SUITES = ("imagenet_geo", "perceptual_dro_text_4", "perceptual_dro_fig_4_2")
with CSV.open(encoding="utf-8", newline="") as _file:
    PRINTED = [line for line in csv.DictReader(_file) if line["table"] == "text 4"]


def planned(name: str, folder: Path) -> Plan:
    """The plan of a suite whose data nobody has."""
    chosen = select(read_suite(suite_names()[name]), seeds=[0])
    return sweep(chosen, Library(folder / "data"), Store(folder / "results"), "bench").plan


@pytest.mark.parametrize("name", SUITES)
def test_every_figure_of_section_4_stands_beside_an_entry(name: str, tmp_path: Path) -> None:
    plan = planned(name, tmp_path)
    [task] = plan.tasks
    methods = {method.label: method for method in plan.methods}
    shown: dict[tuple[str, str], list[float | None]] = {}
    for line in PRINTED:
        assert line["dataset"] == task.data
        metric, labels = line["metric"], line["method"].split(" vs ")
        if len(labels) == 2:
            assert set(labels) <= set(methods)
            figures = [comparison(task, *pair, metric) for pair in (labels, labels[::-1])]
        else:
            figures = [lookup(task, methods[labels[0]], metric)]
        shown[line["method"], metric] = [figure.value if figure else None for figure in figures]
    printed = {(line["method"], line["metric"]): float(line["value"]) for line in PRINTED}
    assert shown == {entry: [printed[entry]] * len(values) for entry, values in shown.items()}
    assert shown.keys() == printed.keys()


def test_there_are_seven_of_them() -> None:
    assert len(PRINTED) == 7


def test_the_full_forms_are_fifty_models_and_one_adversarial_set() -> None:
    suite = read_suite(suite_names()["perceptual_dro_fig_4_2"])
    assert len(suite.seeds) == 50
    sets = {m.parameters.get("adversarial_set") for m in suite.methods if m.name == "dro"}
    assert sets == {"one"}


@pytest.mark.parametrize("name", ["adult_country", "cifar10_light", "imagenet_geo"])
def test_the_plan_says_what_the_covariate_is(name: str, tmp_path: Path) -> None:
    [task] = planned(name, tmp_path).tasks
    assert task.track == "robust_fairness"
    assert task.covariate in ("log GDP per capita", "log luminance")
    assert task.bias in ("country", "light")
