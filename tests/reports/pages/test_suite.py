"""Pages of sweeps: figures on the page, long boards, regression, entries that are not ranked."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.reports.boards.leaderboard import Board, boards, ranking_metrics
from bench.reports.boards.tables import long_form
from bench.reports.pages.suite import best_three, suite_view
from bench.reports.site import build, render
from bench.result import Cost, FigureInfo, Plan, PlannedTrial, Result, Store
from tests.reports.figure_sweep import (
    AGE,
    FACES,
    FIGURES,
    HOSTILE_TITLE,
    SUITE,
    SWEPT_ON,
    TASKS,
    TOLD,
    bade,
    figure_plan,
    figure_result,
    figure_sweep,
    without,
)
from tests.reports.synthetic_sweep import store_of


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every file of the site of the complete sweep."""
    return render(store_of(tmp_path_factory.mktemp("store"), *figure_sweep()))


@pytest.fixture(scope="module")
def html(pages: dict[str, str]) -> str:
    return pages[f"{SUITE}/index.html"]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def board(name: str, plan: Plan | None = None, results: dict[str, Result] | None = None) -> Board:
    made, found = figure_sweep()
    mine = boards(plan or made, found if results is None else results)
    return next(b for b in mine if b.task.name == name)


def test_every_figure_has_a_place_a_file_of_its_data_and_a_drawing(
    pages: dict[str, str], html: str
) -> None:
    view = suite_view(SUITE, *figure_sweep())
    for figure in view.figures:
        assert f'id="{figure.slug}"' in html
        assert pages[f"{SUITE}/{figure.slug}.csv"].count("\n") > 2
        drawn = figure.info.kind not in ("table", "pictures")
        assert (f"{SUITE}/{figure.slug}.svg" in pages) == drawn
        if drawn:
            ET.fromstring(pages[f"{SUITE}/{figure.slug}.svg"].partition("\n")[2])  # noqa: S314
            assert str(figure.svg) in html


def test_figures_come_before_the_leaderboards_and_the_contents_list_them(html: str) -> None:
    start = html.index('class="contents"')
    contents = html[start : html.index("</nav>", start)]
    places = [contents.index(f'href="#figure-{i}-') for i in range(1, len(FIGURES) + 1)]
    assert places == sorted(places)
    assert max(places) < contents.index('href="#task-')
    assert html.index('id="figures"') < html.index('class="track"')


def test_hostile_titles_and_notes_are_text_everywhere(pages: dict[str, str]) -> None:
    plan, results = figure_sweep()
    hostile = "<img src=x onerror=alert(1)>\x07"
    figures = [f.model_copy(update={"note": hostile, "title": HOSTILE_TITLE}) for f in FIGURES]
    view = suite_view(SUITE, plan.model_copy(update={"figures": figures}), results)
    assert len({figure.slug for figure in view.figures}) == len(FIGURES)
    for figure in view.figures:
        assert "<script" not in (figure.svg or "")
        assert "<img" not in (figure.svg or "")
        assert "\x07" not in (figure.svg or "")
    for name, text in pages.items():
        if name.endswith((".html", ".svg")):
            assert "<script" not in text.replace('<script>"use strict";', ""), name
    assert "&lt;script&gt;alert(" in pages[f"{SUITE}/index.html"]


def test_pictures_are_data_in_the_page_with_words_beside(html: str) -> None:
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) == 2
    assert all('src="data:image/png;base64,' in each for each in images)
    assert all('alt="clean, T_A0 and T_A1"' in each for each in images)
    assert "img-src data:;" in html


def test_ids_are_unique_and_links_land(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)
    assert ' style="' not in html


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    plan, results = figure_sweep()
    first = render(store_of(tmp_path / "a", plan, results))
    turned = dict(reversed(results.items()))
    assert render(store_of(tmp_path / "b", plan, turned)) == first


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_sweep_of_which_little_is_there_has_a_page(kept: int, tmp_path: Path) -> None:
    plan, results = figure_sweep()
    spread = sorted(results)[:: len(results) // max(kept, 1)][:kept]
    some = {key: results[key] for key in spread}
    text = text_of(render(store_of(tmp_path, plan, some))[f"{SUITE}/index.html"])
    assert "Without a result" in text
    if not kept:
        # The pictures of triggers are there before any result is.
        assert text.count("Nothing to show yet") == len(FIGURES) - 1


def test_files_of_figures_that_are_gone_are_removed(tmp_path: Path) -> None:
    plan, results = figure_sweep()
    build(store_of(tmp_path / "store", plan, results), tmp_path / "site")
    assert list((tmp_path / "site" / SUITE).glob("figure-1-*"))
    fewer = plan.model_copy(update={"figures": []})
    build(store_of(tmp_path / "store", fewer, {}), tmp_path / "site")
    assert not list((tmp_path / "site" / SUITE).glob("figure-*"))


def test_an_entry_with_a_caveat_is_shown_and_not_ranked() -> None:
    plan, results = figure_sweep()
    told = bade(stage="teacher").label
    perfect = {"metrics": {"odds": 0.0, "eacc": 1.0}}
    best = {
        key: result.model_copy(update=perfect) if result.method == told else result
        for key, result in results.items()
    }
    mine = board(FACES, plan, best)
    last = mine.rows[-1]
    assert (last.method.label, last.place) == (told, None)
    assert [row.place.rank for row in mine.rows[:-1] if row.place] == [1, 1, 1]
    assert not any(mine.best(last, metric) for metric in mine.track.metrics)
    assert last.cells["odds"].summary is not None


def test_the_page_says_why_an_entry_is_not_ranked(html: str) -> None:
    faces = html[html.index('id="task-celeba') :]
    row = faces[faces.index("bade<wbr>[stage=teacher]</a>") - 300 :][:900]
    assert "not ranked" in row
    assert f'<span class="badge warn">not comparable</span> {TOLD}' in row
    methods = html[html.index('id="methods"') :]
    badge = '<span class="badge warn">not ranked</span>'
    assert f"{badge} bade[stage=teacher]: {TOLD}." in methods
    assert f"{badge} Every entry: {TOLD}." in methods
    assert "An entry with a caveat is not ranked" in html


def test_a_regression_is_ranked_by_its_own_metrics(html: str) -> None:
    mine = board(AGE)
    assert [metric.name for metric in mine.ranking] == ["mse_gap", "mse"]
    assert list(mine.others) == []
    assert mine.rows[0].method.label == "bade"
    assert mine.rows[0].cells["mse"].published is not None
    section = html[html.index('id="task-utkface') :]
    assert "utkface age_regression|race: MSE against MSE gap" in section
    assert "Odds of every method" in section


def test_a_board_is_ranked_by_what_is_reported_or_else_by_the_first_two() -> None:
    track = figure_plan().tracks[0]
    assert [m.name for m in ranking_metrics(track, {"mse"})] == ["mse"]
    assert [m.name for m in ranking_metrics(track, set())] == ["odds", "eacc"]
    assert [m.name for m in board(AGE, results={}).ranking] == ["odds", "eacc"]
    one = track.model_copy(update={"rank_by": ["odds"]})
    plan, results = figure_sweep()
    alone = plan.model_copy(update={"tracks": [one]})
    mine = board(FACES, alone, results)
    assert [metric.name for metric in mine.ranking] == ["odds"]
    assert suite_view(SUITE, alone, results).tracks[0].tasks[0].figure is None


def test_memory_of_the_device_and_throughput_are_shown_where_they_are_known(html: str) -> None:
    assert "Samples a second" not in html
    plan, results = figure_sweep()
    cost = Cost(seconds=3, peak_device_memory_mib=2048.4, samples_per_second=12345.6)
    measured = {
        k: r.model_copy(update={"cost": cost}) if r.task == FACES and r.method == "bade" else r
        for k, r in results.items()
    }
    view = suite_view(SUITE, plan, measured)
    found = {t.board.task.name: (t.has("peak_device_memory_mib"), t.has("samples_per_second"))
             for t in view.tracks[0].tasks}  # fmt: skip
    assert found[FACES] == (True, True)
    assert found[AGE] == (False, False)
    frame = long_form(plan, measured)
    mine = frame[(frame.task == FACES) & (frame.method == "bade")]
    assert set(mine[mine.metric == "samples_per_second"].value) == {12345.6}


def test_batches_that_were_split_are_said_so(tmp_path: Path) -> None:
    plan, results = figure_sweep()
    split = {
        k: r.model_copy(update={"chosen": {"micro_batch": 64}})
        if r.task == FACES and r.method == "bade" and r.seed != 1
        else r
        for k, r in results.items()
    }
    text = text_of(render(store_of(tmp_path, plan, split))[f"{SUITE}/index.html"])
    words = "Batches were split into parts of 64 for bade, seeds 0, 2: out of memory."
    assert text.count(words) == 1


def test_a_task_that_takes_the_last_epoch_is_said_so(tmp_path: Path, html: str) -> None:
    plan, results = figure_sweep()
    last = plan.model_copy(
        update={"tasks": [
            task.model_copy(update={"training": {**task.training, "selection": "last"}})
            if task.name == AGE
            else task
            for task in plan.tasks
        ]}
    )  # fmt: skip
    text = text_of(render(store_of(tmp_path, last, results))[f"{SUITE}/index.html"])
    assert f"Not so on {AGE} : nothing was selected, the last epoch counts." in text
    assert "the last epoch counts" not in text_of(html)


RATES = tuple(i / 10 for i in range(11))


def long_sweep(stage: str) -> tuple[Plan, dict[str, Result]]:
    """Figure 5: 121 methods, two tasks, five seeds."""
    methods = [bade(stage=stage, rate_have=x, rate_not_have=y) for x in RATES for y in RATES]
    tasks = [TASKS[0], TASKS[4]]
    figure = FigureInfo(kind="heat", title="Figure 5", x="rate_have", y="rate_not_have",
                        values=["odds", "eacc"])  # fmt: skip
    plan = figure_plan([figure]).model_copy(
        update={
            "tasks": tasks,
            "methods": methods,
            "trials": [
                PlannedTrial(key=f"{i}-{j:03d}-{seed}", task=task.name, method=m.label, seed=seed)
                for i, task in enumerate(tasks)
                for j, m in enumerate(methods)
                for seed in range(5)
            ],
        }
    )
    by_label = {m.label: m for m in methods}
    results = {}
    for trial in plan.trials:
        mine = by_label[trial.method].parameters
        x, y = float(mine["rate_have"] or 0), float(mine["rate_not_have"] or 0)
        off = abs(x - 0.3) + abs(y - 0.8) + 0.01 * ((trial.seed * 7 + round(10 * x)) % 5)
        base = figure_result(plan, trial.model_copy(update={"seed": 0}), seed=trial.seed)
        metrics = {"odds": 0.02 + off / 10, "eacc": 0.8 - off / 10}
        results[trial.key] = base.model_copy(update={"metrics": metrics})
    return plan, results


@pytest.mark.parametrize("stage", ["student", "teacher"])
def test_a_sweep_of_121_methods_is_a_light_page_made_fast(stage: str, tmp_path: Path) -> None:
    plan, results = long_sweep(stage)
    store = store_of(tmp_path, plan, {})
    for key, result in results.items():  # without the store's flush to disk, which takes seconds
        path = Store(store).path(SUITE, key)
        path.parent.mkdir(exist_ok=True)
        path.write_text(result.model_dump_json())
    began = time.process_time()  # the processor's seconds: a busy machine is not our fault
    html = render(store)[f"{SUITE}/index.html"]
    took = time.process_time() - began
    assert len(html.encode()) < 2_000_000
    assert took < 6  # 2.4 s, with the pages of 1,210 trials
    assert html.count('<details class="long">') == 2
    assert "Best three: 1" in html if stage == "student" else "none ranked. Best Odds: " in html


def test_a_long_board_is_told_in_a_line() -> None:
    made = boards(*long_sweep("teacher"))[0]
    assert made.is_long
    assert best_three(made).startswith(
        "121 methods, none ranked. Best Odds: bade[stage=teacher,rate_have=0.3,rate_not_have=0.8] ("
    )
    plan, results = figure_sweep()
    assert not board(SWEPT_ON).is_long
    assert best_three(board(AGE)) == "2 methods. Best three: 1. bade, 2. standard"
    nothing = board(AGE, plan, without(without(results, "bade"), "standard"))
    assert best_three(nothing) == "2 methods, none with a result yet"
