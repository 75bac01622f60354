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
        one = rows.select("id", "messages").explode("messages")
        text = pl.col("messages").struct.field("content").fill_null("")
        counts = one.select(
            "id",
            chars=text.str.len_chars().cast(pl.Int32),
            words=text.str.count_matches(r"[^ \t\r\n]+").cast(pl.Int32),
            user=pl.col("messages").struct.field("role").eq_missing(pl.lit("user")),
        )
        sums = counts.group_by("id").agg(
            prompt_chars=pl.col("chars").sum() - pl.col("chars").last(),
            reply_chars=pl.col("chars").last(),
            prompt_words=pl.col("words").sum() - pl.col("words").last(),
            reply_words=pl.col("words").last(),
            turns=pl.col("user").sum().cast(pl.Int32),
        )
        return rows.select("id").join(sums, on="id", how="left", maintain_order="left")
