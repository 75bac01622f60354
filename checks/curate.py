"""Checks on curation."""

import dagster as dg
import polars as pl

from checks.shape import bounds, judged
from flywheel.quality import measures, traits, unlearned
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """No row vanished, no PII is left, duplicates are gone."""
    return [
        judged(
            "screened",
            bounds(recipe, "screened"),
            lambda h: pl.concat(
                [
                    measures.screened(
                        h.store.head("screened"), h.store.head("conversations"), recipe.redactions, recipe.policy
                    ),
                    traits.measured(recipe.trait, h.store, "screened"),
                    unlearned.measured(recipe.behaviour, h.store.head("screened")),
                ]
            ),
        ),
        judged(
            "curated",
            bounds(recipe, "curated"),
            lambda h: pl.concat(
                [
                    measures.curated(h.store.head("curated"), h.store.head("screened")),
                    traits.measured(recipe.trait, h.store, "curated"),
                ]
            ),
        ),
    ]
