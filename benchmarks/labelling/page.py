"""Writes the HTML of the page."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.labelling.session import Labelling
from bench.labelling.showing import SampleView
from bench.tracks.poisoning.human import UNSURE

RESERVED = "up"  # keys of "unsure" and "play"
KEYS = "1234567890" + "".join(key for key in string.ascii_lowercase if key not in RESERVED)


@dataclass(frozen=True)
class Choice:
    """A button: its label, the value that it sends, and its key, or "" if no key is left."""

    name: str
    value: str
    key: str


def choices(classes: Sequence[str]) -> tuple[Choice, ...]:
    """A button for each class. Classes named by one letter or digit have it as their key."""
    keys = [name.lower() for name in classes]
    if not (set(keys) <= set(KEYS) and len(set(keys)) == len(keys)):
        keys = [*KEYS[: len(classes)], *[""] * (len(classes) - len(KEYS))]
    return tuple(
        Choice(name, str(value), key)
        for value, (name, key) in enumerate(zip(classes, keys, strict=True))
    )


def typed_class(text: str, classes: Sequence[str]) -> str | None:
    """The class that was typed, in any case, or "unsure"; None if there is no such class."""
    known = {name.casefold(): name for name in (UNSURE, *classes)}
    return text if text in classes else known.get(text.strip().casefold())


class Page:
    """Writes the page.

    Attributes:
        labelling: the answers so far, and the sample to inspect next.
        afterwards: the command that uses the answers.
    """

    def __init__(self, labelling: Labelling, afterwards: str) -> None:
        self.labelling, self.afterwards = labelling, afterwards
        self.choices = choices(labelling.queue.classes)
        environment = Environment(
            loader=PackageLoader("bench.labelling"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.template = environment.get_template("page.html.j2")

    def html(self, view: SampleView | None, fault: str = "") -> str:
        """The page.

        Args:
            view: the sample to inspect, or None if all clusters are done.
            fault: why the last answer was not accepted.
        """
        labelling = self.labelling
        last = next(reversed(labelling.tags.values()), "")
        return self.template.render(
            queue=labelling.queue,
            sample=labelling.next_sample,
            inspections=labelling.inspections,
            step=labelling.step,
            last=last,
            view=view,
            fault=fault,
            choices=self.choices,
            typed=not self.choices[-1].key,
            unsure=UNSURE,
            file=str(labelling.path),
            afterwards=self.afterwards,
        )
