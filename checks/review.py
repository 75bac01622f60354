"""Checks on the review queue."""

import dagster as dg
import polars as pl

from assets.resources import HomeResource
from checks.shape import bounds, judged
from flywheel import measures
from flywheel.recipe import Recipe
from flywheel.stages.review import answered


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """No row held back is forgotten, batches are full, and the queue is not too long for a person."""
    return [judged("review", bounds(recipe, "review"), measured)]


def measured(home: HomeResource) -> pl.DataFrame:
    """What there is to know of the queue."""
    queue, screened, curated, labels, feedback = (
        home.store.head(n) for n in ("review", "screened", "curated", "labels", "feedback")
    )
    return measures.review(queue, screened, curated, answered(labels, feedback))
