"""A classifier under attack: who it is, which images are attacked, what the judge measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.data.dataset import Labelled, Library, data_set
from bench.errors import BenchError, Skip, SuiteError
from bench.learning.loop import Context
from bench.learning.settings import Training
from bench.method import Paper
from bench.models import classifiers
from bench.models.pretrained import MissingWeights, WeightsFolder
from bench.tracks.imperceptibility import Attacker
from bench.tracks.imperceptibility.contract import ImperceptibilityOptions
from bench.tracks.imperceptibility.session import ImperceptibilitySession
from bench.tracks.session import PreparedTask

TRAINING = Training(backbone="small_cnn", epochs=8, batch_size=64, learning_rate=2e-3)
Perturb = Callable[[nn.Module, Tensor, Tensor, Context], Tensor]


@dataclass(frozen=True)
class Scripted(Attacker):
    """Attacks as it is told."""

    paper: ClassVar[Paper] = Paper("Nobody (2024)", "Nothing")
    script: Perturb = lambda model, x, y, context: x

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        return self.script(model, x, y, context)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("library"))
    made.prepare("digits")
    return made


@pytest.fixture(scope="module")
def prepared(library: Library, tmp_path_factory: pytest.TempPathFactory) -> PreparedTask:
    data, meta = data_set("digits"), library.meta("digits")
    assert meta is not None
    options = data.options()
    return PreparedTask(
        name="digits digit|ink attacked",
        data=data,
        meta=meta,
        parts=library.splits("digits", "digit|ink", options),
        definition=data.tasks["digit|ink"],
        options=ImperceptibilityOptions(images=30),
        training=TRAINING,
        attack=None,
        seed=0,
        device=torch.device("cpu"),
        scope={"of": "this test"},
        cache=tmp_path_factory.mktemp("cache"),
        weights=WeightsFolder(library.folder),
    )


@pytest.fixture(scope="module")
def session(prepared: PreparedTask) -> ImperceptibilitySession:
    return ImperceptibilitySession(prepared)


def one_step(length: float) -> Perturb:
    """Along the gradient of the loss, to a distance in L2."""

    def script(model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        z = x.clone().requires_grad_()
        loss = nn.functional.cross_entropy(model(z), y, reduction="sum")
        along = torch.autograd.grad(loss, z)[0]
        size = along.flatten(1).norm(dim=1)[:, None, None, None]
        return (x + length * along / size).clamp(0, 1)

    return script


def test_only_images_that_are_classified_right_are_attacked_and_the_first_of_these(
    session: ImperceptibilitySession, prepared: PreparedTask
) -> None:
    test = prepared.parts["test"]
    x = torch.from_numpy(np.array(test.x)).float() / 255
    with torch.no_grad():
        right = (session.model(x).argmax(dim=1) == torch.from_numpy(np.array(test.y))).nonzero()
    assert torch.equal(session.x, x[right[:30, 0]])
    assert session.accuracy == pytest.approx(len(right) / len(x))
    assert session.accuracy > 0.5


def test_an_attack_is_measured_from_outside(session: ImperceptibilitySession) -> None:
    evaluation = session.evaluate(Scripted(script=one_step(2.0)))
    metrics = evaluation.metrics
    assert metrics["success_rate"] > 0.5
    assert metrics["attacked"] == 30
    assert metrics["steps"] == 1.0
    assert 0 < metrics["l2"] <= 2.0
    assert metrics["linf"] <= metrics["l2"] <= metrics["l1"]
    assert metrics["seconds_per_image"] == pytest.approx(metrics["seconds"] / 30)
    assert len(evaluation.samples["l2"]) == round(30 * metrics["success_rate"])
    assert np.mean(evaluation.samples["l2"]) == pytest.approx(metrics["l2"], rel=1e-4)
    assert len(evaluation.pictures) == 4
    assert "lpips" in evaluation.undefined  # 8 pixels are too few for any of its networks
    assert str(session.context.chosen["saliency"]).startswith("SmoothGrad")


def test_images_that_stay_as_they_are_are_no_success(session: ImperceptibilitySession) -> None:
    evaluation = session.evaluate(Scripted())
    assert evaluation.metrics["success_rate"] == 0
    assert evaluation.metrics["steps"] == 0
    assert "l2" not in evaluation.metrics
    assert evaluation.samples == {}


def test_batches_do_not_change_what_comes_out(session: ImperceptibilitySession) -> None:
    sizes: list[int] = []

    def script(model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        sizes.append(len(x))
        return one_step(1.0)(model, x, y, context)

    whole = session.evaluate(Scripted(script=script)).metrics
    size, session.size = session.size, 7
    try:
        parts = session.evaluate(Scripted(script=script)).metrics
    finally:
        session.size = size
    assert sizes == [30, 7, 7, 7, 7, 2]
    timed = {"seconds", "seconds_per_image"}
    assert {k: v for k, v in parts.items() if k not in timed} == pytest.approx(
        {k: v for k, v in whole.items() if k not in timed}, rel=1e-3
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x + 0.1 + x.max(), "pixels run from 0 to 1"),
        (lambda x: x * float("nan"), "pixels run from 0 to 1"),
        (lambda x: x[:-1], "have shape"),
    ],
)
def test_what_is_no_image_is_refused(
    session: ImperceptibilitySession, wrong: Callable[[Tensor], Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        session.evaluate(Scripted(script=lambda model, x, y, context: wrong(x)))


def test_the_classifier_is_trained_once_and_shared(prepared: PreparedTask) -> None:
    again = ImperceptibilitySession(prepared)
    assert again.context.shared_seconds > 0
    kept = list(prepared.cache.glob("*.safetensors"))
    assert ImperceptibilitySession(prepared).accuracy == again.accuracy
    assert list(prepared.cache.glob("*.safetensors")) == kept


def test_grey_images_are_attacked_in_grey(prepared: PreparedTask) -> None:
    grey = {
        name: Labelled(np.repeat(part.x.max(axis=1, keepdims=True), 3, axis=1), part.y, part.b)
        for name, part in prepared.parts.items()
    }
    session = ImperceptibilitySession(replace(prepared, parts=grey, scope={"of": "grey"}))
    assert session.x.shape[1] == 1
    evaluation = session.evaluate(Scripted(script=one_step(2.0)))
    assert evaluation.metrics["success_rate"] > 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "squeezenet1_1"}, "comes trained and can only be attacked"),
        ({"backbone": "resnet18", "weights": "nowhere.pth"}, "does not exist"),
    ],
)
def test_what_cannot_be_attacked_is_told_so(
    prepared: PreparedTask, changes: dict[str, str], message: str
) -> None:
    training = TRAINING.model_copy(update=changes)
    with pytest.raises(BenchError, match=message):
        ImperceptibilitySession(replace(prepared, training=training))


def squeezenet(folder: Path) -> Path:
    """A file of weights nobody trained."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    save_file(state, folder / "squeezenet1_1.safetensors")
    return folder / "squeezenet1_1.safetensors"


def test_a_published_classifier_normalises_inside(tmp_path: Path) -> None:
    path = squeezenet(tmp_path)
    network = torchvision.models.squeezenet1_1(weights=None).eval()
    model = classifiers.published("squeezenet1_1", path)
    network.load_state_dict(model.network.state_dict())
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((x - mean[:, None, None]) / std[:, None, None])
    assert torch.allclose(model(x), expected, atol=1e-5)
    assert not any(p.requires_grad for p in model.parameters())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="is not torchvision's resnet50"):
        classifiers.published("resnet50", squeezenet(tmp_path))
    with pytest.raises(SuiteError, match="none of torchvision's classifiers"):
        classifiers.published("resnet5", tmp_path)


def test_published_weights_are_found_by_the_backbones_name(tmp_path: Path) -> None:
    weights = WeightsFolder(tmp_path)
    assert classifiers.weights_of("published", "squeezenet1_1", weights) is None
    path = squeezenet(tmp_path / "raw" / "weights")
    assert classifiers.weights_of("published", "squeezenet1_1", weights) == path
    assert classifiers.weights_of("mine.pth", "mlp", weights) == Path("mine.pth")
    assert classifiers.weights_of("", "mlp", weights) is None
    with pytest.raises(MissingWeights, match=r"--set training\.weights=densenet121"):
        classifiers.find("densenet121", weights)


def test_without_a_training_split_the_weights_are_published_ones(
    prepared: PreparedTask, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 64, 64), dtype=np.uint8)
    path = squeezenet(tmp_path / "raw" / "weights")
    model = classifiers.published("squeezenet1_1", path)
    y = model(torch.from_numpy(x).float() / 255).argmax(dim=1).numpy()
    y[3] = (y[3] + 1) % 1000
    data = data_set("imagenet_compatible")
    names = [str(n) for n in range(1000)]
    part = Labelled(x, y, np.zeros(4, np.int64))
    asked = replace(
        prepared,
        data=data,
        meta=prepared.meta.model_copy(
            update={"shape": [3, 64, 64], "attributes": {"class": names}}
        ),
        parts={"train": part, "validation": part, "test": part},
        definition=data.tasks["class"],
        options=ImperceptibilityOptions(),
        training=Training(backbone="squeezenet1_1", weights="published"),
        scope={"of": "published"},
        weights=WeightsFolder(tmp_path),
    )
    session = ImperceptibilitySession(asked)
    assert (len(session.y), session.accuracy) == (3, 0.75)
    evaluation = session.evaluate(Scripted(script=one_step(1.0)))
    assert evaluation.metrics["steps"] == 1
    with pytest.raises(BenchError, match="set `weights` to a file"):
        ImperceptibilitySession(replace(asked, training=Training(backbone="squeezenet1_1")))
    wrong = replace(part, y=(y + 500) % 1000)
    with pytest.raises(Skip, match="gets no test image right"):
        ImperceptibilitySession(
            replace(asked, parts={**asked.parts, "test": wrong}, scope={"of": "other labels"})
        )
