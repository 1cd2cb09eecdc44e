"""What a suite may ask of an imperceptibility task besides the data set's own options."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from bench.tracks.options import EarlierOptions


class ImperceptibilityOptions(EarlierOptions):
    """How many images are attacked."""

    of_judge: ClassVar[frozenset[str]] = frozenset({"images"})

    images: int = Field(0, ge=0)
    """Attack the first so many test images that are classified right; 0: all of them."""
