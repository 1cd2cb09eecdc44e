"""A classifier with the images that it gets right, and the evaluation of attacks on them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import heartbeat
from bench.errors import BenchError, Skip
from bench.learning.split import Split
from bench.learning.standard import REVISION, plain_loss
from bench.method import Method
from bench.models import backbones, classifiers
from bench.models.backbones import check_shape
from bench.models.classifiers import Classifier
from bench.models.weights import PUBLISHED as FITTED
from bench.models.weights import load_pretrained, sha256_of
from bench.perception import images
from bench.result import Scalar
from bench.tracks.imperceptibility import judge, saliency
from bench.tracks.imperceptibility.contract import Attacker, ImperceptibilityOptions
from bench.tracks.imperceptibility.judge import Attacked
from bench.tracks.imperceptibility.strips import strips
from bench.tracks.session import Evaluation, PreparedTask, Session, accuracy_scores

AT_ONCE = 2**22
"""Input values that are attacked at once on the CPU: 15 photographs of 299 pixels, which take
SqueezeNet about 1.5 GiB with gradients; a GPU takes eight times as many."""


class Counted(nn.Module):
    """A classifier that counts the images passing through it with gradients.

    Attributes:
        steps: how many have.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.steps = model, 0

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        if x.requires_grad and torch.is_grad_enabled():
            self.steps += len(x)
        logits: Tensor = self.model(x)
        return logits


class Grey(nn.Module):
    """A classifier of colours that is shown grey images, [n, 1, H, W]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.model(x.expand(-1, 3, -1, -1))
        return logits


class ImperceptibilitySession(Session):
    """One classifier a task and seed: published, or trained once and shared by all attacks."""

    def __init__(self, prepared: PreparedTask) -> None:
        assert isinstance(prepared.options, ImperceptibilityOptions)  # noqa: S101 - the track's own
        self.prepared, self.images = prepared, prepared.options.images
        if prepared.data.kind != "image" or not prepared.classes:
            raise BenchError(f"{prepared.name}: what is attacked here are images with classes.")
        splits = prepared.splits()
        self.test = splits["test"]
        self.context = prepared.context(splits[prepared.chosen_on], accuracy_scores)
        self.model: nn.Module = self._classifier(splits["train"])
        values = math.prod(prepared.data.shape(prepared.meta))
        self.size = max(1, AT_ONCE * (8 if prepared.device.type == "cuda" else 1) // values)
        self.x, self.y, self.accuracy = self._classified_right()
        # Grey images stay grey: an attack that paints in colours has three times the room.
        if self.x.shape[1] == 3 and bool((self.x == self.x[:, :1]).all()):
            self.x, self.model = self.x[:, :1], Grey(self.model)

    def evaluate(self, method: Method) -> Evaluation:
        """Attack, save, predict anew, judge."""
        assert isinstance(method, Attacker)  # noqa: S101 - the plan matched the tracks
        counted = Counted(self.model).eval()
        begin = time.perf_counter()
        adversarial = self._attack(method, counted)
        seconds = time.perf_counter() - begin
        fooled, rates = judge.successes(self._predict, adversarial, self.y, self.size)
        maps = saliency.maps_for(self.model, self.prepared.device)
        attacked = Attacked(
            self.x, adversarial, self.y, self._before(maps), self._maps(maps, adversarial)
        )
        distances = judge.judge_distances(
            attacked, fooled, self.size, self.prepared.device, self.prepared.weights
        )
        count = len(self.y)
        measured = {
            **rates,
            **distances.metrics,
            "steps": counted.steps / count,
            "seconds": seconds,
            "seconds_per_image": seconds / count,
            "attacked": float(count),
            "accuracy": self.accuracy,
        }
        self.context.chosen |= judge.judged_with(self.prepared.weights)
        return Evaluation(
            measured,
            {**judge.undefined(measured), **distances.undefined},
            distances.samples,
            strips(attacked, self._predict(adversarial), self.prepared.classes),
        )

    def _attack(self, method: Attacker, model: nn.Module) -> Tensor:
        """Attacked images, [n, C, H, W] in [0, 1] on the CPU, batch after batch."""
        device, done = self.prepared.device, 0
        parts: list[Tensor] = []
        while done < len(self.y):
            heartbeat.report_progress("attacked", done, len(self.y))
            rows = slice(done, done + self.size)
            x, y = self.x[rows].to(device), self.y[rows].to(device)
            try:
                adversarial = method.perturb(model, x, y, self.context)
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
                self.size = (self.size + 1) // 2
                self.context.chosen["attacked_at_once"] = self.size
                torch.cuda.empty_cache()
                continue
            if adversarial.shape != x.shape:
                raise ValueError(
                    f"attacked images have shape {tuple(adversarial.shape)}, not {tuple(x.shape)}"
                )
            images.check(adversarial, "attacked images")
            parts.append(adversarial.detach().float().cpu().clamp(0, 1))
            done += len(y)
        return torch.cat(parts)

    @torch.no_grad()
    def _predict(self, x: Tensor) -> Tensor:
        """Predicted classes, [n] on the CPU."""
        device = self.prepared.device
        parts = [self.model(part.to(device)).argmax(dim=1).cpu() for part in x.split(self.size)]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)

    def _maps(self, maps: saliency.Maps, x: Tensor) -> Tensor:
        device = self.prepared.device
        pairs = zip(x.split(self.size), self.y.split(self.size), strict=True)
        return torch.cat([maps(a.to(device), b.to(device)).cpu() for a, b in pairs])

    def _before(self, maps: saliency.Maps) -> Tensor:
        """Maps of the originals, made once for all attacks."""
        files = " ".join(sha256_of(path) for path in saliency.brought() or ())
        about: dict[str, Scalar] = {
            "images": len(self.y), "by": saliency.in_words(), "files": files,
        }  # fmt: skip
        return self._shared("saliency of the originals", about, lambda: self._maps(maps, self.x))

    def _classified_right(self) -> tuple[Tensor, Tensor, float]:
        """Images in [0, 1] and what they show, on the CPU; and the share of all images they are."""

        def seen() -> Tensor:
            index = torch.arange(len(self.test), device=self.prepared.device).split(self.size)
            parts = [self._predict(_unit(x)) for x in self.test.inputs.stream(index)]
            return torch.cat(parts).float()

        predicted = self._shared("what the classifier sees", {}, seen).long()
        rows = (predicted == self.test.y.cpu()).nonzero()[:, 0]
        accuracy = len(rows) / len(self.test)
        if self.images:
            rows = rows[: self.images]
        if not len(rows):
            raise Skip("the classifier gets no test image right: there is nothing to attack")
        some = self.test.subset(rows.to(self.prepared.device))
        return _unit(some.x).cpu(), some.y.cpu(), accuracy

    def _shared(
        self, name: str, parameters: Mapping[str, Scalar], build: Callable[[], Tensor]
    ) -> Tensor:
        """A tensor on the CPU that all attacks on this classifier need, computed once."""
        tensors = self.context.shared(name, parameters, lambda _: {"values": build()})
        return tensors["values"].cpu()

    def _classifier(self, train: Split) -> Classifier:
        prepared = self.prepared
        training, device = prepared.training, prepared.device
        if prepared.data.evaluation_only:
            return _published(prepared).to(device)
        shape = prepared.data.shape(prepared.meta)
        check_shape(training.backbone, shape)
        model = backbones.build(training.backbone, shape, len(prepared.classes), prepared.seed)
        if path := classifiers.weights_of(training.weights, training.backbone, prepared.weights):
            load_pretrained(model, training.backbone, path)
        # Not the shared "standard model": that one's epoch is chosen by its own track's rule.
        trained = self.context.shared_model(
            "classifier under attack",
            {"revision": REVISION},
            model.to(device),
            lambda inner, blank: inner.train(blank, train, plain_loss, stage="classifier"),
        )
        return classifiers.of_backbone(trained)


def _published(prepared: PreparedTask) -> Classifier:
    """The classifier that the task names, with the weights that it names."""
    training = prepared.training
    if not training.weights:
        raise BenchError(
            f"{prepared.name}: there is nothing to train on here: set `weights` to a file, or to "
            f"`{classifiers.PUBLISHED}`."
        )
    name = training.backbone
    path = Path(training.weights)
    if training.weights == classifiers.PUBLISHED:
        path = classifiers.find(name, prepared.weights)
    if name not in FITTED:
        return classifiers.published(name, path)
    model = backbones.build(name, prepared.data.shape(prepared.meta), len(prepared.classes), 0)
    load_pretrained(model, name, path)
    return classifiers.of_backbone(model)


def _unit(x: Tensor) -> Tensor:
    """8-bit pixels as numbers from 0 to 1; channels first in memory, too."""
    return (x.float() / images.LEVELS).contiguous(memory_format=torch.contiguous_format)
