"""Labelled samples on the device, and the order in which training visits them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.learning.inputs import Alter, Augment, Inputs, Resident
from bench.seeds import generator


@dataclass(frozen=True)
class Batch:
    """Samples x with targets y and groups b; `index` holds their positions in their split."""

    x: Tensor
    y: Tensor
    b: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def split(self, size: int) -> Iterator[Batch]:
        """The batch in parts of at most `size` samples."""
        parts = (tensor.split(size) for tensor in (self.x, self.y, self.b, self.index))
        return (Batch(*part) for part in zip(*parts, strict=True))


@dataclass(frozen=True)
class Split:
    """Samples with targets and groups, all on one device.

    Attributes:
        inputs: [n, features] float32 for tables or [n, C, H, W] uint8 for images.
        y: targets, [n] int64 classes (float32 for regression).
        b: groups, [n] int64 in {0, 1}: the bias variable.
        row: position of each sample in the split as it was loaded, [n] int64. Subsets keep it,
            so that a method that drops samples sees the others in the same order.
        rows: number of samples in the split as it was loaded.
    """

    inputs: Inputs
    y: Tensor
    b: Tensor
    row: Tensor
    rows: int

    @classmethod
    def of(cls, x: Tensor | Inputs, y: Tensor, b: Tensor) -> Split:
        """A newly loaded split: sample i has row i."""
        return cls(_inputs(x), y, b, torch.arange(len(y), device=y.device), len(y))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def x(self) -> Tensor:
        """All inputs as one tensor, [n, ...]; for tables and small images."""
        return self.inputs.everything()

    def subset(self, index: Tensor) -> Split:
        """The samples at `index`: [m] int64 positions, or an [n] bool mask."""
        return replace(
            self,
            inputs=self.inputs.subset(index),
            y=self.y[index],
            b=self.b[index],
            row=self.row[index],
        )

    def with_x(self, x: Tensor | Inputs) -> Split:
        """The same samples with other inputs."""
        return replace(self, inputs=_inputs(x))

    def altered(self, alter: Alter) -> Split:
        """The same samples, with every batch of inputs passed through `alter(x, positions)`."""
        return replace(self, inputs=self.inputs.altered(alter))

    def batch(self, index: Tensor) -> Batch:
        """The samples at positions `index` as a batch."""
        return self._batch(self.inputs.take(index), index)

    def batches(self, order: Tensor, size: int, augment: Augment | None = None) -> Iterator[Batch]:
        """The samples at positions `order`, [m] int64, in batches of `size`.

        The last batch may be smaller. If one sample alone would be left for it, that joins the
        batch before: batch normalisation cannot train on one value a channel.
        """
        indices = [*order.split(size)]
        if len(indices) > 1 and len(indices[-1]) == 1 < size:
            indices[-2:] = [torch.cat(indices[-2:])]
        streamed = self.inputs.stream(indices, augment)
        return (self._batch(x, index) for x, index in zip(streamed, indices, strict=True))

    def _batch(self, x: Tensor, index: Tensor) -> Batch:
        return Batch(x, self.y.index_select(0, index), self.b.index_select(0, index), index)

    def order(self, seed: int, epoch: int) -> Tensor:
        """Positions in the order in which one epoch visits them, [n] int64.

        Seed and epoch decide a permutation of the split *as loaded*: two methods with one seed
        visit their common samples in the same order, even if one of them dropped some.
        """
        shuffled = torch.randperm(self.rows, generator=generator(seed, f"order/{epoch}"))
        position = torch.full((self.rows,), -1)
        position[self.row.cpu()] = torch.arange(len(self))
        order = position[shuffled]
        return order[order >= 0].to(self.y.device)


def _inputs(x: Tensor | Inputs) -> Inputs:
    return Resident(x) if isinstance(x, Tensor) else x
