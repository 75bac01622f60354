"""Edits, filters and the choice among duplicates."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.stages.curate import curate, screen
from flywheel.storage.snapshots import Snapshot


@stage_asset(group="4_curate", kinds={"polars", "parquet"})
def screened(
    conversations: Snapshot, measurements: Snapshot, labels: Snapshot, home: HomeResource
) -> dg.Output[Snapshot]:
    """Conversations after the recipe's edits, without those a filter rejects. Every reason of every rejected row is kept.

    `rows_only` in the table counts the rows that no other filter would have rejected.
    """
    recipe = home.recipe()
    judged_by = (recipe.edits, recipe.filters, home.home.secret, recipe.policy)
    return published(home, screen, conversations, measurements, labels, *judged_by)


@stage_asset(group="4_curate", kinds={"polars", "parquet"})
def curated(
    screened: Snapshot, measurements: Snapshot, signals: Snapshot, labels: Snapshot, home: HomeResource
) -> dg.Output[Snapshot]:
    """The pool that every set is drawn from: the best of each group of exact or near duplicates.

    Each row left out names the row kept instead; feedback on a duplicate counts for that row.
    """
    recipe = home.recipe()
    choice = (recipe.curate.keep, recipe.curate.max_passage_share, recipe.curate.semantic, recipe.curate.max_anomaly)
    return published(home, curate, screened, measurements, signals, labels, recipe.signals, *choice)
