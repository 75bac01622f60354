"""Replies that were cut off."""

from typing import Literal

import polars as pl

from flywheel.kinds import Filter


class Truncated(Filter, frozen=True):
    """Reject a conversation whose reply ended because of a limit or a content filter, not because it was done."""

    use: Literal["truncated"] = "truncated"
    reasons: tuple[str, ...] = ("length", "content_filter")

    def reject(self) -> pl.Expr:
        return pl.col("finish_reason").is_in(list(self.reasons))
