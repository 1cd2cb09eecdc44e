"""What triggers do to a trained model: BaDe's Table 4, and their success as attacks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.learning.inputs import Inputs
from bench.learning.split import Split
from bench.tracks.debiasing import metrics
from bench.tracks.debiasing.metrics import GroupCounts
from bench.tracks.debiasing.words import EXAMINED
from bench.triggers.choice import TriggerPair
from bench.triggers.planting import stamped

STATES, GROUPS = (0, 1), (0, 1)
NAMES = frozenset(metric.name for metric in EXAMINED)


def counts(logits: Tensor, split: Split) -> GroupCounts:
    """Count predictions (the largest logit) by group."""
    y, predicted, b = (t.cpu().numpy() for t in (split.y, logits.argmax(dim=1), split.b))
    return GroupCounts.of(y, predicted, b, logits.shape[1])


def examine(
    predict: Callable[[nn.Module, Inputs], Tensor],
    model: nn.Module,
    test: Split,
    triggers: TriggerPair,
    rates: Tensor,
) -> dict[str, float]:
    """EAcc on clean inputs and with either trigger, and each trigger's attack success rate.

    ASR of a trigger: of the samples that the model gets right when they are clean and that are
    not of the trigger's class, the share that it gives to that class once they are stamped. A
    model without a backdoor has an ASR near zero. The class of T_A0 is the one that goes with it
    most in BaDe's training data, that of T_A1 the one that goes with it least.

    Args:
        predict: (model, inputs) -> logits, [n, classes].
        model: takes stamped inputs and clean ones alike.
        test: clean.
        triggers: T_A0 and T_A1.
        rates: share of each class that has T_A0 in training, [classes].
    """
    clean = predict(model, test.inputs)
    values = {"eacc@clean": metrics.equalized_accuracy(counts(clean, test))}
    right = clean.argmax(dim=1) == test.y
    for state in STATES:
        every = torch.full_like(test.b, state)
        outputs = predict(model, stamped(test, triggers, every).inputs)
        recall = counts(outputs, test).recall
        values[f"eacc@all+t{state}"] = float(recall.mean())
        for group in GROUPS:
            values[f"eacc@{group}+t{state}"] = float(recall[group].mean())
        aim = int(rates.argmin() if state else rates.argmax())
        attacked = right & (test.y != aim)
        if attacked.any():
            hits = outputs.argmax(dim=1)[attacked] == aim
            values[f"asr_{state}"] = float(hits.double().mean())
    return values
