"""The review queue."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.recipe import Recipe
from flywheel.stages.review import review
from flywheel.storage.snapshots import Snapshot


def queue(recipe: Recipe) -> dg.AssetsDefinition:
    """The asset of the review queue; it waits for the sketches only where a batch compares texts."""
    further = ["measurements"] if any(b.sketched() for b in recipe.reviews) else []

    @stage_asset(group="4_curate", kinds={"polars", "parquet"}, name="review", deps=further, code_version=recipe.digest)
    def _review(
        screened: Snapshot, curated: Snapshot, labels: Snapshot, feedback: Snapshot, home: HomeResource
    ) -> dg.Output[Snapshot]:
        """Rows that a person should look at: those a redaction holds back, and the batches the recipe asks for, the most
        telling first. A row leaves when an expert has said anything of it. `flywheel review` lists them."""
        sketches = [home.store.head(name) for name in further]
        return published(home, review, screened, curated, labels, feedback, recipe.reviews, recipe.seed, *sketches)

    return _review
