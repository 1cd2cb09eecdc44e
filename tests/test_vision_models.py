"""The import of torchvision, also where its compiled operators do not load."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch

from bench import vision_models


def test_torchvision_and_timm_can_be_imported_here() -> None:
    assert vision_models.torchvision_models().__name__ == "torchvision.models"
    assert vision_models.timm().__name__ == "timm"


def test_another_failure_of_the_import_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise RuntimeError(f"{name}: no space left")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="no space left"):
        vision_models.torchvision_models.__wrapped__()


def test_nothing_is_declared_where_the_import_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("declared without need")

    vision_models.torchvision_models()
    monkeypatch.setattr(torch.library, "Library", refuse)
    assert vision_models.torchvision_models.__wrapped__() is vision_models.torchvision_models()
