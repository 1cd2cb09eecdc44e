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
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench import heartbeat
from bench.errors import Diverged
from bench.learning.inputs import Inputs, flips_and_shifts
from bench.learning.selection import Scores, Selection, best
from bench.learning.settings import Recipe, Training
from bench.learning.split import Batch, Split
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.result import Record, Scalar, digest, write_atomically
from bench.seeds import generator, seed_for, seeded

M = TypeVar("M", bound=nn.Module)
REVISION = 2  # raise it when the same training gives other numbers
SPLIT_INTO = "micro_batch"  # what a result calls the size of the parts of batches too large
EVALUATED_AT_ONCE = {"cpu": 2**18, "cuda": 2**26}
"""Input values in a batch of evaluation: what a CPU's cache holds is twice as fast as what it does
not (max_pool_cnn on MNIST: 4,900 images/s in batches of 256, 2,000 in batches of 1,024)."""


class Story(Record):
    """What came with a shared model: its cost, its curves and what was chosen on the way."""

    seconds: float
    curves: dict[str, list[float]]
    chosen: dict[str, Scalar]
    samples_seen: int = 0
    training_seconds: float = 0.0


@dataclass
class Context:
    """One method on one task with one seed, as the method sees it.

    Attributes:
        seed: decides initial weights, data order and every random choice.
        training: epochs, batch size, learning rate, how the epoch is selected.
        device: where everything lives.
        validation: what epochs are selected on unless a call names another split.
        score: (logits, split) -> Scores, given by the track.
        scope: everything but the method that decides a trained model; names shared work.
        cache: folder of shared work, or None to build it anew.
        weights: where files of published weights are looked for.
        curves: per-epoch values, filled by `train`.
        chosen: what was selected, filled by `train` and by methods.
        shared_seconds: cost of shared work that this trial used, whoever built it.
        waited_seconds: wall-clock this trial spent building or awaiting shared work.
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
        """Whether training sees images otherwise in every epoch."""
        return self.training.flip or self.training.shift > 0

    def generator(self, purpose: str) -> torch.Generator:
        """A random generator of its own for one purpose."""
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
            loss: (model, batch) -> scalar.
            stage: prefix of curves and choices of methods that train more than once.
            validation: what to select the epoch on, if not the task's validation split.
            parameters: what to optimise, if not all of `model`.
            also: further modules to optimise along (an adversary); they are not kept.
            select: False keeps the last epoch, for helpers that must not be good or fair.
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
        """One pass over `split`; the mean loss, fetched from the device once."""
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
        """Gradients of the mean loss of a batch; where memory runs out, summed over halves of it.

        Parts weigh by their size. Batch normalisation and losses that relate samples of a batch
        to each other see the parts alone, so the result says that batches were split.
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
        """Say how far a method's own loop is, to whoever watches; training tells by itself."""
        heartbeat.report_progress(doing, done, total)

    def best(self, candidates: Sequence[Scores]) -> int:
        """Position of the best candidate by the rule that also selects epochs."""
        return best([scores.costs for scores in candidates], self.training.rule)

    def predict(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Outputs of `model` in eval mode, [n, outputs] float32, in large batches."""
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
        blank: M,
        build: Callable[[Context, M], M],
        seed: int | None = None,
    ) -> M:
        """A trained model that several trials need, built once and read by the others.

        The first to come builds it under a lock; a builder that dies leaves nothing behind and
        the next one builds. Its cost is charged to every trial that uses it.

        Args:
            name: what it is, in words.
            parameters: whatever else than task, seed and training decides it.
            blank: a model to train, or to load the weights into.
            build: (context, blank) -> trained model; what it trains and chooses comes along.
            seed: of the work, where trials of all seeds share it; by default the trial's own.
        """
        begin = time.perf_counter()
        seed = self.seed if seed is None else seed
        scope = {**self.scope, "seed": seed}
        key = digest({"shared": name, "parameters": dict(parameters), **scope})
        # Whoever comes first builds the same thing: under the seed of the work, not under its own.
        builder = replace(self, seed=seed, scope=scope)
        if self.cache is None:
            model, story = builder._build(blank, build)
        else:
            model, story = builder._build_or_load(self.cache, key, blank, build)
        self.curves.update(story.curves)
        self.chosen.update(story.chosen)
        self.shared_seconds += story.seconds
        self.samples_seen += story.samples_seen
        self.training_seconds += story.training_seconds
        self.waited_seconds += time.perf_counter() - begin
        return model.eval()

    def _build(self, blank: M, build: Callable[[Context, M], M]) -> tuple[M, Story]:
        begin = time.perf_counter()
        inner = replace(
            self,
            curves={},
            chosen={},
            shared_seconds=0.0,
            waited_seconds=0.0,
            samples_seen=0,
            training_seconds=0.0,
        )
        model = build(inner, blank)
        own = time.perf_counter() - begin - inner.waited_seconds
        story = Story(
            seconds=own + inner.shared_seconds,
            curves=inner.curves,
            chosen=inner.chosen,
            samples_seen=inner.samples_seen,
            training_seconds=inner.training_seconds,
        )
        return model, story

    def _build_or_load(
        self, cache: Path, key: str, blank: M, build: Callable[[Context, M], M]
    ) -> tuple[M, Story]:
        weights, told = cache / f"{key}.safetensors", cache / f"{key}.json"
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{key}.lock"):
            if not told.exists():
                model, story = self._build(blank, build)
                save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
                # The story is written last and atomically: where it stands, the weights are whole.
                write_atomically(told, story.model_dump_json())
                return model, story
        blank.load_state_dict(load_file(weights, device=str(self.device)))
        return blank, Story.model_validate_json(told.read_text(encoding="utf-8"))


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
