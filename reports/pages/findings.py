"""What a suite's page concludes from its boards: tests, costs, ranks over tasks, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.reports import wording
from bench.reports.boards.costs import COST_RULE, Prices, cost_sentence, prices
from bench.reports.boards.leaderboard import Board
from bench.reports.boards.over_tasks import OVER_TASKS_RULE, OverTasks, over_tasks
from bench.reports.boards.verdicts import COMPARISON_RULE, Comparisons, comparisons, verdict
from bench.reports.charts.critical_difference import critical_difference
from bench.reports.charts.svg import draw
from bench.reports.statistics.arithmetic import seeds_sentence

RULES: Mapping[str, str] = {
    "Differences": COMPARISON_RULE,
    "Over tasks": OVER_TASKS_RULE,
    "Pareto front": (
        "A ranked method is on the front (◆) where no other ranked one is at least as good on "
        "the first two ranking metrics and better on one, by means alone: intervals that overlap "
        "make the front uncertain."
    ),
    "Published": (
        "Measured minus published. Inside: the published figure lies in the measured 95 % "
        "interval. Spreads overlap: it does not, but the paper's standard deviation around it "
        "reaches the interval. Few seeds make wide intervals in which much lies inside."
    ),
    "Cost": COST_RULE,
}
"""The rules by which the pages compare methods, by the heading under which they stand."""


@dataclass(frozen=True)
class Findings:
    """The conclusions from a task's board: paired tests, costs, and sentences."""

    sentences: Sequence[str]
    """Which method leads, how certain that is, how it agrees with the papers, what it costs."""
    comparisons: Sequence[Comparisons]
    prices: Prices

    @property
    def in_short(self) -> str:
        """The number of methods that differ from the reference, as a summary line."""
        against = [c for c in self.comparisons if c.reference]
        if not against or against[0].reference is None:
            return "Paired tests with the best"
        counts = {c.metric.title: c.counts for c in against}
        summary = "; ".join(
            f"{title} {better} better, {worse} worse of {tested}"
            for title, (better, worse, tested) in counts.items()
        )
        if not any(tested for _, _, tested in counts.values()):
            summary = "none, because no two seeds are in common"
        return f"Paired tests with {against[0].reference.method.label}: {summary}"


@dataclass(frozen=True)
class OverTasksView:
    """Ranks over a track's tasks on one metric, with their diagram."""

    slug: str
    ranks: OverTasks
    figure: Markup | None

    @property
    def in_words(self) -> str:
        """Whether the methods differ at all, and which are separated from the best."""
        test, best = self.ranks.friedman, self.ranks.standings[0]
        tasks = wording.plural(test.n, "task")
        test_words = f"Friedman {wording.p_value(test.p)}"
        if not test.is_significant:
            return (
                f"Over {tasks}, {test.k} methods do not differ significantly on "
                f"{self.ranks.metric.title} ({test_words}); {best.label} has the best "
                f"mean rank, {best.mean_rank:.2f}."
            )
        last = next((end for start, end in self.ranks.groups if start == 0), 0)
        worse = [s.label for s in self.ranks.standings[last + 1 :]]
        beaten = (
            f"significantly better than {wording.listed(worse)}"
            if worse
            else "though no other is significantly worse by Nemenyi's test"
        )
        return (
            f"Over {tasks}, {best.label} has the best mean rank on {self.ranks.metric.title}, "
            f"{best.mean_rank:.2f}, {beaten} ({test_words})."
        )

    @property
    def doubts(self) -> list[str]:
        """Reservations about the ranks, in sentences."""
        doubts = []
        if self.ranks.left_out:
            left_out = [f"{m} (no value on {n})" for m, n in self.ranks.left_out.items()]
            doubts.append(f"Left out: {wording.listed(left_out)}.")
        if self.ranks.data_sets < len(self.ranks.tasks):
            sets = wording.plural(self.ranks.data_sets, "data set")
            doubts.append(f"The {len(self.ranks.tasks)} tasks come from {sets}: they are not "
                         "independent, and p is too small.")  # fmt: skip
        if len(self.ranks.tasks) < 10:
            doubts.append("With so few tasks the test's p is approximate.")
        return doubts


def findings(board: Board) -> Findings:
    """The findings of a board."""
    compared = comparisons(board)
    priced = prices(board, compared)
    # The board's first line, or else the best on the first metric: the method a reader asks about.
    first = board.rows[0] if board.rows and board.rows[0].place else None
    cost = cost_sentence(priced, first or (compared[0].best if compared else None))
    unlike = seeds_sentence([result for row in board.rows for result in row.results])
    sentences = [*verdict(board, compared), *filter(None, (cost, unlike))]
    return Findings(sentences, compared, priced)


def over_tasks_views(track: str, boards: Sequence[Board]) -> list[OverTasksView]:
    """Ranks over the boards of a track, one view a ranking metric.

    Args:
        track: the track's slug on the page.
        boards: of the track's tasks.
    """
    views = []
    for ranks in over_tasks(boards):
        name = ranks.metric.name
        slug = f"over-tasks-{track}-{wording.slugs([name])[name]}"
        chart = critical_difference(ranks)
        views.append(OverTasksView(slug, ranks, draw(chart, slug) if chart else None))
    return views
