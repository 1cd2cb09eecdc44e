"""Two sets of results: what changed, by how much, and whether by more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.reports.compare import Change, Comparison, Verdict, compare, page, side
from bench.result import Result, Status, Store
from tests.reports.synthetic_sweep import HOSTILE, SEX, TwoTasks, environment, key_of, store_of

Edit = Callable[[Result], Mapping[str, object]]


@pytest.fixture
def against(store_root: Path, two_tasks: TwoTasks, tmp_path: Path) -> Callable[..., Comparison]:
    """Compares the synthetic sweep with itself after an edit of every result."""

    def run(edit: Edit, *metrics: str) -> Comparison:
        plan, results = two_tasks
        edited = {k: r.model_copy(update=dict(edit(r))) for k, r in results.items()}
        other = store_of(tmp_path / "other", plan, edited)
        return compare(side(str(store_root), Path()), side(str(other), Path()), metrics)

    return run


def only(made: Comparison, task: str, method: str, metric: str) -> Change:
    found = [
        c for c in made.changes if c.cell[2:] == (task, method) and c.metric.name == metric
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def shifted(method: str, metric: str, *by: float) -> Edit:
    """Adds to a metric of a method, seed by seed."""

    def edit(result: Result) -> Mapping[str, object]:
        if result.method != method or metric not in result.metrics:
            return {}
        value = result.metrics[metric] + by[result.seed % len(by)]
        return {"metrics": result.metrics | {metric: value}}

    return edit


def test_equal_results_are_equal_and_untested(against: Callable[..., Comparison]) -> None:
    made = against(lambda _: {})
    assert set(made.counts) == {Verdict.EQUAL}
    assert {change.p for change in made.changes} == {None}
    assert not made.worse


def test_a_difference_beyond_the_scatter_of_seeds_is_told_with_its_interval(
    against: Callable[..., Comparison],
) -> None:
    made = against(shifted("bade", "odds", 0.019, 0.020, 0.021, 0.020, 0.020))
    change = only(made, SEX, "bade", "odds")
    # Differences in points 1.9, 2, 2.1, 2, 2: mean 2, std .0707, t(4) 2.7764: ± .0878.
    assert change.difference == "+2.00 ± 0.09"
    assert change.verdict is Verdict.WORSE
    assert made.worse
    assert made.counts[Verdict.WORSE] == 2  # on both tasks


def test_p_is_corrected_for_all_that_changed_on_the_metric(
    against: Callable[..., Comparison],
) -> None:
    change = only(
        against(shifted("bade", "odds", 0.019, 0.02, 0.021, 0.02, 0.02)), SEX, "bade", "odds"
    )
    # Two tests (SEX with five seeds, RACE with four): the smaller p is doubled.
    assert change.pair.p_t is not None
    assert change.p == pytest.approx(2 * change.pair.p_t)
    assert change.pair.p_t == pytest.approx(3.7e-7, rel=0.05)


def test_higher_is_better_where_the_metric_says_so(against: Callable[..., Comparison]) -> None:
    made = against(shifted("bade", "eacc", 0.019, 0.020, 0.021, 0.020, 0.020))
    assert only(made, SEX, "bade", "eacc").verdict is Verdict.BETTER
    assert not made.worse


def test_noise_is_no_change(against: Callable[..., Comparison]) -> None:
    made = against(shifted("bade", "odds", 0.002, -0.002, 0.001, -0.001, 0.0005))
    assert only(made, SEX, "bade", "odds").verdict is Verdict.UNCLEAR


def test_one_common_seed_is_no_test(against: Callable[..., Comparison]) -> None:
    def edit(result: Result) -> Mapping[str, object]:
        moved = shifted("bade", "odds", 0.1)(result)
        return moved if result.seed == 0 or result.method != "bade" else {"status": Status.FAILED}

    change = only(against(edit), SEX, "bade", "odds")
    assert (change.verdict, change.probability) == (Verdict.UNTESTED, "n/a")
    assert change.difference == "+10.00"


def test_trials_that_ended_otherwise_are_listed(against: Callable[..., Comparison]) -> None:
    def edit(result: Result) -> Mapping[str, object]:
        broken = result.key == key_of(SEX, "bade", 0)
        return {"status": Status.FAILED, "reason": "loss is NaN"} if broken else {}

    made = against(edit)
    (ending,) = made.endings
    assert (ending.seed, ending.first, ending.second) == (0, "ok", "failed")
    assert ending.reason == "loss is NaN"
    assert only(made, SEX, "bade", "odds").pair.n == 4  # a failure is missing, never zero


def test_what_is_gone_is_worse_and_what_is_new_is_told(
    store_root: Path, two_tasks: TwoTasks, tmp_path: Path
) -> None:
    plan, results = two_tasks
    less = {key: result for key, result in results.items() if result.method != "bade"}
    other = store_of(tmp_path / "other", plan, less)
    sides = side(str(store_root), Path()), side(str(other), Path())
    gone = compare(*sides)
    assert only(gone, SEX, "bade", "odds").verdict is Verdict.GONE
    assert gone.worse
    assert only(compare(*sides[::-1]), SEX, "bade", "odds").verdict is Verdict.NEW


def test_settings_that_explain_a_change_stand_beside_it(
    against: Callable[..., Comparison],
) -> None:
    made = against(lambda r: {"revision": 2, "training": {"epochs": 20}} if r.seed == 0 else {})
    assert made.settings["adult · " + SEX + " · bade"] == [
        "revision 1 → 2, 1", "training.epochs 10 → 20, 10",
    ]  # fmt: skip


def test_pairs_of_unlike_arithmetic_are_counted_and_named(
    against: Callable[..., Comparison],
) -> None:
    assert against(lambda _: {}).arithmetic == ""
    made = against(lambda r: {"environment": environment(threads=2)} if r.seed == 0 else {})
    pairs = sum(0 in seeds for seeds in made.first.results.values())
    said = f"{pairs} pairs were computed with unlike arithmetic (threads 4 → 2)"
    assert made.arithmetic.startswith(said)
    assert said in page(made)


def test_costs_are_compared_but_never_make_it_worse(against: Callable[..., Comparison]) -> None:
    made = against(
        lambda r: {"cost": r.cost.model_copy(update={"seconds": r.cost.seconds + 60 + r.seed / 9})}
    )
    assert only(made, SEX, "bade", "total_seconds").verdict is Verdict.WORSE
    assert not made.worse


def test_metrics_are_chosen_by_name(against: Callable[..., Comparison]) -> None:
    assert {c.metric.name for c in against(lambda _: {}).changes} == {
        "odds", "eacc", "total_seconds",
    }  # fmt: skip
    assert {c.metric.name for c in against(lambda _: {}, "auc").changes} == {"auc"}
    every = {c.metric.name for c in against(lambda _: {}, "all").changes}
    assert {"odds", "auc", "seconds", "peak_memory_mib"} <= every
    with pytest.raises(UsageError, match=r'--metrics: unknown metric "adds"\. Did you mean "odds"'):
        against(lambda _: {}, "adds")


@pytest.fixture
def two_commits(two_tasks: TwoTasks, tmp_path: Path) -> Path:
    """One folder in which bade was run again, under other keys, by a later commit."""
    plan, results = two_tasks
    later = environment(git_sha="9b" * 20)
    again = {
        f"x{key}": r.model_copy(update={"key": f"x{key}", "environment": later, "revision": 2})
        for key, r in results.items()
        if r.method == "bade"
    }
    return store_of(tmp_path / "both", plan, results | again)


def test_two_commits_of_one_folder(two_commits: Path) -> None:
    first, second = side("4f2a", two_commits), side("9b9b9b", two_commits)
    assert (first.name, second.name) == ("4f2a" * 3, "9b" * 6)
    made = compare(first, second)
    change = only(made, SEX, "bade", "odds")
    assert (change.verdict, change.pair.n) == (Verdict.EQUAL, 5)
    assert only(made, SEX, "mfd", "odds").verdict is Verdict.GONE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nowhere", r'"nowhere" is neither a results folder nor a commit .* 4f2a4f2a4f2a \(79\)'),
        ("0000", r"is neither a results folder nor a commit"),
        ("4f", r"is neither a results folder nor a commit"),  # too short to mean one
    ],
)
def test_a_side_that_is_nothing_is_told(two_commits: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        side(text, two_commits)


def test_a_commit_that_is_not_unique_is_told(two_tasks: TwoTasks, tmp_path: Path) -> None:
    plan, results = two_tasks
    key, result = next(iter(results.items()))
    similar = environment(git_sha="4f2a" * 9 + "ffff")
    root = store_of(
        tmp_path, plan, results | {key: result.model_copy(update={"environment": similar})}
    )
    with pytest.raises(UsageError, match=r'"4f2a" stands for several commits: 4f2a'):
        side("4f2a", root)


def test_folders_without_a_common_suite_are_told(
    store_root: Path, two_tasks: TwoTasks, tmp_path: Path
) -> None:
    plan, results = two_tasks
    other = Store(tmp_path)
    other.write_plan(plan.model_copy(update={"suite": "meps"}))
    for result in results.values():
        other.write(result.model_copy(update={"suite": "meps"}))
    with pytest.raises(UsageError, match="have no suite in common"):
        compare(side(str(store_root), Path()), side(str(tmp_path), Path()))


def test_the_page_says_all_of_it_and_escapes_names(against: Callable[..., Comparison]) -> None:
    text = page(against(shifted("bade", "odds", 0.019, 0.020, 0.021, 0.020, 0.020)))
    assert "+2.00 ± 0.09" in text
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.index(">worse<") < text.index(">equal<")
    assert text == page(against(shifted("bade", "odds", 0.019, 0.020, 0.021, 0.020, 0.020)))
