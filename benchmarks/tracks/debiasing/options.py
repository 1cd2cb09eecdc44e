"""What a suite may ask of a debiasing task besides the data set's own options."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from bench.tracks.options import EarlierOptions


class DebiasingOptions(EarlierOptions):
    """Triggers in the place of the bias variable, and an examination of the trained models."""

    of_judge: ClassVar[frozenset[str]] = frozenset({"examined"})
    unnamed: ClassVar[frozenset[str]] = frozenset({"examined"})

    artificial: bool = False
    """Put a pair of triggers in the place of the bias variable, in the same proportion to the
    target (BaDe, section III and Figure 3)."""
    flipped: Annotated[float, Field(ge=0, le=1)] | None = None
    """Put a trigger in the place of the bias variable: a share `injected` of the training samples
    carries it, and of these the share `flipped` is labelled as the first class (BaDe, Figure 2)."""
    injected: float = Field(0.05, gt=0, lt=1)
    """Share of the training samples that carry the trigger of `flipped`; .05 is the paper's."""
    examined: bool = False
    """Report what triggers do to the trained models: EAcc with each on all and on one group
    (BaDe, Table 4), and their success as attacks."""

    @property
    def planted(self) -> tuple[str, ...]:
        """Names of the two groups where triggers stand in for the bias variable, else nothing."""
        if self.artificial:
            return ("first trigger", "second trigger")
        return () if self.flipped is None else ("clean", "triggered")
