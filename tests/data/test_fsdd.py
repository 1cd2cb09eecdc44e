"""FSDD: names, the official split, waveforms and the features made of them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, data_set
from bench.data.fsdd import read_names
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError, UsageError
from tests.data.picture_examples import tarred, zipped
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.sound_examples import fsdd_files, tone, wav, write_fsdd

OPTIONS = TrainSizeOptions()


def test_recordings_0_to_4_are_test_and_the_rest_is_dealt_out_by_digit_and_speaker(
    example_signals: Library,
) -> None:
    meta = example_signals.meta("fsdd")
    assert meta is not None
    assert meta.sizes == {"train": 160, "validation": 20, "test": 100}
    splits = example_signals.splits("fsdd", "digit", OPTIONS)
    assert {name: np.bincount(split.y).tolist() for name, split in splits.items()} == {
        "train": [16] * 10,
        "validation": [2] * 10,
        "test": [10] * 10,
    }


def test_waveforms_stand_in_their_rows_and_are_followed_by_silence(
    example_signals: Library,
) -> None:
    test = example_signals.splits("fsdd", "digit", OPTIONS)["test"]
    assert test.x.shape == (100, 8_000)
    # In the order of the names: 0_george_0, ..., 0_george_4, 0_theo_0, ..., 9_theo_4.
    assert test.y.tolist() == sorted(test.y.tolist())
    assert np.array_equal(test.x[0, :1_600], tone(300, 8_000, 1_600))
    assert np.array_equal(test.x[5, :800], tone(300, 8_000, 800))
    assert not test.x[0, 1_600:].any()
    assert not test.x[5, 800:].any()
    assert np.array_equal(test.x[99, :800], tone(2_100, 8_000, 800))


def test_features_are_standardised_by_train_alone(example_signals: Library) -> None:
    data, meta = data_set("fsdd"), example_signals.meta("fsdd")
    assert meta is not None
    splits = example_signals.splits("fsdd", "digit", OPTIONS)
    train = data.features(splits["train"].x, meta)
    assert data.feature_shape(meta) == (40, 101) == train.shape[1:]
    assert np.allclose(train.mean(axis=(0, 2)), 0, atol=1e-4)
    assert np.allclose(train.std(axis=(0, 2)), 1, atol=1e-3)
    assert len(meta.normalisation) == 40
    # Louder by 20 log10(2) dB, which in the natural logarithm of energy is 2 ln 2.
    louder = data.features(2 * splits["test"].x[:1], meta)[0, :, 8]
    gain = (louder - data.features(splits["test"].x[:1], meta)[0, :, 8]) * [
        meta.normalisation[f"band {i}"]["std"] for i in range(40)
    ]
    assert gain.max() == pytest.approx(2 * np.log(2), abs=0.01)


def test_an_edited_waveform_has_other_features_and_the_rest_the_same(
    example_signals: Library,
) -> None:
    data, meta = data_set("fsdd"), example_signals.meta("fsdd")
    assert meta is not None
    x = np.array(example_signals.splits("fsdd", "digit", OPTIONS)["test"].x[:3])
    before = data.features(x, meta)
    x[1, 4_000:] += 500
    after = data.features(x, meta)
    assert np.allclose(before[[0, 2]], after[[0, 2]], atol=1e-5)
    assert np.allclose(before[1, :, :48], after[1, :, :48], atol=1e-5)
    assert np.abs(before[1, :, 52:] - after[1, :, 52:]).max() > 1


def test_speakers_are_an_attribute(example_signals: Library) -> None:
    meta = example_signals.meta("fsdd")
    assert meta is not None
    assert meta.attributes["speaker"] == ["george", "theo"]
    assert "The 2 speakers of the test recordings also speak in train." in meta.notes


def test_folder_tar_and_the_zip_of_the_repository_are_the_same(library: Library) -> None:
    folder = write_fsdd(library)
    first = library.prepare("fsdd").hash
    (folder / "recordings.tar.gz").unlink()
    release = {f"free-spoken-digit-dataset-1.0.10/{k}": v for k, v in fsdd_files().items()}
    (folder / "free-spoken-digit-dataset-1.0.10.zip").write_bytes(zipped(release))
    assert library.prepare("fsdd").hash == first
    (folder / "free-spoken-digit-dataset-1.0.10.zip").unlink()
    (folder / "recordings").mkdir()
    for name, content in fsdd_files().items():
        (folder / name).write_bytes(content)
    assert library.prepare("fsdd").hash == first


def test_one_sample_changes_the_hash_and_so_does_the_revision(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fsdd(library)
    first = library.prepare("fsdd").hash
    write_fsdd(library, {"recordings/3_theo_2.wav": wav(tone(901, 8_000, 800), 8_000)})
    assert library.prepare("fsdd").hash != first
    write_fsdd(library)
    monkeypatch.setattr(type(data_set("fsdd")), "revision", 99)  # features may be other ones
    assert library.prepare("fsdd").hash != first


def test_fewer_recordings_can_be_asked_for(example_signals: Library) -> None:
    options = TrainSizeOptions(train_size=40)
    splits = example_signals.splits("fsdd", "digit", options)
    assert {k: len(v.x) for k, v in splits.items()} == {"train": 40, "validation": 5, "test": 100}
    assert data_set("fsdd").notes(options)[0].startswith("At most 40 training samples")


def test_malformed_names_are_counted_and_skipped() -> None:
    _, stated, notes = read_names(
        ["a/7_jackson_32.wav", "a/ten_theo_1.wav", "a/7_jackson.wav", "a/README.md"]
    )
    assert {name: values.tolist() for name, values in stated.items()} == {
        "digit": ["7"],
        "speaker": ["jackson"],
        "index": ["32"],
    }
    assert notes == [
        "2 recordings are skipped because their names are malformed: 7_jackson.wav, ten_theo_1.wav."
    ]


def test_it_is_fetched_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("fsdd")
    for part in (
        "No checksum of a release is published",
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        f"into {library.folder}/raw/fsdd, or into $BENCH_MIRROR/fsdd",
    ):
        assert part in str(error.value)


FILES = fsdd_files()
BROKEN = {
    "no recordings": ({"README.md": b"x"}, "has no recording named digit_speaker_index.wav"),
    "no test recordings": (
        {k: v for k, v in FILES.items() if int(k[:-4].rsplit("_", 1)[1]) >= 5},
        "has no recordings for test",
    ),
    "a digit absent": (
        {k: v for k, v in FILES.items() if "/9_" not in k},
        "split has no row with digit = 9",
    ),
    "paths out of it": ({"../7_theo_0.wav": b""}, "points out of the archive"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_archive_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    files, message = BROKEN[what]
    folder = write_fsdd(library)
    (folder / "recordings.tar.gz").write_bytes(tarred(files))
    with pytest.raises(DataError) as error:
        library.prepare("fsdd")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_the_real_recordings_have_their_known_numbers(real_signals: Library) -> None:
    meta = real_signals.meta("fsdd")
    assert meta is not None
    assert meta.sizes == {"train": 2_400, "validation": 300, "test": 300}
    assert meta.notes[0] == "20 of 3,000 recordings are longer than 1 s and are cut there."
    splits = real_signals.splits("fsdd", "digit", OPTIONS)
    assert np.bincount(splits["train"].y).tolist() == [240] * 10
    assert np.bincount(splits["test"].y).tolist() == [30] * 10


def test_real_digits_are_told_apart_by_their_features(real_signals: Library) -> None:
    """By the nearest training recording: its speakers are the same, its timing hardly differs."""
    data, meta = data_set("fsdd"), real_signals.meta("fsdd")
    assert meta is not None
    splits = real_signals.splits("fsdd", "digit", OPTIONS)
    train, test = (
        data.features(splits[s].x, meta)[:, :, :50].reshape(-1, 2_000) for s in ("train", "test")
    )
    distances = np.square(train).sum(axis=1) - 2 * test @ train.T
    assert (splits["train"].y[distances.argmin(axis=1)] == splits["test"].y).mean() > 0.85
