"""Conditions as a recipe writes them: a column, an operator and a value, or several under all_of, any_of and none_of.

Nothing of a condition is run as code. Where a value is not known the condition is neither met nor unmet, but null.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import polars as pl
from polars.exceptions import ComputeError
from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from flywheel.records import SLIM, all_text, last_input, last_reply, user_text

TEXTS: dict[str, Callable[[], pl.Expr]] = {
    "reply": last_reply,
    "input": last_input,
    "user_text": user_text,
    "text": all_text,
}
"""What a condition may read beside columns: the reply, the message it answers, all the user said, all messages."""

JSON = ("metadata", "parameters", "response_extra")
"""Columns of JSON, in which a dotted path leads to a value: metadata.plan."""
TIMES = ("day", "occurred_at")
"""Columns compared by their day (UTC), written as 2026-03-01."""
WORDS = ("contains", "has_word", "starts_with", "ends_with", "matches")
NUMBERS = ("above", "at_least", "below", "at_most")
DEEPEST, MOST = 6, 200
"""Conditions within conditions, and conditions in all."""

Value = (
    Annotated[StrictStr, BeforeValidator(lambda v: v.isoformat() if isinstance(v, dt.date) else v)]
    | StrictBool
    | StrictInt
    | StrictFloat
)
Operator = Literal[
    "contains",
    "has_word",
    "starts_with",
    "ends_with",
    "matches",
    "is",
    "is_not",
    "above",
    "at_least",
    "below",
    "at_most",
]


class Condition(BaseModel, frozen=True, extra="forbid"):
    """What is asked of a row: one comparison, or others joined. What is given of `all_of`, `any_of` and `none_of` must all hold."""

    column: str | None = None
    """`reply`, `input` (the message it answers), `user_text`, `text` (every message), a column of the conversation, a value in its
    JSON (`metadata.plan`), a signal of single rows, or a label."""
    operator: Operator | None = None
    value: Value | tuple[Value, ...] | None = Field(default=None, union_mode="left_to_right")
    """What the column is compared with. A list hits where one of its values does (of `is_not`: where none does)."""
    ignore_case: bool = True
    """Whether upper and lower case are the same; for text."""
    all_of: tuple["Condition", ...] = ()
    any_of: tuple["Condition", ...] = ()
    none_of: tuple["Condition", ...] = ()

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Condition":
        compared = [v is not None for v in (self.column, self.operator, self.value)]
        if any(compared) is bool(self._joined) or any(compared) is not all(compared):
            raise ValueError("is no condition; expected column, operator and value, or all_of, any_of or none_of")
        if self._depth > DEEPEST or len(list(self._leaves())) > MOST:
            raise ValueError(f"has too many conditions; at most {MOST} are allowed, {DEEPEST} deep")
        if all(compared):
            self._refuse_bad_comparison()
        return self

    def _refuse_bad_comparison(self) -> None:
        wanted = str if self.operator in WORDS else int | float if self.operator in NUMBERS else object
        for value in self._values:
            if self.column in TIMES:
                _refuse_bad_day(self.operator, value)
            elif not isinstance(value, wanted) or (self.operator in NUMBERS and isinstance(value, bool)):
                kind = "text" if self.operator in WORDS else "a number"
                raise ValueError(f"{self.operator} compares with {kind}; found {value!r}")
        if not self._values or ("" in self._values and self.operator in WORDS):
            raise ValueError("the value is empty; expected something to look for")
        if self.operator == "matches":
            refuse_bad_pattern(_joined(self._values))
        if self.operator == "has_word":
            refuse_bad_pattern(_words(self._values), most=100_000)
        refuse_bad_path(str(self.column))

    @property
    def _values(self) -> tuple[Any, ...]:
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def _joined(self) -> tuple["Condition", ...]:
        return (*self.all_of, *self.any_of, *self.none_of)

    @property
    def _depth(self) -> int:
        return 1 + max((c._depth for c in self._joined), default=0)

    def _leaves(self) -> Iterator["Condition"]:
        if not self._joined:
            yield self
        for inner in self._joined:
            yield from inner._leaves()

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it reads that logs do not give: signals and labels."""
        columns = {str(c.column) for c in self._leaves()} - {*TEXTS, *SLIM}
        return tuple(sorted(c for c in columns if c.split(".")[0] not in JSON))

    @property
    def reads_text(self) -> bool:
        """Whether it reads messages or JSON, and not only slim columns, signals and labels."""
        return any(c.column in TEXTS or str(c.column).split(".")[0] in JSON for c in self._leaves())

    def holds(self) -> pl.Expr:
        """Boolean expression over the columns of a conversation, its signals and its labels."""
        if not self._joined:
            return self._compared()
        parts = [c.holds() for c in self.all_of]
        parts += [pl.any_horizontal([c.holds() for c in self.any_of])] if self.any_of else []
        parts += [~pl.any_horizontal([c.holds() for c in self.none_of])] if self.none_of else []
        return pl.all_horizontal(parts)

    def _compared(self) -> pl.Expr:
        column = column_of(str(self.column))
        text = column.cast(pl.String)
        folded = text.str.to_lowercase() if self.ignore_case else text
        small = [str(v).lower() if self.ignore_case or isinstance(v, bool) else str(v) for v in self._values]
        start = "(?i)" if self.ignore_case else ""
        match self.operator:
            case "contains" if len(small) > 1:
                return folded.str.contains_any(small)
            case "contains":
                return folded.str.contains(small[0], literal=True)
            case "has_word":
                return text.str.contains(start + _words(self._values))
            case "matches":
                return text.str.contains(f"{start}(?:{_joined(self._values)})")
            case "starts_with":
                return pl.any_horizontal([folded.str.starts_with(v) for v in small])
            case "ends_with":
                return pl.any_horizontal([folded.str.ends_with(v) for v in small])
        hit = pl.any_horizontal(
            [self._is(column, folded, value, word) for value, word in zip(self._values, small, strict=True)]
        )
        return ~hit if self.operator == "is_not" else hit

    def _is(self, column: pl.Expr, folded: pl.Expr, value: Any, word: str) -> pl.Expr:
        """One comparison by size or equality."""
        left, right = column.cast(pl.Float64, strict=False), pl.lit(value)
        if self.column in TIMES:
            left, right = column.cast(pl.Date), pl.lit(dt.date.fromisoformat(value))
        match self.operator:
            case "above":
                return left > right
            case "at_least":
                return left >= right
            case "below":
                return left < right
            case "at_most":
                return left <= right
        return folded == word if isinstance(value, str | bool) and self.column not in TIMES else left == right


def column_of(name: str) -> pl.Expr:
    """The text or column of this name, or the value at its path."""
    if name in TEXTS:
        return TEXTS[name]()
    root, _, path = name.partition(".")
    if root not in JSON or not path:
        return pl.col(name)
    return pl.col(root).str.json_path_match("$" + "".join(f"['{key}']" for key in path.split(".")))


def refuse_bad_path(name: str) -> None:
    """Refuse a name with dots that leads into no JSON, or by keys that no path can have."""
    root, dot, path = name.partition(".")
    if dot and root in JSON and not all(re.fullmatch(r"[^'\"\\\[\]*]{1,100}", key) for key in path.split(".")):
        raise ValueError(f"{name!r} is no path; expected keys parted by dots, such as {root}.plan")
    if dot and root not in JSON:
        raise ValueError(f"{name!r} leads into no JSON; paths begin with {', '.join(JSON)}")


def _refuse_bad_day(operator: str | None, value: Any) -> None:
    if operator in WORDS:
        raise ValueError(f"{operator} compares text; a day is compared by {', '.join(('is', 'is_not', *NUMBERS))}")
    try:
        dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"found {value!r}; expected a day such as 2026-03-01") from None


def _joined(patterns: tuple[Any, ...]) -> str:
    """One expression for several: the engine's bound on memory then holds for all of them together."""
    return "|".join(f"(?:{p})" for p in patterns) if len(patterns) > 1 else str(patterns[0])


def _words(values: tuple[Any, ...]) -> str:
    """An expression for words that nothing but white space, signs or other scripts stand beside."""
    return f"(?:^|[^0-9A-Za-z_])(?:{'|'.join(re.escape(str(v)) for v in values)})(?:[^0-9A-Za-z_]|$)"


def refuse_bad_pattern(pattern: str, most: int = 1000) -> None:
    """Refuse what the engine cannot take: errors, look-around, and what would need too much memory. Its time is linear in the text,
    whatever the expression."""
    if len(pattern) > most:
        raise ValueError(f"the expression has {len(pattern):,} characters; at most {most:,} are allowed")
    try:
        pl.Series([""]).str.contains(f"(?i:{pattern})")
    except ComputeError as e:
        told = str(e).split("\n\n")[0].splitlines()
        why = told[-1].removeprefix("regex error: ").removeprefix("error: ").rstrip(".")
        raise ValueError(f"the expression {pattern!r} cannot be used: {why}") from None
