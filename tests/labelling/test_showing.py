"""Samples as people see and hear them."""

from __future__ import annotations

import io
import wave
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.labelling.server import KEYS, choices, typed_class
from bench.labelling.showing import pairs, sample_view, spectrogram, text, wav
from tests.labelling.label_examples import SPECTRUM, make_samples


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_picture_is_enlarged_and_each_pixel_stays_a_square() -> None:
    samples = make_samples("image")
    found = pixels(sample_view(samples, 5).picture)
    assert found.shape == (320, 320, 3)
    assert (found[::40, ::40] == samples.x[5].permute(1, 2, 0).numpy()).all()
    assert (found[:40, :40] == found[0, 0]).all()


def test_grey_and_large_pictures_are_shown_as_well() -> None:
    samples = make_samples("image")
    grey = sample_view(type(samples)(samples.x[:, :1], samples.y, "image", ()), 0)
    assert pixels(grey.picture).shape == (320, 320)
    large = samples.x[:1].repeat_interleave(50, 2).repeat_interleave(50, 3)
    whole = sample_view(type(samples)(large, samples.y, "image", ()), 0)
    assert pixels(whole.picture).shape == (400, 400, 3)


def test_a_sound_is_what_was_recorded() -> None:
    waveform = np.array([0, 1, -2, 32767, -32768], np.int16)
    with wave.open(io.BytesIO(wav(waveform, 8000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert (np.frombuffer(file.readframes(9), "<i2") == waveform).all()


def test_a_spectrogram_has_low_tones_below_and_loud_ones_dark() -> None:
    low = (8000 * np.sin(np.arange(8000) / 8000 * 2 * np.pi * 200)).astype(np.int16)
    low[:4000] = 0
    found = pixels(spectrogram(low, SPECTRUM)).astype(int)
    middle, width = found.shape[0] // 2, found.shape[1]
    assert found[:, : width // 3].min() == 255  # silence
    loud = found[:, 2 * width // 3 : width - 20]
    assert loud[middle:].min() < 40
    assert loud[middle:].mean() < loud[:middle].mean()


def test_a_text_is_its_words_without_the_padding() -> None:
    words = ("<padding>", "<unknown>", "good", "film")
    assert text(np.array([2, 1, 3, 0, 0]), words) == "good <unknown> film"
    assert text(np.array([0, 0]), words) == ""


def test_a_row_has_the_tables_own_units_and_one_pair_a_category() -> None:
    samples = make_samples("table")
    assert pairs(samples.x[0].numpy(), samples) == (
        ("bytes", "232"), ("rate", "0.75"), ("flag", "SF"), ("land", "0"),
    )  # fmt: skip
    assert sample_view(samples, 0).pairs == pairs(samples.x[0].numpy(), samples)


@pytest.mark.parametrize("true", [0.0, 1.0, 232.0, 5_134_218.0])
def test_a_number_comes_back_as_it_was_before_it_was_standardised(true: float) -> None:
    mean, std = 45566.743, 5870331.2  # bytes of a connection, NSL-KDD
    samples = make_samples("table")
    scaled = np.array([(true - mean) / std], np.float32)
    one = replace(samples, columns=("bytes",), normalisation={"bytes": {"mean": mean, "std": std}})
    assert pairs(scaled, one) == (("bytes", f"{true:,.0f}"),)


@pytest.mark.parametrize(
    ("classes", "keys"),
    [
        (["normal", "dos", "probe"], ["1", "2", "3"]),
        (list("0123456789"), list("0123456789")),
        (["A", "b"], ["a", "b"]),
        (["a", "A"], ["1", "2"]),  # would be one key
        (["u", "v"], ["1", "2"]),  # U is unsure
        ([f"class {i}" for i in range(12)], [*"1234567890ab"]),
    ],
)
def test_each_class_has_a_key(classes: list[str], keys: list[str]) -> None:
    assert [choice.key for choice in choices(classes)] == keys


def test_classes_beyond_the_keys_are_typed() -> None:
    many = [f"class {i}" for i in range(200)]
    found = [choice.key for choice in choices(many)]
    assert found[: len(KEYS)] == list(KEYS)
    assert set(found[len(KEYS) :]) == {""}
    assert typed_class(" CLASS 150 ", many) == "class 150"
    assert typed_class("Unsure", many) == "unsure"
    assert typed_class("class", many) is None
