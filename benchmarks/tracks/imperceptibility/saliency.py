"""Where an image draws attention: a salient-object network's map, or one made of gradients.

The paper takes the maps of EGNet, which does not come along. `$BENCH_SALIENCY` brings it, or any
other network: the path of a Python file with a class `Network`, and beside it, under the same
name, its state dict (`egnet.py`, `egnet.safetensors` or `egnet.pth`):

    class Network(nn.Module):
        def forward(self, x):  # [n, 3, H, W], pixels in [0, 1]; normalise here
            return maps        # [n, 1, H, W] in [0, 1]

The file is code of yours that runs; the weights are read as plain tensors. Both count in the keys
of trials. Without it maps are SmoothGrad's, and every page says so.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.errors import SuiteError
from bench.models.weights import load_exactly, read_state
from bench.perception.distances.networks import coloured

BROUGHT = "BENCH_SALIENCY"
SUFFIXES = (".safetensors", ".pth", ".pt")
Maps = Callable[[Tensor, Tensor], Tensor]
"""(images [n, C, H, W] in [0, 1], what they show [n]) -> maps, [n, 1, H, W] in [0, 1]."""


@dataclass(frozen=True)
class SmoothGrad:
    """Smilkov et al. (2017): the gradient of the true class's logit, averaged over noisy copies.

    Magnitudes, the largest of the channels, over the 99th percentile of the map and cut off there
    (their section 3.1). Original and attack meet the same noise: what differs is the image.

    Attributes:
        model: images -> logits.
        copies: of each image; the authors see little change beyond 50 and much of it before 10.
        spread: standard deviation of the noise; .1 to .2 of the range of pixels there.
    """

    model: nn.Module
    copies: int = 8
    spread: float = 0.15

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Saliency maps of images `x` of the classes `y`."""
        total = torch.zeros_like(x)
        for copy in range(self.copies):
            noise = torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(copy))
            noisy = (x + self.spread * noise.to(x.device, x.dtype)).requires_grad_()
            logits = self.model(noisy).gather(1, y[:, None])
            total += torch.autograd.grad(logits.sum(), noisy)[0]
        size = total.abs().amax(dim=1, keepdim=True)
        top = size.flatten(1).quantile(0.99, dim=1).clamp_min(torch.finfo(x.dtype).tiny)
        return (size / top[:, None, None, None]).clamp(0, 1)


@dataclass(frozen=True)
class OfNetwork:
    """Maps of a network that was brought along, which is not given the classes of images."""

    network: nn.Module
    source: Path

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Saliency maps of images `x`. Raises SuiteError for maps of another shape or range."""
        del y
        with torch.no_grad():
            maps: Tensor = self.network(coloured(x))
        if maps.shape != (len(x), 1, *x.shape[2:]) or not ((maps >= 0) & (maps <= 1)).all():
            raise SuiteError(
                f"{BROUGHT}: {self.source}: maps must be [n, 1, H, W] from 0 to 1, these are "
                f"{tuple(maps.shape)}, from {float(maps.min()):g} to {float(maps.max()):g}."
            )
        return maps


def maps_for(model: nn.Module, device: torch.device) -> Maps:
    """Maps of the network that was brought along, otherwise SmoothGrad of the given classifier."""
    files = brought()
    if not files:
        return SmoothGrad(model)
    source, state = files
    network = _class(source)()
    load_exactly(network, read_state(state), state, f"the network of {source}")
    return OfNetwork(network.eval().to(device), source)


def in_words() -> str:
    """Say for pages and results which network, or which rule, makes the maps."""
    if files := brought():
        return files[0].stem
    return f"SmoothGrad of the attacked classifier, {SmoothGrad.copies} noisy copies"


def brought() -> tuple[Path, Path] | None:
    """The network's code and weights, or None. Raises SuiteError if one of them is missing."""
    named = os.environ.get(BROUGHT)
    if not named:
        return None
    source = Path(named)
    if source.suffix != ".py" or not source.is_file():
        raise SuiteError(f"{BROUGHT}={source}: no such Python file.")
    for suffix in SUFFIXES:
        if (state := source.with_suffix(suffix)).is_file():
            return source, state
    raise SuiteError(f"{BROUGHT}={source}: its weights are missing: {source.stem}{SUFFIXES[0]}.")


def _class(source: Path) -> type[nn.Module]:
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec  # noqa: S101 - a .py file has a spec
    assert spec.loader  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: object = getattr(module, "Network", None)
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise SuiteError(f"{BROUGHT}={source}: defines no class Network(nn.Module).")
    return network
