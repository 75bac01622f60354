"""Checks on signals."""

import dagster as dg
import polars as pl

from checks.shape import bounds, judged
from flywheel.coverage import covered
from flywheel.quality import measures
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Every conversation is measured, by every signal the recipe names."""
    return [
        judged(
            "signals",
            bounds(recipe, "signals"),
            lambda h: pl.concat(
                [
                    measures.signals(h.store.head("signals"), h.store.head("conversations"), recipe.signals),
                    covered.of_drift(h.home, recipe.sets),
                ]
            ),
        )
    ]
