"""Tiny classifiers to attack, and trials to attack them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from bench.learning.loop import Context
from bench.learning.selection import Scores
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.models.pretrained import WeightsFolder

CPU = torch.device("cpu")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def context(seed: int = 0, data: Path | None = None) -> Context:
    """What an attack is given besides images and model; its weights lie in the folder `data`."""
    nothing = Split.of(torch.zeros(1, 1), torch.zeros(1).long(), torch.zeros(1).long())
    training = Training(epochs=1, batch_size=1, learning_rate=1e-3)
    score = lambda *_: Scores({}, (0.0,))  # noqa: E731
    return Context(seed, training, CPU, nothing, score, {}, weights=WeightsFolder(data))


def pictures(n: int = 6, channels: int = 3, side: int = 12, seed: int = 0) -> Tensor:
    """Smooth images: noise seen through a lens."""
    noise = torch.rand(n, channels, side, side, generator=generator(seed))
    blurred = nn.functional.avg_pool2d(noise, 3, stride=1, padding=1, count_include_pad=False)
    return (0.5 + 2 * (blurred - 0.5)).clamp(0, 1)


class Classifier(nn.Module):
    """A small smooth network that counts the images it sees, in double precision if asked.

    Attributes:
        seen: images that passed through.
        batches: how many came in each pass.
    """

    def __init__(self, shape: tuple[int, ...], classes: int = 4, seed: int = 0) -> None:
        super().__init__()
        size, hidden = int(torch.tensor(shape).prod()), 16
        random = generator(seed)
        self.first = nn.Parameter(torch.randn(hidden, size, generator=random) * 3 / size**0.5)
        self.last = nn.Parameter(torch.randn(classes, hidden, generator=random))
        self.batches: list[int] = []

    @property
    def seen(self) -> int:
        return sum(self.batches)

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        return torch.tanh((x.flatten(1) - 0.5) @ self.first.T) @ self.last.T


def classified(x: Tensor, seed: int = 0) -> tuple[Classifier, Tensor]:
    """A network and what it sees in these inputs, so that all are classified correctly."""
    model = Classifier(tuple(x.shape[1:]), seed=seed).to(x.dtype)
    y = model(x).argmax(dim=1).detach()
    model.batches.clear()
    return model, y


def fooled(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        said: Tensor = model(x).argmax(dim=1) != y
    return said


@contextmanager
def random_network(name: str, folder: Path, seed: int = 0) -> Iterator[nn.Sequential]:
    """One of torchvision's networks with random weights, its file in folder/raw/weights."""
    torch.manual_seed(seed)
    with torch.device("meta"):
        layers: nn.Sequential = models.get_model(name, weights=None).features
    layers = layers.to_empty(device="cpu")
    for parameter in layers.parameters():
        spread = (2 / parameter[0].numel()) ** 0.5 if parameter.dim() > 1 else 0.1
        nn.init.normal_(parameter, std=spread)
    room = folder / "raw" / "weights"
    room.mkdir(parents=True, exist_ok=True)
    torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, room / f"{name}.pth")
    yield layers.eval().requires_grad_(False)
