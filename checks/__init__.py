"""Dagster asset checks: one multi-check per asset, thresholds from the recipe. A check never computes.

`flywheel.quality.measures` counts, `flywheel.quality.expectations` compares with the recipe, and here the finding gets Dagster's shape.
"""

import dagster as dg

from checks import assemble, conflicts, curate, curriculum, export, ingest, label, measure, reserve, review
from flywheel.recipe import Recipe


def all_checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Every check of the graph, with the recipe's bounds."""
    return [
        c
        for module in (ingest, label, measure, curate, conflicts, review, reserve, assemble, curriculum, export)
        for c in module.checks(recipe)
    ]
