"""Checks on every candidate: what the release reads again."""

import dagster as dg
import polars as pl

from checks.shape import judged
from flywheel.kinds import SetKind
from flywheel.quality import measures, rights
from flywheel.quality.targets import set_targets
from flywheel.recipe import Recipe
from flywheel.storage.proofs import proof_of
from flywheel.storage.snapshots import Store


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One multi-check per set."""
    return [of(wanted, recipe) for wanted in recipe.sets]


def of(wanted: SetKind, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The checks of one candidate."""
    return judged(
        wanted.name,
        set_targets(wanted),
        lambda h: measured(wanted, h.store, recipe),
        candidate=True,
    )


def measured(wanted: SetKind, store: Store, recipe: Recipe) -> pl.DataFrame:
    """Everything that is measured of a candidate."""
    made, pool = store.head(wanted.name), store.head("curated")
    policies = (recipe.redactions, recipe.overlap, recipe.policy, recipe.similarity)
    found = measures.candidate(wanted, made, pool, *policies, proof_of(store.root, wanted, made))
    return pl.concat([found, rights.measured(store, made, recipe.rights)])
