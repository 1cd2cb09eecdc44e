"""A poisoned task from real data: what is poisoned, what defences see, what the judge counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from bench.attacks.poisoning.badnets import BadNets
from bench.attacks.poisoning.clean import Clean
from bench.attacks.poisoning.contract import Attack, Samples
from bench.attacks.poisoning.issba import Issba
from bench.attacks.poisoning.knowledge import Knowledge
from bench.data.dataset import Library, data_set
from bench.errors import BenchError, Skip
from bench.learning.loop import Context
from bench.learning.settings import Training
from bench.learning.shared_work import SharedRecord
from bench.method import Paper
from bench.models.pretrained import MIRROR_ALONE
from bench.tracks.options import EarlierOptions
from bench.tracks.poisoning import Defence, Defender, PoisoningTask
from bench.tracks.poisoning.session import PoisoningSession
from bench.tracks.session import Evaluation, PreparedTask

TRAINING = Training(
    backbone="small_cnn", epochs=25, batch_size=32, learning_rate=2e-3, selection="last"
)
Defend = Callable[[PoisoningTask, Context], Defence]


@dataclass(frozen=True)
class Scripted(Defender):
    """Defends as it is told."""

    paper: ClassVar[Paper] = Paper("Nobody (2024)", "Nothing")
    script: Defend = lambda task, context: Defence()

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        return self.script(task, context)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("library"))
    made.prepare("digits")
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def prepared(
    library: Library, cache: Path, attack: Attack, training: Training = TRAINING
) -> PreparedTask:
    data = data_set("digits")
    meta = library.meta("digits")
    assert meta is not None
    options = data.options()
    return PreparedTask(
        name="digits digit under attack",
        data=data,
        meta=meta,
        parts=library.splits("digits", "digit|ink", options),
        definition=data.tasks["digit|ink"],
        options=EarlierOptions(),
        training=training,
        attack=attack,
        seed=0,
        device=torch.device("cpu"),
        scope={"attack": attack.label, "training": training.model_dump()},
        cache=cache,
        weights=MIRROR_ALONE,
    )


@pytest.fixture(scope="module")
def poisoned(library: Library, cache: Path) -> PoisoningSession:
    return PoisoningSession(prepared(library, cache, BadNets(rate=0.05, size=2)))


def evaluate(session: PoisoningSession, script: Defend) -> Evaluation:
    return session.evaluate(Scripted(script=script))


def test_the_published_training_set_differs_in_the_poisoned_rows_alone(
    poisoned: PoisoningSession, library: Library
) -> None:
    clean = library.splits("digits", "digit|ink", data_set("digits").options())["train"]
    x, y = torch.from_numpy(clean.x), torch.from_numpy(clean.y)
    changed = (poisoned.task.train.x != x).flatten(1).any(1)
    relabelled = poisoned.task.train.y != y
    assert int(poisoned.mask.sum()) == round(0.05 * len(y))
    assert torch.equal(relabelled, poisoned.mask)
    assert not (changed & ~poisoned.mask).any()
    assert (poisoned.task.train.y[poisoned.mask] == 0).all()
    assert (y[poisoned.mask] != 0).all()
    assert torch.equal(poisoned.truth, y)


def test_the_attack_works_on_the_victim_and_nothing_is_looked_at(
    poisoned: PoisoningSession,
) -> None:
    evaluation = evaluate(poisoned, lambda task, context: Defence())
    found = evaluation.metrics
    assert found["asr"] == found["asr_before"] > 0.8
    assert found["cda"] == found["cda_before"] > 0.85
    assert found["looks"] == 0
    assert found["der"] == 0.5
    assert found["robust_accuracy"] <= 1 - found["asr"]
    of_target = int((poisoned.task.train.y == 0).sum())
    assert found["poison_share"] == pytest.approx(45 / of_target)
    assert {"tpr", "auroc", "alarm"} <= evaluation.undefined.keys()


def test_removing_exactly_the_poison_ends_the_backdoor(poisoned: PoisoningSession) -> None:
    found = evaluate(poisoned, lambda task, context: Defence(bound="poison")).metrics
    assert (found["tpr"], found["fpr"], found["removed"]) == (1.0, 0.0, 45.0)
    assert found["asr"] < 0.15 < found["asr_before"]
    assert found["cda"] == pytest.approx(found["cda_before"], abs=0.05)
    lost = found["asr_before"] - found["asr"] - max(0, found["cda_before"] - found["cda"])
    assert found["der"] == pytest.approx((1 + lost) / 2)
    assert found["robust_accuracy"] > 0.5  # at most .2 of the victim


def test_removing_as_many_at_random_does_not(poisoned: PoisoningSession) -> None:
    found = evaluate(poisoned, lambda task, context: Defence(bound="random")).metrics
    assert found["removed"] == 45
    assert found["tpr"] < 0.3
    assert found["asr"] > 0.6


def test_a_filter_turns_inputs_away_and_pays_for_clean_ones(poisoned: PoisoningSession) -> None:
    def all_away(task: PoisoningTask, context: Context) -> Defence:
        return Defence(filter=lambda inputs: torch.ones(len(inputs)), threshold=0.5)

    found = evaluate(poisoned, all_away).metrics
    assert (found["cda"], found["asr"]) == (0.0, 0.0)
    assert found["asr_before"] > 0.8


def test_a_repaired_model_is_the_one_that_is_judged(poisoned: PoisoningSession) -> None:
    def repaired(task: PoisoningTask, context: Context) -> Defence:
        model = task.new_model()
        torch.nn.init.zeros_(model.head.weight)
        with torch.no_grad():
            model.head.bias.copy_(torch.eye(10)[3])  # says 3 to everything
        return Defence(model=model)

    found = evaluate(poisoned, repaired).metrics
    assert found["asr"] == 0.0
    assert found["cda"] == pytest.approx(float((poisoned.test.y == 3).double().mean()))
    assert found["worst_class_accuracy"] == 0.0


def test_suspicion_and_tags_are_scored_against_what_no_defence_sees(
    poisoned: PoisoningSession,
) -> None:
    truth, mask = poisoned.truth, poisoned.mask

    def knows(task: PoisoningTask, context: Context) -> Defence:
        tags = truth.clone()
        tags[:9] = (tags[:9] + 1) % 10
        return Defence(suspicion=mask.double(), tags=tags, flagged=torch.zeros(900).bool())

    found = evaluate(poisoned, knows).metrics
    assert found["auroc"] == 1.0
    assert found["clustering_accuracy"] == pytest.approx(891 / 900)
    assert found["alarm"] == 0.0


def test_on_the_clean_twin_nothing_can_be_caught_and_alarms_are_counted(
    library: Library, cache: Path
) -> None:
    session = PoisoningSession(prepared(library, cache, Clean()))
    flags = torch.zeros(900).bool()
    flags[:90] = True
    evaluation = evaluate(session, lambda task, context: Defence(flagged=flags))
    assert evaluation.metrics["fpr"] == pytest.approx(0.1)
    assert evaluation.metrics["alarm"] == 1.0
    assert evaluation.undefined["asr"] == "nothing was poisoned: this is the clean twin"
    assert "tpr" in evaluation.undefined


def test_the_reserve_is_clean_and_the_victim_is_trained_once(
    poisoned: PoisoningSession, library: Library, cache: Path
) -> None:
    clean = library.splits("digits", "digit|ink", data_set("digits").options())["validation"]
    known = {row.numpy().tobytes() for row in torch.from_numpy(clean.x)}
    assert len(poisoned.task.reserve) == 450
    assert all(row.numpy().tobytes() in known for row in poisoned.task.reserve.x.contiguous())
    again = PoisoningSession(prepared(library, cache, BadNets(rate=0.05, size=2)))
    assert again.context.shared_seconds == poisoned.context.shared_seconds > 0
    assert again.context.waited_seconds < again.context.shared_seconds


def test_what_an_attack_learns_is_learnt_once_and_charged_to_all(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied: list[Knowledge] = []
    study = Issba.study

    def counted(self: Issba, train: Samples, random: torch.Generator) -> Knowledge:
        studied.append(study(self, train, random))
        return studied[-1]

    monkeypatch.setattr(Issba, "study", counted)
    attack = Issba(bits=2, bound=0.5, distortion=0.5, steps=150)
    brief = TRAINING.model_copy(update={"epochs": 1})
    first, again, alone = (
        PoisoningSession(prepared(library, tmp_path / cache, attack, brief))
        for cache in ("shared", "shared", "another")
    )
    assert len(studied) == 2  # the third had another cache
    for other in (again, alone):
        assert torch.equal(other.poison.rows, first.poison.rows)
        assert torch.equal(other.poison.x, first.poison.x)
        assert torch.equal(other.attempts[0].x, first.attempts[0].x)
        assert torch.equal(other.task.reserve.x, first.task.reserve.x)
    assert again.context.shared_seconds == first.context.shared_seconds
    kept = [
        SharedRecord.model_validate_json(p.read_text())
        for p in (tmp_path / "shared").glob("*.json")
    ]
    assert len(kept) == 2  # the encoder and the victim
    assert sum(record.seconds for record in kept) == pytest.approx(first.context.shared_seconds)
    assert min(record.seconds for record in kept) > 0
    assert again.context.waited_seconds < again.context.shared_seconds


def test_looks_are_counted_by_the_judge(poisoned: PoisoningSession) -> None:
    def looks(task: PoisoningTask, context: Context) -> Defence:
        human = task.human("oracle", 0.0, "")
        assert [human.tag(row) for row in range(7)] == poisoned.truth[:7].tolist()
        return Defence()

    poisoned.humans.clear()
    assert evaluate(poisoned, looks).metrics["looks"] == 7
    poisoned.humans.clear()


def test_a_careless_human_names_a_wrong_class_about_as_often_as_asked(
    poisoned: PoisoningSession,
) -> None:
    human = poisoned.task.human("oracle", 0.25, "")
    wrong = sum(human.tag(row) != int(poisoned.truth[row]) for row in range(900)) / 900
    assert wrong == pytest.approx(0.25, abs=0.05)
    poisoned.humans.clear()


def test_everything_flagged_leaves_nothing_to_train_on(poisoned: PoisoningSession) -> None:
    with pytest.raises(Skip, match="nothing to train on"):
        evaluate(poisoned, lambda task, context: Defence(flagged=torch.ones(900).bool()))


def test_flags_of_the_wrong_length_are_our_mistake(poisoned: PoisoningSession) -> None:
    with pytest.raises(ValueError, match=r"flagged has shape \(3,\), not \(900,\)"):
        evaluate(poisoned, lambda task, context: Defence(flagged=torch.ones(3).bool()))


def test_epochs_cannot_be_chosen_on_clean_data(library: Library, cache: Path) -> None:
    asked = TRAINING.model_copy(update={"selection": "validation"})
    with pytest.raises(BenchError, match="selection: last"):
        PoisoningSession(prepared(library, cache, Clean(), asked))
