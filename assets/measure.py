"""Signals."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource, sentences
from flywheel.snapshots import Snapshot
from flywheel.stages.measure import measure, relate


@stage_asset(group="3_measure", kinds={"polars", "parquet"})
def signals(conversations: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """What was measured of every conversation: length, tokens, language, exact and near duplicates.

    Measured once, per day, before anything is decided: a changed threshold measures nothing again.
    """
    wanted = home.recipe().signals
    with sentences():
        measurements = home.store.publish(measure(conversations, wanted))
    return published(home, relate, measurements, wanted)
