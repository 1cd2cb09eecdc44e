"""Published classifiers, as they are attacked: pixels from 0 to 1 in, logits out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.errors import SuiteError
from bench.models.networks import is_classifier, of_torchvision
from bench.models.pretrained import FILES, MissingWeights, WeightsFolder
from bench.models.weights import IMAGENET, INCEPTION, load_exactly, read_state

PUBLISHED = "published"
"""The value of the training setting `weights` that means the backbone's ImageNet weights."""
IN_UNIT_RANGE = ("inception_v3", "googlenet")
"""Networks whose published weights expect pixels from -1 to 1."""


class Classifier(nn.Module):
    """A network with its normalisation inside; [n, 3, H, W] in [0, 1] -> logits, [n, classes]."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: tuple[float, ...] = (0.0,), std: tuple[float, ...] = (1.0,)
    ) -> None:
        super().__init__()
        # A third faster on CPUs, more on GPUs; images may come in any layout.
        self.network = network.to(memory_format=torch.channels_last)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.network((x - self.mean) / self.std)
        return logits


def of_backbone(network: nn.Module) -> Classifier:
    """Let a network of this project, which takes pixels from 0 to 255, take them from 0 to 1."""
    return Classifier(network, (0.0,), (1 / 255,))


def published(name: str, path: Path) -> Classifier:
    """The classifier of torchvision with that name, frozen, with weights from a local file.

    Args:
        name: as `torchvision.models` has it: squeezenet1_1, resnet50, ...
        path: its whole state dict, .safetensors or torchvision's own .pth.

    Raises:
        SuiteError: no such classifier, or the file is missing, damaged or of another network.
    """
    if not is_classifier(name):
        raise SuiteError(f'backbone "{name}" is none of torchvision\'s classifiers.')
    with torch.device("meta"):  # nothing is drawn that the file overwrites at once
        network: nn.Module = of_torchvision(name)
    state = {key: value.float() if value.is_floating_point() else value
             for key, value in read_state(path).items()}  # fmt: skip
    load_exactly(network, _with_counters(network, state), path, f"torchvision's {name}")
    return Classifier(network, *(INCEPTION if name in IN_UNIT_RANGE else IMAGENET))


def weights_of(setting: str, backbone: str, weights: WeightsFolder) -> Path | None:
    """The file that the training setting `weights` names, or None.

    Args:
        setting: a path, "published" for the backbone's published weights, or "" for none.
        backbone: name of the network.
        weights: where published weights are looked for.
    """
    if setting != PUBLISHED:
        return Path(setting) if setting else None
    try:
        return find(backbone, weights)
    except MissingWeights:
        return None  # the trial says so, and is run once the file is there: its key changes


def find(backbone: str, weights: WeightsFolder) -> Path:
    """The path of a backbone's published weights. Raises MissingWeights if there is none."""
    if backbone not in FILES:
        known = ", ".join(name for name in FILES if is_classifier(name))
        raise MissingWeights(
            f"`weights: {PUBLISHED}` finds those of {known}; for {backbone}, name the file: "
            f"--set training.weights={backbone}.safetensors"
        )
    return weights.find(backbone, f"the classifier {backbone}")


def _with_counters(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add batch normalisation's counters as zeros: old files lack them, no inference reads them."""
    absent = {key for key in network.state_dict() if key.endswith("num_batches_tracked")}
    return {**dict.fromkeys(absent - set(state), torch.zeros((), dtype=torch.int64)), **state}
