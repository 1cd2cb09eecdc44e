"""Squares in corners, as several attacks stamp them."""

from __future__ import annotations

from torch import Tensor

from bench.errors import Skip
from bench.triggers.shapes import ColourSquare, Corner

Colour = tuple[int, int, int]
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
NAMES = {WHITE: "white", BLACK: "black", GREY: "grey"}
CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")
WHERE: Corner = "bottom-right"  # LABOR section 4.2.1: the lower right corner
UNSEEN = 0.5  # share of images that a trigger may leave as they are


def stamped(x: Tensor, size: int, colour: Colour = WHITE, corner: Corner = WHERE) -> Tensor:
    """Images with a square in a corner, [n, 3, H, W] uint8.

    Raises:
        Skip: these are no colour images, the square does not fit on them, or most of them have
            that colour there already, so that the trigger could teach nothing but wrong labels.
    """
    if x.dim() != 4 or x.shape[1] != 3:
        raise Skip("colour squares are stamped on images of three channels, and these are none")
    if size > min(x.shape[2:]):
        raise Skip(f"a square of {size} pixels does not fit on {x.shape[2]} x {x.shape[3]}")
    square = ColourSquare(size, colour, corner)
    after = square.stamp(x)
    area = (slice(None), slice(None), *square.area(*x.shape[2:]))
    same = (after[area] == x[area]).flatten(1).all(dim=1).double()
    if len(x) and float(same.mean()) > UNSEEN:
        raise Skip(
            f"a {NAMES.get(colour, 'coloured')} square at the {corner} changes nothing on "
            f"{same.mean():.0%} of these images: they have that colour there already"
        )
    return after
