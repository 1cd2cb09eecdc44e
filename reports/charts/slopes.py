"""Accuracy by group on a covariate with its line, and the slopes of such lines over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.reports import wording
from bench.reports.boards.published import comparison
from bench.reports.charts import marks
from bench.reports.charts.axes import Axis, measured_axis, rows
from bench.reports.charts.colours import Style, nth_style
from bench.reports.charts.distributions import MIDDLE, ROW, box_plot, row_name
from bench.reports.charts.labels import shortened
from bench.reports.charts.subject import (
    Entry,
    FigureContent,
    Grid,
    Subject,
    record,
)
from bench.reports.statistics.slopes import RESAMPLES, Groups, TTest, by_group, versus
from bench.result import PlannedTask

SLOPE = "slope"
_SMALL, _LARGE = 2.5, 9.0
"""Radii of the groups with the fewest and the most samples."""


@dataclass(frozen=True)
class Sloped:
    """An entry with its slopes by seed and its groups."""

    entry: Entry
    style: Style
    slopes: dict[int, float]
    groups: Groups | None

    @property
    def mean(self) -> float:
        """The mean of the slopes."""
        return math.fsum(self.slopes.values()) / len(self.slopes)

    @property
    def covariate(self) -> str:
        """What the groups differ in, as titles have it."""
        return self.entry.task.covariate or "covariate"

    @property
    def points(self) -> list[tuple[str, float, float, float]]:
        """Name, covariate, accuracy in percent and number of samples of each group."""
        if self.groups is None:
            return []
        known, groups = self.entry.task.groups, self.groups
        names = [known[i] if i < len(known) else str(i) for i in groups.group.tolist()]
        numbers = groups.covariate, 100 * groups.accuracy, groups.samples
        return list(zip(names, *(array.tolist() for array in numbers), strict=True))


def with_slopes(subject: Subject) -> list[Sloped]:
    """The entries that have slopes, in the plan's order."""
    kept = [
        (entry, dict(cell.seeds))
        for entry in subject.entries
        if (cell := entry.row.cells.get(SLOPE)) and cell.seeds
    ]
    return [
        Sloped(entry, nth_style(i), slopes, by_group(entry.row.results))
        for i, (entry, slopes) in enumerate(kept)
    ]


def group_lines(subject: Subject) -> FigureContent:
    """A figure of kind `groups`: a mark a group, larger with more samples, and the line."""
    several = [(sloped, sloped.groups) for sloped in with_slopes(subject) if sloped.groups]
    subject = subject.of([sloped.entry for sloped, _ in several])
    accuracies = [accuracy for sloped, _ in several for _, _, accuracy, _ in sloped.points]
    up = measured_axis(accuracies, title="Accuracy, %", ceiling=100.0) if several else rows(1)
    return FigureContent(
        subject=subject,
        records=[
            record(
                sloped.entry,
                {
                    "group": name,
                    "covariate": g,
                    "accuracy": p / 100,
                    "samples": int(n),
                    "seeds": len(sloped.slopes),
                },
            )
            for sloped, _ in several
            for name, g, p, n in sloped.points
        ],
        panels=[_group_panel(subject, sloped, groups, up) for sloped, groups in several],
        layout=marks.Layout((290.0, 230.0), columns=2, gap=96.0, top=42.0),
        sentences=[
            f"{subject.name(sloped.entry)}: accuracy {_number(groups.line[0])} + "
            f"{_number(groups.line[1])} times {sloped.covariate}, {len(groups.group)} groups."
            for sloped, groups in several
        ],
        grids=[
            Grid(
                subject.name(sloped.entry),
                ["Group", sloped.covariate, "Accuracy, %", "Samples"],
                [[name, _number(g), f"{p:.2f}", f"{n:.0f}"] for name, g, p, n in sloped.points],
            )
            for sloped, _ in several
        ],
        notes=[
            "Mean accuracy over seeds of each group of the test split; the larger the mark, the "
            "more samples. The line is that of generalised least squares with Sigma_ii = 1 / "
            "sqrt(n_i)."
        ],
        missing=subject.gaps,
    )


def _group_panel(subject: Subject, sloped: Sloped, groups: Groups, up: Axis) -> marks.Panel:
    intercept, slope = groups.line
    covariates = [covariate for _, covariate, _, _ in sloped.points]
    samples = [samples for _, _, _, samples in sloped.points]
    ends = [(g, 100 * (intercept + slope * g)) for g in (min(covariates), max(covariates))]
    across = measured_axis(covariates, title=sloped.covariate)
    drawn: list[marks.Mark] = [marks.Stroke(ends, clipped=True)]
    for name, covariate, accuracy, n in sloped.points:
        radius = _radius(n, min(samples), max(samples))
        symbol = marks.Symbol((covariate, accuracy), radius=radius, opacity=0.55)
        drawn.append(marks.Item([symbol], f"{name}: {accuracy:.1f} % of {n:.0f}"))
    title = marks.Label((across.low, up.high), shortened(subject.name(sloped.entry), 46), (0, -8))
    return marks.Panel(across, up, [title, marks.Item(drawn, colour=sloped.style.colour)])


def _radius(samples: float, fewest: float, most: float) -> float:
    """Between both ends by the logarithm of the number of samples."""
    share = math.log(samples / fewest) / math.log(most / fewest) if most > fewest else 0.5
    return _SMALL + share * (_LARGE - _SMALL)


def slope_boxes(subject: Subject) -> FigureContent:
    """A figure of kind `slopes`: a box a method over seeds, and tests of all pairs below."""
    several = with_slopes(subject)
    subject = subject.of([sloped.entry for sloped in several])
    tasks = {sloped.entry.task.name: sloped.entry.task for sloped in several}
    return FigureContent(
        subject=subject,
        records=[
            record(sloped.entry, {"seed": seed, "slope": slope})
            for sloped in several
            for seed, slope in sorted(sloped.slopes.items())
        ],
        panels=[_box_panel(subject, several)] if several else [],
        layout=marks.Layout((680.0, ROW * len(several))),
        sentences=[
            f"{subject.name(s.entry)}: {', '.join(_number(v) for v in s.slopes.values())}."
            for s in several
        ],
        tables=[
            _tests(task, [sloped for sloped in several if sloped.entry.task.name == name])
            for name, task in tasks.items()
        ],
        notes=[
            "Slopes of accuracy on the covariate, one a seed: the box spans the quartiles and "
            "holds the median, whiskers reach the smallest and the largest. Dashed: the mean slope "
            "of the first entry. Tests are one-sided: is the lower mean lower by more than chance? "
            "Over seeds they measure the noise of training alone, since all runs share the groups "
            f"and their samples; the 95 % over groups come from {RESAMPLES:,} resamples of these."
        ],
        missing=subject.gaps,
    )


def _box_panel(subject: Subject, several: Sequence[Sloped]) -> marks.Panel:
    slopes = [slope for sloped in several for slope in sloped.slopes.values()]
    across = measured_axis(slopes, title="Slope, accuracy a unit of the covariate")
    mean = marks.Stroke([(several[0].mean, 0), (several[0].mean, len(several))], 1.6, "5 4")
    drawn: list[marks.Mark] = [marks.Item([mean], colour=several[0].style.colour)]
    for row, sloped in enumerate(several):
        values = sorted(sloped.slopes.values())
        quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
        inside = box_plot(row, quantiles) if len(values) > 1 else []
        inside += [marks.Symbol((v, row + MIDDLE), sloped.style.shape, opacity=0.7) for v in values]
        words = f"{sloped.entry.method.label}: mean {_number(sloped.mean)} over {len(values)} seeds"
        name = row_name(across, row, subject.name(sloped.entry))
        drawn += [name, marks.Item(inside, words, sloped.style.colour)]
    return marks.Panel(across, rows(len(several)), drawn)


def _tests(task: PlannedTask, several: Sequence[Sloped]) -> Grid:
    """Each pair, the one with the lower mean first: the paper's hypothesis, whoever it is about."""
    table = []
    for pair in combinations(several, 2):
        low, high = sorted(pair, key=lambda sloped: sloped.mean)
        a, b = low.entry.method.label, high.entry.method.label
        groups = (low.groups, high.groups) if low.groups and high.groups else None
        test = versus(low.slopes, high.slopes, groups)
        table.append([
            f"{a} ({_number(low.mean)}) below {b} ({_number(high.mean)})",
            _number(test.difference),
            *(_test_words(t_test) for t_test in (test.pooled, test.welch, test.paired)),
            "–" if test.effect is None else wording.number(test.effect, 2),
            " to ".join(map(_number, test.interval)) if test.interval else "–",
            _published(task, a, b),
        ])  # fmt: skip
    head = ["Mean slopes", "Difference", "t-test", "Welch", "Paired by seed", "Cohen's d",
            "95 % over groups", "Published"]  # fmt: skip
    return Grid(f"Slopes compared on {task.name}", head, table)


def _test_words(test: TTest | None) -> str:
    if test is None:
        return "–"
    degrees = f"{test.degrees:.1f}".rstrip("0").rstrip(".")
    return f"t({degrees}) = {wording.number(test.t, 3)}, p = {test.p:.2g}"


def _published(task: PlannedTask, a: str, b: str) -> str:
    t, p = (comparison(task, a, b, metric) for metric in ("t_statistic", "t_p_value"))
    return f"t = {t.value:g}, p = {p.value:g} ({t.source})" if t and p else "–"


def _number(value: float) -> str:
    return wording.value(value, "")
