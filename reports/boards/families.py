"""Entries of one method: the parameters they share, and those in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.result import PlannedMethod, Scalar


@dataclass(frozen=True)
class Family:
    """The entries of one method, with their shared parameters listed once."""

    first: PlannedMethod
    members: Sequence[tuple[PlannedMethod, Mapping[str, Scalar]]]
    """Each entry with the parameters in which the entries differ."""
    shared: Mapping[str, Scalar]
    caveats: Mapping[str, Sequence[str]]
    """What makes numbers incomparable, each with the labels it concerns."""


def distinguishing(
    methods: Sequence[PlannedMethod],
) -> dict[tuple[str, str], dict[str, Scalar]]:
    """By track and label: parameters in which entries of a name differ and no label shows them."""
    named: dict[tuple[str, str], list[PlannedMethod]] = {}
    for method in methods:
        named.setdefault((method.track, method.name), []).append(method)
    differing = {}
    for variants in named.values():
        shared = shared_parameters(variants)
        for method in variants:
            differing[method.track, method.label] = {
                key: value
                for key, value in method.parameters.items()
                if key not in shared and f"{key}=" not in method.label
            }
    return differing


def families(methods: Sequence[PlannedMethod]) -> list[Family]:
    """The methods with their variants, in the plan's order."""
    grouped = []
    for group in _by_name(methods):
        first = group[0]
        shared = shared_parameters(group)
        members = [(m, {k: v for k, v in m.parameters.items() if k not in shared}) for m in group]
        caveats: dict[str, list[str]] = {}
        for method in group:
            if method.caveat:
                caveats.setdefault(method.caveat, []).append(method.label)
        grouped.append(Family(first, members, shared, caveats))
    return grouped


def shared_parameters(methods: Sequence[PlannedMethod]) -> dict[str, Scalar]:
    """Parameters that all of them have, with one value."""
    return {
        key: value
        for key, value in methods[0].parameters.items()
        if all(key in m.parameters and m.parameters[key] == value for m in methods)
    }


def _by_name(methods: Sequence[PlannedMethod]) -> list[list[PlannedMethod]]:
    """Entries of one file and one revision, which differ in parameters alone."""
    groups: dict[tuple[object, ...], list[PlannedMethod]] = {}
    for method in methods:
        same = method.track, method.name, method.revision, method.summary, method.paper, method.url
        groups.setdefault((*same, *method.about), []).append(method)
    return list(groups.values())
