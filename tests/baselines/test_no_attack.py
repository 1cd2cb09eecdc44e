"""No attack: a reference that changes nothing and ranks nowhere."""

from __future__ import annotations

import torch
from torch import nn

from bench.baselines.no_attack import NoAttack
from tests.tiny_tasks import context_on, image_task


def test_nothing_changes_and_no_rank_is_claimed() -> None:
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    context = context_on(image_task())
    assert torch.equal(NoAttack().perturb(nn.Identity(), x, torch.zeros(2), context), x)
    assert NoAttack().caveat == "a reference: nothing is attacked"
