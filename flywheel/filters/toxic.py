"""Calls in which people are insulted."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class Toxic(Filter, frozen=True):
    """Leave out calls whose reply, or whose input, is as offensive as this. A text that was not judged stays."""

    use: Literal["toxic"] = "toxic"
    min_score: float = Field(default=0.7, gt=0.0, le=1.0)
    """Probability from which on a text is offensive, as the signal toxicity measures it."""
    of: tuple[Literal["reply", "input"], ...] = Field(default=("reply",), min_length=1)
    """What is looked at: the reply, the message it answers, or both."""

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """A column for each text looked at."""
        return tuple(f"{which}_toxicity" for which in dict.fromkeys(self.of))

    def reject(self) -> pl.Expr:
        return pl.any_horizontal([(pl.col(column) >= self.min_score).fill_null(False) for column in self.needs])
