"""The debiasing track in words: its metrics with their formulas, and its rules."""

from __future__ import annotations

from bench.learning.selection import IN_WORDS
from bench.result import CrossQuestion, TrackInfo
from bench.tracks.registry import metric

_TRIGGERED = "Equalized accuracy with the trigger {} on {} (BaDe, Table 4)."

EXAMINED = [
    metric("eacc@clean", "EAcc, clean", "higher", "Equalized accuracy on inputs without triggers, "
           "also for models that are given the group at test time."),
    *(
        metric(f"eacc@{who}+t{state}", f"EAcc, {words} + T_A{state}", "higher",
               _TRIGGERED.format(f"T_A{state}", where))
        for who, words, where in (("all", "all", "all samples"),
                                  ("0", "B = 0", "the samples of group 0 alone"),
                                  ("1", "B = 1", "the samples of group 1 alone"))
        for state in (0, 1)
    ),
    *(
        metric(f"asr_{state}", f"ASR, T_A{state}", "lower",
               f"Attack success rate of T_A{state}: of the test samples that are classified "
               "correctly when clean and are not of its class, the share that goes to its class "
               "once stamped: the backdoor left in the model.",
               formula=f"P(Ŷ(x + T_A{state}) = c{sub} | Ŷ(x) = Y, Y ≠ c{sub})")
        for state, sub in ((0, "₀"), (1, "₁"))
    ),
]  # fmt: skip
"""The metrics of an examination with triggers: of tasks with `examined: true` alone."""

INFO = TrackInfo(
    name="debiasing",
    reference="standard",
    bias_title="bias variable",
    rank_by=["odds", "eacc", "mse_gap", "mse"],
    ranking=(
        "Methods are ranked by Odds (lower is better) and by EAcc (higher is better); the order "
        "of the table is the mean of both ranks. On regression tasks the gap in squared error "
        "between the groups and the squared error itself take their places."
    ),
    selection=IN_WORDS,
    metrics=[
        metric("odds", "Odds", "lower", "Equalized odds: mean over classes of the gap in recall "
               "between the two groups (BaDe, equation 1).", headline=True,
               formula="1/|Y| · Σ_y | P(Ŷ=y | Y=y, B=0) − P(Ŷ=y | Y=y, B=1) |"),
        metric("eacc", "EAcc", "higher", "Equalized accuracy: mean recall over all cells of class "
               "and group (BaDe, equation 2).", headline=True,
               formula="1/(2·|Y|) · Σ_y Σ_b P(Ŷ=y | Y=y, B=b)"),
        metric("accuracy", "Accuracy", "higher", "Share of correct predictions.",
               formula="1/n · Σ_i 1[ŷ_i = y_i]"),
        metric("auc", "AUC", "higher", "Area under the ROC curve; with more than two classes, "
               "mean over one-against-rest curves.",
               formula="P(s⁺ > s⁻) + ½ P(s⁺ = s⁻), scores of a positive and a negative sample"),
        metric("worst_group_accuracy", "Worst group", "higher", "Smallest recall among the cells "
               "of class and group.", formula="min_{y,b} P(Ŷ=y | Y=y, B=b)"),
        metric("demographic_parity_gap", "Parity gap", "lower", "Gap between the groups in how "
               "often a class is predicted, the largest over classes.",
               formula="max_y | P(Ŷ=y | B=0) − P(Ŷ=y | B=1) |"),
        metric("accuracy_0", "Accuracy, B = 0", "higher", "Share of correct ones in group 0."),
        metric("accuracy_1", "Accuracy, B = 1", "higher", "Share of correct ones in group 1."),
        metric("accuracy_gap", "Accuracy gap", "", "Accuracy in group 0 less that in group 1: "
               "with clean and triggered samples as groups, the influence of the trigger (BaDe, "
               "Figure 2).", formula="P(Ŷ=Y | B=0) − P(Ŷ=Y | B=1)"),
        metric("tpr_0", "TPR, B = 0", "higher", "Recall of the positive class in group 0."),
        metric("tpr_1", "TPR, B = 1", "higher", "Recall of the positive class in group 1."),
        metric("tnr_0", "TNR, B = 0", "higher", "Recall of the negative class in group 0."),
        metric("tnr_1", "TNR, B = 1", "higher", "Recall of the negative class in group 1."),
        metric("mse", "MSE", "lower", "Mean squared error (regression).", unit="", headline=True,
               formula="1/n · Σ_i (ŷ_i − y_i)²"),
        metric("mse_gap", "MSE gap", "lower", "Gap between the groups' mean squared errors.",
               unit="", headline=True, formula="| MSE_0 − MSE_1 |"),
        metric("mse_0", "MSE, B = 0", "lower", "Mean squared error in group 0.", unit=""),
        metric("mse_1", "MSE, B = 1", "lower", "Mean squared error in group 1.", unit=""),
        *EXAMINED,
    ],
    questions=[
        CrossQuestion(
            title="Backdoor left by debiasing",
            sentence="Debiasing with triggers plants what poisoning plants. How often does a "
            "stamped input still go to the trigger's class, and what is accuracy worth under "
            "triggers? Asked on debiasing tasks with `examined: true`.",
            home="debiasing",
            metrics=["asr_0", "asr_1", "eacc@all+t0", "eacc@all+t1"],
        ),
        CrossQuestion(
            title="Odds and EAcc after robust training",
            sentence="Training on imperceptible attacks is meant to be fair over many groups. What "
            "does it do to two groups, beside standard training on the same seeds?",
            home="robust_fairness",
            metrics=["odds", "eacc"],
        ),
    ],
)  # fmt: skip
