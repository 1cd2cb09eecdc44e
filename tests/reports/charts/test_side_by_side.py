"""Pairs of tasks, tables and pictures: figures that set one number beside another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from scipy.stats import pearsonr

from bench.reports.boards.leaderboard import Cell, Row
from bench.reports.boards.published import PublishedFigure
from bench.reports.charts.figures import FigureView
from bench.reports.charts.pairs import correlation_words
from bench.reports.charts.side_by_side import BESIDE, contrast, is_png
from bench.reports.charts.subject import Contrast, Entry
from bench.reports.pages.suite import suite_view
from bench.reports.site import render
from bench.reports.statistics.seeds import Summary, correlation
from bench.result import FigureInfo, MetricInfo, Plan, PlannedMethod, Result
from tests.reports.figure_reading import SVG, drawing, lines_of, tooltips
from tests.reports.figure_sweep import (
    AGE,
    DIGITS,
    FACES,
    FIGURES,
    HALF,
    SUITE,
    TASKS,
    bade,
    figure_sweep,
)
from tests.reports.synthetic_sweep import TRACK, planned_method, store_of


def test_pairs_put_what_was_planted_against_what_the_data_has(whole: dict[str, FigureView]) -> None:
    mine = [line for line in lines_of(whole["pairs"]) if line["metric"] == "odds"]
    # Odds: 5 % and half of the correlation; two points more with triggers in the group's place.
    no = [float(line["artificial_no_mean"]) for line in mine]
    yes = [float(line["artificial_yes_mean"]) for line in mine]
    assert no == pytest.approx([5, 30, 40, 50])
    assert yes == pytest.approx([7, 32, 42, 52])
    halves = [float(line["artificial_no_half_width"]) for line in mine]
    assert halves == pytest.approx([100 * HALF] * 4)
    assert "Odds: Pearson's r = 1.00, no interval, n = 4." in whole["pairs"].content.notes
    names = {e.text for e in drawing(whole["pairs"]).iter(f"{SVG}text")}
    assert {"0", "0.5", "0.7", "0.9", "Odds, %; artificial: no"} <= names


def test_a_task_without_its_counterpart_is_said_so() -> None:
    plan, results = figure_sweep([FIGURES[3]])
    alone = TASKS[1].name
    cut = plan.model_copy(
        update={"tasks": [t for t in plan.tasks if t.name != alone],
                "trials": [t for t in plan.trials if t.task != alone]}
    )  # fmt: skip
    view = suite_view(plan.suite, cut, results).figures[0]
    told = " ".join(view.content.missing)
    assert told.startswith("Without a counterpart in artificial: ")
    assert "standard on digits parity|ink [correlation=0]" in told
    assert "n = 3" in " ".join(view.content.notes)


def test_points_are_named_after_what_tells_their_tasks_apart(
    whole: dict[str, FigureView],
) -> None:
    def names(view: FigureView) -> list[str]:
        return [t.partition(", standard")[0] for t in tooltips(view) if "Odds" in t]

    assert names(whole["pairs"]) == ["0", "0.5", "0.7", "0.9"]
    assert "Points are named after correlation." in whole["pairs"].content.notes
    plan, results = figure_sweep([FIGURES[3]])
    # A default is not in the task's name, and still the point is named after it.
    short = {TASKS[0].name: DIGITS, TASKS[1].name: f"{DIGITS} [artificial=True]"}
    renamed = rename(plan, results, short)
    assert names(suite_view(SUITE, *renamed).figures[0]) == ["0", "0.5", "0.7", "0.9"]


def rename(
    plan: Plan, results: Mapping[str, Result], names: Mapping[str, str]
) -> tuple[Plan, dict[str, Result]]:
    """The sweep with other names of tasks."""
    tasks = [t.model_copy(update={"name": names.get(t.name, t.name)}) for t in plan.tasks]
    trials = [t.model_copy(update={"task": names.get(t.task, t.task)}) for t in plan.trials]
    found = {
        key: result.model_copy(update={"task": names.get(result.task, result.task)})
        for key, result in results.items()
    }
    return plan.model_copy(update={"tasks": tasks, "trials": trials}), found


def test_the_correlation_is_pearsons_with_fishers_interval() -> None:
    points = [(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]
    found = correlation(points)
    # Sums of squares 10 and 6, of products 6: r = 6 / 60**.5.
    assert found.r == pytest.approx(6 / math.sqrt(60))
    oracle = pearsonr(*zip(*points, strict=True)).confidence_interval(0.95)
    assert found.interval == pytest.approx((oracle.low, oracle.high))
    assert correlation_words(found) == "Pearson's r = 0.77, 95 % interval −0.34 to 0.98, n = 5"


@pytest.mark.parametrize(
    ("points", "words"),
    [([(1.0, 2.0), (2.0, 1.0)], "no correlation coefficient, n = 2"),
     ([(1.0, 2.0), (2.0, 1.0), (3.0, 1.5)], "Pearson's r = −0.50, no interval, n = 3"),
     ([(1.0, 2.0)] * 4, "no correlation coefficient, n = 4"),
     ([(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)], "Pearson's r = 1.00, no interval, n = 4")],
)  # fmt: skip
def test_where_there_is_no_coefficient_or_interval_none_is_made_up(
    points: list[tuple[float, float]], words: str
) -> None:
    assert correlation_words(correlation(points)) == words


def name(head: MetricInfo | PlannedMethod) -> str:
    return head.name if isinstance(head, MetricInfo) else head.label


def published(cell: Cell) -> float | None:
    return cell.published.value if cell.published else None


def test_a_table_sets_the_published_value_beside_the_measured(whole: dict[str, FigureView]) -> None:
    faces = next(c for c in whole["table"].content.contrasts if c.task == FACES)
    rows = {name(metric): cells for metric, cells in faces.lines}
    assert list(rows) == ["odds", "eacc@clean"]
    labels = [name(method) for method in faces.columns]
    found = rows["eacc@clean"][labels.index("bade[stage=teacher]")]
    # 80 % measured here; Table 4 has 69.93 for the teacher on clean faces.
    assert (published(found), found.difference) == (69.93, pytest.approx(10.07))
    age = next(c for c in whole["table"].content.contrasts if c.task == AGE)
    [(mse, [standard, *_])] = age.lines
    assert name(mse) == "mse"
    assert (published(standard), standard.difference) == (0.0504, pytest.approx(0.05 - 0.0504))
    assert any("Does not exist (defined for classes)" in s for s in whole["table"].content.missing)


def test_pictures_come_with_words_values_and_published_ones(whole: dict[str, FigureView]) -> None:
    cards = {card.label: card for card in whole["pictures"].content.cards}
    assert set(cards) == {"bade", "bade[square=10]"}
    card = cards["bade[square=10]"]
    assert card.source.startswith("data:image/png;base64,iVBOR")
    assert card.caption == "clean, T_A0 and T_A1"
    assert [published(cell) for cell in card.values[0][1]] == [3.18, 77.35]
    assert any(s.startswith("Without a picture: ") for s in whole["pictures"].content.missing)


@pytest.mark.parametrize("text", ['"><script>', "iVBOR", "", "aGVsbG8=", "ü"])
def test_what_is_no_png_is_no_picture(text: str) -> None:
    assert not is_png(text)
    assert is_png(bade().picture or "")


def test_many_methods_go_down_and_metrics_across() -> None:
    methods = [planned_method(f"m{i}") for i in range(BESIDE + 1)]
    some = TRACK.metrics[:2]

    def table(count: int) -> Contrast:
        entries = []
        for i, method in enumerate(methods[:count]):
            papers = [None, PublishedFigure(10.0 + i, None, "a paper", method.label)]
            cells = {
                metric.name: Cell(metric, Summary(1, 0.5, None, None), None, paper, ())
                for metric, paper in zip(some, papers, strict=True)
            }
            entries.append(Entry(TASKS[0], Row(method, None, cells, {}, {}, None)))
        return contrast("task", entries, TRACK.metrics)

    few, many = table(BESIDE), table(BESIDE + 1)
    assert (few.is_turned, many.is_turned) == (False, True)
    assert list(few.columns) == methods[:BESIDE]
    assert [head for head, _ in few.lines] == some
    assert few.has_published == [True] * BESIDE
    assert list(many.columns) == some
    assert [head for head, _ in many.lines] == methods
    assert [published(cells[1]) for _, cells in many.lines] == [10.0 + i for i in range(BESIDE + 1)]
    assert many.has_published == [False, True]


def test_a_turned_table_has_a_line_a_method_on_the_page(tmp_path: Path) -> None:
    plan, results = figure_sweep([FigureInfo(kind="table", title="T", values=["odds"])])
    drawn = suite_view(SUITE, plan, results).figures[0].content
    turned = next(c for c in drawn.contrasts if c.is_turned)
    html = render(store_of(tmp_path, plan, results))[f"{SUITE}/index.html"]
    start = html.index('<table class="contrast">\n<caption><span>' + turned.task)
    table = html[start : html.index("</table>", start)]
    assert ">Method</th>" in table
    assert table.count('<th scope="row" class="text entry">') == len(turned.lines)
