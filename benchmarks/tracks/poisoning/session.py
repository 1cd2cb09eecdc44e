"""A poisoned training set with its victim, and the evaluation of defences on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from bench.attacks.poisoning.contract import Attempt, Poison, Samples
from bench.attacks.poisoning.knowledge import Knowledge, LearningAttack
from bench.errors import BenchError, Skip
from bench.learning.inputs import Inputs, inputs_on, room_on
from bench.learning.loop import Context
from bench.learning.split import Split
from bench.learning.standard import plain_loss
from bench.method import Method
from bench.models.backbones import check_shape
from bench.models.weights import network
from bench.seeds import generator
from bench.tracks.poisoning import judge
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask
from bench.tracks.poisoning.human import Human, Oracle, Recorded
from bench.tracks.poisoning.judge import TriggerOutcome
from bench.tracks.session import Evaluation, PreparedTask, Session, accuracy_scores

RESERVE = 1000  # clean samples, as CT and ASSET ask for (research notes of the track)


class PoisoningSession(Session):
    """One victim a task and seed, trained once, faced by all defences."""

    def __init__(self, prepared: PreparedTask) -> None:
        self.prepared = prepared
        if prepared.training.selection != "last":
            raise BenchError(
                "poisoning tasks need `selection: last`: there is no clean data to choose on"
            )
        self.humans: list[Human] = []
        clean = {name: self._samples(name) for name in ("train", "validation", "test")}
        self.truth = clean["train"].y.clone()
        reserve = _first(clean["validation"], RESERVE, generator(prepared.seed, "reserve"))
        self.test = self._split(clean["test"])
        self.context = prepared.context(self._split(reserve), accuracy_scores)
        self.poison, self.attempts = self._attacked(clean["train"], clean["test"])
        train = published(clean["train"], self.poison)
        self.task = self._task(self._split(train), self.context.validation)

    def evaluate(self, method: Method) -> Evaluation:
        """Measure the victim, let the defence work, measure what it leaves."""
        assert isinstance(method, Defender)  # noqa: S101 - the plan matched the tracks
        before = self._measure(self.task.victim, Defence())
        defence = self._bounded(method.defend(self.task, self.context))
        _check(defence, len(self.task.train))
        after = self._measure(self._defended(defence), defence)
        poison, against = self.mask, {}
        if "asr" in before:
            against = {"asr_before": before["asr"], "der": judge.effectiveness(before, after)}
        measured = {
            **after,
            "cda_before": before["cda"],
            **against,
            **judge.detection(
                _cpu(defence.flagged), _cpu(defence.suspicion), poison, self.truth.cpu()
            ),
            "looks": float(sum(human.inspections for human in self.humans)),
            **self._about(defence),
        }
        return Evaluation(measured, judge.undefined(measured, bool(poison.any())))

    @property
    def mask(self) -> Tensor:
        """The true poison, [n] bool on the CPU; cover samples are not in it."""
        mask = torch.zeros(len(self.truth), dtype=torch.bool)
        mask[self.poison.rows[~self.poison.cover]] = True
        return mask

    def _bounded(self, defence: Defence) -> Defence:
        """The defence, with the flags of the two bounds, which need the true poison, filled in."""
        if defence.bound is None:
            return defence
        flagged = self.mask
        if defence.bound == "random":
            random = self.context.generator("random filter")
            flagged = flagged[torch.randperm(len(flagged), generator=random)]
        return replace(defence, flagged=flagged)

    def _about(self, defence: Defence) -> dict[str, float]:
        """Metrics of the poison, of clusters and their tags, and of the alarm."""
        values: dict[str, float] = {}
        poisoned = self.poison.y[~self.poison.cover]
        targets = poisoned.unique()
        if len(targets) == 1:
            of_target = int((self.task.train.y == targets[0].item()).sum())
            values["poison_share"] = len(poisoned) / of_target
        if defence.tags is not None:
            right = defence.tags.cpu() == self.truth.cpu()
            values["clustering_accuracy"] = float(right.double().mean())
        if defence.tags is not None and defence.clusters is not None:
            rows = torch.tensor([row for human in self.humans for row in human.rows]).long()
            values |= judge.naming(
                defence.clusters.cpu(), defence.tags.cpu(), self.truth.cpu(), rows
            )
        alarm = defence.alarm
        if alarm is None and defence.flagged is not None:
            alarm = bool(defence.flagged.any())
        if alarm is not None:
            values["alarm"] = float(alarm)
        return values

    def _defended(self, defence: Defence) -> nn.Module:
        """The classifier to judge: repaired, retrained on what is left, or the victim itself."""
        if defence.model is not None:
            return defence.model
        if defence.flagged is None or not defence.flagged.any():
            return self.task.victim
        left = self.task.train.subset(~defence.flagged.to(self.prepared.device))
        if not len(left):
            raise Skip("every training sample was flagged: there is nothing to train on")
        return self.context.train(self.task.new_model(), left, plain_loss, stage="retrained")

    def _measure(self, model: nn.Module, defence: Defence) -> dict[str, float]:
        predicted = self._predicted(model, self.test.inputs, defence)
        outcomes = [
            TriggerOutcome(
                attempt.trigger,
                self._predicted(model, self._inputs(attempt.x), defence),
                attempt.aim,
                attempt.y,
                attempt.fires,
            )
            for attempt in self.attempts
        ]
        y = self.test.y.cpu()
        return {
            "cda": judge.clean_accuracy(predicted, y),
            "worst_class_accuracy": judge.worst_class_accuracy(predicted, y),
            **judge.success(outcomes),
        }

    def _predicted(self, model: nn.Module, inputs: Inputs, defence: Defence) -> Tensor:
        """Predicted classes on the CPU, [m]; -1 for inputs that the filter turns away."""
        predicted = self.context.predict(model, inputs).argmax(dim=1).cpu()
        if defence.filter is not None:
            predicted[defence.filter(inputs).cpu() > defence.threshold] = -1
        return predicted

    def _attacked(self, train: Samples, test: Samples) -> tuple[Poison, list[Attempt]]:
        """The poison, and the test samples with each trigger."""
        attack, seed = self.prepared.attack, self.prepared.seed
        assert attack is not None  # noqa: S101 - an attack makes it a task of this track
        random = generator(seed, "poison")
        if not isinstance(attack, LearningAttack):
            return attack.poison(train, random), attack.attempts(test)

        def study(_: Context) -> Knowledge:
            # A generator of its own, so that the poison is the same where the knowledge is read.
            return attack.study(train, generator(seed, "study"))

        shared = self.context.shared("attack", {}, study)
        knowledge = {name: tensor.cpu() for name, tensor in shared.items()}
        return attack.poison(train, random, knowledge), attack.attempts(test, knowledge)

    def _task(self, train: Split, reserve: Split) -> PoisoningTask:
        prepared = self.prepared
        shape = self._shape()
        check_shape(prepared.training.backbone, shape)
        backbone, classes = prepared.training.backbone, prepared.classes
        victim = self.context.shared_model(
            "victim",
            {},
            network(backbone, shape, len(classes), prepared.seed, prepared.device),
            lambda inner, model: inner.train(model, train, plain_loss, stage="victim"),
        )
        return PoisoningTask(
            name=prepared.name,
            kind=prepared.data.kind,
            shape=shape,
            classes=classes,
            train=train,
            reserve=reserve,
            victim=victim.requires_grad_(False),
            human=self._human,
            backbone=backbone,
            seed=prepared.seed,
            device=prepared.device,
        )

    def _shape(self) -> tuple[int, ...]:
        data, meta = self.prepared.data, self.prepared.meta
        shape = data.feature_shape(meta)
        # An embedding must know how many words there are.
        return (*shape, len(meta.columns or ())) if data.kind == "text" else shape

    def _human(self, annotator: Literal["oracle", "recorded"], careless: float, path: str) -> Human:
        prepared = self.prepared
        human: Human
        if annotator == "recorded":
            about = {"task": prepared.name, "seed": prepared.seed, "data_hash": prepared.meta.hash}
            human = Recorded(Path(path), prepared.classes, about)
        else:
            random = generator(prepared.seed, "human")
            human = Oracle(self.truth, len(prepared.classes), careless, random)
        self.humans.append(human)
        return human

    def _samples(self, name: str) -> Samples:
        part, meta = self.prepared.parts[name], self.prepared.meta
        columns = tuple(meta.columns or ())
        text = self.prepared.data.kind == "text"
        return Samples(
            x=torch.from_numpy(part.x),
            y=torch.from_numpy(np.array(part.y)).long(),
            kind=self.prepared.data.kind,
            classes=self.prepared.classes,
            words=columns if text else (),
            columns=() if text else columns,
            normalisation=meta.normalisation,
        )

    def _split(self, samples: Samples) -> Split:
        y = samples.y.to(self.prepared.device)
        return Split.of(self._inputs(samples.x), y, torch.zeros_like(y))

    def _inputs(self, x: Tensor) -> Inputs:
        data, meta = self.prepared.data, self.prepared.meta
        features = data.features(x.numpy(), meta)
        return inputs_on(features, self.prepared.device, room_on(self.prepared.device))[0]


def published(train: Samples, poison: Poison) -> Samples:
    """The training set as the defender gets it.

    A memory map is changed in this process's memory alone, and only where it is poisoned.
    """
    x, y = train.x, train.y.clone()
    x[poison.rows], y[poison.rows] = poison.x, poison.y
    return replace(train, x=x, y=y)


def _first(samples: Samples, count: int, random: torch.Generator) -> Samples:
    """Some clean samples, all of them where there are fewer."""
    rows = torch.randperm(len(samples.y), generator=random)[:count].sort().values
    return replace(samples, x=samples.x[rows], y=samples.y[rows])


def _check(defence: Defence, samples: int) -> None:
    for name in ("flagged", "suspicion", "tags", "clusters"):
        values: Tensor | None = getattr(defence, name)
        if values is not None and values.shape != (samples,):
            raise ValueError(f"{name} has shape {tuple(values.shape)}, not ({samples},)")


def _cpu(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.cpu()
