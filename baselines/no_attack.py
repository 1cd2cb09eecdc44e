"""No attack: the images as they are, which show what JPEG and fewer bits do by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bench.learning.loop import Context
from bench.method import Paper
from bench.tracks.imperceptibility import Attacker


@dataclass(frozen=True)
class NoAttack(Attacker):
    """The defences of Hua et al. (2021), Figure 3.5, on images that are not attacked.

    The reference for every attack: behind a defence, its success rate is the defence's own damage.
    """

    paper: ClassVar[Paper] = Paper(
        "Hua et al. (2021)",
        "Human imperceptible attacks and applications to improve fairness",
        "https://arxiv.org/abs/2111.15603",
    )

    @property
    def caveat(self) -> str | None:
        """Nothing is attacked."""
        return "a reference: nothing is attacked"

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor, context: Context) -> Tensor:
        """The unchanged images."""
        del model, y, context
        return x
