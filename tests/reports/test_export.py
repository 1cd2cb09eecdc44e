"""Results as other people's tools read them: long tables, and a paper's."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import BenchError, UsageError
from bench.reports.boards.leaderboard import boards
from bench.reports.export import ExportRequest, escaped, export, tables
from tests.reports.synthetic_sweep import CENTRES, HOSTILE, RACE, SEX, TwoTasks, store_of

TRIALS = 2 * len(CENTRES) * 5
METRICS = 4 + 6
"""Four of the track, six of cost."""


def lines(root: Path, kind: str = "csv", **wanted: list[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(export(root, kind, ExportRequest(**wanted)).decode())))


def row_of(table: str, method: str) -> list[str]:
    found = re.search(rf"^ *{re.escape(method)}.* \\\\$", table, re.MULTILINE)
    assert found, table
    return [cell.strip() for cell in found.group().removesuffix("\\\\").split("&")]


def test_csv_has_every_trial_and_metric(store_root: Path) -> None:
    assert len(lines(store_root)) == TRIALS * METRICS


def test_the_same_cells_are_asked_for_by_name(store_root: Path) -> None:
    found = lines(store_root, tasks=[SEX], methods=["mfd"], metrics=["odds", "total_seconds"])
    assert [(r["seed"], r["metric"]) for r in found][:3] == [
        ("0", "odds"), ("0", "total_seconds"), ("1", "odds"),
    ]  # fmt: skip
    assert len(found) == 5 * 2
    assert float(found[0]["value"]) == 0.0148


def test_a_files_name_takes_all_its_variants_along(store_root: Path) -> None:
    assert {r["method"] for r in lines(store_root, methods=["bade"])} == {
        "bade", "bade[strength=auto]",
    }  # fmt: skip
    only = lines(store_root, methods=["bade[strength=auto]"])
    assert {r["method"] for r in only} == {"bade[strength=auto]"}


def test_json_and_parquet_say_what_csv_says(store_root: Path) -> None:
    table = pd.read_csv(io.BytesIO(export(store_root, "csv", ExportRequest())), dtype={"key": str})
    records = json.loads(export(store_root, "json", ExportRequest()))
    parquet = pd.read_parquet(io.BytesIO(export(store_root, "parquet", ExportRequest())))
    assert len(records) == len(parquet) == len(table)
    for frame in (pd.DataFrame(records), parquet):
        assert list(frame.columns) == list(table.columns)
        values = pd.to_numeric(frame["value"]).astype("float64")
        pd.testing.assert_series_equal(values, table["value"], check_dtype=False)
    assert str(parquet["value"].dtype) == "Float64"
    assert parquet["value"].isna().sum() == table["value"].isna().sum() > 0


@pytest.mark.parametrize("kind", ["csv", "json", "latex", "parquet"])
def test_equal_results_give_equal_bytes(two_tasks: TwoTasks, tmp_path: Path, kind: str) -> None:
    both = [export(store_of(tmp_path / name, *two_tasks), kind, ExportRequest()) for name in "ab"]
    assert both[0] == both[1]


def test_latex_shows_mean_and_interval_with_the_best_in_bold(store_root: Path) -> None:
    text = export(store_root, "latex", ExportRequest(tasks=[SEX])).decode()
    # Odds .0100 + (0, .001, -.001, .002, -.002): std .0015811, t(4) 2.7764: ± .0019632
    assert row_of(text, "bade &")[1] == "$\\mathbf{1.00 \\pm 0.20}$"
    assert row_of(text, "standard")[1] == "$7.00 \\pm 0.20$"
    assert "Method & Odds (\\%) $\\downarrow$ & EAcc (\\%) $\\uparrow$ \\\\" in text


def test_all_that_lead_together_are_bold(honest: TwoTasks) -> None:
    plan, results = honest
    # Pairs differ by -.001, .001, -.001, .001 and 0: their mean is 0, so nothing separates them.
    odds = {"bade": [0.010, 0.011, 0.012, 0.013, 0.014], "mfd": [0.011, 0.010, 0.013, 0.012, 0.014]}
    tied = {
        key: r.model_copy(update={"metrics": {"odds": odds[r.method][r.seed]}})
        for key, r in results.items()
        if r.method in odds and r.task == SEX
    }
    standard = {key: r for key, r in results.items() if (r.method, r.task) == ("standard", SEX)}
    text = tables([(plan, boards(plan, tied | standard))], ["odds"])
    bold = {name: "mathbf" in row_of(text, name)[1] for name in ("bade &", "mfd &", "standard &")}
    assert bold == {"bade &": True, "mfd &": True, "standard &": False}
    assert "mathbf" not in tables([(plan, boards(plan, tied))], ["odds"])  # nobody is behind


def test_a_constant_difference_separates(store_root: Path) -> None:
    wanted = ExportRequest(tasks=[SEX], methods=["undersampling", "mfd"])
    text = export(store_root, "latex", wanted).decode()
    # Odds of .0150 and .0148 with the same scatter on every seed.
    assert "mathbf" in row_of(text, "mfd")[1]
    assert "mathbf" not in row_of(text, "undersampling")[1]


def test_a_mean_over_fewer_seeds_says_so(store_root: Path) -> None:
    text = export(store_root, "latex", ExportRequest(tasks=[SEX])).decode()
    assert row_of(text, "adversarial")[0] == "adversarial$^{\\dagger}$"
    assert "adversarial: 4 of 5" in text


def test_what_the_page_warns_of_stands_in_the_caption(store_root: Path) -> None:
    assert (
        "selected on the test set"
        in export(store_root, "latex", ExportRequest(tasks=[RACE])).decode()
    )
    assert (
        "selected on the test set"
        not in export(store_root, "latex", ExportRequest(tasks=[SEX])).decode()
    )


def test_costs_and_all_metrics_can_be_columns(store_root: Path) -> None:
    text = export(store_root, "latex", ExportRequest(metrics=["auc", "total_seconds"])).decode()
    assert "Method & AUC $\\uparrow$ & Time (s) $\\downarrow$ \\\\" in text
    every = export(store_root, "latex", ExportRequest(metrics=["all"])).decode()
    assert "\\begin{tabular}{lrrrr}" in every


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b & 5 % of #1 {x} $y", "a\\_b \\& 5 \\% of \\#1 \\{x\\} \\$y"),
        (HOSTILE, "\\textless{}script\\textgreater{}alert(1)\\textless{}/script\\textgreater{}"),
        ("\\input{/etc/passwd}~^", "\\textbackslash{}input\\{/etc/passwd\\}\\textasciitilde{}"
                                   "\\textasciicircum{}"),
        ("parity|ink ± 3 · −1", "parity\\textbar{}ink $\\pm$ 3 $\\cdot$ $-$1"),
    ],
)  # fmt: skip
def test_no_name_can_break_out_of_its_cell(text: str, latex: str) -> None:
    assert escaped(text) == latex


@pytest.mark.parametrize(
    ("kind", "wanted", "told"),
    [
        ("cvs", {}, r'--format: unknown format "cvs"\. Did you mean "csv"\?'),
        ("csv", {"suites": ["adlut"]}, r'unknown suite "adlut"\. Did you mean "adult"\?'),
        ("csv", {"methods": ["baed"]}, r'--methods: unknown method "baed"\. Did you mean "bade"\?'),
        ("csv", {"metrics": ["odd"]}, r'--metrics: unknown metric "odd"\. Did you mean "odds"\?'),
        ("csv", {"tasks": ["x"]}, r'--tasks: unknown task "x"\.'),
        ("csv", {"metrics": ["all", "odds"]}, r'--metrics: "all" stands alone\.'),
    ],
)
def test_names_that_nothing_goes_by_are_told(
    store_root: Path, kind: str, wanted: dict[str, list[str]], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        export(store_root, kind, ExportRequest(**wanted))


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no results here\. Name their folder with --out\."):
        export(tmp_path, "csv", ExportRequest())
