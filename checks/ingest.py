"""Checks on what came in."""

import dagster as dg

from checks.shape import bounds, judged
from flywheel.quality import measures
from flywheel.recipe import Recipe


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
            lambda h: measures.feedback(h.store.head("raw_files"), h.store.head("feedback")),
        ),
    ]
