"""The poisoning track in words: its metrics with their formulas, and its rules."""

from __future__ import annotations

from bench.result import CrossQuestion, TrackInfo
from bench.tracks.registry import metric

INFO = TrackInfo(
    name="poisoning",
    reference="no_defence",
    rank_by=["cda", "asr", "der"],
    decides="der",
    ranking=(
        "DER decides the order: what a defence takes from the attack, less what it costs in clean "
        "accuracy, where doing nothing gets 50 %. CDA and ASR, of which it is made, are ranked "
        "beside it. On the clean twin there is no attack to take anything from: CDA decides."
    ),
    selection=(
        "The last epoch, for every network: whoever was handed poisoned data has no clean data to "
        "choose on."
    ),
    metrics=[
        metric("cda", "CDA", "higher", "Clean data accuracy: share of clean test samples that are "
               "classified right (LABOR, section 4.1.4).", headline=True,
               formula="1/n · Σ_i 1[ŷ_i = y_i], clean test samples"),
        metric("asr", "ASR", "lower", "Attack success rate: share of triggered test samples of "
               "other classes than the target that are given the target (LABOR, section 4.1.4).",
               headline=True, formula="P(Ŷ(x + t) = c | Y ≠ c), target class c, trigger t"),
        metric("der", "DER", "higher", "Defence effectiveness rating (Zhu et al. 2023, equation "
               "7): half of 1 plus what ASR lost minus what CDA lost, gains counting as nothing. "
               "50 % is what doing nothing gets; below it a defence does harm.",
               formula="½ · (1 + max(0, ASR_before − ASR) − max(0, CDA_before − CDA))"),
        metric("robust_accuracy", "R-Acc", "higher", "Robust accuracy: share of the triggered test "
               "samples that are given their true class all the same.",
               formula="P(Ŷ(x + t) = Y | Y ≠ c)"),
        metric("cda_before", "CDA before", "", "That of the classifier trained on all samples."),
        metric("asr_before", "ASR before", "", "That of the classifier trained on all samples: "
               "whether the attack works at all."),
        *(metric(f"asr_{n}", f"ASR, trigger {n + 1}", "lower", f"That of trigger {n + 1} alone.")
          for n in range(4)),
        metric("false_activation", "False activation", "lower", "Share of triggered samples of "
               "other than the source classes that are given the target all the same."),
        metric("removed", "Removed", "", "Training samples that were flagged.", unit=""),
        metric("tpr", "TPR", "higher", "Share of the poisoned samples that were flagged.",
               formula="|flagged ∩ poison| / |poison|"),
        metric("fpr", "FPR", "lower", "Share of the other samples that were flagged; on the clean "
               "twin, all in vain.", formula="|flagged ∖ poison| / |clean|"),
        metric("auroc", "AUROC", "higher", "Area under the ROC curve of the suspicion that a "
               "defence has of each training sample.",
               formula="P(s_poison > s_clean) + ½ P(s_poison = s_clean)"),
        metric("alarm", "Alarm", "", "Share of seeds on which the defence says that there is a "
               "backdoor: on the clean twin a false alarm."),
        metric("clustering_accuracy", "Clustering", "higher", "Share of the training samples whose "
               "cluster carries the tag of their true class (LABOR, Table 1)."),
        metric("tagged_right", "Right names", "higher", "Share of the clusters that are named "
               "after the class to which most of their members belong."),
        metric("p_tagging", "P(tagging)", "", "Expected share of such clusters: for each cluster "
               "the probability that more than half of the inspected samples are of its largest "
               "class, given its purity and the number of inspections (LABOR, section 3.2), "
               "averaged over clusters."),
        metric("looks", "Inspections", "lower", "Samples that a person had to inspect.", unit=""),
        metric("poison_share", "Poison in target", "", "Share of poison among the samples that are "
               "published as the target class."),
        metric("worst_class_accuracy", "Worst class", "higher", "Smallest recall of a class after "
               "the defence: removing one class pays with all of it.",
               formula="min_y P(Ŷ=y | Y=y)"),
        metric("worst_class_removed", "Worst removal", "lower", "Largest share of a true class's "
               "clean samples that were flagged: are the losses spread evenly?",
               formula="max_y |flagged ∩ clean ∩ y| / |clean ∩ y|"),
        metric("removal_gap", "Removal gap", "lower", "That less the smallest such share of a "
               "class: 0 where every class loses the same."),
    ],
    questions=[
        CrossQuestion(
            title="Classes after poison removal",
            sentence="Who removes poison removes clean samples too. Which class pays: the smallest "
            "recall afterwards, and the largest share of one class's clean samples that was "
            "removed.",
            home="poisoning",
            metrics=["worst_class_accuracy", "worst_class_removed"],
        )
    ],
)  # fmt: skip
