"""Plain training, alone and as the teacher of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.baselines.mfd import MFD
from bench.baselines.rnf import RNF
from bench.baselines.standard import Standard
from bench.tracks.debiasing import Debiaser
from tests import tiny_tasks


def test_training_is_cross_entropy_on_all_samples_blind_to_groups() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task)
    model = Standard().fit(task, context)
    (call,) = context.calls
    assert call.split is task.train
    batch = task.train.batch(torch.arange(6))
    expected = F.cross_entropy(model(batch.x), batch.y)
    assert call.loss(model, batch).item() == pytest.approx(expected.item())
    swapped = replace(batch, b=1 - batch.b)
    assert call.loss(model, swapped).item() == pytest.approx(expected.item())


def test_a_regression_is_trained_by_squared_error() -> None:
    task = tiny_tasks.regression_task()
    context = tiny_tasks.context_on(task)
    model = Standard().fit(task, context)
    batch = task.train.batch(torch.arange(6))
    expected = (model(batch.x)[:, 0] - batch.y).square().mean()
    assert context.calls[0].loss(model, batch).item() == pytest.approx(expected.item())


def test_it_learns() -> None:
    task = tiny_tasks.table_task()
    context = tiny_tasks.context_on(task, epochs=30, learning_rate=1e-3)
    Standard().fit(task, context)
    losses = context.curves["standard.loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("method", [MFD(), RNF()], ids=lambda m: m.name)
def test_others_teach_with_the_very_same_model_and_pay_the_same_for_it(
    tmp_path: Path, method: Debiaser
) -> None:
    task = tiny_tasks.table_task()
    first, second = (tiny_tasks.context_on(task, tmp_path) for _ in range(2))
    Standard().fit(task, first)
    method.fit(task, second)
    assert [call.stage for call in first.calls] == ["standard"]
    assert [call.stage for call in second.calls] == [""]
    assert second.shared_seconds == first.shared_seconds > 0
    assert second.chosen["standard.epoch"] == first.chosen["standard.epoch"]
    assert second.curves["standard.loss"] == first.curves["standard.loss"]


def test_a_new_revision_does_not_read_the_old_ones_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_tasks.table_task()
    Standard().fit(task, tiny_tasks.context_on(task, tmp_path))
    monkeypatch.setattr("bench.learning.standard.REVISION", 2)
    again = tiny_tasks.context_on(task, tmp_path)
    Standard().fit(task, again)
    assert [call.stage for call in again.calls] == ["standard"]
