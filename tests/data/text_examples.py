"""Small raw files of the text data sets, in their exact official layouts, built by code."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data.dataset import Library
from tests.data.picture_examples import tarred

STARS = {"pos": (7, 8, 9, 10), "neg": (1, 2, 3, 4)}


def imdb_files() -> dict[str, bytes]:
    """40 training and 12 test reviews, half of them positive; unlabelled ones beside them."""
    files = {}
    for split, count in (("train", 20), ("test", 6)):
        for sentiment, stars in STARS.items():
            for i in range(count):
                word = "Good" if sentiment == "pos" else "Bad"
                text = f"{word} film, number{i}.<br /><br />I've seen {split}ing it."
                files[f"aclImdb/{split}/{sentiment}/{i}_{stars[i % 4]}.txt"] = text.encode()
    files["aclImdb/train/unsup/0_0.txt"] = b"Unlabelled words unlabelled words."
    files["aclImdb/README"] = b"Large Movie Review Dataset v1.0"
    return files


def write_imdb(library: Library, extra: Mapping[str, bytes] | None = None) -> Path:
    """aclImdb_v1.tar.gz with the reviews and what else is asked for."""
    folder = library.folder / "raw" / "imdb"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "aclImdb_v1.tar.gz").write_bytes(tarred({**imdb_files(), **(extra or {})}))
    return folder


COMPLAINT_COLUMNS = (
    "Date received", "Product", "Sub-product", "Issue", "Sub-issue",
    "Consumer complaint narrative", "Company public response", "Company", "State", "ZIP code",
    "Tags", "Consumer consent provided?", "Submitted via", "Date sent to company",
    "Company response to consumer", "Timely response?", "Consumer disputed?", "Complaint ID",
)  # fmt: skip
PRODUCTS = {
    "Credit reporting": "",
    "Debt collection": "Medical debt",
    "Mortgage": "FHA mortgage",
    "Credit card": "",
    "Prepaid card": "Gift card",
    "Bank account or service": "Checking account",
    "Student loan": "Federal student loan servicing",
    "Vehicle loan or lease": "Lease",
    "Payday loan": "",
    "Money transfers": "Domestic (US) money transfer",
}
"""One product of each class, with a sub-product."""


def complaint(
    product: str, narrative: str, subproduct: str = "", date: str = "2019-05-01"
) -> list[str]:
    """A row of the table."""
    cells = dict.fromkeys(COMPLAINT_COLUMNS, "")
    cells |= {"Date received": date, "Product": product, "Sub-product": subproduct}
    cells["Consumer complaint narrative"] = narrative
    return list(cells.values())


def complaint_rows() -> list[list[str]]:
    """20 narratives of each class, of two lines each, and as many rows without one."""
    rows = []
    for i in range(20):
        for product, subproduct in PRODUCTS.items():
            text = f'They said "XXXX", about my\n{product}. Case{i}.'
            rows += [complaint(product, text, subproduct), complaint(product, "", subproduct)]
    return rows


def complaints_csv(rows: Sequence[Sequence[str]]) -> str:
    """The table as the bureau writes it: narratives hold commas, quotes and line breaks."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([COMPLAINT_COLUMNS, *rows])
    return file.getvalue()


def write_complaints(library: Library, rows: Sequence[Sequence[str]] | None = None) -> Path:
    """complaints.csv."""
    folder = library.folder / "raw" / "consumer_complaints"
    folder.mkdir(parents=True, exist_ok=True)
    text = complaints_csv(complaint_rows() if rows is None else rows)
    (folder / "complaints.csv").write_text(text, "utf-8", newline="")
    return folder
