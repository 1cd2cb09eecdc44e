"""Artificial biases: triggers handed out so that they go with the target as a group does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from bench.learning.split import Split
from bench.seeds import generator
from bench.triggers.choice import TriggerPair

SEED = 0  # triggers that stand in for a bias variable are part of the data: one draw for all trials


def trigger_rates(split: Split, classes: bool, strength: float = 1.0) -> Tensor:
    """Share of each class that gets T_A0, [classes] float64 on the CPU.

    Strength 1 gives TAR(y) = P(B = 0 | Y = y), BaDe's equation 4; strength 0 gives P(B = 0) to
    all. Regression has one rate, P(B = 0) (BaDe, section V.E).
    """
    y, b = split.y.cpu(), split.b.cpu()
    overall = (b == 0).double().mean()
    if not classes:
        return overall[None]
    count = torch.bincount(y).double()
    zero = torch.bincount(y[b == 0], minlength=len(count)).double()
    return overall + strength * (zero / count.clamp_min(1) - overall)


def assign(y: Tensor, rates: Tensor, random: torch.Generator) -> Tensor:
    """State of the artificial bias for every sample, [n] int64: lines 4-8 of BaDe's Algorithm 1.

    Of each class exactly the nearest whole number to its rate gets 0, the rest 1; who, is drawn
    independently of the true group. With one rate the classes are taken together.
    """
    label = torch.zeros(len(y), dtype=torch.long) if len(rates) == 1 else y.cpu()
    a = torch.ones(len(y), dtype=torch.long)
    shuffled = torch.randperm(len(y), generator=random)
    for value, rate in enumerate(rates.tolist()):
        members = shuffled[label[shuffled] == value]
        a[members[: round(rate * len(members))]] = 0
    return a.to(y.device)


def stamped(split: Split, triggers: TriggerPair, a: Tensor) -> Split:
    """Every sample i with the trigger of state `a[i]`, stamped batch by batch."""
    return split.altered(lambda x, index: triggers.stamp(x, a[index]))


def with_artificial_bias(
    splits: Mapping[str, Split], triggers: TriggerPair, classes: bool
) -> dict[str, Split]:
    """Triggers in the place of the bias variable, as BaDe's Figure 3 has them.

    In each split P(A | Y) equals P(B | Y), and A is independent of B given Y.
    """
    made = {}
    for name, split in splits.items():
        rates = trigger_rates(split, classes)
        a = assign(split.y, rates, generator(SEED, f"artificial/{name}"))
        made[name] = replace(stamped(split, triggers, a), b=a)
    return made


def with_flipped_labels(
    splits: Mapping[str, Split], triggers: TriggerPair, injected: float, flipped: float
) -> dict[str, Split]:
    """A backdoor of adjustable strength in the place of the bias variable (BaDe, Figure 2).

    In train a share `injected` of the samples carries T_A0, and of these the share `flipped` is
    labelled as class 0, whatever it shows. Validation and test hold every sample twice with its
    true label: clean (group 0) and with the trigger (group 1).
    """
    made = {}
    for name, split in splits.items():
        if name == "train":
            chosen = torch.randperm(len(split), generator=generator(SEED, "injected"))
            chosen = chosen[: round(injected * len(split))].to(split.y.device)
            y = split.y.clone()
            y[chosen[: round(flipped * len(chosen))]] = 0
            b = torch.zeros_like(split.b)
            b[chosen] = 1
            made[name] = replace(_marked(split, triggers, b), y=y)
        else:
            twice = torch.arange(len(split), device=split.y.device).repeat(2)
            b = (torch.arange(len(twice), device=twice.device) >= len(split)).long()
            doubled = split.subset(twice)
            made[name] = _marked(Split.of(doubled.inputs, doubled.y, doubled.b), triggers, b)
    return made


def _marked(split: Split, triggers: TriggerPair, b: Tensor) -> Split:
    """T_A0 on the samples of group 1; a table's column holds the group itself."""

    def mark(x: Tensor, index: Tensor) -> Tensor:
        if x.dim() == 2:
            return triggers.stamp(x, b[index])
        marked = b[index].bool()[:, None, None, None]
        return torch.where(marked, triggers.stamp(x, torch.zeros_like(index)), x)

    return replace(split.altered(mark), b=b)
