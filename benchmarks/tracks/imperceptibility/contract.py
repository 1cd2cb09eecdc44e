"""The contract of the imperceptibility track: what an attack is given and what it must return."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from bench.learning.loop import Context
from bench.method import Method
from bench.tracks.options import EarlierOptions


class ImperceptibilityOptions(EarlierOptions):
    """How many images are attacked."""

    of_judge: ClassVar[frozenset[str]] = frozenset({"images"})

    images: int = Field(0, ge=0)
    """Attack the first so many test images that are classified right; 0: all of them."""


@dataclass(frozen=True)
class Attacker(Method):
    """An attack on a classifier that knows its weights."""

    track: ClassVar[str] = "imperceptibility"

    @abstractmethod
    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """Change images so that the model no longer sees in them what they show.

        They come as many at a time as memory allows; those that are done may leave the batch.
        What the judge counts as steps are the images that pass through the model with gradients,
        so an attack that stops early is seen to be cheap.

        Args:
            model: images -> logits, [n, classes]; in eval mode, weights frozen, normalises inside.
            x: images, [n, C, H, W] float32 in [0, 1].
            y: what they show, [n] int64; the model gets all of them right.
            context: random generators, the device, a place for what was chosen.

        Returns:
            The attacked images, [n, C, H, W] in [0, 1], in the same order.

        Raises:
            Skip: the attack does not apply to this task, and why.
        """
