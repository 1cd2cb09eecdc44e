"""The import of torchvision and timm, put off until a network of theirs is wanted."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

import torch

# Detection operators that torchvision's Python code mentions while it is imported.
MENTIONED = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_declared: list[torch.library.Library] = []  # a declaration lasts as long as its library


@cache
def torchvision_models() -> ModuleType:
    """`torchvision.models`, also where its compiled operators do not load.

    PyPI's torchvision is compiled for CUDA; beside a torch for CPUs alone its operators stay out,
    and the import fails for the lack of two that no classifier uses. They are declared then,
    without an implementation, and only then: where the import works nothing is touched.
    """
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if not any(f"torchvision::{name}" in str(error) for name in MENTIONED):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in MENTIONED:
        library.define(name + SIGNATURE)
    _declared.append(library)
    return importlib.import_module("torchvision.models")


@cache
def is_classifier(name: str) -> bool:
    """Whether torchvision has a classifier of that name."""
    models = torchvision_models()
    return name in models.list_models(module=models)


@cache
def timm() -> ModuleType:
    """The package timm, which imports torchvision."""
    torchvision_models()
    return importlib.import_module("timm")
