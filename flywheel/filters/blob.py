"""Replies that are data and no text."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class Blob(Filter, frozen=True):
    """Reject a conversation whose reply is mostly base64 or hexadecimal digits: nothing that a model can learn to say.

    A key, a digest or a token inside an answer stays. So would a sequence of genes not: leave the filter out where those are asked for.
    """

    use: Literal["blob"] = "blob"
    needs: ClassVar[tuple[str, ...]] = ("blob_share", "reply_chars")
    max_share: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Share of the reply's bytes in runs of such digits."""
    min_chars: int = Field(default=200, ge=1)
    """Shorter replies are left alone: "What is the SHA-256 of it?" has an answer."""

    def reject(self) -> pl.Expr:
        return (pl.col("blob_share") > self.max_share) & (pl.col("reply_chars") >= self.min_chars)
