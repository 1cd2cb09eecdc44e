"""Networks, their parts and their initial weights."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from bench.errors import SuiteError
from bench.models.backbones import (
    BACKBONES,
    Backbone,
    Normalise,
    build,
    check_backbone,
    check_shape,
)


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


def test_the_network_that_sees_small_marks_has_three_convolutions_and_a_hidden_layer() -> None:
    model = build("max_pool_cnn", (1, 28, 28), 10, seed=0)
    convolutions = (9 + 1) * 32 + (32 * 9 + 1) * 64 + (64 * 9 + 1) * 64
    assert parameters(model) == convolutions + (64 * 16 + 1) * 128 + (128 + 1) * 10


def test_where_small_cnn_averages_it_takes_the_strongest() -> None:
    """A mark of one pixel is a sixteenth of a quarter's mean, but all of its maximum."""
    marked = torch.zeros(1, 64, 8, 8)
    marked[..., 7, 7] = 16
    strongest, mean = build("max_pool_cnn", (1, 32, 32), 2, 0).neck[0], nn.AdaptiveAvgPool2d(4)
    assert strongest(marked)[..., 3, 3].unique().tolist() == [16]
    assert mean(marked)[..., 3, 3].unique().tolist() == [4]
    assert isinstance(build("small_cnn", (1, 32, 32), 2, 0).neck[0], nn.AdaptiveAvgPool2d)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_takes_grey_and_coloured_pictures_of_at_least_four_pixels(channels: int) -> None:
    model = build("max_pool_cnn", (channels, 4, 4), 3, seed=0)
    x = torch.randint(0, 256, (5, channels, 4, 4), dtype=torch.uint8)
    assert model(x).shape == (5, 3)
    check_shape("max_pool_cnn", (channels, 4, 4))
    with pytest.raises(SuiteError, match="at least 4 pixels a side"):
        check_shape("max_pool_cnn", (channels, 3, 3))


@pytest.mark.parametrize(
    ("name", "shape", "maps", "width", "compared"),
    [
        ("mlp", (5,), (512,), 512, 512),
        ("small_cnn", (3, 8, 8), (32, 4, 4), 64, 32 * 4 * 4),
        ("max_pool_cnn", (3, 8, 8), (64, 2, 2), 128, 64 * 2 * 2),
    ],
)
def test_a_network_is_cut_in_encoder_neck_and_head(
    name: str, shape: tuple[int, ...], maps: tuple[int, ...], width: int, compared: int
) -> None:
    model = build(name, shape, 2, seed=0)
    x = torch.full((6, *shape), 7, dtype=torch.float32 if name == "mlp" else torch.uint8)
    z = model.encoder(x)
    logits, features = model.logits_and_maps(x)
    assert z.shape == (6, *maps)
    assert model.embed(x).shape == (6, width)
    assert features.shape == (6, compared)
    assert logits.shape == (6, 2)
    assert torch.equal(model(x), logits)
    assert torch.equal(model.decide(z), logits)
    assert torch.equal(model.head(model.embed(x)), logits)


@pytest.mark.parametrize(
    ("name", "shape"), [("mlp", (5,)), ("small_cnn", (3, 8, 8)), ("max_pool_cnn", (3, 8, 8))]
)
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
    assert Normalise()(pixels).flatten().tolist() == pytest.approx([-1, -0.6, 1])


def test_every_channel_can_have_its_own_mean_and_deviation() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    normalise = Normalise((0.5, 0.1, 0.0), (0.25, 0.2, 0.5))
    assert normalise(pixels).flatten().tolist() == pytest.approx([-2, 0.5, 2])
    assert normalise.state_dict() == {}


def test_a_backbone_of_the_wrong_kind_is_refused_and_the_right_ones_are_named() -> None:
    check_backbone("mlp", "table")
    with pytest.raises(SuiteError, match=r'"mlp" takes tables, this data holds images: use small_'):
        check_backbone("mlp", "image")
    with pytest.raises(SuiteError, match=r'unknown backbone "mpl"\. Did you mean "mlp"\?'):
        check_backbone("mpl", "table")


# --- Networks of torchvision and timm ---


# Name, side of the pictures, shape of the maps and width of the embedding.
LARGE = [
    ("resnet18_small", 32, (512, 4, 4), 512),
    ("resnet18", 64, (512, 2, 2), 512),
    ("vgg16", 32, (512, 1, 1), 4096),
    ("inception_v4", 75, (1536, 1, 1), 1536),
    ("vit_b_16", 32, (5, 768), 768),
    ("swin", 64, (768, 2, 2), 768),
]
SIZES = {  # parameters with a head for 1000 classes, as the libraries' pages give them
    "resnet18": 11_689_512,
    "vgg16": 138_357_544,
    "inception_v4": 42_679_816,
    "swin": 28_288_354,
}


@pytest.fixture(scope="module", params=LARGE, ids=lambda case: case[0])
def large(
    request: pytest.FixtureRequest,
) -> tuple[str, int, tuple[int, ...], int, Backbone]:
    """A large network with three outputs, built once for all claims about it."""
    name, side, maps, width = request.param
    return name, side, maps, width, build(name, (3, side, side), 3, seed=1)


def test_a_large_network_is_cut_where_its_maps_and_its_embedding_are(
    large: tuple[str, int, tuple[int, ...], int, Backbone],
) -> None:
    _, side, maps, width, model = large
    x = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    model.eval()
    with torch.inference_mode():
        z = model.encoder(x)
        logits, compared = model.logits_and_maps(x)
        assert z.shape == (2, *maps)
        assert torch.equal(compared, z.flatten(1))
        assert model.embed(x).shape == (2, width)
        assert model.head.in_features == width
        assert logits.shape == (2, 3)
        assert torch.equal(model(x), logits)
        assert torch.equal(model.head(model.embed(x)), logits)
    assert isinstance(next(iter(model.encoder.children())), Normalise)


def test_a_large_network_learns_a_step(
    large: tuple[str, int, tuple[int, ...], int, Backbone],
) -> None:
    _, side, _, _, model = large
    torch.manual_seed(0)  # dropout
    x = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    model.train()
    F.cross_entropy(model(x), torch.tensor([0, 2])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert model.head.weight.grad is not None
    assert model.head.weight.grad.abs().sum() > 0
    model.zero_grad(set_to_none=True)


def test_equal_seeds_give_a_large_network_equal_weights(
    large: tuple[str, int, tuple[int, ...], int, Backbone],
) -> None:
    name, side, _, _, model = large
    first = dict(model.named_parameters())
    torch.rand(5)
    for key, parameter in build(name, (3, side, side), 3, seed=1).named_parameters():
        assert torch.equal(parameter, first[key]), key


@pytest.mark.parametrize("name", SIZES)
def test_a_large_network_has_the_published_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        model = BACKBONES[name][1]((3, 224, 224), 1000)
    assert parameters(model) == SIZES[name]


@pytest.mark.parametrize("outputs", [1, 2, 7])
def test_heads_for_a_number_two_classes_and_many(outputs: int) -> None:
    model = build("resnet18_small", (3, 28, 28), outputs, seed=0).eval()
    assert model(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape == (2, outputs)


def dropouts(name: str) -> list[float]:
    with torch.device("meta"):
        model = BACKBONES[name][1]((3, 224, 224), 2)
    return [m.p for m in model.modules() if isinstance(m, nn.Dropout) and m.p]


def test_dropout_is_as_published() -> None:
    assert dropouts("vgg16") == [0.5, 0.5]
    assert dropouts("inception_v4") == [pytest.approx(0.2)]
    assert dropouts("resnet18") == []


def test_the_small_resnet_keeps_the_resolution_of_its_input_until_the_second_stage() -> None:
    body = build("resnet18_small", (3, 28, 28), 2, seed=0).encoder.get_submodule("body")
    x: Tensor = torch.zeros(1, 3, 28, 28)
    sides = []
    for _, stage in body.eval().named_children():
        x = stage(x)
        sides.append(x.shape[-1])
    assert sides == [28, 28, 28, 28, 14, 7, 4]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp", (7,)),
        ("small_cnn", (1, 8, 8)),
        ("resnet18", (3, 28, 28)),
        ("inception_v4", (3, 75, 90)),
        ("vit_b_16", (3, 48, 48)),
        ("vgg16", (3, 218, 178)),
    ],
)
def test_shapes_that_a_network_takes(name: str, shape: tuple[int, ...]) -> None:
    check_shape(name, shape)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("inception_v4", (3, 64, 64), "at least 75 pixels a side; these have 3 channels and 64 x"),
        ("vgg16", (3, 100, 31), "at least 32 pixels a side"),
        ("vit_b_16", (3, 218, 178), "that are square"),
        ("vit_b_16", (3, 100, 100), "a multiple of 16 pixels"),
        ("swin", (3, 28, 28), "size: 224"),
        ("resnet18", (1, 64, 64), "three channels; .* use small_cnn"),
        ("mlp", (3, 8, 8), "takes tables"),
        ("resnet18", (12,), "takes images"),
    ],
)
def test_shapes_that_it_does_not_and_what_would_help(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(SuiteError, match=message):
        check_shape(name, shape)


def test_the_networks_that_fit_are_named() -> None:
    with pytest.raises(
        SuiteError, match="use small_cnn, max_pool_cnn, resnet18_small, resnet18, vgg16, vit_b_16"
    ):
        check_shape("inception_v4", (3, 64, 64))


def test_importing_the_backbones_imports_neither_torchvision_nor_timm() -> None:
    code = (
        "import sys, bench.models.backbones, bench.models.weights;"
        "print({'torchvision', 'timm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
