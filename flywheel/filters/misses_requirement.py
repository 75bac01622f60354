"""Replies that are not what the task asks for, however right they may be."""

import re
from collections.abc import Mapping
from typing import Literal

import orjson
import polars as pl
from pydantic import Field, model_validator

from flywheel.conditions import Condition, refuse_bad_pattern
from flywheel.kinds import Filter
from flywheel.records import last_reply, reply


class MissesRequirement(Filter, frozen=True):
    """Leave out replies that lack what a task requires. Each requirement has a reason of its own, such as MISSING_RATIONALE.

    A specification is of the calls that `where` holds for; a recipe may have several, under different names. A reply that only
    calls a tool answers nothing yet and stays.
    """

    use: Literal["misses_requirement"] = "misses_requirement"
    name: str = Field(default="misses_requirement", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """What tells this specification from others."""
    where: Condition | None = None
    """The calls it is of, such as `{ column = "app", operator = "is", value = "grader" }`; without it, every call."""
    requires: tuple[Literal["score", "rationale", "json"], ...] = ()
    """`score`: a number. `rationale`: words beyond a score. `json`: the reply, but for a fence around it, is JSON."""
    min_words: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=1)
    pattern: str | None = None
    """A regular expression that the reply must match."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    """ISO 639-1 code of the language the reply must be in; where the detector is not sure, it stays."""
    rationale_words: int = Field(default=4, ge=1)
    """Words beyond the score from which there is a rationale."""
    of: Literal["row", "target"] = "row"
    """`row`: the call is left out. `target`: its reply is not to be imitated, but may be the losing side of a pair."""

    @model_validator(mode="after")
    def _requires_something(self) -> "MissesRequirement":
        if not (self.requires or self.min_words or self.max_words or self.pattern or self.language):
            raise ValueError("requires nothing; expected requires, min_words, max_words, pattern or language")
        if self.pattern is not None:
            refuse_bad_pattern(self.pattern)
        return self

    @property
    def reason(self) -> str:
        """The specification's name."""
        return self.name

    @property
    def rejects(self) -> Literal["row", "target"]:  # type: ignore[override]
        """As the specification says."""
        return self.of

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The signals and labels it reads."""
        read = {"reply_language"} if self.language else set()
        return tuple(sorted(read | set(self.where.reads if self.where else ())))

    def verdicts(self) -> Mapping[str, pl.Expr]:
        calls = ~reply().struct.field("tool_calls").fill_null("[]").is_in(["", "[]", "null"])
        judged = ~(calls & (last_reply().str.strip_chars() == ""))
        concerned = judged & self.where.holds() if self.where else judged
        return {code: concerned & lacks for code, lacks in self._lacking().items()}

    def reject(self) -> pl.Expr:
        return pl.any_horizontal(list(self.verdicts().values()))

    def _lacking(self) -> Mapping[str, pl.Expr]:
        """Each requirement's code, and where it is not met."""
        words = last_reply().str.count_matches(r"[^ \t\r\n]+")
        found = {
            "MISSING_SCORE": ~last_reply().str.contains("[0-9]") if "score" in self.requires else None,
            "MISSING_RATIONALE": ~self._explained() if "rationale" in self.requires else None,
            "NOT_JSON": ~_is_json() if "json" in self.requires else None,
            "TOO_FEW_WORDS": words < self.min_words if self.min_words else None,
            "TOO_MANY_WORDS": words > self.max_words if self.max_words else None,
            "PATTERN_NOT_MET": ~last_reply().str.contains(self.pattern) if self.pattern else None,
            "WRONG_LANGUAGE": ~pl.col("reply_language").is_in([self.language, "und"]) if self.language else None,
        }
        return {code: lacks for code, lacks in found.items() if lacks is not None}

    def _explained(self) -> pl.Expr:
        beyond = last_reply().str.replace_all(SCORE, " ")
        # Scripts without spaces between words: as many characters as words have in all.
        unspaced = beyond.str.count_matches(r"[\x{3041}-\x{30ff}\x{3400}-\x{9fff}]") >= 3 * self.rationale_words
        return (
            beyond.str.count_matches(r"[A-Za-z\x{c0}-\x{2fff}\x{ac00}-\x{d7a3}]+") >= self.rationale_words
        ) | unspaced


SCORE = r"(?i)[0-9]+|\bout of\b|\b(?:overall|final|total|my)?\s*(?:scores?|ratings?|points?|marks?|grade|rationale|reason)\b|점수|평점|총점|점|이유|근거|点数|評価"
"""What a score is written with, and the heading of a rationale that may not follow."""

_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def _is_json() -> pl.Expr:
    def batch(replies: pl.Series) -> pl.Series:
        return pl.Series(replies.name, [_reads(t) for t in replies.to_list()], dtype=pl.Boolean)

    return last_reply().map_batches(batch, return_dtype=pl.Boolean, is_elementwise=True)


def _reads(text: str) -> bool:
    fenced = _FENCE.match(text)
    try:
        orjson.loads(fenced.group(1) if fenced else text)
    except orjson.JSONDecodeError:
        return False
    return True
