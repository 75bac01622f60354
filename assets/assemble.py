"""One candidate asset per set of the recipe."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.kinds import SetKind
from flywheel.recipe import Recipe
from flywheel.stages.assemble import assemble
from flywheel.storage.snapshots import Snapshot


def candidates(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The candidate of each set: assembled, not yet judged."""
    return [candidate(wanted, recipe) for wanted in recipe.sets]


def candidate(wanted: SetKind, recipe: Recipe) -> dg.AssetsDefinition:
    """The candidate asset of one set."""
    about = f"Candidate of the {wanted.use} set {wanted.name}: picked from the pool, mixed to target, split by group. Released only if its blocking checks pass."

    # The sketches are read only by a selection that compares texts, the logs by a mix that follows usage; other sets do not wait.
    sketches = ["measurements"] if wanted.sketched() else []
    usage = ["conversations", "signals"] if wanted.measures_usage else []

    @stage_asset(
        group="5_assemble",
        kinds={"polars", "parquet"},
        name=wanted.name,
        description=about,
        code_version=recipe.digest,
        deps=[*sketches, *usage],
    )
    def _candidate(curated: Snapshot, screened: Snapshot, labels: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
        rest = (recipe.seed, recipe.edits, home.home.secret)
        compared = home.store.head(sketches[0]) if sketches else None
        logs = [home.store.head(name) for name in usage]
        return published(home, assemble, wanted, curated, screened, labels, *rest, compared, logs)

    return _candidate
