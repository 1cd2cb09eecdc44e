"""Sounds: .wav files become waveforms, and these the log-mel spectra that networks see."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly
from torch import Tensor

from bench.data.archives import Archive
from bench.data.prepared import SPLITS, Array, DecodedFiles, Meta, leaks, rows_of
from bench.data.raw import Faults
from bench.data.splitting import PartialDataSet
from bench.disk.files import new_map
from bench.errors import DataError

CHUNK = 256  # waveforms whose spectra are computed at once
FULL_SCALE = 2**15  # of 16-bit samples
MOST_VALUES = 2**25  # of one recording: half an hour at 16,000 Hz
RATES = range(1_000, 384_001)  # Hz; others stand in damaged headers
KINDS = {
    "PCM_U8": "8 bits", "PCM_S8": "8 bits", "PCM_24": "24 bits", "PCM_32": "32 bits",
    "FLOAT": "floating point", "DOUBLE": "floating point",
}  # fmt: skip
FLOOR = 1e-6  # energy, just above that of rounding to 16 bits in a band


@dataclass(frozen=True)
class LogMel:
    """Log energy in bands of equal width on the mel scale, in windows of 25 ms every 10 ms.

    The bands are triangles on HTK's mel scale, mel(f) = 2595 log10(1 + f / 700), from 0 Hz to half
    the sampling rate, each with height 1 where its neighbours end. Windows are Hann windows,
    centred, with silence before and after the sound. Samples are scaled to [-1, 1]; the natural
    logarithm is taken of energies of at least FLOOR.

    Attributes:
        rate: samples a second.
        bands: number of bands; 40, and both times above, are usual for spoken words.
    """

    rate: int
    bands: int = 40

    @property
    def window(self) -> int:
        """Samples in 25 ms."""
        return self.rate // 40

    @property
    def hop(self) -> int:
        """Samples in 10 ms."""
        return self.rate // 100

    @property
    def fft(self) -> int:
        """Points of the Fourier transform: the least power of two that holds a window."""
        return 2 ** (self.window - 1).bit_length()

    def frames(self, samples: int) -> int:
        """Number of windows in a waveform of so many samples."""
        return 1 + samples // self.hop

    def filters(self) -> Tensor:
        """Weight of each frequency in each band, [bands, fft // 2 + 1]."""
        top = 2595 * np.log10(1 + self.rate / 2 / 700)
        edges = 700 * (10 ** (np.linspace(0, top, self.bands + 2) / 2595) - 1)
        frequencies = np.linspace(0, self.rate / 2, self.fft // 2 + 1)
        low, centre, high = (edges[i : i + self.bands, None] for i in range(3))
        rising = (frequencies - low) / (centre - low)
        falling = (high - frequencies) / (high - centre)
        return torch.from_numpy(np.minimum(rising, falling).clip(0)).float()

    def __call__(self, waveforms: Array) -> Array:
        """[n, samples] int16 -> [n, bands, frames] float32."""
        filters, window = self.filters(), torch.hann_window(self.window)
        spectra = np.empty(
            (len(waveforms), self.bands, self.frames(waveforms.shape[1])), np.float32
        )
        for start in range(0, len(waveforms), CHUNK):
            chunk = torch.from_numpy(np.array(waveforms[start : start + CHUNK])).float()
            transform = torch.stft(
                chunk / FULL_SCALE, self.fft, self.hop, self.window, window,
                center=True, pad_mode="constant", return_complex=True,
            )  # fmt: skip
            energy = filters @ transform.abs().square()
            spectra[start : start + CHUNK] = energy.clamp(min=FLOOR).log().numpy()
        return spectra

    def normalisation(self, waveforms: Array) -> dict[str, dict[str, float]]:
        """Mean and standard deviation of each band over all windows of all waveforms."""
        total, squares, count = np.zeros(self.bands), np.zeros(self.bands), 0
        for start in range(0, len(waveforms), CHUNK):
            spectra = self(waveforms[start : start + CHUNK]).astype(float)
            total += spectra.sum((0, 2))
            squares += np.square(spectra).sum((0, 2))
            count += spectra.shape[0] * spectra.shape[2]
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return {
            _band(i): {"mean": float(mean[i]), "std": float(std[i]) or 1.0}
            for i in range(self.bands)
        }


class SoundDataSet(PartialDataSet):
    """Waveforms, [samples] int16; networks see their log-mel spectra, [bands, frames] float32.

    Attributes:
        spectrum: how spectra are computed.
    """

    kind = "sound"
    spectrum: ClassVar[LogMel]

    def features(self, x: Array, meta: Meta) -> Array:
        """[n, samples] int16 -> [n, bands, frames] float32, standardised by train's bands."""
        spectra = self.spectrum(x)
        bands = [meta.normalisation[_band(i)] for i in range(self.spectrum.bands)]
        mean, std = (np.array([band[part] for band in bands]) for part in ("mean", "std"))
        spectra -= mean[:, None].astype(np.float32)
        spectra /= std[:, None].astype(np.float32)
        return spectra

    def feature_shape(self, meta: Meta) -> tuple[int, ...]:
        """Shape of one spectrum: (bands, frames)."""
        return self.spectrum.bands, self.spectrum.frames(meta.shape[0])


@dataclass(frozen=True)
class Recordings(DecodedFiles):
    """Waveforms read from .wav files, [kept, samples] int16 by split; `notes` are for the page."""

    notes: list[str]


def read_recordings(
    archive: Archive, where: Mapping[str, Sequence[str]], rate: int, samples: int, work: Path
) -> Recordings:
    """Read waveforms of one length: shorter recordings are padded with silence, longer ones cut.

    A recording of another form or rate is converted, see `read_sound`, and counted in a note; one
    that stands in several splits fills a row of each.

    Args:
        archive: the recordings' files.
        where: split -> names of its recordings, in the order of the rows.
        rate: samples a second of the waveforms.
        samples: length of the waveforms.
        work: folder for the memory maps of the result.

    Raises:
        DataError: too many recordings are damaged, or a split has none.
    """
    work.mkdir(parents=True, exist_ok=True)
    if empty := [split for split in SPLITS if not where[split]]:
        raise DataError(f"{archive.path}: has no recordings for {' and '.join(empty)}.")
    rows = rows_of({split: where[split] for split in SPLITS})
    x = {
        split: new_map(work / f"{split}.npy", np.int16, (len(where[split]), samples))
        for split in SPLITS
    }
    kept = {split: np.zeros(len(where[split]), bool) for split in SPLITS}
    faults, cut, treated = Faults(archive.path, "recordings"), 0, Counter[str]()
    for name, content in archive.each(rows):
        try:
            waveform, treatments = read_sound(content, rate)
        except ValueError as error:
            faults.add(name, str(error))
            continue
        cut += len(waveform) > samples
        treated.update(treatments)
        for split, row in rows[name]:
            x[split][row, : min(len(waveform), samples)] = waveform[:samples]
            kept[split][row] = True
    faults.refuse_many(len(rows))
    notes = [*faults.notes(), *leaks(where, "recordings")]
    notes += [f"{count:,} recordings {what}." for what, count in sorted(treated.items())]
    if cut:
        notes.append(
            f"{cut:,} of {len(rows):,} recordings are longer than {samples / rate:g} s and are "
            "cut there."
        )
    whole = {split: x[split] if kept[split].all() else x[split][kept[split]] for split in SPLITS}
    return Recordings(whole, kept, notes)


def read_sound(content: bytes, rate: int) -> tuple[Array, set[str]]:
    """Read a sound file as 16-bit mono, [samples] int16, and say what was done to it.

    WAVE in any of its forms (PCM of 8 to 32 bits, floating point, the extensible header), FLAC and
    what else libsndfile knows. Channels are averaged; other rates are resampled by a polyphase
    filter, which lets nothing of above half the new rate through.

    Raises:
        ValueError: the file is none, cut short, empty or without a finite number; the message says
            which.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            channels, own_rate, kind = file.channels, file.samplerate, file.subtype
            exact = channels == 1 and own_rate == rate and kind == "PCM_16"
            data = _samples(file, exact)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise ValueError(f"not a sound file: {getattr(error, 'error_string', error)}") from error
    if announced := _announced(content):
        raise ValueError(f"announces {announced:,} bytes of sound but has fewer: it is cut short")
    if exact:
        return data[:, 0], set()
    if not np.isfinite(data).all():
        raise ValueError("holds a number that is not finite")
    treated = set()
    if kind != "PCM_16":
        treated.add(f"of {KINDS.get(kind, kind)} are rounded to 16 bits")
    if channels > 1:
        treated.add("of several channels are averaged to one")
    mono = data.mean(1)
    if own_rate != rate:
        treated.add(f"of {own_rate:,} Hz are resampled to {rate:,}")
        shared = math.gcd(rate, own_rate)
        mono = resample_poly(mono, rate // shared, own_rate // shared)
    return np.clip(np.round(mono * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(
        np.int16
    ), treated


def _samples(file: soundfile.SoundFile, exact: bool) -> Array:
    """All samples, [n, channels], int16 or float64. Raises ValueError for what is no recording."""
    if file.frames * file.channels > MOST_VALUES:  # a damaged header may announce gigabytes
        raise ValueError(f"announces {file.frames:,} samples of {file.channels:,} channels")
    if not file.frames:
        raise ValueError("has no samples")
    if file.samplerate not in RATES:
        raise ValueError(f"says {file.samplerate:,} Hz, which is no rate of a recording")
    data: Array = file.read(dtype="int16" if exact else "float64", always_2d=True)
    if not len(data):
        raise ValueError("has no samples")
    return data


def _announced(content: bytes) -> int:
    """Bytes that a .wav file announces and lacks in part, or 0: libsndfile takes what there is."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0
    place = 12
    while place + 8 <= len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"data":
            return size if size > len(content) - place - 8 else 0
        place += 8 + size + size % 2  # chunks begin at even places
    return 0


def _band(number: int) -> str:
    return f"band {number}"
