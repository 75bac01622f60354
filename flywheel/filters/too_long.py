"""Conversations that do not fit the model to be trained."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter


class TooLong(Filter, frozen=True):
    """Reject a conversation whose prompt and reply together have more o200k tokens than this."""

    use: Literal["too_long"] = "too_long"
    needs: ClassVar[tuple[str, ...]] = ("prompt_tokens_o200k", "reply_tokens_o200k")
    max_tokens: int = Field(default=8192, ge=1)

    def reject(self) -> pl.Expr:
        return pl.col("prompt_tokens_o200k") + pl.col("reply_tokens_o200k") > self.max_tokens
