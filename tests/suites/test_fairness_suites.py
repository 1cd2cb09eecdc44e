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
@pytest.mark.parametrize("line", PRINTED, ids=lambda line: f"{line['method']}-{line['metric']}")
def test_every_figure_of_section_4_stands_beside_an_entry(
    name: str, line: dict[str, str], tmp_path: Path
) -> None:
    plan = planned(name, tmp_path)
    [task] = plan.tasks
    assert line["dataset"] == task.data
    if " vs " in line["method"]:
        first, second = line["method"].split(" vs ")
        assert {first, second} <= {method.label for method in plan.methods}
        pairs = ((first, second), (second, first))
        found = [comparison(task, *pair, line["metric"]) for pair in pairs]
    else:
        [method] = [m for m in plan.methods if m.label == line["method"]]
        found = [lookup(task, method, line["metric"])]
    assert [f.value if f else None for f in found] == [float(line["value"])] * len(found)


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
