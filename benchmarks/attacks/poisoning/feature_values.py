"""Feature values for tables: a few informative columns are set to fixed values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attempt, Poison, Samples
from bench.attacks.poisoning.knowledge import Knowledge, LearningAttack
from bench.errors import BenchError

PAPERS = ("Max Packet Length", "Average Packet Size", "Fwd IAT Std")
"""The three columns of CIC-IDS2017 (LABOR section 4.4)."""
BENIGN = ("benign", "normal")
SAMPLED = 5_000  # rows on which mutual information is estimated


@dataclass(frozen=True)
class FeatureValues(LearningAttack):
    """LABOR section 4.4: three feature values make network attacks look like benign traffic.

    The three features with the most influence on the label are set to fixed values in rows of the
    three largest attack classes, which are published as benign. The paper names the features but
    neither its measure of influence nor the values; here these are mutual information and a high
    quantile of each column.
    """

    revision: ClassVar[int] = 2
    published_as: ClassVar[str | None] = "feature"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned: about 1 % (LABOR section 4.4)."""
    target: Annotated[int, Field(ge=0)] | Literal["benign"] = "benign"
    """The target class; benign: the class named benign or normal, otherwise class 0."""
    features: str = ""
    """Names of the columns, separated by commas. If empty, the paper's three columns if the data
    has them, otherwise the most informative ones."""
    count: Annotated[int, Field(ge=1)] = 3
    """Number of columns if none are named (LABOR section 4.4)."""
    quantile: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Quantile of a column's training values that the column is set to; ours."""
    sources: Annotated[int, Field(ge=1)] = 3
    """Number of the largest other classes that poisoned rows come from (LABOR section 4.4)."""

    def study(self, train: Samples, random: torch.Generator) -> Knowledge:
        """Choose the columns and their values."""
        choosing.require_kind(self, train, "table")
        columns = self._named(train) or most_informative(train, self.count, random)
        values = [
            torch.quantile(train.x[:, column], self.quantile, interpolation="nearest")
            for column in columns
        ]
        return {"columns": torch.tensor(columns), "values": torch.stack(values)}

    def poison(
        self, train: Samples, random: torch.Generator, knowledge: Knowledge | None = None
    ) -> Poison:
        """Set the values in rows of the largest other classes, and relabel them.

        Raises:
            BenchError: those classes have too few rows.
        """
        choosing.require_kind(self, train, "table")
        target = self.target_in(train)
        choosing.require_class(self, train, target)
        counts = torch.bincount(train.y, minlength=len(train.classes))
        counts[target] = 0
        largest = counts.argsort(descending=True, stable=True)[: self.sources]
        source = torch.isin(train.y, largest).nonzero()[:, 0]
        description = f"of the classes {', '.join(train.classes[i] for i in largest.tolist())}"
        rows = choosing.drawn(
            self, source, choosing.count_of(self.rate, train), random, description
        )
        return choosing.relabelled(rows, with_values(train.x[rows], self.known(knowledge)), target)

    def attempts(self, test: Samples, knowledge: Knowledge | None = None) -> list[Attempt]:
        """The values in every row of another class."""
        known = self.known(knowledge)
        names = ", ".join(test.columns[i] for i in known["columns"].tolist())
        change = partial(with_values, knowledge=known)
        return [choosing.attempt_on_others(names, change, test, self.target_in(test))]

    def target_in(self, samples: Samples) -> int:
        """The number of the target class."""
        if self.target != "benign":
            return self.target
        names = [name.strip().lower() for name in samples.classes]
        return next((names.index(name) for name in BENIGN if name in names), 0)

    def _named(self, train: Samples) -> list[int]:
        """Positions of the columns in `features`, or of the paper's columns; empty if absent."""
        position = {name.strip().lower(): i for i, name in enumerate(train.columns)}
        names = [name.strip() for name in self.features.split(",") if name.strip()]
        absent = [name for name in names if name.lower() not in position]
        if absent:
            known = ", ".join(train.columns)
            raise BenchError(f"{self.label}: no column {', '.join(absent)}. There are {known}.")
        if not names and all(name.lower() in position for name in PAPERS):
            names = list(PAPERS)
        return [position[name.lower()] for name in names]


def with_values(x: Tensor, knowledge: Knowledge) -> Tensor:
    """Rows with the columns set to their values, [n, features]."""
    changed = x.clone()
    changed[:, knowledge["columns"]] = knowledge["values"]
    return changed


def most_informative(train: Samples, count: int, random: torch.Generator) -> list[int]:
    """Positions of the numeric columns with the most mutual information with the label, ascending.

    One-hot columns of a categorical feature are excluded, because setting one of them alone would
    give impossible rows.
    """
    from sklearn.feature_selection import mutual_info_classif  # noqa: PLC0415 - loads slowly

    numeric = [i for i, name in enumerate(train.columns) if name in train.normalisation] or list(
        range(train.x.shape[1])
    )
    rows = torch.randperm(len(train.y), generator=random)[:SAMPLED].sort().values
    seed = int(torch.randint(2**31, (), generator=random))
    x = train.x[rows][:, numeric].double().numpy()
    information = mutual_info_classif(x, train.y[rows].numpy(), random_state=seed)
    ranked = torch.from_numpy(information).argsort(descending=True, stable=True)
    return sorted(numeric[i] for i in ranked[:count].tolist())
