"""Inputs of a split: kept on the device, or on disk and brought there ahead of their batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Augment = Callable[[Tensor], Tensor]
"""Random flips and shifts of a batch."""
Alter = Callable[[Tensor, Tensor], Tensor]
"""(batch, positions of its samples) -> the batch otherwise: with triggers stamped, say."""

CHUNK_BYTES = 64 * 2**20  # of pinned memory; a dozen batches of 224-pixel images
SHARE = 0.6  # of the device's free memory that data may take


class Inputs(ABC):
    """Inputs of one shape that come in batches, on the device.

    Attributes:
        shape: of one input as stored; alterations may add to it.
        device: where batches arrive.
    """

    shape: tuple[int, ...]
    device: torch.device

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """The inputs at positions `index`, [m, ...]; flips and shifts come before alterations."""

    @abstractmethod
    def subset(self, index: Tensor) -> Inputs:
        """The inputs at `index` ([m] int64 positions, repeats allowed, or an [n] bool mask)."""

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """One batch for each of `indices`, in their order."""
        return (self.take(index, augment) for index in indices)

    def everything(self) -> Tensor:
        """All inputs at once; for small ones."""
        return self.take(torch.arange(len(self), device=self.device))

    def altered(self, alter: Alter) -> Inputs:
        """The same inputs with every batch passed through `alter`; nothing is copied."""
        return Altered(self, alter)


class Resident(Inputs):
    """Inputs that live on the device; on the CPU also a memory map of a file."""

    def __init__(self, data: Tensor, rows: Tensor | None = None) -> None:
        self.data, self.rows = data, rows
        self.shape, self.device = tuple(data.shape[1:]), data.device

    def __len__(self) -> int:
        return len(self.data if self.rows is None else self.rows)

    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """Gather a batch on the device."""
        rows = index if self.rows is None else self.rows[index]
        return _ready(self.data.index_select(0, rows), augment)

    def subset(self, index: Tensor) -> Resident:
        """Rows of the same data."""
        rows = _positions(index)
        return Resident(self.data, rows if self.rows is None else self.rows[rows])


class Staged(Inputs):
    """Inputs on disk that the device has no room for, copied there in chunks of many batches.

    While the device works on one chunk, a thread reads the next in the file's order into pinned
    memory and starts its copy.
    """

    def __init__(
        self,
        data: npt.NDArray[Any],
        device: torch.device,
        rows: npt.NDArray[np.int64] | None = None,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.data, self.device, self.chunk_bytes = data, device, chunk_bytes
        self.rows = np.arange(len(data)) if rows is None else rows
        self.shape = tuple(data.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """Read and copy one batch."""
        return _ready(self._read(index.cpu().numpy()).to(self.device), augment)

    def subset(self, index: Tensor) -> Staged:
        """Rows of the same file."""
        rows = self.rows[_positions(index).cpu().numpy()]
        return Staged(self.data, self.device, rows, self.chunk_bytes)

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """Batches cut from chunks that were read ahead."""
        chunks = self._chunks(indices)
        with ThreadPoolExecutor(1) as reader:
            ahead = deque(reader.submit(self._load, chunk) for chunk in islice(chunks, 2))
            while ahead:
                loaded, sizes, ready = ahead.popleft().result()
                for chunk in islice(chunks, 1):
                    ahead.append(reader.submit(self._load, chunk))
                if ready is not None:
                    torch.cuda.current_stream(self.device).wait_event(ready)
                    loaded.record_stream(torch.cuda.current_stream(self.device))
                yield from (_ready(batch, augment) for batch in loaded.split(sizes))

    def _chunks(self, indices: Iterable[Tensor]) -> Iterator[list[npt.NDArray[np.int64]]]:
        one = int(np.prod(self.shape)) * self.data.dtype.itemsize
        chunk: list[npt.NDArray[np.int64]] = []
        for index in indices:
            chunk.append(index.cpu().numpy())
            if sum(map(len, chunk)) * one >= self.chunk_bytes:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _load(
        self, chunk: list[npt.NDArray[np.int64]]
    ) -> tuple[Tensor, list[int], torch.cuda.Event | None]:
        sizes = [len(index) for index in chunk]
        host = self._read(np.concatenate(chunk))
        if self.device.type != "cuda":
            return host.to(self.device), sizes, None
        beside = torch.cuda.Stream(self.device)
        with torch.cuda.stream(beside):
            copied = host.to(self.device, non_blocking=True)
        ready = torch.cuda.Event()
        ready.record(beside)
        ready.synchronize()  # in the reader's thread: the pinned memory may be freed after this
        return copied, sizes, ready

    def _read(self, index: npt.NDArray[np.int64]) -> Tensor:
        """Rows in the asked order, read in the file's."""
        rows = self.rows[index]
        order = np.argsort(rows, kind="stable")
        host = torch.from_numpy(np.empty((len(rows), *self.shape), self.data.dtype))
        if self.device.type == "cuda":
            host = host.pin_memory()
        host.numpy()[order] = self.data[rows[order]]
        return host


class Altered(Inputs):
    """Inputs that pass through a function on their way; positions are those of these inputs."""

    def __init__(self, inner: Inputs, alter: Alter) -> None:
        self.inner, self.alter = inner, alter
        self.shape, self.device = inner.shape, inner.device

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """Take from within, then alter."""
        return self.alter(self.inner.take(index, augment), index)

    def subset(self, index: Tensor) -> Altered:
        """A subset altered as the whole is."""
        positions, alter = _positions(index), self.alter
        return Altered(self.inner.subset(index), lambda x, i: alter(x, positions[i]))

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """Stream from within, then alter."""
        kept: deque[Tensor] = deque()

        def passing() -> Iterator[Tensor]:
            for index in indices:
                kept.append(index)
                yield index

        for x in self.inner.stream(passing(), augment):
            yield self.alter(x, kept.popleft())


def inputs_on(data: npt.NDArray[Any], device: torch.device, room: float) -> tuple[Inputs, float]:
    """Inputs as fast as `room` bytes on the device allow, and the room that is left.

    On the CPU arrays are used as they are, memory maps included.
    """
    if device.type == "cpu":
        return Resident(torch.from_numpy(data)), room
    if data.nbytes <= room:
        return Resident(torch.from_numpy(data).to(device)), room - data.nbytes
    return Staged(data, device), room


def room_on(device: torch.device) -> float:
    """Bytes that data may take on the device."""
    return SHARE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def flips_and_shifts(flip: bool, shift: int, random: torch.Generator) -> Augment | None:
    """Random mirror images and shifts of up to `shift` pixels each way; the edge is repeated.

    All samples of a batch are moved by one gather. Returns None where nothing is asked for.
    """
    if not (flip or shift):
        return None

    def augment(x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        down = torch.randint(-shift, shift + 1, (n, 1), generator=random)
        right = torch.randint(-shift, shift + 1, (n, 1), generator=random)
        rows = (torch.arange(height) + down).clamp(0, height - 1)
        columns = (torch.arange(width) + right).clamp(0, width - 1)
        if flip:
            mirrored = torch.rand(n, 1, generator=random) < 0.5
            columns = torch.where(mirrored, width - 1 - columns, columns)
        place = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
        where = (*place, rows[:, None, :, None], columns[:, None, None, :])
        return x[tuple(part.to(x.device) for part in where)]

    return augment


def _ready(x: Tensor, augment: Augment | None) -> Tensor:
    if augment is not None:
        x = augment(x)
    if x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def _positions(index: Tensor) -> Tensor:
    return index.nonzero()[:, 0] if index.dtype == torch.bool else index
