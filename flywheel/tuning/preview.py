"""What a rule would hit, before it is enabled."""

import json
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flywheel.errors import RecipeInvalid
from flywheel.filters import FILTERS
from flywheel.kinds import Filter
from flywheel.recipe import parse_recipe
from flywheel.signals import SIGNALS
from flywheel.storage.snapshots import Store, replace_synced


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
    table = f'name = "preview"\n[[filter]]\n{text}'
    recipe, told = parse_recipe(table, "the rule"), tomllib.loads(table)
    if set(told) != {"name", "filter"} or len(told["filter"]) != 1:
        raise RecipeInvalid("the rule holds more than the lines of one [[filter]] table. Leave the other tables out.")
    return recipe.filters[0]


def named(text: str, name: str) -> str:
    """The rule under this name; a filter that takes none goes by its own. Raises `RecipeInvalid`."""
    with suppress(tomllib.TOMLDecodeError):
        told = tomllib.loads(text)
        kind = FILTERS.get(str(told.get("use")))
        if kind is not None and "name" in kind.model_fields and "name" not in told:
            text = f"{text.rstrip()}\nname = {json.dumps(name)}"
    if (reason := parse_filter(text).reason) != name:
        raise RecipeInvalid(f'the rule goes by "{reason}" and not by "{name}". Save it as {reason}.')
    return text


def save(recipe_file: Path, text: str, found: Preview) -> None:
    """Append the rule to the recipe as a filter of its own, with how much it hit. What stands there is not touched.

    Raises `RecipeInvalid`, and writes nothing, where the recipe would not be valid then.
    """
    told = f"# {found.count:,} of {found.of:,} rows when it was saved"
    before = recipe_file.read_text(encoding="utf-8-sig")
    after = f"{before.rstrip()}\n\n[[filter]] {told}\n{text.strip()}\n"
    parse_recipe(after, str(recipe_file))
    replace_synced(recipe_file, after.encode())


def screened_rows(store: Store) -> pl.LazyFrame:
    """The rows the recipe's filters leave, with what was measured and said of them: what another filter would see."""
    measured, labelled = store.head("measurements").scan().drop("day"), store.head("labels").scan().drop("day")
    rows = store.head("screened").scan().join(measured, on="id", how="left")
    return rows.join(labelled, on="id", how="left")


def with_signals(rows: pl.LazyFrame, rule: Filter) -> pl.LazyFrame:
    """The rows with the signals of single rows that the rule reads and nobody measured yet."""
    missing = set(rule.needs) - set(rows.collect_schema())
    for use, kind in SIGNALS.items():
        if kind.scope == "row" and not missing.isdisjoint(kind.gives):
            signal = kind.model_validate({"use": use})
            if (why := signal.absent()) is not None:
                raise RecipeInvalid(f"{rule.reason} reads what {use} measures, and that cannot be measured here: {why}")
            rows = rows.drop(list(kind.gives), strict=False).join(signal.measure(rows), on="id", how="left")
    return rows


def preview(rows: pl.LazyFrame, rule: Filter, limit: int = 10) -> Preview:
    """How many of the rows the filter would reject, and the first of their ids. Nothing is changed.

    `rows` have the columns of conversations, of their measurements and of their labels.
    """
    hit = with_signals(rows, rule).select("id", hit=rule.reject().fill_null(False))
    found = hit.select(
        of=pl.len(),
        count=pl.col("hit").sum(),
        ids=pl.col("id").filter("hit").sort().head(limit).implode(),
    ).collect()
    return Preview(rule.reason, int(found["count"].item()), int(found["of"].item()), tuple(found["ids"].item()))
