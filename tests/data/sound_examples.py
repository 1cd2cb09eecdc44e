"""Small raw files of the sound data sets, in their exact official layouts, built by code."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.data.dataset import Library
from tests.data.picture_examples import tarred

SPEAKERS = ("george", "theo")
INDICES = 14  # 0 to 4 are test, nine are left for train and validation
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def tone(frequency: float, rate: int, samples: int, amplitude: float = 0.5) -> np.ndarray:
    """A sine, [samples] int16."""
    seconds = np.arange(samples) / rate
    return (amplitude * 32767 * np.sin(2 * np.pi * frequency * seconds)).astype(np.int16)


def wav(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    """A .wav file of 16-bit samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def fsdd_files() -> dict[str, bytes]:
    """Digit d is a tone of 300 + 200 d Hz; theo's last 0.1 s, george's 0.2 s."""
    return {
        f"recordings/{digit}_{speaker}_{index}.wav": wav(
            tone(300 + 200 * digit, 8_000, 1_600 if speaker == "george" else 800), 8_000
        )
        for digit in range(10)
        for speaker in SPEAKERS
        for index in range(INDICES)
    }


def write_fsdd(library: Library, extra: Mapping[str, bytes] | None = None) -> Path:
    """recordings.tar.gz with the recordings and what else is asked for."""
    folder = library.folder / "raw" / "fsdd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recordings.tar.gz").write_bytes(tarred({**fsdd_files(), **(extra or {})}))
    return folder


def speech_files() -> dict[str, bytes]:
    """Of each digit two train, one validation and one test recording; one other word; noise."""
    files: dict[str, bytes] = {}
    for digit, word in enumerate(WORDS):
        for name in ("0a_nohash_0", "0b_nohash_0", "0c_nohash_1", "0d_nohash_0"):
            files[f"./{word}/{name}.wav"] = wav(tone(400 + 300 * digit, 16_000, 12_000), 16_000)
    files["./bed/0a_nohash_0.wav"] = wav(tone(100, 16_000, 16_000), 16_000)
    files["./_background_noise_/pink_noise.wav"] = wav(np.ones(40_000), 16_000)
    listed = {"validation": "0c_nohash_1", "testing": "0d_nohash_0"}
    for part, name in listed.items():
        lines = "".join(f"{word}/{name}.wav\n" for word in (*WORDS, "tree"))
        files[f"./{part}_list.txt"] = lines.encode()
    return files


def write_speech_commands(library: Library, files: Mapping[str, bytes] | None = None) -> Path:
    """speech_commands_v0.02.tar.gz."""
    folder = library.folder / "raw" / "speech_commands"
    folder.mkdir(parents=True, exist_ok=True)
    content = tarred(speech_files() if files is None else files)
    (folder / "speech_commands_v0.02.tar.gz").write_bytes(content)
    return folder
