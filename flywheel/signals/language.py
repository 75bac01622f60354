"""Which language the user writes."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import user_text


class Language(Signal, frozen=True):
    """ISO 639-1 code of the user's text, or "und" when there is too little of it or no language is found."""

    use: Literal["language"] = "language"
    gives: ClassVar[Mapping[str, Any]] = {"language": pl.String}
    characters: int = 500
    """How much of the text is looked at."""
    min_letters: int = 10
    """Bytes of letters below which a guess is worth nothing; Hangul is known by its script and needs one letter."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        head = user_text().fill_null("").str.slice(0, self.characters)
        found = rows.select("id", text=head).with_columns(
            letters=pl.col("text").str.replace_all(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", ""),
        )
        hangul = pl.col("letters").str.count_matches(r"[\x{1100}-\x{11ff}\x{3131}-\x{318e}\x{ac00}-\x{d7a3}]")
        mostly_hangul = hangul * 2 >= pl.col("letters").str.len_chars()
        guess = pl.col("text").map_batches(_detect, return_dtype=pl.String, is_elementwise=True)
        return found.select(
            "id",
            pl.when((hangul > 0) & mostly_hangul)
            .then(pl.lit("ko"))
            .when(pl.col("letters").str.len_bytes() < self.min_letters)
            .then(pl.lit("und"))
            .otherwise(guess)
            .alias("language"),
        )


def _detect(texts: pl.Series) -> pl.Series:
    detect = _detector()
    return pl.Series(texts.name, ["und" if t is None else detect(t) for t in texts.to_list()], dtype=pl.String)


@cache
def _detector() -> Callable[[str], str]:
    import eldc  # loaded when used: definitions load without it

    eldc.init()
    detect: Callable[[str], str] = eldc.detect_mt
    return detect
