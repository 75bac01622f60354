"""Curricula: the asset of each, and its release."""

import dagster as dg

from assets.graph import release_asset, stage_asset
from assets.io import published
from assets.metadata import describe_curriculum
from assets.resources import HomeResource, sentences
from flywheel.choices.curriculum import Curriculum
from flywheel.recipe import Recipe
from flywheel.stages.curriculum import curriculum
from flywheel.storage.releasing_curricula import release


def curricula(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """Each curriculum of the recipe, and its release."""
    return [asset for wanted in recipe.curriculum for asset in (staged(wanted, recipe), release_of(wanted, recipe))]


def staged(wanted: Curriculum, recipe: Recipe) -> dg.AssetsDefinition:
    """The asset of one curriculum."""
    order = ", then ".join(s.set for s in wanted.stage)
    about = f"Curriculum {wanted.name}: {order}. Each stage is a set or a phase of one; the most related and most real is last."

    @stage_asset(
        group="5_assemble",
        kinds={"polars", "parquet"},
        name=wanted.name,
        description=about,
        code_version=recipe.digest,
        deps=["curated", *wanted.sets],
    )
    def _curriculum(home: HomeResource) -> dg.Output:  # type: ignore[type-arg]
        kinds = {s.name: s for s in recipe.sets if s.name in wanted.sets}
        sets = {name: home.store.head(name) for name in wanted.sets}
        return published(home, curriculum, wanted, kinds, sets, home.store.head("curated"), recipe.seed)

    return _curriculum


def release_of(wanted: Curriculum, recipe: Recipe) -> dg.AssetsDefinition:
    """The release of one curriculum."""
    about = (
        f"Release of the curriculum {wanted.name}: exports/{wanted.name}/VERSION/stage_1, stage_2, …, each with its manifest, once its "
        "own checks and those of every set in it have passed."
    )

    @release_asset(wanted.name, about, recipe)
    def _release(home: HomeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with sentences():
            made = release(home.home, wanted)
        return dg.MaterializeResult(data_version=dg.DataVersion(made.version), metadata=describe_curriculum(made))

    return _release
