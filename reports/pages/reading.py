"""How to read the pages: every rule that made a number, and every metric with its formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.reports.pages.suite import SuiteView
from bench.result import MetricInfo, TrackInfo


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


FORMULAS: Mapping[tuple[str, str], str] = {
    ("debiasing", "odds"): "1/|Y| · Σ_y | P(Ŷ=y | Y=y, B=0) − P(Ŷ=y | Y=y, B=1) |",
    ("debiasing", "eacc"): "1/(2·|Y|) · Σ_y Σ_b P(Ŷ=y | Y=y, B=b)",
    ("debiasing", "accuracy"): "1/n · Σ_i 1[ŷ_i = y_i]",
    ("debiasing", "auc"): "P(s⁺ > s⁻) + ½ P(s⁺ = s⁻), scores of a positive and a negative sample",
    ("debiasing", "worst_group_accuracy"): "min_{y,b} P(Ŷ=y | Y=y, B=b)",
    ("debiasing", "demographic_parity_gap"): "max_y | P(Ŷ=y | B=0) − P(Ŷ=y | B=1) |",
    ("debiasing", "accuracy_gap"): "P(Ŷ=Y | B=0) − P(Ŷ=Y | B=1)",
    ("debiasing", "mse"): "1/n · Σ_i (ŷ_i − y_i)²",
    ("debiasing", "mse_gap"): "| MSE_0 − MSE_1 |",
    ("debiasing", "asr_0"): "P(Ŷ(x + T_A0) = c₀ | Ŷ(x) = Y, Y ≠ c₀)",
    ("debiasing", "asr_1"): "P(Ŷ(x + T_A1) = c₁ | Ŷ(x) = Y, Y ≠ c₁)",
    ("poisoning", "cda"): "1/n · Σ_i 1[ŷ_i = y_i], clean test samples",
    ("poisoning", "asr"): "P(Ŷ(x + t) = c | Y ≠ c), target class c, trigger t",
    ("poisoning", "der"): "½ · (1 + max(0, ASR_before − ASR) − max(0, CDA_before − CDA))",
    ("poisoning", "robust_accuracy"): "P(Ŷ(x + t) = Y | Y ≠ c)",
    ("poisoning", "tpr"): "|flagged ∩ poison| / |poison|",
    ("poisoning", "fpr"): "|flagged ∖ poison| / |clean|",
    ("poisoning", "auroc"): "P(s_poison > s_clean) + ½ P(s_poison = s_clean)",
    ("poisoning", "worst_class_accuracy"): "min_y P(Ŷ=y | Y=y)",
    ("poisoning", "worst_class_removed"): "max_y |flagged ∩ clean ∩ y| / |clean ∩ y|",
    ("imperceptibility", "success_rate"): "P(Ŷ(x′) ≠ Y | Ŷ(x) = Y)",
    ("imperceptibility", "l1"): "Σ_j |x′_j − x_j|",
    ("imperceptibility", "l2"): "√( Σ_j (x′_j − x_j)² )",
    ("imperceptibility", "linf"): "max_j |x′_j − x_j|",
    ("imperceptibility", "ssim_distance"): "1 − SSIM(x, x′)",
    ("robust_fairness", "accuracy"): "1/n · Σ_i 1[ŷ_i = y_i]",
    ("robust_fairness", "slope"): "β̂₁ of accuracy_g = β₀ + β₁ · covariate_g, by GLS with "
    "Σ_gg = 1/√n_g",
    ("robust_fairness", "slope_size"): "|β̂₁|",
    ("robust_fairness", "worst_group_accuracy"): "min_g P(Ŷ=Y | G=g)",
    ("robust_fairness", "mean_group_accuracy"): "1/|G| · Σ_g P(Ŷ=Y | G=g)",
}
"""By track and name of the metric. A metric without one is told in words alone."""

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
"""Name, formula and words of what is done with a metric's values over seeds."""
