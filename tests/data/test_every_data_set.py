"""What every data set must have: a plug-in is a file, and this module runs over all of them."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import numpy as np
import pytest

from bench.cli.data import parse_options
from bench.data.dataset import Library, data_set, data_sets
from bench.data.prepared import SPLITS, Kind
from bench.errors import UsageError
from bench.tracks.registry import tracks

TRAINABLE = {name: data for name, data in data_sets().items() if not data.evaluation_only}
"""The others have a test split alone: see their own tests."""
TASKS = [(name, task) for name, data in TRAINABLE.items() for task in data.listed_tasks]
REAL = ("adult", "meps")
STORED = {"image": np.uint8, "table": np.float32, "sound": np.int16, "text": np.int64}


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
    if data_set(name).kind != "image":
        return request.getfixturevalue("example_signals")
    return request.getfixturevalue("example_pictures")


def test_the_known_data_sets_are_found_by_their_files() -> None:
    assert set(data_sets()) >= {
        "adult", "adult_country", "biased_cifar10", "celeba", "cicids2017", "cifar10",
        "cifar10_light", "colored_mnist", "consumer_complaints", "covid_ct", "digits", "fsdd",
        "imagenet200", "imagenet_geo", "imdb", "meps", "mnist", "nsl_kdd", "speech_commands",
        "utkface",
    }  # fmt: skip


@pytest.mark.parametrize("name", data_sets())
def test_a_data_set_says_what_it_is(name: str) -> None:
    data = data_set(name)
    assert data.name == name
    assert len(data.title) > 3
    assert len(data.licence) > 3
    assert all(option.description for option in data.options.model_fields.values())
    assert data.homepage.startswith("https://")
    assert data.kind in get_args(Kind)
    assert data.revision >= 1
    assert data.tasks
    assert set(data.listed) <= set(data.tasks)
    assert bool(data.listed) == bool(data.further)
    assert (type(data).__doc__ or "").strip()


@pytest.mark.parametrize("name", data_sets())
def test_a_data_set_knows_its_files_and_their_checksums(name: str) -> None:
    for file in data_set(name).files:
        assert "/" not in file.name
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.md5 is None or re.fullmatch("[0-9a-f]{32}", file.md5)
        if file.url is None:
            assert file.location
            assert data_set(name).consent
        else:
            assert file.url.startswith("https://")
            assert file.checksum


@pytest.mark.parametrize("name", data_sets())
def test_options_have_defaults_and_notes_can_be_written_from_them(name: str) -> None:
    data = data_set(name)
    assert all(isinstance(note, str) and note for note in data.notes(data.options()))


@pytest.mark.parametrize("name", data_sets())
def test_a_variant_names_a_folder_and_no_track_has_an_option_of_the_same_name(name: str) -> None:
    data = data_set(name)
    assert re.fullmatch(r"[\w.-]*", data.variant(data.options()))
    for track in tracks().values():
        assert all(option.description for option in track.options.model_fields.values())
        assert track.options.model_fields.keys().isdisjoint(data.options.model_fields)


@pytest.mark.parametrize("name", data_sets())
def test_every_task_is_named_after_target_and_bias(name: str) -> None:
    for task, definition in data_set(name).tasks.items():
        against = definition.group or definition.bias
        bias = f"|{against}" if against else ""
        assert task == f"{definition.target}{bias}"
        if definition.published:
            assert definition.published.startswith(f"{name}/")


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_target_and_bias_exist_and_bias_has_two_values(
    name: str, task: str, prepared_library: Library
) -> None:
    meta = prepared_library.meta(name)
    assert meta is not None
    definition = data_set(name).tasks[task]
    if definition.target in meta.attributes:
        assert len(meta.attributes[definition.target]) >= 2
    else:
        assert definition.target in meta.stored
    if definition.bias:
        assert len(meta.attributes[definition.bias]) == 2
    if definition.group:
        assert len(meta.covariates[definition.group]) == len(meta.attributes[definition.group]) > 2
        assert definition.covariate
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
    # So few samples fill every cell only where the bias is weak.
    weak = {"correlation": 0.2} if "correlation" in data_set(name).options.model_fields else {}
    splits = prepared_library.splits(name, task, data_set(name).options(**weak))
    assert tuple(splits) == SPLITS
    for split, labelled in splits.items():
        assert len(labelled.x) == len(labelled.y) == len(labelled.b) == meta.sizes[split]
        assert labelled.x.shape[1:] == data_set(name).shape(meta)
        assert labelled.b.dtype == np.int64
        groups = (0, 1) if definition.bias else (0,)
        if definition.target in meta.attributes:
            assert labelled.y.dtype == np.int64
            if definition.group:  # a small country may be missing from a split, or have one class
                assert set(labelled.b.tolist()) <= set(
                    range(len(meta.attributes[definition.group]))
                )
                assert set(labelled.y.tolist()) == set(
                    range(len(meta.attributes[definition.target]))
                )
                continue
            cells = set(zip(labelled.y.tolist(), labelled.b.tolist(), strict=True))
            classes = range(len(meta.attributes[definition.target]))
            assert cells == set(product(classes, groups))
        else:
            assert labelled.y.dtype == np.float32
            assert labelled.y.min() >= 0
            assert labelled.y.max() <= 1
            assert set(labelled.b.tolist()) == set(groups)
        assert labelled.x.dtype == STORED[data_set(name).kind]
        if data_set(name).kind == "image":
            assert labelled.x.shape[1] == 3


@pytest.mark.parametrize("name", TRAINABLE)
def test_features_are_what_networks_see(name: str, prepared_library: Library) -> None:
    data, meta = data_set(name), prepared_library.meta(name)
    assert meta is not None
    x = prepared_library.splits(name, next(iter(data.listed_tasks)), data.options())["test"].x
    features = data.features(x, meta)
    assert features.shape == (len(x), *data.feature_shape(meta))
    if data.kind == "sound":
        assert features.dtype == np.float32
        assert np.isfinite(features).all()
    else:
        assert features is x
    if data.kind == "text":
        assert meta.columns is not None
        assert x.min() >= 0
        assert x.max() < len(meta.columns)


def test_an_unknown_data_set_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r'unknown data set "adlut". Did you mean "adult"\?'):
        data_set("adlut")


def test_options_are_read_from_the_command_line() -> None:
    options = parse_options(data_set("celeba"), ["size=224", "crop=160"])
    assert options.model_dump(exclude_defaults=True) == {"size": 224, "crop": 160}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size", '--option: "size" is not of the form key=value.'),
        ("siez=64", '--option: unknown option "siez". Did you mean "size"?'),
        ("size=big", "--option size: input should be a valid integer."),
        ("size=4", "--option size: input should be greater than or equal to 8."),
    ],
)
def test_a_wrong_option_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_options(data_set("celeba"), [text])
    assert str(error.value).startswith(message)
