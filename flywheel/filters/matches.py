"""A rule of your own: a column, an operator and a value, under a name."""

from typing import Literal

import polars as pl
from polars.exceptions import ComputeError
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from flywheel.kinds import Filter
from flywheel.records import SLIM, all_text, last_input, last_reply, user_text

TEXTS = {"reply": last_reply, "input": last_input, "user_text": user_text, "text": all_text}
"""What a rule may read beside columns: the reply, the message it answers, all the user said, all messages."""

Value = StrictStr | StrictBool | StrictInt | StrictFloat
WORDS = ("contains", "starts_with", "ends_with", "matches")
NUMBERS = ("above", "at_least", "below", "at_most")


class Matches(Filter, frozen=True):
    """Leave out what a rule hits. The rule's name is the reason that rows are given.

    Nothing of a rule is run as code. `matches` takes a regular expression of Rust's engine, whose time is linear in the text,
    whatever the expression. A row without a value stays.
    """

    use: Literal["matches"] = "matches"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The reason: lower-case letters, digits and underscores."""
    column: str
    """`reply`, `input` (the message it answers), `user_text`, `text` (every message), a column of the conversation, a signal
    of single rows, or a label."""
    operator: Literal[
        "contains", "starts_with", "ends_with", "matches", "is", "is_not", "above", "at_least", "below", "at_most"
    ]
    value: Value | tuple[Value, ...] = Field(union_mode="left_to_right")
    """What the column is compared with. A list hits where one of its values does (of `is_not`: where none does)."""
    ignore_case: bool = True
    """Whether upper and lower case are the same; for text."""
    of: Literal["row", "target"] = "row"
    """`row`: the call is left out. `target`: its reply is not to be imitated, but may be the losing side of a pair."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Matches":
        wanted = str if self.operator in WORDS else int | float if self.operator in NUMBERS else object
        for value in self._values:
            if not isinstance(value, wanted) or (self.operator in NUMBERS and isinstance(value, bool)):
                kind = "text" if self.operator in WORDS else "a number"
                raise ValueError(f"{self.operator} compares with {kind}; found {value!r}")
        if self.operator == "matches":
            for pattern in self._values:
                _refuse_bad_pattern(str(pattern))
        if not self._values or ("" in self._values and self.operator in WORDS):
            raise ValueError("the value is empty; expected something to look for")
        return self

    @property
    def _values(self) -> tuple[Value, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def reason(self) -> str:
        """The rule's name."""
        return self.name

    @property
    def rejects(self) -> Literal["row", "target"]:  # type: ignore[override]
        """As the rule says."""
        return self.of

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The column, where it is no text."""
        return () if self.column in TEXTS or self.column in SLIM else (self.column,)

    def reject(self) -> pl.Expr:
        column = TEXTS[self.column]() if self.column in TEXTS else pl.col(self.column)
        hit = pl.any_horizontal([self._compare(column, value) for value in self._values])
        return ~hit if self.operator == "is_not" else hit

    def _compare(self, column: pl.Expr, value: Value) -> pl.Expr:
        text, number, other = column.cast(pl.String), column.cast(pl.Float64, strict=False), pl.lit(value)
        folded, small = (text.str.to_lowercase(), str(value).lower()) if self.ignore_case else (text, str(value))
        match self.operator:
            case "contains":
                return folded.str.contains(small, literal=True)
            case "starts_with":
                return folded.str.starts_with(small)
            case "ends_with":
                return folded.str.ends_with(small)
            case "matches":
                return text.str.contains(f"(?i:{value})" if self.ignore_case else str(value))
            case "above":
                return number > other
            case "at_least":
                return number >= other
            case "below":
                return number < other
            case "at_most":
                return number <= other
        return folded == small if isinstance(value, str | bool) else number == other


def _refuse_bad_pattern(pattern: str) -> None:
    """Refuse what the engine cannot take: errors, look-around, and what would need too much memory."""
    if len(pattern) > 1000:
        raise ValueError(f"the expression has {len(pattern):,} characters; at most 1,000 are allowed")
    try:
        pl.Series([""]).str.contains(f"(?i:{pattern})")
    except ComputeError as e:
        told = str(e).split("\n\n")[0].splitlines()
        why = told[-1].removeprefix("regex error: ").removeprefix("error: ").rstrip(".")
        raise ValueError(f"the expression {pattern!r} cannot be used: {why}") from None
