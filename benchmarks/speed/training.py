"""How fast training is, beside DataLoader loops, in one process and run.

    python -m bench.speed.training [--device cpu] [--threads 1] [--repeats 5] [--tables | --images]

Tables: three ways to train the paper's MLP for one epoch on data of Adult's shape, taken in turns
so that a busy machine slows all of them alike:

    ours        `Trial.train`'s epoch: data on the device, drawn in batches, fused Adam
    DataLoader  the usual loop: TensorDataset, DataLoader(shuffle=True), torch.optim.Adam
    bound       forward, backward and step on one resident batch: nothing can be faster

Images: the four ways of benchmarks/speed_images.py, with resnet18 at 64, 128 and 224 pixels.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.utils.data import DataLoader, TensorDataset

from bench.learning.loop import Context
from bench.learning.selection import Scores
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.models import backbones
from bench.runner.provenance import environment
from bench.speed import images

ROWS, FEATURES = 26_048, 105  # Adult's training split


def made_up_split(device: torch.device) -> Split:
    """Random inputs of Adult's shape with a target that can be learned."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=random)
    y = (x[:, 0] + x[:, 1] > 0).long()
    b = torch.randint(2, (ROWS,), generator=random)
    return Split.of(x.to(device), y.to(device), b.to(device))


def ours(split: Split, batch_size: int) -> Callable[[], None]:
    """One epoch of `Trial.train` with the evaluation left out, as the other two have none."""
    training = Training(epochs=1, batch_size=batch_size, selection="last")
    context = Context(0, training, split.x.device, split.subset(split.row[:1]), _no_scores, {})
    model = _model(split)

    def epoch() -> None:
        context.train(model, split, plain_loss)

    return epoch


def data_loader(split: Split, batch_size: int) -> Callable[[], None]:
    """One epoch as most public code writes it; data starts on the CPU."""
    device = split.x.device
    data = TensorDataset(split.x.cpu(), split.y.cpu())
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    model = _model(split).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)

    def epoch() -> None:
        total = 0.0
        for x, y in loader:
            optimiser.zero_grad()
            loss = F.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimiser.step()
            total += loss.item()

    return epoch


def bound(split: Split, batch_size: int) -> Callable[[], None]:
    """As many steps as an epoch has, all on the first batch."""
    model = _model(split).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    x, y = split.x[:batch_size], split.y[:batch_size]

    def epoch() -> None:
        for _ in range(-(-ROWS // batch_size)):
            loss = F.cross_entropy(model(x), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return epoch


def seconds(act: Callable[[], None], device: torch.device) -> float:
    """Wall-clock of one call, the device's queue emptied."""
    begin = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def measure(
    ways: Mapping[str, Callable[[], None]], samples: int, device: torch.device, repeats: int
) -> dict[str, float]:
    """Median samples a second of each way, measured in turns after one warm-up each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, act in ways.items():
            spent = seconds(act, device)
            if turn:
                taken[name].append(spent)
    return {name: samples / statistics.median(spent) for name, spent in taken.items()}


def _model(split: Split) -> backbones.Backbone:
    return backbones.build("mlp", (FEATURES,), 2, seed=0).to(split.x.device)


def _no_scores(outputs: torch.Tensor, split: Split) -> Scores:
    del outputs, split
    return Scores({}, (0.0,))


def tables(device: torch.device, repeats: int) -> Table:
    """The MLP at four batch sizes."""
    table = Table("batch", "ours/s", "DataLoader/s", "bound/s", "ours : DataLoader", "ours : bound")
    split = made_up_split(device)
    for batch_size in (64, 128, 256, 1024):
        ways = {way.__name__: way(split, batch_size) for way in (ours, data_loader, bound)}
        rate = measure(ways, ROWS, device, repeats)
        table.add_row(
            str(batch_size),
            *(f"{rate[name]:,.0f}" for name in ("ours", "data_loader", "bound")),
            f"{rate['ours'] / rate['data_loader']:.2f}",
            f"{rate['ours'] / rate['bound']:.2f}",
        )
    return table


def pictures(
    device: torch.device,
    threads: int,
    repeats: int,
    backbone: str = "resnet18",
    sides: Sequence[int] = (64, 128, 224),
    count: int | None = None,
) -> Table:
    """A network at several image sizes; one epoch is `count` pictures, a whole number of batches.

    Otherwise the bound, whose batches are all full, would do more than it is given credit for.
    """
    columns = ["pixels", "batch", "ours/s", "JPEGs/s", "arrays/s", "bound/s"]
    table = Table(*columns, "ours : JPEGs", "ours : arrays", "ours : bound", "of peak")
    peak = images.peak_flops(device, lambda act: seconds(act, device))
    cuda = device.type == "cuda"
    for side in sides:
        n, batch_size = (8192, 256) if cuda else (16 * max(2, 2**16 // side**2), 16)
        n = count or n
        with images.folder_of_pictures() as folder:
            made = images.made_up(n, side, Path(folder))
            ways = dict(images.ways(made, backbone, batch_size, device, threads))
            rate = measure(ways, n, device, repeats)
            del ways  # ends the loaders' workers before their files go
        share = rate["ours"] * images.flops_per_image(backbone, side) / peak
        table.add_row(
            str(side),
            str(batch_size),
            *(f"{rate[name]:,.1f}" for name in ("ours", "jpegs", "arrays", "bound")),
            *(f"{rate['ours'] / rate[name]:.2f}" for name in ("jpegs", "arrays", "bound")),
            f"{share:.0%}",
        )
    return table


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, as one trial has")
    parser.add_argument("--repeats", type=int, default=5)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--tables", action="store_true", help="the MLP alone")
    only.add_argument("--images", action="store_true", help="resnet18 alone")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    where = environment(device, asked.threads)
    console = Console(width=110)
    machine = (
        f"{where.device} ({where.processor}, {asked.threads} threads), "
        f"torch {where.versions['torch']}"
    )
    if not asked.images:
        console.print(f"MLP {FEATURES}-512-512-512-2, {ROWS:,} samples, {machine}")
        console.print(tables(device, asked.repeats))
    if not asked.tables:
        console.print(f"resnet18, forward, backward and Adam, {machine}")
        console.print(pictures(device, asked.threads, asked.repeats))


if __name__ == "__main__":
    main()
