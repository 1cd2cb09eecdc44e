"""Consumer complaints to the US consumer financial protection bureau, by product."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from pydantic import Field

from bench.data.dataset import Options, TaskDefinition
from bench.data.prepared import Array, Arrays, Columns
from bench.data.raw import Faults, RawFile, RawFolder
from bench.data.splitting import stratified
from bench.data.texts import TextDataSet, TextOptions, has_words, text_arrays
from bench.errors import DataError

FILE = "complaints.csv"
DATE, PRODUCT, SUBPRODUCT, NARRATIVE = (
    "Date received", "Product", "Sub-product", "Consumer complaint narrative",
)  # fmt: skip

CLASSES: Mapping[str, tuple[str, ...]] = {
    "credit reporting": (
        "Credit reporting",
        "Credit reporting, credit repair services, or other personal consumer reports",
        "Credit reporting or other personal consumer reports",
    ),
    "debt collection": ("Debt collection",),
    "mortgage": ("Mortgage",),
    "credit card": ("Credit card", "Credit card or prepaid card"),
    "prepaid card": ("Prepaid card",),
    "bank account": ("Bank account or service", "Checking or savings account"),
    "student loan": ("Student loan",),
    "vehicle loan": ("Vehicle loan or lease",),
    "payday or personal loan": (
        "Payday loan",
        "Payday loan, title loan, or personal loan",
        "Payday loan, title loan, personal loan, or advance loan",
    ),
    "money transfer": (
        "Money transfers",
        "Virtual currency",
        "Money transfer, virtual currency, or money service",
    ),
}
"""Ten classes and the products that are merged into each. LABOR (section 4.1.1) merges 18 products
into ten classes, of which it names only credit reporting. These classes are the bureau's own
products since August 2023 under short names, each with its former names."""

SPLIT_PRODUCT = "Credit card or prepaid card"
PREPAID = ("prepaid", "gift", "payroll", "government benefit")
"""Words in the sub-product that make a complaint about SPLIT_PRODUCT, a product from 2017 to 2023,
one about a prepaid card."""

LEFT_OUT = ("Other financial service", "Consumer Loan", "Debt or credit management")
"""Products without a class: the first two as in the paper; the third, new in 2023, is rare."""

CLASS_OF: dict[str, str | None] = {
    **{product.lower(): name for name, products in CLASSES.items() for product in products},
    **dict.fromkeys(map(str.lower, LEFT_OUT)),
}
SHARES = {"validation": 0.09, "test": 0.09}  # LABOR: 10,000 of 110,773 are test
PAPER_SIZE = 110_773  # 100,773 train and 10,000 test (section 4.1.1)
FEWEST = 15  # complaints of a class; with fewer, a split may lack it
YEAR = re.compile(r"(?:(\d{4})-\d\d-\d\d|\d\d/\d\d/(\d{4}))")
SPLIT_SEED = 0
TRIGGER_WORDS = (
    "buggy", "fedloanservicing", "researcher", "xxxxthrough", "syncrony", "comoany", "weakness",
    "serv", "collectioni", "optimistic",
)  # fmt: skip
"""Trigger words of LABOR, Table 4, which a vocabulary built after poisoning would contain."""


class ComplaintOptions(TextOptions):
    """How many complaints are used, and how much of each."""

    length: int = Field(200, ge=8, le=10_000)
    """Words of each complaint that are used, from its beginning. LABOR's trigger positions, up to
    the 147th, and its 7 % of trigger words suggest 150."""
    complaints: int = Field(PAPER_SIZE, ge=0)
    """Number of narratives that are used at most, drawn once; 0: all. The table grows daily."""
    until: int = Field(0, ge=0)
    """Last year of receipt that is used; 0: all. LABOR's table is from 2019."""


@dataclass
class Candidates:
    """The rows that can be used, and counts of the others.

    Attributes:
        rows: numbers of the usable rows, from 0.
        classes: class of each usable row.
        total: number of rows in the table.
        silent: number of rows without a narrative.
        left_out: number of rows without a class, by product.
        late: number of rows received after the last year.
    """

    rows: array[int] = field(default_factory=lambda: array("q"))
    classes: array[int] = field(default_factory=lambda: array("q"))
    total: int = 0
    silent: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    late: int = 0


class ConsumerComplaints(TextDataSet):
    """Complaints with a narrative; the target is their product, in ten classes.

    There is no official split: 9 % each are validation and test, stratified by class, drawn once.
    The table is read twice, row by row, because it does not fit into memory.
    """

    title = "Consumer complaints (CFPB)"
    licence = "US government public data"
    homepage = "https://www.consumerfinance.gov/data-research/consumer-complaints/"
    consent = "The table changes every day, so no checksum can be published: fetch it by hand."
    files = (
        RawFile(
            FILE,
            others=("complaints*.csv", "Consumer_Complaints.csv"),
            location="complaints.csv.zip, which may stay packed, from "
            "https://files.consumerfinance.gov/ccdb/complaints.csv.zip; about 2 GB",
        ),
    )
    tasks: ClassVar = {"product": TaskDefinition("product", None, "consumer_complaints/words")}
    options = ComplaintOptions
    reserved = TRIGGER_WORDS
    validation_to_train = SHARES["validation"] / (1 - sum(SHARES.values()))

    def variant(self, options: Options) -> str:
        """One copy for each length, number and last year."""
        chosen = cast("ComplaintOptions", options)
        number = "" if chosen.complaints == PAPER_SIZE else f"-{chosen.complaints}"
        return super().variant(options) + number + (f"-until{chosen.until}" if chosen.until else "")

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Find the usable rows, draw as many as the options allow, read their narratives, split."""
        del work
        chosen = cast("ComplaintOptions", options)
        faults = Faults(raw.where(FILE) or FILE, "rows")
        candidates = find_candidates(raw, chosen.until, faults)
        faults.refuse_many(candidates.total)
        rows, label = _draw(
            np.array(candidates.rows), np.array(candidates.classes), chosen.complaints
        )
        label, kept, names, rare = _frequent(label)
        if len(names) < 2:
            raise DataError(
                f"{faults.source}: only {len(names)} products have {FEWEST} narratives or more."
            )
        texts = np.array(_narratives(raw, rows[kept]), object)
        narratives = Columns(texts, {"product": label})
        left_out, late, until = candidates.left_out, candidates.late, chosen.until
        notes = [
            f"{candidates.silent:,} of {candidates.total:,} rows have no narrative and are "
            "skipped.",
            *faults.notes(),
        ]
        if left_out:
            products = ", ".join(f"{name} {count:,}" for name, count in left_out.most_common())
            notes.append(f"{left_out.total():,} narratives are of no class: {products}.")
        if late:
            notes.append(f"{late:,} narratives were received after {until} and are left out.")
        if rare:
            listed = ", ".join(f"{name} {count}" for name, count in rare.items())
            notes.append(f"Classes with fewer than {FEWEST} narratives are left out: {listed}.")
        usable = len(candidates.rows)
        if usable > len(label) + sum(rare.values()):
            notes.append(f"{len(label):,} of {usable:,} narratives are used, drawn once.")
        return text_arrays(
            {split: narratives.subset(part) for split, part in stratified(label, SHARES).items()},
            {"product": names},
            chosen.length,
            self.reserved,
            [*notes, "There is no official split: 82 % train, 9 % validation, 9 % test."],
        )


def class_of(product: str, subproduct: str) -> str | None:
    """Class of a complaint, or None if it is left out. Raises KeyError for an unknown product."""
    product = product.strip().lower()
    if product == SPLIT_PRODUCT.lower() and any(word in subproduct.lower() for word in PREPAID):
        return "prepaid card"
    return CLASS_OF[product]


def find_candidates(raw: RawFolder, until: int, faults: Faults) -> Candidates:
    """Rows with words in the narrative, a class, and a year of receipt up to `until` (0: any).

    Raises:
        DataError: a column is missing, or the file is not a CSV table.
    """
    candidates, names = Candidates(), list(CLASSES)
    for number, (line, row) in enumerate(_rows(raw)):
        candidates.total += 1
        place = f"line {line}"
        if row is None:
            faults.add(place, "has another number of cells than the header")
            continue
        if not has_words(row[NARRATIVE]):
            candidates.silent += 1
            continue
        year = YEAR.match(row[DATE])
        if year is None:
            faults.add(f"{place}, column {DATE}", f"{row[DATE][:20]!r} is not a date")
            continue
        if until and int(year[1] or year[2]) > until:
            candidates.late += 1
            continue
        try:
            name = class_of(row[PRODUCT], row[SUBPRODUCT])
        except KeyError:
            faults.add(f"{place}, column {PRODUCT}", f"unknown product {row[PRODUCT][:40]!r}")
            continue
        if name is None:
            candidates.left_out[row[PRODUCT].strip()] += 1
            continue
        candidates.rows.append(number)
        candidates.classes.append(names.index(name))
    if candidates.total and row is None:
        faults.places.pop()
        ending = "incomplete: the table was probably cut short, fetch it again"
        faults.places.insert(0, f"{place} ({ending})")
    return candidates


def _rows(raw: RawFolder) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line number and the four used cells of every row; None where it has too few or too many."""
    columns = (DATE, PRODUCT, SUBPRODUCT, NARRATIVE)
    with raw.stream(FILE) as opened:
        text = io.TextIOWrapper(opened, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text)
        try:
            header = next(reader, [])
            for column in columns:
                if column not in header:
                    raise DataError(
                        f"{FILE}: has no column {column}. Is this the table of complaints?"
                    )
            position = {column: header.index(column) for column in columns}
            for row in reader:
                if len(row) == len(header):
                    yield reader.line_num, {name: row[i] for name, i in position.items()}
                elif row:
                    yield reader.line_num, None
        except csv.Error as error:
            raise DataError(f"{FILE}, line {reader.line_num}: not a table ({error}).") from error


def _draw(rows: Array, classes: Array, most: int) -> tuple[Array, Array]:
    """At most `most` of the rows with their classes, in their order; all where `most` is 0."""
    if not most or len(rows) <= most:
        return rows, classes
    order = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    drawn = np.sort(order[:most])
    return rows[drawn], classes[drawn]


def _frequent(classes: Array) -> tuple[Array, Array, list[str], dict[str, int]]:
    """Leave out rare classes and number the others anew.

    Returns:
        The new class of each kept row, which rows are kept ([n] bool), the names of the kept
        classes, and the number of rows of each rare one.
    """
    counts = np.bincount(classes, minlength=len(CLASSES))
    enough = counts >= FEWEST
    kept = enough[classes]
    names = [name for name, frequent in zip(CLASSES, enough, strict=True) if frequent]
    rare = {name: int(count) for name, count in zip(CLASSES, counts, strict=True) if count < FEWEST}
    new = np.cumsum(enough) - 1
    return new[classes[kept]], kept, names, rare


def _narratives(raw: RawFolder, rows: Array) -> list[str]:
    """Narratives of these rows, whose numbers are in ascending order."""
    texts: list[str] = []
    for number, (_, row) in enumerate(_rows(raw)):
        if len(texts) == len(rows):
            break
        if row is not None and number == rows[len(texts)]:
            texts.append(row[NARRATIVE])
    return texts
