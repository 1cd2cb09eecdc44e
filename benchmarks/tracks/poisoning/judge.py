"""The judge of the poisoning track: every number on its pages is computed here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from bench.tracks.poisoning.tagging import p_tagging
from bench.tracks.poisoning.words import INFO

REVISION = 3


@dataclass(frozen=True)
class TriggerOutcome:
    """The predictions of a classifier on test inputs that carry one trigger.

    Attributes:
        trigger: its name.
        predicted: classes, [m]; -1 where a filter turned the input away.
        aim: the classes that the attacker aims at, [m].
        y: true classes, [m].
        fires: whether the backdoor should act.
    """

    trigger: str
    predicted: Tensor
    aim: Tensor
    y: Tensor
    fires: bool

    @property
    def hits(self) -> Tensor:
        """Where the attacker's aim was predicted, [m] bool."""
        return self.predicted == self.aim


def clean_accuracy(predicted: Tensor, y: Tensor) -> float:
    """CDA, LABOR section 4.1.4: share of clean inputs that are classified right (and let in)."""
    return float((predicted == y).double().mean())


def worst_class_accuracy(predicted: Tensor, y: Tensor) -> float:
    """The smallest recall of a class, in [0, 1]."""
    return min(float((predicted[y == c] == c).double().mean()) for c in y.unique().tolist())


def success(outcomes: Collection[TriggerOutcome]) -> dict[str, float]:
    """ASR overall and for each trigger, robust accuracy, and false activations.

    ASR, LABOR section 4.1.4: share of triggered inputs of other classes than the target that are
    given the target. The attacker's samples of the target class itself are never counted.
    """
    values: dict[str, float] = {}
    fires = [t for t in outcomes if t.fires]
    if fires:
        values["asr"] = float(torch.cat([t.hits for t in fires]).double().mean())
        right = torch.cat([t.predicted == t.y for t in fires])
        values["robust_accuracy"] = float(right.double().mean())
    if len(fires) > 1:
        for number, outcome in enumerate(fires):
            values[f"asr_{number}"] = float(outcome.hits.double().mean())
    silent = [t for t in outcomes if not t.fires]
    if silent:
        values["false_activation"] = float(torch.cat([t.hits for t in silent]).double().mean())
    return values


def effectiveness(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Defence effectiveness rating in [0, 1], Zhu et al. (2023), equation 7.

    (max(0, ASR lost) - max(0, CDA lost) + 1) / 2: doing nothing gets one half.
    """
    attack = max(0.0, before["asr"] - after["asr"])
    accuracy = max(0.0, before["cda"] - after["cda"])
    return (attack - accuracy + 1) / 2


def detection(
    flagged: Tensor | None, suspicion: Tensor | None, poison: Tensor, truth: Tensor
) -> dict[str, float]:
    """How well poison was separated from the other samples; cover samples are no poison.

    Flags and `poison`, the true mask, are [n] bool, suspicion is [n] float, true classes are [n].
    """
    values: dict[str, float] = {}
    clean = ~poison
    if flagged is not None:
        values["removed"] = float(flagged.sum())
        values["fpr"] = float(flagged[clean].double().mean())
        classes = truth[clean].unique()
        by_class = [float(flagged[clean & (truth == c)].double().mean()) for c in classes]
        values["worst_class_removed"] = max(by_class)
        values["removal_gap"] = max(by_class) - min(by_class)
        if poison.any():
            values["tpr"] = float(flagged[poison].double().mean())
    if suspicion is not None and poison.any():
        values["auroc"] = area(suspicion.double(), poison)
    return values


def naming(clusters: Tensor, tags: Tensor, truth: Tensor, inspected: Tensor) -> dict[str, float]:
    """The share of clusters that got the name of their largest class, and the expected share.

    Clusters, their tags (-1 for none) and true classes are [n]; a person inspected the rows given.
    """
    right, expected = [], []
    for cluster in clusters.unique():
        members = clusters == cluster
        counts = truth[members].bincount()
        right.append(float(tags[members][0] == counts.argmax()))
        purity = float(counts.max() / counts.sum())
        expected.append(p_tagging(int((clusters[inspected] == cluster).sum()), purity))
    return {"tagged_right": fmean(right), "p_tagging": fmean(expected)}


def area(scores: Tensor, positive: Tensor) -> float:
    """Area under the ROC curve; ties count half."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - only who judges waits for it

    return float(roc_auc_score(positive.cpu().numpy(), scores.cpu().numpy()))


def undefined(measured: Mapping[str, float], poisoned: bool) -> dict[str, str]:
    """Why metrics of the track are missing from a result that is otherwise fine."""
    of_attack = "nothing was poisoned: this is the clean twin"
    twin = "" if poisoned else of_attack
    no_flags = "the defence flags no training samples"
    reasons = {
        **dict.fromkeys(("asr", "der", "robust_accuracy", "asr_before"), of_attack),
        "tpr": twin or no_flags,
        "auroc": twin or "the defence gives training samples no scores",
        "poison_share": twin or "the attack has more than one target",
        **{f"asr_{n}": "the attack has fewer triggers" for n in range(4)},
        "false_activation": "the attack has no source classes",
        **dict.fromkeys(("removed", "fpr", "worst_class_removed", "removal_gap"), no_flags),
        "alarm": "the defence does not say whether there is a backdoor",
        "clustering_accuracy": "the defence does not cluster",
        **dict.fromkeys(("tagged_right", "p_tagging"), "the defence names no clusters"),
    }
    return {
        metric.name: reasons.get(metric.name, "not reported")
        for metric in INFO.metrics
        if metric.name not in measured
    }
