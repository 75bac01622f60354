"""Checks on every candidate: what the release reads again."""

import dagster as dg
import polars as pl

from checks.shape import judged
from flywheel.coverage import covered
from flywheel.home import Home
from flywheel.kinds import SetKind
from flywheel.quality import looked_at, loop, measures, rights
from flywheel.quality.targets import set_targets
from flywheel.recipe import Recipe
from flywheel.stages.reserve import evaluation_kept_out
from flywheel.storage.proofs import proof_of
from flywheel.storage.releases import turns


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One multi-check per set."""
    return [of(wanted, recipe) for wanted in recipe.sets]


def of(wanted: SetKind, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The checks of one candidate."""
    return judged(
        wanted.name,
        set_targets(wanted),
        lambda h: measured(wanted, h.home, recipe),
        candidate=True,
    )


def measured(wanted: SetKind, home: Home, recipe: Recipe) -> pl.DataFrame:
    """Everything that is measured of a candidate."""
    store = home.store
    made, pool, calls = store.head(wanted.name), store.head("curated"), store.head("conversations")
    policies = (recipe.redactions, recipe.overlap, recipe.policy, recipe.similarity)
    student = recipe.purpose.student if recipe.purpose else ""
    kept = store.head("reserved") if recipe.pilots else None
    return pl.concat(
        [
            evaluation_kept_out(made, kept),
            measures.candidate(wanted, made, pool, *policies, proof_of(store.root, wanted, made)),
            rights.measured(store, made, recipe.rights),
            covered.of_set(store, wanted),
            looked_at.measured(made),
            loop.measured(made, pool, calls, recipe.loop, student, turns(home, wanted.name, made)),
        ]
    )
