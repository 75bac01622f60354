"""Files into conversations and feedback."""

import dagster as dg

from assets.graph import stage_asset
from assets.io import published
from assets.resources import HomeResource, sentences
from flywheel.logs.inbox import take
from flywheel.stages import ingest
from flywheel.storage.snapshots import Snapshot


@stage_asset(group="1_ingest", kinds={"file"})
def raw_files(home: HomeResource) -> dg.Output[Snapshot]:
    """Every log and feedback file received, kept by content and read line by line.

    New files in the inbox are taken in. A line that cannot be read goes to quarantine with its file, line, byte offset, reason
    and bytes; the other lines of its file go on. Raw files are never changed: a changed byte stops the build and names the file.
    """
    with sentences():
        take(home.home)
    return published(home, ingest.read_files, home.raw, home.home.secret)


@stage_asset(group="1_ingest", kinds={"polars", "parquet"})
def conversations(raw_files: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """One row per logged model call and choice, by the UTC day it happened: messages, tools, model, user, usage, metadata.

    The same line or call twice adds nothing. Users are keyed pseudonyms from here on.
    """
    return published(home, ingest.conversations, raw_files, arrivals(home))


@stage_asset(group="1_ingest", kinds={"polars", "parquet"})
def feedback(raw_files: Snapshot, home: HomeResource) -> dg.Output[Snapshot]:
    """Every feedback event ever received: thumbs, ratings, edits, corrections, choices, rankings, comments, regenerations, copies,
    abandonment. Append-only: late feedback is one more row, nothing is updated."""
    return published(home, ingest.feedback, raw_files, arrivals(home))


def arrivals(home: HomeResource) -> list[str]:
    """Digests of the raw files, in the order they came."""
    return [f.digest for f in home.raw.files()]
