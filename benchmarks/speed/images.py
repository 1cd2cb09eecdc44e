"""Epochs of training, `Context.train`'s and those of plain loops, for bench.speed.training.

Four ways to train a network on the same pictures:

    ours     an epoch of `Context.train`: uint8 pixels are drawn and normalised on the device
    jpegs    a DataLoader that opens one JPEG file for each sample, as most public code does
    arrays   a DataLoader over the decoded arrays
    bound    forward, backward and step on one batch of random pixels that is on the device

All four use the same precision and memory format, so that they differ only in how data is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from bench.learning.loop import Context
from bench.learning.selection import Scores
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.models import backbones
from bench.runner.provenance import cores

Epoch = Callable[[], None]


@dataclass(frozen=True)
class Pictures:
    """Random pictures, as arrays and as files.

    Attributes:
        x: [n, 3, side, side] uint8.
        y: [n] int64 in {0, 1}.
        folder: folder with the files 0.jpg, 1.jpg and so on, of the same pictures.
    """

    x: Tensor
    y: Tensor
    folder: Path


class Decoded(Dataset[tuple[Tensor, Tensor]]):
    """The arrays, one picture at a time."""

    def __init__(self, pictures: Pictures) -> None:
        self.x, self.y = pictures.x, pictures.y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


class Files(Decoded):
    """The files, opened and decoded one picture at a time."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__(pictures)
        self.folder = pictures.folder

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.folder / f"{i}.jpg") as image:
            pixels = np.array(image.convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1), self.y[i]


def random_pictures(n: int, side: int, folder: Path) -> Pictures:
    """Smooth pictures with a little noise, whose files have about as many bytes as photographs."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (n, 3, 8, 8)).astype(np.float32)
    smooth = F.interpolate(torch.from_numpy(coarse), size=side, mode="bicubic")
    noise = torch.from_numpy(random.normal(0, 8, (1, 3, side, side)).astype(np.float32))
    x = (smooth + noise).clamp(0, 255).to(torch.uint8)
    for i, image in enumerate(x):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.jpg", quality=90)
    return Pictures(x, torch.from_numpy(random.integers(0, 2, n)), folder)


def ours(split: Split, model: nn.Module, training: Training) -> Epoch:
    """One epoch of `Context.train` with one validation sample, as the other ways have none."""
    context = Context(0, training, split.y.device, split.subset(split.row[:1]), _no_scores, {})

    def epoch() -> None:
        context.train(model, split, plain_loss)

    return epoch


def loader(data: Decoded, name: str, batch_size: int, device: torch.device, threads: int) -> Epoch:
    """One epoch of a DataLoader with as many workers as there are idle cores."""
    batches = DataLoader(
        data,
        batch_size=batch_size,
        shuffle=True,
        num_workers=max(1, cores() - threads),
        persistent_workers=True,
        pin_memory=device.type == "cuda",
    )
    step = step_of(network(name, data.x, device), fused=False)

    def epoch() -> None:
        total = 0.0
        for x, y in batches:
            pixels = x.to(device, non_blocking=True)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            total += step(pixels, y.to(device, non_blocking=True)).item()

    return epoch


def bound(model: nn.Module, x: Tensor, y: Tensor, samples: int) -> Epoch:
    """As many training steps as an epoch of so many samples has, all on one batch."""
    step = step_of(model, fused=True)

    def epoch() -> None:
        for _ in range(-(-samples // len(x))):
            step(x, y)

    return epoch


def network(name: str, x: Tensor, device: torch.device) -> nn.Module:
    """A new network for inputs like `x`, in the memory format that tasks use."""
    model = backbones.build(name, tuple(x.shape[1:]), 2, seed=0)
    model = model.to(memory_format=torch.channels_last)
    return model.to(device).train()


def flops_per_image(name: str, side: int) -> int:
    """Floating-point operations of forward and backward on one image (multiply and add are two)."""
    model = backbones.build(name, (3, side, side), 2, seed=0)
    x = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    return int(counter.get_total_flops()) // 2


def peak_flops(device: torch.device, seconds_of: Callable[[Epoch], float]) -> float:
    """Floating-point operations a second of the fastest of five large matrix products."""
    cuda = device.type == "cuda"
    side, precision = (8192, torch.bfloat16) if cuda else (1536, torch.float32)
    a = torch.randn(side, side, device=device, dtype=precision)
    repeats = 20 if cuda else 2

    def multiply() -> None:
        for _ in range(repeats):
            a @ a

    multiply()
    return 2 * side**3 * repeats / min(seconds_of(multiply) for _ in range(5))


def ways(
    pictures: Pictures, name: str, batch_size: int, device: torch.device, threads: int
) -> Iterator[tuple[str, Epoch]]:
    """The four ways, by name."""
    y = pictures.y.to(device)
    split = Split.of(pictures.x.to(device), y, y)
    training = Training(backbone=name, epochs=1, batch_size=batch_size, selection="last")
    x = torch.randint(0, 256, pictures.x[:batch_size].shape, dtype=torch.uint8, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    yield "ours", ours(split, network(name, pictures.x, device), training)
    yield "jpegs", loader(Files(pictures), name, batch_size, device, threads)
    yield "arrays", loader(Decoded(pictures), name, batch_size, device, threads)
    yield "bound", bound(network(name, pictures.x, device), x, y[:batch_size], len(y))


def step_of(model: nn.Module, *, fused: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """A function that does one training step with Adam and returns its loss."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fused)

    def step(x: Tensor, y: Tensor) -> Tensor:
        mixed = x.is_cuda and x.dim() == 4  # tables are trained in single precision
        with torch.autocast("cuda", dtype=torch.bfloat16) if mixed else nullcontext():
            loss = F.cross_entropy(model(x), y)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def _no_scores(outputs: Tensor, split: Split) -> Scores:
    del outputs, split
    return Scores({}, (0.0,))
