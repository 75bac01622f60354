"""Long replies that are no sentences."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Filter
from flywheel.records import last_reply


class NoStopWords(Filter, frozen=True):
    """Reject a conversation whose reply is long English or Korean and holds almost none of the words or particles that tie sentences.

    Gopher (Rae et al. 2021) asks for two of eight English words; in Korean particles end the words. Other languages, and replies with
    code, a list or a table, stay.
    """

    use: Literal["no_stop_words"] = "no_stop_words"
    needs: ClassVar[tuple[str, ...]] = (
        "stop_words_en",
        "stop_words_ko",
        "reply_language",
        "reply_words",
        "bullet_share",
        "lettered_word_share",
    )
    min_share_en: float = Field(default=0.02, gt=0.0, le=1.0)
    """Share of the words; English prose has a quarter."""
    min_share_ko: float = Field(default=0.15, gt=0.0, le=1.0)
    """The same; Korean prose has half, and some nouns end as particles do."""
    min_words: int = Field(default=80, ge=1)
    """Shorter replies are left alone."""

    def reject(self) -> pl.Expr:
        least = {"en": self.min_share_en, "ko": self.min_share_ko}
        lacks = [(pl.col("reply_language") == c) & (pl.col(f"stop_words_{c}") < share) for c, share in least.items()]
        text = (
            (pl.col("bullet_share") < 0.5) & (pl.col("lettered_word_share") > 0.7) & ~last_reply().str.contains("`|\\|")
        )
        return pl.any_horizontal(lacks) & text & (pl.col("reply_words") >= self.min_words)
