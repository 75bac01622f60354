"""Marks in a text, expressions that a recipe gives: what stands around the last one, and between them.

They are read by Rust's engine, so that no expression and no text makes one search take longer than in proportion to both.
Finding every mark takes a search for each, which is why a text that is cut at all of them has a bound.
"""

import polars as pl

from flywheel.conditions import refuse_bad_pattern

LONGEST = 100_000
"""Characters of a text that is cut at every mark: some 13 seconds where each is one and the search for it looks on to the end."""


def fit(mark: str, name: str) -> str:
    """The mark as it is given. Raises `ValueError`, naming the parameter, where the engine cannot take it."""
    try:
        refuse_bad_pattern(mark)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from None
    return mark


def around_last(text: str, mark: str) -> tuple[str, str] | None:
    """What stands before and after the mark that ends last, and of those the longest; None where there is none."""
    upto = pl.col("text").str.extract(f"^((?s:.*)(?:{mark}))")
    longest = upto.str.extract(f"^((?s:.*?))(?:{mark})$")
    last = pl.col("text").str.extract(f"^((?s:.*))(?:{mark})")  # for a mark that minds what follows it, such as \B
    found = pl.DataFrame({"text": text}).select(upto=upto, before=longest.fill_null(last))
    whole, before = found.row(0)
    return None if whole is None else (before, text[len(whole) :])


def between(text: str, mark: str) -> list[str]:
    """The pieces of a text that stand between marks, without white space around them and without empty ones."""
    pieces = pl.select(pl.lit(text).str.split(mark, literal=False)).item()
    return [stripped for piece in pieces if (stripped := piece.strip())]
