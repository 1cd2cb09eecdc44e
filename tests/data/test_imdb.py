"""IMDB in its official layout: aclImdb/{train,test}/{pos,neg}/{id}_{stars}.txt."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.dataset import Library, data_set
from bench.data.imdb import TRIGGER_WORDS
from bench.data.texts import TextOptions
from bench.errors import DataError, UsageError
from tests.data.picture_examples import tarred
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.text_examples import imdb_files, write_imdb

OPTIONS = TextOptions()


def test_reviews_stand_in_their_rows_with_their_sentiment(example_signals: Library) -> None:
    meta = example_signals.meta("imdb")
    assert meta is not None
    assert meta.columns is not None
    assert meta.sizes == {"train": 36, "validation": 4, "test": 12}
    splits = example_signals.splits("imdb", "sentiment", OPTIONS)
    assert splits["validation"].y.tolist().count(1) == 2
    for split in ("train", "validation"):
        for ids, positive in zip(splits[split].x, splits[split].y, strict=True):
            read = [meta.columns[i] for i in ids[:8]]
            assert read[:2] == ["good" if positive else "bad", "film"]
            assert read[3:] == ["i've", "seen", "training", "it", "<padding>"]
    assert splits["test"].y.tolist() == [0] * 6 + [1] * 6
    assert meta.columns[splits["test"].x[0, 5]] == "<unknown>"  # "testing" is not in train


def test_unlabelled_reviews_and_other_splits_are_no_part_of_the_vocabulary(
    example_signals: Library,
) -> None:
    meta = example_signals.meta("imdb")
    assert meta is not None
    assert meta.columns is not None
    assert {"unlabelled", "testing"}.isdisjoint(meta.columns)
    assert set(TRIGGER_WORDS) <= set(meta.columns)


def test_each_length_is_a_copy_with_the_same_vocabulary(library: Library) -> None:
    write_imdb(library)
    long, short = library.prepare("imdb"), library.prepare("imdb", TextOptions(length=8))
    assert (long.shape, short.shape) == ([400], [8])
    assert long.columns == short.columns
    assert list(library.prepared("imdb")) == ["400words", "8words"]


def test_an_unpacked_folder_does_as_well(library: Library) -> None:
    folder = write_imdb(library)
    first = library.prepare("imdb").hash
    (folder / "aclImdb_v1.tar.gz").unlink()
    for name, content in imdb_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert library.prepare("imdb").hash == first


def test_reviews_that_cannot_be_read_are_named_and_left_out(library: Library) -> None:
    write_imdb(
        library,
        {
            "aclImdb/train/pos/90_9.txt": b"\xff\xfe",
            "aclImdb/train/pos/91_3.txt": b"three stars are not positive",
            "aclImdb/train/neg/ninety.txt": b"no number",
            "aclImdb/test/neg/92_1.txt": b" ... ",
        },
    )
    meta = library.prepare("imdb")
    assert meta.sizes == {"train": 36, "validation": 4, "test": 12}
    assert meta.notes[0] == (
        "4 unusable reviews are left out: "
        "aclImdb/train/neg/ninety.txt (is not a neg review named id_stars.txt), "
        "aclImdb/train/pos/91_3.txt (is not a pos review named id_stars.txt), "
        "aclImdb/test/neg/92_1.txt (has no words), "
        "aclImdb/train/pos/90_9.txt (is not text in UTF-8)."
    )


def test_consent_is_asked_for(library: Library) -> None:
    with pytest.raises(UsageError, match="bench data get imdb --accept-licence"):
        library.get("imdb")


def test_the_task_stands_beside_the_figures_of_the_paper() -> None:
    assert data_set("imdb").tasks["sentiment"].published == "imdb/words"


FILES = imdb_files()
BROKEN = {
    "no test reviews": (
        {k: v for k, v in FILES.items() if "/test/" not in k},
        "has no test reviews",
    ),
    "one sentiment": (
        {k: v for k, v in FILES.items() if "/test/neg/" not in k},
        "imdb: the test split has no row with sentiment = negative",
    ),
    "many files without words": (
        FILES | {f"aclImdb/train/neg/10{i}_1.txt": b"" for i in range(11)},
        "11 of 63 reviews cannot be used, more than the 10 that are tolerated",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_archive_is_named_and_nothing_is_left(library: Library, what: str) -> None:
    files, message = BROKEN[what]
    folder = write_imdb(library)
    (folder / "aclImdb_v1.tar.gz").write_bytes(tarred(files))
    with pytest.raises(DataError) as error:
        library.prepare("imdb")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_an_archive_that_was_cut_short_is_named(library: Library) -> None:
    folder = write_imdb(library)
    whole = (folder / "aclImdb_v1.tar.gz").read_bytes()
    (folder / "aclImdb_v1.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"aclImdb_v1.tar.gz: not a complete archive"):
        library.prepare("imdb")


def test_the_real_reviews_have_their_known_numbers(real_signals: Library) -> None:
    meta = real_signals.meta("imdb")
    assert meta is not None
    assert meta.columns is not None
    assert meta.sizes == {"train": 3_600, "validation": 400, "test": 2_000}
    assert meta.columns[2:5] == ["the", "a", "and"]
    assert "br" not in meta.columns[:1_000]  # of <br />
    splits = real_signals.splits("imdb", "sentiment", OPTIONS)
    assert np.bincount(splits["train"].y).tolist() == [1_800, 1_800]
    assert np.bincount(splits["test"].y).tolist() == [1_000, 1_000]
    assert (splits["test"].x[:, 0] > 0).all()  # no review is empty


def test_real_sentiments_are_told_apart_by_words(real_signals: Library) -> None:
    """Log odds of each word in train, summed over the words of a test review."""
    meta = real_signals.meta("imdb")
    assert meta is not None
    assert meta.columns is not None
    splits = real_signals.splits("imdb", "sentiment", OPTIONS)
    train, size = splits["train"], len(meta.columns)
    counts = [np.bincount(train.x[train.y == y].ravel(), minlength=size) + 1.0 for y in (0, 1)]
    odds = np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())
    odds[0] = 0
    found = odds[splits["test"].x].sum(axis=1) > 0
    assert (found == splits["test"].y).mean() > 0.78
