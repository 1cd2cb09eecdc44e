"""Pictures decoded once into memory maps: in parallel, resumable, with every bad one named."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.data.archives import Archive
from bench.data.prepared import Array
from bench.errors import DataError

MAX_UNREADABLE = 0.01  # share of the pictures: a few bad files are noise, more are a bad download
ALWAYS_FORGIVEN = 10  # that many may be unreadable however small the data set is
NAMED = 5  # pictures that a note names
CHUNK = 64  # pictures a thread takes at once
SAVED_EVERY = 4096  # pictures: what a power cut can cost
LINE_EVERY = 15.0  # seconds between lines where there is no terminal
FORMATS = ("JPEG", "PNG")  # Pillow reads dozens of others; none is expected here
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for files that are damaged, cut short or no pictures."""
LARGEST = 2**30  # pixels; as the side of the central square: the largest there is
TO_DO, DONE, OTHER_SIZE, UNREADABLE = range(4)

Where = Mapping[str, Sequence[str]]
"""Split -> names of its pictures in the archive, in the order of the rows."""


@dataclass(frozen=True)
class Decoded:
    """What became of the pictures.

    Attributes:
        x: split -> memory map [kept, 3, size, size] uint8.
        kept: split -> [pictures] bool, false where one was left out.
        unreadable: names of those left out.
        other_size: how many were not of the expected size.
    """

    x: dict[str, Array]
    kept: dict[str, Array]
    unreadable: list[str]
    other_size: int

    def notes(self, expected: tuple[int, int] | None = None) -> list[str]:
        """What a page must say about them."""
        notes = []
        if self.unreadable:
            notes.append(
                f"{len(self.unreadable):,} unreadable pictures are left out: "
                f"{named(self.unreadable)}."
            )
        if expected and self.other_size:
            width, height = expected
            notes.append(f"{self.other_size:,} pictures are not of {width} x {height} pixels.")
        return notes


def decode(
    archive: Archive,
    where: Where,
    size: int,
    crop: int,
    work: Path,
    *,
    expected: tuple[int, int] | None,
    workers: int | None = None,
) -> Decoded:
    """Decode pictures into one memory map a split: the central square, scaled to `size`.

    A call with the same arguments goes on where one that was interrupted stopped.

    Args:
        archive: where the pictures are.
        where: which of them belong where.
        size: side of the result in pixels.
        crop: side of the central square; of pictures that are smaller (of all with LARGEST), the
            largest square.
        work: folder for the memory maps and for what is done so far.
        expected: width and height that pictures should have; others are counted. None: any.
        workers: threads; by default one a core.

    Raises:
        DataError: too many unreadable pictures, or a split without any.
    """
    rows = [(split, row) for split, names in where.items() for row in range(len(names))]
    order = {where[split][row]: number for number, (split, row) in enumerate(rows)}
    maps, states = _resume(work, _fingerprint(archive, where, size, crop), where, size)
    left = [name for name, number in order.items() if states[number] == TO_DO]
    allowed = max(ALWAYS_FORGIVEN, int(MAX_UNREADABLE * len(rows)))

    def decode_chunk(chunk: list[tuple[str, bytes]]) -> list[tuple[int, int]]:
        ended = []
        for name, content in chunk:
            number = order[name]
            split, row = rows[number]
            picture, found = _picture(content, size, crop)
            if picture is not None:
                maps[split][row] = picture
            fits = expected is None or found == expected
            state = UNREADABLE if picture is None else DONE if fits else OTHER_SIZE
            ended.append((number, state))
        return ended

    unsaved: list[tuple[int, int]] = []
    with _progress(len(rows), len(rows) - len(left)) as progress:
        try:
            for ended in _in_threads(decode_chunk, archive.each(left), workers):
                unsaved += ended
                progress.advance(len(ended))
                if len(unsaved) >= SAVED_EVERY:
                    _save(maps, states, unsaved)
                    _stop_if_too_many(states, allowed, order, archive)
        finally:
            _save(maps, states, unsaved)
    _stop_if_too_many(states, allowed, order, archive)
    return _collect(maps, states, where, work)


def named(names: Sequence[str]) -> str:
    """The first few of many names."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _picture(content: bytes, size: int, crop: int) -> tuple[Array | None, tuple[int, int]]:
    """[3, size, size] uint8, or None where it cannot be read; and its original size."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            side = min(width, height, crop)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            # Pillow's bilinear filter averages where it shrinks: no aliasing.
            scaled = opened.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box)
            return np.asarray(scaled).transpose(2, 0, 1), (width, height)
    except BROKEN:
        return None, (0, 0)


Chunk = list[tuple[str, bytes]]
Ended = list[tuple[int, int]]


def _in_threads(
    decode_chunk: Callable[[Chunk], Ended],
    pictures: Iterator[tuple[str, bytes]],
    workers: int | None,
) -> Iterator[Ended]:
    """Reading goes on in this thread while others decode; only a few chunks are in memory."""
    workers = workers or _cores()
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Ended]] = deque()
        try:
            while chunk := list(islice(pictures, CHUNK)):
                waiting.append(pool.submit(decode_chunk, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _resume(work: Path, fingerprint: str, where: Where, size: int) -> tuple[dict[str, Any], Any]:
    """Memory maps and the state of every picture, as they were left if the work is the same."""
    shapes = {split: (len(names), 3, size, size) for split, names in where.items()}
    if empty := [split for split, shape in shapes.items() if not shape[0]]:
        raise DataError(f"There are no pictures for {' and '.join(empty)}. Fetch them again.")
    total = sum(shape[0] for shape in shapes.values())
    files = {name: work / f"{name}.npy" for name in (*shapes, "states")}
    about = work / "about.txt"
    same = all(file.exists() for file in (about, *files.values()))
    same = same and about.read_text("utf-8") == fingerprint
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _require_space(work, total * 3 * size**2)
    mode: Any = "r+" if same else "w+"
    open_map = np.lib.format.open_memmap
    maps = {split: open_map(files[split], mode, np.uint8, shapes[split]) for split in shapes}
    states = open_map(files["states"], mode, np.uint8, (total,))
    if not same:  # last, so that half-made maps are not taken for whole ones
        about.write_text(fingerprint, "utf-8")
    return maps, states


def _require_space(folder: Path, needed: int) -> None:
    """A memory map on a disk that fills up ends the process without a word."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the decoded pictures need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are "
            "free. Choose a smaller size, or another folder with --data."
        )


def _fingerprint(archive: Archive, where: Where, size: int, crop: int) -> str:
    about = [*archive.stamp(), size, crop, PIL.__version__]
    return hashlib.sha256(json.dumps([about, {**where}]).encode()).hexdigest()


def _save(maps: Mapping[str, Any], states: Any, unsaved: list[tuple[int, int]]) -> None:
    """Pictures first, then that they are done: the other way round could lie after a crash."""
    for pixels in maps.values():
        pixels.flush()
    for number, state in unsaved:
        states[number] = state
    states.flush()
    unsaved.clear()


def _stop_if_too_many(states: Array, allowed: int, order: Iterable[str], archive: Archive) -> None:
    bad = np.flatnonzero(states == UNREADABLE)
    if len(bad) > allowed:
        names = list(order)
        raise DataError(
            f"{archive.path}: {len(bad):,} pictures cannot be read, more than the {allowed:,} that "
            f"are tolerated: {named([names[i] for i in bad.tolist()])}. Fetch the archive again."
        )


def _collect(maps: Mapping[str, Any], states: Array, where: Where, work: Path) -> Decoded:
    """The maps without the rows of unreadable pictures."""
    kept, x, unreadable, start = {}, {}, [], 0
    for split, names in where.items():
        kept[split] = states[start : start + len(names)] != UNREADABLE
        start += len(names)
        x[split] = maps[split]
        unreadable += [names[i] for i in np.flatnonzero(~kept[split]).tolist()]
        if not kept[split].all():
            x[split] = _without(maps[split], kept[split], work / f"{split}.kept.npy")
    return Decoded(x, kept, unreadable, int((states == OTHER_SIZE).sum()))


def _without(pixels: Array, kept: Array, path: Path) -> Array:
    """A copy of some rows. The original stays until all is written: a restart needs it."""
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise DataError("None of the pictures of a split can be read. Fetch the archive again.")
    copy = np.lib.format.open_memmap(path, "w+", np.uint8, (len(rows), *pixels.shape[1:]))
    for start in range(0, len(rows), SAVED_EVERY):
        some = rows[start : start + SAVED_EVERY]
        copy[start : start + len(some)] = pixels[some]
    return copy


class _Advances(Protocol):
    def advance(self, number: int) -> None: ...


class _Bar:
    """A progress bar on a terminal."""

    def __init__(self, bar: Progress, total: int, done: int) -> None:
        self.bar = bar
        self.task = bar.add_task("decoding pictures", total=total, completed=done)

    def advance(self, number: int) -> None:
        self.bar.advance(self.task, number)


class _Lines:
    """A line now and then where nobody watches."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done, self.told = total, done, time.monotonic()

    def advance(self, number: int) -> None:
        self.done += number
        if time.monotonic() - self.told > LINE_EVERY:
            self.told = time.monotonic()
            sys.stderr.write(f"decoding pictures: {self.done:,} of {self.total:,}\n")
            sys.stderr.flush()


@contextmanager
def _progress(total: int, done: int) -> Iterator[_Advances]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(total, done)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield _Bar(bar, total, done)
