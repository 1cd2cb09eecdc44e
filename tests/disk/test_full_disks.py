"""A full or read-only disk is one line and exit code 2, and what stood there stands there still."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from bench.cli import main
from bench.data.dataset import Library, data_set
from bench.disk import files
from bench.disk.files import new_map, temporary_folder, write_named
from bench.errors import BenchError
from bench.result import write_atomically
from tests.data.picture_examples import write_celeba
from tests.runner.test_merge import machine

Bench = Callable[..., tuple[int, str]]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Runs a command in an empty folder with two machines' results; gives exit code and errors."""
    monkeypatch.chdir(tmp_path)
    machine(Path("results"), [0])
    machine(Path("other"), [1])

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB, most of which are taken."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        (folder / "taken").write_bytes(b"x" * 40 * 1024)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 16 KB, which is how a full disk looks to a user without rights."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "taken")
    }


COMMANDS = {
    "report": ("report", "--site"),
    "publish": ("publish", "--yes", "--to"),
    "merge": ("merge", "results", "other", "--into"),
    "prepare": ("data", "prepare", "digits", "--data"),
    "sweep": ("--suite", "digits", "--data"),
    "export": ("export", "--format", "json", "--to"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line(bench: Bench, disk: Path, command: str) -> None:
    target = disk / "a.json" if command == "export" else disk / "to"
    with (disk / "taken").open("ab") as taken:  # room for a page of 4 KB and no more
        taken.write(b"x" * (16 if command != "export" else 24) * 1024)
    code, errors = bench(*COMMANDS[command], str(target))
    assert code == 2
    assert errors.startswith(f"bench: {disk}")
    assert errors.endswith("cannot write here (No space left on device).\n")
    assert errors.count("\n") == 1
    assert not [path for path in disk.rglob("*") if path.suffix in (".tmp", ".npy")]


@pytest.mark.parametrize("command", ["report", "publish", "merge", "export", "prepare"])
def test_a_limit_of_files_is_one_line_too(
    bench: Bench, tmp_path: Path, command: str, small_files: None
) -> None:
    target = tmp_path / ("a.json" if command == "export" else "to")
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    code, errors = bench(*COMMANDS[command], str(target))
    assert code == 2
    assert "cannot write here (File too large)" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_disk_is_one_line(bench: Bench, disk: Path, command: str) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    target = disk / "a.json" if command == "export" else disk / "to"
    code, errors = bench(*COMMANDS[command], str(target))
    assert code == 2
    assert errors.startswith(f"bench: {disk}")
    assert errors.endswith("cannot write here (Read-only file system).\n")
    assert errors.count("\n") == 1


def test_old_pages_stay_whole_on_a_full_disk(bench: Bench, tmp_path: Path, disk: Path) -> None:
    (disk / "taken").unlink()
    subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
    site = disk / "site"
    assert bench("report", "--site", str(site))[0] == 0
    before = content(site)
    free = os.statvfs(disk)
    with (disk / "taken").open("wb") as taken:
        taken.write(b"x" * (free.f_bavail - 4) * free.f_frsize)
    machine(tmp_path / "results", [0, 1])
    code, errors = bench("report", "--site", str(site))
    assert code == 2
    assert errors.count("\n") == 1
    after = content(site)
    assert before.keys() <= after.keys()
    (disk / "taken").unlink()
    assert bench("report", "--site", str(site))[0] == 0
    new = content(site)
    assert all(text in (before.get(name), new[name]) for name, text in after.items()
               if name != ".bench-pages.json")  # fmt: skip


def test_a_full_disk_keeps_the_old_arrays(bench: Bench, disk: Path) -> None:
    (disk / "taken").unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
    assert bench("data", "prepare", "digits", "--data", str(disk))[0] == 0
    before = content(disk)
    free = os.statvfs(disk)
    with (disk / "taken").open("wb") as taken:
        taken.write(b"x" * (free.f_bavail - 20) * free.f_frsize)
    code, errors = bench("data", "prepare", "digits", "--data", str(disk))
    assert (code, errors.count("\n")) == (2, 1)
    assert content(disk) == before
    Library(disk).verify("digits")


def test_pictures_need_no_more_room_than_there_is(bench: Bench, disk: Path) -> None:
    """A memory map on a full disk would kill the process."""
    write_celeba(Library(Path("data")))
    (disk / "prepared").mkdir()
    (disk / "raw").symlink_to(Path("data/raw").absolute())
    code, errors = bench("data", "prepare", "celeba", "--option", "size=32", "--data", str(disk))
    assert (code, errors.count("\n")) == (2, 1)
    assert not list(disk.rglob("*.npy"))


def test_a_map_is_reserved_or_not_there(disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        new_map(disk / "a.npy", np.uint8, (2**20,))
    assert not (disk / "a.npy").exists()
    small = new_map(disk / "b.npy", np.uint8, (1000,))
    small[:] = 7
    assert np.load(disk / "b.npy").sum() == 7000


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_where_nothing_can_be_reserved_a_map_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "posix_fallocate", refuse)
    assert new_map(tmp_path / "a.npy", np.uint8, (3,)).tolist() == [0, 0, 0]


def test_a_file_that_the_user_named_is_the_old_or_the_new(
    tmp_path: Path, small_files: None
) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with pytest.raises(BenchError, match=r"link\.csv: cannot write here \(File too large\)"):
        write_named(tmp_path / "link.csv", b"x" * 20_000)
    assert (tmp_path / "real.csv").read_text() == "old"
    write_named(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    write_named(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.csv", "real.csv"]


def test_a_device_that_is_full_is_named(bench: Bench) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    code, errors = bench("export", "--to", "/dev/full")
    assert code == 2
    assert errors == "bench: /dev/full: cannot write here (No space left on device).\n"


def test_where_no_temporary_folder_can_be_made_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files.tempfile, "tempdir", "/nowhere")
    with pytest.raises(BenchError, match=r"^TMPDIR: cannot write here"), temporary_folder("bench-"):
        pass


def test_an_error_of_writing_names_the_file(tmp_path: Path, small_files: None) -> None:
    with pytest.raises(OSError, match="File too large") as error:
        write_atomically(tmp_path / "a.json", "x" * 20_000)
    assert error.value.filename == str(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def upstream() -> Iterator[str]:
    """The address of a server whose every file has 100 KB."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(bytes(100_000))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, args=(0.05,)).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("options", ["rw", "ro"])
def test_a_download_to_a_full_or_read_only_disk_is_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, disk: Path, upstream: str, options: str
) -> None:
    monkeypatch.delenv("BENCH_MIRROR", raising=False)
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)
    files = tuple(replace(file, url=f"{upstream}/{file.name}") for file in data_set("adult").files)
    monkeypatch.setattr(type(data_set("adult")), "files", files)
    code, errors = bench("data", "get", "adult", "--data", str(disk))
    assert code == 2
    said = "No space left on device" if options == "rw" else "Read-only file system"
    [error] = [line for line in errors.splitlines() if line.startswith("bench: ")]
    assert error.startswith(f"bench: {disk}")
    assert error.endswith(f"cannot write here ({said}).")
    assert "Traceback" not in errors
    assert not [path for path in disk.rglob("*") if path.is_file() and path.name != "taken"]


def test_answers_for_a_read_only_disk_are_refused_before_any_work(bench: Bench, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    words = ("label", "labor_people_small", "--task", "badnets", "--port", "0")
    method = "labor[clustering=kmeans,clusters_per_class=5]"
    code, errors = bench(*words, "--method", method, "--tags", str(disk / "tags.json"))
    assert code == 2
    assert errors.startswith(f"bench: {disk}")
    assert errors.count("\n") == 1
    assert not (disk / "tags.json").exists()


def test_no_room_for_temporary_files_is_told(disk: Path, tmp_path: Path) -> None:
    with suppress(OSError), (disk / "more").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(disk / "more", (disk / "more").stat().st_size - 4096)  # or it would not be used
    command = [sys.executable, "-m", "bench", "--suite", "digits", "--dry-run", "--seeds", "1"]
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(disk)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Make room" in ended.stderr
