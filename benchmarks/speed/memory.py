"""What keeping freed memory saves: training steps with and without, in processes of their own.

    python -m bench.speed.memory [--threads 1] [--rounds 3]

The allocator reads its settings when a process starts, so every measurement is a fresh process; the
two ways are taken in turns and the least processor time of each counts.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.ending import conclude_typer
from bench.models.weights import network as new_network
from bench.runner.template import KEEP_FREED, environment

NETWORKS = {"max_pool_cnn": (1, 28, 28), "small_cnn": (3, 28, 28), "resnet18_small": (3, 32, 32)}
BATCH, STEPS = 128, 8


def milliseconds(network: str, threads: int) -> tuple[float, float]:
    """Processor time of a sample: of a training step with Adam, and of the forward pass alone."""
    torch.set_num_threads(threads)
    shape = NETWORKS[network]
    model = new_network(network, shape, 10, 0, torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    x, y = torch.rand(BATCH, *shape) * 255, torch.zeros(BATCH, dtype=torch.int64)

    def train() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    def predict() -> None:
        with torch.no_grad():
            model(x)

    measured = []
    for step in (train, predict):
        step()
        begin = time.process_time()
        for _ in range(STEPS):
            step()
        measured.append((time.process_time() - begin) / STEPS / BATCH * 1e3)
    return measured[0], measured[1]


def table(threads: int, rounds: int) -> Table:
    """The processor time of every network with and without KEEP_FREED, and their ratio."""
    context = multiprocessing.get_context("spawn")
    ratios = Table("network", "training, ms", "kept", "ratio", "forward, ms", "kept", "ratio")
    for network in NETWORKS:
        ways: tuple[list[tuple[float, float]], ...] = ([], [])
        for _ in range(rounds):
            for keep, times in zip((False, True), ways, strict=True):
                with (
                    environment(KEEP_FREED if keep else {}),
                    ProcessPoolExecutor(1, mp_context=context) as process,
                ):
                    times.append(process.submit(milliseconds, network, threads).result())
        cells = []
        for kind in range(2):
            without, kept = (min(pair[kind] for pair in times) for times in ways)
            cells += [f"{without:.3f}", f"{kept:.3f}", f"{without / kept:.2f}"]
        ratios.add_row(network, *cells)
    return ratios


def main(threads: int = 1, rounds: int = 3) -> None:
    """Measure and print what keeping freed memory saves."""
    console = Console(width=110)
    console.print(f"Milliseconds of processor time a sample, batches of {BATCH}")
    console.print(table(threads, rounds))


if __name__ == "__main__":
    conclude_typer(main)
