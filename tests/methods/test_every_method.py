"""What every method is, on any track, and the contract of the debiasing track for its methods."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.errors import Skip
from bench.method import Method, Paper, field_docs, methods, summary_of
from bench.tracks.debiasing import Debiaser, DebiasingTask
from tests import tiny_tasks

TESTS = Path(__file__).parents[1]
TASKS: dict[str, Callable[[int], DebiasingTask]] = {
    "table": tiny_tasks.table_task,
    "image": tiny_tasks.image_task,
    "three classes": lambda seed: tiny_tasks.table_task(seed, ((8, 4), (6, 6), (4, 8))),
}

DEBIASERS = {name: cls for name, cls in methods().items() if issubclass(cls, Debiaser)}
every_method = pytest.mark.parametrize("cls", methods().values(), ids=list(methods()))
every_debiaser = pytest.mark.parametrize("cls", DEBIASERS.values(), ids=list(DEBIASERS))
every_task = pytest.mark.parametrize("make_task", TASKS.values(), ids=list(TASKS))


def outputs(cls: type[Method], task: DebiasingTask) -> Tensor:
    method = cls()
    assert isinstance(method, Debiaser)
    context = tiny_tasks.context_on(task)
    return context.predict(method.fit(task, context), task.validation.inputs)


def test_the_methods_of_the_paper_are_all_there() -> None:
    expected = {"adversarial", "bade", "mfd", "reweighting", "rnf", "standard", "undersampling"}
    assert expected <= DEBIASERS.keys()


@every_method
def test_it_says_in_one_line_what_it_does(cls: type[Method]) -> None:
    summary = summary_of(cls)
    assert re.fullmatch(r"[A-Z][^\n]{20,98}\.", summary)


@every_method
def test_it_names_its_paper(cls: type[Method]) -> None:
    doc = inspect.getdoc(cls) or ""
    assert isinstance(cls.paper, Paper)
    assert cls.paper.cite in doc
    assert re.search(r"\((19|20)\d\d\)$", cls.paper.cite)
    assert cls.paper.url is None or cls.paper.url.startswith("https://")


@every_method
def test_every_field_has_a_default_and_a_docstring(cls: type[Method]) -> None:
    docs = field_docs(cls)
    assert docs.keys() == {field.name for field in dataclasses.fields(cls)}
    for field in dataclasses.fields(cls):
        assert field.default is not dataclasses.MISSING
        assert docs[field.name][1] == field.default
        assert docs[field.name][2].endswith(".")


@every_method
def test_it_is_frozen_and_with_defaults_its_label_is_its_name(cls: type[Method]) -> None:
    method = cls()
    assert method.label == method.name == cls.__module__.rpartition(".")[2]
    assert cls.revision >= 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.extra = 1


@every_method
def test_it_has_a_test_of_its_own(cls: type[Method]) -> None:
    package, name = cls.__module__.split(".")[-2:]
    assert (TESTS / package / f"test_{name}.py").exists()


@every_debiaser
@every_task
def test_its_model_answers_every_sample_from_its_inputs_alone(
    cls: type[Method], make_task: Callable[[int], DebiasingTask]
) -> None:
    task = make_task(0)
    method = cls()
    assert isinstance(method, Debiaser)
    context = tiny_tasks.context_on(task)
    model = method.fit(task, context)
    inputs = task.validation.inputs
    said = context.predict(model, inputs)
    assert said.shape == (len(inputs), task.outputs)
    assert said.isfinite().all()
    # No group is given, and who else is in the batch makes no difference.
    two = inputs.subset(torch.arange(3, 5))
    assert torch.allclose(context.predict(model, two), said[3:5], atol=1e-5)
    assert any(name.endswith("epoch") for name in context.chosen)
    assert any(name.endswith("odds") for name in context.curves)


@every_debiaser
@pytest.mark.parametrize("make_task", [TASKS["table"], TASKS["image"]], ids=["table", "image"])
def test_the_same_seed_gives_the_same_outputs_bit_for_bit(
    cls: type[Method], make_task: Callable[[int], DebiasingTask]
) -> None:
    first = outputs(cls, make_task(0))
    torch.manual_seed(999)  # the global generator decides nothing
    assert torch.equal(outputs(cls, make_task(0)), first)
    assert not torch.equal(outputs(cls, make_task(1)), first)


@every_debiaser
def test_the_splits_are_left_as_they_were(cls: type[Method]) -> None:
    task = tiny_tasks.image_task()
    before = [t.clone() for t in (task.train.x, task.train.y, task.train.b, task.validation.x)]
    outputs(cls, task)
    after = (task.train.x, task.train.y, task.train.b, task.validation.x)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@every_debiaser
def test_a_regression_is_learned_or_skipped_with_a_reason(cls: type[Method]) -> None:
    task = tiny_tasks.regression_task()
    try:
        assert outputs(cls, task).shape == (16, 1)
    except Skip as verdict:
        assert "regression" in str(verdict)  # noqa: PT017 - either is right
