"""How to read the pages: the metrics of every track, and what is done with their values."""

from __future__ import annotations

from collections.abc import Sequence

from bench.reports.pages.suite import SuiteView
from bench.result import MetricInfo, TrackInfo


def explained(suites: Sequence[SuiteView]) -> list[TrackInfo]:
    """The tracks of all suites by name, each with every metric that any suite may report."""
    infos: dict[str, TrackInfo] = {}
    metrics: dict[str, dict[str, MetricInfo]] = {}
    for suite in suites:
        for info in suite.plan.tracks:
            infos.setdefault(info.name, info)
            for metric in info.metrics:
                metrics.setdefault(info.name, {}).setdefault(metric.name, metric)
    return [
        infos[name].model_copy(update={"metrics": list(of_track.values())})
        for name, of_track in sorted(metrics.items())
    ]


STATISTICS = (
    ("Mean over seeds", "m = 1/n · Σ_s v_s",
     "n is the number of seeds that ended well, not of those planned."),
    ("Standard deviation", "sd = √( Σ_s (v_s − m)² / (n − 1) )", "Over the same seeds."),
    ("95 % interval", "m ± t_{0.975, n−1} · sd / √n",
     "Student's t: with 2 seeds t is 12.7, with 3 it is 4.3, with 5 it is 2.8."),
    ("Difference of two methods", "d = 1/n · Σ_s (v_s − w_s)",
     "Seed by seed: methods with one seed share their data order and initial weights."),
    ("Paired t", "t = d · √n / sd(v − w), n − 1 degrees of freedom",
     "Its two-sided p, Holm-corrected, decides whether two methods share a place."),
)  # fmt: skip
"""What is done with a metric's values over seeds: its name, its formula, and an explanation."""
