"""Where files of weights are looked for, how they are fetched, and what is said of them."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.cli import main
from bench.errors import DataError, UsageError
from bench.models import pretrained
from bench.models.pretrained import WeightsFolder
from bench.perception.distances import NAMES, files_of

CONTENT = b"weights"


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server on this machine that answers with CONTENT."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/weights"
    server.shutdown()
    server.server_close()
    thread.join()


def served(monkeypatch: pytest.MonkeyPatch, name: str, address: str, content: bytes) -> None:
    """Let a file of weights come from the server and have the checksum of `content`."""
    file = replace(pretrained.FILES[name], url=address, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(pretrained.FILES, name, file)


def test_every_file_has_an_address_and_an_official_checksum() -> None:
    for file in pretrained.FILES.values():
        assert file.url is not None
        assert file.url.startswith("https://")
        assert file.sha256 is not None
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        # torchvision writes the beginning of the checksum into the name.
        if named := re.search(r"-([0-9a-f]{8})\.pth", file.name):
            assert file.sha256.startswith(named[1])
    assert {file for name in NAMES for file in files_of(name)} <= pretrained.FILES.keys()


def test_the_mirror_comes_first_then_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, data = tmp_path / "mirror" / "weights", tmp_path / "data" / "raw" / "weights"
    for room in (mirror, data):
        room.mkdir(parents=True)
        (room / "dists_weights.pt").write_bytes(CONTENT)
    weights = WeightsFolder(tmp_path / "data")
    assert weights.find("dists", "DISTS") == data / "dists_weights.pt"
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))
    assert weights.find("dists", "DISTS") == mirror / "dists_weights.pt"
    assert WeightsFolder().find("dists", "DISTS") == mirror / "dists_weights.pt"


def test_without_a_folder_and_a_mirror_every_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the working folder nor $BENCH_DATA is looked into behind the caller's back."""
    room = tmp_path / "data" / "raw" / "weights"
    room.mkdir(parents=True)
    (room / "dists_weights.pt").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    assert WeightsFolder().missing(pretrained.FILES) == tuple(pretrained.FILES)
    assert WeightsFolder(Path("data")).present(pretrained.FILES) == (
        Path("data/raw/weights/dists_weights.pt"),
    )


def test_the_same_network_may_lie_there_as_safetensors(tmp_path: Path) -> None:
    room = tmp_path / "raw" / "weights"
    room.mkdir(parents=True)
    (room / "squeezenet1_1_imagenet.safetensors").write_bytes(CONTENT)
    weights = WeightsFolder(tmp_path)
    assert weights.find("squeezenet1_1", "LPIPS").name == "squeezenet1_1_imagenet.safetensors"
    described = weights.described(("squeezenet1_1", "vgg16"))
    assert described == "squeezenet1_1-b8a52dc0.pth: NOT the official file"


def test_a_file_is_fetched_once_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served(monkeypatch, "dists", address, CONTENT)
    weights = WeightsFolder(tmp_path)
    assert weights.get("dists") == [tmp_path / "raw" / "weights" / "dists_weights.pt"]
    assert weights.get("dists") == []
    assert weights.described(("dists",)) == "dists_weights.pt: official"


def test_a_file_with_another_checksum_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served(monkeypatch, "dists", address, b"something else")
    with pytest.raises(DataError, match=r"could not fetch dists_weights\.pt"):
        WeightsFolder(tmp_path).get("dists")
    assert not list(tmp_path.rglob("dists_weights.pt"))


def test_pieapp_wants_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served(monkeypatch, "pieapp", address, CONTENT)
    with pytest.raises(UsageError, match=r"non-commercial use only.*--accept-licence"):
        WeightsFolder(tmp_path).get("pieapp")
    assert len(WeightsFolder(tmp_path).get("pieapp", accept_licence=True)) == 1
    assert WeightsFolder(tmp_path).get("pieapp") == []  # here already: nothing to ask


def test_the_command_line_lists_fetches_and_explains(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
) -> None:
    served(monkeypatch, "lpips_alex", address, CONTENT)
    monkeypatch.setenv("COLUMNS", "300")

    def bench(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", "data", *arguments, "--data", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out.strip(), printed.err

    code, _, errors = bench("get", "weights/vgg")
    assert code == 2
    assert 'unknown weights "vgg". Did you mean "vgg16"?' in errors
    code, printed, errors = bench("get", "weights/lpips_alex")
    assert code == 0
    assert printed.endswith("raw/weights/lpips_v0.1_alex.pth")
    assert "\n" not in printed
    assert errors.startswith(f"Downloading data from '{address}'")
    code, printed, errors = bench("get", "weights/lpips_alex")
    assert (code, errors) == (0, "")
    assert "already here" in printed
    _, printed, _ = bench("list")
    assert "weights/lpips_alex" in printed
    assert "weights/pieapp" in printed


def test_a_download_speaks_to_the_error_stream_of_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    served(monkeypatch, "dists", address, CONTENT)
    streams = [io.StringIO(), io.StringIO()]
    for number, stream in enumerate(streams):
        monkeypatch.setattr(sys, "stderr", stream)
        WeightsFolder(tmp_path / str(number)).get("dists")
    assert [stream.getvalue().count("Downloading data") for stream in streams] == [1, 1]
