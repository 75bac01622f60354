"""Checks on releases."""

from pathlib import Path

import dagster as dg
import polars as pl

from checks.shape import judged
from flywheel.kinds import SetKind
from flywheel.quality import measures
from flywheel.quality.targets import wanted
from flywheel.recipe import Recipe
from flywheel.stages.export import damaged, released_files


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One check per release."""
    return [of(s, recipe) for s in recipe.sets]


def of(wanted_set: SetKind, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The released files are those of the manifest."""
    return judged(
        f"{wanted_set.name}_release",
        wanted("release", recipe.check.get("release", {})),
        lambda h: measure(h.home.exports / wanted_set.name),
    )


def measure(folder: Path) -> pl.DataFrame:
    """Files of the released version, and those that are damaged."""
    return measures.release(released_files(folder), damaged(folder))
