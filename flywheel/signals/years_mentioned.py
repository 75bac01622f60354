"""Which time a conversation speaks of."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import all_text

YEAR = r"(?:1[0-9]{3}|2[01][0-9]{2})"
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
LATE = r"(?:1[7-9][0-9]{2}|2[01][0-9]{2})"
"""Years that need less of a sign: other numbers are seldom like them."""
SURE = (
    rf"\b(?:in|since|year|dated|act of|law of|code of|constitution of|circa|{MONTH}(?: [0-9]{{1,2}}(?:st|nd|rd|th)?)?,?"
    r"|[0-9]{1,2}\. ?[a-z]+)\s+"
)
LIKELY = (
    r"\b(?:from|until|till|before|after|by|around|during|between|early|late|mid|spring|summer|autumn|fall|winter)\s+"
)
BEFORE = rf"(?:{SURE}{YEAR}|{LIKELY}{LATE}|\({YEAR}\))"
"""What makes a number a year where it stands before it."""
AFTER = r"(?:\s*년|年|-[01][0-9](?:-[0-3][0-9])?\b|/[01][0-9]/[0-3][0-9]\b|s\b|\s+(?:ad|bc|ce)\b)"
"""What does so where it stands after it."""
UNIT = r"(?:\s*[%€$£₩]|\s+(?:dollars?|euros?|won|usd|words?|tokens?|characters?|people|users?|rows?|times|km|miles|kg|mb|gb|bytes|items?|steps?|hours?|minutes?|days?)\b|[.,][0-9])"
"""What makes it a number after all."""
RANGE = rf"\b{YEAR}\s?[-–~]\s?{YEAR}\b"
CENTURY = r"\b([0-9]{1,2})(?:st|nd|rd|th)[ -]century\b|([0-9]{1,2})\s*세기"


class YearsMentioned(Signal, frozen=True):
    """The first and the last year that the messages speak of: `in 1890`, `May 4, 1890`, `1890-05-04`, `the 1890s`, `1890년`; the
    `19th century` and `19세기` are 1801 to 1900. Numbers that are no years by what stands beside them do not count; without any
    year both are null."""

    use: Literal["years_mentioned"] = "years_mentioned"
    gives: ClassVar[Mapping[str, Any]] = {"first_year": pl.Int32, "last_year": pl.Int32}
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        text = all_text().fill_null("").str.to_lowercase()
        # The gate is cheap, and most texts end there.
        dated = text.str.contains(r"[12][0-9]{3}|centur|세기")
        prose = text.str.replace_all(r"(?s)```.*?(?:```|$)|`[^`\n]*`", " ")
        read = rows.select("id", text=pl.when(dated).then(prose))
        before = (
            pl.col("text")
            .str.replace_all(rf"\b({YEAR}){UNIT}", " ")
            .str.extract_all(rf"{BEFORE}(?:\s?[-–~]\s?{YEAR}\b)?")
        )
        after = pl.col("text").str.extract_all(rf"\b{YEAR}{AFTER}")
        ranges = pl.col("text").str.extract_all(RANGE)
        years = pl.concat_list(before, after, ranges).list.eval(
            pl.element().str.extract_all(rf"\b{YEAR}").explode().cast(pl.Int32, strict=False)
        )
        decades = after.list.eval(pl.element().filter(pl.element().str.ends_with("s")).str.head(4).cast(pl.Int32) + 9)
        centuries = (
            pl.col("text").str.extract_all(CENTURY).list.eval(pl.element().str.extract(r"([0-9]+)").cast(pl.Int32))
        )
        begin = centuries.list.eval((pl.element() - 1) * 100 + 1)
        every = pl.concat_list(years, decades, begin, centuries.list.eval(pl.element() * 100)).list.drop_nulls()
        return read.select("id", first_year=every.list.min().cast(pl.Int32), last_year=every.list.max().cast(pl.Int32))
