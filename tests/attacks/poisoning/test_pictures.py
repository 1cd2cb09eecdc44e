"""What docs/attacks.md shows and says."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from bench.attacks.poisoning.contract import attacks
from bench.attacks.poisoning.pictures import documented, write

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "attacks.md").read_text(encoding="utf-8")


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        return np.array(image.convert("RGB")).astype(int)


def test_the_pictures_of_the_page_are_those_that_the_code_makes() -> None:
    made = documented()
    kept = {path.name: path.read_bytes() for path in (DOCS / "attacks").glob("*.png")}
    assert set(kept) == set(made), "python -m bench.attacks.poisoning.pictures makes them anew"
    for name, picture in made.items():
        # Warps are computed in floats: another machine may round a pixel to its neighbour, which
        # the amplified picture shows fourfold.
        allowed = 4 if name == "wanet.png" else 0
        assert np.abs(pixels(kept[name]) - pixels(picture)).max() <= allowed, name


def test_the_page_shows_every_picture() -> None:
    assert {f"{name}.png" for name in re.findall(r"\(attacks/(\w+)\.png\)", PAGE)} == set(
        documented()
    )


def test_the_page_describes_every_attack_and_every_field() -> None:
    sections = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
    for name, cls in attacks().items():
        for field in dataclasses.fields(cls):
            assert f"`{field.name}`" in sections[name], f"docs/attacks.md: {name}.{field.name}"


def test_the_pictures_are_written_where_asked(tmp_path: Path) -> None:
    write(documented(), tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(documented())
