"""The speed of training, compared with DataLoader loops in the same process.

    python -m bench.speed.training [--device cpu] [--threads 1] [--repeats 5] [--tables | --images]

Ways are measured in turns, so that a busy machine slows all of them alike. Tables: three ways to
train the paper's MLP for one epoch on data of Adult's shape:

    ours        an epoch of `Context.train`: data on the device, drawn in batches, fused Adam
    DataLoader  the usual loop: TensorDataset, DataLoader(shuffle=True), torch.optim.Adam
    bound       forward, backward and step on one batch on the device: nothing can be faster

Images: the four ways of bench.speed.images, with resnet18 at 64, 128 and 224 pixels.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench.ending import conclude_typer
from bench.learning.settings import Training
from bench.learning.split import Split
from bench.models import backbones
from bench.runner.provenance import environment
from bench.speed import images

ROWS, FEATURES = 26_048, 105  # Adult's training split


def random_split(device: torch.device) -> Split:
    """Random inputs of Adult's shape with a target that can be learned from them."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=random)
    y = (x[:, 0] + x[:, 1] > 0).long()
    b = torch.randint(2, (ROWS,), generator=random)
    return Split.of(x.to(device), y.to(device), b.to(device))


def ours(split: Split, batch_size: int) -> images.Epoch:
    """One epoch of `Context.train`."""
    training = Training(epochs=1, batch_size=batch_size, selection="last")
    return images.ours(split, _model(split), training)


def data_loader(split: Split, batch_size: int) -> images.Epoch:
    """One epoch as in most public code, with data on the CPU."""
    device = split.x.device
    data = TensorDataset(split.x.cpu(), split.y.cpu())
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    step = images.step_of(_model(split), fused=False)

    def epoch() -> None:
        total = 0.0
        for x, y in loader:
            total += step(x.to(device), y.to(device)).item()

    return epoch


def bound(split: Split, batch_size: int) -> images.Epoch:
    """As many training steps as an epoch has, all on the first batch."""
    return images.bound(_model(split), split.x[:batch_size], split.y[:batch_size], ROWS)


def seconds(act: Callable[[], object], device: torch.device) -> float:
    """Wall-clock time of one call, until the device has finished its work."""
    begin = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def measure(
    ways: Mapping[str, Callable[[], None]], samples: int, device: torch.device, repeats: int
) -> dict[str, float]:
    """Median samples a second of each way."""
    times = in_turns(ways, repeats, lambda act: seconds(act, device))
    return {name: samples / statistics.median(spent) for name, spent in times.items()}


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    repeats: int,
    measure: Callable[[Callable[[], object]], float],
) -> dict[str, list[float]]:
    """Measure all ways `repeats` times in turns, after one call of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, act in ways.items():
            spent = measure(act)
            if turn:
                times[name].append(spent)
    return times


def _model(split: Split) -> nn.Module:
    return backbones.build("mlp", (FEATURES,), 2, seed=0).to(split.x.device).train()


def tables(device: torch.device, repeats: int) -> Table:
    """Speed of the MLP's training at four batch sizes, in samples a second."""
    table = Table("batch", "ours/s", "DataLoader/s", "bound/s", "ours : DataLoader", "ours : bound")
    split = random_split(device)
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
    """Speed of a network's training at several image sizes, in pictures a second.

    An epoch has `count` pictures, which must be a whole number of batches, because all batches of
    the bound are full.
    """
    columns = ["pixels", "batch", "ours/s", "JPEGs/s", "arrays/s", "bound/s"]
    table = Table(*columns, "ours : JPEGs", "ours : arrays", "ours : bound", "of peak")
    peak = images.peak_flops(device, lambda act: seconds(act, device))
    cuda = device.type == "cuda"
    for side in sides:
        n, batch_size = (8192, 256) if cuda else (16 * max(2, 2**16 // side**2), 16)
        n = count or n
        with TemporaryDirectory(prefix="bench-speed-") as folder:
            examples = images.random_pictures(n, side, Path(folder))
            ways = dict(images.ways(examples, backbone, batch_size, device, threads))
            rate = measure(ways, n, device, repeats)
            del ways  # ends the loaders' workers before their files are removed
        share = rate["ours"] * images.flops_per_image(backbone, side) / peak
        table.add_row(
            str(side),
            str(batch_size),
            *(f"{rate[name]:,.1f}" for name in ("ours", "jpegs", "arrays", "bound")),
            *(f"{rate['ours'] / rate[name]:.2f}" for name in ("jpegs", "arrays", "bound")),
            f"{share:.0%}",
        )
    return table


def main(
    device: str = "",
    threads: int = 1,
    repeats: int = 5,
    only_tables: Annotated[bool, typer.Option("--tables", help="Measure only the MLP.")] = False,
    only_images: Annotated[bool, typer.Option("--images", help="Measure only resnet18.")] = False,
) -> None:
    """Measure training on a device (a GPU where there is one) and print tables."""
    torch.set_num_threads(threads)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    machine = environment(place, threads)
    console = Console(width=110)
    description = (
        f"{machine.device} ({machine.processor}, {threads} threads), "
        f"torch {machine.versions['torch']}"
    )
    if only_tables or not only_images:
        console.print(f"MLP {FEATURES}-512-512-512-2, {ROWS:,} samples, {description}")
        console.print(tables(place, repeats))
    if only_images or not only_tables:
        console.print(f"resnet18, forward, backward and Adam, {description}")
        console.print(pictures(place, threads, repeats))


if __name__ == "__main__":
    conclude_typer(main)
