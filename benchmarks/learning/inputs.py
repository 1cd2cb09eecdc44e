"""The inputs of a split: held on the device, or read from disk ahead of the batch they are for."""

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
"""A batch -> the batch with random flips and shifts."""
Alter = Callable[[Tensor, Tensor], Tensor]
"""(batch, positions of its samples) -> the changed batch, for example with triggers stamped on."""

CHUNK_BYTES = 64 * 2**20  # of pinned memory: about a dozen batches of 224-pixel images
SHARE = 0.6  # share of the device's free memory that data may take


class Inputs(ABC):
    """Inputs of one shape, delivered in batches on the device.

    Attributes:
        shape: of one input as stored; an alteration may change it.
        device: the device on which batches are delivered.
    """

    shape: tuple[int, ...]
    device: torch.device

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """The inputs at positions `index`, [m, ...]; augmented first, then altered."""

    @abstractmethod
    def subset(self, index: Tensor) -> Inputs:
        """The inputs at `index`: [m] int64 positions, repeats allowed, or an [n] bool mask."""

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """One batch for each tensor of positions in `indices`, in order."""
        return (self.take(index, augment) for index in indices)

    def everything(self) -> Tensor:
        """All inputs as one tensor, [n, ...]; only for data that fits into memory."""
        return self.take(torch.arange(len(self), device=self.device))

    def altered(self, alter: Alter) -> Inputs:
        """These inputs with every batch passed through `alter`; nothing is copied."""
        return Altered(self, alter)


class Resident(Inputs):
    """Inputs held on the device; on the CPU this may be a memory map of a file."""

    def __init__(self, data: Tensor, rows: Tensor | None = None) -> None:
        self.data, self.rows = data, rows
        self.shape, self.device = tuple(data.shape[1:]), data.device

    def __len__(self) -> int:
        return len(self.data if self.rows is None else self.rows)

    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """Gather a batch on the device."""
        rows = index if self.rows is None else self.rows[index]
        return _augmented(self.data.index_select(0, rows), augment)

    def subset(self, index: Tensor) -> Resident:
        """Rows of the same tensor; nothing is copied."""
        rows = _positions(index)
        return Resident(self.data, rows if self.rows is None else self.rows[rows])


class Staged(Inputs):
    """Inputs that do not fit on the device, read from disk in chunks of many batches.

    While the device works on one chunk, a thread reads the next one into pinned memory, in the
    order of the file, and starts copying it.
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
        return _augmented(self._read(index.cpu().numpy()).to(self.device), augment)

    def subset(self, index: Tensor) -> Staged:
        """Rows of the same file; nothing is read yet."""
        rows = self.rows[_positions(index).cpu().numpy()]
        return Staged(self.data, self.device, rows, self.chunk_bytes)

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """Batches cut from chunks that are read ahead by a thread."""
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
                yield from (_augmented(batch, augment) for batch in loaded.split(sizes))

    def _chunks(self, indices: Iterable[Tensor]) -> Iterator[list[npt.NDArray[np.int64]]]:
        """The positions of consecutive batches, collected until they fill `chunk_bytes`."""
        bytes_per_input = int(np.prod(self.shape)) * self.data.dtype.itemsize
        chunk: list[npt.NDArray[np.int64]] = []
        for index in indices:
            chunk.append(index.cpu().numpy())
            if sum(map(len, chunk)) * bytes_per_input >= self.chunk_bytes:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _load(
        self, chunk: list[npt.NDArray[np.int64]]
    ) -> tuple[Tensor, list[int], torch.cuda.Event | None]:
        """A chunk on the device, the sizes of its batches, and the event that ends a CUDA copy."""
        sizes = [len(index) for index in chunk]
        host = self._read(np.concatenate(chunk))
        if self.device.type != "cuda":
            return host.to(self.device), sizes, None
        copy_stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(copy_stream):
            copied = host.to(self.device, non_blocking=True)
        ready = torch.cuda.Event()
        ready.record(copy_stream)
        ready.synchronize()  # in the reader's thread: the pinned memory may be freed after this
        return copied, sizes, ready

    def _read(self, index: npt.NDArray[np.int64]) -> Tensor:
        """The inputs at `index` in that order, read from the file in the file's order."""
        rows = self.rows[index]
        order = np.argsort(rows, kind="stable")
        host = torch.from_numpy(np.empty((len(rows), *self.shape), self.data.dtype))
        if self.device.type == "cuda":
            host = host.pin_memory()
        host.numpy()[order] = self.data[rows[order]]
        return host


class Altered(Inputs):
    """Inputs whose batches pass through `alter`, which gets positions within these inputs."""

    def __init__(self, inner: Inputs, alter: Alter) -> None:
        self.inner, self.alter = inner, alter
        self.shape, self.device = inner.shape, inner.device

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, index: Tensor, augment: Augment | None = None) -> Tensor:
        """A batch of the unaltered inputs, altered."""
        return self.alter(self.inner.take(index, augment), index)

    def subset(self, index: Tensor) -> Altered:
        """A subset whose samples are altered as in the whole."""
        positions, alter = _positions(index), self.alter
        return Altered(self.inner.subset(index), lambda x, i: alter(x, positions[i]))

    def stream(self, indices: Iterable[Tensor], augment: Augment | None = None) -> Iterator[Tensor]:
        """Batches of the unaltered inputs, altered; the inner stream may read ahead."""
        pending: deque[Tensor] = deque()

        def recorded() -> Iterator[Tensor]:
            for index in indices:
                pending.append(index)
                yield index

        for x in self.inner.stream(recorded(), augment):
            yield self.alter(x, pending.popleft())


def inputs_on(data: npt.NDArray[Any], device: torch.device, room: float) -> tuple[Inputs, float]:
    """The array as inputs on `device`, and how many of `room` free bytes are left there.

    On the CPU the array is used as it is, memory maps included. On a GPU it is copied if it fits
    into `room` and read in chunks otherwise.
    """
    if device.type == "cpu":
        return Resident(torch.from_numpy(data)), room
    if data.nbytes <= room:
        return Resident(torch.from_numpy(data).to(device)), room - data.nbytes
    return Staged(data, device), room


def room_on(device: torch.device) -> float:
    """How many bytes data may take on the device; infinite on the CPU."""
    return SHARE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def flips_and_shifts(flip: bool, shift: int, random: torch.Generator) -> Augment | None:
    """An augmentation by mirror images and shifts, or None if both are off.

    All images of a batch, [n, C, H, W], are moved by one gather. Pixels at the edge are repeated.

    Args:
        flip: whether an image is mirrored with probability one half.
        shift: largest shift in pixels, in each direction.
        random: where the draws come from.
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
        image, channel = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
        index = (image, channel, rows[:, None, :, None], columns[:, None, None, :])
        return x[tuple(part.to(x.device) for part in index)]

    return augment


def _augmented(x: Tensor, augment: Augment | None) -> Tensor:
    """The augmented batch; images in the memory layout that convolutions are fastest on."""
    if augment is not None:
        x = augment(x)
    if x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def _positions(index: Tensor) -> Tensor:
    """Positions, [m] int64, also where `index` is a mask."""
    return index.nonzero()[:, 0] if index.dtype == torch.bool else index
