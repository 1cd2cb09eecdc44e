"""The contract of the poisoning track: what a defence is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.data.prepared import Kind
from bench.errors import Skip
from bench.learning.inputs import Inputs
from bench.learning.loop import Context
from bench.learning.split import Split
from bench.method import Method
from bench.models.backbones import Backbone
from bench.models.weights import network
from bench.tracks.poisoning.human import Human

Ask = Callable[[Literal["oracle", "recorded"], float, str], Human]


@dataclass(frozen=True)
class PoisoningTask:
    """A poisoned training set as a defence sees it: which samples are poisoned is not in it.

    Attributes:
        name: data set, target and attack.
        kind: image, sound, text or table.
        shape: of one input, as networks see it.
        classes: names of the classes.
        train: inputs and the labels they were published with; `b` is all zeros.
        reserve: clean samples for defences that need some (1,000, or fewer); LABOR does not.
        victim: the classifier that was trained on `train`, in eval mode, weights frozen.
        human: (annotator, careless, file) -> an annotator who inspects training samples.
        backbone: name of the network.
        seed: decides initial weights.
        device: where everything lives.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    train: Split
    reserve: Split
    victim: Backbone
    human: Ask
    backbone: str
    seed: int
    device: torch.device

    def new_model(self) -> Backbone:
        """A fresh network on the device; the same weights for every defence with this seed."""
        return network(self.backbone, self.shape, len(self.classes), self.seed, self.device)

    def require_continuous(self) -> None:
        """Raise Skip on text: its inputs are token ids, which cannot be blended or optimised."""
        if self.kind == "text":
            raise Skip("the defence blends or optimises inputs, and words can be neither")


@dataclass(frozen=True)
class Defence:
    """The findings of a defence, and the repaired model where it makes one.

    Attributes:
        flagged: [n] bool, the training samples to remove. The judge retrains on the others,
            unless `model` is given.
        suspicion: [n] float, larger for samples that are likelier poison.
        model: a repaired classifier, judged in the place of a retrained one.
        tags: [n] int64, the class that each training sample was given by its cluster, or -1.
        clusters: [n] int64, in which cluster each training sample lies, where clusters were named.
        filter: inputs -> suspicion, [m] float; an input above `threshold` is turned away.
        threshold: of the filter.
        alarm: whether the defence says that there is a backdoor at all, if it says so.
        bound: for the two bounds alone, in the place of `flagged`: the judge, who knows, removes
            the poison itself, or as many samples at random.
    """

    flagged: Tensor | None = None
    suspicion: Tensor | None = None
    model: nn.Module | None = None
    tags: Tensor | None = None
    clusters: Tensor | None = None
    filter: Callable[[Inputs], Tensor] | None = None
    threshold: float = float("inf")
    alarm: bool | None = None
    bound: Literal["poison", "random"] | None = None


@dataclass(frozen=True)
class Defender(Method):
    """A defence against poisoned training data."""

    track: ClassVar[str] = "poisoning"

    @abstractmethod
    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Inspect `task.train` and `task.victim`; train, where needed, through `context.train`.

        Three kinds, by what they inspect: filters of the training set return `flagged` (the judge
        retrains), filters of inputs return `filter`, repairs return `model`.

        Raises:
            Skip: the defence does not apply to this task, and why.
        """
