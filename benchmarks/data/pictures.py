"""Pictures decoded once into memory maps: in parallel, resumable, naming unreadable files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import sys
import time
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import PIL
from PIL import ExifTags, Image, ImageOps
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.data.archives import Archive
from bench.data.dataset import DataSet, Options
from bench.data.prepared import Array, DecodedFiles, leaks, rows_of
from bench.data.raw import most_tolerated, named
from bench.disk.files import new_map
from bench.errors import DataError

CHUNK = 64  # pictures that a thread decodes at a time
CHUNK_BYTES = 2**25  # fewer of them where their files are large
LARGEST_FILE = 2**26  # bytes of a picture's file
MOST_PIXELS = 2**26  # of a picture: 200 MB a thread while it is decoded
SAVED_EVERY = 4096  # pictures: the most that a power cut can cost
LINE_EVERY = 15.0  # seconds between progress lines where there is no terminal
SUFFIXES = {".jpeg", ".jpg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # whatever the suffix says
NAMED_BY = {"JPEG": {".jpeg", ".jpg"}, "TIFF": {".tif", ".tiff"}}
ORIENTATION = ExifTags.Base.Orientation
GROUND = (255, 255, 255)  # what stands behind transparent pixels
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, ArithmeticError, TypeError,
    AttributeError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises for files that are damaged, cut short or not pictures."""
LARGEST = 2**30  # pixels; as the side of the central square it means the largest square
ABOUT = "about.txt"  # in the folder of an interrupted call: what its pictures are made from
TO_DO, DONE, OTHER_SIZE, UNREADABLE = 0, 1, 2, 4
DEEP, TURNED, CLEAR, FRAMES, MODE = 8, 16, 32, 64, 128
"""What was done to a picture, as bits of its state."""
TREATED = {
    DEEP: "of 16 bits a pixel are scaled to 8",
    TURNED: "are turned upright, as their EXIF orientation says",
    CLEAR: "are laid on white where they are transparent",
    FRAMES: "are animations, of which the first frame is used",
    MODE: "are grey, of a palette or of printing colours, and become RGB",
}
"""What is said of such pictures."""
FORMAT = 8  # the state's bits from here on: 1 + position in FORMATS, where the suffix says another
TREATED |= {
    (number + 1) << FORMAT: f"are {name} under another suffix, and read as such"
    for number, name in enumerate(FORMATS)
}

# Pictures beyond MOST_PIXELS are refused by name; Pillow's own warning names none.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Members = Mapping[str, Sequence[str]]
"""Split -> names of its pictures in the archive, in the order of the rows."""
Picture = tuple[str, bytes]
"""Name and content of a file."""
States = list[tuple[int, int]]
"""Numbers of pictures and their new states: UNREADABLE, or DONE with what was done to them."""


class SizeOptions(Options):
    """How large the pictures are."""

    size: int = Field(128, ge=8, le=1024)
    """Side of the pictures in pixels."""


class SizedPictures(DataSet):
    """Pictures that are scaled to squares of the option `size`; each size is a prepared copy."""

    kind = "image"
    options = SizeOptions

    def variant(self, options: Options) -> str:
        """One copy for each size ("128px")."""
        return f"{cast('SizeOptions', options).size}px"


@dataclass(frozen=True)
class Decoded(DecodedFiles):
    """Decoded pictures; each split of `x` is a memory map, [kept, 3, size, size] uint8.

    Attributes:
        unreadable: names of the pictures that were left out.
        other_size: number of pictures that did not have the expected size.
        treated: what was done to pictures -> number of them.
        leaks: notes on pictures that stand in several splits.
    """

    unreadable: list[str]
    other_size: int
    treated: dict[int, int]
    leaks: list[str]

    def notes(self, expected: tuple[int, int] | None = None) -> list[str]:
        """Notes on pictures that are left out, or not of the expected width and height."""
        notes = []
        if self.unreadable:
            notes.append(
                f"{len(self.unreadable):,} unreadable pictures are left out: "
                f"{named(self.unreadable)}."
            )
        if expected and self.other_size:
            width, height = expected
            notes.append(f"{self.other_size:,} pictures are not of {width} x {height} pixels.")
        notes += [f"{self.treated[bit]:,} pictures {TREATED[bit]}." for bit in self.treated]
        return [*notes, *self.leaks]


def decode(
    archive: Archive,
    members: Members,
    size: int,
    crop: int,
    work: Path,
    *,
    expected: tuple[int, int] | None,
    workers: int | None = None,
) -> Decoded:
    """Decode pictures into one memory map a split: the central square, scaled to `size`.

    An interrupted call is continued by a call with the same arguments.

    Args:
        archive: the pictures' files.
        members: names of the pictures of each split.
        size: side of the result in pixels.
        crop: side of the central square in pixels; of smaller pictures (with LARGEST: of all) the
            largest square is taken.
        work: folder for the memory maps and the state of each picture.
        expected: width and height of the originals; others are counted. None: any size.
        workers: number of threads; by default one a core.

    Raises:
        DataError: too many pictures cannot be read, or a split has none.
    """
    rows = rows_of(members)  # a picture is decoded once, for every row it fills
    order = {name: number for number, name in enumerate(rows)}
    maps, states = _resume(work, _fingerprint(archive, members, size, crop), members, size)
    left = [name for name, number in order.items() if states[number] == TO_DO]
    archive.use(order)
    tolerated = most_tolerated(len(rows))

    def decode_chunk(chunk: Sequence[Picture]) -> States:
        new_states = []
        for name, content in chunk:
            try:
                picture, original_size, state = _picture(name, content, size, crop)
            except TooLarge as error:
                raise DataError(f"{archive.path}: {name} {error}") from error
            if picture is not None:
                for split, row in rows[name]:
                    maps[split][row] = picture
                if expected not in (None, original_size):
                    state |= OTHER_SIZE
            new_states.append((order[name], state))
        return new_states

    unsaved: States = []
    with _progress(len(rows), len(rows) - len(left)) as advance:
        try:
            pictures = archive.each(left, LARGEST_FILE)
            for new_states in _in_threads(decode_chunk, pictures, workers):
                unsaved += new_states
                advance(len(new_states))
                if len(unsaved) >= SAVED_EVERY:
                    _save(maps, states, unsaved)
                    _stop_if_too_many(states, tolerated, order, archive)
        finally:
            _save(maps, states, unsaved)
    _stop_if_too_many(states, tolerated, order, archive)
    return _collect(maps, states, members, work)


class TooLarge(Exception):  # noqa: N818 - what the picture is
    """A picture has more pixels than may be decoded: a few kilobytes can unpack to gigabytes."""


def _picture(
    name: str, content: bytes, size: int, crop: int
) -> tuple[Array | None, tuple[int, int], int]:
    """The scaled picture, [3, size, size] uint8, or None if unreadable; size before; its state."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise TooLarge(_too_large(f"{width:,} x {height:,}"))
            upright, state = _upright(opened, PurePosixPath(name).suffix.lower())
            width, height = upright.size
            side = min(width, height, crop)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            # Pillow's bilinear filter averages where it shrinks: no aliasing.
            scaled = upright.resize((size, size), Image.Resampling.BILINEAR, box=box)
            return np.asarray(scaled).transpose(2, 0, 1), (width, height), state
    except Image.DecompressionBombError as error:
        raise TooLarge(_too_large("far too many")) from error
    except BROKEN:
        return None, (0, 0), UNREADABLE


def _upright(opened: Image.Image, suffix: str) -> tuple[Image.Image, int]:
    """The first frame as RGB of 8 bits, upright and opaque; and what was done to it.

    Raises:
        ValueError: its numbers have no known range (32 bits, or floating point).
    """
    state, kind = DONE, opened.format or ""
    if suffix not in NAMED_BY.get(kind, {f".{kind.lower()}"}):
        state |= (FORMATS.index(kind) + 1) << FORMAT
    if getattr(opened, "n_frames", 1) > 1:
        state |= FRAMES
        opened.seek(0)
    picture: Image.Image = opened
    if opened.getexif().get(ORIENTATION, 1) not in (0, 1):
        state |= TURNED
        picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I;16") or (picture.mode == "I" and kind == "PNG"):
        state |= DEEP
        levels = np.asarray(picture).astype(np.float32) / 257  # 65,535 becomes 255
        picture = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise ValueError("numbers of no known range")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if np.asarray(picture)[..., 3].min() < 255:
            state |= CLEAR
        ground = Image.new("RGBA", picture.size, GROUND)
        picture = Image.alpha_composite(ground, picture)
    elif picture.mode != "RGB":
        state |= MODE
    return picture.convert("RGB"), state


def _too_large(pixels: str) -> str:
    return (
        f"announces {pixels} pixels, more than the {MOST_PIXELS:,} that are decoded: this may be a "
        "decompression bomb. Fetch the archive again, or leave this picture out of it."
    )


def _in_threads(
    decode_chunk: Callable[[Sequence[Picture]], States],
    pictures: Iterator[Picture],
    workers: int | None,
) -> Iterator[States]:
    """Read in this thread while others decode; only a few chunks are in memory at a time."""
    workers = workers or _cores()
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[States]] = deque()
        try:
            for chunk in _chunks(pictures):
                waiting.append(pool.submit(decode_chunk, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _chunks(pictures: Iterator[Picture]) -> Iterator[list[Picture]]:
    """A few pictures at a time: CHUNK, or as many as come to CHUNK_BYTES."""
    chunk: list[Picture] = []
    size = 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture[1])
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _resume(
    work: Path, fingerprint: str, members: Members, size: int
) -> tuple[dict[str, Any], Any]:
    """Memory maps by split and the state of every picture, [pictures] uint16.

    They are those of an interrupted call where its fingerprint is the same, else new ones.
    """
    shapes = {split: (len(names), 3, size, size) for split, names in members.items()}
    if empty := [split for split, shape in shapes.items() if not shape[0]]:
        raise DataError(f"There are no pictures for {' and '.join(empty)}. Fetch them again.")
    total = sum(shape[0] for shape in shapes.values())
    different = len(rows_of(members))
    shapes_of_files: dict[str, tuple[int, ...]] = {**shapes, "states": (different,)}
    maps = _continued(work, fingerprint, shapes_of_files)
    if maps is None:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _require_space(work, total * 3 * size**2)
        try:
            maps = {
                name: new_map(
                    work / f"{name}.npy", np.uint16 if name == "states" else np.uint8, shape
                )
                for name, shape in shapes_of_files.items()
            }
            # Last, so that maps of a call that was killed above are not continued.
            (work / ABOUT).write_text(fingerprint, "utf-8")
        except OSError:  # the disk is full: what was reserved of it is given back
            shutil.rmtree(work, ignore_errors=True)
            raise
    return {split: maps[split] for split in shapes}, maps["states"]


def _continued(
    work: Path, fingerprint: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Any] | None:
    """The memory maps of an interrupted call with this fingerprint, or None."""
    try:
        if (work / ABOUT).read_bytes() != fingerprint.encode():
            return None
        maps = {name: np.lib.format.open_memmap(work / f"{name}.npy", "r+") for name in shapes}
    except (OSError, ValueError):  # missing or damaged
        return None
    same = all(maps[name].shape == shape for name, shape in shapes.items())
    return maps if same and maps["states"].dtype == np.uint16 else None


def _require_space(folder: Path, needed: int) -> None:
    """Check free space first: writing a memory map to a full disk kills the process silently."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the decoded pictures need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are "
            "free. Choose a smaller size, or another folder with --data."
        )


def _fingerprint(archive: Archive, members: Members, size: int, crop: int) -> str:
    about = [*archive.stamp(), size, crop, PIL.__version__]
    return hashlib.sha256(json.dumps([about, {**members}]).encode()).hexdigest()


def _save(maps: Mapping[str, Any], states: Any, unsaved: States) -> None:
    """Write pictures before their states, so that a crash leaves no state without its picture."""
    for pixels in maps.values():
        pixels.flush()
    for number, state in unsaved:
        states[number] = state
    states.flush()
    unsaved.clear()


def _stop_if_too_many(
    states: Array, tolerated: int, order: Iterable[str], archive: Archive
) -> None:
    unreadable = np.flatnonzero(states & UNREADABLE)
    if len(unreadable) > tolerated:
        names = list(order)
        raise DataError(
            f"{archive.path}: {len(unreadable):,} pictures cannot be read, more than the "
            f"{tolerated:,} that are tolerated: {named([names[i] for i in unreadable.tolist()])}. "
            "Fetch the archive again."
        )


def _collect(maps: Mapping[str, Any], states: Array, members: Members, work: Path) -> Decoded:
    """The maps without the rows of unreadable pictures."""
    state_of = dict(zip(rows_of(members), states.tolist(), strict=True))
    if undone := [name for name, state in state_of.items() if state == TO_DO]:
        raise DataError(f"{work}: these were not decoded: {named(undone)}. Run the command again.")
    kept, x = {}, {}
    for split, names in members.items():
        kept[split] = np.array([not state_of[name] & UNREADABLE for name in names])
        x[split] = maps[split]
        if not kept[split].all():
            x[split] = _without(maps[split], kept[split], work / f"{split}.kept.npy")
    unreadable = [name for name, state in state_of.items() if state & UNREADABLE]
    formats = (states >> FORMAT) << FORMAT
    treated = {
        what: count
        for what in TREATED
        if (count := int((formats == what if what >> FORMAT else states & what > 0).sum()))
    }
    other_size = int((states & OTHER_SIZE > 0).sum())
    return Decoded(x, kept, unreadable, other_size, treated, leaks(members, "pictures"))


def _without(pixels: Array, kept: Array, path: Path) -> Array:
    """A copy of the kept rows; the original file stays, because a restart needs it."""
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise DataError("None of the pictures of a split can be read. Fetch the archive again.")
    copy = new_map(path, np.uint8, (len(rows), *pixels.shape[1:]))
    for start in range(0, len(rows), SAVED_EVERY):
        some = rows[start : start + SAVED_EVERY]
        copy[start : start + len(some)] = pixels[some]
    return copy


class _Lines:
    """A line of progress from time to time, where there is no terminal."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done, self.last_line = total, done, time.monotonic()

    def advance(self, number: int) -> None:
        self.done += number
        if time.monotonic() - self.last_line > LINE_EVERY:
            self.last_line = time.monotonic()
            sys.stderr.write(f"decoding pictures: {self.done:,} of {self.total:,}\n")
            sys.stderr.flush()


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A function that takes the number of pictures that were decoded since its last call."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(total, done).advance
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("decoding pictures", total=total, completed=done)
        yield partial(bar.advance, task)
