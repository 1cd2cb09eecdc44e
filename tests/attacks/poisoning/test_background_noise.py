"""Background noise: one waveform, as loud as asked for."""

from __future__ import annotations

import pytest
import torch

from bench.attacks.poisoning.background_noise import BackgroundNoise
from tests.attacks.poisoning import attack_samples as given


@pytest.mark.parametrize("level", [-20.0, -40.0])
def test_the_noise_is_as_loud_as_its_level_says(level: float) -> None:
    noise = BackgroundNoise(level=level).noise(20_000).double()
    measured = 20 * torch.log10(noise.square().mean().sqrt() / 2**15)
    assert float(measured) == pytest.approx(level, abs=0.2)


def test_every_recording_gets_the_same_noise() -> None:
    train = given.sounds()
    attack = BackgroundNoise(rate=0.2)
    poison = attack.poison(train, given.seeded())
    assert len(poison.rows) == 12
    added = poison.x.int() - train.x[poison.rows].int()
    assert torch.equal(added, attack.noise(400).expand(12, -1))
    [attempt] = attack.attempts(given.sounds(9))
    assert len(attempt.x) == 6
    assert torch.equal(attempt.x[0].int() - given.sounds(9).x[1].int(), attack.noise(400))


def test_loud_sums_are_clipped_and_never_wrap() -> None:
    loud = torch.full((1, 1000), 32_700, dtype=torch.int16)
    after = BackgroundNoise(level=-10.0).blend(loud)
    assert after.max() == 2**15 - 1
    assert BackgroundNoise(level=-10.0).blend(-loud).min() == -(2**15)


def test_the_waveform_hangs_on_its_own_seed() -> None:
    assert torch.equal(BackgroundNoise().noise(50), BackgroundNoise(rate=0.5).noise(50))
    assert not torch.equal(BackgroundNoise().noise(50), BackgroundNoise(noise_seed=1).noise(50))
