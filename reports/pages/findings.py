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
from bench.reports.charts.critical_difference import critical_difference_diagram

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
"""The rules by which the pages compare, by the word under which readers look for them."""


@dataclass(frozen=True)
class Findings:
    """What a task's board says, tested and priced."""

    sentences: Sequence[str]
    """Who is best on what, is it real, does it agree with the papers, what did it cost."""
    comparisons: Sequence[Comparisons]
    prices: Prices

    @property
    def in_short(self) -> str:
        """How many methods differ from the reference: the line that opens the comparisons."""
        reference = next((each.reference for each in self.comparisons if each.reference), None)
        if reference is None:
            return "Paired tests with the best"
        counts = {each.metric.title: each.counts for each in self.comparisons if each.reference}
        told = "; ".join(
            f"{title} {better} better, {worse} worse of {tested}"
            for title, (better, worse, tested) in counts.items()
        )
        if not any(tested for _, _, tested in counts.values()):
            told = "none, for want of a second common seed"
        return f"Paired tests with {reference.method.label}: {told}"


@dataclass(frozen=True)
class OverTasksView:
    """Ranks over a track's tasks on one metric, with their diagram."""

    slug: str
    found: OverTasks
    figure: Markup | None

    @property
    def in_words(self) -> str:
        """Whether the methods differ at all, and which are separated from the best."""
        test, best = self.found.friedman, self.found.standings[0]
        tasks = wording.plural(test.n, "task")
        told = f"Friedman {wording.p_value(test.p)}"
        if not test.is_significant:
            return (
                f"Over {tasks}, {test.k} methods are not told apart on {self.found.metric.title} "
                f"({told}); {best.label} has the best mean rank, {best.mean_rank:.2f}."
            )
        last = next((end for start, end in self.found.groups if start == 0), 0)
        behind = [s.label for s in self.found.standings[last + 1 :]]
        beaten = (
            f"significantly better than {wording.listed(behind)}"
            if behind
            else "though no other is significantly worse by Nemenyi's test"
        )
        return (
            f"Over {tasks}, {best.label} has the best mean rank on {self.found.metric.title}, "
            f"{best.mean_rank:.2f}, {beaten} ({told})."
        )

    @property
    def doubts(self) -> list[str]:
        """What a reader must know before trusting the ranks, in sentences."""
        found = []
        if self.found.left_out:
            each = [f"{m} (no value on {n})" for m, n in self.found.left_out.items()]
            found.append(f"Left out: {wording.listed(each)}.")
        if self.found.data_sets < len(self.found.tasks):
            sets = wording.plural(self.found.data_sets, "data set")
            found.append(f"The {len(self.found.tasks)} tasks come from {sets}: they are not "
                         "independent, and p is too small.")  # fmt: skip
        if len(self.found.tasks) < 10:
            found.append("With so few tasks the test's p is approximate.")
        return found


def findings(board: Board) -> Findings:
    """The findings of a board."""
    made = comparisons(board)
    priced = prices(board, made)
    # The board's first line, or else the best on the first metric: the method a reader asks about.
    first = board.rows[0] if board.rows and board.rows[0].place else None
    cost = cost_sentence(priced, first or (made[0].best if made else None))
    sentences = verdict(board, made)
    return Findings([*sentences, cost] if cost else sentences, made, priced)


def over_tasks_views(track: str, boards: Sequence[Board]) -> list[OverTasksView]:
    """Ranks over the boards of a track, one view a ranking metric.

    Args:
        track: the track's slug on the page.
        boards: of the track's tasks.
    """
    views = []
    for found in over_tasks(boards):
        slug = f"over-tasks-{track}-{found.metric.name.replace('_', '-')}"
        svg = critical_difference_diagram(found, slug)
        # The drawing is built by an XML serialiser that escapes every text in it.
        views.append(OverTasksView(slug, found, Markup(svg) if svg else None))  # noqa: S704
    return views
