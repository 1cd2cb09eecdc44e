"""Results of several machines become one folder, or nothing is written at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bench.data.dataset import Library
from bench.errors import BenchError, UsageError
from bench.result import MetricInfo, Plan, PlannedTrial, Result, ResultPicture, Status, Store
from bench.runner import plan as planning
from bench.runner.merge import MergeConflict, merge, sweep_of
from bench.suites.reader import find_suite, read_suite
from tests.tracking.tracking_examples import NOON, make_plan, make_result


def machine(root: Path, seeds: Sequence[int], plan: Plan | None = None, **changes: Any) -> Path:
    """A results folder with those seeds of the example's two methods."""
    plan = plan or make_plan("small")
    mine = plan.model_copy(update={"trials": [t for t in plan.trials if t.seed in seeds]})
    store = Store(root)
    store.write_plan(mine)
    for trial in mine.trials:
        store.write(make_result(plan, trial, **changes))
    return root


def odds(root: Path) -> dict[tuple[str, int], float]:
    store = Store(root)
    plan = store.read_plan("small")
    assert plan is not None
    found = store.read_all("small", (trial.key for trial in plan.trials))
    return {(r.method, r.seed): r.metrics["odds"] for r in found}


def content(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_two_machines_seeds_become_one_sweep(tmp_path: Path) -> None:
    first, second = machine(tmp_path / "a", [0]), machine(tmp_path / "b", [1])
    made = merge([first, second], tmp_path / "all")["small"]
    assert odds(tmp_path / "all") == {
        ("bade", 0): 0.1, ("bade", 1): 0.3, ("mfd", 0): 0.5, ("mfd", 1): 0.7,
    }  # fmt: skip
    assert (made.added, made.equal, made.settled) == (4, 0, 0)
    assert [(t.method, t.seed) for t in made.plan.trials] == [
        ("bade", 0), ("bade", 1), ("mfd", 0), ("mfd", 1),
    ]  # fmt: skip


def test_merging_again_changes_no_byte(tmp_path: Path) -> None:
    folders = [machine(tmp_path / "a", [0, 1]), machine(tmp_path / "b", [1])]
    merge(folders, tmp_path / "all")
    before = content(tmp_path / "all")
    made = merge(folders, tmp_path / "all")["small"]
    assert content(tmp_path / "all") == before
    assert made.added == 0


def test_the_order_of_folders_decides_nothing_where_all_agree(tmp_path: Path) -> None:
    later = {"finished": NOON + timedelta(hours=1)}
    folders = [machine(tmp_path / "a", [0, 1], **later), machine(tmp_path / "b", [0, 1])]
    merge(folders, tmp_path / "one")
    merge(folders[::-1], tmp_path / "other")
    assert content(tmp_path / "one") == content(tmp_path / "other")
    kept = Store(tmp_path / "one").read("small", "smallbade0")
    assert kept is not None
    assert kept.finished == NOON + timedelta(seconds=4)  # the earlier of two that say the same


def test_a_folder_can_grow_in_place(tmp_path: Path) -> None:
    into = machine(tmp_path / "a", [0])
    merge([into, machine(tmp_path / "b", [1])], into)
    assert len(odds(into)) == 4


def test_contradicting_numbers_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    first = machine(tmp_path / "a", [0])
    second = machine(tmp_path / "b", [0], metrics={"odds": 0.9, "recall@1": 0.25})
    with pytest.raises(
        MergeConflict, match=r"^2 conflicts, so nothing was written\. --prefer"
    ) as e:
        merge([first, second], tmp_path / "all")
    assert e.value.conflicts[0] == (
        f"small: sex · bade · seed 0 (smallbad) in {first} and {second}: metrics.odds 0.1 and 0.9"
    )
    assert not (tmp_path / "all").exists()


def test_a_long_value_is_told_by_its_beginning(tmp_path: Path) -> None:
    pictures = [ResultPicture(png=sign * 10_000, caption="") for sign in "ab"]
    folders = [machine(tmp_path / p.png[0], [0], pictures=[p]) for p in pictures]
    with pytest.raises(MergeConflict) as caught:
        merge(folders, tmp_path / "all")
    assert caught.value.conflicts[0].endswith(f"pictures[0].png {'a' * 40}… and {'b' * 40}…")


@pytest.mark.parametrize(("prefer", "winner"), [("first", 0.1), ("newest", 0.9)])
def test_a_preference_settles_a_conflict_once_and_for_all(
    tmp_path: Path, prefer: str, winner: float
) -> None:
    changes = {"metrics": {"odds": 0.9}, "finished": NOON + timedelta(hours=1)}
    folders = [machine(tmp_path / "a", [0]), machine(tmp_path / "b", [0], **changes)]
    made = merge(folders, tmp_path / "all", prefer)["small"]
    assert odds(tmp_path / "all")["bade", 0] == winner
    assert made.settled == 2
    before = content(tmp_path / "all")
    merge(folders, tmp_path / "all", prefer)
    assert content(tmp_path / "all") == before


def test_times_and_hardware_may_differ(tmp_path: Path) -> None:
    folders = [machine(tmp_path / "a", [0]), machine(tmp_path / "b", [0], environment=None)]
    assert merge(folders, tmp_path / "all")["small"].equal == 2


def test_metrics_that_are_times_may_differ_and_others_may_not(tmp_path: Path) -> None:
    plan = make_plan("small")
    metrics = [*plan.tracks[0].metrics, MetricInfo(
        name="seconds", title="Seconds", unit="s", better="lower", definition="")]  # fmt: skip
    track = plan.tracks[0].model_copy(update={"metrics": metrics})
    plan = plan.model_copy(update={"tracks": [track]})
    folders = [
        machine(tmp_path / name, [0], plan, metrics={"odds": odds, "seconds": seconds})
        for name, odds, seconds in (("a", 0.1, 2.0), ("b", 0.1, 3.0), ("c", 0.9, 2.0))
    ]
    assert merge(folders[:2], tmp_path / "all")["small"].equal == 2
    with pytest.raises(MergeConflict) as caught:
        merge(folders[1:], tmp_path / "none")
    assert caught.value.conflicts[0].endswith(": metrics.odds 0.1 and 0.9")


def test_a_finished_trial_beats_a_failed_one_on_whatever_machine(tmp_path: Path) -> None:
    failed = {"status": Status.FAILED, "reason": "out of memory", "metrics": {}}
    folders = [machine(tmp_path / "a", [0], **failed), machine(tmp_path / "b", [0])]
    merge(folders, tmp_path / "all")
    assert odds(tmp_path / "all")["mfd", 0] == 0.5


def test_of_two_failures_the_later_stays(tmp_path: Path) -> None:
    failed: dict[str, Any] = {"status": Status.FAILED, "metrics": {}}
    later = {"reason": "later", "finished": NOON + timedelta(hours=1)}
    folders = [
        machine(tmp_path / "a", [0], **failed, **later),
        machine(tmp_path / "b", [0], **failed, reason="earlier"),
    ]
    merge(folders, tmp_path / "all")
    kept = Store(tmp_path / "all").read("small", "smallbade0")
    assert kept is not None
    assert kept.reason == "later"


def changed(what: str, **update: Any) -> Plan:
    """The example's plan with other tasks or methods, and so with other keys."""
    plan = make_plan("small")
    rows = [row.model_copy(update=update) for row in getattr(plan, what)]
    trials = [t.model_copy(update={"key": f"{t.key}x"}) for t in plan.trials]
    return plan.model_copy(update={what: rows, "trials": trials})


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (changed("tasks", data_hash="e" * 64), f"task sex: data_hash {'d' * 64} and {'e' * 64}"),
        (changed("tasks", training={"epochs": 5}), "task sex: training.epochs 3 and 5"),
        (changed("methods", revision=4), "method bade: revision 3 and 4"),
        (changed("methods", summary="other"), "sex · bade · seed 0 has two results"),
    ],
)
def test_one_name_for_different_things_is_a_conflict(tmp_path: Path, plan: Plan, told: str) -> None:
    folders = [machine(tmp_path / "a", [0]), machine(tmp_path / "b", [0], plan)]
    with pytest.raises(MergeConflict) as caught:
        merge(folders, tmp_path / "all")
    assert caught.value.conflicts[0].startswith(f"small: {told}")


def test_with_a_preference_the_other_meaning_leaves_the_page_but_not_the_disk(
    tmp_path: Path,
) -> None:
    other = changed("methods", revision=4)
    folders = [machine(tmp_path / "a", [0]), machine(tmp_path / "b", [1], other)]
    made = merge(folders, tmp_path / "all", "first")["small"]
    assert {trial.key for trial in made.plan.trials} == {"smallbade0", "smallmfd0"}
    assert len(list((tmp_path / "all" / "small" / "trials").iterdir())) == 4


def test_a_trial_that_only_one_machine_finished_takes_the_place_of_a_planned_one(
    tmp_path: Path,
) -> None:
    """The other planned it before its data were prepared, when its key was another."""
    early = changed("tasks", data_hash=None)
    first = tmp_path / "a"
    Store(first).write_plan(early)
    made = merge([first, machine(tmp_path / "b", [0, 1])], tmp_path / "all")["small"]
    assert {trial.key for trial in made.plan.trials} == {t.key for t in make_plan("small").trials}
    assert made.plan.tasks[0].data_hash == "d" * 64


def test_commands_are_kept_so_that_both_can_be_run_again(tmp_path: Path) -> None:
    plans = [
        make_plan("small").model_copy(update={"command": f"bench --suite small --seeds {seed}"})
        for seed in (0, 1)
    ]
    folders = [machine(tmp_path / str(seed), [seed], plan) for seed, plan in enumerate(plans)]
    merge(folders, tmp_path / "all")
    merge(folders, tmp_path / "all")
    plan = Store(tmp_path / "all").read_plan("small")
    assert plan is not None
    assert plan.command == "bench --suite small --seeds 0 && bench --suite small --seeds 1"


def test_results_of_earlier_plans_come_along(tmp_path: Path) -> None:
    first = machine(tmp_path / "a", [0])
    old = PlannedTrial(key="old", task="sex", method="bade", seed=9)
    Store(first).write(make_result(make_plan("small"), old))
    merge([first], tmp_path / "all")
    assert Store(tmp_path / "all").read("small", "old") is not None


def test_suites_that_one_machine_has_alone_are_copied(tmp_path: Path) -> None:
    other = machine(tmp_path / "b", [0], make_plan("other"))
    assert set(merge([machine(tmp_path / "a", [0]), other], tmp_path / "all")) == {"small", "other"}
    assert Store(tmp_path / "all").suites() == ["other", "small"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    made = merge([machine(tmp_path / "a", [0])], tmp_path / "all", dry_run=True)
    assert made["small"].added == 2
    assert not (tmp_path / "all").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    first, into = machine(tmp_path / "a", [0]), tmp_path / "all"
    into.mkdir()
    with FileLock(into / ".lock"), pytest.raises(BenchError, match="another bench run is using"):
        merge([first], into)
    assert Store(into).suites() == []


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no results here"):
        merge([tmp_path / "nowhere"], tmp_path / "all")
    with pytest.raises(UsageError, match=r'--prefer: "oldest" is neither newest nor first\.'):
        merge([machine(tmp_path / "a", [0])], tmp_path / "all", "oldest")


def test_a_sweep_of_more_tasks_gets_the_identity_that_the_runner_would_give_it(
    tmp_path: Path,
) -> None:
    plan = make_plan("small")
    race = plan.tasks[0].model_copy(update={"name": "race"})
    trials = [t.model_copy(update={"task": "race", "key": f"r{t.key}"}) for t in plan.trials]
    other = plan.model_copy(update={"tasks": [race], "trials": trials, "sweep": "another"})
    folders = [machine(tmp_path / "a", [0], plan), machine(tmp_path / "b", [0], other)]
    merge(folders, tmp_path / "all")
    merged = Store(tmp_path / "all").read_plan("small")
    assert merged is not None
    assert merged.sweep == sweep_of("small", [plan.tasks[0], race])


def test_the_runner_gives_sweeps_the_same_identity(tmp_path: Path) -> None:
    suite = read_suite(find_suite("digits"), {})
    selected = planning.select(suite, [], ["standard"], [0])
    plan = planning.sweep(selected, Library(tmp_path), Store(tmp_path / "out"), "bench").plan
    assert sweep_of(plan.suite, plan.tasks) == plan.sweep


def test_results_read_back_are_what_was_merged(tmp_path: Path) -> None:
    first = machine(tmp_path / "a", [0, 1])
    merge([first], tmp_path / "all")
    kept = {key: Store(tmp_path / "all").read("small", key) for key in ("smallbade0", "smallmfd1")}
    there: dict[str, Result | None] = {k: Store(first).read("small", k) for k in kept}
    assert kept == there


ROUNDED = {"metrics": {"odds": 0.1 + 3e-9, "recall@1": 0.25}}


def test_numbers_that_two_machines_round_differently_are_one_result(tmp_path: Path) -> None:
    first = machine(tmp_path / "a", [0], metrics={"odds": 0.1, "recall@1": 0.25})
    later = {"finished": NOON + timedelta(hours=1)}
    second = machine(tmp_path / "b", [0], **ROUNDED, **later)
    for roots in ([first, second], [second, first]):
        into = tmp_path / f"into {roots[0].name}"
        made = merge(roots, into)["small"]
        assert odds(into) == {("bade", 0): 0.1, ("mfd", 0): 0.1}
        [(pair, differences)] = made.rounded.items()
        assert pair == tuple(roots)
        assert differences == pytest.approx([3e-9, 3e-9])
    with pytest.raises(MergeConflict):
        merge([first, second], tmp_path / "strict", tolerance=0)


@pytest.mark.parametrize(
    ("first", "second", "is_rounding"),
    [
        ({"curves": {"loss": [1e9]}}, {"curves": {"loss": [1e9 + 1]}}, True),
        ({"samples": {"d": [0.5, 0.5]}}, {"samples": {"d": [0.5, 0.5 + 2e-7]}}, True),
        ({"samples": {"d": [0.5]}}, {"samples": {"d": [0.5 + 2e-6]}}, False),
        ({"samples": {"d": [0.5]}}, {"samples": {"d": [0.5, 0.5]}}, False),
        ({"curves": {"loss": [None]}}, {"curves": {"loss": [1e-9]}}, False),
        ({"chosen": {"strength": 0.5}}, {"chosen": {"strength": 0.5 + 1e-9}}, False),
        ({"status": Status.SKIPPED}, {"status": Status.OK}, False),
    ],
)
def test_rounding_is_of_numbers_and_small(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], is_rounding: bool
) -> None:
    roots = [machine(tmp_path / "a", [0], **first), machine(tmp_path / "b", [0], **second)]
    if is_rounding:
        merge(roots, tmp_path / "all")
    else:
        with pytest.raises(MergeConflict):
            merge(roots, tmp_path / "all")


@pytest.mark.parametrize("tolerance", [-1.0, 1.0, float("nan")])
def test_a_tolerance_that_is_none_is_refused(tmp_path: Path, tolerance: float) -> None:
    with pytest.raises(UsageError, match=r"--tolerance"):
        merge([machine(tmp_path / "a", [0])], tmp_path / "all", tolerance=tolerance)
