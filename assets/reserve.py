"""Reserved rows."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource, sentences
from flywheel.recipe import Recipe
from flywheel.stages.reserve import reserve
from flywheel.storage.frozen import frozen
from flywheel.storage.snapshots import Snapshot


def reserved(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The asset of the rows that pilots hold and keep for evaluation, where the recipe has a pilot."""
    if not recipe.pilots:
        return []

    @stage_asset(group="4_curate", kinds={"polars", "parquet"}, name="reserved", code_version=recipe.digest)
    def _reserved(
        curated: Snapshot, screened: Snapshot, labels: Snapshot, feedback: Snapshot, home: HomeResource
    ) -> dg.Output[Snapshot]:
        """The rows of each pilot and of its evaluation twin, and every conversation that is kept out of other sets for it.

        From the first release on they are named in HOME/frozen, and later builds hold to that.
        """
        with sentences():
            kept = frozen(home.home.path, [p.name for p in recipe.pilots])
        rest = (recipe.seed, recipe.edits, home.home.secret, kept)
        return published(home, reserve, recipe.pilots, curated, screened, labels, feedback, *rest)

    return [_reserved]
