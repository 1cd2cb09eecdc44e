"""Methods by name: fields that are set, mistakes in them, labels and docs."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.method import field_docs, make, method_class, methods, summary_of
from bench.methods.bade import BaDe

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("baed", {}, r'unknown method "baed"\. Did you mean "bade"\? Known: .*adversarial, bade,'),
        ("bade", {"temprature": 4}, r'bade: unknown field "temprature"\. Did you mean "temper'),
        ("standard", {"lr": 1}, r'standard: unknown field "lr"\. Known: none\.'),
        ("bade", {"temperature": "4"}, r"bade\.temperature: .*valid number \(given: '4'\)"),
        ("bade", {"temperature": 0}, r"bade\.temperature: .*greater than 0 \(given: 0\)"),
        ("bade", {"square": 2.5}, r"bade\.square: .*valid integer \(given: 2\.5\)"),
        ("bade", {"square": True}, r"bade\.square: .*valid integer \(given: True\)"),
        ("bade", {"loss": "kl"}, r"bade\.loss: .*'kd', 'mse' or 'mix' \(given: 'kl'\)"),
        ("bade", {"mse_share": 1.1}, r"bade\.mse_share: .*less than or equal to 1"),
        ("mfd", {"weight": None}, r"mfd\.weight: .*valid number \(given: None\)"),
        ("mfd", {"weight": float("nan")}, r"mfd\.weight: .* \(given: nan\)"),
        ("mfd", {"weight": float("inf")}, r"mfd\.weight: .*finite number"),
        ("mfd", {"weight": datetime.date(2024, 1, 1)}, r"mfd\.weight: .*'2024-01-01'"),
        ("rnf", {"q": 1}, r"rnf\.q: .*less than 1"),
        ("rnf", {"groups": []}, r"rnf\.groups: "),
    ],
)
def test_a_wrong_setting_is_told_with_its_method_field_and_value(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(name, settings)


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    assert make("bade", {"temperature": 4}) == BaDe(temperature=4.0)


def test_what_is_not_set_keeps_the_default() -> None:
    assert make("bade", {}) == BaDe()
    assert make("bade", {"loss": "mse"}).parameters == {
        "strength": 1.0,
        "loss": "mse",
        "temperature": 1.0,
        "mse_share": 0.1,
        "trigger": "squares",
        "square": 25,
        "stage": "student",
        "rate_have": None,
        "rate_not_have": None,
    }


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "bade"),
        ({"strength": 1}, "bade"),
        ({"temperature": 1.0, "loss": "kd"}, "bade"),
        ({"strength": "auto"}, "bade[strength=auto]"),
        ({"temperature": 4}, "bade[temperature=4]"),
        ({"mse_share": 0.25, "loss": "mix"}, "bade[loss=mix,mse_share=0.25]"),
        ({"square": 5, "strength": 0}, "bade[strength=0,square=5]"),
    ],
)
def test_a_label_names_what_differs_from_the_defaults(settings: dict[str, Any], label: str) -> None:
    assert make("bade", settings).label == label


def test_a_method_has_the_name_of_its_file_and_the_summary_of_its_module() -> None:
    assert method_class("bade") is BaDe
    assert BaDe().name == "bade"
    assert summary_of(BaDe).startswith("BaDe: cancel a bias")
    assert list(methods()) == sorted(methods())


@pytest.mark.parametrize(
    ("method", "field", "values"),
    [
        ("labor", "version", "'v1' or 'v2'"),  # the code has a name for it
        ("bade", "trigger", "'squares' or 'mosaic' or 'shadow' or 'sinusoid'"),
        ("bade", "strength", "float >= 0 and <= 1 or 'auto'"),
        ("labor", "adaptive", "bool"),
        ("labor", "tags", "str"),
    ],
)
def test_field_docs_spell_out_what_a_field_may_be(method: str, field: str, values: str) -> None:
    assert field_docs(method_class(method))[field][0] == values


def test_field_docs_hold_type_default_and_docstring_in_words() -> None:
    kind, default, text = field_docs(BaDe)["square"]
    assert kind == "int >= 1"
    assert default == 25
    assert text.startswith("Side of the colour squares in pixels")
    assert "\n" not in field_docs(BaDe)["strength"][2]
    assert field_docs(method_class("standard")) == {}


PRIVATE = '''"""Constant: answers the same whatever it is asked."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bench.method import Paper
from bench.tracks.debiasing import Debiaser


@dataclass(frozen=True)
class Constant(Debiaser):
    """Nobody (2024), section 1."""

    paper: ClassVar[Paper] = Paper("Nobody (2024)", "On nothing")
    answer: int = 0
    """What it says."""

    def fit(self, task, trial):
        return nn.Identity()
'''


def test_a_file_in_the_folder_of_private_methods_is_a_method(tmp_path: Path) -> None:
    (tmp_path / "constant.py").write_text(PRIVATE, "utf-8")
    ask = (
        "from bench.method import make, methods;"
        "print('bade' in methods(), make('constant', {'answer': 3}).label)"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "BENCH_METHODS": str(tmp_path)},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout == "True constant[answer=3]\n"
