"""Archives and pictures that are damaged, hostile or enormous are refused by name, in one line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from bench.cli import main
from bench.data import unpacking
from bench.data.archives import open_archive
from bench.data.dataset import Library
from bench.data.unpacking import gunzipped
from bench.errors import DataError
from tests.data.picture_examples import (
    jpeg,
    mnist_files,
    tarred,
    utkface_pictures,
    write_celeba,
    zipped,
)

GIGABYTE = 2**30
MEBIBYTE = bytes(2**20)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE, preset=0),
}
Prepare = Callable[..., tuple[int, str]]


@pytest.fixture
def prepare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prepare:
    """Prepares a data set in an empty folder; gives the exit code and what stands on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_MIRROR", raising=False)

    def run(name: str, *options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", "data", "prepare", name, *options])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def raw_folder(name: str) -> Path:
    folder = Path("data/raw") / name
    folder.mkdir(parents=True)
    return folder


def tar_bomb(kind: str, size: int) -> bytes:
    """A packed tar archive of one file of zeros; all packers let one stream follow another."""
    header = tarfile.TarInfo("UTKFace/1_0_0_20170101.jpg.chip.jpg")
    header.size = size
    return PACK[kind](header.tobuf()) + PACK[kind](MEBIBYTE) * (size // 2**20)


def zip_bomb(path: Path, size: int, told: int | None = None) -> None:
    """A zip archive of one file of zeros, whose lists tell another size where `told` is given."""
    name = b"UTKFace/1_0_0_20170101.jpg.chip.jpg"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(MEBIBYTE)
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(MEBIBYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = block * (size // 2**20) + packer.flush()
    both = struct.pack("<HHHHH3I2H", 20, 0, 8, 0, 0, 0, len(packed), told or size, len(name), 0)
    local = b"PK\3\4" + both + name
    entry = b"PK\1\2" + struct.pack("<H", 20) + both + struct.pack("<3H2I", 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local + packed), 0)
    path.write_bytes(local + packed + entry + end)


def everything(path: Path) -> dict[str, bytes]:
    archive = open_archive(path)
    return dict(archive.each(archive.names))


def assert_refused(found: tuple[int, str], *words: str) -> None:
    code, errors = found
    assert code == 2, errors
    assert errors.startswith("bench: ")
    assert errors.count("\n") == 1
    for word in words:
        assert word in errors


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_tar_bomb_is_refused_soon(prepare: Prepare, kind: str) -> None:
    path = raw_folder("utkface") / "UTKFace.tar.gz"
    path.write_bytes(tar_bomb(kind, 2 * GIGABYTE))
    assert path.stat().st_size < 2**22
    start = time.monotonic()
    assert_refused(prepare("utkface"), str(path), "may be an archive bomb", "unpack it by hand")
    assert time.monotonic() - start < 20


def test_a_zip_bomb_is_refused_by_its_list(prepare: Prepare) -> None:
    path = raw_folder("utkface") / "UTKFace.zip"
    zip_bomb(path, 2 * GIGABYTE)
    assert path.stat().st_size < 2**22
    assert_refused(prepare("utkface"), str(path), "may be an archive bomb")


def test_a_zip_that_lies_about_its_sizes_unpacks_to_no_more_than_it_tells(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    zip_bomb(path, 2 * GIGABYTE, told=1000)
    archive = open_archive(path)
    assert list(archive.each(archive.names)) == [(archive.names[0], b"")]


def test_overlapping_files_of_a_zip_count_each(tmp_path: Path) -> None:
    """As in the bombs that name the same packed bytes many thousand times."""
    path = tmp_path / "x.zip"
    content = zipped({"a": b"a" * 2**20})
    at = content.index(b"PK\1\2")
    entry, count = content[at : content.index(b"PK\5\6")], 2000
    lists = b"".join(entry[:-1] + b"%04d" % i for i in range(count))
    lists = lists.replace(entry[:46], entry[:28] + struct.pack("<H", 4) + entry[30:46])
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(lists), at, 0)
    path.write_bytes(content[:at] + lists + end)
    with pytest.raises(DataError, match=r"x\.zip: unpacks to more than"):
        open_archive(path)


def test_an_archive_in_an_archive_stays_packed(tmp_path: Path) -> None:
    inner = tar_bomb("gz", 2 * GIGABYTE)
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({"inner.tar.gz": inner}))
    archive = open_archive(path)
    assert dict(archive.each(archive.names)) == {"inner.tar.gz": inner}


def test_a_table_that_unpacks_without_end_is_refused(prepare: Prepare) -> None:
    path = raw_folder("adult") / "adult.zip"
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with packed as archive:
        for name in ("adult.data", "adult.test"):
            with archive.open(name, "w") as member:
                for _ in range(300):
                    member.write(MEBIBYTE)
    assert_refused(prepare("adult"), str(path), "adult.data", "may be an archive bomb")


def test_packed_digits_that_unpack_without_end_are_refused(prepare: Prepare) -> None:
    folder = raw_folder("mnist")
    for name, content in mnist_files().items():
        (folder / name).write_bytes(content)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(MEBIBYTE) * 2048)
    assert_refused(prepare("mnist"), "train-images-idx3-ubyte.gz", "has more than")


def test_idx_files_that_announce_more_than_they_hold_are_refused(prepare: Prepare) -> None:
    folder = raw_folder("mnist")
    for name, content in mnist_files().items():
        (folder / name).write_bytes(content)
    hostile = struct.pack(">4i", 2051, 2**31 - 1, 2**31 - 1, 2**31 - 1) + b"x"
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(hostile))
    assert_refused(prepare("mnist"), "train-images-idx3-ubyte")


MEMORY = """
import resource, sys
from pathlib import Path
from bench.data.archives import open_archive
from bench.data.unpacking import gunzipped
from bench.errors import DataError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for name in sys.argv[1:]:
    try:
        archive = open_archive(Path(name))
        list(archive.each(archive.names))
    except DataError as error:
        print(error)
print(peak() - before)
"""


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    """Also where one read of a packed stream becomes gigabytes, and a file has as many headers."""
    paths = [tmp_path / f"{kind}.tar" for kind in ("gz", "bz2", "xz")]
    for path in paths:
        path.write_bytes(tar_bomb(path.stem, 2 * GIGABYTE))
    long_name = tarfile.TarInfo("x")
    long_name.size, long_name.type = 2**40, tarfile.GNUTYPE_LONGNAME
    paths.append(tmp_path / "name.tar")
    paths[-1].write_bytes(long_name.tobuf())
    for told in (None, 1000):
        paths.append(tmp_path / f"{told}.zip")
        zip_bomb(paths[-1], 2 * GIGABYTE, told)
    command = [sys.executable, "-c", dedent(MEMORY), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    *errors, kilobytes = done.stdout.splitlines()
    assert [error.split(": ")[0] for error in errors] == [str(path) for path in paths[:-1]]
    assert int(kilobytes) < 200 * 1024


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_no_archive_may_hold_more_files_than_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"x.{kind}"
    make = zipped if kind == "zip" else tarred
    path.write_bytes(make({f"{'long' * 20}{i}": b"" for i in range(12_000)}))
    assert len(open_archive(path).names) == 12_000
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 11_000)
    with pytest.raises(DataError, match=rf"x\.{kind}: holds more than 11,000 files"):
        open_archive(path)


def test_a_list_that_is_longer_than_any_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({f"{i}": b"" for i in range(100)}))
    monkeypatch.setattr(unpacking, "LARGEST_DIRECTORY", 1000)
    with pytest.raises(DataError, match="holds more than"):
        open_archive(path)


def test_a_file_that_is_too_large_is_named(tmp_path: Path) -> None:
    files = {"small": b"x", "large": b"y" * 5000}
    (tmp_path / "x.zip").write_bytes(zipped(files))
    (tmp_path / "x.tar").write_bytes(tarred(files, "w"))
    (tmp_path / "x").mkdir()
    for name, content in files.items():
        (tmp_path / "x" / name).write_bytes(content)
    for name in ("x.zip", "x.tar", "x"):
        with pytest.raises(DataError, match=rf"{name}.*large.* more than (the )?4,000"):
            list(open_archive(tmp_path / name).each(["small", "large"], 4000))


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("damage", ["cut", "flipped", "cut at once", "no tar"])
def test_damage_is_one_line_that_names_the_archive(tmp_path: Path, kind: str, damage: str) -> None:
    inside = tarred({f"{i}.jpg": jpeg(40, 60, i) for i in range(30)}, "w")
    content = PACK[kind](inside)
    middle = len(content) // 2
    made = {
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([255 - content[middle]]) * 9 + content[middle + 9 :],
        "cut at once": content[:7],
        "no tar": PACK[kind](b"<html>Quota exceeded</html>" * 40),
    }
    path = tmp_path / "x.tar.gz"
    path.write_bytes(made[damage])
    with pytest.raises(DataError, match=r"x\.tar\.gz: ") as error:
        everything(path)
    assert "\n" not in str(error.value)
    path.write_bytes(content)
    assert len(open_archive(path).names) == 30


def test_flipped_bits_anywhere_are_a_data_error_or_one_damaged_file(tmp_path: Path) -> None:
    files = {f"{i}.jpg": jpeg(20, 20, i)[:200] for i in range(3)}
    originals = {"x.zip": zipped(files), "x.tar": tarred(files, "w")}
    originals |= {f"x.tar.{kind}": PACK[kind](originals["x.tar"]) for kind in PACK}
    for name, original in originals.items():
        path = tmp_path / name
        for at in range(0, len(original), max(1, len(original) // 150)):
            changed = bytearray(original)
            changed[at] ^= 0xFF
            path.write_bytes(changed)
            told = ""
            try:
                everything(path)
            except DataError as error:
                told = str(error)
            assert not told or str(path) in told
            assert "\n" not in told


def test_an_encrypted_zip_is_named(prepare: Prepare) -> None:
    path = raw_folder("adult") / "adult.zip"
    content = bytearray(zipped({"adult.data": b"1, 2", "adult.test": b"1, 2"}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 1)
    path.write_bytes(content)
    assert_refused(prepare("adult"), str(path), "adult.data", "encrypted")


def test_a_header_that_leads_backwards_ends(tmp_path: Path) -> None:
    """A size below zero: Python's tarfile alone would read the same header again and again."""
    header = bytearray(tarfile.TarInfo("a").tobuf())
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -512)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    path = tmp_path / "x.tar"
    path.write_bytes(tarfile.TarInfo("first").tobuf() + header + bytes(1024))
    with pytest.raises(DataError, match=r"x\.tar: .*a header leads backwards"):
        open_archive(path)


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A picture whose header announces this size, whatever it holds."""

    def chunk(kind: bytes, inside: bytes) -> bytes:
        check = zlib.crc32(kind + inside)
        return struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", content), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("width", "height"), [(12_000, 9_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_picture_of_too_many_pixels_is_named(prepare: Prepare, width: int, height: int) -> None:
    folder = raw_folder("utkface")
    packed = zlib.compress(bytes(2**24), 9) if width == 12_000 else b""
    names = dict(utkface_pictures())
    first = next(iter(names))
    names[first] = png(width, height, packed)
    path = folder / "UTKFace.tar.gz"
    path.write_bytes(tarred(names))
    found = prepare("utkface", "--option", "size=16")
    assert_refused(found, str(path), first, "more than the 67,108,864 that are decoded")
    assert not list(Path("data/prepared").rglob("*.npy"))


def test_hostile_chunks_of_a_picture_leave_it_unreadable(prepare: Prepare) -> None:
    """Text that unpacks to gigabytes, sizes of 0, a header alone: Pillow's errors of all kinds."""
    text = b"x\0\0" + zlib.compress(bytes(2**26), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + text))
    good = png(8, 8, zlib.compress(bytes(8 * 25)))
    hostile = [png(0, 0), good[:20], good[:33] + chunk + good[33:], good[:-20], jpeg(9, 9, 1)[:9]]
    names = dict(utkface_pictures())
    for name, content in zip(list(names), hostile, strict=False):
        names[name] = content
    (raw_folder("utkface") / "UTKFace.tar.gz").write_bytes(tarred(names))
    code, errors = prepare("utkface", "--option", "size=16")
    assert code == 0
    assert "Traceback" not in errors


def test_a_picture_whose_file_is_too_large_is_named(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_celeba(Library(Path("data")))
    monkeypatch.setattr("bench.data.pictures.LARGEST_FILE", 100)
    found = prepare("celeba", "--option", "size=32")
    assert_refused(found, "img_align_celeba.zip: img_align_celeba/000001.jpg", "more than the 100")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", gzip.compress(b"x" * 99, mtime=0)[:-9], b"\x1f\x8bx"],
    ids=["empty", "only the first bytes", "cut", "unknown method"],
)
def test_damaged_gzip_is_named(content: bytes) -> None:
    if content:
        with pytest.raises(DataError, match=r"a\.gz: cannot be unpacked"):
            gunzipped(content, "a.gz")
    assert gunzipped(gzip.compress(b"whole"), "a.gz") == b"whole"
