"""ISSBA: a trained encoder hides a bit string in the image, in each one otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attempt, Poison, Samples
from bench.attacks.poisoning.hiding import Hiding, hidden
from bench.attacks.poisoning.knowledge import Knowledge, LearningAttack


@dataclass(frozen=True)
class Issba(LearningAttack):
    """Li et al. (2021): the trigger is a faint change that an encoder makes for each image.

    They take StegaStamp (Tancik et al. 2020) with its critic, its perceptual loss and published
    training images. Here two small networks are trained on the very training images, with a bit
    loss and a mean square image loss, until the secret is read and the change faint; larger images
    are changed at 32 x 32 pixels and the change is enlarged.
    """

    revision: ClassVar[int] = 2
    published_as: ClassVar[str | None] = "issba"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the training samples that is poisoned (LABOR section 5.1)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the secret stands for: label 0 (LABOR section 5.1)."""
    bits: Annotated[int, Field(ge=1)] = 20
    """Length of the secret; usual at 32 x 32 pixels (ISSBA has 100 at 224 x 224)."""
    bound: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Largest change of a pixel, as a share of the range of values; ours."""
    distortion: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Root mean square of the change at which the training of the encoder ends, as such a share;
    ours: 5 of 255."""
    steps: Annotated[int, Field(ge=1)] = 1000
    """Batches of 32 images that the encoder is trained on at most; ours."""

    def study(self, train: Samples, random: torch.Generator) -> Knowledge:
        """Train the encoder, and draw the secret."""
        choosing.require_kind(self, train, "image")
        encoder, _ = self._hiding(train.x).train(train.x, random)
        secret = torch.randint(2, (self.bits,), generator=random).float()
        return {"secret": secret, **encoder.state_dict()}

    def poison(
        self, train: Samples, random: torch.Generator, knowledge: Knowledge | None = None
    ) -> Poison:
        """Hide the secret and relabel."""
        rows = choosing.drawn_from_others(self, train, self.target, self.rate, random)
        return choosing.relabelled(
            rows, self.hide(train.x[rows], self.known(knowledge)), self.target
        )

    def attempts(self, test: Samples, knowledge: Knowledge | None = None) -> list[Attempt]:
        """The secret in every image of another class."""
        hide = partial(self.hide, knowledge=self.known(knowledge))
        return [choosing.attempt_on_others("hidden secret", hide, test, self.target)]

    def hide(self, x: Tensor, knowledge: Knowledge) -> Tensor:
        """Images with the secret, [n, C, H, W] uint8, by what `study` returned."""
        weights = dict(knowledge)
        secret = weights.pop("secret")
        encoder = self._hiding(x).load(weights)
        return choosing.in_parts(lambda part: hidden(encoder, part, secret), x)

    def _hiding(self, x: Tensor) -> Hiding:
        return Hiding(x.shape[1], self.bits, self.bound, self.distortion, self.steps)
