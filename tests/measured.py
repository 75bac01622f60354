"""A reply with what signals of single rows measure of it, for the tests of the filters that read them."""

import polars as pl

from flywheel.kinds import Filter
from flywheel.recipe import Recipe
from tests.build import chat


def verdict(rule: Filter, reply: str, asked: str = "go", **columns: object) -> bool | None:
    """What a filter says of one reply, measured by the signals it reads."""
    frame = chat(f"user: {asked}", {"role": "assistant", "content": reply}, **columns)
    return measured(frame, rule).select(rule.reject()).item()


def measured(rows: pl.DataFrame, rule: Filter) -> pl.DataFrame:
    """The rows with the columns of signals that a filter reads."""
    read = [s for s in Recipe(name="r", filter=(rule,)).signals if not set(s.gives).isdisjoint(rule.needs)]
    for signal in read:
        rows = rows.join(signal.measure(rows.lazy()).collect(), on="id", how="left")
    return rows
