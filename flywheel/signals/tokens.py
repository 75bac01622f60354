"""How many tokens the prompt and the reply are."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal

if TYPE_CHECKING:
    import bpe_openai

CHUNK = 49_000
"""Characters tokenised at a time: the tokenizer refuses 200,000 tokens, and a character may be four."""


class Tokens(Signal, frozen=True):
    """Tokens of the prompt's contents (every message but the last) and of the reply's content, as o200k_base counts them.

    The counts are exact, made offline, and leave out what a chat template adds. Only a text with 49,000 characters and
    no space between two letters may be off, by a token for each 49,000.
    """

    use: Literal["tokens"] = "tokens"
    gives: ClassVar[Mapping[str, Any]] = {"prompt_tokens_o200k": pl.Int32, "reply_tokens_o200k": pl.Int32}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        # The history of a session comes again in each of its turns: each distinct text is counted once.
        ids = rows.select("id").collect()
        texts = (
            rows.select(
                "id", pl.col("messages").list.eval(pl.element().struct.field("content").fill_null("")).alias("text")
            )
            .filter(pl.col("text").list.len() > 0)
            .with_columns(pl.col("text").list.len().alias("messages"))
            .explode("text")
            .collect()
            .with_columns(pl.int_range(pl.len()).over("id").alias("at"))
        )
        counted = texts.select(pl.col("text").unique())
        counted = counted.with_columns(tokens=pl.Series([count(t) for t in counted["text"].to_list()], dtype=pl.Int32))
        last = pl.col("at") == pl.col("messages").cast(pl.Int64) - 1
        sums = (
            texts.join(counted, on="text", how="left")
            .group_by("id")
            .agg(
                pl.col("tokens").filter(~last).sum().cast(pl.Int32).alias("prompt_tokens_o200k"),
                pl.col("tokens").filter(last).sum().cast(pl.Int32).alias("reply_tokens_o200k"),
            )
        )
        return (
            ids.join(sums, on="id", how="left", maintain_order="left")
            .with_columns(pl.exclude("id").fill_null(0))
            .lazy()
        )


def count(text: str) -> int:
    """Tokens of one text. What looks like a special token is counted as the plain text it is."""
    return sum(len(_encoding().encode_ordinary(chunk)) for chunk in _chunks(text))


def _chunks(text: str) -> Iterator[str]:
    """The text in pieces, cut before a space between letters: no token reaches over such a place."""
    start = 0
    while len(text) - start > CHUNK:
        places = re.finditer(r"(?<=[^\W\d_]) (?=[^\W\d_])", text[start : start + CHUNK])
        end = start + max((m.start() for m in places), default=CHUNK)
        yield text[start:end]
        start = end
    yield text[start:]


@cache
def _encoding() -> "bpe_openai.Encoding":
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")
