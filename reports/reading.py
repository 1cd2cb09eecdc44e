"""How to read the pages: every rule that made a number, and every metric with its formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.result import MetricInfo, TrackInfo
from reports.formulas import FORMULAS
from reports.suite_page import SuiteView


@dataclass(frozen=True)
class Explained:
    """A track's metrics, each with its formula, or "" where words say it all."""

    info: TrackInfo
    metrics: Sequence[tuple[MetricInfo, str]]


def explained(suites: Sequence[SuiteView]) -> list[Explained]:
    """The tracks of all suites by name, with every metric that any of them may report."""
    infos: dict[str, TrackInfo] = {}
    metrics: dict[str, dict[str, MetricInfo]] = {}
    for suite in suites:
        for info in suite.plan.tracks:
            infos.setdefault(info.name, info)
            mine = metrics.setdefault(info.name, {})
            for metric in info.metrics:
                mine.setdefault(metric.name, metric)
    return [
        Explained(infos[name], [(m, FORMULAS.get((name, m.name), "")) for m in mine.values()])
        for name, mine in sorted(metrics.items())
    ]
