"""Checks on signals."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel.quality import measures
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Every conversation is measured, by every signal the recipe names."""
    return [
        judged(
            "signals",
            bounds(recipe, "signals"),
            lambda h: measures.signals(h.store.head("signals"), h.store.head("conversations"), recipe.signals),
        )
    ]
