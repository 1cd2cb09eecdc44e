"""Algorithm 3.1's loop, for whole batches: uphill on the loss, and back towards the original.

Step rule, cost, stop and what is permitted are exchangeable, so that the paper's attack, PGD and
the training of a robust network climb through the same loop. Inputs may be images or tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.perception.distances.contract import Distance, Measure

Model = Callable[[Tensor], Tensor]
"""Inputs, [n, ...], -> logits, [n, classes]."""
Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits and labels -> what to climb, [n]."""
Rule = Callable[[Tensor], Tensor]
"""The gradient of the objective, [n, ...] -> the step to take."""
Keep = Callable[[Tensor, Tensor], Tensor]
"""An iterate and its original -> the permitted input next to it."""


@dataclass(frozen=True)
class Attacked:
    """What an attack leaves.

    Attributes:
        x: the attacked inputs, in the order of the originals.
        steps: gradient steps that each took, [n] int64.
        stopped: which were seen to be misclassified and left early, [n] bool.
    """

    x: Tensor
    steps: Tensor
    stopped: Tensor


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The paper's loss, [n]."""
    return F.cross_entropy(logits, y, reduction="none")


def lead(logits: Tensor, y: Tensor) -> Tensor:
    """Largest logit of another class less that of y, [n]: above 0 where y has lost."""
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf)
    return others.amax(dim=1) - own


def capped_lead(logits: Tensor, y: Tensor) -> Tensor:
    """The margin loss of Laidlaw et al. (2021), section 4: `lead`, but nothing beyond 1 counts."""
    return lead(logits, y).clamp(max=1)


def lengths(x: Tensor) -> Tensor:
    """Euclidean length of each, [n, 1, ...] to divide by; 1 where it is 0."""
    length = x.flatten(1).norm(dim=1)
    return torch.where(length > 0, length, 1).view(-1, *[1] * (x.dim() - 1))


def as_it_is(step: float) -> Rule:
    """Line 9: the gradient times epsilon."""
    return lambda gradient: step * gradient


def of_length(step: float) -> Rule:
    """Equation 3.5: every input moves by the same Euclidean length."""
    return lambda gradient: step * (gradient / lengths(gradient))


def of_sign(step: float) -> Rule:
    """Steepest ascent in the maximum norm, Madry et al. (2018)."""
    return lambda gradient: step * gradient.sign()


def pixels(x: Tensor, original: Tensor) -> Tensor:
    """Line 10: an RGB image."""
    del original
    return x.clamp(0, 1)


def anything(x: Tensor, original: Tensor) -> Tensor:
    """Features of tables know no limits."""
    del original
    return x


def within(norm: str, radius: float, keep: Keep = pixels) -> Keep:
    """At most `radius` from the original in "l2" or "linf", and then as `keep` has it."""

    def kept(x: Tensor, original: Tensor) -> Tensor:
        moved = x - original
        if norm == "linf":
            moved = moved.clamp(-radius, radius)
        else:
            moved = moved * (radius / lengths(moved)).clamp(max=1)
        return keep(original + moved, original)

    return kept


def shown_as_it_is(x: Tensor) -> Tensor:
    """The network sees the iterate itself."""
    return x


@dataclass(frozen=True)
class Ascent:
    """Algorithm 3.1 for a batch.

    Every iteration passes the inputs that are left through the model once. Those whose lead is
    beyond `confidence` leave the batch; the others move by rule(d loss - weight d cost). The
    gradients are of sums over the batch, so that no input feels another.

    Attributes:
        rule: how a gradient becomes a step.
        steps: N; the image after the last step is returned unseen, as in the paper.
        cost: c_0, or None.
        weight: lambda.
        confidence: a, or None to take all steps.
        loss: what to climb.
        keep: what an iterate may be.
        show: what of an iterate the model and the cost see, and what is returned. With
            `images.eight_bit` steps add up unrounded while every image seen is an 8-bit one:
            were the iterate itself rounded, steps of less than half a level would be undone.
    """

    rule: Rule
    steps: int = 100
    cost: Measure | None = None
    weight: float = 1.0
    confidence: float | None = 0.0
    loss: Loss = cross_entropy
    keep: Keep = pixels
    show: Callable[[Tensor], Tensor] = shown_as_it_is

    def __call__(self, model: Model, x: Tensor, y: Tensor, start: Tensor | None = None) -> Attacked:
        """Attack a batch.

        Args:
            model: its weights are left alone; its mode is the caller's affair.
            x: originals, [n, ...].
            y: their classes, [n].
            start: where to begin, if not at the originals (a warm or random start).
        """
        climb = _Climb(x, y, x if start is None else start, self._distance(x))
        for step in range(self.steps):
            shown = self.show(climb.here).detach().requires_grad_()
            logits = model(shown)
            finished = self._finished(logits, climb.y)
            if finished is not None and bool(finished.all()):
                climb.leave(finished, shown.detach(), step)
                break
            uphill = self._uphill(logits, climb.y, shown, finished)
            if finished is not None and bool(finished.any()):
                climb.leave(finished, shown.detach(), step)
                shown, uphill = shown[~finished], uphill[~finished]
            if climb.distance is not None:
                uphill = uphill - self.weight * _slope(climb.distance, shown.detach())
            climb.here = self.keep(climb.here + self.rule(uphill), climb.original).detach()
        return climb.ended(self.show, self.steps)

    def _distance(self, x: Tensor) -> Distance | None:
        return self.cost(x) if self.cost is not None and self.weight else None

    def _finished(self, logits: Tensor, y: Tensor) -> Tensor | None:
        """Line 5."""
        if self.confidence is None:
            return None
        return lead(logits.detach(), y) > self.confidence

    def _uphill(self, logits: Tensor, y: Tensor, shown: Tensor, finished: Tensor | None) -> Tensor:
        loss = self.loss(logits, y)
        if finished is not None:
            loss = loss[~finished]
        (gradient,) = torch.autograd.grad(loss.sum(), shown)
        return gradient


class _Climb:
    """The inputs that are still climbing, and those that have left."""

    def __init__(self, x: Tensor, y: Tensor, start: Tensor, distance: Distance | None) -> None:
        self.here, self.original, self.y, self.distance = start, x, y, distance
        self.rows = torch.arange(len(x), device=x.device)
        self._out = start.clone()
        self._steps = torch.zeros_like(self.rows)
        self._stopped = torch.zeros_like(self.rows, dtype=torch.bool)

    def leave(self, finished: Tensor, shown: Tensor, step: int) -> None:
        """Put down what is finished and go on with the rest."""
        gone, left = self.rows[finished], ~finished
        self._out[gone], self._steps[gone], self._stopped[gone] = shown[finished], step, True
        self.rows, self.here, self.y = self.rows[left], self.here[left], self.y[left]
        self.original = self.original[left]
        if self.distance is not None and bool(left.any()):
            self.distance = self.distance.subset(left)

    def ended(self, show: Callable[[Tensor], Tensor], step: int) -> Attacked:
        """Put down the rest."""
        self._out[self.rows], self._steps[self.rows] = show(self.here), step
        return Attacked(self._out, self._steps, self._stopped)


def _slope(distance: Distance, x: Tensor) -> Tensor:
    """Gradient of each input's distance with respect to it."""
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(distance(x).sum(), x)
    return gradient


def gradient_of(loss: Loss, model: Model, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of each input's loss with respect to it, [n, ...], and the logits it came with."""
    x = x.detach().requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(loss(logits, y).sum(), x)
    return gradient, logits.detach()
