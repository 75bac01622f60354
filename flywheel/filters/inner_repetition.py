"""Replies that say the same passage again."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class InnerRepetition(Filter, frozen=True):
    """Reject a conversation whose reply consists, to more than this share, of passages it has already said."""

    use: Literal["inner_repetition"] = "inner_repetition"
    needs: ClassVar[tuple[str, ...]] = ("inner_repeat",)
    max_share: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of the reply's letters in passages said before; whether these are paragraphs or sentences, the signal says."""

    def reject(self) -> pl.Expr:
        return pl.col("inner_repeat") > self.max_share
