"""The matrix over tracks: who is asked what, by whom, and what the answers are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.reports.pages.cross_track import Answer, Matrix, matrix
from bench.reports.pages.suite import suite_view
from bench.reports.site import render
from bench.tracks.registry import tracks
from tests.reports.cross_track_sweep import cross_track
from tests.reports.synthetic_sweep import store_of


@pytest.fixture(scope="module")
def examined() -> Matrix:
    return matrix([suite_view(name, *cross_track(name)) for name in ("faces", "poison")])


def answers(examined: Matrix, label: str, home: str, title: str, metric: str) -> list[Answer]:
    [(place, asked)] = [(i, a) for i, a in examined.shown if a.question.title == title]
    [row] = [r for r in examined.rows if r.method.label == label and r.home == home]
    column = [m.name for m in asked.metrics].index(metric)
    return list(row.answers[place][column])


def test_debiasing_is_asked_for_the_backdoor_it_leaves(examined: Matrix) -> None:
    [answer] = answers(examined, "bade", "debiasing", "Backdoor left by debiasing", "asr_0")
    assert answer.cell.summary is not None
    assert answer.cell.summary.mean == pytest.approx(0.61)
    # Seeds 0 and 1: .60 - .02 and .62 - .04.
    assert answer.reference == "standard"
    assert answer.paired is not None
    assert answer.paired.difference == pytest.approx(0.58)
    assert answers(examined, "bade", "debiasing", "Backdoor left by debiasing", "asr_1") == []


def test_a_method_from_robust_fairness_is_asked_for_odds_beside_standard(examined: Matrix) -> None:
    title = "Odds and EAcc after robust training"
    [odds] = answers(examined, "dro", "robust_fairness", title, "odds")
    [eacc] = answers(examined, "dro", "robust_fairness", title, "eacc")
    assert odds.paired is not None
    assert eacc.paired is not None
    # (.25 - .30 + .29 - .32) / 2 and (.72 - .70 + .74 - .70) / 2
    assert odds.paired.difference == pytest.approx(-0.04)
    assert eacc.paired.difference == pytest.approx(0.03)
    # Methods at home on debiasing are ranked by Odds already: no answers there.
    assert answers(examined, "bade", "debiasing", title, "odds") == []


def test_debiasing_methods_are_asked_for_many_groups(examined: Matrix) -> None:
    title = "Many groups after debiasing"
    [worst] = answers(examined, "bade", "debiasing", title, "worst_group_accuracy")
    assert worst.task.board.task.name == "streets|income"
    assert worst.paired is not None
    assert worst.paired.difference == pytest.approx(0.05)
    [own] = answers(examined, "standard", "debiasing", title, "slope_size")
    assert (own.reference, own.paired) == ("", None)


def test_a_pair_of_tracks_that_nobody_foresaw_is_asked_what_ranks(examined: Matrix) -> None:
    declared = [question for info in tracks().values() for question in info.info.questions]
    assert examined.asked[len(declared)].question.title == "Debiasing on poisoning"
    [answer] = answers(examined, "bade", "debiasing", "Debiasing on poisoning", "cda")
    assert answer.cell.words == "90.50 ± 6.35 %"


def test_who_was_asked_nothing_is_named(examined: Matrix) -> None:
    # The filter's suite does not report the worst class, and nobody else's tasks were played.
    assert list(examined.unasked) == ["filter"]


def test_the_page_links_each_value_to_its_task_and_says_what_was_not_measured(
    tmp_path: Path,
) -> None:
    for name in ("faces", "poison"):
        store_of(tmp_path, *cross_track(name))
    files = render(tmp_path)
    page = files["cross-examination.html"]
    links = set(re.findall(r'class="value" href="([^"#]+)#([^"]+)"', page))
    assert links == {
        ("faces/index.html", "task-faces-sex"),
        ("faces/index.html", "task-streets-income"),
        ("poison/index.html", "task-digits-under-badnets"),
    }
    for target, anchor in links:
        assert f'id="{anchor}"' in files[target]
    assert '<td class="first answers"><span class="hidden">not measured</span>' in page
    assert re.search(r"Classes after poison removal</dt>.*?not measured</span>", page)
    assert '(−4.00<span class="hidden"> against standard</span>)' in page
    assert "the task's reference (standard)" in page


def test_without_results_the_page_says_what_would_fill_it(tmp_path: Path) -> None:
    page = render(tmp_path)["cross-examination.html"]
    assert "<table" not in page
    assert "Nothing has been measured" in page
