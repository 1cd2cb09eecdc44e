"""CIEDE2000, the perceptual difference of two colours, differentiable everywhere.

Sharma, Wu & Dalal (2005), "The CIEDE2000 color-difference formula", equations 2 to 22. The plain
formulas have no derivative at grey pixels and equal colours; roots and angles are rewritten here
so that they have one.
"""

from __future__ import annotations

import torch
from torch import Tensor

TO_XYZ = (  # linear sRGB to CIE XYZ under D65, IEC 61966-2-1
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
"""The white point D65 in XYZ."""
TINY = 1e-12  # added under square roots


def lab(rgb: Tensor) -> Tensor:
    """Images of sRGB in [0, 1], [n, 3, H, W] -> CIE L*, a*, b*, [n, 3, H, W]."""
    curved = ((rgb + 0.055) / 1.055).clamp_min(TINY) ** 2.4
    linear = torch.where(rgb > 0.04045, curved, rgb / 12.92)
    xyz = torch.einsum("ij,njhw->nihw", rgb.new_tensor(TO_XYZ), linear)
    ratio = xyz / rgb.new_tensor(WHITE)[:, None, None]
    delta = 6 / 29
    f = torch.where(
        ratio > delta**3, ratio.clamp_min(delta**3) ** (1 / 3), ratio / (3 * delta**2) + 4 / 29
    )
    x, y, z = f.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def squared_difference(lab1: Tensor, lab2: Tensor) -> Tensor:
    """(Delta E_00)^2 of each pixel, [n, ...]; Delta E_00 itself has no derivative at 0.

    Args:
        lab1: L*, a*, b* in the second dimension, [n, 3, ...].
        lab2: the colours to compare with, [n, 3, ...].
    """
    (l1, a1, b1), (l2, a2, b2) = lab1.unbind(dim=1), lab2.unbind(dim=1)
    mean_chroma = (_chroma(a1, b1) + _chroma(a2, b2)) / 2
    stretch = 1.5 - 0.5 * _seventh(mean_chroma)  # 1 + G, equations 4 and 5
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = _chroma(a1, b1), _chroma(a2, b2)
    chroma, lightness = (c1 + c2) / 2, (l1 + l2) / 2
    hue = _mean_hue(a1, b1, a2, b2, c1 * c2)
    t = (
        1
        - 0.17 * torch.cos(hue - _radians(30))
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + _radians(6))
        - 0.20 * torch.cos(4 * hue - _radians(63))
    )
    from_middle = (lightness - 50) ** 2
    by_l = (l2 - l1) / (1 + 0.015 * from_middle / (20 + from_middle).sqrt())
    by_c = (c2 - c1) / (1 + 0.045 * chroma)
    by_h = _hue_difference(a1, b1, a2, b2, c1, c2) / (1 + 0.015 * chroma * t)
    delta_theta = _radians(30) * torch.exp(-(((hue - _radians(275)) / _radians(25)) ** 2))
    rotation = -torch.sin(2 * delta_theta) * 2 * _seventh(chroma)
    return by_l**2 + by_c**2 + by_h**2 + rotation * by_c * by_h


def distances(lab1: Tensor, lab2: Tensor) -> Tensor:
    """Euclidean norm over all pixels of the colour differences of images in Lab, [n].

    Zhao et al. (2020), equation 5. The gradient is 0 for equal images.
    """
    total = squared_difference(lab1, lab2).flatten(1).sum(dim=1)
    return torch.where(total > 0, total.clamp_min(TINY).sqrt(), 0)


def _radians(degrees: float) -> float:
    return degrees * torch.pi / 180


def _chroma(a: Tensor, b: Tensor) -> Tensor:
    return (a**2 + b**2 + TINY).sqrt()


def _seventh(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), rewritten because the plain form underflows for greys."""
    ratio = chroma / 25
    return ratio**3.5 / (1 + ratio**7).sqrt()


def _hue(a: Tensor, b: Tensor) -> Tensor:
    """The hue angle in [0, 2 pi); 0 for a grey."""
    grey = (a == 0) & (b == 0)
    angle = torch.atan2(torch.where(grey, 0, b), torch.where(grey, 1, a))
    return torch.where(angle < 0, angle + 2 * torch.pi, angle)


def _mean_hue(a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor, chromas: Tensor) -> Tensor:
    """Equation 14: the middle of the shorter arc, or the only hue if one of the two is grey."""
    h1, h2 = _hue(a1, b1), _hue(a2, b2)
    total, far = h1 + h2, (h1 - h2).abs() > torch.pi
    wrapped = torch.where(total < 2 * torch.pi, total + 2 * torch.pi, total - 2 * torch.pi)
    # The chroma of a grey is the root of TINY and never 0.
    coloured = chromas > 2 * TINY**0.5 * torch.maximum(_chroma(a1, b1), _chroma(a2, b2))
    return torch.where(coloured, torch.where(far, wrapped, total) / 2, total)


def _hue_difference(
    a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor, c1: Tensor, c2: Tensor
) -> Tensor:
    """2 sqrt(C1 C2) sin(h / 2), equation 11, without the angle h, so exact for close colours."""
    both = c1 * c2
    cosine = ((both + a1 * a2 + b1 * b2) / 2).clamp_min(0)  # C1 C2 cos^2(h / 2)
    opposite = cosine <= 1e-7 * both
    across = (a1 * (b2 - b1) - b1 * (a2 - a1)) / torch.where(opposite, 1, cosine).sqrt()
    return torch.where(opposite, 2 * both.sqrt(), across)
