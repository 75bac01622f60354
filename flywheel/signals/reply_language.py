"""Which language the reply is written in, and which the message it answers."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import last_input, last_reply
from flywheel.signals.language import written_in
from flywheel.texts import prose


class ReplyLanguage(Signal, frozen=True):
    """ISO 639-1 codes of the reply's prose and of the message it answers; code is left out.

    "und" where there is too little prose, or the detector is not sure: unlike `language`, these are made to be compared.
    """

    use: Literal["reply_language"] = "reply_language"
    gives: ClassVar[Mapping[str, Any]] = {"reply_language": pl.String, "input_language": pl.String}
    characters: int = 250
    """How much of each text is looked at."""
    min_letters: int = 24
    """Bytes of letters below which a guess is worth nothing; Hangul is known by its script and needs one letter."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        texts = {"reply_language": last_reply(), "input_language": last_input()}
        said = rows.select("id", **{name: self._head(text) for name, text in texts.items()}).collect()
        sure = {name: written_in(said[name], self.min_letters, only_sure=True) for name in reversed(texts)}
        return said.select("id", *(sure[name].alias(name) for name in texts)).lazy()

    def _head(self, text: pl.Expr) -> pl.Expr:
        # The code is cut out before the text is cut short: a long program first would leave no prose.
        return prose.changed_where(text, "`|~~~", prose.without_code).str.slice(0, self.characters)
