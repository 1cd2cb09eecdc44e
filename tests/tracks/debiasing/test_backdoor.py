"""What triggers do to models: hand-made models whose answers are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.learning.inputs import Inputs
from bench.learning.split import Split
from bench.tracks.debiasing import GroupInformed
from bench.tracks.debiasing.backdoor import NAMES, examine
from bench.tracks.debiasing.judge import undefined
from bench.triggers.choice import TriggerPair, trigger_pair
from tests import tiny_tasks
from tests.tiny_plans import info_of

PAIR = trigger_pair((3, 8, 8), 25)


class Marked(nn.Module):
    """Reads the class off a pixel in the middle, unless a trigger is on: then it says `turned`."""

    def __init__(self, turned: tuple[int | None, int | None]) -> None:
        super().__init__()
        self.turned = turned

    def forward(self, x: Tensor) -> Tensor:
        said = (x[:, 0, 4, 4] > 100).long()
        for state, answer in enumerate(self.turned):
            if answer is not None:
                said = torch.where(self.carries(x, state), answer, said)
        return nn.functional.one_hot(said, 2).float()

    def carries(self, x: Tensor, state: int) -> Tensor:
        stamped = PAIR.stamp(x, torch.full((len(x),), state))
        return (stamped == x).flatten(1).all(1)


def split() -> Split:
    y, b = tiny_tasks.of_cells(((6, 2), (3, 5)))
    x = torch.zeros(16, 3, 8, 8, dtype=torch.uint8)
    x[:, 0, 4, 4] = 200 * y.to(torch.uint8)
    return Split.of(x, y, b)


def predict(model: nn.Module, inputs: Inputs) -> Tensor:
    return model(inputs.everything())


RATES = torch.tensor([0.75, 0.375])  # T_A0 goes with class 0, T_A1 with class 1


def test_a_model_without_a_backdoor_answers_alike_and_cannot_be_attacked() -> None:
    found = examine(predict, Marked((None, None)), split(), PAIR, RATES)
    assert {name: value for name, value in found.items() if value != 1.0} == {
        "asr_0": 0.0,
        "asr_1": 0.0,
    }
    assert found.keys() == NAMES


def test_a_backdoored_model_is_turned_by_the_trigger_it_knows() -> None:
    found = examine(predict, Marked((0, None)), split(), PAIR, RATES)
    assert found["eacc@clean"] == 1
    assert found["eacc@all+t0"] == 0.5  # every answer is class 0
    assert found["eacc@0+t0"] == found["eacc@1+t0"] == 0.5
    assert found["eacc@all+t1"] == 1
    assert (found["asr_0"], found["asr_1"]) == (1.0, 0.0)


def test_a_trigger_that_turns_to_the_other_class_is_no_success() -> None:
    found = examine(predict, Marked((1, None)), split(), PAIR, RATES)
    assert found["asr_0"] == 0.0
    assert found["eacc@all+t0"] == 0.5


def test_only_samples_that_were_right_and_of_another_class_count() -> None:
    class Wrong(Marked):
        """Says 0 to everything: what is of class 1 was never right."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.0]]).expand(len(x), 2)

    found = examine(predict, Wrong((None, None)), split(), PAIR, RATES)
    assert "asr_0" not in found
    assert found["asr_1"] == 0.0
    assert undefined(found, "")["asr_0"] == (
        "the model gets no sample right that the trigger could turn"
    )


def test_a_told_model_sees_the_trigger_of_the_other_group_and_alone_none() -> None:
    class Sees(TriggerPair):
        def stamp(self, x: Tensor, a: Tensor) -> Tensor:
            return torch.cat([x, a[:, None].to(x.dtype)], dim=1)

        def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return (shape[0] + 1,)

    table = tiny_tasks.table_split(((2, 2), (2, 2)))
    told = GroupInformed(nn.Identity(), Sees()).informed(table)
    assert torch.equal(told.x[:, 4], 1.0 - table.b)
    assert torch.equal(GroupInformed(nn.Identity(), Sees())(table.x), table.x)


@pytest.mark.parametrize("examined", [True, False])
def test_the_track_lists_these_metrics_only_where_a_task_asks(examined: bool) -> None:
    names = {metric.name for metric in info_of("debiasing", examined=examined).metrics}
    assert (names >= NAMES) == examined
    assert names.isdisjoint(NAMES) != examined
    assert len(NAMES) == 9


def test_regression_ranks_by_error_and_its_gap() -> None:
    assert info_of("debiasing", (0,)).rank_by == ["mse_gap", "mse"]
    assert info_of("debiasing", (2,)).rank_by == ["odds", "eacc"]
    assert info_of("debiasing", (0, 10)).rank_by == ["odds", "eacc", "mse_gap", "mse"]
