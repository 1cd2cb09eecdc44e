"""A few attacked images for the page: before, after, what changed, and where attention went."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import torch
from torch import Tensor

from bench.result import ResultPicture
from bench.tracks.imperceptibility.judge import Attacked
from bench.triggers.pictures import png

ROOM = 100_000
"""Bytes that the pictures of a trial may take together."""
TILES = (96, 80, 64, 48)
"""Sides of a picture's parts in pixels, of which the largest that fits is taken."""
LARGE = 64
"""Side from which images are shown in part, and fewer of them."""
GAP = 2


def strips(attacked: Attacked, predicted: Tensor, classes: Sequence[str]) -> list[ResultPicture]:
    """Pictures of the first images, attacked successfully or not: the same for every method.

    `predicted` holds the classes that the classifier gives to the attacked images, [n].
    """
    count = min(len(predicted), 2 if min(attacked.x.shape[-2:]) > LARGE else 4)
    pictures: list[ResultPicture] = []
    for side in TILES:
        pictures = [
            _strip(attacked, row, side, int(predicted[row]), classes) for row in range(count)
        ]
        if sum(len(picture.png) for picture in pictures) <= ROOM:
            break
    return pictures


def _strip(
    attacked: Attacked, row: int, side: int, predicted: int, classes: Sequence[str]
) -> ResultPicture:
    x, adversarial = attacked.x[row], attacked.adversarial[row]
    change = adversarial - x
    factor = magnification(change)
    seen = [x, adversarial, 0.5 + factor * change]
    height, width = x.shape[1:]
    shown = "" if min(height, width) <= LARGE else f"; the central {side} × {side} pixels of each"
    parts = [_central(part, side) if shown else _enlarged(part, side) for part in seen]
    parts += [_scaled(maps[row], side) for maps in (attacked.before, attacked.after)]
    true = int(attacked.y[row])
    verdict = "still seen as" if predicted == true else "now seen as"
    return ResultPicture(
        png=_png(parts),
        caption=(
            f"{classes[true]}, {verdict} {classes[predicted]}: original, attacked, difference × "
            f"{factor}{shown}; saliency before and after"
        ),
    )


def magnification(change: Tensor) -> int:
    """The largest whole factor by which a difference stays within half of the range of pixels."""
    largest = float(change.abs().max())
    return max(1, int(0.5 / largest)) if largest > 0 else 1


def _central(part: Tensor, side: int) -> Tensor:
    """Pixels as they are: scaling would blur what an attack does."""
    top, left = ((length - side) // 2 for length in part.shape[1:])
    return part[:, max(top, 0) :, max(left, 0) :][:, :side, :side]


def _enlarged(part: Tensor, side: int) -> Tensor:
    """Every pixel as a square."""
    times = max(1, side // max(part.shape[1:]))
    return part.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)


def _scaled(part: Tensor, side: int) -> Tensor:
    """The whole map in the height of the other parts."""
    if max(part.shape[1:]) <= LARGE:
        return _enlarged(part, side)
    scaled: Tensor = torch.nn.functional.interpolate(
        part[None], (side, side), mode="bilinear", antialias=True, align_corners=False
    )[0]
    return scaled


def _png(parts: Sequence[Tensor]) -> str:
    """Parts side by side on white, base64."""
    height = max(part.shape[1] for part in parts)
    width = sum(part.shape[2] + GAP for part in parts) - GAP
    canvas = torch.full((3, height, width), 255, dtype=torch.uint8)
    left = 0
    for part in parts:
        pixels = (part.clamp(0, 1).expand(3, -1, -1) * 255).round().byte()
        canvas[:, : part.shape[1], left : left + part.shape[2]] = pixels
        left += part.shape[2] + GAP
    return base64.b64encode(png(canvas)).decode()
