"""Figures of single samples: box plots, cumulative lines, profiles, strips that trials left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from bench.reports.boards.leaderboard import ranking_metrics
from bench.reports.charts.distributions import LEVELS
from bench.reports.charts.figures import FigureView
from bench.reports.charts.lines import numbered as numbered_metrics
from bench.reports.pages.suite import suite_view
from bench.result import FigureInfo, MetricInfo, Plan, Result, ResultPicture, TrackInfo
from tests.reports.figure_reading import SVG, drawing, lines_of, tooltips
from tests.reports.figure_sweep import FACES, figure_sweep, png

METHODS = ["standard", "bade"]
VALUES = {0: [0.01, 0.02, 0.03], 1: [0.04], 2: [0.05]}
"""By seed; together .01 to .05."""


def with_samples(plan: Plan, results: Mapping[str, Result]) -> dict[str, Result]:
    """Values of single samples on one task; twice as large for bade, and none for the others."""
    found = {}
    for key, result in results.items():
        changes: dict[str, object] = {}
        if result.task == FACES and result.method in METHODS:
            factor = 2 if result.method == "bade" else 1
            changes["samples"] = {"odds": [factor * v for v in VALUES[result.seed]]}
        found[key] = result.model_copy(update=changes)
    del plan
    return found


def one(kind: str, **more: object) -> FigureView:
    figure = FigureInfo.model_validate(
        {"kind": kind, "title": "Single samples", "values": ["odds"], "methods": METHODS, **more}
    )
    plan, results = figure_sweep([figure])
    tasks = [task for task in plan.tasks if task.name == FACES]
    trials = [trial for trial in plan.trials if trial.task == FACES]
    plan = plan.model_copy(update={"tasks": tasks, "trials": trials})
    return suite_view(plan.suite, plan, with_samples(plan, results)).figures[0]


@pytest.mark.parametrize("kind", ["box", "cumulative"])
def test_quantiles_are_those_of_all_seeds_together_in_the_shown_unit(kind: str) -> None:
    lines = {line["method"]: line for line in lines_of(one(kind))}
    assert set(lines) == set(METHODS)
    standard = lines["standard"]
    assert standard["samples"] == "5"
    assert [float(standard[k]) for k in ("q25", "q50", "q75")] == pytest.approx([2, 3, 4])
    expected = np.quantile([1, 2, 3, 4, 5], LEVELS)
    assert [float(standard[f"q{round(100 * q):02}"]) for q in LEVELS] == pytest.approx(expected)
    assert float(lines["bade"]["q50"]) == pytest.approx(6)


def test_the_description_of_boxes_names_entries_samples_and_quantiles() -> None:
    words = drawing(one("box")).findtext(f"{SVG}desc") or ""
    quantiles = "5 % 1.20, first quartile 2.00, median 3.00, third quartile 4.00, 95 % 4.80"
    assert f"standard: samples 5, {quantiles}" in words
    assert "bade: samples 5, " in words


def test_a_box_spans_the_quartiles_on_the_axis() -> None:
    view = one("box")
    root = drawing(view)
    boxes = [e for e in root.iter(f"{SVG}polygon") if e.get("fill-opacity") == "0.18"]
    assert len(boxes) == 2
    sides = [[float(xy.split(",")[0]) for xy in box.attrib["points"].split()] for box in boxes]
    starts = [min(xs) for xs in sides]
    widths = [max(xs) - min(xs) for xs in sides]
    # bade's values are twice standard's: so is the width of its box.
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01) or widths[0] == pytest.approx(
        2 * widths[1], rel=0.01
    )
    assert len(set(starts)) == 2
    assert any("median 3.00" in words for words in tooltips(view))


def test_a_cumulative_line_climbs_to_everything() -> None:
    view = one("cumulative")
    root = drawing(view)
    runs = [e.get("points") or "" for e in root.iter(f"{SVG}polyline")]
    assert len(runs) == 2
    for run in runs:
        points = [tuple(map(float, point.split(","))) for point in run.split()]
        heights = [y for _, y in points]
        assert heights == sorted(heights, reverse=True)  # upwards is towards 0
        assert len(points) == 1 + 2 * 5
        steps = {round(a - b, 1) for a, b in pairwise(heights) if a != b}
        assert len(steps) == 1  # five values, a fifth each


def test_metrics_without_single_values_are_said_so() -> None:
    view = one("box", values=["odds", "eacc"])
    assert "Not kept sample by sample: EAcc." in view.content.missing
    empty = one("box", values=["eacc"])
    assert empty.svg is None


def test_families_are_metrics_with_a_number_at_the_end() -> None:
    metrics = [
        MetricInfo(name=n, title=t, unit="%", better="higher", definition="")
        for n, t in (("jpeg_90", "After JPEG 90"), ("jpeg_30", "After JPEG 30"), ("odds", "Odds"),
                     ("bits_2", "In 2 bits"))
    ]  # fmt: skip
    found = numbered_metrics(metrics)
    assert [(f.name, [x for x, _ in f.metrics]) for f in found] == [
        ("jpeg", [30.0, 90.0]), ("bits", [2.0]),
    ]  # fmt: skip
    assert (found[0].shared.title, found[1].shared.title) == ("After JPEG", "In bits")


def numbered(plan: Plan, results: Mapping[str, Result]) -> tuple[Plan, dict[str, Result]]:
    """Metrics odds_1, odds_2 and odds_4 that are multiples of the odds."""
    [track] = plan.tracks
    more = [
        MetricInfo(name=f"odds_{n}", title=f"Odds at {n}", unit="%", better="lower", definition="")
        for n in (1, 2, 4)
    ]
    told = track.model_copy(update={"metrics": [*track.metrics, *more]})
    changed = {
        key: result.model_copy(
            update={"metrics": {**result.metrics, **{
                f"odds_{n}": n * result.metrics["odds"] for n in (1, 2, 4)
                if "odds" in result.metrics
            }}}
        )
        for key, result in results.items()
    }  # fmt: skip
    return plan.model_copy(update={"tracks": [told]}), changed


def test_a_profile_draws_a_line_an_entry_over_the_numbers() -> None:
    values = ["odds_4", "odds_1", "odds_2", "eacc"]
    figure = FigureInfo(kind="profile", title="Over n", values=values, methods=METHODS)
    plan, results = figure_sweep([figure])
    trials = [trial for trial in plan.trials if trial.task == FACES]
    tasks = [task for task in plan.tasks if task.name == FACES]
    plan, results = numbered(plan.model_copy(update={"tasks": tasks, "trials": trials}), results)
    view = suite_view(plan.suite, plan, results).figures[0]
    [grid] = view.content.grids
    assert [row[0] for row in grid.rows] == ["1", "2", "4"]
    assert len(list(drawing(view).iter(f"{SVG}polyline"))) == len(view.content.subject.entries) == 4
    assert "No number at the end of the name: EAcc." in view.content.missing
    means = {(line["method"], line["metric"]): line["mean"] for line in lines_of(view)}
    assert float(means["bade", "odds_4"]) == pytest.approx(4 * float(means["bade", "odds_1"]))


def test_strips_are_the_first_seeds_pictures_with_values_below_the_first() -> None:
    figure = FigureInfo(kind="strips", title="Strips", values=["odds"], methods=METHODS)
    plan, results = figure_sweep([figure])
    tasks = [task for task in plan.tasks if task.name == FACES]
    trials = [trial for trial in plan.trials if trial.task == FACES]
    plan = plan.model_copy(update={"tasks": tasks, "trials": trials})
    kept = {
        key: result.model_copy(
            update={"pictures": [
                ResultPicture(png=png(result.seed), caption=f"<b>seed {result.seed}</b>"),
                ResultPicture(png=png(9), caption="another"),
                ResultPicture(png="PHNjcmlwdD4=", caption="no picture"),
            ] if result.method == "bade" else []}
        )
        for key, result in results.items()
    }  # fmt: skip
    view = suite_view(plan.suite, plan, kept).figures[0]
    assert [card.caption for card in view.content.cards] == ["<b>seed 0</b>", "another"]
    assert view.content.cards[0].source == f"data:image/png;base64,{png(0)}"
    assert [len(card.values) for card in view.content.cards] == [1, 0]
    assert view.content.missing[0].startswith("Left no picture: standard, bade[stage=teacher]")


def test_a_metric_ranks_only_where_the_one_it_stands_in_for_does_not_exist() -> None:
    metrics = [
        MetricInfo(name=n, title=n, unit="", better="lower", definition="")
        for n in ("success", "lpips", "l2")
    ]
    track = TrackInfo(
        name="t", metrics=metrics, rank_by=["success", "lpips", "l2"], ranking="", selection="",
        stand_ins={"l2": "lpips"},
    )  # fmt: skip

    def ranked(*reported: str) -> list[str]:
        return [metric.name for metric in ranking_metrics(track, reported)]

    assert ranked("success", "lpips", "l2") == ["success", "lpips"]
    assert ranked("success", "l2") == ["success", "l2"]
    assert ranked() == ["success", "lpips"]


def test_ids_in_the_drawings_of_a_page_are_never_alike() -> None:
    ids = re.findall(r' id="([^"]+)"', str(one("cumulative").svg))
    assert len(ids) == len(set(ids)) > 2
