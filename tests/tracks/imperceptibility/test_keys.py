"""What decides the key of an attack's trial: images, weights that judges read, published ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.data.colouring import CorrelationOptions
from bench.learning.settings import Training
from bench.method import make
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.runner.plan import scope, spec
from bench.suites.tasks import TaskSpec
from bench.tracks.debiasing.contract import DebiasingOptions
from bench.tracks.imperceptibility.contract import ImperceptibilityOptions

TASK = TaskSpec(
    "digits",
    "digit|ink",
    CorrelationOptions(),
    Training(backbone="squeezenet1_1", weights="published"),
    "imperceptibility",
    ImperceptibilityOptions(images=20),
)
METHOD = make("no_attack", {})


def key(data: Path, task: TaskSpec = TASK) -> str:
    return spec("toy", task, METHOD, 0, None, WeightsFolder(data)).key


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "weights"
    folder.mkdir(parents=True)
    return folder


def test_more_images_are_another_trial_on_the_same_classifier(tmp_path: Path) -> None:
    more = replace(TASK, track_options=ImperceptibilityOptions(images=30))
    assert key(tmp_path, more) != key(tmp_path)
    assert scope(more, 0, "", MIRROR_ALONE) == scope(TASK, 0, "", MIRROR_ALONE)
    assert (TASK.name, more.name) == (
        "digits digit|ink [images=20] attacked", "digits digit|ink [images=30] attacked",
    )  # fmt: skip


def test_weights_that_are_fetched_later_make_another_trial(weights: Path, tmp_path: Path) -> None:
    before = key(tmp_path)
    (weights / "squeezenet1_1.pth").write_bytes(b"some")
    with_classifier = key(tmp_path)
    (weights / "dists_weights.pt").write_bytes(b"heads")
    with_judge = key(tmp_path)
    (weights / "squeezenet1_1.pth").write_bytes(b"others")
    assert len({before, with_classifier, with_judge, key(tmp_path)}) == 4


def test_other_tracks_keep_their_keys_whatever_weights_are_here(
    weights: Path, tmp_path: Path
) -> None:
    task = replace(
        TASK,
        training=Training(backbone="small_cnn"),
        track="debiasing",
        track_options=DebiasingOptions(),
    )
    before = spec("toy", task, make("standard", {}), 0, None, WeightsFolder(tmp_path)).key
    (weights / "dists_weights.pt").write_bytes(b"heads")
    assert spec("toy", task, make("standard", {}), 0, None, WeightsFolder(tmp_path)).key == before


def test_a_network_of_saliency_that_is_brought_along_counts(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(tmp_path)
    for suffix in (".py", ".safetensors"):
        (weights / f"egnet{suffix}").write_text(suffix)
    monkeypatch.setenv("BENCH_SALIENCY", str(weights / "egnet.py"))
    after = key(tmp_path)
    (weights / "egnet.safetensors").write_text("trained longer")
    assert len({before, after, key(tmp_path)}) == 3
