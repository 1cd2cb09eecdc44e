"""A person who looks at samples and names their class; every look is counted."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from bench.errors import BenchError

UNSURE = "unsure"


class Human(ABC):
    """Someone to ask.

    Attributes:
        rows: training samples that were looked at so far, in order.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []

    @property
    def looks(self) -> int:
        """How many samples were looked at so far."""
        return len(self.rows)

    def tag(self, row: int) -> int | None:
        """Class of a training sample as the person sees it, or None where they are unsure."""
        self.rows.append(row)
        return self._tag(row)

    @abstractmethod
    def _tag(self, row: int) -> int | None: ...


class Oracle(Human):
    """Sees the true class, but for a share of looks that name another one at random."""

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

    Where the file says of which task, seed or data they are, it must be these.
    """

    def __init__(
        self, path: Path, classes: tuple[str, ...], about: Mapping[str, object] | None = None
    ) -> None:
        super().__init__()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = {int(row): str(name) for row, name in content["tags"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BenchError(
                f"{path}: no readable tags ({error}). `bench label` writes such a file."
            ) from error
        for name, value in (about or {}).items():
            if content.get(name, value) != value:
                raise BenchError(
                    f"{path}: these tags are of {name} {content[name]}, this is {value}."
                )
        strange = sorted(set(found.values()) - {*classes, UNSURE})
        if strange:
            raise BenchError(
                f'{path}: "{strange[0]}" is no class of this task: {", ".join(classes)}.'
            )
        self.path = path
        self.tags = {row: classes.index(name) for row, name in found.items() if name != UNSURE}
        self.seen = set(found)

    def _tag(self, row: int) -> int | None:
        if row not in self.seen:
            raise BenchError(
                f"{self.path}: sample {row} has no tag. Go on with `bench label` where it was left."
            )
        return self.tags.get(row)
