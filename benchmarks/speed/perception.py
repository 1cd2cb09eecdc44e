"""The speed of the attacks' parts, compared with plain implementations in the same process.

    python -m bench.speed.perception [--threads 1] [--repeats 5]

Directions: Delta* = H^-1 gradient of equation 3.4 for 28 x 28 images in double precision, image by
image by the dense Hessian of automatic differentiation and an LU solve, and in a batch of 32 by the
closed form with conjugate gradients. Then one step on a 3 x 299 x 299 image, with the process's
peak memory. PGD: the shared ascent, compared with a loop over images and one over steps.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.attacks.adversarial.ascent import Ascent, cross_entropy, gradient_of, normalised_step
from bench.attacks.adversarial.one_step import one_step
from bench.ending import conclude_typer
from bench.models import backbones
from bench.perception.distances import load
from bench.perception.distances.ssim_hessian import SsimHessian
from bench.runner.provenance import environment
from bench.speed.training import in_turns

BATCH = 32


def random_images(n: int, channels: int, side: int) -> Tensor:
    """Images in [0, 1] with soft white strokes on black, similar to digits; [n, C, side, side]."""
    noise = torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(noise, 5, stride=1, padding=2)
    return (0.5 + 4 * (smooth - 0.1)).clamp(0, 1)


def network(channels: int, side: int) -> nn.Module:
    """A small convolutional network with random weights, frozen."""
    model = backbones.build("small_cnn", (channels, side, side), 10, seed=0)
    return OnPixels(model).eval().requires_grad_(False)


class OnPixels(nn.Module):
    """A backbone, whose inputs are in [0, 255], as a model of images in [0, 1]."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """[n, C, H, W] -> logits."""
        logits: Tensor = self.inner(x * 255)
        return logits


def dense_direction(x: Tensor, gradient: Tensor, vectorised: bool = False) -> Tensor:
    """H^-1 gradient of one image, with the Hessian from automatic differentiation.

    `vectorised` computes all its rows at once, which is experimental in torch, instead of one by
    one.
    """
    distance = load("ssim_same")(x)

    def cost(v: Tensor) -> Tensor:
        return distance(v.view_as(x)).sum()

    hessian = torch.autograd.functional.hessian(cost, x.flatten(), vectorize=vectorised)
    return torch.linalg.solve(hessian, gradient.flatten()).view_as(x)


def seconds(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least processor time of each way, measured in turns.

    Other processes lengthen wall-clock time; their effect on caches only lengthens processor time,
    so the least one is the best estimate.
    """

    def processor_time(act: Callable[[], object]) -> float:
        begin = time.process_time()
        act()
        return time.process_time() - begin

    return {name: min(times) for name, times in in_turns(ways, repeats, processor_time).items()}


def directions(repeats: int) -> Table:
    """Time for each 28 x 28 image, and relative error of Delta*."""
    x = random_images(BATCH, 1, 28).double()
    model = network(1, 28).double()
    gradient, _ = gradient_of(cross_entropy, model, x, model(x).argmax(dim=1))
    parts = list(zip(x.split(1), gradient.split(1), strict=True))
    exact = torch.cat([dense_direction(*part, vectorised=True) for part in parts])
    single = x.float(), gradient.float()
    ours: dict[str, Callable[[], Tensor]] = {
        "closed form, double": lambda: SsimHessian.at(x).solve(gradient),
        "closed form, single": lambda: SsimHessian.at(single[0]).solve(single[1]),
    }
    dense: dict[str, Callable[[], Tensor]] = {
        "dense, row by row": lambda: dense_direction(*parts[0]),
        "dense, all rows at once": lambda: dense_direction(*parts[0], vectorised=True),
    }
    times = seconds({**dense, **ours}, repeats)
    times.update({name: times[name] / BATCH for name in ours})
    columns = "ms an image", "row by row : this", "at once : this", "largest relative error"
    table = Table(f"28 x 28, batch of {BATCH}", *columns)
    for name, spent in times.items():
        error = "-"
        if name in ours:
            errors = (ours[name]() - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
            error = f"{float(errors.max()):.1e}"
        ratios = (f"{times[way] / spent:,.0f}" for way in dense)
        table.add_row(name, f"{1e3 * spent:,.3f}", *ratios, error)
    return table


def one_large_step() -> str:
    """Seconds of equation 3.4 on a 3 x 299 x 299 image, and the process's peak memory."""
    x, model = random_images(1, 3, 299), network(3, 299)
    y = model(x).argmax(dim=1)
    begin = time.perf_counter()
    one_step(model, x, y, 10.0)
    spent = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"3 x 299 x 299: one step in {spent:.2f} s, process at most {peak:.2f} GiB"


def pgd(repeats: int, side: int = 32, steps: int = 10) -> Table:
    """Images a second of equation 3.5, without and with the early stop."""
    x, model = random_images(BATCH, 3, side), network(3, side)
    y = model(x).argmax(dim=1)
    step = 0.05
    whole, stopping = (Ascent(normalised_step(step), steps, confidence=c) for c in (None, 0.0))
    ways = {
        "a loop over steps": lambda: plain_batch(model, x, y, steps, step),
        "ours": lambda: whole(model, x, y).x,
        "a loop over images, early stop": lambda: plain_images(model, x, y, steps, step),
        "ours, early stop": lambda: stopping(model, x, y).x,
    }

    spent = seconds(ways, repeats)
    table = Table(
        f"PGD, {steps} steps of 3 x {side} x {side}, batch of 32",
        "images a second of processor time",
    )
    for name in ways:
        table.add_row(name, f"{BATCH / spent[name]:,.1f}")
    return table


def plain_batch(model: nn.Module, x: Tensor, y: Tensor, steps: int, step: float) -> Tensor:
    """PGD-L2 as in most code: all steps on the whole batch."""
    x_adv = x
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(model(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv + step * g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    return x_adv.detach()


def plain_images(model: nn.Module, x: Tensor, y: Tensor, steps: int, step: float) -> Tensor:
    """PGD-L2 image by image, each until it is misclassified."""
    results = []
    for image, label in zip(x.split(1), y.split(1), strict=True):
        x_adv = image
        for _ in range(steps):
            x_adv = x_adv.detach().requires_grad_()
            logits = model(x_adv)
            if int(logits.argmax()) != int(label):
                break
            (g,) = torch.autograd.grad(F.cross_entropy(logits, label), x_adv)
            x_adv = (x_adv + step * g / g.norm()).clamp(0, 1)
        results.append(x_adv.detach())
    return torch.cat(results)


def main(threads: int = 1, repeats: int = 5) -> None:
    """Measure the attacks' parts on so many CPU threads, and print tables."""
    torch.set_num_threads(threads)
    machine = environment(torch.device("cpu"), threads)
    console = Console(width=110)
    console.print(f"{machine.processor}, {threads} threads, torch {machine.versions['torch']}")
    console.print(one_large_step())
    console.print(directions(repeats))
    console.print(pgd(repeats))


if __name__ == "__main__":
    conclude_typer(main)
