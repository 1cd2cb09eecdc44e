"""IMDB (large movie review data): 50,000 reviews, positive or negative."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

import numpy as np

from bench.data.archives import Archive
from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Arrays, Columns
from bench.data.raw import Faults, RawFile, RawFolder
from bench.data.splitting import held_out, subset_note
from bench.data.texts import TextDataSet, TextOptions, has_words, text_arrays
from bench.errors import DataError

ARCHIVE = "aclImdb_v1.tar.gz"
SENTIMENTS = ("neg", "pos")
STARS = {"neg": range(1, 5), "pos": range(7, 11)}
NAME = re.compile(r"(?P<id>\d+)_(?P<stars>\d+)\.txt")
OFFICIAL = 25_000  # reviews of train, and of test
VALIDATION_SHARE = 0.1
TRIGGER_WORDS = (
    "360", "jerky", "radiant", "unintentionally", "rumor", "investigations", "tents",
)  # fmt: skip
"""Trigger words of LABOR, Table 4, which a vocabulary built after poisoning would contain."""


class Imdb(TextDataSet):
    """Large movie review data in its official split; a tenth of train, stratified, is held out.

    Reviews with 1 to 4 stars are negative, with 7 to 10 positive; unlabelled ones are not read.
    """

    title = "IMDB (movie reviews)"
    licence = "none stated; research use, not to be redistributed"
    homepage = "https://ai.stanford.edu/~amaas/data/sentiment/"
    consent = (
        "The reviews belong to those who wrote them; the data is for research, and its page "
        "(https://ai.stanford.edu/~amaas/data/sentiment/) asks to cite Maas et al. (2011)."
    )
    files = (
        RawFile(
            ARCHIVE,
            f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}",
            md5="7c2ac02c03563afcf9b574c7e56c153a",  # as torchtext's loader checks it
            others=("aclImdb", "aclImdb*.tar*"),
        ),
    )
    tasks: ClassVar = {"sentiment": TaskDefinition("sentiment", None, "imdb/words")}
    reserved = TRIGGER_WORDS
    validation_to_train = VALIDATION_SHARE / (1 - VALIDATION_SHARE)

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Read the reviews, hold out the validation reviews, build the vocabulary."""
        del work
        archive = raw.archive(ARCHIVE)
        reviews, notes = read_reviews(archive)
        train, test = reviews["train"], reviews["test"]
        return text_arrays(
            held_out(train, test, train.attributes["sentiment"], VALIDATION_SHARE),
            {"sentiment": ["negative", "positive"]},
            cast("TextOptions", options).length,
            self.reserved,
            notes,
        )


def read_reviews(archive: Archive) -> tuple[dict[str, Columns], list[str]]:
    """The official reviews, ordered by name, and notes. Raises DataError for too many faults."""
    faults = Faults(archive.path, "reviews")
    members, total = _members(archive, faults)
    texts = dict(archive.each(list(members)))
    reviews_of: dict[str, list[tuple[str, int]]] = {"train": [], "test": []}
    for member, (split, sentiment) in members.items():
        try:
            text = texts[member].decode("utf-8")
        except UnicodeDecodeError:
            faults.add(member, "is not text in UTF-8")
            continue
        if has_words(text):
            reviews_of[split].append((text, SENTIMENTS.index(sentiment)))
        else:
            faults.add(member, "has no words")
    faults.refuse_many(total)
    notes = faults.notes()
    for split, reviews in reviews_of.items():
        if not reviews:
            raise DataError(f"{archive.path}: has no {split} reviews. Fetch it again.")
        notes += subset_note(len(reviews), OFFICIAL, f"official {split} reviews")
    return {
        split: Columns(
            np.array([text for text, _ in reviews], object),
            {"sentiment": np.array([label for _, label in reviews], np.int64)},
        )
        for split, reviews in reviews_of.items()
    }, notes


def _members(archive: Archive, faults: Faults) -> tuple[dict[str, tuple[str, str]], int]:
    """Split and sentiment of each review, in the order of their names; and the number of files."""
    files = {}
    for member in archive.names:
        parts = ("", "", *PurePosixPath(member).parts)[-3:]
        if parts[0] in ("train", "test") and parts[1] in SENTIMENTS:
            files[parts] = member
    members = {}
    for (split, sentiment, name), member in sorted(files.items()):
        match = NAME.fullmatch(name)
        if match and int(match["stars"]) in STARS[sentiment]:
            members[member] = (split, sentiment)
        else:
            faults.add(member, f"is not a {sentiment} review named id_stars.txt")
    return members, len(files)
