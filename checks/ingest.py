"""Checks on what came in."""

import dagster as dg
import polars as pl

from checks.shape import bounds, judged
from flywheel.quality import guidelines, measures
from flywheel.recipe import Recipe
from flywheel.storage.snapshots import Store


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """Raw files, conversations and feedback."""
    return [
        judged(
            "raw_files",
            bounds(recipe, "raw_files"),
            lambda h: measures.raw_files(h.store.head("raw_files"), h.raw.verify()),
        ),
        judged(
            "conversations",
            bounds(recipe, "conversations"),
            lambda h: measures.conversations(
                h.store.head("raw_files"),
                h.store.head("conversations"),
                h.store.head("feedback"),
                recipe.policy,
                recipe.tuned,
                h.home.exports,
            ),
        ),
        judged(
            "feedback",
            bounds(recipe, "feedback"),
            lambda h: heard(h.store, recipe),
        ),
    ]


def heard(store: Store, recipe: Recipe) -> pl.DataFrame:
    """Everything that is measured of the feedback."""
    files, feedback = store.head("raw_files"), store.head("feedback")
    return pl.concat([measures.feedback(files, feedback), guidelines.measured(feedback, recipe.guideline)])
