"""Signals."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource
from flywheel.stages.measure import match, measure, relate
from flywheel.storage.snapshots import Snapshot


@stage_asset(group="3_measure", kinds={"polars", "parquet"})
def measurements(conversations: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """What was measured of every conversation by itself: length, tokens, language, and the sketches that comparing needs.

    Measured once, per day, before anything is decided: a changed threshold measures nothing again.
    """
    return published(home, measure, conversations, home.recipe().signals)


@stage_asset(group="3_measure", kinds={"polars", "parquet"})
def matches(measurements: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """Which rows of a day are nearly alike, to each other and to those of all days before: as many pairs as tell the groups.

    Every pair that can join two groups is verified exactly. One more day compares that day alone, and comes to what comparing all
    days at once would.
    """
    return published(home, match, measurements, home.recipe().signals)


@stage_asset(group="3_measure", kinds={"polars", "parquet"})
def signals(measurements: Snapshot, matches: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """Every signal of every conversation: the measurements, and what comparing all days adds: exact and near duplicates.

    Groups of near duplicates are those of the pairs in `matches`; they do not depend on the order of rows.
    """
    return published(home, relate, measurements, home.recipe().signals, matches)
