"""Libraries of prepared data that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.dataset import Library
from tests.data.country_examples import write_people, write_photographs
from tests.data.picture_examples import (
    write_celeba,
    write_cifar10,
    write_covid_ct,
    write_imagenet200,
    write_mnist,
    write_utkface,
)
from tests.data.sound_examples import write_fsdd, write_speech_commands
from tests.data.text_examples import write_complaints, write_imdb
from tests.data.traffic_examples import write_cicids2017, write_nsl_kdd

PICTURES = (
    "biased_cifar10", "celeba", "cifar10", "cifar10_light", "colored_mnist", "covid_ct",
    "imagenet200", "imagenet_geo", "mnist", "utkface",
)  # fmt: skip
SOUNDS, TEXTS = ("fsdd", "speech_commands"), ("consumer_complaints", "imdb")
TRAFFIC, PEOPLE = ("cicids2017", "nsl_kdd"), ("adult_country",)


@pytest.fixture(scope="session")
def example_pictures(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every picture data set, prepared from small files in the official layouts; read only."""
    made = Library(tmp_path_factory.mktemp("pictures"))
    for write in (
        write_celeba, write_cifar10, write_covid_ct, write_imagenet200, write_mnist, write_utkface,
        write_photographs,
    ):  # fmt: skip
        write(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCH_MIRROR", raising=False)
        for name in PICTURES:
            made.prepare(name)
    return made


@pytest.fixture(scope="session")
def example_signals(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every data set of sounds, texts and traffic, prepared from small files; read only."""
    made = Library(tmp_path_factory.mktemp("signals"))
    write_fsdd(made)
    write_speech_commands(made)
    write_imdb(made)
    write_complaints(made)
    write_nsl_kdd(made)
    write_cicids2017(made)
    write_people(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCH_MIRROR", raising=False)
        for name in (*SOUNDS, *TEXTS, *TRAFFIC, *PEOPLE):
            made.prepare(name)
    return made


@pytest.fixture(scope="session")
def real_signals(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """FSDD, IMDB, the complaints and NSL-KDD, prepared from real files; read only."""
    made = Library(tmp_path_factory.mktemp("real_signals"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_MIRROR", str(mirror))
        for name in ("fsdd", *TEXTS, "nsl_kdd"):
            if not (mirror / name).is_dir():
                pytest.skip(f"needs {name}/ in the folder that BENCH_MIRROR names")
            made.prepare(name)
    return made


@pytest.fixture(scope="session")
def real_pictures(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """MNIST and CIFAR-10 and what is made of them, prepared from real files; read only."""
    made = Library(tmp_path_factory.mktemp("real_pictures"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_MIRROR", str(mirror))
        for name, folder in (
            ("mnist", "mnist"),
            ("colored_mnist", "mnist"),
            ("cifar10", "cifar10"),
            ("biased_cifar10", "cifar10"),
        ):
            if not (mirror / folder).is_dir():
                pytest.skip(f"needs {folder}/ in the folder that BENCH_MIRROR names")
            made.prepare(name)
    return made
