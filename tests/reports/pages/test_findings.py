"""Findings on the page: sentences, tests, costs, ranks over tasks, the diagram and the front."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.reports.boards.over_tasks import OverTasks, Standing, over_tasks
from bench.reports.charts.critical_difference import MOST, critical_difference
from bench.reports.charts.scatter import scatter
from bench.reports.charts.svg import draw, standalone
from bench.reports.pages.findings import RULES, findings, over_tasks_views
from bench.reports.site import pages, render
from bench.reports.statistics.seeds import Interval
from bench.result import Plan, PlannedTrial, Result
from tests.reports.boards_by_hand import board_of
from tests.reports.ranked_sweep import TASKS, ranked_boards, ranked_plan, ranked_results
from tests.reports.synthetic_sweep import HOSTILE, SUITE, TwoTasks, store_of

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - what we have just written


def text_of(html: str) -> str:
    body = html[html.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def page_of(store: Path, name: str, interval: Interval = "t") -> str:
    """One page, without building those after it."""
    return next(text for path, text in pages(store, interval) if path == name)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The site of the sweep over four tasks."""
    plan = ranked_plan()
    return render(store_of(tmp_path_factory.mktemp("ranked"), plan, ranked_results(plan)))


@pytest.fixture(scope="module")
def html(site: Path) -> str:
    return (site / SUITE / "index.html").read_text(encoding="utf-8")


def test_each_task_opens_with_who_leads_by_how_much_and_what_it_cost(html: str) -> None:
    said = re.findall(r'<p class="verdict">(.*?)</p>', html)
    assert len(said) == 2
    for words in (
        "On Odds, bade is first, 6.00 points below standard (the same on all 5 seeds).",
        "On EAcc, bade[strength=auto] is first, 5.60 points above standard",
        "Of 12 published figures, 1 lies in the measured interval",
        "bade takes 34 s a seed, 2.4 times the 14 s of standard.",
    ):
        assert words in said[0]


def test_comparisons_and_costs_are_native_tables_that_wait_to_be_opened(html: str) -> None:
    text = text_of(html)
    assert "Paired tests with standard: Odds 5 better, 1 worse of 7; EAcc 5 better" in text
    assert "against standard, the reference" in text
    # adversarial: -1.28 points, four common seeds, d_z, both corrected p, and the word.
    assert re.search(r"adversarial −1\.28 ± 5\.78 4 −0\.35 \.53 \.62 not separated", text)
    assert "What did it cost?" in text
    assert re.search(r"bade 34 \+20 ± 0 512 0\.30 0\.27", text)
    assert html.count("<details>\n<summary>Is the difference real?") == 2


def test_the_pareto_front_is_marked_in_table_and_drawing() -> None:
    odds = {"a": (1.0, 1.2), "b": (2.0, 2.2), "c": (2.5, 2.6), "told": (0.1, 0.1), "d": (1.0, 1.2)}
    eacc = {"a": (70.0, 70.0), "b": (80.0, 80.0), "c": (79.0, 79.0), "told": (99.0, 99.0),
            "d": (70.0, 70.0)}  # fmt: skip
    board = board_of(odds, eacc, told=["told"])
    # c is worse than b on both; a and d are equal, and neither beats the other.
    assert board.pareto == {"a", "b", "d"}
    chart = scatter(board)
    assert chart is not None
    svg = draw(chart, "x")
    assert "Pareto front by means: a, d, b" in svg or "Pareto front by means: " in svg
    (front,) = [
        group
        for group in parsed(svg).iter(f"{SVG}g")
        if (group.findtext(f"{SVG}title") or "").startswith("Pareto")
    ]
    # From a right at its EAcc, then up to b: lower Odds and higher EAcc are better.
    corners = [tuple(map(float, point.split(","))) for point in front[1].attrib["points"].split()]
    (x0, y0), (x1, y1), (x2, y2) = corners[-3:]
    assert y0 == y1
    assert x1 > x0
    assert x1 == x2
    assert y2 < y1
    assert board_of(odds).pareto == frozenset()


def test_the_front_is_on_the_page_in_words(html: str) -> None:
    assert html.count("on the Pareto front</span>") == 4  # bade and its variant, on both tasks
    assert "◆: Pareto front." in html


def test_ranks_over_tasks_have_a_sentence_a_diagram_and_a_table(ranked: dict[str, str]) -> None:
    html = ranked["ranked/index.html"]
    text = text_of(html)
    for words in (
        "Over 4 tasks, a has the best mean rank on Odds, 1.00, significantly better than e "
        "(Friedman p &lt; .001).",
        "Left out: d (no value on 1).",
        "With so few tasks the test's p is approximate.".replace("'", "&#39;"),
        "Nemenyi's critical difference 2.35.",
        "a 1.00 4 of 4 (100 %) 4 best none",
        "e 4.00 0 of 4 (0 %) 0 .006 on 1 task",
    ):
        assert words in text, words
    assert 'href="#over-tasks-debiasing-odds"' in html
    root = parsed(ranked["ranked/over-tasks-debiasing-odds.svg"])
    assert root.find(f"{SVG}desc") is not None


def test_two_tasks_have_no_ranks_over_tasks(html: str) -> None:
    assert "Over all tasks" not in html


def test_tasks_that_share_their_data_are_told_to_be_dependent() -> None:
    boards = ranked_boards()
    (apart,) = over_tasks_views("x", boards)
    assert not any("data set" in sentence for sentence in apart.doubts)
    for board in boards:
        board.task.data = "census"
    (alike,) = over_tasks_views("x", boards)
    assert any("The 4 tasks come from 1 data set: they are not" in s for s in alike.doubts)


def test_a_test_that_finds_nothing_is_said_to_have_found_nothing() -> None:
    # Three methods, three tasks, three orders: mean rank 2 for each.
    orders = [(1.0, 2.0, 3.0), (2.0, 3.0, 1.0), (3.0, 1.0, 2.0)]
    boards = [
        board_of({m: (v, v + 0.1) for m, v in zip("abc", order, strict=True)}) for order in orders
    ]
    for board, name in zip(boards, TASKS, strict=False):
        board.task.name = name
    (view,) = over_tasks_views("x", boards)
    assert view.ranks.groups == [(0, 2)]
    assert view.in_words.replace("\u00a0", " ") == (
        "Over 3 tasks, 3 methods do not differ significantly on Odds (Friedman p = 1.00); "
        "a has the best mean rank, 2.00."
    )


def standing(label: str, rank: float) -> Standing:
    return Standing(label, rank, 0, 0, 0, None)


def ranks(*mean_ranks: float, groups: list[tuple[int, int]], reach: float = 1.0) -> OverTasks:
    (found,) = over_tasks(ranked_boards())
    standings = [standing(f"m{i}", rank) for i, rank in enumerate(mean_ranks)]
    return OverTasks(found.metric, found.tasks, 4, standings, found.friedman, reach, groups, {})


def diagram(ranks: OverTasks) -> str:
    chart = critical_difference(ranks)
    assert chart is not None
    return draw(chart, "x")


def test_the_diagram_draws_ranks_ruler_and_bars_to_scale() -> None:
    root = parsed(diagram(ranks(1.0, 1.5, 3.0, 4.5, 5.0, groups=[(0, 1), (3, 4)])))
    # Five methods: the scale's 368 units are four ranks, so a critical difference of 1 is 92.
    assert "196,30 288,30" in [line.get("points") for line in root.iter(f"{SVG}polyline")]
    bars = [
        group for group in root.iter(f"{SVG}g")
        if (line := group.find(f"{SVG}polyline")) is not None and line.get("stroke-linecap")
    ]  # fmt: skip
    assert [bar.findtext(f"{SVG}title") for bar in bars] == [
        "not separated: m0, m1", "not separated: m3, m4",
    ]  # fmt: skip
    assert [bar[1].attrib["points"] for bar in bars] == ["192,82 246,82", "514,91 568,91"]
    words = [element.text for element in root.iter(f"{SVG}text")]
    for label in (
        "m0 1.00",
        "m1 1.50",
        "m2 3.00",
        "4.50 m3",
        "5.00 m4",
        "critical difference 1.00",
    ):
        assert label in words


def test_a_ruler_longer_than_the_drawing_is_told_instead() -> None:
    svg = diagram(ranks(1.0, 2.0, 3.0, groups=[(0, 2)], reach=9.0))
    assert "critical difference 9.00, more than the whole scale" in svg


def test_a_hostile_or_long_name_is_text_and_fits() -> None:
    found = ranks(1.0, 2.0, 3.0, groups=[])
    long = "bade[strength=auto,temperature=4,square=10]"
    named = [standing(HOSTILE, 1.0), standing(long, 2.0), standing("c", 3.0)]
    svg = diagram(OverTasks(found.metric, found.tasks, 4, named, found.friedman, 1.0, [], {}))
    assert "<script" not in standalone(svg)
    assert f"<title>{long}</title>" in svg
    assert all(len(e.text or "") < 40 for e in parsed(svg).iter(f"{SVG}text"))
    assert critical_difference(ranks(*range(1, MOST + 2), groups=[])) is None


def test_every_rule_is_on_the_page(html: str) -> None:
    text = text_of(html).replace("&#39;", "'")
    assert set(RULES) == {"Differences", "Over tasks", "Pareto front", "Published", "Cost"}
    for rule in RULES.values():
        assert rule in text


def test_a_board_without_results_finds_nothing_and_says_so() -> None:
    found = findings(board_of({"standard": (None,), "bade": (None,)}))
    assert list(found.sentences) == ["On Odds nothing has been measured yet."]
    assert found.in_short == "Paired tests with the best"


def test_one_seed_tests_nothing_and_the_page_says_so() -> None:
    found = findings(board_of({"standard": (8.0,), "bade": (5.0,)}))
    assert found.in_short == "Paired tests with standard: none, because no two seeds are in common"


def test_the_bootstrap_is_an_option_of_the_pages(
    write_store: Callable[[TwoTasks], Path], honest: TwoTasks
) -> None:
    store = write_store(honest)
    by_t, by_bootstrap = (
        text_of(page_of(store, "adult/index.html", interval)) for interval in ("t", "bootstrap")
    )
    assert "half-width of the 95 % Student t interval" in by_t
    assert "symmetric 95 % bootstrap interval" in by_bootstrap
    assert "1.00 ± 0.20" in by_t
    # Values .8, .9, 1.0, 1.1, 1.2: of 3125 resamples, 95 % have a mean within .12 of 1.
    assert "1.00 ± 0.12" in by_bootstrap
    # Ranks and tests are the same.
    tests = "adversarial −1.28 ± 5.78 4 −0.35 .53 .62 not separated"
    assert tests in by_t
    assert tests in by_bootstrap


def large(tasks: int, methods: int) -> tuple[Plan, dict[str, Result]]:
    """A sweep of the synthetic kind with as many tasks and methods as asked for."""
    plan = ranked_plan()
    labels = [f"method_{i}[strength=auto,temperature=4]" for i in range(methods - 1)]
    first = plan.methods[0]
    named = [first.model_copy(update={"label": m, "name": m.partition("[")[0]})
             for m in ["standard", *labels]]  # fmt: skip
    posed = [plan.tasks[0].model_copy(update={"name": f"census {t}|sex", "data": f"census {t}"})
             for t in range(tasks)]  # fmt: skip
    track = plan.tracks[0].model_copy(update={"rank_by": ["odds", "eacc"]})
    trials = [
        PlannedTrial(key=f"{t:02d}{m:02d}{seed}", task=task.name, method=method.label, seed=seed)
        for t, task in enumerate(posed)
        for m, method in enumerate(named)
        for seed in range(5)
    ]
    some = next(iter(ranked_results(plan).values()))
    results = {}
    for i, trial in enumerate(trials):
        wobble = (i * 7919 % 1000) / 1e5
        metrics = {"odds": 0.05 + wobble, "eacc": 0.8 - 3 * wobble, "accuracy": 0.8, "auc": 0.9}
        results[trial.key] = some.model_copy(
            update={"key": trial.key, "task": trial.task, "method": trial.method,
                    "seed": trial.seed, "metrics": metrics}
        )  # fmt: skip
    made = {"tasks": posed, "methods": named, "trials": trials, "tracks": [track]}
    return plan.model_copy(update=made), results


def test_a_page_of_20_methods_and_6_tasks_is_under_500_kb(tmp_path: Path) -> None:
    html = page_of(store_of(tmp_path, *large(6, 20)), "ranked/index.html")
    assert html.count("<table") == 6 * 5 + 2
    assert len(html.encode()) < 500_000


def test_the_command_line_takes_the_bootstrap_and_no_other_word(
    store_root: Path, tmp_path: Path
) -> None:
    asked = ["report", "--out", str(store_root), "--site", str(tmp_path), "--interval"]
    assert CliRunner().invoke(app, [*asked, "bootstrap"]).exit_code == 0
    assert "bootstrap interval" in (tmp_path / SUITE / "index.html").read_text(encoding="utf-8")
    refused = CliRunner().invoke(app, [*asked, "guess"])
    assert refused.exit_code == 2
    assert "bootstrap" in refused.output
