"""Samples as a person sees or hears them, with the attacker's triggers on them."""

from __future__ import annotations

import io
import math
import wave
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from PIL import Image

from bench.attacks.poisoning.contract import Samples
from bench.data.prepared import Array, Kind
from bench.data.sounds import FLOOR, LogMel, SoundDataSet
from bench.data.texts import PADDING_ID
from bench.tracks.session import PreparedTask

SHORTER_SIDE = 320  # pixels; small pictures are enlarged to about this size
SILENCE = float(np.log(FLOOR))
RANGE = 8 * float(np.log(10))  # 80 dB in natural logarithms of energy, the loudness of clear speech


@dataclass(frozen=True)
class SampleView:
    """One sample as the page shows it; fields that its kind does not need are empty.

    Attributes:
        kind: image, sound, text or table.
        picture: a PNG file: the image, or the spectrogram of a sound.
        sound: a .wav file.
        words: a text.
        pairs: names and values of the row of a table.
    """

    kind: Kind
    picture: bytes = b""
    sound: bytes = b""
    words: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


def published(prepared: PreparedTask) -> Samples:
    """The training samples, as stored, of a task whose session is open, with their triggers."""
    # Opening a session stamps the triggers into the arrays of the prepared task.
    part, meta, kind = prepared.parts["train"], prepared.meta, prepared.data.kind
    columns = tuple(meta.columns or ())
    return Samples(
        x=torch.from_numpy(part.x),
        y=torch.from_numpy(np.array(part.y)),
        kind=kind,
        classes=prepared.classes,
        words=columns if kind == "text" else (),
        columns=columns if kind != "text" else (),
        normalisation=meta.normalisation,
    )


def spectrum_of(prepared: PreparedTask) -> LogMel | None:
    """How a data set of sounds computes spectra; None for other kinds."""
    data = prepared.data
    return data.spectrum if isinstance(data, SoundDataSet) else None


def sample_view(samples: Samples, row: int, spectrum: LogMel | None = None) -> SampleView:
    """One of the samples as the page shows it.

    Args:
        samples: the samples as they are stored.
        row: row of the sample.
        spectrum: how spectra are computed, for sounds.
    """
    x = samples.x[row].numpy()
    if samples.kind == "image":
        return SampleView("image", picture=_enlarged(_channels_last(x)))
    if samples.kind == "sound":
        spectrum = cast("LogMel", spectrum)
        return SampleView("sound", picture=spectrogram(x, spectrum), sound=wav(x, spectrum.rate))
    if samples.kind == "text":
        return SampleView("text", words=text(x, samples.words))
    return SampleView("table", pairs=pairs(x, samples))


def wav(waveform: Array, rate: int) -> bytes:
    """[samples] int16 -> a mono .wav file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))  # one channel of 2 bytes a sample
        file.writeframes(waveform.astype("<i2").tobytes())
    return content.getvalue()


def spectrogram(waveform: Array, spectrum: LogMel) -> bytes:
    """[samples] int16 -> a PNG file: time to the right, low bands below, loud is dark."""
    energy = spectrum(waveform[None])[0][::-1]
    share = ((energy - SILENCE) / RANGE).clip(0, 1)
    return _enlarged(np.rint(255 * (1 - share)).astype(np.uint8))


def text(ids: Array, words: tuple[str, ...]) -> str:
    """Word ids, [length] int64 -> the text without the padding at its end."""
    used = np.flatnonzero(ids != PADDING_ID)
    last = used[-1] + 1 if len(used) else 0
    return " ".join(words[number] for number in ids[:last])


def pairs(values: Array, samples: Samples) -> tuple[tuple[str, str], ...]:
    """[features] float32 -> names and values in the table's own units.

    One-hot columns like `service=http` become one pair: the column and its category.
    """
    shown: list[tuple[str, str]] = []
    for name, value in zip(samples.columns, values.tolist(), strict=True):
        category, equals, chosen = name.partition("=")
        if name in samples.normalisation:
            mean, std = (samples.normalisation[name][part] for part in ("mean", "std"))
            shown.append((name, _number(value * std + mean, abs(mean))))
        elif equals and value in (0, 1):
            if value == 1:
                shown.append((category, chosen))
        else:
            shown.append((name, _number(value)))
    return tuple(shown)


def _number(value: float, mean: float = 0.0) -> str:
    """A value in four digits, without digits that standardising in float32 has lost."""
    lost = max(mean * float(np.finfo(np.float32).eps), 1e-9)
    value = round(value, math.floor(-math.log10(lost))) + 0.0  # turns -0 into 0
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _channels_last(x: Array) -> Array:
    """[C, H, W] uint8 -> [H, W] for a grey picture, else [H, W, 3]."""
    return x[0] if len(x) == 1 else np.moveaxis(x, 0, -1)


def _enlarged(pixels: Array) -> bytes:
    """A PNG file with each pixel as a square, because smoothing could hide a small trigger."""
    times = max(1, SHORTER_SIDE // min(pixels.shape[:2]))
    content = io.BytesIO()
    Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1)).save(content, "PNG")
    return content.getvalue()
