"""Consumer complaints: what people told the US consumer financial protection bureau, by product."""

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
from bench.data.faults import Faults
from bench.data.prepared import Array, Arrays
from bench.data.raw import RawFile, RawFolder
from bench.data.splitting import stratified
from bench.data.texts import TextDataSet, TextOptions, Texts, has_words, text_arrays
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
"""Ten classes and the products that are merged into them. LABOR (section 4.1.1) merges related
ones of 18 products into ten classes, of which it names only credit reporting. These are the
bureau's own products since August 2023 under short names, each with its former names."""

SPLIT_PRODUCT = "Credit card or prepaid card"
PREPAID = ("prepaid", "gift", "payroll", "government benefit")
"""Words in the sub-product by which SPLIT_PRODUCT, in use from 2017 to 2023, is a prepaid card."""

LEFT_OUT = ("Other financial service", "Consumer Loan", "Debt or credit management")
"""Products that are no class: the first two as in the paper; the third, new in 2023, is rare."""

CLASS_OF: dict[str, str | None] = {
    **{product.lower(): name for name, products in CLASSES.items() for product in products},
    **dict.fromkeys(map(str.lower, LEFT_OUT)),
}
SHARES = {"validation": 0.09, "test": 0.09}  # LABOR: 10,000 of 110,773 are test
PAPER_SIZE = 110_773  # 100,773 train and 10,000 test (section 4.1.1)
FEWEST = 15  # complaints of a class; fewer may leave a split without it
YEAR = re.compile(r"(?:(\d{4})-\d\d-\d\d|\d\d/\d\d/(\d{4}))")
SPLIT_SEED = 0
TRIGGER_WORDS = (
    "buggy", "fedloanservicing", "researcher", "xxxxthrough", "syncrony", "comoany", "weakness",
    "serv", "collectioni", "optimistic",
)  # fmt: skip
"""Those of LABOR, Table 4. A vocabulary made after poisoning would hold them."""


class ComplaintOptions(TextOptions):
    """How many complaints are used, and how much of each."""

    length: int = Field(200, ge=8, le=10_000)
    """Words of each complaint that are used, from its beginning. The trigger positions of LABOR,
    up to the 147th, and its 7 % of trigger words suggest 150."""
    complaints: int = Field(PAPER_SIZE, ge=0)
    """Narratives that are used at most, drawn once; 0: all. The table grows every day."""
    until: int = Field(0, ge=0)
    """Last year of receipt that is used; 0: all. LABOR's table is of 2019."""


@dataclass
class Candidates:
    """Rows that could be used; what is counted of the others.

    Attributes:
        rows: numbers of the rows, from 0.
        classes: position of each one's class.
        total: rows of the table.
        silent: those without a narrative.
        left_out: those of no class, by product.
        late: those received too late.
    """

    rows: array[int] = field(default_factory=lambda: array("q"))
    classes: array[int] = field(default_factory=lambda: array("q"))
    total: int = 0
    silent: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    late: int = 0


class ConsumerComplaints(TextDataSet):
    """Complaints with a narrative; their product, in ten classes, is the target.

    There is no official split: 9 % each are validation and test, stratified by class, drawn once.
    The table is read twice, row by row, and never held as a whole.
    """

    title = "Consumer complaints (CFPB)"
    licence = "US government public data"
    homepage = "https://www.consumerfinance.gov/data-research/consumer-complaints/"
    consent = "The table changes every day, so no checksum can be published: fetch it by hand."
    files = (
        RawFile(
            FILE,
            others=("complaints*.csv", "Consumer_Complaints.csv"),
            found="complaints.csv.zip, which may stay packed, from "
            "https://files.consumerfinance.gov/ccdb/complaints.csv.zip; about 2 GB",
        ),
    )
    tasks: ClassVar = {"product": TaskDefinition("product", None, "consumer_complaints/words")}
    options = ComplaintOptions
    reserved = TRIGGER_WORDS
    validation_to_train = SHARES["validation"] / (1 - sum(SHARES.values()))

    def variant(self, options: Options) -> str:
        """One copy for each length, number and last year."""
        asked = cast("ComplaintOptions", options)
        number = "" if asked.complaints == PAPER_SIZE else f"-{asked.complaints}"
        return super().variant(options) + number + (f"-until{asked.until}" if asked.until else "")

    def prepare(self, raw: RawFolder, options: Options, work: Path) -> Arrays:
        """Find the rows that can be used, draw some, read their narratives, split."""
        del work
        asked = cast("ComplaintOptions", options)
        faults = Faults(raw.where(FILE) or FILE, "rows")
        found = find_candidates(raw, asked.until, faults)
        faults.refuse_many(found.total)
        chosen, label = _draw(np.array(found.rows), np.array(found.classes), asked.complaints)
        label, kept, names, rare = _present(label)
        chosen = chosen[kept]
        if len(names) < 2:
            raise DataError(
                f"{faults.source}: only {len(names)} products have {FEWEST} narratives or more."
            )
        narratives = _narratives(raw, chosen)
        parts = stratified(label, SHARES, SPLIT_SEED)
        notes = [
            f"{found.silent:,} of {found.total:,} rows have no narrative and are skipped.",
            *faults.notes(),
            *_left_out_notes(found, asked.until),
            *_rare_notes(rare),
        ]
        if len(found.rows) > len(label) + sum(rare.values()):
            notes.append(f"{len(label):,} of {len(found.rows):,} narratives are used, drawn once.")
        return text_arrays(
            {
                split: Texts([narratives[i] for i in rows], {"product": label[rows]})
                for split, rows in parts.items()
            },
            {"product": names},
            asked.length,
            self.reserved,
            [*notes, "There is no official split: 82 % train, 9 % validation, 9 % test."],
        )


def class_of(product: str, subproduct: str) -> str | None:
    """Class of a complaint; None for products that are left out.

    Raises:
        KeyError: a product that no table of the bureau has had.
    """
    product = product.strip().lower()
    if product == SPLIT_PRODUCT.lower() and any(word in subproduct.lower() for word in PREPAID):
        return "prepaid card"
    return CLASS_OF[product]


def find_candidates(raw: RawFolder, until: int, faults: Faults) -> Candidates:
    """Rows with a narrative of some words, a class, and a year of receipt up to `until` (0: any).

    Raises:
        DataError: a column is missing, or the file is no table.
    """
    found, names = Candidates(), list(CLASSES)
    for number, (line, row) in enumerate(_rows(raw)):
        found.total += 1
        place = f"line {line}"
        if row is None:
            faults.add(place, "has another number of cells than the header")
            continue
        if not has_words(row[NARRATIVE]):
            found.silent += 1
            continue
        year = YEAR.match(row[DATE])
        if year is None:
            faults.add(f"{place}, column {DATE}", f"{row[DATE][:20]!r} is no date")
            continue
        if until and int(year[1] or year[2]) > until:
            found.late += 1
            continue
        try:
            name = class_of(row[PRODUCT], row[SUBPRODUCT])
        except KeyError:
            faults.add(f"{place}, column {PRODUCT}", f"unknown product {row[PRODUCT][:40]!r}")
            continue
        if name is None:
            found.left_out[row[PRODUCT].strip()] += 1
            continue
        found.rows.append(number)
        found.classes.append(names.index(name))
    return found


def _rows(raw: RawFolder) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line and wanted cells of every row; None where it has too few or too many."""
    wanted = (DATE, PRODUCT, SUBPRODUCT, NARRATIVE)
    with raw.stream(FILE) as opened:
        text = io.TextIOWrapper(opened, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text)
        try:
            header = next(reader, [])
            for column in wanted:
                if column not in header:
                    raise DataError(
                        f"{FILE}: has no column {column}. Is this the table of complaints?"
                    )
            places = {column: header.index(column) for column in wanted}
            for row in reader:
                if len(row) == len(header):
                    yield reader.line_num, {name: row[i] for name, i in places.items()}
                elif row:
                    yield reader.line_num, None
        except csv.Error as error:
            raise DataError(f"{FILE}, line {reader.line_num}: not a table ({error}).") from error


def _draw(rows: Array, classes: Array, most: int) -> tuple[Array, Array]:
    """At most so many of the rows, in their order; all where `most` is 0."""
    if not most or len(rows) <= most:
        return rows, classes
    order = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    some = np.sort(order[:most])
    return rows[some], classes[some]


def _present(classes: Array) -> tuple[Array, Array, list[str], dict[str, int]]:
    """Classes that are frequent enough, numbered anew.

    Returns:
        The new class of each kept row, which rows are kept [n] bool, the names of the classes,
        and how many rows each of the others has.
    """
    counts = np.bincount(classes, minlength=len(CLASSES))
    enough = counts >= FEWEST
    kept = enough[classes]
    names = [name for name, frequent in zip(CLASSES, enough, strict=True) if frequent]
    rare = {name: int(count) for name, count in zip(CLASSES, counts, strict=True) if count < FEWEST}
    new = np.cumsum(enough) - 1
    return new[classes[kept]], kept, names, rare


def _narratives(raw: RawFolder, rows: Array) -> list[str]:
    """Narratives of these rows, given in ascending order."""
    texts: list[str] = []
    for number, (_, row) in enumerate(_rows(raw)):
        if len(texts) == len(rows):
            break
        if row is not None and number == rows[len(texts)]:
            texts.append(row[NARRATIVE])
    return texts


def _rare_notes(rare: Mapping[str, int]) -> list[str]:
    if not rare:
        return []
    listed = ", ".join(f"{name} {count}" for name, count in rare.items())
    return [f"Classes with fewer than {FEWEST} narratives are left out: {listed}."]


def _left_out_notes(found: Candidates, until: int) -> list[str]:
    notes = []
    if found.left_out:
        products = ", ".join(f"{name} {count:,}" for name, count in found.left_out.most_common())
        notes.append(f"{found.left_out.total():,} narratives are of no class: {products}.")
    if found.late:
        notes.append(f"{found.late:,} narratives were received after {until} and are left out.")
    return notes
