"""The robust fairness track in words: its metrics with their formulas, and its rules."""

from __future__ import annotations

from bench.result import CrossQuestion, TrackInfo
from bench.tracks.registry import metric

INFO = TrackInfo(
    name="robust_fairness",
    reference="standard",
    bias_title="groups by",
    figures=["groups", "slopes"],
    rank_by=["slope_size", "accuracy"],
    ranking=(
        "Methods are ranked by the size of the slope of group accuracy on the covariate (lower is "
        "better) and by accuracy (higher is better); the order of the table is the mean of both "
        "ranks. A flat slope can come from everyone getting worse, so the worst group stands "
        "beside it."
    ),
    selection=(
        "Of all candidates (epochs, or settings that a method tries) the one with the smallest sum "
        "of |slope| times the covariate's standard deviation over the groups, less the accuracy, "
        "both measured on validation data, the earlier one of equals: the same rule for every "
        "method, unless the training settings of a task name another."
    ),
    metrics=[
        metric("slope_size", "|Slope|", "lower", "Size of the slope, whichever way it goes.",
               unit="", formula="|β̂₁|", headline=True),
        metric("accuracy", "Accuracy", "higher", "Share of correct predictions.",
               formula="1/n · Σ_i 1[ŷ_i = y_i]", headline=True),
        metric("worst_group_accuracy", "Worst group", "higher",
               "Accuracy of the group with the lowest, however few samples it has.",
               formula="min_g P(Ŷ=Y | G=g)"),
        metric("mean_group_accuracy", "Mean of groups", "higher",
               "Mean accuracy over groups, each counting the same.",
               formula="1/|G| · Σ_g P(Ŷ=Y | G=g)"),
        metric("slope", "Slope", "", "Slope of group accuracy on the covariate, accuracy a unit: "
               "generalised least squares with Sigma_ii = 1 / sqrt(n_i), n_i samples in group i "
               "(perceptual-DRO, section 4).", unit="",
               formula="β̂₁ of accuracy_g = β₀ + β₁ · covariate_g, by GLS with Σ_gg = 1/√n_g"),
        metric("f_statistic", "F", "", "F-test of slope 0, with 1 and `f_degrees` degrees of "
               "freedom (perceptual-DRO, section 4).", unit=""),
        metric("f_p_value", "p(F)", "", "How often an F as large comes by chance where the slope "
               "is 0.", unit=""),
        metric("f_degrees", "df", "", "Second degrees of freedom of the F-test: groups less 2.",
               unit=""),
        metric("slope_binomial", "Slope, 1/n", "", "The slope with Sigma_ii = 1 / n_i, as the "
               "variance of an accuracy falls with its group's size.", unit=""),
        metric("f_statistic_binomial", "F, 1/n", "", "F-test of that slope.", unit=""),
        metric("f_p_value_binomial", "p(F), 1/n", "", "The p of that test.", unit=""),
        metric("groups", "Groups", "", "Groups with samples in the test split; others are left "
               "out.", unit=""),
    ],
    questions=[
        CrossQuestion(
            title="Many groups after debiasing",
            sentence="Debiasing is given two groups. What does it do to the slope of accuracy over "
            "many, and to the worst of them?",
            home="debiasing",
            metrics=["slope_size", "worst_group_accuracy"],
        )
    ],
)  # fmt: skip
