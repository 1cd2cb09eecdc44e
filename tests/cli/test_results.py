"""`bench export`, `compare`, `merge` and `publish` as typed: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.cli import main
from bench.result import MetricInfo, Plan, Store
from tests.tracking.tracking_examples import make_plan, make_result


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    printed: str
    errors: str


Bench = Callable[..., Ended]
ODDS = MetricInfo(name="odds", title="Odds", unit="%", better="lower", definition="")


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Bench:
    """Runs `bench` in this process and an empty folder, on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capfd.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, printed.out, printed.err)

    return run


def assert_one_line(ended: Ended, told: str) -> None:
    assert (ended.code, ended.errors.count("\n")) == (2, 1)
    assert ended.errors.startswith("bench: ")
    assert told in ended.errors


def ranked(plan: Plan) -> Plan:
    track = plan.tracks[0].model_copy(update={"metrics": [ODDS], "rank_by": ["odds"]})
    return plan.model_copy(update={"tracks": [track]})


def machine(root: Path, *seeds: int, add: float = 0.0) -> None:
    """A results folder with those seeds; `add` goes onto every Odds."""
    plan = ranked(make_plan("small"))
    plan = plan.model_copy(update={"trials": [t for t in plan.trials if t.seed in seeds]})
    Store(root).write_plan(plan)
    for trial in plan.trials:
        result = make_result(plan, trial)
        odds = result.metrics["odds"] + add * (1 + 0.01 * trial.seed)
        Store(root).write(result.model_copy(update={"metrics": {"odds": odds}}))


def test_export_prints_a_table(bench: Bench) -> None:
    machine(Path("results"), 0, 1)
    ended = bench("export", "--methods", "bade", "--metrics", "odds")
    rows = list(csv.DictReader(io.StringIO(ended.printed)))
    assert [(row["seed"], float(row["value"])) for row in rows] == [("0", 0.1), ("1", 0.3)]


def test_export_writes_a_file(bench: Bench) -> None:
    machine(Path("results"), 0, 1)
    ended = bench("export", "small", "--format", "latex", "--to", "paper/table.tex")
    assert ended.code == 0
    assert "\\toprule" in Path("paper/table.tex").read_text()
    assert Path("paper/table.tex").stat().st_size == int(ended.printed.split()[1])


def test_export_prints_parquet_for_a_pipe_byte_by_byte(tmp_path: Path) -> None:
    machine(tmp_path / "results", 0)
    command = [sys.executable, "-m", "bench", "export", "--format", "parquet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert (done.stdout[:4], done.stdout[-4:]) == (b"PAR1", b"PAR1")


def test_compare_shows_what_changed_and_writes_a_page(bench: Bench) -> None:
    machine(Path("a"), 0, 1)
    machine(Path("b"), 0, 1, add=0.2)
    ended = bench("compare", "a", "b", "--to", "page.html")
    assert ended.code == 0
    (line,) = [row for row in ended.printed.splitlines() if row.startswith("sex · bade")]
    # .1 and .3 become .3 and .502: the difference is .201 ± 12.7 * .001 in points 20.10 ± 1.27
    assert "20.00 ± 127.06" in line
    assert "40.10 ± 128.33" in line
    assert "+20.10 ± 1.27" in line
    assert line.rstrip().endswith("worse")
    assert "4 values: 2 worse, 2 equal." in ended.printed
    assert "+20.10 ± 1.27" in Path("page.html").read_text()


def test_compare_lists_everything_only_when_asked(bench: Bench) -> None:
    machine(Path("a"), 0, 1)
    assert "sex · bade" not in bench("compare", "a", "a").printed
    assert bench("compare", "a", "a", "--all").printed.count("sex · bade") == 2


def test_compare_can_fail_a_build(bench: Bench) -> None:
    machine(Path("a"), 0, 1)
    machine(Path("b"), 0, 1, add=0.2)
    assert bench("compare", "a", "b", "--fail-on-worse").code == 1
    assert bench("compare", "b", "a", "--fail-on-worse").code == 0


def test_merge_says_what_it_did(bench: Bench) -> None:
    machine(Path("a"), 0)
    machine(Path("b"), 0, 1)
    ended = bench("merge", "a", "b", "--into", "all")
    assert ended.printed == "small: 4 results, 4 of them new in all, 2 equal copies.\n"
    again = bench("merge", "a", "b", "--into", "all")
    assert again.printed.startswith("small: 4 results, 0 of them new in all")


def test_merge_lists_conflicts_and_writes_nothing(bench: Bench) -> None:
    machine(Path("a"), 0)
    machine(Path("b"), 0, add=0.2)
    ended = bench("merge", "a", "b", "--into", "all")
    assert_one_line(ended, "2 conflicts, so nothing was written. --prefer newest or")
    assert "sex · bade · seed 0 (smallbad) in a and b: metrics.odds 0.1 and 0.3" in ended.printed
    assert not Path("all").exists()
    assert bench("merge", "a", "b", "--into", "all", "--prefer", "first").code == 0


def test_a_dry_merge_says_so(bench: Bench) -> None:
    machine(Path("a"), 0)
    assert "Nothing was written." in bench("merge", "a", "--into", "all", "--dry-run").printed
    assert not Path("all").exists()


def test_publish_says_what_would_change_and_does_it_when_told(bench: Bench) -> None:
    machine(Path("results"), 0)
    dry = bench("publish", "--to", "www")
    assert "new       small/index.html" in dry.printed
    assert "--yes publishes them." in dry.printed
    assert not Path("www").exists()
    assert "Published in www." in bench("publish", "--to", "www", "--yes").printed
    assert Path("www/small/index.html").is_file()
    assert bench("publish", "--to", "www").printed == "Nothing would change.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["export", "--format", "cvs"], '--format: unknown format "cvs". Did you mean "csv"?'),
        (["export", "smal"], 'unknown suite "smal". Did you mean "small"?'),
        (["export", "--out", "nowhere"], "nowhere: no results here."),
        (["export", "--to", "results/small/plan.json/x"], "cannot write here"),
        (["compare", "results", "abcd"], '"abcd" is neither a results folder nor a commit'),
        (["merge", "nowhere", "--into", "all"], "nowhere: no results here"),
        (["merge", "results", "--into", "all", "--prefer", "me"], "neither newest nor first"),
        (["publish", "--to", "results"], "holds files that bench did not publish"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    bench: Bench, arguments: list[str], told: str
) -> None:
    machine(Path("results"), 0)
    assert_one_line(bench(*arguments), told)


def test_what_a_damaged_result_stops_is_told(bench: Bench) -> None:
    machine(Path("results"), 0)
    Path("results/small/trials/smallbade0.json").write_text(json.dumps({"key": 1}))
    for command in (["export"], ["merge", "results", "--into", "all"], ["publish", "--to", "www"]):
        assert_one_line(bench(*command), "not a readable result")
