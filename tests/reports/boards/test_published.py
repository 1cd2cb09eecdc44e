"""Figures of the papers: which one is quoted, beside which task, and under whose name."""

from __future__ import annotations

import csv

import pytest

from bench.reports.boards import published
from bench.reports.boards.published import (
    ABLATIONS,
    CSV,
    PublishedFigure,
    conditions_of,
    source_words,
)
from bench.result import PlannedMethod, PlannedTask, Scalar
from tests.reports.synthetic_sweep import planned_method, planned_task

ADULT = "adult/income_over_50k|sex"
FACES = "celeba/attractive|male"
with CSV.open(encoding="utf-8", newline="") as _file:
    LINES = list(csv.DictReader(_file))


def task(name: str | None, **conditions: Scalar) -> PlannedTask:
    return planned_task(name or "x", published=name, conditions=conditions)


def method(label: str, caveat: str | None = None) -> PlannedMethod:
    return planned_method(label).model_copy(update={"caveat": caveat})


def lookup(
    name: str | None, label: str, metric: str, **conditions: Scalar
) -> PublishedFigure | None:
    return published.lookup(task(name, **conditions), method(label), metric)


def test_an_exact_label_gives_the_figure_with_its_table() -> None:
    assert lookup(ADULT, "bade", "odds") == PublishedFigure(
        3.41, None, "BaDe 2024, Table 3", "bade"
    )


def test_a_variant_without_a_figure_borrows_its_bases_and_says_so() -> None:
    found = lookup(ADULT, "bade[strength=auto]", "odds")
    assert found is not None
    assert (found.value, found.of) == (3.41, "bade")


@pytest.mark.parametrize(
    "label", ["bade[stage=teacher]", "bade[stage=teacher,temperature=2]", "bade[loss=mse,stage=x]"]
)
def test_a_teacher_does_not_borrow_its_students_figure(label: str) -> None:
    assert lookup(ADULT, label, "odds") is None


def test_an_entry_with_a_caveat_borrows_nothing_but_keeps_its_own() -> None:
    told = method("bade[strength=auto]", caveat="told the group")
    assert published.lookup(task(ADULT), told, "odds") is None
    own = published.lookup(task(FACES), method("bade[stage=teacher]", "told the group"), "odds")
    assert own == PublishedFigure(2.79, 0.16, "BaDe 2024, Table 1", "bade[stage=teacher]")


@pytest.mark.parametrize(
    ("label", "odds"),
    [("bade[loss=mix]", 2.69), ("bade[loss=mse]", 2.94), ("bade[square=10]", 3.18),
     ("bade[square=3]", 2.72), ("bade[square=1]", 2.67), ("bade[trigger=mosaic]", 5.01),
     ("bade[trigger=shadow]", 1.89), ("bade", 2.79), ("bade[loss=mse,temperature=2]", 2.79)],
)  # fmt: skip
def test_tables_6_and_8_stand_under_the_labels_of_their_variants(label: str, odds: float) -> None:
    found = lookup(FACES, label, "odds", size=128)
    assert found is not None
    assert found.value == odds


@pytest.mark.parametrize(
    ("backbone", "odds"),
    [("resnet18", 2.79), ("vgg16", 1.40), ("inception_v4", 0.17), ("vit_b_16", 2.83),
     ("swin", 1.26)],
)  # fmt: skip
def test_table_7_stands_beside_tasks_with_its_backbones(backbone: str, odds: float) -> None:
    found = lookup(FACES, "bade", "odds", size=224, backbone=backbone)
    assert found == PublishedFigure(odds, None, f"BaDe 2024, Table 7, backbone={backbone}", "bade")
    assert lookup(FACES, "standard", "odds", backbone=backbone) is None


def test_a_figure_without_conditions_does_not_stand_beside_a_task_that_has_some() -> None:
    assert lookup(FACES, "standard", "odds", artificial=True) is None
    assert lookup(FACES, "bade", "odds", backbone="vgg16", artificial=True) is None
    assert lookup(FACES, "bade", "odds", epochs=3) is None


def test_size_crop_and_examination_ask_the_papers_own_question() -> None:
    found = lookup(FACES, "standard", "odds", size=64, crop=100, train_size=50, examined=True)
    assert found == PublishedFigure(25.83, 0.95, "BaDe 2024, Table 1", "standard")


def test_conditions_are_written_as_in_a_tasks_name() -> None:
    made = task(FACES, correlation=0.5, artificial=True, size=64)
    assert conditions_of(made) == {"correlation=0.5", "artificial=True"}


def test_table_4_says_what_triggers_do_to_each_group() -> None:
    # T_A0 is the paper's blue square, group 1 its male samples.
    assert lookup(FACES, "standard", "eacc@1+t0").value == 79.69  # type: ignore[union-attr]
    assert lookup(FACES, "bade", "eacc@0+t1").value == 75.66  # type: ignore[union-attr]


def fault(line: dict[str, str]) -> str | None:
    """What is wrong with the figure that stands where a line of the table belongs, or None."""
    conditions: dict[str, Scalar] = dict(
        pair.split("=") for pair in line["condition"].split(";") if pair
    )
    metric = line["metric"].removesuffix("_x1000")
    figure = lookup(f"{line['dataset']}/{line['task']}", line["method"], metric, **conditions)
    if figure is None or figure.of != line["method"]:
        return f"not reached, but {figure}"
    same = ("dataset", "task", "condition", "method", "metric")
    rivals = [other for other in LINES if all(other[key] == line[key] for key in same)]
    scale = 1000 if line["metric"].endswith("_x1000") else 1
    if figure.value * scale not in [pytest.approx(float(rival["value"])) for rival in rivals]:
        return f"another value than any table prints: {figure}"
    tables = {source_words(r["paper"], r["table"]): (r["paper"], r["table"]) for r in rivals}
    if not figure.source.startswith(tuple(tables)):
        return f"from none of {sorted(tables)}: {figure}"
    ablations = tuple(words for words, place in tables.items() if place in ABLATIONS)
    if len(ablations) < len(tables) and figure.source.startswith(ablations):
        return f"from an ablation, although a main table prints it: {figure}"
    return None


def test_every_line_of_the_table_is_reached_or_another_tables_figure_of_the_same() -> None:
    assert len(LINES) > 400
    faults = {"-".join(list(line.values())[:7]): fault(line) for line in LINES}
    assert {line: what for line, what in faults.items() if what} == {}


def test_a_variant_with_its_own_figure_keeps_it() -> None:
    found = lookup("imagenet_compatible/attack", "perceptual_dro[confidence=5]", "l1")
    assert found is not None
    assert (found.value, found.of) == (3925.55, "perceptual_dro[confidence=5]")


def test_the_lowest_table_is_quoted_with_its_spread() -> None:
    found = lookup(FACES, "standard", "odds")
    assert found == PublishedFigure(25.83, 0.95, "BaDe 2024, Table 1", "standard")


def test_metrics_printed_a_thousandfold_come_back_in_their_own_unit() -> None:
    found = lookup("imagenet_compatible/attack", "lpa", "lpips")
    assert found is not None
    assert found.value == pytest.approx(0.05164)


def test_a_setting_in_the_note_stays_with_the_figure() -> None:
    found = lookup("cifar10/partial", "labor", "asr")
    assert found is not None
    assert (found.value, found.source) == (12.24, "LABOR 2025, Table 3, backbone=resnet18")


@pytest.mark.parametrize(
    ("name", "label", "metric"),
    [(None, "bade", "odds"), ("nowhere/x", "bade", "odds"), (ADULT, "nobody", "odds"),
     (ADULT, "bade", "auc")],
)  # fmt: skip
def test_what_was_never_published_is_none(name: str | None, label: str, metric: str) -> None:
    assert lookup(name, label, metric) is None


@pytest.mark.parametrize(
    ("table", "words"),
    [("3", "BaDe 2024, Table 3"), ("fig 4", "BaDe 2024, Figure 4"),
     ("text 5.1-5.2", "BaDe 2024, section 5.1-5.2")],
)  # fmt: skip
def test_places_in_a_paper_are_named_in_words(table: str, words: str) -> None:
    assert source_words("bade", table) == words
