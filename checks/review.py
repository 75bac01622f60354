"""Checks on the review queue."""

import dagster as dg
import polars as pl

from assets.resources import HomeResource
from checks.shape import bounds, judged
from flywheel.recipe import Recipe
from flywheel.stages import review


def checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """No row held back is forgotten, batches are full, and the queue is not too long for a person."""
    return [judged("review", bounds(recipe, "review"), measure)]


def measure(home: HomeResource) -> pl.DataFrame:
    """What there is to know of the queue."""
    queue, screened, curated, labels, feedback = (
        home.store.head(n) for n in ("review", "screened", "curated", "labels", "feedback")
    )
    return review.measured(queue, screened, curated, review.answered(labels, feedback))
