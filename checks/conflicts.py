"""Checks on conflicts."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel.recipe import Recipe
from flywheel.stages import conflicts


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Few rows contradict another; there is no check where the recipe does not ask for conflicts."""
    if not recipe.has_conflicts:
        return []
    return [
        judged(
            "conflicts",
            bounds(recipe, "conflicts"),
            lambda h: conflicts.measured(h.store.head("conflicts"), h.store.head("curated")),
        )
    ]
