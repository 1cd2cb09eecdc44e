"""Pictures of the triggers that attacks put on images, for docs/attacks.md.

    python -m bench.attacks.poisoning.pictures [FOLDER]

writes them anew. The scene is made by code. ISSBA has no picture: its encoder is trained on data.
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
from bench.triggers.pictures import png, scene

SHAPE = (3, 32, 32)  # of CIFAR-10
ZOOM = 4
LOUDER = 4  # a warp is shown this much amplified, around mid grey


def tried(attack: Attack) -> list[Tensor]:
    """The scene with each trigger of an attack, as a test sample of the last class."""
    classes = tuple("0123456789")
    one = Samples(scene(SHAPE)[None], torch.tensor([9]), "image", classes)
    return [attempt.x[0] for attempt in attack.attempts(one)]


def warped() -> list[Tensor]:
    """The scene bent, what that changed, and bent in noise mode."""
    attack, clean = WaNet(), scene(SHAPE)
    [bent] = tried(attack)
    change = LOUDER * (bent.int() - clean.int()) + 128
    shaken = attack.shake(clean[None], torch.Generator().manual_seed(0))[0]
    return [bent, change.clamp(0, 255).to(torch.uint8), shaken]


def kept_labels() -> list[Tensor]:
    """The pattern, a faint one in four corners, and a poisoned sample with another blended in."""
    clean = scene(SHAPE)
    both = torch.stack([clean, clean.flip(1)])
    poisoned = CleanLabel().stamp(blended(both, torch.tensor([[0, 1]]), CleanLabel().blend))[0]
    return [*tried(CleanLabel()), *tried(CleanLabel(amplitude=64, corners="four")), poisoned]


def documented() -> dict[str, bytes]:
    """The pictures of docs/attacks.md by file name: the scene, and what becomes of it."""
    shown = {
        "badnets": tried(BadNets()),
        "multi_trigger_multi_target": tried(MultiTriggerMultiTarget()),
        "multi_trigger_single_target": tried(MultiTriggerSingleTarget()),
        "wanet": warped(),
        "clean_label": kept_labels(),
    }
    return {f"{name}.png": png(in_a_row([scene(SHAPE), *found])) for name, found in shown.items()}


def in_a_row(images: list[Tensor]) -> Tensor:
    """Images side by side on white, each pixel a square: [3, H, W] uint8."""
    gap = torch.full((3, SHAPE[1], 2), 255, dtype=torch.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    row = torch.cat(parts, dim=2)
    return row.repeat_interleave(ZOOM, 1).repeat_interleave(ZOOM, 2)


def main(folder: Path) -> None:
    """Write the pictures of docs/attacks.md."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in documented().items():
        (folder / name).write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/attacks"))
