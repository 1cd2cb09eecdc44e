"""Training settings explain themselves."""

from __future__ import annotations

import pytest

from bench.learning.settings import Recipe, Training


@pytest.mark.parametrize("name", Training.model_fields)
def test_every_training_setting_has_a_sentence_of_its_own(name: str) -> None:
    text = Training.model_fields[name].description or ""
    assert text[:1].isupper() or text.startswith("validation: ")
    assert text.endswith(".")


def test_the_rate_of_a_recipe_falls_along_half_a_cosine_or_not_at_all() -> None:
    falling = Recipe(epochs=4, batch_size=8, learning_rate=0.2)
    assert [falling.rate(epoch) for epoch in (0, 2, 4)] == pytest.approx([0.2, 0.1, 0.0])
    constant = Recipe(epochs=4, batch_size=8, learning_rate=0.2, falls=False)
    assert {constant.rate(epoch) for epoch in range(4)} == {0.2}
