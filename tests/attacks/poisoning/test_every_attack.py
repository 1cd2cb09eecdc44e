"""What the contract asks of every attack that is found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
import torch

from bench.attacks.poisoning.contract import Attack, Samples, attacks
from bench.errors import BenchError, Skip
from bench.method import configured, field_docs, methods, summary_of
from tests.attacks.poisoning import attack_samples as given

# Rates that tiny data can serve, and an encoder that need not be good.
SETTINGS: dict[str, dict[str, object]] = {
    "feature_values": {"rate": 0.05},
    "issba": {"bits": 1, "bound": 1.0, "distortion": 1.0, "steps": 60},
    "trigger_words": {"rate": 0.1, "words": "good,360", "positions": "2,7"},
}
DATA: dict[str, Callable[[], Samples]] = {
    "background_noise": given.sounds,
    "feature_values": given.table,
    "trigger_words": given.texts,
}
KINDS: dict[str, Callable[[], Samples]] = {
    "image": given.images,
    "sound": given.sounds,
    "text": given.texts,
    "table": given.table,
}
NAMES = [name for name in attacks() if name != "clean"]
every_attack = pytest.mark.parametrize("name", NAMES)


def made(name: str) -> Attack:
    return configured(attacks()[name], SETTINGS.get(name, {}))


def data_for(name: str) -> Samples:
    return DATA.get(name, given.images)()


def test_the_attacks_of_the_paper_are_all_there() -> None:
    assert {
        "all_to_all", "background_noise", "badnets", "clean", "clean_label", "feature_values",
        "issba", "multi_trigger_multi_target", "multi_trigger_single_target", "source_specific",
        "trigger_words", "wanet",
    } <= attacks().keys()  # fmt: skip


@pytest.mark.parametrize("name", list(attacks()))
def test_it_says_what_it_does_and_documents_every_field(name: str) -> None:
    cls = attacks()[name]
    assert re.fullmatch(r"[A-Z][^\n]{20,98}\.", summary_of(cls))
    docs = field_docs(cls)
    assert docs.keys() == {field.name for field in dataclasses.fields(cls)}
    assert all(text.endswith(".") for _, _, text in docs.values())
    assert cls().label == name


@every_attack
def test_rows_are_there_once_and_shapes_and_types_are_kept(name: str) -> None:
    train = data_for(name)
    poison = given.poison_of(made(name), train)
    assert len(poison.rows.unique()) == len(poison.rows) > 0
    assert poison.rows.min() >= 0
    assert poison.rows.max() < len(train.y)
    assert poison.x.shape == (len(poison.rows), *train.x.shape[1:])
    assert poison.x.dtype == train.x.dtype
    assert poison.y.shape == poison.cover.shape == poison.rows.shape
    assert (poison.y.dtype, poison.cover.dtype) == (torch.int64, torch.bool)


@every_attack
def test_the_training_set_itself_is_left_as_it_was(name: str) -> None:
    train = data_for(name)
    x, y = train.x.clone(), train.y.clone()
    attack = made(name)
    poison = given.poison_of(attack, train)
    given.attempts_of(attack, train, train)
    poison.x.zero_()
    assert torch.equal(train.x, x)
    assert torch.equal(train.y, y)


@every_attack
def test_cover_keeps_true_labels_and_poison_does_not(name: str) -> None:
    train = data_for(name)
    poison = given.poison_of(made(name), train)
    truth = train.y[poison.rows]
    assert torch.equal(poison.y[poison.cover], truth[poison.cover])
    if name == "clean_label":
        assert torch.equal(poison.y, truth)
    else:
        assert (poison.y[~poison.cover] != truth[~poison.cover]).all()


@every_attack
def test_samples_of_the_target_class_are_never_tried(name: str) -> None:
    data = data_for(name)
    attack = made(name)
    tried = given.attempts_of(attack, data, data)
    assert tried
    assert any(attempt.fires for attempt in tried)
    for attempt in tried:
        assert len(attempt.x) == len(attempt.y) == len(attempt.aim) > 0
        assert (attempt.aim != attempt.y).all()
        assert attempt.aim.dtype == attempt.y.dtype == torch.int64
        assert attempt.x.dtype == data.x.dtype
        assert attempt.x.shape[1:] == data.x.shape[1:]


@every_attack
def test_the_generator_alone_decides_the_poison(name: str) -> None:
    train = data_for(name)
    first = given.poison_of(made(name), train, 1)
    torch.manual_seed(999)
    state = torch.random.get_rng_state()
    again = given.poison_of(made(name), train, 1)
    assert torch.equal(torch.random.get_rng_state(), state)
    for one, other in zip(vars(first).values(), vars(again).values(), strict=True):
        assert torch.equal(one, other)
    other_rows = given.poison_of(made(name), train, 2).rows
    assert not torch.equal(other_rows, first.rows)


@every_attack
@pytest.mark.parametrize("kind", KINDS)
def test_the_wrong_kind_of_data_is_skipped_with_a_reason(name: str, kind: str) -> None:
    data = KINDS[kind]()
    if data.kind != data_for(name).kind:
        with pytest.raises(Skip, match=f"{name} poisons .*this data holds {kind}"):
            given.poison_of(made(name), data)


@every_attack
def test_a_rate_that_the_data_cannot_serve_is_refused_in_words(name: str) -> None:
    attack = dataclasses.replace(made(name), rate=0.999)
    if name == "all_to_all":
        assert len(given.poison_of(attack, data_for(name)).rows) == 200
        return
    with pytest.raises(BenchError, match=rf"^{name}\[.*are asked for, [\d,]+ are there"):
        given.poison_of(attack, data_for(name))


@every_attack
def test_a_tiny_rate_poisons_one_sample_a_trigger(name: str) -> None:
    attack = dataclasses.replace(made(name), rate=1e-6)
    data = data_for(name)
    poison = given.poison_of(attack, data)
    triggers = sum(attempt.fires for attempt in given.attempts_of(attack, data, data))
    assert int((~poison.cover).sum()) == triggers


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, "target") for name in NAMES if "target" in field_docs(attacks()[name])]
    + [("source_specific", "source"), ("multi_trigger_multi_target", "grey")],
)
def test_a_class_that_the_data_lacks_is_refused_in_words(name: str, field: str) -> None:
    attack = dataclasses.replace(made(name), **{field: 9})
    with pytest.raises(BenchError, match="there is no class 9"):
        given.poison_of(attack, data_for(name))


def test_no_attack_has_the_name_of_a_method() -> None:
    assert attacks().keys().isdisjoint(methods())
