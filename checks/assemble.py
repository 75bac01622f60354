"""Checks on every candidate: what the release reads again."""

import dagster as dg

from checks.shape import judged
from flywheel.kinds import SetKind
from flywheel.quality import measures
from flywheel.quality.targets import set_targets
from flywheel.recipe import Recipe


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One multi-check per set."""
    return [of(wanted, recipe) for wanted in recipe.sets]


def of(wanted: SetKind, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The checks of one candidate."""
    return judged(
        wanted.name,
        set_targets(wanted),
        lambda h: measures.candidate(
            wanted,
            h.store.head(wanted.name),
            h.store.head("curated"),
            recipe.redactions,
            recipe.overlap,
            recipe.policy,
            recipe.similarity,
        ),
        candidate=True,
    )
