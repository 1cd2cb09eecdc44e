"""Parts of raw files that cannot be used: named, counted, and refused where they are too many."""

from __future__ import annotations

from pathlib import Path

from bench.data.pictures import ALWAYS_FORGIVEN, MAX_UNREADABLE, named
from bench.errors import DataError


class Faults:
    """What was left out of a file or an archive, and why.

    As with pictures, 1 % may be unusable (10 of few): some faults are noise, more are a bad
    download.
    """

    def __init__(self, source: Path | str, things: str) -> None:
        """`things`: what is counted, in the plural ("recordings")."""
        self.source, self.things = source, things
        self.places: list[str] = []

    def add(self, place: str, why: str) -> None:
        """Leave something out: where it stands (file, line, column) and what is wrong with it."""
        self.places.append(f"{place} ({why})")

    def refuse_many(self, total: int) -> None:
        """Raise DataError where more than is tolerated of `total` things cannot be used."""
        allowed = max(ALWAYS_FORGIVEN, int(MAX_UNREADABLE * total))
        if len(self.places) > allowed:
            raise DataError(
                f"{self.source}: {len(self.places):,} of {total:,} {self.things} cannot be used, "
                f"more than the {allowed:,} that are tolerated: {named(self.places)}. Fetch it "
                "again."
            )

    def notes(self) -> list[str]:
        """What a page must say about them."""
        if not self.places:
            return []
        return [f"{len(self.places):,} unusable {self.things} are left out: {named(self.places)}."]
