"""Raw files that are damaged or hostile: tables, archives, pictures, sounds, weights."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from bench.data.dataset import Library
from bench.models.weights import read_state
from tests.data.picture_examples import (
    jpeg,
    tarred,
    utkface_pictures,
    write_celeba,
    write_mnist,
    write_utkface,
    zipped,
)
from tests.data.raw_examples import adult_train, write_adult, write_meps
from tests.data.sound_examples import fsdd_files, tone, wav, write_fsdd
from tests.data.traffic_examples import write_nsl_kdd
from tests.fuzz.damage import damaged
from tests.fuzz.trying import attempt, bench, inputs, workplace

CELLS = [
    b",", b'"', b"\n", b"\r", b"nan", b"inf", b"1e999", b"-1", b"?", b"\0", b"\xff", b"9" * 400,
    b"'", b";", b"\xef\xbb\xbf", b"0x10", b"1_000",
]  # fmt: skip
FACE = "UTKFace/10_0_0_20170101010000000.jpg.chip.jpg"


def prepared(name: str, write: Callable[[Library], bool], *options: str) -> None:
    """Prepare a data set from the files that `write` leaves; True says that they are as they were.

    Either all of it is there afterwards, or nothing.
    """
    with workplace():
        library = Library(Path("data"))
        sound = write(library)
        raw = {path: path.stat().st_size for path in Path("data/raw").rglob("*") if path.is_file()}
        code = bench("data", "prepare", name, *options)
        arrays = list(Path("data/prepared").rglob("*.npy"))
        assert bool(arrays) == (code == 0)
        assert code == 0 or not sound
        if arrays:
            assert bench("data", "check", name) == 0
        assert (
            raw.items()
            <= {
                path: path.stat().st_size for path in Path("data/raw").rglob("*") if path.is_file()
            }.items()
        )


def one_damaged(data: st.DataObject, folder: Path, pattern: str, words: Sequence[bytes]) -> bool:
    """Damage one of these files; whether it is as it was."""
    path = data.draw(st.sampled_from(sorted(folder.glob(pattern))))
    whole = path.read_bytes()
    path.write_bytes(data.draw(damaged(whole, words)))
    return path.read_bytes() == whole


@cache
def faces(pack: str) -> bytes:
    """Pictures in an archive of this kind."""
    return zipped(utkface_pictures()) if pack == "zip" else tarred(utkface_pictures(), pack)


def png(mode: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40), 90, np.uint8)).convert(mode).save(file, "PNG")
    return file.getvalue()


@given(damaged("\n".join(adult_train()).encode(), CELLS), st.booleans())
@inputs(20)
def test_a_table_of_adult(content: bytes, of_test: bool) -> None:
    def write(library: Library) -> bool:
        folder = write_adult(library)
        path = folder / ("adult.test" if of_test else "adult.data")
        whole = path.read_bytes()
        path.write_bytes(content)
        return whole == content

    prepared("adult", write)


@given(st.data())
@inputs(12)
def test_a_table_with_a_header(data: st.DataObject) -> None:
    prepared("meps", lambda library: one_damaged(data, write_meps(library), "*.csv", CELLS))


@given(st.data())
@inputs(12)
def test_a_table_of_traffic(data: st.DataObject) -> None:
    prepared("nsl_kdd", lambda library: one_damaged(data, write_nsl_kdd(library), "KDD*", CELLS))


@given(st.data())
@inputs(20)
def test_an_archive(data: st.DataObject) -> None:
    pack = data.draw(st.sampled_from(["w", "w:gz", "w:bz2", "w:xz", "zip"]))
    name, whole = "UTKFace.zip" if pack == "zip" else "UTKFace.tar.gz", faces(pack)
    words = [b"../", b"/", b"\0", b"PK\1\2", b"PK\5\6", b"UTKFace/", b"\x1f\x8b"]
    content = data.draw(damaged(whole, words))

    def write(library: Library) -> bool:
        folder = library.folder / "raw" / "utkface"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        return content == whole

    prepared("utkface", write, "--option", "size=32")


@given(
    st.sampled_from([png("RGB"), png("L"), png("P"), png("I;16"), jpeg(60, 60, 90)]).flatmap(
        lambda content: damaged(content, [b"IHDR", b"IDAT", b"IEND", b"\xff\xd8", b"\xff\xc0"])
    )
)
@inputs(20)
def test_a_picture(content: bytes) -> None:
    def write(library: Library) -> bool:
        write_utkface(library, {FACE: content})
        return True  # what is no picture is left out, and said

    prepared("utkface", write, "--option", "size=32")


@given(damaged(wav(tone(500, 8_000, 800), 8_000), [b"RIFF", b"data", b"fmt ", b"WAVE", b"LIST"]))
@inputs(8)
def test_a_sound(content: bytes) -> None:
    name = next(iter(fsdd_files()))

    def write(library: Library) -> bool:
        write_fsdd(library, {name: content})
        return content == wav(tone(500, 8_000, 800), 8_000)

    prepared("fsdd", write)


@given(st.data())
@inputs(12)
def test_digits_in_idx_files(data: st.DataObject) -> None:
    magic = [b"\0\0\x08\x03", b"\0\0\x08\x01", b"\0\0\x0d\x03", b"\x1f\x8b\x08"]
    prepared("mnist", lambda library: one_damaged(data, write_mnist(library), "*ubyte*", magic))


@given(st.data())
@inputs(12)
def test_lists_beside_an_archive(data: st.DataObject) -> None:
    words = [*CELLS, b"2", b" ", b".jpg"]
    prepared(
        "celeba",
        lambda library: one_damaged(data, write_celeba(library), "list_*", words),
        "--option",
        "size=32",
    )


@given(st.data())
@inputs(60)
def test_weights(data: st.DataObject) -> None:
    state = {"a.weight": torch.zeros(4, 3), "a.bias": torch.ones(4, dtype=torch.float16)}
    suffix = data.draw(st.sampled_from([".safetensors", ".pth"]))
    file = io.BytesIO()
    torch.save(state, file)
    content = save(state) if suffix == ".safetensors" else file.getvalue()
    words = [
        b'"dtype":"F64"',
        b'"shape":[999999999,999999999]',
        b"posix\nsystem\n",
        b"cos\n",
        b"PK",
    ]
    with workplace() as folder:
        path = folder / f"weights{suffix}"
        path.write_bytes(data.draw(damaged(content, words)))
        attempt(lambda: read_state(path))
