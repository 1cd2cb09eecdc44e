"""Libraries of prepared data that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from picture_examples import write_celeba, write_cifar10, write_mnist, write_utkface

from benchmarks.data.dataset import Library

PICTURES = ("biased_cifar10", "celeba", "cifar10", "colored_mnist", "mnist", "utkface")


@pytest.fixture(scope="session")
def example_pictures(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every picture data set, prepared from small files in the official layouts; read only."""
    made = Library(tmp_path_factory.mktemp("pictures"))
    for write in (write_celeba, write_cifar10, write_mnist, write_utkface):
        write(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCH_MIRROR", raising=False)
        for name in PICTURES:
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
