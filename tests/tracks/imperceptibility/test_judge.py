"""The judge of attacks: success by a new prediction, distances by hand, defences, maps, strips."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.errors import SuiteError
from bench.models.pretrained import MIRROR_ALONE, WeightsFolder
from bench.perception.images import eight_bit
from bench.tracks.imperceptibility import judge, saliency
from bench.tracks.imperceptibility.defences import fewer_bits, through_jpeg
from bench.tracks.imperceptibility.judge import Attacked
from bench.tracks.imperceptibility.session import Counted
from bench.tracks.imperceptibility.strips import ROOM, magnification, strips
from tests.tiny_plans import info_of

CPU = torch.device("cpu")


def brightness(x: Tensor) -> Tensor:
    """Class 1 where the mean exceeds one half, else 0."""
    return (x.flatten(1).mean(dim=1) > 0.5).long()


def attacked(before: Tensor, after: Tensor) -> Attacked:
    """With maps that repeat the first channel."""
    y = torch.zeros(len(before), dtype=torch.int64)
    return Attacked(before, after, y, before[:, :1], after[:, :1])


def test_success_is_what_a_new_prediction_says_also_behind_defences() -> None:
    # Two levels are left at 1 bit and four at 2: .51 becomes 2/3, .48 becomes 1/3.
    adversarial = torch.stack([torch.full((3, 16, 16), v) for v in (0.2, 0.48, 0.51, 0.9)])
    fooled, rates = judge.successes(brightness, adversarial, torch.zeros(4, dtype=torch.int64))
    assert fooled.tolist() == [False, False, True, True]
    assert rates["success_rate"] == 0.5
    assert rates["success_8bit"] == rates["success_bits_2"] == rates["success_jpeg_90"] == 0.5
    assert {f"success_bits_{b}" for b in range(2, 8)} <= set(rates)


def test_rounding_to_8_bits_can_undo_an_attack() -> None:
    def predict(x: Tensor) -> Tensor:
        return (x.flatten(1).mean(dim=1) > 0.503).long()

    adversarial = torch.full((1, 3, 16, 16), 128.4 / 255)  # .5035; rounded, 128 / 255 = .502
    _, rates = judge.successes(predict, adversarial, torch.tensor([0]))
    assert (rates["success_rate"], rates["success_8bit"]) == (1.0, 0.0)
    assert eight_bit(adversarial).unique().tolist() == pytest.approx([128 / 255])


def test_distances_are_those_of_hand_and_of_successful_attacks_alone() -> None:
    before = torch.zeros(2, 3, 16, 16)
    after = before.clone()
    after[0, 0, 0, 0], after[0, 1, 5, 5] = 0.3, 0.4
    after[1] = 1.0
    found = judge.judge_distances(
        attacked(before, after), torch.tensor([True, False]), 2, CPU, MIRROR_ALONE
    )
    assert found.metrics["l1"] == pytest.approx(0.7)
    assert found.metrics["l2"] == pytest.approx(0.5)
    assert found.metrics["linf"] == pytest.approx(0.4)
    assert found.metrics["saliency_l1"] == pytest.approx(0.3)
    assert found.metrics["saliency_l2"] == pytest.approx(0.3)
    assert found.samples["l2"] == pytest.approx([0.5])
    assert 0 < found.metrics["ssim_distance"] < 1


def test_an_image_that_did_not_change_is_at_distance_zero() -> None:
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = judge.judge_distances(
        attacked(x, x.clone()), torch.ones(3, dtype=torch.bool), 2, CPU, MIRROR_ALONE
    )
    assert found.metrics["l1"] == found.metrics["saliency_linf"] == 0
    assert found.metrics["ssim_distance"] == pytest.approx(0, abs=1e-6)


def test_without_a_success_distances_do_not_exist() -> None:
    x = torch.zeros(2, 3, 16, 16)
    found = judge.judge_distances(
        attacked(x, x), torch.zeros(2, dtype=torch.bool), 2, CPU, MIRROR_ALONE
    )
    assert found.metrics == {}
    assert set(found.undefined) == set(judge.DISTANCES)
    assert "no attack succeeded" in found.undefined["lpips"]


def test_missing_weights_leave_a_metric_undefined_with_the_remedy(
    tmp_path: Path,
) -> None:
    x, weights = torch.zeros(1, 3, 32, 32), WeightsFolder(tmp_path)
    found = judge.judge_distances(attacked(x, x + 0.5), torch.tensor([True]), 1, CPU, weights)
    assert "bench data get weights/" in found.undefined["dists"]
    assert "bench data get weights/" in found.undefined["lpips"]
    assert found.metrics["linf"] == 0.5


def test_jpeg_is_pillows_and_grey_stays_grey() -> None:
    x = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    pixels = (x[1] * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=50)
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1) / 255
    assert through_jpeg(x, 50)[1].numpy() == pytest.approx(expected, abs=1e-6)
    assert through_jpeg(x[:, :1], 50).shape == (2, 1, 16, 24)
    better, worse = ((through_jpeg(x, q) - x).abs().mean() for q in (90, 30))
    assert better < worse


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (2, 4), (7, 128)])
def test_fewer_bits_leave_as_many_levels(bits: int, levels: int) -> None:
    x = torch.linspace(0, 1, 1001)[None, None, None]
    assert len(fewer_bits(x, bits).unique()) == levels
    assert float((fewer_bits(x, bits) - x).abs().max()) <= 0.5 / (levels - 1) + 1e-6


def test_steps_are_counted_outside_the_attack() -> None:
    model = Counted(nn.Flatten())
    x = torch.zeros(5, 1, 2, 2)
    model(x)
    with torch.no_grad():
        model(x.clone().requires_grad_())
    assert model.steps == 0
    model(x.clone().requires_grad_())
    model(x[:2].clone().requires_grad_())
    assert model.steps == 7


def test_the_map_of_a_linear_classifier_is_the_size_of_its_weights() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
    with torch.no_grad():
        linear[1].weight[1] = torch.arange(12.0) - 8  # red -8..-5, green -4..-1, blue 0..3
    x = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    found = saliency.SmoothGrad(linear, copies=3)(x, torch.tensor([1]))
    largest = torch.tensor([8.0, 7.0, 6.0, 5.0])
    top = largest.quantile(0.99)
    assert found.flatten().tolist() == pytest.approx((largest / top).clamp(max=1).tolist())


def test_the_same_image_has_the_same_map() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.Tanh())
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    maps = saliency.SmoothGrad(model)
    y = torch.tensor([0, 4])
    assert torch.equal(maps(x, y), maps(x.clone(), y))
    assert maps(x, y).shape == (2, 1, 4, 4)
    # An image's map does not depend on its company.
    assert maps(x[1:], y[1:])[0].flatten().tolist() == pytest.approx(
        maps(x, y)[1].flatten().tolist(), abs=1e-5
    )


NETWORK = """
from torch import nn

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(3, 1, 1, bias=False)

    def forward(self, x):
        return self.mix(x)
"""


def bring(folder: Path, code: str, weight: float) -> Path:
    (folder / "mine.py").write_text(code)
    save_file({"mix.weight": torch.full((1, 3, 1, 1), weight)}, folder / "mine.safetensors")
    return folder / "mine.py"


def test_a_salient_object_network_can_be_brought_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_SALIENCY", str(bring(tmp_path, NETWORK, 1 / 3)))
    maps = saliency.maps_for(nn.Identity(), CPU)
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(maps(x, torch.zeros(2)), x.mean(dim=1, keepdim=True), atol=1e-6)
    assert saliency.in_words() == "mine"
    assert {path.name for path in judge.files(MIRROR_ALONE)} >= {"mine.py", "mine.safetensors"}
    assert any("(mine)" in m.definition for m in info_of("imperceptibility").metrics)


@pytest.mark.parametrize(
    ("code", "weight", "message"),
    [
        (NETWORK, 2.0, "maps must be"),
        (NETWORK.replace("Network", "Other"), 0.3, "defines no class Network"),
        (NETWORK.replace("mix", "blend"), 0.3, "is missing, unknown or has another shape"),
    ],
)
def test_a_network_that_does_not_fit_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, weight: float, message: str
) -> None:
    monkeypatch.setenv("BENCH_SALIENCY", str(bring(tmp_path, code, weight)))
    with pytest.raises(SuiteError, match=message):
        saliency.maps_for(nn.Identity(), CPU)(torch.ones(1, 3, 4, 4), torch.zeros(1))


def test_a_network_without_weights_or_code_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_SALIENCY", str(tmp_path / "egnet.py"))
    with pytest.raises(SuiteError, match="no such Python file"):
        saliency.brought()
    (tmp_path / "egnet.py").write_text(NETWORK)
    with pytest.raises(SuiteError, match=r"its weights are missing: egnet\.safetensors"):
        saliency.brought()


@pytest.mark.parametrize(("largest", "factor"), [(0.5, 1), (0.1, 5), (0.004, 125), (0.0, 1)])
def test_a_difference_is_magnified_to_half_of_the_range(largest: float, factor: int) -> None:
    change = torch.tensor([[[0.0, -largest]]], dtype=torch.float64)
    assert magnification(change) == factor


@pytest.mark.parametrize("side", [8, 299])
def test_strips_are_small_and_say_what_they_show(side: int) -> None:
    random = torch.Generator().manual_seed(5)
    x = torch.rand(5, 3, side, side, generator=random)
    after = (x + 0.02 * torch.rand(x.shape, generator=random)).clamp(0, 1)
    made = strips(attacked(x, after), torch.tensor([1, 0, 0, 0, 0]), ["cat", "dog"])
    assert len(made) == (4 if side == 8 else 2)
    assert sum(len(each.png) for each in made) <= ROOM
    assert made[0].caption.startswith("cat, now seen as dog: original, attacked, difference × ")
    assert made[1].caption.startswith("cat, still seen as cat")
    assert ("the central" in made[0].caption) == (side == 299)
    picture = Image.open(io.BytesIO(base64.b64decode(made[0].png)))
    height = picture.height
    assert picture.width == 5 * height + 8
    # Where nothing changed the difference is grey.
    still = strips(attacked(x, x), torch.zeros(5, dtype=torch.int64), ["cat", "dog"])[0]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(still.png))))
    side_of_part = (pixels.shape[1] - 8) // 5
    middle = pixels[:side_of_part, 2 * (side_of_part + 2) :][:, :side_of_part]
    assert set(np.unique(middle).tolist()) <= {127, 128}


def test_attacks_are_ranked_by_l2_only_where_lpips_does_not_exist() -> None:
    track = info_of("imperceptibility")
    assert not any("{" in metric.definition for metric in track.metrics)
    names = {metric.name for metric in track.metrics}
    assert set(track.rank_by) <= names
    assert track.stand_ins == {"l2": "lpips"}
    assert set(judge.DISTANCES) <= names
    assert all(math.isfinite(v) for v in judge.successes(
        brightness, torch.zeros(1, 3, 8, 8), torch.zeros(1, dtype=torch.int64)
    )[1].values())  # fmt: skip
    assert set(judge.defended()) <= names
