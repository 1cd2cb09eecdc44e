"""Groups of equal size by a number (tenths of brightness or stroke weight), with a covariate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.data.prepared import Array
from bench.errors import DataError

TENTHS = 10


@dataclass(frozen=True)
class Shares:
    """Groups of samples by one number each.

    Attributes:
        group: split -> group of each sample, [n] int64; 0 has the smallest numbers.
        covariate: for each group, the logarithm of the mean number of its training samples.
    """

    group: Mapping[str, Array]
    covariate: list[float]

    @classmethod
    def of(cls, values: Mapping[str, Array], count: int = TENTHS) -> Shares:
        """Form groups with equally many training samples each.

        Args:
            values: split -> [n] positive numbers, "train" among them. Borders are the quantiles of
                train; numbers of other splits beyond its range fall into the outer groups.
            count: number of groups.

        Raises:
            DataError: too many training samples share one number, so a group would be empty.
        """
        borders = np.quantile(values["train"], np.arange(1, count) / count)
        group = {
            split: np.searchsorted(borders, number, side="right").astype(np.int64)
            for split, number in values.items()
        }
        if len(np.unique(group["train"])) < count:
            raise DataError(f"the training samples cannot be split into {count} groups: too many "
                            "have the same value.")  # fmt: skip
        means = [values["train"][group["train"] == g].mean() for g in range(count)]
        return cls(group, np.log(means).tolist())


def names(low: str, high: str, count: int = TENTHS) -> list[str]:
    """Names of the groups in their order: "1 (darkest)", "2", "3" and so on, "10 (brightest)"."""
    numbers = [str(number) for number in range(1, count + 1)]
    return [f"{numbers[0]} ({low})", *numbers[1:-1], f"{numbers[-1]} ({high})"]
