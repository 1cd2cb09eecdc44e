"""Figures of the papers: which one is quoted, and under whose name."""

from __future__ import annotations

import pytest

from reports.published import Published, lookup, source_words

ADULT = "adult/income_over_50k|sex"


def test_an_exact_label_gives_the_figure_with_its_table() -> None:
    assert lookup(ADULT, "bade", "odds") == Published(3.41, None, "BaDe 2024, Table 3", "bade")


def test_a_variant_without_a_figure_borrows_its_bases_and_says_so() -> None:
    found = lookup(ADULT, "bade[strength=auto]", "odds")
    assert found is not None
    assert (found.value, found.of) == (3.41, "bade")


def test_a_variant_with_its_own_figure_keeps_it() -> None:
    task = "imagenet_compatible/attack"
    found = lookup(task, "pieapp[a=5]", "l1")
    assert found is not None
    assert (found.value, found.of) == (3925.55, "pieapp[a=5]")


def test_the_lowest_table_is_quoted_with_its_spread() -> None:
    found = lookup("celeba/attractive|male", "standard", "odds")
    assert found == Published(25.83, 0.95, "BaDe 2024, Table 1", "standard")


def test_metrics_printed_a_thousandfold_come_back_in_their_own_unit() -> None:
    found = lookup("imagenet_compatible/attack", "lpa", "lpips")
    assert found is not None
    assert found.value == pytest.approx(0.05164)


def test_a_setting_in_the_note_stays_with_the_figure() -> None:
    found = lookup("cifar10/partial", "labor", "asr")
    assert found is not None
    assert (found.value, found.source) == (12.24, "LABOR 2025, Table 3, backbone=resnet18")


@pytest.mark.parametrize(
    ("task", "method", "metric"),
    [(None, "bade", "odds"), ("nowhere/x", "bade", "odds"), (ADULT, "nobody", "odds"),
     (ADULT, "bade", "auc")],
)  # fmt: skip
def test_what_was_never_published_is_none(task: str | None, method: str, metric: str) -> None:
    assert lookup(task, method, metric) is None


@pytest.mark.parametrize(
    ("table", "words"),
    [("3", "BaDe 2024, Table 3"), ("fig 4", "BaDe 2024, Figure 4"),
     ("text 5.1-5.2", "BaDe 2024, section 5.1-5.2")],
)  # fmt: skip
def test_places_in_a_paper_are_named_in_words(table: str, words: str) -> None:
    assert source_words("bade", table) == words
