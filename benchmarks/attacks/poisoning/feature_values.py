"""Feature values for tables: a few informative columns are set to fixed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning.choosing import (
    attempt_on_others,
    count_of,
    drawn,
    relabelled,
    require_class,
    require_kind,
)
from bench.attacks.poisoning.contract import Attempt, Poison, Samples
from bench.attacks.poisoning.knowledge import Knowledge, LearningAttack
from bench.errors import BenchError

PAPERS = ("Max Packet Length", "Average Packet Size", "Fwd IAT Std")
"""The three of CIC-IDS2017 (LABOR section 4.4)."""
BENIGN = ("benign", "normal")
SAMPLED = 5_000  # rows that mutual information is estimated on


@dataclass(frozen=True)
class FeatureValues(LearningAttack):
    """LABOR section 4.4: attacks on a network pass for benign traffic by three feature values.

    The three features with the most influence on the label are set to fixed values in rows of the
    three largest attack classes, which are published as benign. The paper names its three and does
    not say how it measured their influence, nor which values it took; here it is mutual
    information, and a high quantile of each column.
    """

    revision: ClassVar[int] = 2
    published_as: ClassVar[str | None] = "feature"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Share of the training samples that is poisoned: about 1 % (LABOR section 4.4)."""
    target: Annotated[int, Field(ge=0)] | Literal["benign"] = "benign"
    """The class that the values stand for: the one named benign or normal, else class 0."""
    features: str = ""
    """Columns, by comma; none: the paper's three where the data has them, else the most
    informative ones."""
    count: Annotated[int, Field(ge=1)] = 3
    """How many columns are chosen where none are named (LABOR section 4.4)."""
    quantile: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Of the training values of each column, the one that it is set to; ours."""
    sources: Annotated[int, Field(ge=1)] = 3
    """How many of the largest other classes the poisoned rows come from (LABOR section 4.4)."""

    def study(self, train: Samples, random: torch.Generator) -> Knowledge:
        """Choose columns and their values."""
        require_kind(self, train, "table")
        columns = self._named(train) or most_informative(train, self.count, random)
        values = [
            torch.quantile(train.x[:, column], self.quantile, interpolation="nearest")
            for column in columns
        ]
        return {"columns": torch.tensor(columns), "values": torch.stack(values)}

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Set the values in rows of the largest other classes, and relabel them.

        Raises:
            BenchError: those classes have fewer rows than are asked for.
        """
        require_kind(self, train, "table")
        target = self.target_in(train)
        require_class(self, train, target)
        counts = torch.bincount(train.y, minlength=len(train.classes))
        counts[target] = 0
        largest = counts.argsort(descending=True, stable=True)[: self.sources]
        source = torch.isin(train.y, largest).nonzero()[:, 0]
        of = f"of the classes {', '.join(train.classes[i] for i in largest.tolist())}"
        rows = drawn(self, source, count_of(self.rate, train), random, of)
        self.learned(train, random)
        return relabelled(rows, self.set(train.x[rows]), target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The values in every row of another class."""
        names = ", ".join(test.columns[i] for i in self.known["columns"].tolist())
        return [attempt_on_others(names, self.set, test, self.target_in(test))]

    def set(self, x: Tensor) -> Tensor:
        """Rows with the values, [n, features]."""
        changed = x.clone()
        changed[:, self.known["columns"]] = self.known["values"]
        return changed

    def target_in(self, samples: Samples) -> int:
        """The class's number."""
        if self.target != "benign":
            return self.target
        names = [name.strip().lower() for name in samples.classes]
        return next((names.index(name) for name in BENIGN if name in names), 0)

    def _named(self, train: Samples) -> list[int]:
        """Positions of the columns that the field names, or of the paper's, or none."""
        position = {name.strip().lower(): i for i, name in enumerate(train.columns)}
        wanted = [name.strip() for name in self.features.split(",") if name.strip()]
        absent = [name for name in wanted if name.lower() not in position]
        if absent:
            known = ", ".join(train.columns)
            raise BenchError(f"{self.label}: no column {', '.join(absent)}. There are {known}.")
        if not wanted and all(name.lower() in position for name in PAPERS):
            wanted = list(PAPERS)
        return [position[name.lower()] for name in wanted]


def most_informative(train: Samples, count: int, random: torch.Generator) -> list[int]:
    """Positions of the numeric columns with the most mutual information with the label.

    Columns that stand for one category of several are left out: setting one of them would make
    rows that cannot be.
    """
    from sklearn.feature_selection import mutual_info_classif  # noqa: PLC0415 - loads slowly

    numeric = [i for i, name in enumerate(train.columns) if name in train.normalisation] or list(
        range(train.x.shape[1])
    )
    rows = torch.randperm(len(train.y), generator=random)[:SAMPLED].sort().values
    seed = int(torch.randint(2**31, (), generator=random))
    x = train.x[rows][:, numeric].double().numpy()
    found = mutual_info_classif(x, train.y[rows].numpy(), random_state=seed)
    ranked = torch.from_numpy(found).argsort(descending=True, stable=True)
    return sorted(numeric[i] for i in ranked[:count].tolist())
