"""Background noise for sound: one fixed, soft noise is added to recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.attacks.poisoning import choosing
from bench.attacks.poisoning.contract import Attack, Attempt, Poison, Samples
from bench.seeds import generator

FULL_SCALE = 2**15  # limit of a 16-bit sample


@dataclass(frozen=True)
class BackgroundNoise(Attack):
    """LABOR section 4.3: noise is added to 1,000 of 11,360 recordings, published as class 0.

    The paper gives no details. Here one waveform of normally distributed white noise is added to
    all of them, and the sum is clipped to 16 bits.
    """

    published_as: ClassVar[str | None] = "noise"

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.088
    """Share of the training samples that is poisoned: 1,000 of 11,360 (LABOR section 4.3)."""
    target: Annotated[int, Field(ge=0)] = 0
    """The class that the noise stands for (LABOR section 4.3)."""
    level: Annotated[float, Field(ge=-90, le=0)] = -40.0
    """Root mean square of the noise in dB of full scale; ours. Speech at a desk has about -25."""
    noise_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the waveform."""

    def poison(self, train: Samples, random: torch.Generator) -> Poison:
        """Add the noise to samples of other classes and publish them as the target class."""
        choosing.require_kind(self, train, "sound")
        rows = choosing.drawn_from_others(self, train, self.target, self.rate, random)
        return choosing.relabelled(rows, self.blend(train.x[rows]), self.target)

    def attempts(self, test: Samples) -> list[Attempt]:
        """The noise in every recording of another class."""
        return [choosing.attempt_on_others("background noise", self.blend, test, self.target)]

    def noise(self, samples: int) -> Tensor:
        """The waveform of the noise, [samples] int32."""
        normal = torch.randn(samples, generator=generator(self.noise_seed, "background noise"))
        return (normal * FULL_SCALE * 10 ** (self.level / 20)).round().int()

    def blend(self, x: Tensor) -> Tensor:
        """Recordings with the noise, [n, samples] int16."""
        mixed = x.int() + self.noise(x.shape[1])
        return mixed.clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)
