"""The speed script measures what it says, on data small enough for a test."""

from __future__ import annotations

import pytest
import torch

from benchmarks import speed


def test_every_way_trains_the_same_number_of_samples_and_gets_a_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "ROWS", 96)
    split = speed.made_up_split(torch.device("cpu"))
    assert len(split) == 96
    rates = speed.measure(split, batch_size=32, repeats=1)
    assert set(rates) == {"ours", "data_loader", "bound"}
    assert all(0 < rate < 1e9 for rate in rates.values())


def test_our_epoch_really_learns() -> None:
    split = speed.made_up_split(torch.device("cpu")).subset(torch.arange(512))
    model_before = speed._model(split).state_dict()
    trained = []
    original = speed.Trial.train

    def remember(
        self: speed.Trial, model: torch.nn.Module, *rest: object, **more: object
    ) -> object:
        trained.append(model)
        return original(self, model, *rest, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed.Trial, "train", remember)
        speed.ours(split, batch_size=64)()
    [model] = trained
    changed = [not torch.equal(model_before[k], v) for k, v in model.state_dict().items()]
    assert all(changed)
