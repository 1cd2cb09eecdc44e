"""The one training loop, behind `Context`: what a method is given besides its task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bench import heartbeat
from bench.errors import Diverged
from bench.learning.inputs import Inputs, flips_and_shifts
from bench.learning.selection import Scores, Selection, best
from bench.learning.settings import Recipe, Training
from bench.learning.shared_work import Shared, SharedRecord, SharedWork
from bench.learning.split import Batch, Split
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.result import Scalar, digest
from bench.seeds import generator, seed_for, seeded

M = TypeVar("M", bound=nn.Module)
REVISION = 3  # raise it when the same training gives other numbers
SPLIT_INTO = "micro_batch"
"""The choice in a result that says into parts of which size too large batches were split."""
EVALUATED_AT_ONCE = {"cpu": 2**18, "cuda": 2**26}
"""Input values in a batch of evaluation, by the type of device. Batches that fit into a CPU's cache
take half the time (max_pool_cnn on MNIST: 4,900 images/s in batches of 256, 2,000 in 1,024)."""


@dataclass
class Context:
    """What a method is given besides its task: training, shared work, randomness, and records.

    Attributes:
        seed: decides initial weights, data order and every random choice.
        training: epochs, batch size, learning rate, how the epoch is selected.
        device: the device of data, models and shared tensors.
        validation: what epochs are selected on unless a call names another split.
        score: (logits, split) -> Scores, given by the track.
        scope: everything but the method that decides a trained model; part of the key of shared
            work.
        cache: folder of shared work, or None to do it anew.
        weights: where files of published weights are looked for.
        curves: per-epoch values, filled by `train`.
        chosen: what was selected, filled by `train` and by methods.
        shared_seconds: cost of the shared work that this trial used, whichever trial did it.
        waited_seconds: wall-clock time that this trial spent doing or awaiting shared work.
        samples_seen: training samples of all stages and epochs, shared work included.
        training_seconds: the time their passes took; validation is not in it.
    """

    seed: int
    training: Training
    device: torch.device
    validation: Split
    score: Callable[[Tensor, Split], Scores]
    scope: Mapping[str, Any]
    cache: Path | None = None
    weights: WeightsFolder = MIRROR_ALONE
    curves: dict[str, list[float]] = field(default_factory=dict)
    chosen: dict[str, Scalar] = field(default_factory=dict)
    shared_seconds: float = 0.0
    waited_seconds: float = 0.0
    samples_seen: int = 0
    training_seconds: float = 0.0

    @property
    def augments(self) -> bool:
        """Whether training flips or shifts images at random."""
        return self.training.flip or self.training.shift > 0

    def generator(self, purpose: str) -> torch.Generator:
        """A random generator for one purpose, seeded by the trial's seed and the purpose."""
        return generator(self.seed, purpose)

    def train(
        self,
        model: M,
        split: Split,
        loss: Callable[[M, Batch], Tensor],
        *,
        stage: str = "",
        validation: Split | None = None,
        parameters: Iterable[nn.Parameter] | None = None,
        also: Iterable[nn.Module] = (),
        select: bool = True,
        recipe: Recipe | None = None,
        epochs: int | None = None,
        after: Callable[[M, Batch], None] | None = None,
    ) -> M:
        """Train `model` and return it with the weights of the selected epoch, in eval mode.

        Args:
            model: maps x to outputs; changed in place.
            split: what to train on.
            loss: (model, batch) -> the mean loss of the batch, a scalar.
            stage: prefix of curves and choices of methods that train more than once.
            validation: what to select the epoch on, if not the task's validation split.
            parameters: what to optimise, if not all of `model`.
            also: further modules that are optimised, such as an adversary, and not selected.
            select: False keeps the last epoch, for auxiliary models that need not be good or fair.
            recipe: how to optimise, where a paper's own way belongs to the method. Unless it is
                watched, the model is not scored on validation data and the last epoch is kept.
            epochs: their number without a recipe, if not that of the training settings.
            after: called with the model and a batch after each step.

        Raises:
            Diverged: the loss, or the model's output on `validation`, was not finite.
        """
        validation = validation or self.validation
        optimised = list(model.parameters() if parameters is None else parameters)
        optimised += [p for module in also for p in module.parameters()]
        optimiser = (
            recipe.optimiser(optimised) if recipe
            else torch.optim.Adam(optimised, lr=self.training.learning_rate, fused=True)
        )  # fmt: skip
        epochs = recipe.epochs if recipe else epochs or self.training.epochs
        size = (recipe or self.training).batch_size
        scored = recipe is None or recipe.watched
        selection: Selection[dict[str, Tensor]] = Selection(self.training.rule)
        prefix = f"{stage}." if stage else ""
        for epoch in range(epochs):
            heartbeat.report_progress(f"{stage or 'training'}, epoch", epoch + 1, epochs)
            model.train()
            if recipe:
                _set_rate(optimiser, recipe.rate(epoch))
            mean_loss = self._epoch(model, split, loss, optimiser, epoch, size, after)
            where = f"epoch {epoch + 1}" + (f" of the {stage}" if stage else "")
            if not math.isfinite(mean_loss):
                raise Diverged(f"the loss was {mean_loss} in {where}")
            scores = self._scores(model, validation, where) if scored else None
            for name, value in {"loss": mean_loss, **(scores.metrics if scores else {})}.items():
                self.curves.setdefault(prefix + name, []).append(value)
            if scores:
                last = not select or self.training.selection == "last"
                selection.offer((-float(epoch),) if last else scores.costs, lambda: _copy(model))
        if scored:
            winner, weights = selection.best()
            self.chosen[prefix + "epoch"] = winner + 1
            model.load_state_dict(weights)
        return model.eval()

    def _scores(self, model: nn.Module, validation: Split, where: str) -> Scores:
        """The scores of the model on `validation`. Raises Diverged if an output is not finite."""
        outputs = self.predict(model, validation.inputs)
        if not outputs.isfinite().all():
            raise Diverged(f"the outputs were not finite after {where}")
        return self.score(outputs, validation)

    def _epoch(
        self,
        model: M,
        split: Split,
        loss: Callable[[M, Batch], Tensor],
        optimiser: torch.optim.Optimizer,
        epoch: int,
        size: int,
        after: Callable[[M, Batch], None] | None,
    ) -> float:
        """Take one pass over `split` and return the mean loss."""
        begin = time.perf_counter()
        total = torch.zeros((), device=self.device)
        order = split.order(self.seed, epoch)
        random = self.generator(f"augmentation/{epoch}")
        augment = flips_and_shifts(self.training.flip, self.training.shift, random)
        # Layers that draw (dropout) draw the same whether shared work was built or loaded before.
        with seeded(seed_for(self.seed, f"layers/{epoch}"), self.device):
            for batch in split.batches(order, size, augment):
                total += self._gradients(model, batch, loss, optimiser) * len(batch)
                optimiser.step()
                if after:
                    after(model, batch)
        mean = total.item() / len(split)
        self.samples_seen += len(split)
        self.training_seconds += time.perf_counter() - begin
        return mean

    def _gradients(
        self,
        model: M,
        batch: Batch,
        loss: Callable[[M, Batch], Tensor],
        optimiser: torch.optim.Optimizer,
    ) -> Tensor:
        """Compute the gradients of a batch's mean loss, and return that loss.

        Where memory runs out, the batch is split into parts whose gradients are summed, weighted
        by size. Batch normalisation and losses that relate samples to each other then see the
        parts alone, so the result records the size of the parts in `chosen`.
        """
        while True:
            optimiser.zero_grad(set_to_none=True)
            size = min(int(self.chosen.get(SPLIT_INTO) or len(batch)), len(batch))
            try:
                return self._accumulated(model, batch, loss, size)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                self.chosen[SPLIT_INTO] = (size + 1) // 2
            # Outside the except block: there the traceback still holds the failed step's tensors.
            torch.cuda.empty_cache()

    def _accumulated(
        self, model: M, batch: Batch, loss: Callable[[M, Batch], Tensor], size: int
    ) -> Tensor:
        total = torch.zeros((), device=self.device)
        for part in batch.split(size) if size < len(batch) else (batch,):
            with self._precision():
                value = loss(model, part) * (len(part) / len(batch))
            value.backward()
            total += value.detach()
        return total

    def report_progress(self, doing: str, done: int, total: int) -> None:
        """Report how far a method's own loop is; `train` and `predict` report by themselves."""
        heartbeat.report_progress(doing, done, total)

    def best(self, candidates: Sequence[Scores]) -> int:
        """The position of the best candidate by the rule that also selects epochs."""
        return best([scores.costs for scores in candidates], self.training.rule)

    def predict(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Outputs of `model` in eval mode, [n, outputs] float32, computed in large batches."""
        model.eval()
        room = EVALUATED_AT_ONCE[self.device.type]
        size = max(16, min(8192, room // math.prod(inputs.shape)))
        while True:
            try:
                return self._predicted(model, inputs, size)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                size = (size + 1) // 2
            torch.cuda.empty_cache()

    def _predicted(self, model: nn.Module, inputs: Inputs, size: int) -> Tensor:
        indices = torch.arange(len(inputs), device=inputs.device).split(size)
        with torch.inference_mode(), self._precision():
            parts: list[Tensor] = []
            for part in inputs.stream(indices):
                heartbeat.report_progress("predictions, batch", len(parts) + 1, len(indices))
                parts.append(model(part).float())
        # A clone made outside inference mode may take part in autograd as a constant.
        return torch.cat(parts).clone()

    def _precision(self) -> torch.autocast | nullcontext[None]:
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def shared(
        self,
        name: str,
        parameters: Mapping[str, Scalar],
        build: Callable[[Context], Mapping[str, Tensor]],
        seed: int | None = None,
    ) -> dict[str, Tensor]:
        """Tensors that several trials need: the first trial computes them, the others read them.

        They are computed under a lock. If that fails, or the process dies, nothing is kept and the
        next trial computes them, as where the files are damaged or the disk had no room. Every
        trial that uses them is charged with their cost.

        Args:
            name: what the tensors are, in words.
            parameters: what decides them besides the task, the seed and the training settings.
            build: computes the tensors with the context that it gets, which has the seed of the
                work. The curves and choices of that context enter those of every user.
            seed: of the work, where trials of all seeds share it; by default the trial's own.

        Returns:
            The tensors by name, contiguous and on the device.
        """
        begin = time.perf_counter()
        seed = self.seed if seed is None else seed
        scope = {**self.scope, "seed": seed}
        # Whichever trial comes first, the work is done under its own seed and charged by itself.
        worker = replace(
            self, seed=seed, scope=scope, curves={}, chosen={}, shared_seconds=0.0,
            waited_seconds=0.0, samples_seen=0, training_seconds=0.0,
        )  # fmt: skip
        if self.cache is None:
            tensors, record = worker._build(build)
        else:
            key = digest({"shared": name, "parameters": dict(parameters), **scope})
            work = SharedWork(self.cache, key, name, self.device)
            tensors, record = work.read_or(lambda: worker._build(build))
        self.curves.update(record.curves)
        self.chosen.update(record.chosen)
        self.shared_seconds += record.seconds
        self.samples_seen += record.samples_seen
        self.training_seconds += record.training_seconds
        self.waited_seconds += time.perf_counter() - begin
        return tensors

    def shared_model(
        self,
        name: str,
        parameters: Mapping[str, Scalar],
        blank: M,
        build: Callable[[Context, M], M],
        seed: int | None = None,
    ) -> M:
        """A trained model that several trials need, in eval mode: see `shared`.

        Args:
            name: what the model is, in words.
            parameters: what decides it besides the task, the seed and the training settings.
            blank: a fresh model; it is trained, or the weights are loaded into it.
            build: (context, blank) -> the trained model.
            seed: of the work, where trials of all seeds share it; by default the trial's own.
        """
        state = self.shared(name, parameters, lambda inner: build(inner, blank).state_dict(), seed)
        blank.load_state_dict(state)
        return blank.eval()

    def _build(self, build: Callable[[Context], Mapping[str, Tensor]]) -> Shared:
        begin = time.perf_counter()
        tensors = {name: t.to(self.device).contiguous() for name, t in build(self).items()}
        own = time.perf_counter() - begin - self.waited_seconds
        record = SharedRecord(
            seconds=own + self.shared_seconds,
            curves=self.curves,
            chosen=self.chosen,
            samples_seen=self.samples_seen,
            training_seconds=self.training_seconds,
        )
        return tensors, record


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
