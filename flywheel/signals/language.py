"""Which language the user writes."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import user_text
from flywheel.texts.prose import foreign


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
        said = rows.select("id", text=head).collect()
        return said.select("id", language=written_in(said["text"], self.min_letters)).lazy()


def written_in(texts: pl.Series, min_letters: int, only_sure: bool = False) -> pl.Series:
    """ISO 639-1 code of each text's language; "und" where fewer bytes are letters, none is found or, where that is asked, the
    detector is not sure."""
    enough = texts.str.contains(rf"^(?:[^A-Za-z]*[A-Za-z]){{{min_letters}}}")
    korean = pl.repeat(False, len(texts), eager=True)
    if len(beyond := foreign(texts).arg_true()):
        letters = texts.gather(beyond).str.replace_all(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", "")
        hangul = letters.str.count_matches(r"[\x{1100}-\x{11ff}\x{3131}-\x{318e}\x{ac00}-\x{d7a3}]")
        korean = korean.scatter(beyond, (hangul > 0) & (hangul * 2 >= letters.str.len_chars()))
        enough = enough.scatter(beyond, letters.str.len_bytes() >= min_letters)
    guessed = (enough & ~korean).arg_true()
    guesses = [_guess(text, only_sure) for text in texts.gather(guessed).to_list()]
    told = pl.select(pl.when(korean).then(pl.lit("ko")).otherwise(pl.lit("und"))).to_series()
    return told.scatter(guessed, pl.Series(guesses, dtype=pl.String)) if guesses else told


def _guess(text: str, only_sure: bool) -> str:
    language, reliable = _detected(text)
    return language if reliable or not only_sure else "und"


@lru_cache(maxsize=1 << 15)  # what a user asks and what the reply answers is mostly one text
def _detected(text: str) -> tuple[str, bool]:
    """The language of a text, and whether the detector is sure."""
    found = _detector().detect_details(text)
    return str(found.language), bool(found.reliable)


@cache
def _detector() -> Any:
    import eldc  # loaded when used: definitions load without it

    eldc.init()
    return eldc
