"""Speech commands: the ten digits, the official lists, one second at 16 kHz."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, data_set
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.sound_examples import WORDS, speech_files, tone, wav, write_speech_commands

OPTIONS = TrainSizeOptions()


def test_the_lists_decide_and_what_they_do_not_name_is_train(example_signals: Library) -> None:
    meta = example_signals.meta("speech_commands")
    assert meta is not None
    assert meta.sizes == {"train": 20, "validation": 10, "test": 10}
    assert meta.attributes == {"digit": list(WORDS)}
    splits = example_signals.splits("speech_commands", "digit", OPTIONS)
    for split in splits.values():
        for waveform, digit in zip(split.x, split.y, strict=True):
            assert np.array_equal(waveform[:12_000], tone(400 + 300 * digit, 16_000, 12_000))
            assert not waveform[12_000:].any()


def test_networks_see_40_bands_of_101_windows(example_signals: Library) -> None:
    data, meta = data_set("speech_commands"), example_signals.meta("speech_commands")
    assert meta is not None
    assert data.feature_shape(meta) == (40, 101)


def test_listed_recordings_that_are_not_there_make_it_a_subset(library: Library) -> None:
    files = {name: c for name, c in speech_files().items() if name != "./zero/0c_nohash_1.wav"}
    files["./zero/0e_nohash_0.wav"] = files["./zero/0a_nohash_0.wav"]
    files["./validation_list.txt"] += b"zero/0e_nohash_0.wav\n\n"
    write_speech_commands(library, files)
    meta = library.prepare("speech_commands")
    assert meta.sizes == {"train": 20, "validation": 10, "test": 10}
    assert meta.notes[0] == "A subset: 1 of 21 listed recordings are missing."


def test_an_unpacked_folder_does_as_well(library: Library) -> None:
    folder = write_speech_commands(library)
    first = library.prepare("speech_commands").hash
    (folder / "speech_commands_v0.02.tar.gz").unlink()
    for name, content in speech_files().items():
        path = folder / "speech_commands_v0.02" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert library.prepare("speech_commands").hash == first


def test_the_task_stands_beside_the_figures_of_the_paper() -> None:
    task = data_set("speech_commands").tasks["digit"]
    assert (task.bias, task.published) == (None, "speech_commands/noise")


FILES = speech_files()
BROKEN = {
    "no list": (
        {k: v for k, v in FILES.items() if k != "./testing_list.txt"},
        "speech_commands_v0.02.tar.gz: has no testing_list.txt",
    ),
    "another layout of a list": (
        FILES | {"./testing_list.txt": b"zero/0d_nohash_0.wav\nzero,0d_nohash_0\n"},
        "testing_list.txt, line 2: 'zero,0d_nohash_0' is not word/file.wav",
    ),
    "a word absent from test": (
        {k: v for k, v in FILES.items() if k != "./nine/0d_nohash_0.wav"},
        "speech_commands: the test split has no row with digit = nine",
    ),
    "silence without a sample": (
        {k: wav(np.ones(0), 16_000) if k.endswith(".wav") else v for k, v in FILES.items()},
        "40 of 40 recordings cannot be used, more than the 10 that are tolerated: zero/0a",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_archive_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    files, message = BROKEN[what]
    write_speech_commands(library, files)
    with pytest.raises(DataError) as error:
        library.prepare("speech_commands")
    assert message in str(error.value)
    assert_nothing_is_left(library)
