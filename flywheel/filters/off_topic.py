"""Conversations about something else than the application is for."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class OffTopic(Filter, frozen=True):
    """Reject a conversation that is too far from every topic of the recipe; one that could not be judged stays."""

    use: Literal["off_topic"] = "off_topic"
    needs: ClassVar[tuple[str, ...]] = ("topic_relevance",)
    min_relevance: float = Field(default=0.1, ge=0.0, le=1.0)
    """Relevance below which a row is about something else; look at what it would hit with `flywheel preview`."""

    def reject(self) -> pl.Expr:
        return pl.col("topic_relevance") < self.min_relevance
