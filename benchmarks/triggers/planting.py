"""Artificial biases: triggers assigned to samples so that they correlate with the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from bench.learning.split import Split
from bench.seeds import generator
from bench.triggers.choice import TriggerPair

SEED = 0  # triggers in place of a bias variable are part of the data, so all trials share one draw


def trigger_rates(split: Split, classes: bool, strength: float = 1.0) -> Tensor:
    """Share of each class that gets trigger T_A0, [classes] float64 on the CPU.

    Strength 1 gives TAR(y) = P(B = 0 | Y = y), BaDe's equation 4; strength 0 gives P(B = 0) to
    every class; values between interpolate. Regression (`classes` is False) has one rate,
    P(B = 0), in BaDe's section V.E.
    """
    y, b = split.y.cpu(), split.b.cpu()
    overall = (b == 0).double().mean()
    if not classes:
        return overall[None]
    count = torch.bincount(y).double()
    zero = torch.bincount(y[b == 0], minlength=len(count)).double()
    return overall + strength * (zero / count.clamp_min(1) - overall)


def assign(y: Tensor, rates: Tensor, random: torch.Generator) -> Tensor:
    """State of the artificial bias of each sample, [n] int64: lines 4-8 of BaDe's Algorithm 1.

    Of each class a share of its rate, rounded to whole samples, gets state 0 and the others 1. The
    samples are drawn independently of their true group. One rate holds for all classes together.
    """
    label = torch.zeros(len(y), dtype=torch.long) if len(rates) == 1 else y.cpu()
    a = torch.ones(len(y), dtype=torch.long)
    shuffled = torch.randperm(len(y), generator=random)
    for value, rate in enumerate(rates.tolist()):
        members = shuffled[label[shuffled] == value]
        a[members[: round(rate * len(members))]] = 0
    return a.to(y.device)


def stamped(split: Split, triggers: TriggerPair, a: Tensor) -> Split:
    """The split with the trigger of state `a[i]` on every sample i, stamped batch by batch."""
    return split.altered(lambda x, index: triggers.stamp(x, a[index]))


def with_artificial_bias(
    splits: Mapping[str, Split], triggers: TriggerPair, classes: bool
) -> dict[str, Split]:
    """Splits with triggers in the place of the bias variable, as in BaDe's Figure 3.

    In each split P(A | Y) equals P(B | Y), and A is independent of B given Y.
    """
    biased = {}
    for name, split in splits.items():
        rates = trigger_rates(split, classes)
        a = assign(split.y, rates, generator(SEED, f"artificial/{name}"))
        biased[name] = replace(stamped(split, triggers, a), b=a)
    return biased


def with_flipped_labels(
    splits: Mapping[str, Split], triggers: TriggerPair, injected: float, flipped: float
) -> dict[str, Split]:
    """Splits with a backdoor of adjustable strength as the bias variable (BaDe, Figure 2).

    In train a share `injected` of the samples carries T_A0, and of these a share `flipped` is
    labelled as class 0, whatever its true class. Validation and test contain every sample twice
    with its true label: clean (group 0) and with the trigger (group 1).
    """
    biased = {}
    for name, split in splits.items():
        if name == "train":
            chosen = torch.randperm(len(split), generator=generator(SEED, "injected"))
            chosen = chosen[: round(injected * len(split))].to(split.y.device)
            y = split.y.clone()
            y[chosen[: round(flipped * len(chosen))]] = 0
            b = torch.zeros_like(split.b)
            b[chosen] = 1
            biased[name] = replace(_marked(split, triggers, b), y=y)
        else:
            twice = torch.arange(len(split), device=split.y.device).repeat(2)
            b = (torch.arange(len(twice), device=twice.device) >= len(split)).long()
            doubled = split.subset(twice)
            biased[name] = _marked(Split.of(doubled.inputs, doubled.y, doubled.b), triggers, b)
    return biased


def _marked(split: Split, triggers: TriggerPair, b: Tensor) -> Split:
    """The split with T_A0 on the samples of group 1; a table's added column holds the group."""

    def mark(x: Tensor, index: Tensor) -> Tensor:
        if x.dim() == 2:
            return triggers.stamp(x, b[index])
        marked = b[index].bool()[:, None, None, None]
        return torch.where(marked, triggers.stamp(x, torch.zeros_like(index)), x)

    return replace(split.altered(mark), b=b)
