"""Published weights in our networks: what fits, what is refused, and that no code is run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.errors import SuiteError
from bench.models import weights
from bench.models.backbones import Normalise, build
from bench.models.weights import load_pretrained, sha256_of

SIDES = {"resnet18": 40, "vgg16": 32, "inception_v4": 75, "vit_b_16": 32, "swin": 40}


def original(name: str, classes: int = 10) -> Any:
    """The library's own network, with weights unlike any of ours."""
    torch.manual_seed(99)
    if name == "inception_v4":
        network = timm.create_model("inception_v4", pretrained=False, num_classes=classes)
    else:
        more = {"image_size": SIDES[name]} if name == "vit_b_16" else {}
        build_it = getattr(torchvision.models, "swin_t" if name == "swin" else name)
        network = build_it(weights=None, num_classes=classes, **more)
    for buffer, value in network.named_buffers():
        if buffer.endswith("running_mean"):
            value.normal_(std=0.1)
    return network.eval()


def penultimate(name: str, network: Any, x: Tensor) -> Tensor:
    """What the library's network gives its classifier layer."""
    head = network.get_submodule(weights.PUBLISHED[name].head)
    seen: list[Tensor] = []
    head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(x)
    return seen[0]


@pytest.fixture
def resnet() -> OrderedDict[str, Tensor]:
    return OrderedDict(original("resnet18").state_dict())


def as_safetensors(state: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "w.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


def as_pth(state: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "w.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("name", SIDES)
def test_a_loaded_network_sees_what_the_original_sees(name: str, tmp_path: Path) -> None:
    network = original(name)
    save = as_pth if name in {"resnet18", "swin"} else as_safetensors
    path = save(network.state_dict(), tmp_path)
    side = SIDES[name]
    model = build(name, (3, side, side), 10, seed=0).eval()
    load_pretrained(model, name, path)
    path.unlink()  # half a gigabyte for vgg16, and pytest keeps its folders
    pixels = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in weights.PUBLISHED[name].normalisation)
    normalised = (pixels / 255 - mean) / std
    with torch.inference_mode():
        torch.testing.assert_close(model.embed(pixels), penultimate(name, network, normalised))
        torch.testing.assert_close(model(pixels), network(normalised))  # ten classes in both


def test_torchvision_and_timm_say_the_same_of_their_pixels() -> None:
    enums = {
        "resnet18": "ResNet18_Weights", "vgg16": "VGG16_Weights", "vit_b_16": "ViT_B_16_Weights",
        "swin": "Swin_T_Weights",
    }  # fmt: skip
    for name, enum in enums.items():
        transform = getattr(torchvision.models, enum).IMAGENET1K_V1.transforms()
        assert weights.PUBLISHED[name].normalisation == (
            tuple(transform.mean), tuple(transform.std)
        )  # fmt: skip
    timm_says = timm.get_pretrained_cfg("inception_v4")
    assert weights.PUBLISHED["inception_v4"].normalisation == (timm_says.mean, timm_says.std)


@pytest.mark.parametrize("save", [as_safetensors, as_pth])
def test_a_head_of_another_size_stays_fresh(
    save: Callable[[dict[str, Tensor], Path], Path], resnet: OrderedDict[str, Tensor],
    tmp_path: Path,
) -> None:  # fmt: skip
    model, fresh = (build("resnet18", (3, 64, 64), 2, seed=3) for _ in range(2))
    load_pretrained(model, "resnet18", save(resnet, tmp_path))
    assert torch.equal(model.head.weight, fresh.head.weight)
    assert torch.equal(model.encoder.get_parameter("body.conv1.weight"), resnet["conv1.weight"])


def test_a_file_without_a_head_or_counters_will_do(
    resnet: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    kept = {k: v for k, v in resnet.items() if "fc." not in k and "num_batches" not in k}
    model = build("resnet18", (3, 64, 64), 10, seed=3)
    load_pretrained(model, "resnet18", as_safetensors(kept, tmp_path))
    assert torch.equal(model.encoder.get_parameter("body.conv1.weight"), resnet["conv1.weight"])


def test_missing_and_foreign_and_misshapen_tensors_are_named_and_nothing_is_changed(
    resnet: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    del resnet["layer1.0.conv1.weight"]
    resnet["layer9.weight"] = torch.zeros(2)
    resnet["bn1.bias"] = torch.zeros(7)
    model, fresh = (build("resnet18", (3, 64, 64), 2, seed=0) for _ in range(2))
    with pytest.raises(SuiteError) as caught:
        load_pretrained(model, "resnet18", as_pth(resnet, tmp_path))
    for part in (
        str(tmp_path / "w.pth"),
        "is without layer1.0.conv1.weight",
        "has what the network has not: layer9.weight",
        "bn1.bias (7,) for (64,)",
        "torchvision's resnet18",
        "leave `weights` out",
    ):
        assert part in str(caught.value)
    for key, value in model.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[key])
    assert pixels_at_zero(model) == -1


def pixels_at_zero(model: nn.Module) -> float:
    normalise = next(module for module in model.modules() if isinstance(module, Normalise))
    return normalise(torch.zeros(1, 3, 1, 1)).flatten()[0].item()


def test_long_lists_are_cut(tmp_path: Path) -> None:
    model = build("resnet18", (3, 64, 64), 2, seed=0)
    with pytest.raises(SuiteError, match=r"is without bn1\.bias, .* and 95 more"):
        load_pretrained(model, "resnet18", as_safetensors({}, tmp_path))


def test_position_embeddings_of_another_image_size_are_refused(tmp_path: Path) -> None:
    state = {"encoder.pos_embedding": torch.zeros(1, 197, 768)}
    model = build("vit_b_16", (3, 32, 32), 2, seed=0)
    with pytest.raises(SuiteError, match=r"pos_embedding \(1, 197, 768\) for \(1, 5, 768\).*size"):
        load_pretrained(model, "vit_b_16", as_safetensors(state, tmp_path))


@pytest.mark.parametrize("name", ["small_cnn", "resnet18_small"])
def test_a_network_of_ours_has_no_published_weights(name: str, tmp_path: Path) -> None:
    model = build(name, (3, 32, 32), 2, seed=0)
    with pytest.raises(SuiteError, match=f'fit the backbone "{name}".*inception_v4, resnet18, '):
        load_pretrained(model, name, tmp_path / "w.safetensors")


class Evil:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def test_code_in_a_file_is_not_run(resnet: OrderedDict[str, Tensor], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = as_pth({**resnet, "evil": Evil(mark)}, tmp_path)  # type: ignore[dict-item]
    with pytest.raises(SuiteError, match=r"Code in a file is never run: .* with safetensors"):
        load_pretrained(build("resnet18", (3, 64, 64), 2, seed=0), "resnet18", path)
    assert not mark.exists()


def test_a_checkpoint_that_wraps_the_tensors_is_refused(
    resnet: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    path = as_pth({"state_dict": resnet}, tmp_path)  # type: ignore[dict-item]
    with pytest.raises(SuiteError, match="more than tensors by name"):
        load_pretrained(build("resnet18", (3, 64, 64), 2, seed=0), "resnet18", path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("w.pkl", b"x", r"no file of weights .*\.safetensors, \.pth.*never opened"),
        ("none.pth", None, "does not exist. Nothing is downloaded"),
        ("w.safetensors", b"not tensors", "cannot be read"),
        ("w.pth", b"not tensors", "cannot be read as plain tensors"),
        ("w.pth", b"", "cannot be read as plain tensors"),
    ],
)
def test_files_that_are_not_weights(
    file: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SuiteError, match=message) as caught:
        weights.read_state(path)
    assert str(path) in str(caught.value)


def test_the_checksum_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
