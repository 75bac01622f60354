"""Checks on releases."""

import dagster as dg
import polars as pl

from checks.shape import judged
from flywheel.home import Home
from flywheel.quality import measures
from flywheel.quality.targets import wanted
from flywheel.recipe import Recipe
from flywheel.stages.export import damaged, released_files
from flywheel.storage.promotion import since_before


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One check per release."""
    return [of(name, recipe) for name in (*(s.name for s in recipe.sets), *(c.name for c in recipe.curriculum))]


def of(name: str, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The released files are those of the manifest."""
    return judged(
        f"{name}_release",
        wanted("release", recipe.check.get("release", {})),
        lambda h: measure(h.home, name),
    )


def measure(home: Home, set_name: str) -> pl.DataFrame:
    """Files of the released version and those that are damaged; its scores and those that are worse than before."""
    folder, compared = home.exports / set_name, since_before(home, set_name)
    worse = [c.name for c in compared if c.verdict == "worse"]
    return measures.release(released_files(folder), damaged(folder), worse, len(compared))
