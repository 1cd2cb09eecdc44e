"""Raw files: where they are looked for, and what is said when they are not as they should be."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.data.dataset import Library
from bench.data.raw import RawFile, RawFolder
from bench.errors import DataError, UsageError
from tests.data.picture_examples import zipped

CONTENT = b"a,b\n1,2\n"
SHA = hashlib.sha256(CONTENT).hexdigest()
FILE = RawFile("cells.csv", "http://127.0.0.1:9/cells.csv", SHA)


@pytest.fixture
def folder(tmp_path: Path) -> RawFolder:
    made = RawFolder("toy", (FILE,), tmp_path / "raw")
    made.downloads.mkdir(parents=True)
    return made


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], str]]:
    """Serves content over HTTP on this machine and gives its address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/cells.csv"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(content[0]) if found else 0))
            self.end_headers()
            self.wfile.write(content[0] if found else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def start(served: bytes) -> str:
        content[0] = served
        return f"http://127.0.0.1:{server.server_port}/cells.csv"

    yield start
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_mirror_comes_before_the_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, text in (("mirror/toy", "from the mirror"), ("raw/toy", "downloaded")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "cells.csv").write_text(text)
    assert RawFolder("toy", (FILE,), tmp_path / "raw").read("cells.csv") == b"downloaded"
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    assert RawFolder("toy", (FILE,), tmp_path / "raw").read("cells.csv") == b"from the mirror"


def test_downloads_fill_the_gaps_of_a_mirror(
    folder: RawFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.downloads / "cells.csv").write_bytes(CONTENT)
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    assert RawFolder("toy", (FILE,), tmp_path / "raw").missing() == []


def test_a_file_is_read_from_within_a_zip(folder: RawFolder) -> None:
    with zipfile.ZipFile(folder.downloads / "all.zip", "w") as archive:
        archive.writestr("release/other.csv", b"x")
        archive.writestr("release/cells.csv", CONTENT)
    assert folder.read("cells.csv") == CONTENT
    assert folder.where("cells.csv") == folder.downloads / "all.zip"
    assert [record.official for record in folder.records()] == [True]


def test_a_zip_that_was_cut_short_is_named(folder: RawFolder) -> None:
    archive = folder.downloads / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("cells.csv", CONTENT * 100)
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"all.zip: not a complete zip archive .* fetch it again"):
        folder.read("cells.csv")


def test_a_zip_with_a_damaged_member_names_archive_and_member(folder: RawFolder) -> None:
    archive = folder.downloads / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("cells.csv", bytes(range(256)) * 20)
    damaged = bytearray(archive.read_bytes())
    damaged[45:60] = b"\xff" * 15
    archive.write_bytes(damaged)
    with pytest.raises(DataError, match=r"all.zip: cells.csv cannot be read .* Fetch it again"):
        folder.read("cells.csv")
    with (
        pytest.raises(DataError, match=r"all.zip: cells.csv cannot be read .* Fetch it again"),
        folder.stream("cells.csv") as opened,
    ):
        opened.read()


def test_a_file_is_streamed_from_where_it_is(folder: RawFolder) -> None:
    archive = folder.downloads / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("inside/cells.csv", CONTENT)
    with folder.stream("cells.csv") as opened:
        assert opened.read(3) + opened.read() == CONTENT
    assert folder.records()[0].sha256 == SHA
    archive.unlink()
    (folder.downloads / "cells.csv").write_bytes(CONTENT)
    with folder.stream("cells.csv") as opened:
        assert opened.read() == CONTENT


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_named(folder: RawFolder, content: bytes) -> None:
    (folder.downloads / "cells.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"cells.csv is empty. Fetch it again."):
        folder.read("cells.csv")


def test_a_missing_file_says_where_it_was_looked_for_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = RawFolder("toy", (FILE,), tmp_path / "raw")
    with pytest.raises(DataError) as error:
        alone.read("cells.csv")
    assert f"cells.csv is not in {tmp_path}/raw/toy. " in str(error.value)
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DataError) as error:
        RawFolder("toy", (FILE,), tmp_path / "raw").read("cells.csv")
    both = f"cells.csv is neither in {tmp_path}/mirror/toy nor in {tmp_path}/raw/toy. "
    assert both in str(error.value)
    assert "Run `bench data get toy`, or set BENCH_MIRROR" in str(error.value)


def test_a_file_with_another_checksum_runs_but_is_not_official(folder: RawFolder) -> None:
    (folder.downloads / "cells.csv").write_bytes(CONTENT + b"3,4\n")
    [record] = folder.records()
    assert record.sha256 == hashlib.sha256(CONTENT + b"3,4\n").hexdigest()
    assert not record.official


def test_an_md5_sum_is_compared_where_upstream_has_no_better_one(tmp_path: Path) -> None:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    folder = RawFolder("toy", (RawFile("cells.csv", md5=md5),), tmp_path)
    folder.downloads.mkdir()
    (folder.downloads / "cells.csv").write_bytes(CONTENT)
    assert [(r.official, r.sha256, r.verdict) for r in folder.records()] == [
        (True, SHA, "official")
    ]
    (folder.downloads / "cells.csv").write_bytes(CONTENT + b"3,4\n")
    assert [r.verdict for r in folder.records()] == ["NOT the official file"]


def test_without_a_published_checksum_nothing_is_claimed(tmp_path: Path) -> None:
    folder = RawFolder("toy", (RawFile("cells.csv"),), tmp_path)
    folder.downloads.mkdir()
    (folder.downloads / "cells.csv").write_bytes(CONTENT)
    [record] = folder.records()
    assert not record.official
    assert record.verdict == "cannot be compared: no checksum is published"


def test_what_is_missing_is_said_beside_what_is_there(folder: RawFolder) -> None:
    (folder.downloads / "cells.csv").unlink(missing_ok=True)
    (folder.downloads / "Cells (1).csv").write_bytes(CONTENT)
    (folder.downloads / "archive").mkdir()
    with pytest.raises(DataError) as error:
        folder.read("cells.csv")
    assert str(error.value).endswith(f"{folder.downloads} holds Cells (1).csv, archive/.")


def test_a_file_in_a_folder_of_its_name_is_found(folder: RawFolder) -> None:
    (folder.downloads / "cells.csv").unlink(missing_ok=True)
    (folder.downloads / "cells.csv").mkdir()
    (folder.downloads / "cells.csv" / "cells.csv").write_bytes(CONTENT)
    assert folder.missing() == []
    assert folder.read("cells.csv") == CONTENT
    assert [record.verdict for record in folder.records()] == ["official"]


def test_an_unpacked_archive_is_not_called_another_file(tmp_path: Path) -> None:
    md5 = hashlib.md5(zipped({"faces/1.jpg": b"1"}), usedforsecurity=False).hexdigest()
    known = (RawFile("faces.zip", md5=md5, others=("faces",)),)
    folder = RawFolder("toy", known, tmp_path)
    (folder.downloads / "faces").mkdir(parents=True)
    (folder.downloads / "faces" / "1.jpg").write_bytes(b"1")
    [record] = folder.records()
    assert not record.official
    assert record.verdict.startswith("cannot be compared: it is unpacked")


def test_a_file_may_lie_here_under_another_name(tmp_path: Path) -> None:
    folder = RawFolder("toy", (RawFile("a.tar.gz", others=("a", "a-*.tar")),), tmp_path)
    (folder.downloads / "a").mkdir(parents=True)
    assert folder.where("a.tar.gz") == folder.downloads / "a"
    (folder.downloads / "a" / "1.txt").write_bytes(b"one")
    [first] = folder.records()
    (folder.downloads / "a" / "1.txt").rename(folder.downloads / "a" / "2.txt")
    assert folder.records() != [first]
    (folder.downloads / "a.tar.gz").write_bytes(b"itself")
    assert folder.where("a.tar.gz") == folder.downloads / "a.tar.gz"


def test_an_archive_within_an_archive_must_be_taken_out(tmp_path: Path) -> None:
    folder = RawFolder("toy", (RawFile("a.tar.gz"),), tmp_path)
    folder.downloads.mkdir()
    with zipfile.ZipFile(folder.downloads / "all.zip", "w") as archive:
        archive.writestr("a.tar.gz", b"packed")
    with pytest.raises(DataError, match=r"all.zip: take a.tar.gz out of it, and leave"):
        folder.archive("a.tar.gz")


def test_hashing_never_holds_a_whole_file(
    folder: RawFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.downloads / "cells.csv").write_bytes(CONTENT * 1000)
    monkeypatch.setattr("bench.data.raw.PIECE", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read as a whole"))
    [record] = folder.records()
    assert record.sha256 == hashlib.sha256(CONTENT * 1000).hexdigest()


def test_a_download_with_the_right_checksum_is_kept(
    tmp_path: Path, serve: Callable[[bytes], str]
) -> None:
    raw = RawFolder("toy", (RawFile("cells.csv", serve(CONTENT), SHA),), tmp_path / "raw")
    assert raw.download() == [tmp_path / "raw/toy/cells.csv"]
    assert raw.read("cells.csv") == CONTENT
    assert raw.download() == []


def test_a_download_with_a_wrong_checksum_is_not_kept(
    tmp_path: Path, serve: Callable[[bytes], str]
) -> None:
    address = serve(b"<html>blocked by the firewall</html>")
    raw = RawFolder("toy", (RawFile("cells.csv", address, SHA),), tmp_path / "raw")
    with pytest.raises(DataError) as error:
        raw.download()
    assert f"toy: could not fetch cells.csv from {address}" in str(error.value)
    assert "hash" in str(error.value)
    assert f"Fetch it by hand into {tmp_path}/raw/toy" in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "raw" / "toy").glob("*")) == []


def test_an_address_that_is_gone_is_one_clear_line(
    tmp_path: Path, serve: Callable[[bytes], str]
) -> None:
    gone = serve(CONTENT).replace("cells", "gone")
    raw = RawFolder("toy", (RawFile("cells.csv", gone, SHA),), tmp_path / "raw")
    with pytest.raises(DataError, match=r"could not fetch cells.csv .*404"):
        raw.download()


def test_meps_is_not_fetched_without_consent(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("meps")
    assert "AHRQ's data use agreement" in str(error.value)
    assert "bench data get meps --accept-licence" in str(error.value)
    assert f"put meps_train.csv, meps_val.csv, meps_test.csv into {library.folder}" in str(
        error.value
    )
    assert not library.folder.exists()
