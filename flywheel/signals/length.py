"""How long the prompt and the reply are."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from flywheel.kinds import Signal
from flywheel.texts.packed import packed
from flywheel.texts.said import said


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
        read = said(rows)
        chars = read.prompt_and_reply(read.texts.str.len_chars().to_numpy())
        words = read.prompt_and_reply(np.concatenate([p.runs for p in packed(read.texts)]))
        counts = dict(
            zip(("prompt_chars", "reply_chars", "prompt_words", "reply_words"), (*chars, *words), strict=True)
        )
        by_user = pl.element().struct.field("role") == "user"
        return rows.select(
            "id",
            **{c: pl.Series(n, dtype=pl.Int32) for c, n in counts.items()},
            turns=pl.col("messages").list.eval(by_user).list.sum().cast(pl.Int32),
        )
