"""MoCo: views, the queue, the slow network, and features that tell digits apart."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.learning.moco import MoCo, Version, Views, blur, grey, hue_rotated
from bench.learning.settings import Recipe
from bench.learning.split import Batch, Split
from bench.models import backbones
from tests import tiny_tasks

CPU = torch.device("cpu")


def made(
    version: Version = "v1", queue: int = 32, temperature: float = 0.1, momentum: float = 0.9
) -> MoCo:
    return MoCo(
        backbones.build("small_cnn", (3, 8, 8), 2, seed=0),
        dim=16,
        queue=queue,
        momentum=momentum,
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
    model.momentum_keys(batch().x)
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
    shown = Views(flip=False, jitter=0.0)._jittered(
        x.float() / 255, torch.Generator().manual_seed(0)
    )
    same = torch.isclose(shown, x.float() / 255, atol=1e-4).flatten(1).all(1)
    assert 0.6 < float(same.double().mean()) < 0.95  # .8 is expected


def test_turning_the_hue_keeps_the_luma_and_a_full_turn_changes_nothing() -> None:
    x = torch.rand(3, 3, 4, 4)
    turns = torch.tensor([0.1, 0.5, 1.0])
    out = hue_rotated(x, turns)
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


def test_training_tells_views_of_one_image_from_other_images() -> None:
    images = torch.from_numpy(load_digits().images * 15).to(torch.uint8)[:, None].repeat(1, 3, 1, 1)
    zeros = torch.zeros(len(images), dtype=torch.long)
    context = tiny_tasks.context_on(tiny_tasks.image_task())
    model = made(queue=512, momentum=0.99)
    recipe = Recipe(epochs=6, batch_size=64, learning_rate=0.06, weight_decay=5e-4)

    def recognised() -> tuple[float, float]:
        """Share of 256 views that are nearest to another view of their image; mean similarity."""
        views = (model.views(images[:256], torch.Generator().manual_seed(n)) for n in (1, 2))
        with torch.no_grad():
            one, other = (F.normalize(model.projection(model.query(v)), dim=1) for v in views)
        right = (one @ other.T).argmax(1) == torch.arange(256)
        return float(right.double().mean()), float((one @ one.T).mean())

    before, alike = recognised()
    context.train(model, Split.of(images, zeros, zeros), MoCo.loss, stage="moco", recipe=recipe)
    after, less_alike = recognised()
    assert after > 1.5 * before > 1.5 / 256
    assert less_alike < alike - 0.2
    assert len(context.curves["moco.loss"]) == 6
    assert "moco.epoch" not in context.chosen
