"""The `bench` command: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench import __version__
from bench.attacks.poisoning.badnets import BadNets
from bench.cli import main
from bench.cli.main import command_line, parse_seeds, parse_settings, split_names
from bench.errors import UsageError
from bench.method import summary_of
from bench.methods.bade import BaDe
from bench.suites.reader import suite_names
from tests.in_process import sweep_here
from tests.sentences import assert_says


class Ended(NamedTuple):
    """How a command ended; `words` is what it printed, without line breaks."""

    code: int
    words: str
    errors: str


Bench = Callable[..., Ended]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Runs `bench` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    sweep_here(monkeypatch)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, " ".join(printed.out.split()), printed.err)

    return run


def assert_one_line(ended: Ended, *parts: str) -> None:
    """A user's mistake: exit code 2, one line on stderr, nothing on stdout."""
    assert ended.code == 2
    assert ended.errors.count("\n") == 1
    assert ended.errors.startswith(f"bench: {parts[0]}")
    assert_says(ended.errors, *parts)
    assert "Traceback" not in ended.errors
    assert ended.words == ""


# Finding one's way


def test_bench_alone_explains_itself_and_names_the_suites(bench: Bench) -> None:
    ended = bench()
    assert ended.code == 0
    assert ended.errors == ""
    assert_says(ended.words, "Usage: bench", "published methods", "--suite", "Suites:")
    for name in suite_names():
        assert f" {name} " in ended.words
    assert ended.words.endswith("Start with: bench --suite digits")


def test_help_keeps_brackets_and_names_what_an_option_takes(bench: Bench) -> None:
    ended = bench("--help")
    assert ended.code == 0
    assert "bade[strength=auto]" in ended.words
    assert "--seeds SEEDS" in ended.words
    assert "--timeout SECONDS" in ended.words
    for jargon in ("<str>", "list[", "range>", "--no-dry-run", "--no-fail-fast"):
        assert jargon not in ended.words


@pytest.mark.parametrize("command", ["show", "report", "log", "ui", "label", "data", "data get"])
def test_every_command_has_help(bench: Bench, command: str) -> None:
    ended = bench(*command.split(), "-h")
    assert ended.code == 0
    assert f"Usage: bench {command} [OPTIONS]" in ended.words


def test_the_version_is_printed(bench: Bench) -> None:
    ended = bench("--version")
    assert ended.code == 0
    assert ended.words.startswith(f"bench {__version__} (")


def test_list_names_suites_tasks_and_methods(bench: Bench) -> None:
    words = bench("list").words
    for name in ("digits", "adult income|sex", "digits parity|ink", "meps utilization|race"):
        assert name in words
    assert "bade BaDe: " in words
    assert "Methods, robust fairness" in words
    assert "Wu et al. (2024)" in words


def test_show_gives_paper_fields_and_defaults(bench: Bench) -> None:
    words = bench("show", "bade").words
    assert words.startswith(f"bade (debiasing) {summary_of(BaDe)}")
    assert "Paper: Wu et al. (2024), Backdoor for debias" in words
    assert "https://arxiv.org/abs/2303.01504" in words
    assert "strength = 1.0" in words
    assert "float >= 0 and <= 1 or 'auto'" in words
    assert "temperature = 1.0" in words


def test_attacks_are_listed_and_shown_like_methods(bench: Bench) -> None:
    listed = bench("list").words
    assert "Poisoning attacks" in listed
    assert "badnets BadNets: " in listed
    words = bench("show", "badnets").words
    assert words.startswith(f"badnets (poisoning attack) {summary_of(BadNets)}")
    assert "rate = 0.01 (float > 0 and < 1)" in words
    assert "Paper:" not in words


def test_show_of_a_method_without_fields_says_so(bench: Bench) -> None:
    assert bench("show", "standard").words.endswith("No fields.")


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("--suite adlut", ['unknown suite "adlut"', '"adult"?', "adult,"]),
        ("--suite mine.yaml", ["mine.yaml"]),
        ("--suite adult --methods baed", ["--methods", 'unknown method "baed"', '"bade"?']),
        ("--suite adult --tasks sex", ["--tasks", 'unknown task "sex"']),
        ("--suite adult --seeds many", ['--seeds: "many"', "5", "0,3,7", "2-6"]),
        ("--suite adult --seeds 0", ['--seeds: "0"', "seed"]),
        ("--suite adult --seeds 300000000", ["--seeds", "more than 10,000 seeds"]),
        ("--suite adult --seeds 0-99999999999", ["--seeds", "more than 10,000 seeds"]),
        (f"--suite adult --seeds {10**30}", ["--seeds", "more than 10,000 seeds"]),
        (f"--suite adult --seeds 0-{10**30}", ["--seeds", "more than 10,000 seeds"]),
        (f"--suite adult --seeds {'9' * 5000}", ["--seeds", "[...]", "not of the form"]),
        ("--suite adult --seeds 3,2147483648", ["--seeds", "0 to 2,147,483,647"]),
        (
            "--suite labor_table_3 --seeds 10000",
            ["tasks (9), methods (4) and seeds (10,000) make", "100,000"],
        ),
        (
            "--suite adult --timeout nan",
            ["Invalid value for '--timeout'", "greater than or equal to 0.1"],
        ),
        (
            "--suite adult --memory-limit nan",
            ["Invalid value for '--memory-limit'", "greater than"],
        ),
        (
            "--suite adult --threads 99999999999999999999",
            ["Invalid value for '--threads'", "less than or equal to 1024"],
        ),
        (
            "--suite adult --jobs 1000000",
            ["Invalid value for '--jobs'", "less than or equal to 1024"],
        ),
        ("--suite adult --data \udcff", ["an argument is not UTF-8", "\\udcff"]),
        (
            f"label adult --seed {2**70}",
            ["Invalid value for '--seed'", "less than or equal to 2147483647"],
        ),
        (
            f"label labor_table_3_small --task source --host {'a' * 64}.org",
            ["--host", "is no address"],
        ),
        ("label labor_table_3_small --task source --host a..b", ["--host: a..b is no address"]),
        (
            "label labor_table_3_small --task source --host no.such.host.invalid",
            ["--host", "is no address"],
        ),
        ("--suite adult --set strength=1", ['--set: "strength=1"', "method.field="]),
        ("--suite adult --set bade.strength", ['--set: "bade.strength"', "method.field="]),
        ("--suite adult --set bade.strength=[1", ["--set bade.strength", '"[1"']),
        ("--suite adult --set bade.strenght=1", ["bade", '"strenght"', '"strength"?']),
        ("--suite adult --set bade.strength=2", ["bade.strength", "less than or equal to 1", "2"]),
        ("--suite adult --set training.epoch=2", ["--set", 'setting "epoch"', '"epochs"?']),
        ("--suite adult --device tpu", ['--device: "tpu"', "auto", "cpu", "cuda"]),
        ("show baed", ["unknown method or attack", '"baed"', '"bade"?']),
        ("data get adlut", ["unknown data set", '"adlut"', '"adult"?']),
        ("data check adult", ["adult: adult.data", "data/raw/adult", "`bench data get adult`"]),
        ("data get meps", ["meps", "AHRQ"]),
        ("data prepare meps", ["meps", "AHRQ"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    bench: Bench, arguments: str, parts: list[str]
) -> None:
    assert_one_line(bench(*arguments.split()), *parts)
    assert not list(Path.cwd().iterdir())


def test_a_variable_that_is_no_text_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SITE", "pages\udcff")
    assert_one_line(bench("report"), r"BENCH_SITE is not UTF-8 text: pages\udcff.")


def test_a_mistake_in_a_suite_file_names_its_line(bench: Bench) -> None:
    text = "title: T\ntasks:\n  - {data: adult, task: income|sex}\nmethods:\n  - baed\n"
    Path("mine.yaml").write_text(text)
    ended = bench("--suite", "mine.yaml")
    assert_one_line(ended, "mine.yaml, line 5, methods.0", "unknown method", '"baed"', '"bade"?')


def test_a_results_folder_that_cannot_be_made_is_named(bench: Bench) -> None:
    Path("results").write_text("a file")
    assert_one_line(bench("--suite", "digits"), "results", "cannot write", "File exists")


def test_a_mistake_in_a_real_process_is_one_line_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "data", "get", "adlut"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(Ended(done.returncode, done.stdout, done.stderr), 'unknown data set "adlut"')


# Trying out


def test_a_dry_run_needs_no_data_and_leaves_nothing(bench: Bench) -> None:
    ended = bench("--suite", "adult", "--dry-run")
    assert ended.code == 0
    assert ended.words.count(" to do adult income|sex · ") == 40
    assert "· bade[strength=auto] · seed 4" in ended.words
    assert ended.words.endswith("adult: 1 task, 8 methods, 5 seeds: 0 finished, 40 to do.")
    assert not list(Path.cwd().iterdir())


def test_a_dry_run_says_what_it_cannot_know(bench: Bench) -> None:
    before = bench("--suite", "digits", "--tasks", "parity|ink", "--dry-run").words
    assert before.count("-------- to do") == before.count("· seed ")
    assert "digits is not prepared" in before
    bench("data", "prepare", "digits")
    after = bench("--suite", "digits", "--tasks", "parity|ink", "--dry-run").words
    assert "--------" not in after
    assert "not prepared" not in after


def test_a_dry_run_takes_the_selection_into_account(bench: Bench) -> None:
    chosen = ["--methods", "bade[strength=auto],mfd", "--seeds", "3", "--tasks", "income|sex"]
    words = bench("--suite", "adult", "--dry-run", *chosen).words
    assert words.endswith("adult: 1 task, 2 methods, 3 seeds: 0 finished, 6 to do.")


def test_a_suite_of_ones_own_is_run_by_its_path(bench: Bench) -> None:
    tasks = [{"data": "digits", "task": "parity|ink", "training": {"backbone": "small_cnn"}}]
    content = {"title": "Mine", "tasks": tasks, "methods": ["standard"], "seeds": 1}
    Path("mine.yaml").write_text(yaml.safe_dump(content))
    words = bench("--suite", "mine.yaml", "--dry-run").words
    assert words.endswith("mine: 1 task, 1 method, 1 seed: 0 finished, 1 to do.")


# Data


def test_data_list_says_what_is_here_and_under_which_licence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # one line a data set
    words = bench("data", "list").words
    assert "raw files: 0/2 not prepared CC BY 4.0" in words
    assert "embedded" in words
    assert "not to be" in words
    assert not list(Path.cwd().iterdir())


def test_data_list_survives_a_damaged_data_set(bench: Bench) -> None:
    bench("data", "prepare", "digits")
    Path("data/prepared/digits/meta.json").write_text("{")
    ended = bench("data", "list")
    assert ended.code == 0
    assert "damaged" in ended.words
    assert "adult" in ended.words


def test_embedded_data_needs_no_fetching_and_no_checking(bench: Bench) -> None:
    assert bench("data", "get", "digits").words == "digits: nothing to fetch, it is embedded."
    assert bench("data", "check", "digits").words == "digits is embedded: nothing to check."


def test_data_prepare_says_what_it_made(bench: Bench) -> None:
    ended = bench("data", "prepare", "digits", "--data", "elsewhere")
    assert ended.code == 0
    assert ended.words.startswith("digits: train 900, validation 450, test 447; hash ")
    assert Path("elsewhere/prepared/digits/meta.json").exists()
    before = bench("data", "list").words.count("not prepared")
    assert bench("data", "list", "--data", "elsewhere").words.count("not prepared") == before - 1


def test_data_check_tells_official_files_from_others(bench: Bench) -> None:
    folder = Path("data/raw/adult")
    folder.mkdir(parents=True)
    for name in ("adult.data", "adult.test"):
        (folder / name).write_text("changed\n")
    ended = bench("data", "check", "adult")
    assert ended.code == 0
    assert ended.words.count("NOT the official file") == 2
    assert "data/raw/adult/adult.test" in ended.words


def test_data_check_knows_the_official_files(
    bench: Bench, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_MIRROR", str(mirror))
    words = bench("data", "check", "adult").words
    assert words.count(" official") == 2
    assert "NOT" not in words
    assert bench("data", "get", "adult").words == "adult: nothing to fetch, it is already here."


# Reading options


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("", []),
        ("1", [0]),
        ("5", [0, 1, 2, 3, 4]),
        ("0,3,7", [0, 3, 7]),
        ("3,", [3]),
        ("7, 0", [7, 0]),
        ("2-6", [2, 3, 4, 5, 6]),
        ("4-4", [4]),
    ],
)
def test_seeds_are_a_number_a_list_or_a_range(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["0", "x", "-3", "6-2", "1-2-3", "1,1", "0,-1", "1.5", ",", "1e3", "²", "2-"]
)
def test_seeds_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--seeds: "):
        parse_seeds(text)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=8, unique=True))
def test_a_list_of_seeds_survives_being_written_and_read(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == seeds


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("bade", ["bade"]),
        ("bade,standard", ["bade", "standard"]),
        (" bade , standard,", ["bade", "standard"]),
        ("bade[strength=auto,loss=kd],mfd", ["bade[strength=auto,loss=kd]", "mfd"]),
        ("income|sex", ["income|sex"]),
    ],
)
def test_names_are_split_at_commas_outside_brackets(text: str, names: list[str]) -> None:
    assert split_names(text) == names


WORD = st.text("abcdefgh_|=.0123456789", min_size=1, max_size=6)
NAME = st.builds(
    lambda base, fields: f"{base}[{','.join(fields)}]" if fields else base,
    WORD,
    st.lists(WORD, max_size=3),
)


@given(st.lists(NAME, max_size=5))
def test_names_survive_being_joined_and_split(names: list[str]) -> None:
    assert split_names(",".join(names)) == names


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        ([], {}),
        (["bade.strength=auto"], {"bade": {"strength": "auto"}}),
        (["bade.strength=0.5", "bade.loss=kd"], {"bade": {"strength": 0.5, "loss": "kd"}}),
        (["training.learning_rate=1e-3"], {"training": {"learning_rate": 0.001}}),
        (["training.epochs=3", "mfd.weight=7"], {"training": {"epochs": 3}, "mfd": {"weight": 7}}),
        (["a.b=c=d"], {"a": {"b": "c=d"}}),
        ([" a . b = 1 "], {"a": {"b": 1}}),
        (["a.b=1", "a.b=2"], {"a": {"b": 2}}),
    ],
)
def test_settings_are_grouped_by_what_they_belong_to(
    texts: list[str], settings: dict[str, dict[str, object]]
) -> None:
    assert parse_settings(texts) == settings


@pytest.mark.parametrize("text", ["", "a", "a=1", "a.b", ".b=1", "a.=1", "=1"])
def test_settings_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not of the form method.field=value"):
        parse_settings([text])


def test_the_command_is_shown_so_that_it_can_be_pasted() -> None:
    shown = command_line(["--suite", "adult", "--tasks", "income|sex"])
    assert shown == "bench --suite adult --tasks 'income|sex'"


@pytest.mark.parametrize("command", ["report", "log"])
def test_without_a_folder_of_results_there_is_nothing_to_show(bench: Bench, command: str) -> None:
    assert_one_line(bench(command), "results", "`bench --suite NAME`", "--out")
    assert not Path("site").exists()


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ("nonsense", "No such command 'nonsense'."),
        ("--suite adult --jobs few", "Invalid value for '--jobs': Input should be a valid integer"),
        ("--methodz x", "No such option: --methodz (Possible options: --methods)"),
        (
            "--suite digits --timeout 0",
            "Invalid value for '--timeout': Input should be",
        ),
        (
            "--suite digits --timeout soon",
            "Invalid value for '--timeout': Input should",
        ),
        ("report --interval q", "Invalid value for '--interval': "),
        ("show", "Missing argument 'METHOD'."),
        ("--jobs", "Option '--jobs' requires an argument."),
    ],
)
def test_what_no_command_takes_is_one_line_too(bench: Bench, arguments: str, start: str) -> None:
    assert_one_line(bench(*arguments.split()), start)
