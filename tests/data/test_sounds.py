"""Log-mel spectra against computation by hand; .wav files that are what they should not be."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.data.archives import Zip
from bench.data.sounds import FLOOR, LogMel, read_recordings, read_sound
from bench.errors import DataError
from tests.data.picture_examples import zipped
from tests.data.sound_examples import tone, wav

RATES = (8_000, 16_000)


def mel(hertz: float) -> float:
    return 2595 * np.log10(1 + hertz / 700)


def test_a_window_is_25_ms_and_a_hop_10_ms() -> None:
    found = LogMel(16_000)
    assert (found.window, found.hop, found.fft) == (400, 160, 512)
    assert (LogMel(8_000).window, LogMel(8_000).hop, LogMel(8_000).fft) == (200, 80, 256)
    assert found.frames(16_000) == 101  # windows are centred at 0, 160, ..., 16,000


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frequency", [200, 440, 1000, 2500, 3500])
def test_a_pure_tone_lands_in_its_band(rate: int, frequency: int) -> None:
    spectrum = LogMel(rate)(tone(frequency, rate, rate)[None])[0]
    # Centres of the 40 bands are the inner points of 42 that are equally far apart in mel.
    centres = np.arange(1, 41) * mel(rate / 2) / 41
    nearest = int(np.abs(centres - mel(frequency)).argmin())
    middle = spectrum[:, 20:80]
    assert set(middle.argmax(axis=0).tolist()) == {nearest}
    assert spectrum.shape == (40, 101)


def test_the_energy_of_a_tone_is_that_of_the_formula() -> None:
    # 1,000 Hz is bin 32 of 256 at 8,000 Hz: no leak from the sampling of frequencies. By hand:
    # |X|^2 of each bin is the window's own spectrum, shifted, times half the amplitude, squared.
    rate, amplitude = 8_000, 0.5
    found = LogMel(rate)(tone(1_000, rate, rate, amplitude)[None])[0, :, 50]
    n = np.arange(200)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 200)
    bins = np.arange(129)
    leak = np.array(
        [np.abs((window * np.exp(-2j * np.pi * (k - 32) * n / 256)).sum()) for k in bins]
    )
    energy = (amplitude / 2 * leak) ** 2
    top = mel(4_000)
    for band in (18, 19, 20, 21):
        low, centre, high = (700 * (10 ** (top * (band + i) / 41 / 2595) - 1) for i in range(3))
        hertz = bins * rate / 256
        triangle = np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre))
        expected = np.log(max((energy * triangle.clip(0)).sum(), FLOOR))
        if expected > np.log(1e-3):  # elsewhere rounding to 16 bits is all there is
            assert found[band] == pytest.approx(expected, abs=0.02)
    assert np.log(energy.sum()) > found.max() > np.log(energy.max() / 2)


@pytest.mark.parametrize("rate", RATES)
def test_every_band_holds_a_frequency_and_bands_are_triangles_of_height_one(rate: int) -> None:
    filters = LogMel(rate).filters().numpy()
    assert filters.shape == (40, LogMel(rate).fft // 2 + 1)
    assert filters.min() >= 0
    assert filters.max() <= 1
    assert (filters.max(axis=1) > 0.2).all()
    between = filters[:, 5:-5].sum(axis=0)  # a band falls as the next one rises
    assert np.allclose(between[between > 0.99], 1, atol=1e-5)


def test_silence_is_finite_and_the_floor() -> None:
    spectra = LogMel(8_000)(np.zeros((2, 8_000), np.int16))
    assert np.allclose(spectra, np.log(FLOOR))
    statistics = LogMel(8_000).normalisation(np.zeros((2, 8_000), np.int16))
    assert statistics["band 0"]["std"] == pytest.approx(1.0)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    waveforms = np.random.default_rng(0).integers(-3000, 3000, (7, 1_600)).astype(np.int16)
    whole = LogMel(8_000)(waveforms)
    known = LogMel(8_000).normalisation(waveforms)
    monkeypatch.setattr("bench.data.sounds.CHUNK", 2)
    assert np.allclose(LogMel(8_000)(waveforms), whole, atol=1e-5)
    for band, values in LogMel(8_000).normalisation(waveforms).items():
        assert values == pytest.approx(known[band], rel=1e-5)
    assert known["band 3"]["mean"] == pytest.approx(float(whole[:, 3].mean()), rel=1e-5)
    assert known["band 3"]["std"] == pytest.approx(float(whole[:, 3].std()), rel=1e-4)


def test_a_wav_file_is_read_sample_by_sample() -> None:
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    waveform, treated = read_sound(wav(samples, 8_000), 8_000)
    assert (waveform.dtype, waveform.tolist(), treated) == (np.int16, samples.tolist(), set())


def sound(samples: np.ndarray, rate: int, kind: str, form: str = "WAV") -> bytes:
    """Samples from -1 to 1 as libsndfile writes them."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=kind, format=form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "form", "what"),
    [
        ("PCM_16", "WAVEX", None),
        ("PCM_16", "FLAC", None),
        ("PCM_24", "WAV", "of 24 bits are rounded to 16 bits"),
        ("PCM_32", "WAVEX", "of 32 bits are rounded to 16 bits"),
        ("FLOAT", "WAV", "of floating point are rounded to 16 bits"),
        ("DOUBLE", "WAV", "of floating point are rounded to 16 bits"),
        ("PCM_U8", "WAV", "of 8 bits are rounded to 16 bits"),
    ],
)
def test_sounds_of_every_form_are_read(kind: str, form: str, what: str | None) -> None:
    samples = tone(440, 8_000, 800) / 2**15
    waveform, treated = read_sound(sound(samples, 8_000, kind, form), 8_000)
    assert treated == ({what} if what else set())
    error = np.abs(waveform - samples * 2**15).max()
    assert error <= (2**8 if kind == "PCM_U8" else 1)


def test_channels_are_averaged() -> None:
    left, right = tone(440, 8_000, 800) / 2**15, tone(880, 8_000, 800) / 2**15
    waveform, treated = read_sound(sound(np.stack([left, right], 1), 8_000, "PCM_16"), 8_000)
    assert treated == {"of several channels are averaged to one"}
    assert np.abs(waveform - (left + right) / 2 * 2**15).max() <= 1


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000, 11_025, 4_000])
def test_another_rate_keeps_a_tone_and_its_length(rate: int) -> None:
    given = tone(1_000, rate, rate) / 2**15
    waveform, treated = read_sound(sound(given, rate, "PCM_16"), 8_000)
    assert treated == {f"of {rate:,} Hz are resampled to 8,000"}
    assert len(waveform) == 8_000
    expected = tone(1_000, 8_000, 8_000)
    assert np.abs(waveform - expected)[400:-400].max() < 0.01 * 2**15


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    waveform, _ = read_sound(sound(tone(6_000, 44_100, 44_100) / 2**15, 44_100, "PCM_16"), 8_000)
    assert np.abs(waveform)[400:-400].max() < 0.02 * np.abs(tone(6_000, 44_100, 44_100)).max()


WHOLE = wav(np.arange(100), 8_000)
BROKEN = {
    "empty": (b"", "not a sound file"),
    "a web page": (b"<html>not found</html>", "not a sound file"),
    "cut short": (WHOLE[:-20], "announces 200 bytes of sound but has fewer: it is cut short"),
    "cut in its header": (WHOLE[:30], "not a sound file"),
    "of no rate": (wav(np.ones(9), 2**31 - 1), "2,147,483,647 Hz, which is no rate of a recording"),
    "not finite": (sound(np.array([0.1, np.nan]), 8_000, "FLOAT"), "a number that is not finite"),
    "without samples": (wav(np.zeros(0), 8_000), "has no samples"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_wav_file_says_what_is_wrong(what: str) -> None:
    content, message = BROKEN[what]
    with pytest.raises(ValueError, match=r".") as error:
        read_sound(content, 8_000)
    assert message in str(error.value)


def test_what_announces_more_than_a_recording_may_have_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.data.sounds.MOST_VALUES", 99)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)  # which takes memory for all of it
    with pytest.raises(ValueError, match=r"announces 100 samples of 1 channels"):
        read_sound(WHOLE, 8_000)


def test_bytes_at_random_are_read_or_refused_and_never_worse() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(WHOLE)
        for place in random.integers(0, 44, 3):
            content[place] = random.integers(0, 256)
        try:
            assert read_sound(bytes(content), 8_000)[0].dtype == np.int16
        except ValueError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


def archive(folder: Path, files: dict[str, bytes]) -> Zip:
    path = folder / "sounds.zip"
    path.write_bytes(zipped(files))
    return Zip(path)


def test_short_recordings_are_followed_by_silence_and_long_ones_cut(tmp_path: Path) -> None:
    files = {f"{n}.wav": wav(np.full(n, n), 8_000) for n in (3, 4, 10, 12)}
    where = {"train": ["12.wav", "bad.wav", "3.wav"], "validation": ["10.wav"], "test": ["4.wav"]}
    sounds = archive(tmp_path, files | {"bad.wav": b"?"})
    found = read_recordings(sounds, where, 8_000, 10, tmp_path / "work")
    assert found.x["train"].tolist() == [[12] * 10, [3, 3, 3, *[0] * 7]]
    assert found.x["test"].tolist() == [[4, 4, 4, 4, *[0] * 6]]
    assert found.kept["train"].tolist() == [True, False, True]
    assert found.notes[0].startswith("1 unusable recordings are left out: bad.wav (not a sound")
    assert found.notes[1] == "1 of 5 recordings are longer than 0.00125 s and are cut there."


def test_too_many_broken_recordings_are_a_broken_archive(tmp_path: Path) -> None:
    broken = {f"bad{i}.wav": WHOLE[:-2] for i in range(11)}
    sounds = archive(tmp_path, {"a.wav": WHOLE, "b.wav": WHOLE} | broken)
    where = {"train": list(broken), "validation": ["a.wav"], "test": ["b.wav"]}
    with pytest.raises(DataError) as error:
        read_recordings(sounds, where, 8_000, 10, tmp_path / "work")
    assert "11 of 13 recordings cannot be used, more than the 10 that are" in str(error.value)
    assert "bad0.wav (announces 200 bytes of sound but has fewer" in str(error.value)


def test_a_split_without_recordings_is_named(tmp_path: Path) -> None:
    sounds = archive(tmp_path, {"a.wav": WHOLE})
    where: dict[str, list[str]] = {"train": ["a.wav"], "validation": [], "test": []}
    with pytest.raises(DataError, match="has no recordings for validation and test"):
        read_recordings(sounds, where, 8_000, 10, tmp_path / "work")


def test_a_recording_in_two_splits_fills_a_row_of_each_and_is_a_leak(tmp_path: Path) -> None:
    sounds = archive(tmp_path, {"a.wav": WHOLE, "b.wav": wav(np.full(100, 7), 8_000)})
    where = {"train": ["a.wav", "b.wav"], "validation": ["b.wav"], "test": ["a.wav"]}
    found = read_recordings(sounds, where, 8_000, 100, tmp_path / "work")
    assert found.x["train"][0].tolist() == found.x["test"][0].tolist() == list(range(100))
    assert found.x["train"][1].tolist() == found.x["validation"][0].tolist() == [7] * 100
    assert found.notes == [
        "2 recordings stand in both train and test, in both train and validation, so that what is "
        "learned and what is measured overlap: a.wav, b.wav."
    ]
