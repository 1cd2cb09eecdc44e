"""Complaints: products merged into ten classes, narratives drawn, rows that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.consumer_complaints import (
    CLASSES,
    LEFT_OUT,
    TRIGGER_WORDS,
    ComplaintOptions,
    class_of,
)
from bench.data.dataset import Library, data_set
from bench.errors import DataError, UsageError
from tests.data.picture_examples import zipped
from tests.data.raw_examples import assert_nothing_is_left
from tests.data.text_examples import (
    COMPLAINT_COLUMNS,
    PRODUCTS,
    complaint,
    complaint_rows,
    complaints_csv,
    write_complaints,
)

OPTIONS = ComplaintOptions()

# The 18 products of the table of 2019, the year of the paper's.
PRODUCTS_OF_2019 = (
    "Bank account or service", "Checking or savings account", "Consumer Loan", "Credit card",
    "Credit card or prepaid card", "Credit reporting",
    "Credit reporting, credit repair services, or other personal consumer reports",
    "Debt collection", "Money transfer, virtual currency, or money service", "Money transfers",
    "Mortgage", "Other financial service", "Payday loan",
    "Payday loan, title loan, or personal loan", "Prepaid card", "Student loan",
    "Vehicle loan or lease", "Virtual currency",
)  # fmt: skip


def test_every_product_of_2019_is_in_one_of_ten_classes_or_left_out() -> None:
    assert len(PRODUCTS_OF_2019) == 18
    assert len(CLASSES) == 10
    merged = [product for products in CLASSES.values() for product in products]
    assert len(merged) == len(set(merged))
    assert set(PRODUCTS_OF_2019) <= {*merged, *LEFT_OUT}
    assert {class_of(product, "") for product in merged} == set(CLASSES)


@pytest.mark.parametrize(
    ("product", "subproduct", "expected"),
    [
        ("Credit reporting", "", "credit reporting"),
        ("CREDIT CARD OR PREPAID CARD", "Store credit card", "credit card"),
        ("Credit card or prepaid card", "General-purpose prepaid card", "prepaid card"),
        ("Credit card or prepaid card", "Government benefit card", "prepaid card"),
        ("Credit card or prepaid card", "Gift card", "prepaid card"),
        ("Credit card", "Gift card", "credit card"),
        (" Virtual currency ", "", "money transfer"),
        ("Consumer Loan", "Vehicle loan", None),
        ("Other financial service", "", None),
        ("Debt or credit management", "", None),
    ],
)
def test_the_class_follows_from_product_and_subproduct(
    product: str, subproduct: str, expected: str | None
) -> None:
    assert class_of(product, subproduct) == expected


def test_narratives_stand_in_their_rows_with_their_class(example_signals: Library) -> None:
    meta = example_signals.meta("consumer_complaints")
    assert meta is not None
    assert meta.columns is not None
    assert meta.attributes == {"product": list(CLASSES)}
    assert meta.sizes == {"train": 164, "validation": 18, "test": 18}
    assert meta.notes[0] == "200 of 400 rows have no narrative and are skipped."
    second = [product.lower().split()[0] for product in PRODUCTS]
    for split in example_signals.splits("consumer_complaints", "product", OPTIONS).values():
        for ids, label in zip(split.x, split.y, strict=True):
            read = [meta.columns[i] for i in ids[:6]]
            assert read == ["they", "said", "xxxx", "about", "my", second[label]]
    assert set(TRIGGER_WORDS) <= set(meta.columns)


def test_the_zip_of_the_bureau_is_read_without_unpacking(library: Library) -> None:
    folder = write_complaints(library)
    first = library.prepare("consumer_complaints").hash
    content = (folder / "complaints.csv").read_bytes()
    (folder / "complaints.csv").unlink()
    (folder / "complaints.csv.zip").write_bytes(zipped({"complaints.csv": content}))
    assert library.prepare("consumer_complaints").hash == first


def test_so_many_are_drawn_as_asked_for_and_always_the_same(library: Library) -> None:
    write_complaints(library)
    options = ComplaintOptions(complaints=180)
    meta = library.prepare("consumer_complaints", options)
    assert (
        sum(meta.sizes.values())
        + sum(  # what is drawn of rare classes is left out again
            int(part.rsplit(" ", 1)[1].rstrip("."))
            for note in meta.notes
            if note.startswith("Classes with fewer")
            for part in note.partition(": ")[2].split(", ")
        )
        == 180
    )
    assert library.prepare("consumer_complaints", options).hash == meta.hash
    assert library.prepare("consumer_complaints", ComplaintOptions(complaints=0)).sizes == {
        "train": 164, "validation": 18, "test": 18,
    }  # fmt: skip


def test_a_variant_names_all_that_decides_the_arrays() -> None:
    data = data_set("consumer_complaints")
    assert data.variant(OPTIONS) == "200words"
    asked = ComplaintOptions(length=150, complaints=9, until=2019, train_size=3)
    assert data.variant(asked) == "150words-9-until2019"


def test_what_is_of_no_class_too_late_or_rare_is_counted(library: Library) -> None:
    rows = [row for row in complaint_rows() if row[1] != "Prepaid card"]
    rows += [complaint("Consumer Loan", "my loan")] * 3
    rows += [complaint("Other financial service", "my cheque")]
    rows += [complaint("Mortgage", "too late", date="2020-01-01")] * 2
    rows += [complaint("Mortgage", "in time", date="12/31/2019")]
    rows += [complaint("Prepaid card", "my card")] * 14
    write_complaints(library, rows)
    meta = library.prepare("consumer_complaints", ComplaintOptions(until=2019))
    assert sum(meta.sizes.values()) == 181
    assert meta.attributes["product"] == [name for name in CLASSES if name != "prepaid card"]
    assert meta.notes[1:4] == [
        "4 narratives are of no class: Consumer Loan 3, Other financial service 1.",
        "2 narratives were received after 2019 and are left out.",
        "Classes with fewer than 15 narratives are left out: prepaid card 14.",
    ]


def test_a_last_row_that_was_cut_is_named_and_left_out(library: Library) -> None:
    folder = write_complaints(library)
    text = complaints_csv(complaint_rows())
    (folder / "complaints.csv").write_text(text + '2023-07-17,"Credit reporting, cre', newline="")
    meta = library.prepare("consumer_complaints")
    lines = text.count("\n") + 1
    assert meta.notes[1] == (
        f"1 unusable rows are left out: line {lines} (incomplete: the table was probably "
        "cut short, fetch it again)."
    )


def test_unknown_products_and_dates_are_named(library: Library) -> None:
    rows = [complaint("Spaceship loan", "my ship"), complaint("Mortgage", "when", date="soon")]
    write_complaints(library, rows + complaint_rows())
    assert library.prepare("consumer_complaints").notes[1] == (
        "2 unusable rows are left out: line 2, column Product (unknown product 'Spaceship loan'), "
        "line 3, column Date received ('soon' is not a date)."
    )


BROKEN = {
    "no narratives": ([row for row in complaint_rows() if not row[5]], "only 0 products have 15"),
    "one product": (
        [row for row in complaint_rows() if row[1] == "Mortgage"],
        "only 1 products have 15 narratives or more",
    ),
    "many unknown products": (
        complaint_rows() + [complaint("Spaceship loan", "my ship")] * 11,
        "11 of 411 rows cannot be used, more than the 10 that are tolerated: line 602, column "
        "Product (unknown product 'Spaceship loan')",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_table_that_cannot_be_used_is_named(library: Library, what: str) -> None:
    rows, message = BROKEN[what]
    write_complaints(library, rows)
    with pytest.raises(DataError) as error:
        library.prepare("consumer_complaints")
    assert message in str(error.value)
    assert_nothing_is_left(library)


def test_another_table_is_refused(library: Library) -> None:
    folder = write_complaints(library)
    header = ",".join(COMPLAINT_COLUMNS).replace("Consumer complaint narrative", "Story")
    (folder / "complaints.csv").write_text(header + "\n")
    with pytest.raises(DataError, match=r"complaints.csv: has no column Consumer complaint narr"):
        library.prepare("consumer_complaints")


def test_it_is_fetched_by_hand(library: Library) -> None:
    with pytest.raises(UsageError) as error:
        library.get("consumer_complaints")
    assert "https://files.consumerfinance.gov/ccdb/complaints.csv.zip" in str(error.value)
    assert "changes every day" in str(error.value)


def test_the_real_sample_has_its_known_numbers(real_signals: Library) -> None:
    meta = real_signals.meta("consumer_complaints")
    assert meta is not None
    assert meta.notes[0] == "1,678 of 2,068 rows have no narrative and are skipped."
    assert meta.notes[1].startswith("1 unusable rows are left out: line 3302 ")  # the file is cut
    assert sum(meta.sizes.values()) == 368
    splits = real_signals.splits("consumer_complaints", "product", OPTIONS)
    counts = sum(np.bincount(split.y, minlength=5) for split in splits.values())
    # Of 52 cards three are prepaid ones; the other classes as the file has them.
    assert dict(zip(meta.attributes["product"], counts.tolist(), strict=True)) == {
        "credit reporting": 258,
        "debt collection": 16,
        "mortgage": 17,
        "credit card": 49,
        "bank account": 28,
    }


def test_a_table_that_ends_in_a_row_is_said_to_be_cut(library: Library) -> None:
    folder = write_complaints(library)
    path = folder / "complaints.csv"
    path.write_bytes(path.read_bytes()[:-4])
    meta = library.prepare("consumer_complaints")
    assert "incomplete: the table was probably cut short, fetch it again" in " ".join(meta.notes)
