"""What may happen to an attacked image before a classifier sees it: 8 bits, JPEG, fewer bits."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.perception.images import LEVELS, eight_bit

QUALITIES = (90, 75, 60, 50, 40, 30)
"""Of JPEG, Pillow's scale; perceptual-DRO, Figure 3.5 (left), prints no values."""
BITS = (7, 6, 5, 4, 3, 2)
"""A channel; perceptual-DRO, Figure 3.5 (right)."""


def through_jpeg(x: Tensor, quality: int) -> Tensor:
    """Images after JPEG by Pillow, which subsamples colour 4:2:0.

    Args:
        x: [n, 1 or 3, H, W] in [0, 1]; rounded to 8 bits first.
        quality: 1 to 95, Pillow's scale.

    Returns:
        Of the same shape, on the same device.
    """
    pixels = (eight_bit(x) * LEVELS).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    back = [_jpeg(image, quality) for image in pixels]
    whole = torch.from_numpy(np.stack(back)).to(x.device, x.dtype) / LEVELS
    return whole.permute(0, 3, 1, 2).contiguous()


def fewer_bits(x: Tensor, bits: int) -> Tensor:
    """Every channel rounded to 2^bits levels from 0 to 1 (Xu et al. 2018, section III.A)."""
    levels = 2**bits - 1
    return (x.clamp(0, 1) * levels).round() / levels


def _jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """[H, W, C] uint8 -> the same, compressed and read again."""
    file = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(pixels[:, :, 0] if grey else pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        read = np.asarray(opened)
    return read[:, :, None] if grey else read
