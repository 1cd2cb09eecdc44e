"""NSL-KDD: five classes, one-hot categories from train alone, attacks that train lacks."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, data_set
from bench.data.nsl_kdd import CLASSES, FEATURES
from bench.data.splitting import TrainSizeOptions
from bench.errors import DataError, UsageError
from tests.data.picture_examples import zipped
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.traffic_examples import kdd_row, kdd_test, kdd_train, write_nsl_kdd
from tests.sentences import assert_says

OPTIONS = TrainSizeOptions()


def test_the_grouping_names_every_attack_once() -> None:
    names = [attack for attacks in CLASSES.values() for attack in attacks]
    assert len(names) == len(set(names)) == 1 + 39  # normal, and the attacks of both files
    assert len(FEATURES) == len(set(FEATURES)) == 41


def test_numbers_are_standardised_and_categories_one_hot_by_train_alone(library: Library) -> None:
    train = [kdd_row(attack, i % 2) for attack in ("normal", "neptune", "satan", "spy", "perl")
             for i in range(10)]  # fmt: skip
    test = [kdd_row("normal", 3, "ftp", "udp"), *kdd_test()[1:]]
    write_nsl_kdd(library, train, test)
    meta = library.prepare("nsl_kdd")
    assert meta.columns is not None
    assert meta.columns[:5] == [
        "duration", "protocol_type=tcp", "service=http", "flag=SF", "src_bytes",
    ]  # fmt: skip
    known = meta.normalisation["duration"]
    splits = library.splits("nsl_kdd", "attack", OPTIONS)
    expected = (3 - known["mean"]) / known["std"]
    assert splits["test"].x[0, :4].tolist() == pytest.approx([expected, 0, 0, 1])
    assert splits["train"].x[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert splits["train"].x[:, 0].std() == pytest.approx(1, abs=1e-6)
    assert not splits["train"].x[:, 4:].any()  # constant columns are zero, not infinite
    assert [note for note in meta.notes if "encoded as all zeros" in note] == [
        "1 test rows have a protocol_type that train lacks (udp); it is encoded as all zeros.",
        "1 test rows have a service that train lacks (ftp); it is encoded as all zeros.",
    ]


def test_attacks_that_train_lacks_are_grouped_all_the_same(example_signals: Library) -> None:
    meta = example_signals.meta("nsl_kdd")
    assert meta is not None
    assert meta.sizes == {"train": 40, "validation": 10, "test": 5}
    assert meta.notes[:2] == [
        "The class u2r is tiny: 8 train, 2 validation and 1 test rows.",
        "4 of 5 test rows are of 4 attacks that train lacks: apache2 1, mscan 1, ps 1, "
        "snmpguess 1.",
    ]
    splits = example_signals.splits("nsl_kdd", "attack", OPTIONS)
    assert splits["test"].y.tolist() == [0, 1, 2, 3, 4]
    assert np.bincount(splits["validation"].y).tolist() == [2] * 5


def test_a_fifth_of_train_is_used_where_the_whole_is_not_there(library: Library) -> None:
    folder = write_nsl_kdd(library, train_file="KDDTrain+_20Percent.txt")
    part = library.prepare("nsl_kdd")
    assert part.notes[0].startswith("A subset")
    assert_says(part.notes[0], "KDDTrain+_20Percent.txt", "fifth of KDDTrain+.txt")
    (folder / "KDDTrain+.txt").write_text("\n".join(kdd_train() * 2) + "\n")
    whole = library.prepare("nsl_kdd")
    assert whole.sizes["train"] == 2 * part.sizes["train"]
    assert not whole.notes[0].startswith("A subset")


def test_the_official_zip_is_read_without_unpacking(library: Library) -> None:
    folder = write_nsl_kdd(library)
    first = library.prepare("nsl_kdd").hash
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    for name in files:
        (folder / name).unlink()
    (folder / "NSL-KDD.zip").write_bytes(zipped({"KDDTrain+_20Percent.txt": b"", **files}))
    assert library.prepare("nsl_kdd").hash == first


BROKEN = {
    "an unknown attack": (
        [*kdd_train(), kdd_row("phishing")],
        "KDDTrain+.txt, line 51, column attack: 'phishing' is not 'normal' or",
    ),
    "a word for a number": (
        [kdd_row("normal", "long"), *kdd_train()],
        "KDDTrain+.txt, line 1, column duration: 'long' is not a number",
    ),
    "two columns less": (
        [line.rpartition(",")[0].rpartition(",")[0] for line in kdd_train()],
        "KDDTrain+.txt, line 1: has 41 cells, 43 are expected. Is this another edition",
    ),
    "a class absent": (
        [line for line in kdd_train() if "rootkit" not in line],
        "nsl_kdd: the train split has no row with attack = u2r",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    rows, message = BROKEN[what]
    write_nsl_kdd(library, rows)
    with pytest.raises(DataError) as error:
        library.prepare("nsl_kdd")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_it_is_fetched_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("nsl_kdd")
    for part in ("https://www.unb.ca/cic/datasets/nsl.html", "KDDTest+.txt", "20Percent"):
        assert part in str(error.value)


def test_it_has_no_published_figures() -> None:
    assert data_set("nsl_kdd").tasks["attack"].published is None


def test_the_real_files_have_their_known_numbers(real_signals: Library) -> None:
    meta = real_signals.meta("nsl_kdd")
    assert meta is not None
    assert meta.sizes == {"train": 20_154, "validation": 5_038, "test": 22_544}
    # 38 numbers, 3 protocols, 11 flags, and 66 services of the official fifth of train.
    assert meta.shape == [118]
    splits = real_signals.splits("nsl_kdd", "attack", OPTIONS)
    both = np.bincount(splits["train"].y) + np.bincount(splits["validation"].y)
    # Of the literature: normal 13,449, DoS 9,234, probe 2,289, R2L 209, U2R 11.
    assert both.tolist() == [13_449, 9_234, 2_289, 209, 11]
    assert np.bincount(splits["test"].y).tolist() == [9_711, 7_460, 2_421, 2_885, 67]
    assert_says(meta.notes[1], "u2r", "9 train", "2 validation", "67 test")
    assert meta.notes[2].startswith("3,752 of 22,544 test rows are of 18 attacks that train lacks")
    assert np.abs(splits["train"].x.mean(axis=0)[[0, -1]]).max() < 1e-5


def test_files_without_the_difficulty_are_read(library: Library) -> None:
    write_nsl_kdd(library)
    whole = library.prepare("nsl_kdd")
    without = [[row.rpartition(",")[0] for row in rows] for rows in (kdd_train(), kdd_test())]
    write_nsl_kdd(library, *without)
    assert library.prepare("nsl_kdd").hash == whole.hash
