"""A trial's page: run again exactly, read what decided it, see what came out or why nothing did."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import parse_seeds, parse_settings, split_names
from bench.data.dataset import Library
from bench.errors import BenchError
from bench.reports.pages.trial import rerun_command
from bench.reports.site import render
from bench.result import Plan, Result, ResultPicture, Store
from bench.runner import plan as planning
from bench.suites.reader import find_suite, read_suite
from tests.reports.synthetic_sweep import HOSTILE, RACE, SEX, SUITE, TwoTasks, key_of

WriteStore = Callable[[TwoTasks], Path]
COMMAND = (
    "bench --suite digits --set training.epochs=3 --set=bade.temperature=4.5 --seeds 0,4 "
    "--out somewhere --jobs 2 --methods standard,bade"
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A real plan: entries of one name, a shortened label, tasks with signs that shells read."""
    return sweep_of(
        COMMAND,
        tmp_path_factory.mktemp("plan"),
        methods="standard,bade,labor,no_defence,dro,perceptual_dro,"
        "bade[rate_have=0.12345678,rate_not_have=null]",
    )


def sweep_of(command: str, folder: Path, methods: str = "") -> Plan:
    """What the command line would plan, by the runner's own parts."""
    words = shlex.split(command)[1:]
    given: dict[str, list[str]] = {}
    for word, value in zip(words, [*words[1:], ""], strict=True):
        option, equals, own = word.partition("=")
        if word.startswith("--"):
            given.setdefault(option, []).append(own if equals else value)
    suite = read_suite(find_suite(given["--suite"][0]), parse_settings(given.get("--set", [])))
    selected = planning.select(
        suite,
        split_names(",".join(given.get("--tasks", []))),
        split_names(methods or given["--methods"][0]),
        parse_seeds(given["--seeds"][0]),
    )
    return planning.sweep(selected, Library(folder), Store(folder), command).plan


def test_the_command_of_a_trial_plans_this_trial_and_no_other(
    planned: Plan, two_tasks: TwoTasks, tmp_path: Path
) -> None:
    blank = next(iter(two_tasks[1].values()))
    tracks = {task.name: task.track for task in planned.tasks}
    methods = {(m.track, m.label): m for m in planned.methods}
    assert len({m.label for m in planned.methods if m.name == "bade"}) == 3
    for trial in planned.trials:
        method = methods[tracks[trial.task], trial.method]
        command = rerun_command(
            planned, method, trial.task, blank.model_copy(update={"seed": trial.seed})
        )
        again = sweep_of(command, tmp_path)
        assert [each.key for each in again.trials] == [trial.key], command


def test_where_things_went_is_no_part_of_the_command(planned: Plan, two_tasks: TwoTasks) -> None:
    trial = next(iter(two_tasks[1].values()))
    command = rerun_command(planned, planned.methods[0], planned.tasks[0].name, trial)
    assert "somewhere" not in command
    assert "--jobs" not in command
    # The synthetic environment has four threads, and more threads may change the last digits.
    assert command.endswith(f"--seeds {trial.seed}-{trial.seed} --threads 4 --out again")


@pytest.fixture(scope="module")
def pages(store_root: Path) -> dict[str, str]:
    return render(store_root)


def text_of(page: str) -> str:
    body = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def trial_page(pages: dict[str, str], task: str, method: str, seed: int) -> str:
    return pages[f"{SUITE}/trials/{key_of(task, method, seed)}.html"]


def test_a_page_says_all_that_decided_the_trial(pages: dict[str, str]) -> None:
    text = text_of(trial_page(pages, SEX, "bade", 2))
    for words in (
        "bench --suite adult --tasks 'adult/income_over_50k|sex' --methods",
        "--seeds 2-2",
        "temperature 1.0",
        "epochs 10",
        "0f0f0f",
        key_of(SEX, "bade", 2),
        "4f2a" * 10,
        "torch 2.13.0",
        "Some CPU; 16 cores, 4 threads",
        "Started 2025-03-01 12:20 UTC",
        # Seed 2: Odds 1.0 - .1, EAcc 81.5 + .2.
        "Odds, % 0.90",
        "EAcc, % 81.70",
        "and 20 of work that others share",
        "Nothing was logged",
    ):
        assert words in text, words


def test_a_failed_trial_has_its_reason_and_traceback_first(pages: dict[str, str]) -> None:
    page = trial_page(pages, SEX, "adversarial", 2)
    text = text_of(page)
    assert text.index("loss is NaN after step 40 <b>") < text.index("Traceback (most recent")
    assert text.index("Traceback (most recent") < text.index("Run it again")
    assert "<i>NaN" not in page
    assert "Odds, %" not in text


def test_a_trial_without_a_result_has_a_line_and_no_page(pages: dict[str, str]) -> None:
    missing = key_of(RACE, "bade", 3)
    assert f"{SUITE}/trials/{missing}.html" not in pages
    listed = pages[f"{SUITE}/trials/index.html"]
    assert f">{missing[:8]}</span>" in listed
    assert f'href="{missing}.html"' not in listed


def test_undefined_metrics_are_named_with_their_reason(pages: dict[str, str]) -> None:
    assert "No AUC: the method gives no scores." in text_of(trial_page(pages, SEX, "mfd", 0))


def test_what_must_be_known_of_a_task_stands_on_the_trial_too(pages: dict[str, str]) -> None:
    text = text_of(trial_page(pages, RACE, "bade", 0))
    assert "Selected on test." in text
    assert "Data not official." in text


def with_extras(two_tasks: TwoTasks, **extras: object) -> tuple[TwoTasks, Result]:
    plan, results = two_tasks
    changed = results[key_of(SEX, "bade", 0)].model_copy(update=extras)
    return (plan, {**results, changed.key: changed}), changed


def test_curves_log_pictures_and_choices_are_shown(
    two_tasks: TwoTasks, write_store: WriteStore
) -> None:
    made, changed = with_extras(
        two_tasks,
        curves={"teacher.loss": [0.9, 0.5], "odds": [0.2, None, 0.1]},
        chosen={"epoch": 3, "strength": 0.75},
        log="WARNING x: <b>careful</b>",
        pictures=[ResultPicture(png="iVBORw0KGgo=", caption="before & after")],
    )
    page = render(write_store(made))[f"{SUITE}/trials/{changed.key}.html"]
    text = text_of(page)
    assert "strength 0.75" in text
    assert "odds: from 0.2 to 0.1 over 3 epochs, 0.1 at epoch 3, which was selected" in page
    assert "epoch%2Cteacher.loss%2Codds%0A1%2C0.9%2C0.2%0A2%2C0.5%2C%0A3%2C%2C0.1%0A" in page
    assert "WARNING x: <b>careful</b>" in text
    assert 'src="data:image/png;base64,iVBORw0KGgo=" alt="before &amp; after"' in page


def test_the_mlflow_run_is_named_where_it_is_known(
    two_tasks: TwoTasks, write_store: WriteStore
) -> None:
    root = write_store(two_tasks)
    key = key_of(SEX, "bade", 0)
    assert "MLflow run" not in render(root)[f"{SUITE}/trials/{key}.html"]
    (root / SUITE / "mlflow.json").write_text(json.dumps({key: "0a1b2c"}))
    assert "MLflow run 0a1b2c" in text_of(render(root)[f"{SUITE}/trials/{key}.html"])


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}'])
def test_a_damaged_file_of_run_ids_is_a_plain_error(
    two_tasks: TwoTasks, write_store: WriteStore, content: str
) -> None:
    root = write_store(two_tasks)
    (root / SUITE / "mlflow.json").write_text(content)
    with pytest.raises(BenchError, match=r"mlflow\.json: not"):
        render(root)


def test_the_list_of_trials_begins_each_group_where_the_board_points(
    pages: dict[str, str],
) -> None:
    listed = pages[f"{SUITE}/trials/index.html"]
    anchors = set(re.findall(r'href="trials/index\.html#([^"]+)"', pages[f"{SUITE}/index.html"]))
    assert len(anchors) == 16  # two tasks with eight methods
    rows = re.findall(r'<tr id="([^"]+)" data-task="([^"]+)"', listed)
    assert {anchor for anchor, _ in rows} == anchors
    assert {html.unescape(task) for _, task in rows} == {SEX, RACE}
    assert "&lt;script&gt;" in listed
    assert HOSTILE not in listed
