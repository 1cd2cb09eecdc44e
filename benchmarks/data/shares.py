"""Equal shares of a number (tenths of brightness, of stroke weight) as groups with a covariate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.data.prepared import Array
from bench.errors import DataError

TENTHS = 10


@dataclass(frozen=True)
class Shares:
    """Groups of samples by a number of theirs.

    Attributes:
        group: split -> [n] int64, 0 where the number is smallest.
        covariate: of each group, the logarithm of the number's mean over its training samples.
    """

    group: Mapping[str, Array]
    covariate: list[float]

    @classmethod
    def of(cls, values: Mapping[str, Array], count: int = TENTHS) -> Shares:
        """`count` groups with equally many training samples each.

        Args:
            values: split -> [n] positive numbers, "train" among them. Borders are its quantiles;
                samples of other splits beyond its range fall into the outer groups.
            count: groups.

        Raises:
            DataError: too many training samples share one number for so many groups.
        """
        borders = np.quantile(values["train"], np.arange(1, count) / count)
        group = {
            split: np.searchsorted(borders, number, side="right").astype(np.int64)
            for split, number in values.items()
        }
        if len(np.unique(group["train"])) < count:
            raise DataError(f"the training samples cannot be dealt into {count} groups: too many "
                            "are alike.")  # fmt: skip
        means = [values["train"][group["train"] == g].mean() for g in range(count)]
        return cls(group, np.log(means).tolist())


def names(low: str, high: str, count: int = TENTHS) -> list[str]:
    """Names of groups by their order: 1 (darkest), 2, 3 and so on to 10 (brightest)."""
    found = [str(number) for number in range(1, count + 1)]
    return [f"{found[0]} ({low})", *found[1:-1], f"{found[-1]} ({high})"]
