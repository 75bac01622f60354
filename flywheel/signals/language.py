"""Which language the user writes."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import user_text


class Language(Signal, frozen=True):
    """ISO 639-1 code of the user's text, or "und" when there is too little of it or no language is found."""

    use: Literal["language"] = "language"
    gives: ClassVar[Mapping[str, Any]] = {"language": pl.String}
    characters: int = 250
    """How much of the text is looked at."""
    min_letters: int = 10
    """Bytes of letters below which a guess is worth nothing; Hangul is known by its script and needs one letter."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        head = user_text().fill_null("").str.slice(0, self.characters)
        found = rows.select("id", text=head)
        return found.select("id", written_in(pl.col("text"), self.min_letters).alias("language"))


def written_in(text: pl.Expr, min_letters: int, only_sure: bool = False) -> pl.Expr:
    """ISO 639-1 code of each text's language; "und" where fewer bytes are letters, none is found or, where that is asked, the
    detector is not sure."""
    letters = text.str.replace_all(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", "")
    hangul = letters.str.count_matches(r"[\x{1100}-\x{11ff}\x{3131}-\x{318e}\x{ac00}-\x{d7a3}]")
    mostly_hangul = hangul * 2 >= letters.str.len_chars()
    worth_it = pl.when(letters.str.len_bytes() >= min_letters).then(text)
    guess = worth_it.map_batches(partial(_detect, only_sure=only_sure), return_dtype=pl.String, is_elementwise=True)
    return pl.when((hangul > 0) & mostly_hangul).then(pl.lit("ko")).otherwise(guess)


def _detect(texts: pl.Series, only_sure: bool) -> pl.Series:
    detect = _sure if only_sure else _detector().detect_mt
    return pl.Series(texts.name, ["und" if t is None else detect(t) for t in texts.to_list()], dtype=pl.String)


def _sure(text: str) -> str:
    found = _detector().detect_details(text)
    return str(found.language) if found.reliable else "und"


@cache
def _detector() -> Any:
    import eldc  # loaded when used: definitions load without it

    eldc.init()
    return eldc
