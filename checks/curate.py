"""Checks on curation."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel import measures
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """No row vanished, no PII is left, duplicates are gone."""
    return [
        judged(
            "screened",
            bounds(recipe, "screened"),
            lambda h: measures.screened(
                h.store.head("screened"), h.store.head("conversations"), recipe.redactions, recipe.policy
            ),
        ),
        judged(
            "curated",
            bounds(recipe, "curated"),
            lambda h: measures.curated(h.store.head("curated"), h.store.head("screened")),
        ),
    ]
