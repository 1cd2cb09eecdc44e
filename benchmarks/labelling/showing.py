"""Samples as a person sees or hears them, made from what the attacker published."""

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
from bench.data.kinds import Kind
from bench.data.prepared import Array
from bench.data.sounds import FLOOR, LogMel, SoundDataSet
from bench.data.texts import PADDING_ID
from bench.tracks.session import PreparedTask

SHORTER_SIDE = 320  # pixels; small pictures are enlarged to about this
SILENCE = float(np.log(FLOOR))
RANGE = 8 * float(np.log(10))  # 80 dB in natural logarithms of energy: a clear voice is on top


@dataclass(frozen=True)
class Shown:
    """One sample; what its kind does not have is empty.

    Attributes:
        kind: image, sound, text or table.
        picture: a PNG: the image, or the spectrogram of a sound.
        sound: a .wav file.
        words: a text.
        pairs: names and values of a table's row.
    """

    kind: Kind
    picture: bytes = b""
    sound: bytes = b""
    words: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


def published(prepared: PreparedTask) -> Samples:
    """The training samples of a task whose session is open: triggers are on, as stored."""
    # Opening a session stamps the triggers into the very arrays of the question.
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
    """How a data set of sounds computes spectra."""
    data = prepared.data
    return data.spectrum if isinstance(data, SoundDataSet) else None


def shown(samples: Samples, row: int, spectrum: LogMel | None = None) -> Shown:
    """One of the samples.

    Args:
        samples: as they are stored.
        row: which one.
        spectrum: of sounds.
    """
    x = samples.x[row].numpy()
    if samples.kind == "image":
        return Shown("image", picture=_enlarged(_channels_last(x)))
    if samples.kind == "sound":
        spectrum = cast("LogMel", spectrum)
        return Shown("sound", picture=spectrogram(x, spectrum), sound=wav(x, spectrum.rate))
    if samples.kind == "text":
        return Shown("text", words=text(x, samples.words))
    return Shown("table", pairs=pairs(x, samples))


def wav(waveform: Array, rate: int) -> bytes:
    """[samples] int16 -> a .wav file, mono."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(waveform.astype("<i2").tobytes())
    return target.getvalue()


def spectrogram(waveform: Array, spectrum: LogMel) -> bytes:
    """[samples] int16 -> a PNG: time to the right, low bands below, what is loud is dark."""
    energy = spectrum(waveform[None])[0][::-1]
    share = ((energy - SILENCE) / RANGE).clip(0, 1)
    return _enlarged(np.rint(255 * (1 - share)).astype(np.uint8))


def text(ids: Array, words: tuple[str, ...]) -> str:
    """[length] int64 -> its words, without the padding at the end."""
    used = np.flatnonzero(ids != PADDING_ID)
    last = used[-1] + 1 if len(used) else 0
    return " ".join(words[number] for number in ids[:last])


def pairs(values: Array, samples: Samples) -> tuple[tuple[str, str], ...]:
    """[features] float32 -> names and values in the table's own units.

    Of columns like `service=http`, which are 1 in the row of that service, one pair is left.
    """
    found: list[tuple[str, str]] = []
    for name, value in zip(samples.columns, values.tolist(), strict=True):
        category, equals, chosen = name.partition("=")
        if name in samples.normalisation:
            mean, std = (samples.normalisation[name][part] for part in ("mean", "std"))
            found.append((name, _number(value * std + mean, abs(mean))))
        elif equals and value in (0, 1):
            if value == 1:
                found.append((category, chosen))
        else:
            found.append((name, _number(value)))
    return tuple(found)


def _number(value: float, mean: float = 0.0) -> str:
    """Four digits, but none beyond what float32 kept where the mean was taken out."""
    lost = max(mean * float(np.finfo(np.float32).eps), 1e-9)
    value = round(value, math.floor(-math.log10(lost))) + 0.0  # no -0
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _channels_last(x: Array) -> Array:
    """[C, H, W] uint8 -> [H, W] grey or [H, W, 3]."""
    return x[0] if len(x) == 1 else np.moveaxis(x, 0, -1)


def _enlarged(pixels: Array) -> bytes:
    """A PNG, every pixel a square: smoothing would hide a trigger of one pixel."""
    times = max(1, SHORTER_SIDE // min(pixels.shape[:2]))
    target = io.BytesIO()
    Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1)).save(target, "PNG")
    return target.getvalue()
