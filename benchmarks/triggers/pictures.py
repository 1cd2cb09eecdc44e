"""Pictures of triggers on a synthetic scene, for the pages and for docs/triggers.md.

This command writes the pictures of docs/triggers.md again:

    python -m bench.triggers.pictures [FOLDER]
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from bench.ending import conclude
from bench.triggers.shapes import MosaicPair, ShadowPair, SinusoidPair, SquarePair, TriggerPair

SHAPE = (3, 128, 128)  # the images of most suites
DOCUMENTED: dict[str, TriggerPair] = {
    "squares_25": SquarePair(25),
    "squares_10": SquarePair(10),
    "squares_3": SquarePair(3),
    "squares_1": SquarePair(1),
    "mosaic": MosaicPair(64, 8),
    "shadow": ShadowPair(),
    "sinusoid": SinusoidPair(),
}
"""File name in docs/triggers -> the pair that it shows."""

# Discs of the scene: row, column and radius in 120ths of the shorter side, and RGB colour.
DISCS = (
    ((50, 62, 34), (214, 170, 120)),
    ((22, 22, 14), (96, 132, 84)),
    ((26, 100, 9), (238, 214, 120)),
    ((96, 92, 20), (150, 92, 96)),
    ((100, 24, 8), (84, 96, 150)),
    ((44, 52, 13), (92, 124, 150)),
    ((68, 74, 8), (70, 60, 66)),
    ((84, 102, 6), (232, 226, 210)),
)


def scene(shape: tuple[int, int, int]) -> Tensor:
    """A synthetic picture of gradients and discs, [3, H, W] uint8, not taken from any data set."""
    _, height, width = shape
    i, j = torch.arange(height)[:, None], torch.arange(width)[None, :]
    down, across = 256 * i // height, 256 * j // width
    grounds = (70 + (down + across) // 6, 90 + down // 4 + 0 * across, 160 - across // 4 + 0 * down)
    picture = torch.stack([ground.expand(height, width) for ground in grounds])
    shorter = min(height, width)
    for (row, column, radius), colour in DISCS:
        # Distances are in 120ths of the shorter side times that side, so that they are integers.
        distance = (120 * i - row * height).square() + (120 * j - column * width).square()
        inside = distance <= (radius * shorter) ** 2
        picture = torch.where(inside, torch.tensor(colour)[:, None, None], picture)
    return picture.to(torch.uint8)


def png(image: Tensor) -> bytes:
    """The PNG file of an image, [3, H, W] uint8. Raises ValueError for any other tensor."""
    if image.dtype != torch.uint8 or image.dim() != 3 or image.shape[0] != 3:
        raise ValueError(f"not an RGB image of uint8: {tuple(image.shape)} {image.dtype}")
    file = io.BytesIO()
    pixels = image.permute(1, 2, 0).contiguous().cpu().numpy()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def picture_of(pair: TriggerPair, shape: tuple[int, ...], zoom: int = 1) -> bytes:
    """A PNG of the scene without a trigger, with T_A0 and with T_A1, side by side on white.

    Args:
        pair: triggers for images.
        shape: (3, H, W) of the scene.
        zoom: side in pixels of the square that shows one pixel of the scene.

    Raises:
        ValueError: the shape is not that of an RGB image.
    """
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"pictures show triggers on RGB images, not on {shape}")
    clean = scene((3, *shape[1:]))
    with_triggers = pair.stamp(torch.stack([clean, clean]), torch.tensor([0, 1]))
    return png(in_a_row([clean, *with_triggers], zoom))


def in_a_row(images: Sequence[Tensor], zoom: int) -> Tensor:
    """Images, [3, H, W] uint8, side by side on white, every pixel a square of `zoom` pixels."""
    _, height, width = images[0].shape
    gap = torch.full((3, height, max(1, width // 16)), 255, dtype=torch.uint8)
    row = torch.cat([part for image in images for part in (image, gap)][:-1], dim=2)
    return row.repeat_interleave(zoom, 1).repeat_interleave(zoom, 2)


def documented() -> dict[str, bytes]:
    """The pictures of docs/triggers.md by file name."""
    return {f"{name}.png": picture_of(pair, SHAPE, zoom=2) for name, pair in DOCUMENTED.items()}


def write(pictures: dict[str, bytes], folder: Path) -> None:
    """Write pictures, by file name, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/triggers")
    conclude(lambda: write(documented(), folder))
