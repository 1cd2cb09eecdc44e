"""Which members of a cluster a person inspects, how many, and which class the cluster gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Protocol, runtime_checkable

from bench.learning.loop import Context
from bench.tracks.poisoning.contract import PoisoningTask

LEAST_SMALL = 5  # "small or homogeneous clusters need only 5-10 samples", LABOR section 3.2
LEAST_LARGE = 10  # the upper end for homogeneous ones; large *and* diverse ones go on to MOST
MOST = 20  # "an overload of humanly inspecting less than 20 samples per clustering", section 3.2
AGREEMENT = 0.8  # "over 80%" of the feedback shares a label, section 3.2; of five, one may err


@dataclass(frozen=True)
class Cluster:
    """Training samples that belong together, and those of them that a person is shown.

    Attributes:
        id: the clustering's own number of it.
        size: samples in it.
        rows: of the training set, in the order in which they are shown; drawn at random.
        least: inspections that it takes at least.
    """

    id: int
    size: int
    rows: tuple[int, ...]
    least: int


@dataclass(frozen=True)
class Queue:
    """All inspections that are asked of a person, largest cluster first: it decides most samples.

    Attributes:
        task: name of the task.
        classes: their names, in the order of the labels.
        clusters: in the order in which they are inspected.
        most: inspections that one cluster takes at most.
    """

    task: str
    classes: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    most: int = MOST

    @classmethod
    def of(
        cls,
        task: str,
        classes: tuple[str, ...],
        members: Mapping[int, Sequence[int]],
        most: int = MOST,
        *,
        adaptive: bool = True,
    ) -> Queue:
        """A queue of {cluster: its rows, in random order}, of which `most` rows are kept.

        Where it is not adaptive, every cluster takes `most` inspections.
        """
        least = least_inspections([len(rows) for rows in members.values()])
        least = least if adaptive else [most] * len(least)
        clusters = [
            Cluster(number, len(rows), tuple(int(row) for row in rows[:most]), min(fewest, most))
            for (number, rows), fewest in zip(members.items(), least, strict=True)
            if len(rows)
        ]
        clusters.sort(key=lambda cluster: (-cluster.size, cluster.id))
        return cls(task, classes, tuple(clusters), most)


@runtime_checkable
class Asks(Protocol):
    """A method that has a person inspect clusters, and knows beforehand which rows."""

    def queue(self, task: PoisoningTask, context: Context) -> Queue:
        """The inspections that `defend` asks for on this task and seed."""


def p_tagging(n: int, p: float) -> float:
    """Probability that most of n samples show the cluster's class, LABOR section 3.2.

    P_tagging = sum over k from ceil((n + 1) / 2) to n of C(n, k) p^k (1 - p)^(n - k)

    Args:
        n: samples that are inspected.
        p: share of the cluster that belongs to its class.
    """
    most_of_them = n // 2 + 1  # ceil((n + 1) / 2)
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(most_of_them, n + 1))


def inspections_needed(p: float, certainty: float) -> int:
    """The smallest n with p_tagging(n, p) >= certainty. Raises ValueError if there is none."""
    if not (0.5 < p <= 1 and 0 <= certainty < 1):
        raise ValueError(f"no number of inspections makes purity {p} {certainty} certain")
    n = 1
    while p_tagging(n, p) < certainty:
        n += 2  # an even n can end in a tie: it is never better than the odd one before
    return n


def least_inspections(sizes: Sequence[int]) -> list[int]:
    """Inspections that clusters of these sizes take at least: fewer below the median size."""
    middle = median(sizes) if sizes else 0
    return [LEAST_SMALL if size < middle else LEAST_LARGE for size in sizes]


def enough(tags: Sequence[int | None], least: int, most: int = MOST) -> bool:
    """Whether these answers, None where the person was unsure, are enough to tag their cluster.

    `least` answers are enough where most are sure and a share AGREEMENT of the sure ones agrees;
    otherwise `most` are needed.
    """
    if len(tags) >= most:
        return True
    sure = [tag for tag in tags if tag is not None]
    if len(tags) < least or 2 * len(sure) <= len(tags):
        return False
    return max(Counter(sure).values()) / len(sure) >= AGREEMENT


def majority(tags: Iterable[int | None]) -> int | None:
    """The most frequent class; of equals the first, and None where no answer was sure."""
    sure = Counter(tag for tag in tags if tag is not None)
    return sure.most_common(1)[0][0] if sure else None


def inspected(
    cluster: Cluster, tag: Callable[[int], int | None], most: int = MOST
) -> dict[int, int | None]:
    """Have one row after the other tagged until it is enough: {row: class, or None if unsure}."""
    answers: dict[int, int | None] = {}
    for row in cluster.rows:
        if enough(list(answers.values()), cluster.least, most):
            break
        answers[row] = tag(row)
    return answers
