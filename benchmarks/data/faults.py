"""Parts of raw files that cannot be used: named, counted, and refused if they are too many."""

from __future__ import annotations

from pathlib import Path

from bench.data.pictures import most_tolerated, named
from bench.errors import DataError


class Faults:
    """The parts that were left out of a file or an archive, and why.

    As with pictures, 1 % of the parts, and always 10, may be unusable; more are a bad download.
    """

    def __init__(self, source: Path | str, things: str) -> None:
        """`things` says what is counted, in the plural ("recordings")."""
        self.source, self.things = source, things
        self.places: list[str] = []

    def add(self, place: str, reason: str) -> None:
        """Note a part that is left out: its place (file, line, column), and why."""
        self.places.append(f"{place} ({reason})")

    def refuse_many(self, total: int) -> None:
        """Raise DataError if more of the `total` parts than are tolerated cannot be used."""
        tolerated = most_tolerated(total)
        if len(self.places) > tolerated:
            raise DataError(
                f"{self.source}: {len(self.places):,} of {total:,} {self.things} cannot be used, "
                f"more than the {tolerated:,} that are tolerated: {named(self.places)}. Fetch it "
                "again."
            )

    def notes(self) -> list[str]:
        """A note on the parts that were left out, if there are any."""
        if not self.places:
            return []
        return [f"{len(self.places):,} unusable {self.things} are left out: {named(self.places)}."]
