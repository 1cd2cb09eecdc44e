"""What is on disk is checked: a file that is not as it was prepared is named with its remedy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.cli import main
from bench.data import prepared
from bench.data.colouring import CorrelationOptions
from bench.data.dataset import Library, remedy
from bench.disk import digests
from bench.errors import DataError
from tests.data.test_prepared import ABOUT, arrays

REMEDY = "Run `bench data prepare digits`."


@pytest.fixture
def digits(library: Library) -> Path:
    """The folder of the prepared digits."""
    library.prepare("digits")
    return library.prepared_folder("digits")


def inverted(path: Path) -> None:
    """Invert all labels of a file, as numpy would write it."""
    labels = np.load(path)
    np.save(path, labels.max() - labels)


def bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "inverted labels": ("train.digit.npy", inverted),
    "a flipped bit": ("validation.x.npy", bit),
    "cut short": ("test.x.npy", lambda path: path.write_bytes(path.read_bytes()[:-9])),
    "empty": ("test.digit.npy", lambda path: path.write_bytes(b"")),
    "missing": ("train.x.npy", Path.unlink),
    "a changed description": (
        "meta.json",
        lambda path: path.write_text(path.read_text().replace('"title": "', '"title": "My ')),
    ),
    "digests that are no JSON": ("digests.json", lambda path: path.write_text("{")),
    "digests of another form": ("digests.json", lambda path: path.write_text("[]")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_copy_is_one_line_with_the_file_and_the_remedy(
    library: Library, digits: Path, damage: str
) -> None:
    library.verify("digits")
    name, do = DAMAGES[damage]
    do(digits / name)
    with pytest.raises(DataError) as error:
        library.verify("digits")
    assert str(error.value).startswith(f"{digits / name} is ")
    assert str(error.value).endswith(f". {REMEDY}")
    assert "\n" not in str(error.value)
    library.prepare("digits")
    library.verify("digits")


def test_several_damaged_files_are_counted(library: Library, digits: Path) -> None:
    for name in ("train.x.npy", "train.digit.npy", "test.x.npy"):
        bit(digits / name)
    with pytest.raises(DataError, match=r"test\.x\.npy is not .*, and 2 more\. Run"):
        library.verify("digits")


def test_a_copy_without_digests_is_compared_with_its_hash(library: Library, digits: Path) -> None:
    before = library.meta("digits")
    (digits / "digests.json").unlink()
    library.verify("digits")
    assert library.meta("digits") == before
    inverted(digits / "train.digit.npy")
    with pytest.raises(DataError, match=r"its arrays are not those of its meta\.json"):
        library.verify("digits")
    (digits / "train.digit.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"train\.digit\.npy: cannot be read"):
        library.verify("digits")


def test_digests_do_not_change_the_hash(tmp_path: Path) -> None:
    meta = prepared.write(tmp_path / "toy", arrays(1.0), ABOUT)
    splits = {name: prepared.read_split(tmp_path / "toy", meta, name) for name in prepared.SPLITS}
    content = prepared.content_hash(splits, kind="table", revision=1, covariates={})
    assert content == meta.hash
    known = digests.read_digests(tmp_path / "toy")
    assert known is not None
    assert sorted(known) == sorted(
        ["meta.json", *(f"{s}.{a}.npy" for s in prepared.SPLITS for a in "xy")]
    )


def test_who_writes_into_its_inputs_changes_no_file(library: Library, digits: Path) -> None:
    for _ in range(2):
        train = library.splits("digits", "parity|ink", CorrelationOptions())["train"]
        tensor = torch.from_numpy(prepared.read_split(digits, _meta(library), "train").x)
        assert tensor.any()
        tensor.zero_()
        train.x[:] = 0
    library.verify("digits")


def _meta(library: Library) -> prepared.Meta:
    meta = library.meta("digits")
    assert meta
    return meta


def test_large_data_is_checked_with_a_line_of_progress(
    library: Library,
    digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    library.verify("digits")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(digests, "LARGE", 1)
    monkeypatch.setattr(digests, "LINE_EVERY", 0.0)
    library.verify("digits")
    assert capsys.readouterr().err.startswith("checking digits: 0.0 of ")


def test_the_remedy_names_the_options_of_the_copy() -> None:
    from bench.data.celeba import CelebaOptions  # noqa: PLC0415

    assert remedy("celeba") == "Run `bench data prepare celeba`."
    options = CelebaOptions(size=64)
    assert remedy("celeba", options) == "Run `bench data prepare celeba --option size=64`."


@pytest.fixture
def check(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[object, str, str]]:
    """Runs `bench data check digits`; gives exit code, output and errors."""

    def run() -> tuple[object, str, str]:
        command = ["bench", "data", "check", "digits", "--data", str(library.folder)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main.main()
        return (ended.value.code, *capsys.readouterr())

    return run


def test_check_covers_prepared_data(
    digits: Path, check: Callable[[], tuple[object, str, str]]
) -> None:
    code, said, errors = check()
    assert (code, errors) == (0, "")
    assert f"{digits}  as it was prepared" in said
    (digits / "notes.txt").write_text("mine")
    (digits / ".DS_Store").write_text("a Mac was here")
    inverted(digits / "train.digit.npy")
    code, said, errors = check()
    assert code == 2
    assert f"{digits}/train.digit.npy is not what was written" in said
    assert f"{digits}/notes.txt is not part of it" in said
    assert "DS_Store" not in said
    assert errors == f"bench: {digits} is not as it was prepared. {REMEDY}\n"


@pytest.mark.parametrize("content", [None, "", "{}", "[" * 100_000])
def test_check_names_a_description_that_cannot_be_read(
    digits: Path, check: Callable[[], tuple[object, str, str]], content: str | None
) -> None:
    (digits / "meta.json").unlink()
    if content is not None:
        (digits / "meta.json").write_text(content)
    code, said, errors = check()
    assert code == 2
    assert f"{digits}/meta.json" in said
    assert errors.count("\n") == 1
    shutil.rmtree(digits)
    assert check()[0] == 0
