"""What every data set must have: a plug-in is a file, and this module runs over all of them."""

from __future__ import annotations

import re
from itertools import product

import pytest

from benchmarks.data.dataset import Library, data_set, data_sets
from benchmarks.data.prepared import SPLITS
from benchmarks.errors import UsageError

TASKS = [(name, task) for name, data in data_sets().items() for task in data.tasks]
REAL = ("adult", "meps")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every data set that needs no download; read only."""
    made = Library(tmp_path_factory.mktemp("embedded"))
    for name, data in data_sets().items():
        if not data.files:
            made.prepare(name)
    return made


@pytest.fixture
def prepared_library(request: pytest.FixtureRequest, name: str) -> Library:
    if not data_set(name).files:
        return request.getfixturevalue("embedded")
    if name in REAL:
        return request.getfixturevalue("real_library")
    pytest.skip(f"{name} needs a download")


def test_the_known_data_sets_are_found_by_their_files() -> None:
    assert {"adult", "digits", "meps"} <= set(data_sets())


@pytest.mark.parametrize("name", data_sets())
def test_a_data_set_says_what_it_is(name: str) -> None:
    data = data_set(name)
    assert data.name == name
    assert len(data.title) > 3
    assert len(data.licence) > 3
    assert data.homepage.startswith("https://")
    assert data.kind in ("table", "image")
    assert data.recipe >= 1
    assert data.tasks
    assert (type(data).__doc__ or "").strip()


@pytest.mark.parametrize("name", data_sets())
def test_a_data_set_knows_its_files_and_their_checksums(name: str) -> None:
    for file in data_set(name).files:
        assert file.url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert "/" not in file.name


@pytest.mark.parametrize("name", data_sets())
def test_options_have_defaults_and_notes_can_be_written_from_them(name: str) -> None:
    data = data_set(name)
    assert all(isinstance(note, str) and note for note in data.notes(data.options()))


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_task_is_named_after_target_and_bias(name: str, task: str) -> None:
    definition = data_set(name).tasks[task]
    assert task == f"{definition.target}|{definition.bias}"
    if definition.published:
        assert definition.published.startswith(f"{name}/")


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_target_and_bias_exist_and_bias_has_two_values(
    name: str, task: str, prepared_library: Library
) -> None:
    meta = prepared_library.meta(name)
    assert meta is not None
    definition = data_set(name).tasks[task]
    assert len(meta.attributes[definition.target]) >= 2
    assert len(meta.attributes[definition.bias]) == 2
    if meta.kind == "table":
        assert meta.columns is not None
        assert len(meta.columns) == meta.shape[0]


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_every_split_has_every_cell_of_target_and_bias(
    name: str, task: str, prepared_library: Library
) -> None:
    meta = prepared_library.meta(name)
    assert meta is not None
    definition = data_set(name).tasks[task]
    splits = prepared_library.splits(name, task, data_set(name).options())
    classes = range(len(meta.attributes[definition.target]))
    assert tuple(splits) == SPLITS
    for split, labelled in splits.items():
        assert len(labelled.x) == len(labelled.y) == len(labelled.b) == meta.sizes[split]
        assert labelled.x.shape[1:] == data_set(name).shape(meta)
        cells = set(zip(labelled.y.tolist(), labelled.b.tolist(), strict=True))
        assert cells == set(product(classes, (0, 1)))


def test_an_unknown_data_set_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r'unknown data set "adlut". Did you mean "adult"\?'):
        data_set("adlut")
