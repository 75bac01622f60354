"""How long the prompt and the reply are."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal


class Length(Signal, frozen=True):
    """Characters and words of the prompt (every message but the last) and of the reply, and the number of user messages.

    A word is a run of anything but white space.
    """

    use: Literal["length"] = "length"
    gives: ClassVar[Mapping[str, Any]] = {
        "prompt_chars": pl.Int32,
        "reply_chars": pl.Int32,
        "prompt_words": pl.Int32,
        "reply_words": pl.Int32,
        "turns": pl.Int32,
    }

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        text = pl.element().struct.field("content").fill_null("")
        chars = pl.col("messages").list.eval(text.str.len_chars().cast(pl.Int32))
        words = pl.col("messages").list.eval(text.str.count_matches(r"[^ \t\r\n]+").cast(pl.Int32))
        roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
        return rows.select(
            "id",
            _but_last(chars).alias("prompt_chars"),
            _last(chars).alias("reply_chars"),
            _but_last(words).alias("prompt_words"),
            _last(words).alias("reply_words"),
            roles.list.count_matches("user").cast(pl.Int32).fill_null(0).alias("turns"),
        )


def _last(counts: pl.Expr) -> pl.Expr:
    return counts.list.last().cast(pl.Int32).fill_null(0)


def _but_last(counts: pl.Expr) -> pl.Expr:
    return (counts.list.sum().cast(pl.Int32).fill_null(0) - _last(counts)).cast(pl.Int32)
