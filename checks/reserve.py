"""Checks on reserved rows."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel.recipe import Recipe
from flywheel.stages.reserve import measured


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Pilots cover their strata, are whole, are looked at by a person, and stay what they were."""
    if not recipe.pilots:
        return []
    return [judged("reserved", bounds(recipe, "reserved"), lambda h: measured(h.store.head("reserved")))]
