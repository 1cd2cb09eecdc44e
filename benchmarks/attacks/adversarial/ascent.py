"""Gradient ascent on loss - lambda cost for batches: Algorithm 3.1 of Hua et al. (2021).

Step rule, cost, stopping rule and projection are exchangeable: the paper's attack, PGD and the
inner problem of DRO training use the same loop. Inputs may be images or rows of tables.
Section, equation and line numbers in this package are those of Hua et al. unless another paper is
named.
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
"""Logits and labels -> the objective to maximise, [n]."""
StepRule = Callable[[Tensor], Tensor]
"""The gradient of the objective, [n, ...] -> the step, [n, ...]."""
Projection = Callable[[Tensor, Tensor], Tensor]
"""Iterates and originals, [n, ...] each -> the nearest permitted inputs, [n, ...]."""


@dataclass(frozen=True)
class Attacked:
    """The result of an attack.

    Attributes:
        x: the attacked inputs, in the order of the originals, [n, ...].
        steps: number of gradient steps of each, [n] int64.
        stopped: which of them stopped early because they were misclassified, [n] bool.
    """

    x: Tensor
    steps: Tensor
    stopped: Tensor


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of each sample, [n]: the paper's loss."""
    return F.cross_entropy(logits, y, reduction="none")


def lead(logits: Tensor, y: Tensor) -> Tensor:
    """The largest logit of another class less that of y, [n]; positive if x is misclassified."""
    true_logit = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf)
    return others.amax(dim=1) - true_logit


def capped_lead(logits: Tensor, y: Tensor) -> Tensor:
    """min(lead, 1): the margin loss of Laidlaw et al. (2021), section 4."""
    return lead(logits, y).clamp(max=1)


def lengths(x: Tensor) -> Tensor:
    """Euclidean length of each input to divide by, [n, 1, ...]; 1 if it is 0."""
    length = x.flatten(1).norm(dim=1)
    return torch.where(length > 0, length, 1).view(-1, *[1] * (x.dim() - 1))


def gradient_step(step: float) -> StepRule:
    """Line 9: step * gradient."""
    return lambda gradient: step * gradient


def normalised_step(step: float) -> StepRule:
    """Equation 3.5: step * gradient / |gradient|_2 for each input."""
    return lambda gradient: step * (gradient / lengths(gradient))


def sign_step(step: float) -> StepRule:
    """Steepest ascent in the maximum norm, Madry et al. (2018): step * sign(gradient)."""
    return lambda gradient: step * gradient.sign()


def clipped(x: Tensor, original: Tensor) -> Tensor:
    """Line 10: pixels are clipped to [0, 1]."""
    del original
    return x.clamp(0, 1)


def unlimited(x: Tensor, original: Tensor) -> Tensor:
    """No projection, for the features of tables."""
    del original
    return x


def within(norm: str, radius: float, projection: Projection = clipped) -> Projection:
    """Projection into the ball of `radius` around the original in "l2" or "linf", then another."""

    def projected(x: Tensor, original: Tensor) -> Tensor:
        delta = x - original
        if norm == "linf":
            delta = delta.clamp(-radius, radius)
        else:
            delta = delta * (radius / lengths(delta)).clamp(max=1)
        return projection(original + delta, original)

    return projected


def unrounded(x: Tensor) -> Tensor:
    """The iterate itself."""
    return x


@dataclass(frozen=True)
class Ascent:
    """Algorithm 3.1 for a batch.

    Every iteration passes the active inputs through the model once. Those whose lead exceeds
    `confidence` leave the batch; the others move by rule(d loss - weight d cost). Gradients are
    those of sums over the batch, so that inputs do not affect each other.

    Attributes:
        rule: turns a gradient into a step.
        steps: N; as in the paper, the model does not see the image after the last step.
        cost: c_0, or None.
        weight: lambda.
        confidence: a, or None to take all steps.
        loss: the objective to maximise.
        projection: maps an iterate to a permitted input.
        rounding: maps an iterate to what the model and the cost see and what is returned. With
            `images.eight_bit` every image seen has 8 bits, while steps add up unrounded: rounding
            the iterate itself would undo steps of less than half a level.
    """

    rule: StepRule
    steps: int = 100
    cost: Measure | None = None
    weight: float = 1.0
    confidence: float | None = 0.0
    loss: Loss = cross_entropy
    projection: Projection = clipped
    rounding: Callable[[Tensor], Tensor] = unrounded

    def __call__(self, model: Model, x: Tensor, y: Tensor, start: Tensor | None = None) -> Attacked:
        """Attack a batch.

        Args:
            model: inputs -> logits; its weights and its mode are not changed.
            x: originals, [n, ...].
            y: classes of the originals, [n].
            start: first iterates, [n, ...] (a warm or random start); the originals by default.
        """
        distance = self.cost(x) if self.cost is not None and self.weight else None
        batch = _ActiveBatch(x, y, x if start is None else start, distance)
        for step in range(self.steps):
            inputs = self.rounding(batch.iterate).detach().requires_grad_()
            logits = model(inputs)
            finished = self._finished(logits, batch.y)
            if finished is not None and bool(finished.all()):
                batch.release(finished, inputs.detach(), step)
                break
            loss = self.loss(logits, batch.y)
            (gradient,) = torch.autograd.grad(
                (loss if finished is None else loss[~finished]).sum(), inputs
            )
            if finished is not None and bool(finished.any()):
                batch.release(finished, inputs.detach(), step)
                inputs, gradient = inputs[~finished], gradient[~finished]
            if batch.distance is not None:
                gradient = gradient - self.weight * _gradient(batch.distance, inputs.detach())
            moved = batch.iterate + self.rule(gradient)
            batch.iterate = self.projection(moved, batch.original).detach()
        return batch.result(self.rounding, self.steps)

    def _finished(self, logits: Tensor, y: Tensor) -> Tensor | None:
        """Line 5: the inputs that are misclassified by the margin a, [n] bool."""
        if self.confidence is None:
            return None
        return lead(logits.detach(), y) > self.confidence


class _ActiveBatch:
    """The inputs of a batch that are still attacked, and the results of those that are not."""

    def __init__(self, x: Tensor, y: Tensor, start: Tensor, distance: Distance | None) -> None:
        self.iterate, self.original, self.y, self.distance = start, x, y, distance
        self.rows = torch.arange(len(x), device=x.device)
        self._attacked = start.clone()
        self._steps = torch.zeros_like(self.rows)
        self._stopped = torch.zeros_like(self.rows, dtype=torch.bool)

    def release(self, finished: Tensor, inputs: Tensor, step: int) -> None:
        """Store the inputs that are finished, [m] bool, and continue with the others."""
        rows, active = self.rows[finished], ~finished
        self._attacked[rows], self._steps[rows] = inputs[finished], step
        self._stopped[rows] = True
        self.rows, self.iterate, self.y = self.rows[active], self.iterate[active], self.y[active]
        self.original = self.original[active]
        if self.distance is not None and bool(active.any()):
            self.distance = self.distance.subset(active)

    def result(self, rounding: Callable[[Tensor], Tensor], step: int) -> Attacked:
        """All inputs; those that are still active took `step` steps."""
        self._attacked[self.rows], self._steps[self.rows] = rounding(self.iterate), step
        return Attacked(self._attacked, self._steps, self._stopped)


def _gradient(distance: Distance, x: Tensor) -> Tensor:
    """Gradient of each input's distance with respect to the input, [n, ...]."""
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(distance(x).sum(), x)
    return gradient


def gradient_of(loss: Loss, model: Model, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of each input's loss with respect to the input, [n, ...], and the logits."""
    x = x.detach().requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(loss(logits, y).sum(), x)
    return gradient, logits.detach()
