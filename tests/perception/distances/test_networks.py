"""LPIPS, DISTS and PieAPP against other libraries, on the same random weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import piq
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import dists as dists_there
from torchmetrics.functional.image import lpips as lpips_there

from bench.errors import Skip, SuiteError, UsageError
from bench.models.pretrained import FILES, WeightsFolder
from bench.perception import distances
from bench.perception.distances import NAMES, Measure, files_of
from bench.perception.distances.dists import L2Pooling
from bench.perception.distances.networks import ARCHITECTURES, Network, taps
from bench.perception.distances.pieapp import PieAppNetwork, patches, starts
from tests.tiny_attacks import CPU, pictures, random_network

NETWORKS = {"squeeze": "squeezenet1_1", "alex": "alexnet", "vgg": "vgg16"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with random weights of every network but PieAPP."""
    folder = tmp_path_factory.mktemp("random weights")
    for name in NETWORKS.values():
        with random_network(name, folder):
            pass
    room = folder / "raw" / "weights"
    random = torch.Generator().manual_seed(1)
    for network, architecture in ARCHITECTURES.items():
        heads = {
            f"lin{i}.model.1.weight": torch.rand(1, channels, 1, 1, generator=random)
            for i, channels in enumerate(architecture.channels)
        }
        torch.save(heads, room / f"lpips_v0.1_{network}.pth")
    both = {name: torch.rand(1, 1475, 1, 1, generator=random) for name in ("alpha", "beta")}
    torch.save(both, room / "dists_weights.pt")
    return folder


def load(name: str, data: Path) -> Measure:
    """A distance whose weights lie in a data folder."""
    return distances.load(name, CPU, WeightsFolder(data))


def pair(n: int = 2, side: int = 64) -> tuple[Tensor, Tensor]:
    x = pictures(n, 3, side)
    return x, (x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))).clamp(
        0, 1
    )


def gradient(distance: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    (found,) = torch.autograd.grad(distance(z).sum(), z)
    return found


# --- LPIPS ---


@pytest.mark.parametrize("network", NETWORKS)
def test_lpips_is_torchmetrics(network: Network, here: Path) -> None:
    theirs: Any = lpips_there._LPIPS(pretrained=False, net=network, pnet_rand=True)
    state = torch.load(here / f"raw/weights/{NETWORKS[network]}.pth", weights_only=True)
    parts = [theirs.net.slices] if hasattr(theirs.net, "slices") else []
    layers = [
        layer
        for part in (parts[0] if parts else [getattr(theirs.net, f"slice{i}") for i in range(1, 6)])
        for layer in part
    ]
    flat = nn.Sequential(*layers)
    flat.load_state_dict(
        {k.removeprefix("features."): v for k, v in state.items() if in_first(k, len(layers))}
    )
    heads = torch.load(here / f"raw/weights/lpips_v0.1_{network}.pth", weights_only=True)
    for i, lin in enumerate(theirs.lins):
        lin.model[-1].weight.data = heads[f"lin{i}.model.1.weight"]
    theirs.eval()
    x, z = pair()
    distance = load(f"lpips_{network}", here)(x)
    expected = theirs(2 * z - 1, 2 * x - 1).flatten().detach()
    assert torch.allclose(distance(z), expected, rtol=1e-4)
    assert distance(x).abs().max() < 1e-6
    slope = gradient(lambda v: theirs(2 * v - 1, 2 * x - 1), z)
    # Rounding puts a few of the many ReLUs on the other side of 0.
    assert (gradient(distance, z) - slope).norm() < 1e-2 * slope.norm()


def in_first(name: str, layers: int) -> bool:
    return int(name.split(".")[1]) < layers


@pytest.mark.parametrize("network", NETWORKS)
def test_the_smallest_image_is_seen_and_smaller_ones_are_skipped(
    network: Network, here: Path
) -> None:
    smallest = ARCHITECTURES[network].smallest
    found = load(f"lpips_{network}", here)(pictures(1, 3, smallest))
    assert found(pictures(1, 3, smallest, seed=1)).item() > 0
    with pytest.raises(Skip, match=f"{smallest} pixels or more, these have {smallest - 1}"):
        load(f"lpips_{network}", here)(pictures(1, 3, smallest - 1))
    # It is the network's limit, not ours.
    with pytest.raises(RuntimeError):
        nn.Sequential(*taps(network, "a test", CPU, WeightsFolder(here)).layers)(
            pictures(1, 3, smallest - 1)
        )


@pytest.mark.parametrize("name", ["lpips_squeeze", "dists"])
def test_grey_images_are_shown_in_three_equal_channels(name: str, here: Path) -> None:
    x, z = pictures(2, 1, 32), pictures(2, 1, 32, seed=1)
    three = load(name, here)(x.expand(-1, 3, -1, -1))(z.expand(-1, 3, -1, -1))
    assert torch.allclose(load(name, here)(x)(z), three)
    with pytest.raises(Skip, match="1 or 3 channels"):
        load(name, here)(pictures(1, 2, 32))


@pytest.mark.parametrize("name", ["lpips_squeeze", "lpips_vgg", "dists"])
def test_a_subset_keeps_the_references_features(name: str, here: Path) -> None:
    x, z = pair(4, 32)
    distance = load(name, here)(x)
    rows = torch.tensor([False, True, False, True])
    assert torch.allclose(distance.subset(rows)(z[rows]), distance(z)[rows], rtol=1e-5)


@pytest.mark.parametrize("name", ["lpips_squeeze", "lpips_alex", "lpips_vgg", "dists"])
def test_black_images_have_a_finite_gradient(name: str, here: Path) -> None:
    x = torch.zeros(1, 3, 33, 33)
    assert gradient(load(name, here)(x), x).isfinite().all()
    assert gradient(load(name, here)(pictures(1, 3, 33)), x).isfinite().all()


def test_the_references_features_are_computed_once(here: Path) -> None:
    x, z = pair(3, 32)
    distance = load("lpips_squeeze", here)(x)
    seen: list[int] = []
    distance.network.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    for _ in range(3):
        distance(z)
    assert seen == [3, 3, 3]


# --- DISTS ---


def test_dists_is_torchmetrics(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.load(here / "raw/weights/vgg16.pth", weights_only=True)
    with random_network("vgg16", here) as layers:
        monkeypatch.setattr(dists_there, "vgg16", lambda **_: type("Vgg", (), {"features": layers}))
        theirs: Any = dists_there.DISTSNetwork(load_weights=False)
    assert torch.equal(layers[0].weight, state["features.0.weight"])
    both = torch.load(here / "raw/weights/dists_weights.pt", weights_only=True)
    theirs.alpha.data, theirs.beta.data = both["alpha"], both["beta"]
    x, z = pair(2, 48)
    distance = load("dists", here)(x)
    expected = theirs(z, x).flatten().detach()
    assert torch.allclose(distance(z), expected, rtol=1e-3, atol=1e-5)
    assert distance(x).abs().max() < 1e-5
    slope = gradient(lambda v: theirs(v, x, require_grad=True), z)
    assert (gradient(distance, z) - slope).norm() < 1e-2 * slope.norm()


def test_l2_pooling_by_hand() -> None:
    x = torch.zeros(1, 2, 4, 4)
    x[0, 0, 1, 1] = 4.0
    x[0, 1] = 3.0
    pooled = L2Pooling()(x)
    # Weights (1, 2, 1) x (1, 2, 1) / 16 around (0, 0), (0, 2), (2, 0), (2, 2).
    assert pooled[0, 0].flatten().tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0])
    assert pooled[0, 1, 1, 1].item() == pytest.approx(3.0)
    assert pooled.shape == (1, 2, 2, 2)


# --- PieAPP ---


@pytest.fixture(scope="module")
def pieapp_here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Piq's network PieAPP with random weights, and a data folder with a file of the same."""
    folder = tmp_path_factory.mktemp("pieapp")
    (folder / "raw" / "weights").mkdir(parents=True)
    with torch.device("meta"):
        theirs: Any = piq.pieapp.PieAPPModel()
    theirs.to_empty(device="cpu")
    torch.manual_seed(0)
    for parameter in theirs.parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 100
        nn.init.normal_(parameter, std=(2 / fan) ** 0.5)
    state = theirs.state_dict()
    file = {**state, "ref_score_subtract.weight": state["ref_score_subtract.weight"].view(1)}
    torch.save(file, folder / "raw" / "weights" / "PieAPPv0.1.pth")
    return theirs.eval().requires_grad_(False), folder


def test_pieapp_is_piqs_network_on_bgr_patches_from_0_to_255(
    pieapp_here: tuple[Any, Path],
) -> None:
    network, data = pieapp_here
    x, z = pair(2, 70)
    distance = load("pieapp", data)(x)

    def theirs(v: Tensor) -> Tensor:
        values = []
        for image, reference in zip(v, x, strict=True):
            corners = [(r, c) for r in (0, 6) for c in (0, 6)]
            cut = [
                torch.stack([t.flip(0)[:, r : r + 64, c : c + 64] * 255 for r, c in corners])
                for t in (image, reference)
            ]
            (f, coarse), (f_ref, coarse_ref) = (network(t) for t in cut)
            score, weight = network.compute_difference(f_ref - f, coarse_ref - coarse)
            values.append((score * weight).sum() / weight.sum())
        return torch.stack(values)

    assert torch.allclose(distance(z), theirs(z).detach(), rtol=1e-4)
    slope = gradient(theirs, z)
    assert (gradient(distance, z) - slope).norm() < 1e-3 * slope.norm()
    rows = torch.tensor([1])
    assert torch.allclose(distance.subset(rows)(z[rows]), distance(z)[rows], rtol=1e-5)


def test_pieapp_has_the_published_size() -> None:
    with torch.device("meta"):
        network = PieAppNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) == 68_376_580


@pytest.mark.parametrize(
    ("side", "count", "last"), [(64, 1, 0), (65, 2, 1), (91, 2, 27), (92, 3, 28), (299, 10, 235)]
)
def test_patches_cover_every_pixel(side: int, count: int, last: int) -> None:
    found = starts(side)
    assert (len(found), found[0], found[-1]) == (count, 0, last)
    covered = {pixel for start in found for pixel in range(start, start + 64)}
    assert covered == set(range(side))
    assert all(b - a <= 28 for a, b in pairwise(found))


def test_patches_are_bgr_and_too_small_images_are_skipped() -> None:
    x = torch.zeros(1, 3, 64, 64)
    x[:, 0] = 1
    cut = patches(x)
    assert cut.shape == (1, 3, 64, 64)
    assert [cut[0, c].mean().item() for c in range(3)] == [0.0, 0.0, 255.0]
    with pytest.raises(Skip, match="64 pixels or more"):
        patches(torch.zeros(1, 3, 63, 80))


# --- Weights ---


@pytest.mark.parametrize("name", [name for name in NAMES if files_of(name)])
def test_missing_weights_are_a_skip_that_names_file_and_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(Skip) as told:
        load(name, tmp_path)
    words = str(told.value)
    assert any(FILES[file].name in words for file in files_of(name))
    assert "raw/weights of the data folder" in words
    assert str(tmp_path) not in words  # pages are published
    assert "bench data get weights/" in words


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    room = tmp_path / "raw" / "weights"
    room.mkdir(parents=True)
    torch.save({"conv1.weight": torch.zeros(3)}, room / "PieAPPv0.1.pth")
    with pytest.raises(SuiteError, match=r"PieAPPv0\.1\.pth is not"):
        load("pieapp", tmp_path)


def test_an_unknown_distance_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="lpips_squeeze"):
        distances.load("lpips_squeze")
