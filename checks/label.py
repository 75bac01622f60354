"""Checks on labels."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel.quality import measures
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Every event has a status; feedback is fresh, finds its call and does not contradict itself too often."""
    return [
        judged(
            "labels",
            bounds(recipe, "labels"),
            lambda h: measures.labels(h.store.head("labels"), h.store.head("conversations"), recipe.feedback),
        )
    ]
