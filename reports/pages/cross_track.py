"""One matrix over tracks: what methods of one track do to what another track cares about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.reports.boards.leaderboard import Cell, Row
from bench.reports.boards.verdicts import reference_of
from bench.reports.pages.suite import SuiteView, TaskView, TrackView
from bench.reports.statistics.paired import Paired, paired_by_seed
from bench.result import MetricInfo, PlannedMethod


@dataclass(frozen=True)
class CrossQuestion:
    """What is asked of the methods of one track beyond what ranks them.

    Attributes:
        title: above its columns.
        sentence: what an answer means.
        home: track whose contract the methods have.
        asked: track of the tasks they are asked on; often their own, with metrics that answer
            the question of another.
        metrics: of the asked track, in column order.
    """

    title: str
    sentence: str
    home: str
    asked: str
    metrics: tuple[str, ...]


QUESTIONS = (
    CrossQuestion(
        "Backdoor left by debiasing",
        "Debiasing with triggers plants what poisoning plants. How often does a stamped input "
        "still go to the trigger's class, and what is accuracy worth under triggers? Asked on "
        "debiasing tasks with `examined: true`.",
        "debiasing", "debiasing", ("asr_0", "asr_1", "eacc@all+t0", "eacc@all+t1"),
    ),
    CrossQuestion(
        "Classes after poison removal",
        "Who removes poison removes clean samples too. Which class pays: the smallest recall "
        "afterwards, and the largest share of one class's clean samples that was removed.",
        "poisoning", "poisoning", ("worst_class_accuracy", "worst_class_removed"),
    ),
    CrossQuestion(
        "Odds and EAcc after robust training",
        "Training on imperceptible attacks is meant to be fair over many groups. What does it do "
        "to two groups, beside standard training on the same seeds?",
        "robust_fairness", "debiasing", ("odds", "eacc"),
    ),
    CrossQuestion(
        "Many groups after debiasing",
        "Debiasing is told two groups. What does it do to the slope of accuracy over many, and to "
        "the worst of them?",
        "debiasing", "robust_fairness", ("slope_size", "worst_group_accuracy"),
    ),
)  # fmt: skip
"""What the tracks of this repository have to ask each other; other pairs are asked what ranks."""


@dataclass(frozen=True)
class Answer:
    """A method's value of a metric on a task, and its difference from the task's reference."""

    suite: SuiteView
    task: TaskView
    cell: Cell
    reference: str
    """Label of the reference; empty where there is none, or where it is the method itself."""
    paired: Paired | None


@dataclass(frozen=True)
class AskedQuestion:
    """A question with its columns."""

    question: CrossQuestion
    metrics: Sequence[MetricInfo]
    """Those that some plan describes; none where no suite has its track."""
    answered: int
    """Cells with a value."""


@dataclass(frozen=True)
class Examined:
    """A row: an entry, with its answers by question and metric."""

    method: PlannedMethod
    home: str
    answers: Sequence[Sequence[Sequence[Answer]]]
    """[question][metric][task]."""


@dataclass(frozen=True)
class Matrix:
    """The page."""

    asked: Sequence[AskedQuestion]
    rows: Sequence[Examined]
    unasked: Sequence[str]
    """Entries that no question has an answer of."""

    @property
    def references(self) -> list[str]:
        """Labels of the references that any answer is compared with."""
        answers = (a for row in self.rows for each in row.answers for cell in each for a in cell)
        return sorted({answer.reference for answer in answers if answer.reference})

    @property
    def shown(self) -> list[tuple[int, AskedQuestion]]:
        """Questions with columns, each with its place in a row's answers."""
        return [(i, one) for i, one in enumerate(self.asked) if one.metrics]


def matrix(suites: Sequence[SuiteView]) -> Matrix:
    """Every question with the answers that the suites' results hold."""
    boards = [(s, track, task) for s in suites for track in s.tracks for task in track.tasks]
    questions = [*QUESTIONS, *_further(boards)]
    infos = {track.info.name: track.info.metrics for _, track, _ in boards}
    metrics = [
        [m for name in q.metrics for m in infos.get(q.asked, []) if m.name == name]
        for q in questions
    ]
    found: dict[tuple[str, str], tuple[PlannedMethod, list[list[list[Answer]]]]] = {}
    for suite, track, task in boards:
        reference = reference_of(task.board)
        for row in task.board.rows:
            home = _home(row.method)
            _, mine = found.setdefault(
                (home, row.method.label), (row.method, [[[] for _ in each] for each in metrics])
            )
            for number, question in enumerate(questions):
                if (question.home, question.asked) == (home, track.info.name):
                    for place, metric in enumerate(metrics[number]):
                        if answer := _answer(suite, task, row, metric, reference):
                            mine[number][place].append(answer)
    rows = [Examined(method, home, mine) for (home, _), (method, mine) in found.items()]
    answered = [
        sum(bool(cell) for row in rows for cell in row.answers[i]) for i in range(len(questions))
    ]
    asked = zip(questions, metrics, answered, strict=True)
    with_answers = [row for row in rows if any(c for each in row.answers for c in each)]
    return Matrix(
        [AskedQuestion(question, mine, count) for question, mine, count in asked],
        sorted(with_answers, key=lambda row: row.home),
        sorted({row.method.label for row in rows if row not in with_answers}),
    )


def _further(boards: Sequence[tuple[SuiteView, TrackView, TaskView]]) -> Iterator[CrossQuestion]:
    """Guests of a track whom no question of ours is about: what ranks there is asked of them."""
    known = {(question.home, question.asked) for question in QUESTIONS}
    ranking: dict[tuple[str, str], dict[str, None]] = {}
    for _, track, task in boards:
        for row in task.board.rows:
            pair = _home(row.method), track.info.name
            if pair[0] != pair[1] and pair not in known:
                ranking.setdefault(pair, {}).update(
                    dict.fromkeys(m.name for m in task.board.ranking)
                )
    for (home, asked), names in sorted(ranking.items()):
        title = f"{home} on {asked}".replace("_", " ").capitalize()
        sentence = f"Methods of {home} as guests on tasks of {asked}: what ranks there."
        yield CrossQuestion(title, sentence.replace("_", " "), home, asked, tuple(names))


def _home(method: PlannedMethod) -> str:
    return method.home or method.track


def _answer(
    suite: SuiteView, task: TaskView, row: Row, metric: MetricInfo, reference: Row | None
) -> Answer | None:
    cell = row.cells.get(metric.name)
    if cell is None or cell.summary is None:
        return None
    other = reference.cells.get(metric.name) if reference and reference is not row else None
    paired = paired_by_seed(cell.seeds, other.seeds) if other else None
    has = reference is not None and paired is not None and paired.difference is not None
    label = reference.method.label if has and reference else ""
    return Answer(suite, task, cell, label, paired if has else None)
