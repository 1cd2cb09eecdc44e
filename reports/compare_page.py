"""A comparison of two sets of results as a page of its own."""

from __future__ import annotations

from itertools import groupby

from reports.compare import RULE, Comparison, Verdict
from reports.rendering import templates

BADGES = {
    Verdict.BETTER: "ok",
    Verdict.WORSE: "failed",
    Verdict.GONE: "failed",
    Verdict.CHANGED: "timeout",
    Verdict.NEW: "timeout",
    Verdict.UNCLEAR: "skipped",
    Verdict.UNTESTED: "missing",
    Verdict.EQUAL: "skipped",
}
"""The colour of a verdict: that of the way to end which is as good or bad."""


def page(made: Comparison) -> str:
    """One file that opens from anywhere; what changed stands first in each suite's table."""
    order = list(Verdict)
    changes = sorted(
        made.changes, key=lambda c: (c.cell[0], not c.verdict.matters, order.index(c.verdict))
    )
    return (
        templates()
        .get_template("compare.html.j2")
        .render(
            kind="tables",
            made=made,
            suites=[(name, list(mine)) for name, mine in groupby(changes, lambda c: c.cell[0])],
            badges=BADGES,
            rule=RULE,
        )
    )
