"""How long the prompt and the reply are."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from flywheel.kinds import Signal
from flywheel.records import contents, prompt_and_reply
from flywheel.texts.packed import packed


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
        said = rows.select("id", "messages").collect()
        texts, starts = contents(said)
        runs = np.concatenate([np.zeros(0, np.int64), *(p.runs for p in packed(texts))])
        chars = prompt_and_reply(texts.str.len_chars().to_numpy(), starts)
        words = prompt_and_reply(runs, starts)
        role = pl.element().struct.field("role")
        numbers = dict(
            zip(("prompt_chars", "reply_chars", "prompt_words", "reply_words"), (*chars, *words), strict=True)
        )
        return said.select(
            "id",
            **{c: pl.Series(n, dtype=pl.Int32) for c, n in numbers.items()},
            turns=pl.col("messages").list.eval(role == "user").list.sum().cast(pl.Int32),
        ).lazy()
