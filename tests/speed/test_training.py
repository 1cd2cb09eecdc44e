"""The speed script measures what it says, on data small enough for a test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.speed import images, training


def test_every_way_trains_the_same_number_of_samples_and_gets_a_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "ROWS", 96)
    split = training.random_split(torch.device("cpu"))
    assert len(split) == 96
    cpu = torch.device("cpu")
    ways = {
        way.__name__: way(split, 32)
        for way in (training.ours, training.data_loader, training.bound)
    }
    rates = training.measure(ways, 96, cpu, repeats=1)
    assert all(0 < rate < 1e9 for rate in rates.values())


def test_our_epoch_really_learns() -> None:
    split = training.random_split(torch.device("cpu")).subset(torch.arange(512))
    model_before = training._model(split).state_dict()
    trained = []
    original = images.Context.train

    def remember(
        self: images.Context, model: torch.nn.Module, *rest: object, **more: object
    ) -> object:
        trained.append(model)
        return original(self, model, *rest, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images.Context, "train", remember)
        training.ours(split, batch_size=64)()
    [model] = trained
    changed = [not torch.equal(model_before[k], v) for k, v in model.state_dict().items()]
    assert all(changed)


def test_images_are_measured_in_four_ways_and_against_the_peak() -> None:
    cpu = torch.device("cpu")
    table = training.pictures(
        cpu, threads=1, repeats=1, backbone="small_cnn", sides=(16,), count=48
    )
    [row] = zip(*(column.cells for column in table.columns), strict=True)
    rates = [float(str(cell).replace(",", "")) for cell in row[2:6]]
    ratios = [float(str(cell)) for cell in row[6:9]]
    assert all(rate > 0 for rate in rates)
    assert ratios == [pytest.approx(rates[0] / rate, rel=0.1) for rate in rates[1:]]
    assert 0 <= int(str(row[9]).removesuffix("%")) <= 100


def test_operations_of_a_convolution_are_those_counted_by_hand() -> None:
    # small_cnn on 8 x 8: convolutions of 27 x 16 at 64 places and 144 x 32 at 16 places, layers of
    # 512 x 64 and 64 x 2; two operations each; backward has twice as many, but none to the image.
    first, rest = 27 * 16 * 64, 144 * 32 * 16 + 512 * 64 + 64 * 2
    assert images.flops_per_image("small_cnn", 8) == 2 * (2 * first + 3 * rest)


def test_files_hold_the_pictures(tmp_path: Path) -> None:
    pictures = images.random_pictures(3, 32, tmp_path)
    from_file, y = images.Files(pictures)[1]
    assert from_file.shape == (3, 32, 32)
    assert y == pictures.y[1]
    assert (from_file.float() - pictures.x[1].float()).abs().mean() < 12  # JPEG loses a little
