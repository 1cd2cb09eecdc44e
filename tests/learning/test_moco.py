"""MoCo: views, the queue, the slow network, and features that tell digits apart."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_tasks
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from benchmarks.learning import backbones
from benchmarks.learning.moco import MoCo, Version, Views, blur, grey, turned
from benchmarks.learning.settings import Recipe
from benchmarks.learning.split import Batch, Split

CPU = torch.device("cpu")


def made(version: Version = "v1", queue: int = 32, temperature: float = 0.1) -> MoCo:
    return MoCo(
        backbones.build("small_cnn", (3, 8, 8), 2, seed=0),
        dim=16,
        queue=queue,
        momentum=0.9,
        temperature=temperature,
        version=version,
        views=Views(flip=False),
        random=torch.Generator().manual_seed(0),
    )


def batch(n: int = 8) -> Batch:
    x = torch.randint(0, 256, (n, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    zeros = torch.zeros(n, dtype=torch.long)
    return Batch(x.to(torch.uint8), zeros, zeros, torch.arange(n))


def test_the_queue_keeps_the_latest_keys_and_forgets_the_oldest() -> None:
    model = made(queue=12)
    keys = F.normalize(torch.randn(20, 16), dim=1)
    for part in keys.split(5):
        model.enqueue(part)
    # 20 keys into 12 places: the last 12, the newest where the oldest stood.
    assert torch.allclose(model.queue, keys[[12, 13, 14, 15, 16, 17, 18, 19, 8, 9, 10, 11]])


def test_the_key_network_follows_by_the_momentum_and_is_not_trained() -> None:
    model = made()
    before = [p.clone() for p in model.key.parameters()]
    with torch.no_grad():
        for parameter in model.query.parameters():
            parameter.add_(1.0)
    model.follow(batch().x)
    for old, new in zip(before, model.key.parameters(), strict=True):
        assert torch.allclose(new, old + 0.1, atol=1e-6)
        assert not new.requires_grad


def test_the_loss_is_info_nce_of_positives_against_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = made(temperature=0.2)
    model.eval()
    monkeypatch.setattr(Views, "__call__", lambda self, x, random: x.float())
    negatives = model.queue.clone()
    one = batch(4)
    loss = MoCo.loss(model, one)
    with torch.no_grad():
        query = F.normalize(model.projection(model.query(one.x.float())), dim=1)
        key = F.normalize(model.key_projection(model.key(one.x.float())), dim=1)
        positive = (query * key).sum(1) / 0.2
        everything = torch.cat([positive[:, None], query @ negatives.T / 0.2], dim=1)
        expected = (everything.logsumexp(1) - positive).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(model.queue[:4], key, atol=1e-6)


def test_v2_has_a_hidden_layer_in_its_projection() -> None:
    assert len(made("v1").projection) == 1
    assert len(made("v2").projection) == 3


def test_a_view_keeps_shape_and_range_and_differs() -> None:
    x = batch(16).x
    random = torch.Generator().manual_seed(0)
    views = [Views(flip=True, blur=True)(x, random) for _ in range(2)]
    for view in views:
        assert view.shape == x.shape
        assert view.dtype == torch.float32
        assert 0 <= float(view.min()) <= float(view.max()) <= 255
    assert not torch.allclose(*views)


def test_views_without_change_are_the_image() -> None:
    # A crop of the whole, no jitter: only the grey ones differ.
    x = batch(64).x
    shown = Views(flip=False, jitter=0.0)._coloured(
        x.float() / 255, torch.Generator().manual_seed(0)
    )
    same = torch.isclose(shown, x.float() / 255, atol=1e-4).flatten(1).all(1)
    assert 0.6 < float(same.double().mean()) < 0.95  # .8 is expected


def test_turning_the_hue_keeps_the_luma_and_a_full_turn_changes_nothing() -> None:
    x = torch.rand(3, 3, 4, 4)
    turns = torch.tensor([0.1, 0.5, 1.0])
    out = turned(x, turns)
    assert torch.allclose(grey(out), grey(x), atol=1e-4)
    assert torch.allclose(out[2], x[2], atol=1e-4)
    assert not torch.allclose(out[1], x[1], atol=0.05)


def test_a_blur_keeps_constants_and_the_mean_of_the_middle() -> None:
    assert torch.allclose(blur(torch.full((1, 3, 40, 40), 0.3), 1.0), torch.tensor(0.3))
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    out = blur(point, 1.0)
    assert float(out.sum()) == pytest.approx(1.0, rel=1e-4)
    assert torch.allclose(out, out.transpose(2, 3), atol=1e-7)


def test_features_learned_without_labels_gather_what_looks_alike() -> None:
    """Two kinds of stripes: nearest neighbours in the features share the kind."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 2, 256)
    phase = random.integers(0, 4, 256)
    at = np.arange(8)
    across = (((at[None, :] + phase[:, None]) // 2 % 2) * 200).astype(np.uint8)
    x = np.where(kind[:, None, None] == 1, across[:, None, :], across[:, :, None])
    x = np.broadcast_to(x, (256, 8, 8))[:, None].repeat(3, axis=1).copy()
    y = torch.from_numpy(kind)
    split = Split.of(torch.from_numpy(x), y, torch.zeros_like(y))
    trial = tiny_tasks.trial_on(tiny_tasks.image_task())
    model = made(queue=128)
    recipe = Recipe(epochs=8, batch_size=32, learning_rate=0.06)
    trial.train(model, split, MoCo.loss, stage="moco", recipe=recipe)
    features = F.normalize(trial.predict(model, split.inputs), dim=1)
    nearest = (features @ features.T).fill_diagonal_(-1).argmax(1)
    assert float((y[nearest] == y).double().mean()) > 0.9
    losses = trial.curves["moco.loss"]
    assert losses[-1] < max(losses)  # the first epoch meets a queue of noise, which is easy
    assert "moco.epoch" not in trial.chosen
