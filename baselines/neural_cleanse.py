"""Neural Cleanse: looks for a class that a far smaller trigger reaches than the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
STAMPED = 2048  # samples that pass through the victim at once, whatever the number of classes
STAMPED_ON_CPU = 128  # the same where caches are small: twice as fast as 2048
ROUGH = 1e-7  # keeps tanh off its limits, where it has no gradient, as in the authors' code


@dataclass(frozen=True)
class NeuralCleanse(Defender):
    """Wang et al. (2019), sections IV to VI: reverse the triggers, find the outlier, unlearn it.

    For every class a mask m and a pattern p are sought, so that (1 - m) x + m p is taken for the
    class and |m| is small (equations 2 and 3); all classes at once, in one batch. A class is
    flagged where its norm lies below the median and more than two deviations from it, the median
    being the mean of the middle two. The victim is then fine-tuned on clean samples of which some
    carry a flagged class's trigger and all their true labels. Nothing flagged: nothing is changed.
    """

    paper: ClassVar[Paper] = Paper(
        "Wang et al. (2019)",
        "Neural Cleanse: identifying and mitigating backdoor attacks in neural networks",
        "https://ieeexplore.ieee.org/document/8835365",
    )

    rounds: Annotated[int, Field(ge=1)] = 100
    """Passes over the clean samples at most. The authors' code allows 1,000 but for its early
    stop, which comes first."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Clean samples in a step, each stamped once for every class; 32 in the authors' code."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    """Of Adam, with betas .5 and .9: the authors' code."""
    success: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of samples that a trigger must turn (section V.A: 99 %)."""
    patience: Annotated[int, Field(ge=1)] = 5
    """Rounds above or below `success` before the weight of |m| goes up or down; five times as
    many without a smaller trigger end the search: the authors' code."""
    cost: Annotated[float, Field(gt=0)] = 1e-3
    """The weight of |m| to begin with, once a trigger succeeds: the authors' code."""
    step_up: Annotated[float, Field(gt=1)] = 2.0
    """Factor by which that weight goes up; it goes down by its power 1.5: the authors' code."""
    outlier: Annotated[float, Field(gt=0)] = 2.0
    """Anomaly index above which a class is flagged (section IV.C)."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the clean samples that carry a reversed trigger (section VI.C: 20 %)."""
    epochs: Annotated[int, Field(ge=1)] = 10
    """Of unlearning. One is the paper's, on a tenth of the training set; the reserve is smaller."""

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Reverse, compare, unlearn."""
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
        context.chosen["flagged classes"] = " ".join(
            str(c) for c in flagged.nonzero()[:, 0].tolist()
        )
        if not flagged.any():
            return Defence(alarm=False)
        return Defence(model=self._unlearned(task, context, triggers, flagged), alarm=True)

    def reversed_triggers(self, task: PoisoningTask, context: Context) -> Triggers:
        """The smallest successful trigger of every class (section V.A)."""
        search = Search(self, task)
        order = context.generator("neural cleanse/order")
        for number in range(self.rounds):
            context.report_progress("triggers, round", number + 1, self.rounds)
            rate = search.round(shuffled(len(task.reserve), self.batch_size, order))
            search.schedule(rate)
            if not search.active.any():
                context.chosen["rounds"] = number + 1
                break
        return search.found()

    def _unlearned(
        self, task: PoisoningTask, context: Context, triggers: Triggers, flagged: Tensor
    ) -> Backbone:
        """The victim, fine-tuned to see through the flagged triggers (section VI.C)."""
        clean, random = len(task.reserve), context.generator("neural cleanse/unlearning")
        carries = torch.full((clean,), -1)
        drawn = torch.randperm(clean, generator=random)[: round(self.share * clean)]
        classes = flagged.nonzero()[:, 0].cpu()
        carries[drawn] = classes[torch.arange(len(drawn)) % len(classes)]
        carries = carries.to(task.device)
        mixed = task.reserve.altered(lambda x, index: triggers.stamp(x, carries[index]))
        model = task.new_model()
        model.load_state_dict(task.victim.state_dict())
        return fine_tuned(model, mixed, context, self.epochs)


@dataclass(frozen=True)
class Triggers:
    """A trigger of every class.

    Attributes:
        mask: in [0, 1], [K, 1, H, W] for images, else [K, ...] as one input.
        pattern: in the units of inputs, [K, ...].
    """

    mask: Tensor
    pattern: Tensor

    @property
    def norms(self) -> Tensor:
        """L1 norm of each mask, [K]."""
        return self.mask.flatten(1).sum(dim=1)

    def stamp(self, x: Tensor, which: Tensor) -> Tensor:
        """The trigger of class which[i] on sample i; none where that is -1."""
        mask, pattern = self.mask[which], self.pattern[which]
        bare = (which < 0).view(-1, *[1] * (x.dim() - 1))
        return torch.lerp(x.float(), pattern, mask.masked_fill(bare, 0))

    def stamp_all(self, x: Tensor) -> Tensor:
        """Each trigger on every sample, [K * m, ...], the first class's first."""
        mask, pattern = self.mask[:, None], self.pattern[:, None]
        return torch.lerp(x.float()[None], pattern, mask).flatten(0, 1)


class Search:
    """The optimisation of all classes' triggers, each with its own weight and early stop.

    Attributes:
        active: [K] bool, the classes that are still optimised. A class's trigger depends on no
            other's: Adam works element by element.
    """

    def __init__(self, method: NeuralCleanse, task: PoisoningTask) -> None:
        self.method, self.victim, self.clean = method, task.victim, task.reserve
        self.low, self.high = limits(task.reserve, task.kind == "image")
        classes, shape = len(task.classes), task.shape
        mask_shape = (1, *shape[1:]) if task.kind == "image" else shape
        random = torch.Generator().manual_seed(task.seed)
        # In [0, 1], as the authors' code draws them; the same start for every class.
        mask, pattern = (torch.rand(s, generator=random) for s in (mask_shape, shape))
        self.raw = [
            unbounded(start.to(task.device)).expand(classes, *start.shape).clone().requires_grad_()
            for start in (mask, pattern)
        ]
        self.optimiser = torch.optim.Adam(self.raw, lr=method.learning_rate, betas=(0.5, 0.9))

        def each(value: float) -> Tensor:
            return torch.full((classes,), value, device=task.device)

        self.active = each(1).bool()
        self.cost, self.above, self.below, self.idle = each(0), each(0), each(0), each(0)
        self.went_up, self.went_down = each(0).bool(), each(0).bool()
        self.smallest = each(torch.inf)
        self.kept = self._bounded(slice(None))

    def _bounded(self, classes: Tensor | slice) -> Triggers:
        mask, pattern = (bounded(raw[classes]) for raw in self.raw)
        return Triggers(mask, self.low + pattern * (self.high - self.low))

    def round(self, batches: Iterator[Tensor]) -> Tensor:
        """One pass over the clean samples; each class's mean success rate on the way, [K]."""
        active = self.active.nonzero()[:, 0]
        most = STAMPED if active.is_cuda else STAMPED_ON_CPU
        hits, seen = torch.zeros(len(self.active), device=active.device), 0
        for index in batches:
            x = self.clean.inputs.take(index.to(active.device))
            self.optimiser.zero_grad()
            for classes in active.split(max(1, most // len(x))):
                hits[classes] += self._gradients(classes, x)
            self.optimiser.step()
            seen += len(x)
        return hits / seen

    def _gradients(self, classes: Tensor, x: Tensor) -> Tensor:
        """Add the gradients of equation 3 for some classes; how many samples each one turned."""
        triggers = self._bounded(classes)
        logits = self.victim(triggers.stamp_all(x)).float()
        aim = classes.repeat_interleave(len(x))
        miss = F.cross_entropy(logits, aim, reduction="none").view(len(classes), -1).mean(dim=1)
        (miss + self.cost[classes] * triggers.norms).sum().backward()
        return (logits.argmax(dim=1) == aim).view(len(classes), -1).sum(dim=1)

    @torch.no_grad()
    def schedule(self, rate: Tensor) -> None:
        """Keep smaller triggers that succeed, move the weights, and end what has settled."""
        method, active = self.method, self.active.clone()
        now = self._bounded(slice(None))
        good = active & (rate >= method.success)
        better = good & (now.norms < self.smallest)
        never = active & self.smallest.isinf()
        self._keep(now, better | never)
        self.smallest = torch.where(better, now.norms, self.smallest)
        # Once both ways were tried: rounds since the last smaller trigger.
        tried = self.went_up & self.went_down
        self.idle = torch.where(better | ~tried, 0, self.idle + 1)
        self.active &= self.idle < 5 * method.patience
        self.above = torch.where(good, self.above + 1, 0)
        self.below = torch.where(good, 0, self.below + 1)
        begun = self.cost > 0
        up = active & (self.above >= method.patience)
        down = active & begun & (self.below >= method.patience)
        raised = torch.where(begun, self.cost * method.step_up, method.cost)
        self.cost = torch.where(up, raised, self.cost)
        self.cost = torch.where(down, self.cost / method.step_up**1.5, self.cost)
        self.went_up |= up & begun
        self.went_down |= down
        self.above = self.above.masked_fill(up, 0)
        self.below = self.below.masked_fill(down, 0)

    def _keep(self, now: Triggers, which: Tensor) -> None:
        def of(new: Tensor, old: Tensor) -> Tensor:
            return torch.where(which.view(-1, *[1] * (new.dim() - 1)), new, old.detach())

        self.kept = Triggers(of(now.mask, self.kept.mask), of(now.pattern, self.kept.pattern))

    def found(self) -> Triggers:
        """The smallest trigger of each class that succeeded, or its last where none did."""
        return self.kept


def anomaly_index(norms: Tensor) -> Tensor:
    """|norm - median| / (1.4826 MAD), section IV.C; medians are the mean of the middle two."""
    apart = (norms - norms.quantile(0.5)).abs()
    spread = CONSISTENT * apart.quantile(0.5)
    return apart / spread.clamp_min(1e-9)  # finite where most norms are equal


def limits(clean: Split, pixels: bool) -> tuple[Tensor, Tensor]:
    """What a pattern may be made of: any pixel, or each feature's range among clean samples."""
    if pixels:
        return torch.tensor(0.0, device=clean.y.device), torch.tensor(255.0, device=clean.y.device)
    x = clean.x.float()
    return x.amin(dim=0), x.amax(dim=0)


def bounded(raw: Tensor) -> Tensor:
    """Into [0, 1] by tanh."""
    return raw.tanh() / (2 + ROUGH) + 0.5


def unbounded(value: Tensor) -> Tensor:
    """What `bounded` turns into `value`."""
    return ((value - 0.5) * (2 - ROUGH)).atanh()


def shuffled(count: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Positions in random order, in batches of `size`."""
    return iter(torch.randperm(count, generator=random).split(size))


def fine_tuned(model: Backbone, split: Split, context: Context, epochs: int) -> Backbone:
    """The model trained on for some epochs; curves and costs go to the trial."""
    brief = replace(context, training=context.training.model_copy(update={"epochs": epochs}))
    brief.train(model, split, plain_loss, stage="unlearning")
    context.samples_seen, context.training_seconds = brief.samples_seen, brief.training_seconds
    return model
