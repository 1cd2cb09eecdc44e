"""Sounds: .wav files into waveforms, and waveforms into the log-mel spectra that networks see."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bench.data.archives import Archive
from bench.data.faults import Faults
from bench.data.prepared import SPLITS, Array, Meta
from bench.data.splitting import PartialDataSet
from bench.errors import DataError

CHUNK = 256  # waveforms whose spectra are computed at once
FULL_SCALE = 2**15  # of 16-bit samples
FLOOR = 1e-6  # energy; just above what rounding to 16 bits leaves in a band


@dataclass(frozen=True)
class LogMel:
    """Log energy in bands that are equally wide to the ear: 25 ms windows, every 10 ms.

    The bands are triangles on the mel scale in HTK's form, mel(f) = 2595 log10(1 + f / 700), from
    0 Hz to half the sampling rate, each with height 1 where its neighbours end. Windows are Hann,
    centred, with silence beyond both ends. Energies are of samples in [-1, 1]; the logarithm is
    natural and its argument at least FLOOR.

    Attributes:
        rate: samples a second.
        bands: their number; 40 and both times above are usual for spoken words.
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
        """Points of the Fourier transform: the power of two that holds a window."""
        return 2 ** (self.window - 1).bit_length()

    def frames(self, samples: int) -> int:
        """Windows in a waveform."""
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
            some = torch.from_numpy(np.array(waveforms[start : start + CHUNK])).float()
            waves = torch.stft(
                some / FULL_SCALE, self.fft, self.hop, self.window, window,
                center=True, pad_mode="constant", return_complex=True,
            )  # fmt: skip
            energy = filters @ waves.abs().square()
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
        spectrum: how they are computed.
    """

    kind = "sound"
    spectrum: ClassVar[LogMel]

    def features(self, x: Array, meta: Meta) -> Array:
        """[n, samples] int16 -> [n, bands, frames] float32, standardised band by band by train."""
        spectra = self.spectrum(x)
        bands = [meta.normalisation[_band(i)] for i in range(self.spectrum.bands)]
        mean, std = (np.array([band[part] for band in bands]) for part in ("mean", "std"))
        spectra -= mean[:, None].astype(np.float32)
        spectra /= std[:, None].astype(np.float32)
        return spectra

    def feature_shape(self, meta: Meta) -> tuple[int, ...]:
        """(bands, frames)."""
        return self.spectrum.bands, self.spectrum.frames(meta.shape[0])


@dataclass(frozen=True)
class Recordings:
    """What became of the .wav files.

    Attributes:
        x: split -> [kept, samples] int16.
        kept: split -> [files] bool, false where one was left out.
        notes: how many were cut or left out.
    """

    x: dict[str, Array]
    kept: dict[str, Array]
    notes: list[str]


def read_recordings(
    archive: Archive, where: Mapping[str, Sequence[str]], rate: int, samples: int, work: Path
) -> Recordings:
    """Waveforms of one length: shorter recordings are followed by silence, longer ones cut.

    Args:
        archive: where the recordings are.
        where: split -> names of its recordings, in the order of the rows.
        rate: samples a second that they must have.
        samples: the length.
        work: folder for the memory maps of the result.

    Raises:
        DataError: too many that are not whole, 16-bit, mono and of this rate, an empty split, or a
            recording in two.
    """
    work.mkdir(parents=True, exist_ok=True)
    if empty := [split for split in SPLITS if not where[split]]:
        raise DataError(f"{archive.path}: has no recordings for {' and '.join(empty)}.")
    row_of = {name: (split, row) for split in SPLITS for row, name in enumerate(where[split])}
    if len(row_of) != sum(map(len, where.values())):
        raise DataError(f"{archive.path}: a recording is in two splits. Fetch it again.")
    x = {
        split: np.lib.format.open_memmap(
            work / f"{split}.npy", "w+", np.int16, (len(where[split]), samples)
        )
        for split in SPLITS
    }
    kept = {split: np.zeros(len(where[split]), bool) for split in SPLITS}
    faults, cut = Faults(archive.path, "recordings"), 0
    for name, content in archive.each(list(row_of)):
        split, row = row_of[name]
        try:
            waveform = read_wav(content, rate)
        except ValueError as error:
            faults.add(name, str(error))
            continue
        cut += len(waveform) > samples
        x[split][row, : min(len(waveform), samples)] = waveform[:samples]
        kept[split][row] = True
    faults.refuse_many(len(row_of))
    notes = faults.notes()
    if cut:
        notes.append(
            f"{cut:,} of {len(row_of):,} recordings are longer than {samples / rate:g} s and are "
            "cut there."
        )
    whole = {split: x[split] if kept[split].all() else x[split][kept[split]] for split in SPLITS}
    return Recordings(whole, kept, notes)


def read_wav(content: bytes, rate: int) -> Array:
    """A .wav file of 16-bit mono samples as [samples] int16.

    Raises:
        ValueError: it is none, cut short, empty, or of another rate; the message says which.
    """
    try:
        with wave.open(io.BytesIO(content)) as opened:
            form = opened.getnchannels(), opened.getsampwidth(), opened.getframerate()
            announced = opened.getnframes()
            data = opened.readframes(announced)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last where chunks overlap
        raise ValueError(f"no .wav file: {str(error) or 'it ends too soon'}") from error
    channels, width, found = form
    if (channels, width, found) != (1, 2, rate):
        raise ValueError(
            f"{channels} channel(s) of {8 * width} bits at {found:,} Hz, not 1 of 16 at {rate:,}"
        )
    if len(data) != 2 * announced:
        raise ValueError(f"announces {announced:,} samples but has {len(data) // 2:,}")
    if not data:
        raise ValueError("has no samples")
    return np.frombuffer(data, "<i2").astype(np.int16)


def _band(number: int) -> str:
    return f"band {number}"
