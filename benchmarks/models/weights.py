"""Networks that start from a local file of weights, such as those of torchvision and timm.

Files are safetensors, or torchvision's .pth read as plain tensors. Nothing is downloaded, and
nothing that could run code is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import SuiteError
from bench.models import backbones
from bench.models.backbones import Backbone, Normalise

State = dict[str, Tensor]
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the pixels that torchvision's published classifiers expect."""
INCEPTION = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
"""Those that timm's inception_v4.tf_in1k and networks from scratch expect: pixels in [-1, 1]."""


@dataclass(frozen=True)
class PublishedNetwork:
    """A library's names of a network's parts, and the pixels that its published weights expect.

    Attributes:
        source: the library and its name of the network.
        names: (our prefix, the library's prefix) of parameters; the first that fits counts.
        head: the library's name of the classifier layer.
        normalisation: mean and standard deviation of the channels, pixels from 0 to 1.
    """

    source: str
    names: tuple[tuple[str, str], ...]
    head: str
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET

    def original(self, name: str) -> str:
        """The library's name of one of our parameters or buffers."""
        for ours, theirs in (("head.", f"{self.head}."), *self.names):
            if name.startswith(ours):
                return theirs + name.removeprefix(ours)
        raise AssertionError(f"{name} is in no part of the network")


BODY = ("encoder.body.", "")
PUBLISHED = {
    "resnet18": PublishedNetwork("torchvision's resnet18", (BODY,), "fc"),
    "vgg16": PublishedNetwork("torchvision's vgg16", (BODY, ("neck.", "")), "classifier.6"),
    "inception_v4": PublishedNetwork("timm's inception_v4", (BODY,), "last_linear", INCEPTION),
    "vit_b_16": PublishedNetwork("torchvision's vit_b_16", (BODY,), "heads.head"),
    "swin": PublishedNetwork("torchvision's swin_t", (BODY,), "head"),
}


def network(
    name: str,
    shape: tuple[int, ...],
    outputs: int,
    seed: int,
    device: torch.device,
    weights: str = "",
) -> Backbone:
    """A fresh network on the device; equal seeds give equal weights.

    Args:
        name: of the backbone.
        shape: of one input.
        outputs: number of classes, or 1 for regression.
        seed: decides the weights that are not in the file.
        device: the network's device.
        weights: path of a file to start from, or "".
    """
    model = backbones.build(name, shape, outputs, seed)
    if weights:
        load_pretrained(model, name, Path(weights))
    # Pixel by pixel, all channels: a fifth faster on CPUs, too (docs/performance.md).
    model = model.to(memory_format=torch.channels_last)
    return model.to(device)


def load_pretrained(model: Backbone, name: str, path: Path) -> None:
    """Put weights from a file into a backbone, in place.

    The file holds the state dict of the original network, under the library's names. If it has a
    classifier layer of the shape of the model's head, the head gets that layer's weights; if not,
    the head stays fresh. All other tensors must be those of the network, with their shapes; only
    batch normalisation's counters, which no inference reads, may be missing. From then on the
    model normalises pixels as the published weights expect.

    Args:
        model: a backbone as `build` makes it, on any device.
        name: its name.
        path: a .safetensors file, or a .pth or .pt file of tensors.

    Raises:
        SuiteError: no published weights fit this backbone, or the file cannot be read or holds
            another network. Nothing of the model has changed then.
    """
    if name not in PUBLISHED:
        raise SuiteError(
            f'weights: no published weights fit the backbone "{name}": leave `weights` out, or use '
            f"{', '.join(sorted(PUBLISHED))}."
        )
    published = PUBLISHED[name]
    state = read_state(path)
    own = {published.original(key): (key, value) for key, value in model.state_dict().items()}
    head = {key for key in own if key.startswith(f"{published.head}.")}
    if any(key not in state or state[key].shape != own[key][1].shape for key in head):
        own = {key: value for key, value in own.items() if key not in head}
        state = {key: value for key, value in state.items() if key not in head}
    counters = {key for key in own if key.endswith("num_batches_tracked")} - set(state)
    _check(path, published, {k: v for k, (_, v) in own.items() if k not in counters}, state)
    model.load_state_dict({own[key][0]: value for key, value in state.items()}, strict=False)
    for module in model.modules():
        if isinstance(module, Normalise):
            module.expect(*published.normalisation)


def read_state(path: Path) -> State:
    """The tensors of a file by name, on the CPU. Raises SuiteError if it holds anything else."""
    readers: dict[str, Callable[[Path], object]] = {
        ".safetensors": load_file,
        ".pth": _read_pth,
        ".pt": _read_pth,
    }
    if path.suffix not in readers:
        raise SuiteError(
            f"weights: {path} is no file of weights that is read here ({', '.join(readers)}). "
            "A pickle is never opened: save its tensors with safetensors."
        )
    if not path.is_file():
        raise SuiteError(
            f"weights: {path} does not exist. Nothing is downloaded: put the file there, or leave "
            "`weights` out."
        )
    try:
        state = readers[path.suffix](path)
    except (OSError, SafetensorError) as error:
        raise SuiteError(f"weights: {path} cannot be read: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise SuiteError(
            f"weights: {path} holds more than tensors by name: save the network's state_dict() "
            "alone."
        )
    return dict(state)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_pth(path: Path) -> object:
    """The content of a file of torch.save. Raises SuiteError unless it is plain tensors."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises UnpicklingError, RuntimeError, EOFError and more, by what is wrong.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SuiteError(
            f"weights: {path} cannot be read as plain tensors ({first[:200]}). Code in a file is "
            "never run: save the network's state_dict() with safetensors."
        ) from error


def _check(path: Path, published: PublishedNetwork, expected: State, state: State) -> None:
    """Raise SuiteError unless both states have the same names and shapes."""
    complaints = [
        _listed("is without", (key for key in expected if key not in state)),
        _listed("has what the network has not:", (key for key in state if key not in expected)),
        _listed(
            "has other shapes:",
            (
                f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
                for key, value in expected.items()
                if key in state and state[key].shape != value.shape
            ),
        ),
    ]
    if any(complaints):
        raise SuiteError(
            f"weights: {path} {'; it '.join(filter(None, complaints))}. Expected is the state dict "
            f"of {published.source}, for the image size it was trained with (224, ViT's alone "
            "depend on it): use that file, another `backbone` or `size`, or leave `weights` out."
        )


def _listed(what: str, names: Iterable[str], shown: int = 5) -> str:
    """The complaint with the first few names, or "" where there are none."""
    every = sorted(names)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return f"{what} {', '.join(every[:shown])}{more}" if every else ""


def load_exactly(module: nn.Module, state: dict[str, Tensor], path: Path, what: str) -> None:
    """Put tensors into a module and freeze it.

    Args:
        module: it may be without memory (on the device "meta").
        state: a tensor for each parameter and buffer of the module, and no other one.
        path: the file that the tensors come from, for the message.
        what: the network that the file should hold, for the message.

    Raises:
        SuiteError: names or shapes differ.
    """
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    if expected != shapes:
        differing = sorted({name for name, _ in expected.items() ^ shapes.items()})
        raise SuiteError(
            f"weights: {path} is not {what}: {', '.join(differing[:4])} is missing, unknown or has "
            "another shape."
        )
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
