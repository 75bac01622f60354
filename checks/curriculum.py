"""Checks on curricula: what their release reads again."""

import dagster as dg

from checks.shape import judged
from flywheel.choices.curriculum import Curriculum
from flywheel.quality.targets import wanted
from flywheel.recipe import Recipe
from flywheel.stages.curriculum import measured


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One multi-check per curriculum."""
    return [of(c, recipe) for c in recipe.curriculum]


def of(stages: Curriculum, recipe: Recipe) -> dg.AssetChecksDefinition:
    """The checks of one curriculum."""
    kinds = {s.name: s for s in recipe.sets if s.name in stages.sets}
    return judged(
        stages.name,
        wanted("curriculum", dict(stages.check)),
        lambda h: measured(
            stages,
            kinds,
            h.store.head(stages.name),
            {name: h.store.head(name) for name in stages.sets},
            h.store.head("curated"),
        ),
        candidate=True,
    )
