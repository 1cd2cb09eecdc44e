"""`bench data` for sets of pictures: variants, options, and files that only a person fetches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import main
from bench.data.dataset import Library
from tests.data.picture_examples import write_celeba, write_utkface

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Runs `bench data` in an empty folder; gives exit code, words printed, and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", "data", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0, " ".join(printed.out.split()), printed.err

    return run


def test_each_size_is_prepared_and_listed(bench: Bench) -> None:
    write_celeba(Library(Path("data")))
    code, words, _ = bench("prepare", "celeba", "--option", "size=16")
    assert code == 0
    assert words.startswith("celeba: train 24, validation 12, test 12; hash ")
    assert "the central square of 178 pixels is used, scaled to 16." in words
    assert "Raw files are not the official ones: img_align_celeba.zip, list_attr_" in words
    assert bench("prepare", "celeba", "--option", "size=8")[0] == 0
    assert "prepared 16px, 8px" in bench("list")[1]


def test_a_wrong_option_is_one_line(bench: Bench) -> None:
    code, words, errors = bench("prepare", "celeba", "--option", "sizes=16")
    assert code == 2
    assert words == ""
    assert errors.startswith('bench: --option: unknown option "sizes". Did you mean "size"?')


def test_files_that_only_a_person_fetches_are_explained(bench: Bench) -> None:
    for command in ("get", "prepare"):
        code, words, errors = bench(command, "celeba")
        assert code == 2
        assert words == ""
        assert errors.startswith("bench: celeba: CelebA is for non-commercial research only")
        assert "into data/raw/celeba, or into $BENCH_MIRROR/celeba" in errors
        assert "Traceback" not in errors
    assert bench("get", "celeba", "--accept-licence")[0] == 2
    write_celeba(Library(Path("data")))
    assert bench("get", "celeba")[1] == "celeba: nothing to fetch, it is already here."


def test_check_says_what_cannot_be_compared(bench: Bench) -> None:
    write_utkface(Library(Path("data")))
    code, words, _ = bench("check", "utkface")
    assert code == 0
    assert words.endswith("cannot be compared: no checksum is published")
    write_celeba(Library(Path("data")))
    assert bench("check", "celeba")[1].count("NOT the official file") == 3
