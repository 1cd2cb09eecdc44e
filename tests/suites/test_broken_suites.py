"""Mistakes in suite files: each is told with its file, its line and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import SuiteError
from bench.suites.reader import read_suite

GOOD = """\
title: Toy
training:
  backbone: small_cnn
  epochs: 2
seeds: 2
tasks:
  - data: digits
    task: parity|ink
    training:
      batch_size: 32
methods:
  - standard
  - bade:
      strength: 0.5
"""

# what is wrong: (written instead of, this, line, parts of the message)
BROKEN: dict[str, tuple[str, str, int, list[str]]] = {
    "unknown key": (
        "seeds: 2", "sedes: 2", 5, ["sedes", 'unknown key "sedes". Did you mean "seeds"?'],
    ),
    "key twice": ("  epochs: 2", "  epochs: 2\n  epochs: 3", 5, ['key "epochs" is given twice']),
    "no title": ("title: Toy\n", "", 1, ["title: is missing"]),
    "no task name": ("    task: parity|ink\n", "", 7, ["tasks.0.task: is missing"]),
    "seeds in words": ("seeds: 2", "seeds: two", 5, ["seeds: a whole number or a list", "'two'"]),
    "no seed": ("seeds: 2", "seeds: 0", 5, ["seeds: give at least one seed"]),
    "a seed twice": ("seeds: 2", "seeds: [1, 1]", 5, ["none twice"]),
    "a negative seed": ("seeds: 2", "seeds: [-1]", 5, ["from 0 to 2,147,483,647"]),
    "a seed beyond all bounds": ("seeds: 2", f"seeds: [{2**31}]", 5, ["from 0 to 2,147,483,647"]),
    "seeds without end": ("seeds: 2", "seeds: 300000000", 5, ["seeds: more than 10,000 seeds"]),
    "seeds beyond 64 bits": ("seeds: 2", f"seeds: {2**70}", 5, ["beyond 64 bits"]),
    "an integer of 5,000 digits": ("seeds: 2", f"seeds: {'9' * 5000}", 5, ["beyond 64 bits"]),
    "a sexagesimal without end": ("seeds: 2", f"seeds: {'1:' * 9000}1", 5, ["a whole number"]),
    "a matrix without end": (
        "      strength: 0.5",
        "      matrix: {strength: [0.1, 0.2, 0.3], epochs: [" + ", ".join(map(str, range(999)))
        + "]}",
        11, ["methods: with their matrices, these are 2,997; a suite may have 2,000."],
    ),
    "a task's matrix without end": (
        "    task: parity|ink",
        "    task: parity|ink\n    matrix:\n"
        + "".join(f"      f{n}: [{', '.join(map(str, range(100)))}]\n" for n in range(20)),
        6, ["tasks: with their matrices, these are 10,000,000,000,0"],
    ),
    "eight nested aliases": (
        "title: Toy",
        "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(8)) + "title: Toy",
        4, ["more than 10,000 keys and values"],
    ),
    "an alias to itself": ("title: Toy", "title: &a [*a]", 1, ["an alias to itself"]),
    "ten thousand brackets": ("title: Toy", "title: " + "[" * 10_000, 1, ["20 levels deep"]),
    "NUL": ("title: Toy", "title: T\0y", 1, ["U+0000 cannot be shown"]),
    "an escaped NUL": ("title: Toy", r'title: "T\0y"', 1, ["U+0000 cannot be shown"]),
    "ESC": ("title: Toy", r'title: "\e[2J"', 1, ["U+001B cannot be shown"]),
    "no character": ("title: Toy", r'title: "\uFFFE"', 1, ["U+FFFE cannot be shown"]),
    "a tag": ("title: Toy", "title: !!python/name:os.system x", 1, ["is not allowed"]),
    "half a seed": ("seeds: 2", "seeds: [0, 1.5]", 5, ["seeds.1: a whole number", "1.5"]),
    "unknown data set": (
        "data: digits", "data: digit", 7, ["tasks.0.data", 'unknown data set "digit". Did you me'],
    ),
    "unknown task": (
        "parity|ink", "parity|inc", 8, ['unknown task "parity|inc". Did you mean "parity|ink"?'],
    ),
    "unknown task field": (
        "    task: parity|ink", "    task: parity|ink\n    corelation: 1", 9,
        ["tasks.0.corelation", 'unknown field "corelation". Did you mean "correlation"?'],
    ),
    "misspelt training": (
        "    training:\n      batch", "    traning:\n      batch", 9, ['Did you mean "training"?'],
    ),
    "training setting outside training": (
        "    task: parity|ink", "    task: parity|ink\n    epochs: 3", 9,
        ["tasks.0.epochs", "write it under training"],
    ),
    "impossible option": (
        "    task: parity|ink", "    task: parity|ink\n    correlation: 2", 9,
        ["tasks.0.correlation", "less than or equal to 1", "(given: 2)"],
    ),
    "unknown training setting": (
        "  epochs: 2", "  epoch: 2", 4,
        ["training.epoch", 'unknown training setting "epoch". Did you mean "epochs"?'],
    ),
    "unknown training setting of a task": (
        "batch_size", "batchsize", 10, ["tasks.0.training.batchsize", 'Did you mean "batch_size"'],
    ),
    "no epochs": ("epochs: 2", "epochs: 0", 4, ["training.epochs", "equal to 1 (given: 0)"]),
    "epochs in words": ("epochs: 2", "epochs: few", 4, ["a whole number is expected", "'few'"]),
    "a list of epochs": ("epochs: 2", "epochs: [1, 2]", 4, ["training.epochs", "a whole number"]),
    "empty batches": ("batch_size: 32", "batch_size: 0", 10, ["tasks.0.training.batch_size"]),
    "unknown selection": (
        "epochs: 2", "selection: best", 4, ["'validation', 'test' or 'last' (given: 'best')"],
    ),
    "unknown backbone": (
        "small_cnn", "smal_cnn", 3,
        ["training.backbone", 'unknown backbone "smal_cnn". Did you mean "small_cnn"?'],
    ),
    "backbone of the wrong kind": (
        "small_cnn", "mlp", 3, ["training.backbone", 'backbone "mlp" takes ', "resnet18, "],
    ),
    "empty tasks": (
        "  - data: digits\n    task: parity|ink\n    training:\n      batch_size: 32\n", "", 6,
        ["tasks: a list is expected"],
    ),
    "a task that is a word": (
        "  - data: digits\n    task: parity|ink\n    training:\n      batch_size: 32", "  - digits",
        7, ["tasks.0: a mapping is expected (given: 'digits')"],
    ),
    "a task twice": (
        "methods:", "  - {data: digits, task: parity|ink}\nmethods:", 6,
        ['tasks: task "digits parity|ink" is listed twice'],
    ),
    "unknown track": (
        "    task: parity|ink", "    task: parity|ink\n    track: fairness", 9,
        ["tasks.0.track", 'unknown track "fairness"', "robust_fairness"],
    ),
    "poisoning without an attack": (
        "    task: parity|ink", "    task: parity|ink\n    track: poisoning", 9,
        ["tasks.0.track", "names its attack"],
    ),
    "groups where there are two": (
        "    task: parity|ink", "    task: parity|ink\n    track: robust_fairness", 9,
        ["tasks.0.track", "digits parity|ink has no column of groups"],
    ),
    "an option of another track": (
        "    task: parity|ink", "    task: parity|ink\n    images: 20", 9,
        ["tasks.0.images", "It is an option of imperceptibility, not of debiasing."],
    ),
    "planted triggers in images that are attacked": (
        "    task: parity|ink",
        "    task: parity|ink\n    track: imperceptibility\n    artificial: true", 10,
        ["tasks.0.artificial", "It is an option of debiasing, not of imperceptibility."],
    ),
    "an attack on a track without one": (
        "    task: parity|ink", "    task: parity|ink\n    attack: badnets\n    track: debiasing",
        10, ["tasks.0.track", "a task of the debiasing track has none; leave `attack` out"],
    ),
    "a figure of another track": (
        "methods:", "figures: [{kind: groups, title: T, values: [odds]}]\nmethods:", 11,
        ["figures.0.kind: a figure of kind groups needs tasks of robust_fairness"],
    ),
    "a player that is not in the suite": (
        "    task: parity|ink", "    task: parity|ink\n    methods: [bad]", 9,
        ["tasks.0.methods.0", 'unknown method of this suite "bad". Did you mean "bade"?'],
    ),
    "a player of another track": (
        "    task: parity|ink",
        "    task: parity|ink\n    track: imperceptibility\n    methods: [bade]", 10,
        ["tasks.0.methods.0: bade cannot play tasks of the track imperceptibility"],
    ),
    "task matrix without lists": (
        "    task: parity|ink", "    task: parity|ink\n    matrix: {correlation: 1}", 9,
        ["tasks.0.matrix.correlation: a list is expected (given: 1)"],
    ),
    "task matrix with an empty list": (
        "    task: parity|ink", "    task: parity|ink\n    matrix: {correlation: []}", 9,
        ["tasks.0.matrix.correlation: give at least one value"],
    ),
    "unknown field in a task matrix": (
        "    task: parity|ink", "    task: parity|ink\n    matrix: {epoch: [1]}", 9,
        ["tasks.0.matrix.epoch", 'unknown field "epoch". Did you mean "epochs"?'],
    ),
    "impossible value in a task matrix": (
        "    task: parity|ink", "    task: parity|ink\n    matrix: {correlation: [0, 2]}", 9,
        ["tasks.0.matrix.correlation", "(given: 2)"],
    ),
    "unknown method": (
        "- standard", "- standrad", 12,
        ["methods.0", 'unknown method "standrad". Did you mean "standard"?', "mfd"],
    ),
    "swapped letters": ("- bade:", "- baed:", 13, ['Did you mean "bade"?']),
    "unknown field of a method": (
        "strength: 0.5", "strenght: 0.5", 14,
        ["methods.1.bade.strenght", 'unknown field "strenght". Did you mean "strength"?'],
    ),
    "impossible strength": ("strength: 0.5", "strength: 2", 14, ["equal to 1", "(given: 2)"]),
    "strength in words": ("strength: 0.5", "strength: full", 14, ["'auto'", "(given: 'full')"]),
    "endless temperature": ("strength: 0.5", "temperature: .inf", 14, ["bade.temperature"]),
    "a date": ("strength: 0.5", "loss: 2020-01-01", 14, ["bade.loss", "(given: '2020-01-01')"]),
    "a method with a number": (
        "- bade:\n      strength: 0.5", "- bade: 3", 13, ["methods.1.bade: a mapping is expected"],
    ),
    "a method that is a number": ("- standard", "- 3", 12, ["methods.0: text or a mapping is exp"]),
    "two methods in one entry": (
        "      strength: 0.5", "    mfd:", 13, ["methods.1: one method an entry"],
    ),
    "a method twice": (
        "- bade:\n      strength: 0.5", "- standard", 11, ['method "standard" is listed twice'],
    ),
    "a method twice, written in two ways": (
        "- standard", "- bade: {strength: 0.50}", 11,
        ['method "bade[strength=0.5]" is listed twice'],
    ),
    "method matrix without lists": (
        "strength: 0.5", "matrix: {strength: 0.5}", 14, ["a matrix maps fields to lists of values"],
    ),
    "method matrix with an empty list": (
        "strength: 0.5", "matrix: {strength: []}", 14, ["methods.1.bade.matrix"],
    ),
    "unknown field in a method matrix": (
        "strength: 0.5", "matrix: {strenght: [1]}", 14, ["bade.matrix.strenght", "Did you mean"],
    ),
    "not YAML": ("seeds: 2", "seeds: [2", 6, ["not YAML (expected ',' or ']'"]),
    "a tab": ("  epochs: 2", "\tepochs: 2", 4, ["not YAML (found character '\\t'"]),
}  # fmt: skip


def message_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(SuiteError) as error:
        read_suite(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("what", BROKEN)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(tmp_path: Path, what: str) -> None:
    instead_of, this, line, parts = BROKEN[what]
    assert GOOD.count(instead_of) == 1
    broken = GOOD.replace(instead_of, this)
    message = message_of(tmp_path / "toy.yaml", broken.encode())
    assert message.startswith(f"{tmp_path}/toy.yaml, line {line}")
    for part in parts:
        assert part in message


def test_the_suite_that_these_mistakes_are_made_in_is_right(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(GOOD)
    assert [m.label for m in read_suite(tmp_path / "toy.yaml").methods] == [
        "standard",
        "bade[strength=0.5]",
    ]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"- a list\n", b"words"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, content: bytes) -> None:
    message = message_of(tmp_path / "toy.yaml", content)
    assert message == f"{tmp_path}/toy.yaml: a suite is a mapping with title, tasks and methods."


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    message = message_of(tmp_path / "toy.yaml", b"title: \xff\n")
    assert message.startswith(f"{tmp_path}/toy.yaml, line 1: not text in UTF-8")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"gone.yaml: cannot be read .*No such file"):
        read_suite(tmp_path / "gone.yaml")
