"""The options of a task that belong to its track; a data set has options of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from bench.result import Scalar


class TrackOptions(BaseModel):
    """Fields that a suite may set on every task of a track; a track's own class adds some.

    Attributes:
        of_judge: names of the fields that only the judge reads, so that they change no model.
        unnamed: names of the fields that are left out of a task's name.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    of_judge: ClassVar[frozenset[str]] = frozenset()
    unnamed: ClassVar[frozenset[str]] = frozenset()

    @property
    def planted(self) -> tuple[str, ...]:
        """Names of the groups that these options plant in the place of the data set's own."""
        return ()

    def model_key(self) -> Mapping[str, Scalar]:
        """What decides trained models: a part of the keys of results and of shared work."""
        return self.model_dump(exclude=set(self.of_judge))

    def judge_key(self) -> Mapping[str, object]:
        """What decides a result besides the trained models: a part of its key."""
        fields = self.model_dump(include=set(self.of_judge), exclude_defaults=True)
        return {"judge_options": fields} if fields else {}


class EarlierOptions(TrackOptions):
    """Options of the tracks whose results are older than the options of single tracks.

    Their keys hold the options that all of these tracks had in common, at their defaults where a
    track has them no longer, so that results stay what they are.
    """

    def model_key(self) -> Mapping[str, Scalar]:
        """See `TrackOptions.model_key`."""
        return {"artificial": False, "flipped": None, "injected": 0.05, **super().model_key()}

    def judge_key(self) -> Mapping[str, object]:
        """See `TrackOptions.judge_key`."""
        fields = self.model_dump(include=set(self.of_judge), exclude_defaults=True)
        return {"examined": False, **fields}
