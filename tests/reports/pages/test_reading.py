"""The page that explains the others: every rule, every metric, and formulas of what is computed."""

from __future__ import annotations

import html

import pytest

from bench.method import methods
from bench.reports.pages.reading import explained
from bench.reports.pages.suite import suite_view
from bench.reports.site import render
from bench.reports.statistics.seeds import INTERVAL_RULES, RANKING_RULE
from bench.tracks.registry import tracks
from tests.reports.cross_track_sweep import cross_track
from tests.reports.synthetic_sweep import TwoTasks, store_of


def test_every_rule_and_metric_of_the_suites_is_on_the_page(
    two_tasks: TwoTasks, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("reading")
    store_of(root, *two_tasks)
    store_of(root, *cross_track("faces"))
    page = html.unescape(render(root)["reading.html"])
    for words in (
        RANKING_RULE,
        INTERVAL_RULES["t"],
        "Odds and EAcc decide, with equal weight.",
        "The epoch with the best mean rank of Odds and EAcc on validation data.",
        "The slope.",
        "Area under the ROC curve.",
        "1/|Y| · Σ_y | P(Ŷ=y | Y=y, B=0) − P(Ŷ=y | Y=y, B=1) |",
    ):
        assert words in page, words


def test_metrics_of_a_track_are_gathered_over_suites(two_tasks: TwoTasks) -> None:
    suites = [suite_view("adult", *two_tasks), suite_view("faces", *cross_track("faces"))]
    names = {info.name: [m.name for m in info.metrics] for info in explained(suites)}
    assert names == {
        "debiasing": ["odds", "eacc", "accuracy", "auc", "asr_0", "asr_1"],
        "robust_fairness": ["slope_size", "worst_group_accuracy"],
    }


@pytest.mark.parametrize("name", tracks())
def test_what_ranks_has_a_formula_or_a_paper_and_is_a_headline_of_some_track(name: str) -> None:
    info = tracks()[name].info
    metrics = {metric.name: metric for metric in info.metrics}
    assert set(info.rank_by) <= metrics.keys()
    for rank in info.rank_by:
        assert metrics[rank].formula or "et al." in metrics[rank].definition, rank
    assert any(metrics[rank].headline for rank in info.rank_by)
    assert info.reference in methods()
