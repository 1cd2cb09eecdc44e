"""Pictures of triggers, and those that docs/triggers.md shows."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.triggers.choice import SquarePair, TriggerKind, picture_of, png, trigger_pair
from bench.triggers.pictures import DOCUMENTED, documented, scene, write

DOCS = Path(__file__).resolve().parents[2] / "docs"


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        return np.array(image.convert("RGB"))


def test_a_png_keeps_every_pixel() -> None:
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    assert np.array_equal(pixels(png(image)), image.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4).byte()])
def test_only_rgb_images_of_uint8_become_pngs(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="not an RGB image"):
        png(wrong)


def test_a_picture_shows_clean_zero_and_one_side_by_side() -> None:
    pair = SquarePair(4)
    shown = pixels(picture_of(pair, (3, 24, 32)))
    clean = scene((3, 24, 32))
    both = pair.stamp(clean.expand(2, -1, -1, -1), torch.tensor([0, 1]))
    assert shown.shape == (24, 3 * 32 + 2 * 2, 3)
    for left, image in zip((0, 34, 68), (clean, *both), strict=True):
        assert np.array_equal(shown[:, left : left + 32], image.permute(1, 2, 0).numpy())
    assert (shown[:, 32:34] == 255).all()


def test_zoom_shows_every_pixel_as_a_square() -> None:
    pair = SquarePair(1)
    small, large = (pixels(picture_of(pair, (3, 16, 16), zoom)) for zoom in (1, 3))
    assert np.array_equal(large, small.repeat(3, axis=0).repeat(3, axis=1))


def test_a_table_has_no_picture() -> None:
    with pytest.raises(ValueError, match="RGB images"):
        picture_of(trigger_pair((5,), 25), (5,))


@pytest.mark.parametrize("kind", ["squares", "mosaic", "shadow", "sinusoid"])
def test_the_documents_show_what_a_suite_of_128_pixels_gets(kind: TriggerKind) -> None:
    assert trigger_pair((3, 128, 128), 25, kind) in DOCUMENTED.values()


def test_the_pictures_of_the_documents_are_those_that_the_code_makes() -> None:
    made = documented()
    kept = {path.name: path.read_bytes() for path in (DOCS / "triggers").glob("*.png")}
    assert set(kept) == set(made), "python -m bench.triggers.pictures makes them anew"
    for name, picture in made.items():
        assert np.array_equal(pixels(kept[name]), pixels(picture)), name


def test_the_page_shows_every_picture() -> None:
    page = (DOCS / "triggers.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(triggers/(\w+)\.png\)", page)) == set(DOCUMENTED)


def test_the_pictures_are_written_where_asked(tmp_path: Path) -> None:
    write(documented(), tmp_path / "new")
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(DOCUMENTED)
