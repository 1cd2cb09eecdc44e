"""Coloured squares in the corners of images, the trigger of several attacks."""

from __future__ import annotations

from torch import Tensor

from bench.errors import Skip
from bench.triggers.shapes import ColourSquare, Corner

Colour = tuple[int, int, int]
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
NAMES = {WHITE: "white", BLACK: "black", GREY: "grey"}
CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")
LOWER_RIGHT: Corner = "bottom-right"  # LABOR section 4.2.1
UNCHANGED = 0.5  # largest share of images that a trigger may leave unchanged


def stamped(x: Tensor, size: int, colour: Colour = WHITE, corner: Corner = LOWER_RIGHT) -> Tensor:
    """Images with a square in a corner, [n, 3, H, W] uint8.

    Raises:
        Skip: the images are not in colour, the square does not fit on them, or most of them have
            its colour in the corner already, so that there is no trigger to learn.
    """
    if x.dim() != 4 or x.shape[1] != 3:
        raise Skip("colour squares are stamped on images of three channels, and these are none")
    if size > min(x.shape[2:]):
        raise Skip(f"a square of {size} pixels does not fit on {x.shape[2]} x {x.shape[3]}")
    square = ColourSquare(size, colour, corner)
    images = square.stamp(x)
    area = (slice(None), slice(None), *square.area(*x.shape[2:]))
    unchanged = (images[area] == x[area]).flatten(1).all(dim=1).double()
    if len(x) and float(unchanged.mean()) > UNCHANGED:
        raise Skip(
            f"a {NAMES.get(colour, 'coloured')} square at the {corner} changes nothing on "
            f"{unchanged.mean():.0%} of these images: they have that colour there already"
        )
    return images
