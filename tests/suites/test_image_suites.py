"""The image suites of BaDe from raw files, or the embedded digits, to their pages."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from bench.cli import main
from bench.data import celeba, utkface
from bench.data.dataset import Library
from bench.result import Plan, Result, Store
from tests.data.picture_examples import (
    AGES,
    HEADER,
    MALFORMED,
    face_name,
    jpeg,
    tarred,
    utkface_pictures,
    zipped,
)
from tests.in_process import sweep_here

PEOPLE = 240
SMALLER = {"backbone": "small_cnn", "epochs": 1, "batch_size": 32}
QUICK = ("--seeds", "1", *(f"--set=training.{name}={value}" for name, value in SMALLER.items()))


class Bench:
    """The command, in this process and in a folder of its own; `printed` is what it last said."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture
        self.printed = ""
        patch.chdir(folder)

    def __call__(self, suite: str, *arguments: str) -> int:
        command = ["bench", "--suite", suite, "--no-track", "--jobs", "1", *arguments]
        self.patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main.main()
        self.printed = " ".join(self.capture.readouterr().out.split())
        return int(ended.value.code or 0)

    def plan(self, suite: str) -> Plan:
        plan = Store(self.folder / "results").read_plan(suite)
        assert plan is not None
        return plan

    def results(self, suite: str) -> list[Result]:
        keys = [trial.key for trial in self.plan(suite).trials]
        return list(Store(self.folder / "results").read_all(suite, keys))

    def page(self, suite: str) -> str:
        return (self.folder / "site" / suite / "index.html").read_text(encoding="utf-8")

    def rows(self, suite: str, name: str) -> list[dict[str, str]]:
        with (self.folder / "site" / suite / name).open(encoding="utf-8") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    sweep_here(monkeypatch)
    return Bench(tmp_path, monkeypatch, capsys)


@pytest.fixture
def mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, bytes], None]:
    """Puts a raw file where BENCH_MIRROR points."""
    monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / "mirror"))

    def put(data: str, name: str, content: bytes) -> None:
        folder = tmp_path / "mirror" / data
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return put


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes at which pictures were decoded, a call each."""
    sizes: list[int] = []
    for module in (celeba, utkface):
        original = module.decode

        def remember(archive: Any, where: Any, size: int, *rest: Any, **more: Any) -> Any:
            sizes.append(size)
            return original(archive, where, size, *rest, **more)  # noqa: B023 - one function

        monkeypatch.setattr(module, "decode", remember)
    return sizes


def celeba_raw_files() -> dict[str, bytes]:
    """The three files of a small CelebA: the attractive are bright, gray hair is a coin."""
    numbers = np.arange(PEOPLE)
    bits = np.random.default_rng(0).integers(0, 2, (PEOPLE, len(celeba.ATTRIBUTES)))
    for place, name in enumerate(("attractive", "male", "gray_hair")):
        bits[:, celeba.ATTRIBUTES.index(name)] = numbers >> place & 1
    parts = np.repeat([0, 1, 2], [160, 40, 40])
    names = [face_name(i) for i in numbers]
    signs = [" ".join(f"{sign:>2}" for sign in row) for row in 2 * bits - 1]
    faces = [jpeg(178, 218, 60 + 120 * bright) for bright in (0, 1)]
    lists = {
        "list_attr_celeba.txt": [
            str(PEOPLE),
            HEADER,
            *map(" ".join, zip(names, signs, strict=True)),
        ],
        "list_eval_partition.txt": [f"{n} {part}" for n, part in zip(names, parts, strict=True)],
    }
    pictures = {f"img_align_celeba/{name}": faces[i % 2] for i, name in enumerate(names)}
    return {
        **{name: ("\n".join(lines) + "\n").encode() for name, lines in lists.items()},
        "img_align_celeba.zip": zipped({"img_align_celeba/": b"", **pictures}),
    }


def test_celeba_goes_from_its_zip_to_the_page_and_is_decoded_once(
    bench: Bench, mirrored: Callable[[str, str, bytes], None], decoded: list[int]
) -> None:
    for name, content in celeba_raw_files().items():
        mirrored("celeba", name, content)
    two = ("--tasks", "attractive|male,gray_hair|male", "--methods", "standard,bade", *QUICK)
    assert bench("celeba", *two) == 0
    assert "celeba: 2 tasks, 2 methods, 1 seed: 0 finished, 4 to do." in bench.printed
    assert bench.printed.count("Prepared celeba-128px: 240 samples.") == 1
    assert decoded == [128]
    results = bench.results("celeba")
    assert [(r.status, r.training["backbone"]) for r in results] == [("ok", "small_cnn")] * 4
    for result in results:
        assert_whole(bench.plan("celeba"), result)
        assert result.data_hash == results[0].data_hash
        assert result.cost.peak_memory_mib
    rates = [
        float(row["value"])
        for row in bench.rows("celeba", "results.csv")
        if row["metric"] == "samples_per_second"
    ]
    assert rates == [result.cost.samples_per_second for result in results]
    assert "A subset: the list names 240 of 202,599 pictures." in bench.page("celeba")
    assert not bench.plan("celeba").tasks[0].official

    finished = [result.finished for result in results]
    assert bench("celeba", *two) == 0
    assert "celeba: 2 tasks, 2 methods, 1 seed: 4 finished, 0 to do." in bench.printed
    assert "Preparing" not in bench.printed
    assert [result.finished for result in bench.results("celeba")] == finished
    assert decoded == [128]


def test_utkface_skips_malformed_names_and_its_three_targets_share_the_pictures(
    bench: Bench, mirrored: Callable[[str, str, bytes], None], decoded: list[int]
) -> None:
    odd = {f"UTKFace/{name}": jpeg(200, 200, 9) for name in MALFORMED}
    mirrored("utkface", "UTKFace.tar.gz", tarred({**utkface_pictures(), **odd}))
    assert bench("utkface", "--methods", "standard,bade", *QUICK) == 0
    for suite in ("utkface", "bade_table_5"):
        if suite == "bade_table_5":
            assert bench(suite, *QUICK) == 0
        assert "3 pictures are skipped because their names are malformed:" in bench.page(suite)
        assert sum(bench.plan(suite).tasks[0].sizes.values()) == 60 * len(AGES)
    assert decoded == [128]

    old, table = bench.results("utkface"), bench.results("bade_table_5")
    assert [(r.method, r.status) for r in old] == [("standard", "ok"), ("bade", "ok")]
    assert [(r.task, r.method, r.status) for r in table] == [
        (f"utkface {task}|race", method, "ok")
        for task in ("age_regression", "age_30y_groups")
        for method in ("standard", "bade")
    ]
    assert bench.plan("bade_table_5").tasks[1].classes == ["0-29", "30-59", "60 or older"]
    for result in old:
        assert_whole(bench.plan("utkface"), result)
    for result in table:
        assert_whole(bench.plan("bade_table_5"), result)
    assert all(set(r.metrics) == {"mse", "mse_gap", "mse_0", "mse_1"} for r in table[:2])
    assert_figures_tell_the_results(bench, "bade_table_5")


def assert_whole(plan: Plan, result: Result) -> None:
    """Every metric of the track is there, or is said not to exist; and so is the throughput."""
    [track] = plan.tracks
    assert set(result.metrics) | set(result.undefined) >= {metric.name for metric in track.metrics}
    assert set(result.metrics) & set(result.undefined) == set()
    assert len(result.metrics) >= 4
    assert {"defined for regression", "defined for classes", "defined for two classes"} >= set(
        result.undefined.values()
    )
    assert result.cost.samples_per_second
    assert result.cost.samples_per_second > 0


def test_a_dry_run_of_celeba_lists_table_2_without_any_data(bench: Bench) -> None:
    assert bench("celeba", "--dry-run") == 0
    assert bench.printed.count(" to do ") == 210
    assert bench.printed.endswith("celeba: 6 tasks, 7 methods, 5 seeds: 0 finished, 210 to do.")
    for what in ("gray_hair|young", "undersampling · seed 4", "wavy_hair|male"):
        assert what in bench.printed
    assert list(bench.folder.iterdir()) == []


GRID = [f"bade[stage=teacher,rate_have={have},rate_not_have={have_not}]"
        for have in ("0", "0.5") for have_not in ("0", "0.5", "1")]  # fmt: skip
PAIRS = [f"digits parity|ink [{artificial}correlation={value}]"
         for value in ("0", "0.9") for artificial in ("", "artificial=True,")]  # fmt: skip
TEMPERATURES = "bade[temperature=0.5],bade[temperature=2],bade[temperature=16]"
SMALL: dict[str, tuple[int, tuple[str, ...]]] = {
    "bade_table_1_small": (4, ()),
    "bade_table_4_small": (6, ()),
    "bade_table_5_small": (8, ()),
    "bade_table_6_small": (8, ()),
    "bade_table_7_small": (4, ("--set", "training.epochs=1", "--seeds", "1")),
    "bade_fig_3_small": (8, ("--tasks", ",".join(PAIRS))),
    "bade_fig_5_small": (6, ("--methods", ",".join(GRID), "--seeds", "1")),
    "bade_fig_6_small": (6, ("--methods", TEMPERATURES)),
}
"""Trials, and what cuts a suite down to them beside two epochs and two seeds."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = Library(tmp_path_factory.mktemp("digits"))
    library.prepare("digits")
    return library.folder


@pytest.mark.parametrize("suite", SMALL)
def test_a_small_suite_of_bade_runs_and_its_page_tells_what_was_measured(
    suite: str, bench: Bench, digits: Path
) -> None:
    trials, cut = SMALL[suite]
    two = ("--set", "training.epochs=2", "--seeds", "2")
    assert bench(suite, "--data", str(digits), *two, *cut) == 0
    results = bench.results(suite)
    assert [result.status for result in results] == ["ok"] * trials
    assert {bool(result.cost.samples_per_second) for result in results} == {True}
    assert_figures_tell_the_results(bench, suite)
    assert_the_leaderboard_tells_the_results(bench, suite)


def measured(results: Sequence[Result], task: str, method: str, metric: str) -> list[float]:
    """A metric over seeds, read from the result files."""
    mine = [r for r in results if (r.task, r.method) == (task, method)]
    return [r.metrics[metric] for r in mine if metric in r.metrics]


def assert_figures_tell_the_results(bench: Bench, suite: str) -> None:
    """Every figure is on the page, and its data file holds the means of the result files."""
    page, results = bench.page(suite), bench.results(suite)
    files = sorted((bench.folder / "site" / suite).glob("figure-*.csv"))
    figures = bench.plan(suite).figures
    assert len(files) == len(figures)
    for figure, file in zip(figures, files, strict=True):
        assert f'id="{file.stem}"' in page
        assert figure.title in page
        drawn = figure.kind in ("line", "heat", "pairs")
        assert drawn == file.with_suffix(".svg").exists() == (f"{file.stem}-figure-title" in page)
        lines = [told for line in bench.rows(suite, file.name) for told in means_in(line)]
        assert {line["metric"] for line in lines} == set(figure.values)
        assert sum(int(line["seeds"]) for line in lines) > 0
        for line in lines:
            values = measured(results, line["task"], line["method"], line["metric"])
            assert int(line["seeds"]) == len(values)
            scale = 100 if line["unit"] == "%" else 1
            if not values:
                assert line["mean"] == ""
                continue
            assert float(line["mean"]) == pytest.approx(scale * fmean(values))
            if scale == 100 and not drawn:
                assert f"{100 * fmean(values):.2f}" in page


def means_in(line: dict[str, str]) -> list[dict[str, str]]:
    """The line itself, or both sides of a pair of tasks as lines of their own."""
    if "pair" not in line:
        return [line]
    name = line["pair"]
    tasks = {"no": name, "yes": name.replace("[", "[artificial=True,")}
    return [
        {**line, "task": task, **{f: line[f"artificial_{side}_{f}"] for f in ("seeds", "mean")}}
        for side, task in tasks.items()
    ]


def assert_the_leaderboard_tells_the_results(bench: Bench, suite: str) -> None:
    """Methods, tasks and the means of what ranks them are on the page."""
    page, plan, results = bench.page(suite), bench.plan(suite), bench.results(suite)
    for task in plan.tasks:
        for method in plan.methods:
            assert method.label in page
            values = measured(results, task.name, method.label, "odds")
            assert bool(values) == bool(task.classes)
            if values:
                assert f"{100 * fmean(values):.2f}" in page
    told = {
        (row["task"], row["method"], int(row["seed"]), row["metric"]): float(row["value"])
        for row in bench.rows(suite, "results.csv")
        if row["value"]
    }
    for result in results:
        for metric, value in result.metrics.items():
            assert told[result.task, result.method, result.seed, metric] == value
