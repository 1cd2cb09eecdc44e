"""A person who inspects samples and names their class; every inspection is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from bench.errors import BenchError
from bench.outside.json_text import read_mapping

UNSURE = "unsure"
REMEDY = "`bench label` writes such a file."


class Human(ABC):
    """An annotator of training samples.

    Attributes:
        rows: training samples that were inspected so far, in order.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []

    @property
    def inspections(self) -> int:
        """The number of samples that were inspected so far."""
        return len(self.rows)

    def tag(self, row: int) -> int | None:
        """The class of a training sample as the person sees it, or None where they are unsure."""
        self.rows.append(row)
        return self._tag(row)

    @abstractmethod
    def _tag(self, row: int) -> int | None: ...


class Oracle(Human):
    """Names the true class, except in a share `careless` of inspections: another, at random."""

    def __init__(
        self, truth: Tensor, classes: int, careless: float, random: torch.Generator
    ) -> None:
        super().__init__()
        self.truth, self.classes = truth.cpu(), classes
        self.careless, self.random = careless, random

    def _tag(self, row: int) -> int:
        true = int(self.truth[row])
        if torch.rand((), generator=self.random) >= self.careless:
            return true
        other = int(torch.randint(self.classes - 1, (), generator=self.random))
        return other + (other >= true)


class Recorded(Human):
    """Reads the tags that someone left in a file, {"tags": {"<row>": "<class>" or "unsure"}}.

    Where the file names its task, seed or data, they must be those of `about`.
    """

    def __init__(
        self, path: Path, classes: tuple[str, ...], about: Mapping[str, object] | None = None
    ) -> None:
        super().__init__()
        try:
            content = read_mapping(path, "tags", REMEDY)
            names = {int(row): str(name) for row, name in content["tags"].items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise BenchError(f"{path}: no readable tags ({error!r}). {REMEDY}") from error
        for name, value in (about or {}).items():
            if content.get(name, value) != value:
                raise BenchError(
                    f"{path}: these tags are of {name} {content[name]}, this is {value}."
                )
        strange = sorted(set(names.values()) - {*classes, UNSURE})
        if strange:
            raise BenchError(
                f'{path}: "{strange[0]}" is no class of this task: {", ".join(classes)}.'
            )
        self.path = path
        self.tags = {row: classes.index(name) for row, name in names.items() if name != UNSURE}
        self.seen = set(names)

    def _tag(self, row: int) -> int | None:
        if row not in self.seen:
            raise BenchError(
                f"{self.path}: sample {row} has no tag. Go on with `bench label` where it was left."
            )
        return self.tags.get(row)
