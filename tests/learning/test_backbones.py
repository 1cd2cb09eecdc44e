"""Networks, their parts and their initial weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.errors import SuiteError
from benchmarks.learning.backbones import Backbone, Normalise, build, check_backbone


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_table_network_has_three_hidden_layers_of_512() -> None:
    model = build("mlp", (7,), 3, seed=0)
    assert parameters(model) == (7 * 512 + 512) + 2 * (512 * 512 + 512) + (512 * 3 + 3)
    widths = [layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert widths == [512, 512, 512, 3]
    assert sum(isinstance(layer, nn.ReLU) for layer in model.modules()) == 3


def test_the_network_for_small_pictures_has_two_convolutions_and_a_hidden_layer() -> None:
    model = build("small_cnn", (3, 8, 8), 2, seed=0)
    convolutions = (3 * 9 + 1) * 16 + (16 * 9 + 1) * 32
    assert parameters(model) == convolutions + (32 * 16 + 1) * 64 + (64 + 1) * 2


@pytest.mark.parametrize(
    ("name", "shape", "maps", "width", "compared"),
    [
        ("mlp", (5,), (512,), 512, 512),
        ("small_cnn", (3, 8, 8), (32, 4, 4), 64, 32 * 4 * 4),
    ],
)
def test_a_network_is_cut_in_encoder_neck_and_head(
    name: str, shape: tuple[int, ...], maps: tuple[int, ...], width: int, compared: int
) -> None:
    model = build(name, shape, 2, seed=0)
    x = torch.full((6, *shape), 7, dtype=torch.uint8 if name == "small_cnn" else torch.float32)
    z = model.encoder(x)
    logits, features = model.logits_and_maps(x)
    assert z.shape == (6, *maps)
    assert model.embed(x).shape == (6, width)
    assert features.shape == (6, compared)
    assert logits.shape == (6, 2)
    assert torch.equal(model(x), logits)
    assert torch.equal(model.decide(z), logits)
    assert torch.equal(model.head(model.embed(x)), logits)


@pytest.mark.parametrize(("name", "shape"), [("mlp", (5,)), ("small_cnn", (3, 8, 8))])
def test_equal_seeds_give_equal_weights(name: str, shape: tuple[int, ...]) -> None:
    def weights(model: Backbone) -> torch.Tensor:
        return torch.cat([p.flatten() for p in model.parameters()])

    first = weights(build(name, shape, 2, seed=1))
    torch.rand(5)  # what else was drawn does not matter
    assert torch.equal(weights(build(name, shape, 2, seed=1)), first)
    assert not torch.equal(weights(build(name, shape, 2, seed=2)), first)


def test_building_a_network_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build("mlp", (5,), 2, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_pixels_are_scaled_to_minus_one_and_one() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert Normalise()(pixels).tolist() == pytest.approx([-1, -0.6, 1])


def test_a_backbone_of_the_wrong_kind_is_refused_and_the_right_ones_are_named() -> None:
    check_backbone("mlp", "table")
    with pytest.raises(SuiteError, match=r'"mlp" takes tables, this data holds images: use small_'):
        check_backbone("mlp", "image")
    with pytest.raises(SuiteError, match=r'unknown backbone "mpl"\. Did you mean "mlp"\?'):
        check_backbone("mpl", "table")
