"""Replies the user did not like."""

from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Filter


class Disliked(Filter, frozen=True):
    """Do not imitate a reply with a thumb down or a mean rating this low. Without feedback it stays."""

    use: Literal["disliked"] = "disliked"
    rejects: ClassVar[Literal["row", "target"]] = "target"
    needs: ClassVar[tuple[str, ...]] = ("thumb", "rating")
    max_rating: float = 2.0
    """On the scale the ratings are given on; 2 suits one to five."""

    def reject(self) -> pl.Expr:
        return (pl.col("thumb") == -1) | (pl.col("rating") <= self.max_rating)
