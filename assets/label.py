"""Feedback into labels."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.stages.label import label
from flywheel.storage.snapshots import Snapshot


@stage_asset(group="2_label", kinds={"polars", "parquet"})
def labels(conversations: Snapshot, feedback: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """What people said of each conversation, folded from all feedback known so far; one row per conversation spoken of.

    The ledger gives every event a status: applied, duplicate, superseded, contradicted, or orphan (it waits for a call that
    has not arrived). Only the days that new feedback speaks of are folded again.
    """
    return published(home, label, conversations, feedback, home.recipe().feedback)
