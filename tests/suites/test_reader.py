"""Suite files: what they expand to. How mistakes in them are told stands in test_broken_suites."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.data.celeba import FIGURE_3
from bench.data.dataset import data_set
from bench.errors import SuiteError, UsageError, printable
from bench.suites.reader import Suite, find_suite, read_suite, suite_names
from bench.suites.source import read_value
from bench.tracks.debiasing.contract import DebiasingOptions

TASK = "{data: digits, task: parity|ink}"
Read = Callable[..., Suite]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a suite whose tasks and methods are given as YAML, one a line."""

    def reader(
        tasks: str = TASK,
        methods: str = "standard",
        more: str = "",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Suite:
        lines = ["title: Toy", "training: {backbone: small_cnn}", more, "tasks:"]
        lines += [f"  - {line}" for line in tasks.splitlines()]
        lines += ["methods:", *(f"  - {line}" for line in methods.splitlines())]
        path = tmp_path / "toy.yaml"
        path.write_text("\n".join(lines))
        return read_suite(path, settings)

    return reader


def names(suite: Suite) -> list[str]:
    return [task.name for task in suite.tasks]


def labels(suite: Suite) -> list[str]:
    return [method.label for method in suite.methods]


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_that_comes_along_reads_without_error(name: str) -> None:
    suite = read_suite(find_suite(name))
    assert suite.name == name
    assert suite.title
    assert suite.description
    # Nothing is random about attacks on a published classifier, but for a few random starts.
    published = all(data_set(task.data).evaluation_only for task in suite.tasks)
    assert len(suite.seeds) >= (1 if name.endswith("_small") or published else 3)


SIBLINGS = [name for name in suite_names() if name.endswith("_small")]


def test_every_table_and_figure_of_the_papers_has_a_suite_and_a_small_form() -> None:
    papers = ("bade_", "labor_", "perceptual_dro_")
    whole = {name for name in suite_names() if name.startswith(papers)} - set(SIBLINGS)
    assert whole == {
        *(f"bade_{which}" for which in (
            "fig_2", "fig_3", "table_1", "table_3", "fig_5", "table_4", "table_5", "table_6",
            "fig_6", "table_7", "table_8")),
        *(f"labor_{which}" for which in (
            "table_3", "table_6", "table_7", "table_8", "table_9", "fig_2", "fig_3", "fig_4",
            "fig_5", "clean_label", "people")),
        *(f"perceptual_dro_{which}" for which in (
            "table_3_1", "table_3_2", "fig_3_1", "fig_3_2", "fig_3_3", "fig_3_4", "fig_3_5",
            "text_4", "fig_4_1", "fig_4_2")),
    }  # fmt: skip
    assert {f"{name}_small" for name in whole} == set(SIBLINGS)


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_small_form_shows_the_figures_of_the_whole(name: str) -> None:
    small, whole = (read_suite(find_suite(n)) for n in (name, name.removesuffix("_small")))
    assert [(f.kind, f.x, f.y, f.values) for f in small.figures] == [
        (f.kind, f.x, f.y, f.values) for f in whole.figures
    ]
    assert {m.name for m in small.methods} == {m.name for m in whole.methods}


def test_table_2_is_six_tasks_seven_methods_five_seeds() -> None:
    suite = read_suite(find_suite("celeba"))
    assert (len(suite.tasks), len(suite.methods), len(suite.seeds)) == (6, 7, 5)


def test_figure_5_is_every_share_in_steps_of_a_tenth() -> None:
    suite = read_suite(find_suite("bade_fig_5"))
    shares = {(m.parameters["rate_have"], m.parameters["rate_not_have"]) for m in suite.methods}
    tenths = {n / 10 for n in range(11)}
    assert shares == {(a, b) for a in tenths for b in tenths}


def test_figure_3_is_67_tasks_with_their_own_bias_and_with_triggers_in_its_place() -> None:
    suite = read_suite(find_suite("bade_fig_3"))
    for artificial in (False, True):
        options = DebiasingOptions(artificial=artificial)
        asked = [task.task for task in suite.tasks if task.track_options == options]
        assert sorted(asked) == sorted(FIGURE_3)
        assert len(asked) == 67


def test_a_task_entry_may_name_several_tasks(read: Read) -> None:
    suite = read(tasks="{data: digits, task: [parity|ink, digit|ink], artificial: true}")
    assert names(suite) == [
        "digits parity|ink [artificial=True]",
        "digits digit|ink [artificial=True]",
    ]


def test_a_figure_is_kept_and_checked(read: Read, tmp_path: Path) -> None:
    figure = "figures: [{kind: line, title: T, x: correlation, values: [odds]}]"
    [kept] = read(more=figure).figures
    assert (kept.kind, kept.x, kept.values) == ("line", "correlation", ["odds"])
    for wrong, message in (
        ("x: corelation, values: [odds]", 'unknown coordinate "corelation". Did you mean'),
        ("x: correlation, values: [ods]", 'unknown value "ods". Did you mean "odds"'),
        ("values: [odds]", "a figure of kind line needs x"),
        ("x: correlation, values: [odds], methods: [rnf]", 'unknown method "rnf"'),
    ):
        with pytest.raises(SuiteError, match=re.escape(message)):
            read(more=f"figures: [{{kind: line, title: T, {wrong}}}]")


def test_the_smallest_suite_has_five_seeds_and_the_defaults(read: Read) -> None:
    suite = read()
    assert (suite.name, suite.title, suite.description) == ("toy", "Toy", "")
    assert suite.seeds == (0, 1, 2, 3, 4)
    assert names(suite) == ["digits parity|ink"]
    assert labels(suite) == ["standard"]
    assert suite.tasks[0].training.backbone == "small_cnn"
    assert suite.tasks[0].training.epochs == 10


@pytest.mark.parametrize(
    ("seeds", "expected"), [("2", (0, 1)), ("[0, 3, 7]", (0, 3, 7)), ("[5]", (5,))]
)
def test_seeds_are_a_number_or_a_list(read: Read, seeds: str, expected: tuple[int, ...]) -> None:
    assert read(more=f"seeds: {seeds}").seeds == expected


def test_a_method_is_named_after_the_fields_that_differ_from_the_defaults(read: Read) -> None:
    suite = read(methods="bade\nbade: {strength: auto}\nbade: {temperature: 4, strength: 0.5}")
    assert labels(suite) == ["bade", "bade[strength=auto]", "bade[strength=0.5,temperature=4]"]


def test_a_task_is_named_after_the_options_that_differ_from_the_defaults(read: Read) -> None:
    suite = read(
        "{data: digits, task: parity|ink}\n{data: digits, task: digit|ink, correlation: 1}"
    )
    assert names(suite) == ["digits parity|ink", "digits digit|ink [correlation=1]"]


def test_a_matrix_of_method_fields_gives_every_combination(read: Read) -> None:
    suite = read(methods="bade: {square: 3, matrix: {strength: [0.25, auto], loss: [kd, mse]}}")
    assert labels(suite) == [
        "bade[strength=0.25,square=3]",
        "bade[strength=0.25,loss=mse,square=3]",
        "bade[strength=auto,square=3]",
        "bade[strength=auto,loss=mse,square=3]",
    ]


def test_a_matrix_of_task_fields_gives_every_task(read: Read) -> None:
    suite = read("{data: digits, task: parity|ink, matrix: {correlation: [0, 0.8, 1]}}")
    assert names(suite) == [
        "digits parity|ink [correlation=0]",
        "digits parity|ink",
        "digits parity|ink [correlation=1]",
    ]


def test_a_matrix_of_training_settings_tells_its_tasks_apart(read: Read) -> None:
    suite = read(
        "{data: digits, task: parity|ink, matrix: {correlation: [0.5, 0.8], epochs: [1, 10]}}"
    )
    assert names(suite) == [
        "digits parity|ink [correlation=0.5,epochs=1]",
        "digits parity|ink [correlation=0.5,epochs=10]",
        "digits parity|ink [epochs=1]",
        "digits parity|ink [epochs=10]",
    ]
    assert [task.training.epochs for task in suite.tasks] == [1, 10, 1, 10]


def test_a_tasks_own_training_goes_before_that_of_the_suite(read: Read) -> None:
    [first, second] = read(
        "{data: digits, task: parity|ink, training: {epochs: 3}}\n{data: digits, task: digit|ink}"
    ).tasks
    assert (first.training.epochs, second.training.epochs) == (3, 10)
    assert first.training.backbone == "small_cnn"


@pytest.mark.parametrize("number", ["1e-3", "1.0e-3", "1E-3", ".1e-2", "0.001"])
def test_a_learning_rate_may_be_written_as_people_write_it(read: Read, number: str) -> None:
    task = f"{{data: digits, task: parity|ink, training: {{learning_rate: {number}}}}}"
    assert read(task).tasks[0].training.learning_rate == 0.001


@pytest.mark.parametrize(
    "task",
    [
        TASK,
        "{data: digits, task: parity|ink, training: {epochs: 3}}",
        "{data: digits, task: parity|ink, matrix: {epochs: [1, 2]}}",
    ],
)
def test_training_set_on_the_command_line_goes_before_all_else(read: Read, task: str) -> None:
    suite = read(task, settings={"training": {"epochs": 7}})
    assert names(suite) == ["digits parity|ink"]
    assert suite.tasks[0].training.epochs == 7


def test_a_field_set_on_the_command_line_reaches_every_variant(read: Read) -> None:
    suite = read(
        methods="standard\nbade\nbade: {strength: auto}", settings={"bade": {"temperature": 4}}
    )
    assert labels(suite) == [
        "standard",
        "bade[temperature=4]",
        "bade[strength=auto,temperature=4]",
    ]


def test_variants_that_an_override_makes_equal_run_once(read: Read) -> None:
    suite = read(methods="bade\nbade: {strength: auto}", settings={"bade": {"strength": 0.5}})
    assert labels(suite) == ["bade[strength=0.5]"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training": {"epoch": 3}}, '--set: unknown training setting "epoch". Did you mean "epo'),
        ({"training": {"epochs": 0}}, "--set training.epochs: Input should be greater than or"),
        ({"training": {"epochs": "few"}}, "--set training.epochs: a whole number is expected (g"),
        ({"training": {"backbone": "mlp"}}, '--set training.backbone: backbone "mlp" takes '),
        ({"mfd": {"weight": 1}}, '--set: unknown method of this suite "mfd". Known: bade, stan'),
        ({"bade": {"strenght": 1}}, 'bade: unknown field "strenght". Did you mean "strength"?'),
        ({"bade": {"strength": 2}}, "bade.strength: Input should be less than or equal to 1"),
    ],
)
def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(
    read: Read, settings: dict[str, dict[str, Any]], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(methods="standard\nbade", settings=settings)
    assert str(error.value).startswith(message)


def test_a_suite_is_found_by_its_name_or_its_path(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("title: Own")
    assert find_suite(str(own)) == own
    assert find_suite("digits").name == "digits.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adlut", 'unknown suite "adlut". Did you mean "adult"?'),
        ("celeba9", 'unknown suite "celeba9".'),
        ("nowhere.yaml", "nowhere.yaml: no such suite file."),
    ],
)
def test_a_suite_that_is_nowhere_is_named(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        find_suite(name)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("0.5", 0.5),
        ("1e-05", 1e-05),
        ("-2E3", -2000.0),
        ("auto", "auto"),
        ("true", True),
        ("", None),
        ("2020-01-01", "2020-01-01"),
        ("1e", "1e"),
    ],
)
def test_a_value_is_read_as_a_suite_would_have_it(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1", "expected"),
        ("-_", "-_ is no int"),
        ("{a: 1, a: 2}", 'key "a" is given twice'),
        ("!!python/name:os.system", "the tag tag:yaml.org,2002:python/name:os.system is not"),
        ("\ufffe", "the character U+FFFE cannot be shown"),
    ],
)
def test_a_value_that_is_no_yaml_is_told_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        read_value(text)
    assert str(error.value).startswith(f'"{printable(text)}" is not a value ({problem}')
    assert "\n" not in str(error.value)


# --- Tracks and players ---


def test_an_attack_or_the_word_track_decides_a_tasks_track(read: Read) -> None:
    suite = read(
        "{data: digits, task: digit|ink}\n"
        "{data: digits, task: digit|ink, track: imperceptibility}\n"
        "{data: digits, task: digit|ink, attack: badnets, training: {selection: last}}"
    )
    assert [(task.name, task.track) for task in suite.tasks] == [
        ("digits digit|ink", "debiasing"),
        ("digits digit|ink attacked", "imperceptibility"),
        ("digits digit|ink under badnets", "poisoning"),
        ("digits digit|ink under clean", "poisoning"),
    ]


def test_a_task_may_name_its_players(read: Read) -> None:
    suite = read("{data: digits, task: parity|ink, methods: [bade]}", "standard\nbade\nrnf")
    assert [task.methods for task in suite.tasks] == [("bade",)]
