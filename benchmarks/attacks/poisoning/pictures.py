"""Pictures of the triggers that attacks put on images, for docs/attacks.md.

    python -m bench.attacks.poisoning.pictures [FOLDER]

writes them again. The scene is drawn by code. ISSBA has no picture, because its encoder is trained
on data.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from bench.attacks.poisoning.badnets import BadNets
from bench.attacks.poisoning.clean_label import CleanLabel, blended
from bench.attacks.poisoning.contract import Attack, Samples
from bench.attacks.poisoning.multi_trigger_multi_target import MultiTriggerMultiTarget
from bench.attacks.poisoning.multi_trigger_single_target import MultiTriggerSingleTarget
from bench.attacks.poisoning.wanet import WaNet
from bench.ending import conclude
from bench.triggers.pictures import in_a_row, png, scene, write

SHAPE = (3, 32, 32)  # of CIFAR-10
ZOOM = 4
AMPLIFICATION = 4  # of the change by a warp, which is shown around mid grey


def triggered(attack: Attack) -> list[Tensor]:
    """The scene with each trigger of an attack, as a test sample of the last class."""
    classes = tuple("0123456789")
    sample = Samples(scene(SHAPE)[None], torch.tensor([9]), "image", classes)
    return [attempt.x[0] for attempt in attack.attempts(sample)]


def wanet_images() -> list[Tensor]:
    """The scene warped, the amplified change, and the scene warped in noise mode."""
    attack, clean = WaNet(), scene(SHAPE)
    [warped] = triggered(attack)
    change = AMPLIFICATION * (warped.int() - clean.int()) + 128
    noisy = attack.warp_with_noise(clean[None], torch.Generator().manual_seed(0))[0]
    return [warped, change.clamp(0, 255).to(torch.uint8), noisy]


def clean_label_images() -> list[Tensor]:
    """The pattern, a faint one in four corners, and a poisoned sample with another blended in."""
    clean = scene(SHAPE)
    both = torch.stack([clean, clean.flip(1)])
    poisoned = CleanLabel().stamp(blended(both, torch.tensor([[0, 1]]), CleanLabel().blend))[0]
    faint = triggered(CleanLabel(amplitude=64, corners="four"))
    return [*triggered(CleanLabel()), *faint, poisoned]


def documented() -> dict[str, bytes]:
    """File name -> picture of docs/attacks.md: the clean scene, then the changed ones."""
    images = {
        "badnets": triggered(BadNets()),
        "multi_trigger_multi_target": triggered(MultiTriggerMultiTarget()),
        "multi_trigger_single_target": triggered(MultiTriggerSingleTarget()),
        "wanet": wanet_images(),
        "clean_label": clean_label_images(),
    }
    return {
        f"{name}.png": png(in_a_row([scene(SHAPE), *row], ZOOM)) for name, row in images.items()
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/attacks")
    conclude(lambda: write(documented(), folder))
