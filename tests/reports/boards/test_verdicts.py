"""Comparisons of a task and the sentences made of them: true, and honest where nothing is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.reports import wording
from bench.reports.boards.leaderboard import Board
from bench.reports.boards.published import Agreement, PublishedFigure, agreement
from bench.reports.boards.verdicts import (
    COMPARISON_RULE,
    Comparisons,
    comparisons,
    reference_of,
    verdict,
)
from bench.reports.statistics.paired import paired
from tests.reports.boards_by_hand import Values, board_of

STANDARD = (8.0, 8.3, 7.9, 8.1, 8.2)
BADE = (5.0, 5.2, 5.1, 5.1, 5.3)
RNF = (5.1, 5.0, 5.3, 5.2, 5.4)
NOISY = (7.0, 9.9, 6.1, 9.8, 7.4)
FOUR: Values = {"bade": BADE, "noisy": NOISY, "rnf": RNF, "standard": STANDARD}


def only(board: Board) -> Comparisons:
    (made,) = comparisons(board)
    return made


def sentence(board: Board) -> str:
    return verdict(board, comparisons(board))[0].replace("\u00a0", " ")


def test_every_method_is_compared_with_the_reference_and_the_best_by_holm() -> None:
    made = only(board_of(FOUR))
    assert made.reference is not None
    assert made.best is not None
    assert (made.reference.method.label, made.best.method.label) == ("standard", "bade")
    against = {line.row.method.label: line for line in made.lines}
    assert against["standard"].with_reference is None
    assert against["bade"].with_best is None
    for other, others in (
        ("standard", ("bade", "noisy", "rnf")),
        ("bade", ("noisy", "rnf", "standard")),
    ):
        raw = [stats.ttest_rel(FOUR[m], FOUR[other]).pvalue for m in others]
        expected = multipletests(raw, method="holm")[1]
        for label, p in zip(others, expected, strict=True):
            line = against[label]
            tested = line.with_reference if other == "standard" else line.with_best
            assert tested is not None
            assert tested.p_t == pytest.approx(p, rel=1e-6)
            # Of five differences the least p is 1/16, three times corrected.
            assert tested.p_wilcoxon is not None
            assert tested.p_wilcoxon >= 3 / 16 - 1e-12 or label == "noisy"
    assert made.counts == (2, 0, 3)


def test_effect_and_interval_are_those_of_the_paired_differences() -> None:
    made = only(board_of(FOUR))
    bade = next(line.with_reference for line in made.lines if line.row.method.label == "bade")
    assert bade is not None
    expected = paired([x / 100 for x in BADE], [x / 100 for x in STANDARD])
    assert bade.pair.effect == pytest.approx(expected.effect)
    assert bade.pair.interval == pytest.approx(expected.interval)
    assert (bade.better, bade.is_significant) == (True, True)


def test_a_sentence_says_who_leads_by_how_much_and_how_sure_that_is() -> None:
    # Differences -3.0, -3.1, -2.8, -3.0, -2.9: mean -2.96, sd .114, t = 58 with 4 degrees; the
    # half-width is 2.776 * .114 / sqrt(5) = .14. noisy is worse than bade with p = .019, times 2.
    assert sentence(board_of(FOUR)) == (
        "On Odds, bade and rnf share the first place; bade is 2.96 points below standard "
        "(95 % 2.82 to 3.10, Holm p < .001)."
    )
    assert sentence(board_of({m: FOUR[m] for m in ("standard", "bade")})) == (
        "On Odds, bade is first, 2.96 points below standard (95 % 2.82 to 3.10, Holm p < .001)."
    )


def test_a_sentence_is_honest_where_nothing_is_significant() -> None:
    noisy = {"standard": STANDARD, "noisy": (7.0, 9.0, 6.1, 9.2, 7.4)}
    assert sentence(board_of(noisy)) == (
        # Mean -.36, sd 1.218: t = .661, half-width 2.776 * 1.218 / sqrt(5) = 1.51.
        "On Odds, no method is separated from noisy, which has the best mean; noisy is 0.36 "
        "points below standard (95 % −1.15 to 1.87, Holm p = .54: not significant)."
    )


@pytest.mark.parametrize(
    ("odds", "said"),
    [
        ({"standard": (5.0,), "bade": (4.0,)},
         "On Odds, bade is first, 1.00 points below standard (one common seed, not tested)."),
        ({"standard": (5.0, 6.0, 7.0), "bade": (4.0, 5.0, 6.0)},
         "On Odds, bade is first, 1.00 points below standard (the same on all 3 seeds)."),
        ({"standard": (5.0,), "bade": (5.0,)},
         "On Odds all methods have the same: 5.00 %."),
        ({"standard": (4.0, 4.1, 4.2), "bade": (9.0, 9.2, 9.1)},
         "On Odds, standard, the reference, is first."),
        ({"standard": (4.0, 4.4, 4.2), "bade": (4.1, 4.3, 4.4)},
         "On Odds, no method is separated from standard, the reference, which has the best mean."),
        ({"standard": (4.0, 4.4, 4.2), "bade": (4.1, 4.3, 4.4), "rnf": (9.0, 9.5, 9.3)},
         "On Odds, standard and bade share the first place; standard, the reference, has the best "
         "mean."),
        # No reference: -5.0, -5.1, -4.9 against the next, half-width 4.303 * .1 / sqrt(3).
        ({"rnf": (4.0, 4.1, 4.2), "bade": (9.0, 9.2, 9.1)},
         "On Odds, rnf is first, 5.00 points below bade (95 % 4.75 to 5.25, Holm p < .001)."),
        ({"bade": (4.0, 4.2)}, "On Odds only bade has a value: 4.10 ± 1.27 %."),
        ({"standard": (None,), "bade": (None,)}, "On Odds nothing has been measured yet."),
        ({"standard": (5.0, None), "bade": (None, 4.0)},
         "On Odds, bade is first; bade has no seed in common with standard."),
        ({"standard": (None, None, None), "bade": (4.0, 4.1, 4.2), "rnf": (9.0, 9.2, 9.1)},
         "On Odds, bade is first, 5.00 points below rnf (95 % 4.75 to 5.25, Holm p < .001)."),
    ],
)  # fmt: skip
def test_sentences_of_few_seeds_no_reference_and_failed_trials(odds: Values, said: str) -> None:
    assert sentence(board_of(odds)) == said


def test_the_better_direction_decides_who_is_better() -> None:
    odds = {"standard": STANDARD, "bade": BADE}
    eacc = {"standard": (70.0, 70.2, 70.1, 70.4, 70.3), "bade": (60.1, 60.2, 60.2, 60.4, 60.2)}
    board = board_of(odds, eacc)
    first, second = comparisons(board)
    assert (first.counts, second.counts) == ((1, 0, 1), (0, 1, 1))
    assert verdict(board, [second]) == ["On EAcc, standard, the reference, is first."]


def test_an_entry_with_a_caveat_takes_part_in_no_comparison() -> None:
    told = board_of({**FOUR, "oracle": (0.1, 0.2, 0.1, 0.2, 0.1)}, told=["oracle"])
    labels = [line.row.method.label for line in only(told).lines]
    assert sorted(labels) == sorted(FOUR)
    assert sentence(told) == sentence(board_of(FOUR))


@pytest.mark.parametrize(
    ("labels", "reference"),
    [
        (("bade", "no_defence", "standard"), "standard"),
        (("bade", "no_defence", "pgd"), "no_defence"),
        (("pgd[steps=20]", "pgd", "bade"), "pgd"),
        (("standard[width=2]", "standard[width=1]", "bade"), "standard[width=1]"),
        (("bade", "rnf"), None),
    ],
)
def test_the_reference_is_the_tracks_plain_method(
    labels: tuple[str, ...], reference: str | None
) -> None:
    row = reference_of(board_of({label: (1.0 + i,) for i, label in enumerate(labels)}))
    assert (row.method.label if row else None) == reference


steps = st.floats(0, 10).map(lambda x: round(x, 1))
several = st.integers(2, 5).flatmap(
    lambda n: st.dictionaries(
        st.sampled_from(["standard", "bade", "rnf", "mfd", "x"]),
        st.lists(steps, min_size=n, max_size=n),
        min_size=2,
    )
)


@settings(max_examples=60, deadline=None)
@given(several)
def test_the_order_of_the_methods_changes_nothing(odds: dict[str, list[float]]) -> None:
    there, back = board_of(odds), board_of(dict(reversed(odds.items())))
    assert verdict(there, comparisons(there)) == verdict(back, comparisons(back))
    both = only(there), only(back)
    tested = [
        {line.row.method.label: (line.with_reference, line.with_best) for line in made.lines}
        for made in both
    ]
    assert tested[0] == tested[1]


@settings(max_examples=60, deadline=None)
@given(several)
def test_who_shares_the_first_place_is_not_significantly_worse_than_the_best(
    odds: dict[str, list[float]],
) -> None:
    made = only(board_of(odds))
    for line in made.lines:
        place = line.row.cells["odds"].place
        assert place is not None
        if place.rank == 1 and line.with_best:
            assert not (line.with_best.is_significant and line.with_best.better is False)


@pytest.mark.parametrize(
    ("value", "spread", "found"),
    [
        (3.0, None, Agreement.INSIDE),
        (2.0, None, Agreement.INSIDE),
        (4.1, None, Agreement.OUTSIDE),
        (4.1, 0.2, Agreement.OVERLAPS),
        (1.5, 0.6, Agreement.OVERLAPS),
        (1.5, 0.4, Agreement.OUTSIDE),
    ],
)
def test_where_a_published_figure_lies(
    value: float, spread: float | None, found: Agreement
) -> None:
    assert agreement(PublishedFigure(value, spread, "a table", "bade"), (2.0, 4.0)) is found


def test_published_figures_are_counted_and_the_farthest_is_named() -> None:
    # Published Odds on Adult: bade 3.41, standard 4.92; the variant's figure is bade's own.
    odds = {
        "standard": (4.8, 5.0, 4.95),
        "bade": (5.0, 5.1, 5.2),
        "bade[strength=auto]": (3.4, 3.4, 3.5),
    }
    board = board_of(odds, published="adult/income_over_50k|sex")
    assert verdict(board, [])[-1] == (
        "Of 2 published figures, 1 lies in the measured interval; farthest off is bade on Odds, "
        "+1.69 points."
    )
    alone = board_of({"bade": (5.0,)}, published="adult/income_over_50k|sex")
    assert "one seed has no interval" in verdict(alone, [])[-1]
    assert verdict(board_of(odds), []) == []


def test_the_rule_of_comparisons_is_told_in_words() -> None:
    for word in (
        "plain method that its track names",
        "Holm",
        "Wilcoxon",
        "d_z",
        "5 %",
        "same on every seed",
    ):
        assert word in COMPARISON_RULE


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (0.0, "p < .001"), (0.00099, "p < .001"), (0.001, "p = .001"), (0.0042, "p = .004"),
        (0.0499, "p = .049"), (0.05, "p = .050"), (0.0996, "p = .100"), (0.123, "p = .12"),
        (0.999, "p = 1.00"), (1.0, "p = 1.00"),
    ],
)  # fmt: skip
def test_a_p_is_written_as_journals_do_and_never_rounded_over_five_percent(
    p: float, told: str
) -> None:
    assert wording.p_value(p) == told.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.2967, "0.30"), (0.00341, "0.0034"), (12.3, "12"), (340.0, "340"), (0.0, "0"), (1.0, "1.0")],
)
def test_a_rate_has_two_significant_digits(value: float, told: str) -> None:
    assert wording.rate(value) == told


def test_the_metric_that_decides_orders_the_board_alone_and_is_told_first() -> None:
    odds = {"bade": (5.0, 5.2), "noisy": (6.0, 6.3), "standard": (8.0, 8.3)}
    eacc = {"bade": (70.0, 70.1), "noisy": (80.0, 80.3), "standard": (79.0, 79.1)}
    by_both = board_of(odds, eacc)
    assert by_both.rows[0].method.label == "noisy"  # second and first, the others 1 and 3, 3 and 2
    board = board_of(odds, eacc, decides="odds")
    assert [row.method.label for row in board.rows] == ["bade", "noisy", "standard"]
    assert [metric.name for metric in board.ranking] == ["odds", "eacc"]
    other = board_of(odds, eacc, decides="eacc")
    told = verdict(other, comparisons(other))
    assert [sentence.partition(",")[0] for sentence in told] == ["On EAcc", "On Odds"]


def test_where_the_deciding_metric_was_not_measured_all_decide() -> None:
    board = board_of(FOUR, decides="eacc")
    assert [metric.name for metric in board.deciding] == ["odds"]
    assert board.rows[0].method.label == "bade"
