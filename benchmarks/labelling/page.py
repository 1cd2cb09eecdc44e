"""The page as it stands after each answer."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.labelling.session import Labelling
from bench.labelling.showing import Shown
from bench.tracks.poisoning.human import UNSURE

RESERVED = "up"  # unsure, play
KEYS = "1234567890" + "".join(each for each in string.ascii_lowercase if each not in RESERVED)


@dataclass(frozen=True)
class Choice:
    """A button: what it says, what it sends, and its key, if there is one left for it."""

    name: str
    value: str
    key: str


def choices(classes: Sequence[str]) -> tuple[Choice, ...]:
    """A button for each class. Classes named by one letter or digit have that as their key."""
    own = [name.lower() for name in classes]
    if not (set(own) <= set(KEYS) and len(set(own)) == len(own)):
        own = [*KEYS[: len(classes)], *[""] * (len(classes) - len(KEYS))]
    return tuple(
        Choice(name, str(value), key)
        for value, (name, key) in enumerate(zip(classes, own, strict=True))
    )


def named(text: str, classes: Sequence[str]) -> str | None:
    """The class that someone typed, or "unsure", whatever its case; None for no such class."""
    known = {name.casefold(): name for name in (UNSURE, *classes)}
    return text if text in classes else known.get(text.strip().casefold())


class Page:
    """Writes the page.

    Attributes:
        labelling: what was said, and what is asked.
        afterwards: the command that makes use of the answers.
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

    def html(self, shown: Shown | None, fault: str = "") -> str:
        """The page.

        Args:
            shown: the sample that is asked about, None where nothing is.
            fault: why the last answer was not taken.
        """
        labelling = self.labelling
        last = next(reversed(labelling.tags.values()), "")
        return self.template.render(
            queue=labelling.queue,
            asked=labelling.asked,
            looks=labelling.looks,
            step=labelling.step,
            last=last,
            shown=shown,
            fault=fault,
            choices=self.choices,
            typed=not self.choices[-1].key,
            unsure=UNSURE,
            file=str(labelling.path),
            afterwards=self.afterwards,
        )
