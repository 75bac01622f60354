"""What a rule would hit, before it is enabled."""

from dataclasses import dataclass

import polars as pl

from flywheel.kinds import Filter
from flywheel.recipe import parse_recipe
from flywheel.snapshots import Store


@dataclass(frozen=True, slots=True)
class Preview:
    """What a filter would reject of the rows it was shown."""

    reason: str
    count: int
    of: int
    """Rows it was shown."""
    ids: tuple[str, ...]
    """The first of the rows hit, by id."""


def parse_filter(text: str) -> Filter:
    """One filter, as its table stands in a recipe: `use = "too_short"` and its parameters. Raises `RecipeInvalid`."""
    return parse_recipe(f'name = "preview"\n[[filter]]\n{text}', "the rule").filters[0]


def screened_rows(store: Store) -> pl.LazyFrame:
    """The rows the recipe's filters leave, with what was measured and said of them: what another filter would see."""
    measured, labelled = store.head("measurements").scan().drop("day"), store.head("labels").scan().drop("day")
    rows = store.head("screened").scan().join(measured, on="id", how="left")
    return rows.join(labelled, on="id", how="left")


def preview(rows: pl.LazyFrame, rule: Filter, limit: int = 10) -> Preview:
    """How many of the rows the filter would reject, and the first of their ids. Nothing is changed.

    `rows` have the columns of conversations, of their measurements and of their labels.
    """
    hit = rows.select("id", hit=rule.reject().fill_null(False))
    found = hit.select(
        of=pl.len(),
        count=pl.col("hit").sum(),
        ids=pl.col("id").filter("hit").sort().head(limit).implode(),
    ).collect()
    return Preview(rule.reason, int(found["count"].item()), int(found["of"].item()), tuple(found["ids"].item()))
