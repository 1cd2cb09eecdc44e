"""Neural Cleanse: find a class that a much smaller trigger reaches than the other classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.errors import Skip
from bench.learning.loop import Context
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.models.backbones import Backbone
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask

CONSISTENT = 1.4826  # makes the MAD an estimate of a normal's standard deviation (section IV.C)
BATCH = 2048  # stamped samples that pass through the victim at once
BATCH_ON_CPU = 128  # the same on a CPU, where it is twice as fast as 2048
MARGIN = 1e-7  # keeps tanh away from its limits, where it has no gradient; the authors' code


@dataclass(frozen=True)
class NeuralCleanse(Defender):
    """Wang et al. (2019), sections IV to VI: reverse the triggers, find the outlier, unlearn it.

    For every class a mask m and a pattern p are optimised so that (1 - m) x + m p is classified
    as the class and |m| is small (equations 2 and 3). All classes are optimised in one batch. A
    class is flagged if its norm |m| lies more than two deviations below the median. The victim is
    then fine-tuned on clean samples with their true labels, some of which carry the trigger of a
    flagged class. If no class is flagged, the victim is kept.
    """

    paper: ClassVar[Paper] = Paper(
        "Wang et al. (2019)",
        "Neural Cleanse: identifying and mitigating backdoor attacks in neural networks",
        "https://ieeexplore.ieee.org/document/8835365",
    )

    rounds: Annotated[int, Field(ge=1)] = 100
    """Largest number of passes over the clean samples. The authors' code allows 1,000, but stops
    early before that."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Clean samples in a step, each stamped once for every class; 32 in the authors' code."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    """Learning rate of Adam with betas .5 and .9, as in the authors' code."""
    success: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of samples that a trigger must send to its class (section V.A: 99 %)."""
    patience: Annotated[int, Field(ge=1)] = 5
    """Rounds above or below `success` before the weight of |m| rises or falls; five times as many
    without a smaller trigger end the search, as in the authors' code."""
    cost: Annotated[float, Field(gt=0)] = 1e-3
    """First weight of |m|, from when a trigger succeeds, as in the authors' code."""
    step_up: Annotated[float, Field(gt=1)] = 2.0
    """Factor f by which that weight rises; it falls by f^1.5, as in the authors' code."""
    outlier: Annotated[float, Field(gt=0)] = 2.0
    """Anomaly index above which a class is flagged (section IV.C)."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the clean samples that carry a reversed trigger (section VI.C: 20 %)."""
    epochs: Annotated[int, Field(ge=1)] = 10
    """Epochs of unlearning; the paper's is 1, on a tenth of the training set, and the reserve is
    smaller."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Reverse the triggers, find the outliers among their norms, unlearn those triggers."""
        task.require_continuous()
        if len(task.classes) < 3:
            raise Skip("of two norms none is an outlier: Neural Cleanse needs three classes")
        triggers = self.reversed_triggers(task, context)
        norms = triggers.norms
        index = anomaly_index(norms)
        flagged = (index > self.outlier) & (norms < norms.quantile(0.5))
        for number, norm in enumerate(norms.tolist()):
            context.chosen[f"norm of class {number}"] = norm
        context.chosen["anomaly index"] = index[norms.argmin()].item()
        context.chosen["flagged classes"] = " ".join(map(str, flagged.nonzero()[:, 0].tolist()))
        if not flagged.any():
            return Defence(alarm=False)
        return Defence(model=self._unlearned(task, context, triggers, flagged), alarm=True)

    def reversed_triggers(self, task: PoisoningTask, context: Context) -> Triggers:
        """The smallest successful trigger of every class, or its last one (section V.A)."""
        search = Search(self, task)
        order, clean = context.generator("neural cleanse/order"), len(task.reserve)
        for number in range(self.rounds):
            context.report_progress("triggers, round", number + 1, self.rounds)
            rate = search.round(torch.randperm(clean, generator=order).split(self.batch_size))
            search.schedule(rate)
            if not search.active.any():
                context.chosen["rounds"] = number + 1
                break
        return search.smallest

    def _unlearned(
        self, task: PoisoningTask, context: Context, triggers: Triggers, flagged: Tensor
    ) -> Backbone:
        """The victim, fine-tuned to ignore the flagged triggers (section VI.C)."""
        clean, random = len(task.reserve), context.generator("neural cleanse/unlearning")
        trigger = torch.full((clean,), -1)
        drawn = torch.randperm(clean, generator=random)[: round(self.share * clean)]
        classes = flagged.nonzero()[:, 0].cpu()
        trigger[drawn] = classes[torch.arange(len(drawn)) % len(classes)]
        trigger = trigger.to(task.device)
        mixed = task.reserve.altered(lambda x, index: triggers.stamp(x, trigger[index]))
        model = task.new_model()
        model.load_state_dict(task.victim.state_dict())
        return context.train(model, mixed, plain_loss, stage="unlearning", epochs=self.epochs)


@dataclass(frozen=True)
class Triggers:
    """One trigger for each of K classes.

    Attributes:
        mask: in [0, 1], [K, 1, H, W] for images, otherwise [K, *shape of an input].
        pattern: in the units of inputs, [K, *shape of an input].
    """

    mask: Tensor
    pattern: Tensor

    @property
    def norms(self) -> Tensor:
        """L1 norm of each mask, [K]."""
        return self.mask.flatten(1).sum(dim=1)

    def stamp(self, x: Tensor, which: Tensor) -> Tensor:
        """Samples x [m, ...], sample i with the trigger of class which[i], or none if it is -1."""
        mask, pattern = self.mask[which], self.pattern[which]
        without = (which < 0).view(-1, *[1] * (x.dim() - 1))
        return torch.lerp(x.float(), pattern, mask.masked_fill(without, 0))

    def stamp_all(self, x: Tensor) -> Tensor:
        """All samples [m, ...] with the first trigger, then with the second, ...: [K * m, ...]."""
        mask, pattern = self.mask[:, None], self.pattern[:, None]
        return torch.lerp(x.float()[None], pattern, mask).flatten(0, 1)


class Search:
    """The optimisation of all classes' triggers, each with its own weight and early stop.

    The triggers of different classes do not interact, because Adam works element by element.

    Attributes:
        active: [K] bool, the classes that are still optimised.
        smallest: the smallest trigger of each class that succeeded, or its last one if none did.
    """

    def __init__(self, method: NeuralCleanse, task: PoisoningTask) -> None:
        self.method, self.victim, self.clean = method, task.victim, task.reserve
        self.low, self.high = limits(task.reserve, task.kind == "image")
        classes, shape = len(task.classes), task.shape
        mask_shape = (1, *shape[1:]) if task.kind == "image" else shape
        random = torch.Generator().manual_seed(task.seed)
        # Drawn from [0, 1] as in the authors' code; all classes start from the same values.
        mask, pattern = (torch.rand(s, generator=random) for s in (mask_shape, shape))
        self.raw = [
            unbounded(first.to(task.device)).expand(classes, *first.shape).clone().requires_grad_()
            for first in (mask, pattern)
        ]
        self.optimiser = torch.optim.Adam(self.raw, lr=method.learning_rate, betas=(0.5, 0.9))

        # The weight of |m|; rounds above and below `success`; rounds without a smaller trigger.
        zeros = torch.zeros(classes, device=task.device)
        self.cost, self.above, self.below, self.idle = (zeros.clone() for _ in range(4))
        self.active = torch.ones_like(zeros, dtype=torch.bool)
        self.went_up = self.went_down = ~self.active
        self.smallest_norm = zeros + torch.inf
        self.smallest = self._triggers(slice(None))

    def _triggers(self, classes: Tensor | slice) -> Triggers:
        """The current triggers of some classes."""
        mask, pattern = (bounded(raw[classes]) for raw in self.raw)
        return Triggers(mask, self.low + pattern * (self.high - self.low))

    def round(self, batches: Iterable[Tensor]) -> Tensor:
        """One pass over the clean samples; the success rate of each class during it, [K]."""
        active = self.active.nonzero()[:, 0]
        at_once = BATCH if active.is_cuda else BATCH_ON_CPU
        successes, samples = torch.zeros(len(self.active), device=active.device), 0
        for index in batches:
            x = self.clean.inputs.take(index.to(active.device))
            self.optimiser.zero_grad()
            for classes in active.split(max(1, at_once // len(x))):
                successes[classes] += self._gradients(classes, x)
            self.optimiser.step()
            samples += len(x)
        return successes / samples

    def _gradients(self, classes: Tensor, x: Tensor) -> Tensor:
        """Add the gradients of equation 3 for some classes; the number of successes of each."""
        triggers = self._triggers(classes)
        logits = self.victim(triggers.stamp_all(x)).float()
        target = classes.repeat_interleave(len(x))
        loss = F.cross_entropy(logits, target, reduction="none").view(len(classes), -1).mean(dim=1)
        (loss + self.cost[classes] * triggers.norms).sum().backward()
        return (logits.argmax(dim=1) == target).view(len(classes), -1).sum(dim=1)

    @torch.no_grad()
    def schedule(self, rate: Tensor) -> None:
        """Keep smaller triggers that succeed, adapt the weights, stop classes without progress."""
        method, active = self.method, self.active.clone()
        triggers = self._triggers(slice(None))
        successful = active & (rate >= method.success)
        better = successful & (triggers.norms < self.smallest_norm)
        self._keep(triggers, better | (active & self.smallest_norm.isinf()))
        self.smallest_norm = torch.where(better, triggers.norms, self.smallest_norm)
        # Rounds without a smaller trigger count once the weight went both up and down.
        self.idle = torch.where(better | ~(self.went_up & self.went_down), 0, self.idle + 1)
        self.active &= self.idle < 5 * method.patience
        self.above = torch.where(successful, self.above + 1, 0)
        self.below = torch.where(successful, 0, self.below + 1)
        weighted = self.cost > 0
        up = active & (self.above >= method.patience)
        down = active & weighted & (self.below >= method.patience)
        raised = torch.where(weighted, self.cost * method.step_up, method.cost)
        self.cost = torch.where(up, raised, self.cost)
        self.cost = torch.where(down, self.cost / method.step_up**1.5, self.cost)
        self.went_up = self.went_up | (up & weighted)
        self.went_down = self.went_down | down
        self.above = self.above.masked_fill(up, 0)
        self.below = self.below.masked_fill(down, 0)

    def _keep(self, triggers: Triggers, classes: Tensor) -> None:
        """Take over the triggers of some classes, [K] bool."""

        def merged(new: Tensor, old: Tensor) -> Tensor:
            return torch.where(classes.view(-1, *[1] * (new.dim() - 1)), new, old.detach())

        old = self.smallest
        self.smallest = Triggers(
            merged(triggers.mask, old.mask), merged(triggers.pattern, old.pattern)
        )


def anomaly_index(norms: Tensor) -> Tensor:
    """|norm - median| / (1.4826 MAD), section IV.C; a median is the mean of the middle two."""
    deviation = (norms - norms.quantile(0.5)).abs()
    spread = CONSISTENT * deviation.quantile(0.5)
    return deviation / spread.clamp_min(1e-9)  # finite even if most norms are equal


def limits(clean: Split, pixels: bool) -> tuple[Tensor, Tensor]:
    """Lower and upper limits of a pattern: 0 and 255 for pixels, else the clean samples' range."""
    if pixels:
        return torch.tensor(0.0, device=clean.y.device), torch.tensor(255.0, device=clean.y.device)
    x = clean.x.float()
    return x.amin(dim=0), x.amax(dim=0)


def bounded(raw: Tensor) -> Tensor:
    """Unbounded values mapped to (0, 1) by tanh."""
    return raw.tanh() / (2 + MARGIN) + 0.5


def unbounded(value: Tensor) -> Tensor:
    """The inverse of `bounded`."""
    return ((value - 0.5) * (2 - MARGIN)).atanh()
