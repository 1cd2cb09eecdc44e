"""Sounds: .wav files become waveforms, and these the log-mel spectra that networks see."""

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
from bench.data.prepared import SPLITS, Array, DecodedFiles, Meta
from bench.data.raw import Faults
from bench.data.splitting import PartialDataSet
from bench.disk.files import new_map
from bench.errors import DataError

CHUNK = 256  # waveforms whose spectra are computed at once
FULL_SCALE = 2**15  # of 16-bit samples
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

    Args:
        archive: the recordings' files.
        where: split -> names of its recordings, in the order of the rows.
        rate: the samples a second that a recording must have.
        samples: length of the waveforms.
        work: folder for the memory maps of the result.

    Raises:
        DataError: too many recordings are damaged or not 16-bit mono of this rate, a split has
            none, or one recording is in two splits.
    """
    work.mkdir(parents=True, exist_ok=True)
    if empty := [split for split in SPLITS if not where[split]]:
        raise DataError(f"{archive.path}: has no recordings for {' and '.join(empty)}.")
    row_of = {name: (split, row) for split in SPLITS for row, name in enumerate(where[split])}
    if len(row_of) != sum(map(len, where.values())):
        raise DataError(f"{archive.path}: a recording is in two splits. Fetch it again.")
    x = {
        split: new_map(work / f"{split}.npy", np.int16, (len(where[split]), samples))
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
    """Read a .wav file of 16-bit mono samples, [samples] int16.

    Raises:
        ValueError: the file is not such a file, cut short, empty, or of another rate; the message
            says which.
    """
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, own_rate, announced, *_ = file.getparams()
            data = file.readframes(announced)
    except (wave.Error, EOFError, RuntimeError) as error:  # RuntimeError where chunks overlap
        raise ValueError(f"not a .wav file: {str(error) or 'it ends too soon'}") from error
    if (channels, width, own_rate) != (1, 2, rate):
        raise ValueError(
            f"{channels} channel(s) of {8 * width} bits at {own_rate:,} Hz, not 1 of 16 at {rate:,}"
        )
    if len(data) != 2 * announced:
        raise ValueError(f"announces {announced:,} samples but has {len(data) // 2:,}")
    if not data:
        raise ValueError("has no samples")
    return np.frombuffer(data, "<i2").astype(np.int16)


def _band(number: int) -> str:
    return f"band {number}"
