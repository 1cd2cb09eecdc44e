"""The contract of the poisoning track, for every defence that is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from bench.errors import Skip
from bench.method import Method, methods
from bench.models.weights import network
from bench.tracks.poisoning.contract import Defence, Defender, PoisoningTask
from tests import tiny_poison

FASTER = {
    "confusion_training": {"steps": 3},
    "labor": {"epochs": 5},
    "neural_cleanse": {"rounds": 3, "epochs": 1},
}
"""Settings under which a defence that takes long is tried here."""
DEFENDERS = {name: cls for name, cls in methods().items() if issubclass(cls, Defender)}

every_defence = pytest.mark.parametrize("cls", DEFENDERS.values(), ids=list(DEFENDERS))
every_kind = pytest.mark.parametrize("kind", ["image", "table"])


def defended(cls: type[Method], task: PoisoningTask) -> Defence:
    method = cls(**FASTER.get(cls.__module__.rpartition(".")[2], {}))
    assert isinstance(method, Defender)
    return method.defend(task, tiny_poison.context_on(task))


def told(defence: Defence, task: PoisoningTask) -> list[Tensor]:
    """Everything that a defence says, as tensors."""
    said = [t for t in (defence.flagged, defence.suspicion, defence.tags) if t is not None]
    if defence.model is not None:
        said.append(defence.model.eval()(task.train.x[:5]).detach())
    if defence.filter is not None:
        said += [defence.filter(task.train.inputs), torch.tensor(defence.threshold)]
    return said


def test_the_defences_beside_labor_are_all_there() -> None:
    expected = {
        "activation_clustering", "confusion_training", "neural_cleanse", "no_defence",
        "oracle_filter", "random_filter", "scan", "spectral_signatures", "strip",
    }  # fmt: skip
    assert expected <= DEFENDERS.keys()


@every_defence
@every_kind
def test_what_it_says_has_the_shapes_that_the_judge_reads(
    cls: type[Method], kind: Literal["image", "table"]
) -> None:
    task = tiny_poison.poisoned(kind, epochs=3).task
    found, samples = defended(cls, task), len(task.train)
    if found.flagged is not None:
        assert found.flagged.shape == (samples,)
        assert found.flagged.dtype == torch.bool
    if found.suspicion is not None:
        assert found.suspicion.shape == (samples,)
        assert found.suspicion.isfinite().all()
    if found.tags is not None:
        assert found.tags.shape == (samples,)
        assert found.tags.dtype == torch.long
        assert -1 <= found.tags.min() <= found.tags.max() < len(task.classes)
    if found.model is not None:
        assert not found.model.training
        assert found.model(task.train.x[:3]).shape == (3, len(task.classes))
    if found.filter is not None:
        assert found.filter(task.train.inputs).shape == (samples,)
        assert found.threshold < float("inf")


@every_defence
def test_the_same_seed_gives_the_same_verdict_bit_for_bit(cls: type[Method]) -> None:
    first = tiny_poison.poisoned(epochs=3).task
    said = told(defended(cls, first), first)
    torch.manual_seed(999)  # the global generator decides nothing
    again = tiny_poison.poisoned(epochs=3).task
    said_again = told(defended(cls, again), again)
    assert len(said) == len(said_again)
    assert all(torch.equal(one, other) for one, other in zip(said, said_again, strict=True))


@every_defence
def test_the_victim_and_the_splits_are_left_as_they_were(cls: type[Method]) -> None:
    task = tiny_poison.poisoned(epochs=1).task
    victim = {name: t.clone() for name, t in task.victim.state_dict().items()}
    before = [t.clone() for t in (task.train.x, task.train.y, task.reserve.x, task.reserve.y)]
    defended(cls, task)
    after = (task.train.x, task.train.y, task.reserve.x, task.reserve.y)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(torch.equal(t, victim[name]) for name, t in task.victim.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in task.victim.parameters())


@every_defence
def test_a_class_without_samples_stops_nobody(cls: type[Method]) -> None:
    task = tiny_poison.poisoned(epochs=1).task
    left = replace(task, train=task.train.subset(task.train.y != 2))
    found = defended(cls, left)
    assert found.flagged is None or found.flagged.shape == (len(left.train),)


@every_defence
def test_texts_are_inspected_or_skipped_with_a_reason(cls: type[Method]) -> None:
    made = tiny_poison.poisoned("table").task
    train, reserve = (
        split.with_x(torch.randint(1, 9, (len(split), 12), generator=tiny_poison.generator(0)))
        for split in (made.train, made.reserve)
    )
    shape = (12, 9)  # words of a text, words of the vocabulary
    victim = network("text_cnn", shape, tiny_poison.CLASSES, 0, tiny_poison.CPU)
    task = replace(tiny_poison.of("text", shape, train, reserve, victim), backbone="text_cnn")
    try:
        found = defended(cls, task)
    except Skip as verdict:
        assert "words" in str(verdict)  # noqa: PT017 - either is right
    else:
        assert found.flagged is None or found.flagged.shape == (len(train),)
