"""Replies that only say the question again."""

from typing import Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_input, last_reply
from flywheel.texts.words import letters


class Echo(Filter, frozen=True):
    """Reject a conversation whose reply is the user's last message again, or holds the whole of it and little else.

    Case, punctuation and white space do not count. A reply that repeats a part, as one asked to correct or to translate a
    text does, is no echo.
    """

    use: Literal["echo"] = "echo"
    min_share: float = Field(default=0.9, ge=0.5, le=1.0)
    """Share of the reply that the repeated message must make up."""
    min_bytes: int = Field(default=16, ge=1)
    """Bytes of letters and digits below which a reply may repeat: "Good morning!" is an answer to "Good morning!"."""

    def reject(self) -> pl.Expr:
        said, asked = letters(last_reply()), letters(last_input())
        role = pl.col("messages").list.get(-2, null_on_oob=True).struct.field("role")
        whole = asked.str.len_bytes() >= said.str.len_bytes() * self.min_share
        may = (role == "user") & (asked.str.len_bytes() >= self.min_bytes) & whole
        # Few pairs are of such lengths. A pattern of its own for each row would be compiled, and a long one not be taken.
        pair = pl.struct(said=pl.when(may).then(said), asked=pl.when(may).then(asked))
        return may & pair.map_batches(_repeats, return_dtype=pl.Boolean, is_elementwise=True)


def _repeats(pairs: pl.Series) -> pl.Series:
    """Whether the one text holds the other; null where either is."""
    both = zip(pairs.struct.field("said").to_list(), pairs.struct.field("asked").to_list(), strict=True)
    held = [None if said is None or asked is None else asked in said for said, asked in both]
    return pl.Series(pairs.name, held, dtype=pl.Boolean)
