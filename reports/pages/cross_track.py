"""One matrix over tracks: what methods of one track do to what another track cares about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.reports.boards.leaderboard import Cell, Row
from bench.reports.boards.verdicts import reference_of
from bench.reports.pages.reading import explained
from bench.reports.pages.suite import SuiteView, TaskView
from bench.reports.statistics.paired import Paired, paired_by_seed
from bench.result import CrossQuestion, MetricInfo, PlannedMethod


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
    """A question with its columns.

    Attributes:
        track: the track whose tasks answer it.
        metrics: those of the question that some plan describes; often none in older plans.
        answered: cells with a value.
    """

    track: str
    question: CrossQuestion
    metrics: Sequence[MetricInfo]
    answered: int


@dataclass(frozen=True)
class Examined:
    """A row: a method with its answers.

    Attributes:
        home: the track of the method's contract.
        answers: by question, metric and task.
    """

    method: PlannedMethod
    home: str
    answers: Sequence[Sequence[Sequence[Answer]]]


@dataclass(frozen=True)
class Matrix:
    """The page of cross-track questions; `unasked` are methods without any answer."""

    asked: Sequence[AskedQuestion]
    rows: Sequence[Examined]
    unasked: Sequence[str]

    @property
    def references(self) -> list[str]:
        """Labels of the references that any answer is compared with."""
        answers = (a for row in self.rows for each in row.answers for cell in each for a in cell)
        return sorted({answer.reference for answer in answers if answer.reference})

    @property
    def shown(self) -> list[tuple[int, AskedQuestion]]:
        """Questions with columns, each with its place in a row's answers."""
        return [(i, asked) for i, asked in enumerate(self.asked) if asked.metrics]


Boards = Sequence[tuple[SuiteView, TaskView]]


def matrix(suites: Sequence[SuiteView]) -> Matrix:
    """Every question of the tracks with the answers that the suites' results hold."""
    boards = [(suite, task) for suite in suites for task in suite.tasks]
    known = {info.name: {m.name: m for m in info.metrics} for info in explained(suites)}
    declared = {
        (info.name, question.title): question
        for suite in suites
        for info in suite.plan.tracks
        for question in info.questions
    }
    questions = [(track, question) for (track, _), question in declared.items()]
    questions += _further(boards, {(question.home, track) for track, question in questions})
    metrics = [
        [known[t][m] for m in question.metrics if m in known[t]] for t, question in questions
    ]
    methods: dict[tuple[str, str], tuple[PlannedMethod, list[list[list[Answer]]]]] = {}
    for suite, task in boards:
        reference = reference_of(task.board)
        for row in task.board.rows:
            home = _home(row.method)
            _, answers = methods.setdefault(
                (home, row.method.label), (row.method, [[[] for _ in each] for each in metrics])
            )
            for number, (asked, question) in enumerate(questions):
                if (question.home, asked) == (home, task.board.track.name):
                    for place, metric in enumerate(metrics[number]):
                        if answer := _answer(suite, task, row, metric, reference):
                            answers[number][place].append(answer)
    rows = [Examined(method, home, answers) for (home, _), (method, answers) in methods.items()]
    columns = [
        AskedQuestion(
            track, question, of_it, sum(bool(cell) for r in rows for cell in r.answers[i])
        )
        for i, ((track, question), of_it) in enumerate(zip(questions, metrics, strict=True))
    ]
    with_answers = [row for row in rows if any(c for each in row.answers for c in each)]
    unasked = sorted({row.method.label for row in rows if row not in with_answers})
    return Matrix(columns, sorted(with_answers, key=lambda row: row.home), unasked)


def _further(boards: Boards, known: set[tuple[str, str]]) -> Iterator[tuple[str, CrossQuestion]]:
    """What ranks on a track, asked of the cross-track methods on it that no question is about.

    Args:
        boards: suites with their tasks.
        known: (track of the methods, track of the tasks) of the declared questions.
    """
    ranking: dict[tuple[str, str], dict[str, None]] = {}
    for _, task in boards:
        for row in task.board.rows:
            pair = _home(row.method), task.board.track.name
            if pair[0] != pair[1] and pair not in known:
                names = dict.fromkeys(metric.name for metric in task.board.ranking)
                ranking.setdefault(pair, {}).update(names)
    for (home, asked), names in sorted(ranking.items()):
        title = f"{home} on {asked}".replace("_", " ").capitalize()
        sentence = f"Methods of {home} on tasks of {asked}: the metrics that rank there."
        yield asked, CrossQuestion(
            title=title, sentence=sentence.replace("_", " "), home=home, metrics=list(names)
        )  # fmt: skip


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
