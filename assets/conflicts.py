"""Conflicts within the pool."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.stages.conflicts import conflicts as stage
from flywheel.storage.snapshots import Snapshot


@stage_asset(group="4_curate", kinds={"polars", "parquet"})
def conflicts(curated: Snapshot, screened: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """Rows of the pool with one question and different answers, and with one answer to different questions, in pairs.

    Each pair is a contradiction or a variation, by a rule that is told. It is there where the recipe has the signal
    same_question; nothing is left out for it.
    """
    return published(home, stage, curated, screened)
