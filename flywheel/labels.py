"""What is known of a conversation from feedback: the columns of labels, comparisons and the feedback ledger."""

from typing import Literal

import polars as pl
from pydantic import BaseModel, Field

from flywheel.records import UTC_TIME


class FeedbackPolicy(BaseModel, frozen=True, extra="forbid"):
    """How feedback becomes labels: the recipe's table [feedback]."""

    late_after_hours: float = Field(default=24.0, gt=0)
    """An event that arrives longer than this after it was made counts as late (it is used all the same)."""
    contradictions: Literal["exclude", "majority", "latest"] = "exclude"
    """What wins when different people contradict each other on one reply. One person's later word replaces their earlier."""
    infer: tuple[Literal["correction", "rephrase"], ...] = ()
    """What the next turn of a session is taken to say of the reply before it: `correction` ("no, I meant EUR"), `rephrase` (the
    same asked again). Each counts as a weak sign, -1."""
    orphan_after_days: float = Field(default=3.0, gt=0)
    """An event whose call has not arrived waits; after this long the check on orphans counts it."""


RATING = pl.Struct({"rater": pl.String(), "value": pl.Float64(), "feedback_id": pl.String})

LABELS = pl.Schema(
    {
        "id": pl.String(),  # of the conversation
        "thumb": pl.Int8(),  # +1, -1; null where none was given or people contradict each other
        "thumbs_up": pl.Int32(),  # people whose last word was up
        "thumbs_down": pl.Int32(),
        "contradicted": pl.Boolean(),  # up and down were both said of it
        "rating": pl.Float64(),  # mean of the raters' last ratings, as given
        "ratings": pl.List(RATING),
        "correction": pl.String(),  # the latest better reply a person wrote
        "corrected_by": pl.String(),  # edit | correction
        "regenerated": pl.Boolean(),  # the user asked for another reply
        "copied": pl.Boolean(),
        "abandoned": pl.Boolean(),
        "implicit": pl.Float64(),  # sum of weak signs: copy and thanks +1, abandonment, regeneration, rephrase, correction -1
        "signs": pl.List(
            pl.String
        ),  # which weak signs: copy, abandonment, regeneration, correction, rephrase, thanks, …
        "comments": pl.Int32(),
        "feedback": pl.List(pl.String),  # ids of every event that made this label
        "day": pl.Date(),
    }
)

LABEL_COLUMNS = tuple(c for c in LABELS if c not in ("id", "day"))

COMPARISONS = pl.Schema(
    {
        "signal": pl.String(),  # edit | correction | regeneration | choice | ranking | judge
        "chosen": pl.String(),  # conversation id; null where `correction` is the better reply
        "rejected": pl.String(),
        "correction": pl.String(),
        "feedback_id": pl.String(),
        "weight": pl.Float64(),  # edits and choices 1, rankings 0.8, judges 0.6, regenerations 0.5
        "occurred_at": UTC_TIME,
        "day": pl.Date(),
    }
)

LEDGER = pl.Schema(
    {
        "feedback_id": pl.String(),
        "kind": pl.String(),
        "explicit": pl.Boolean(),
        "target_id": pl.String(),
        "id": pl.String(),  # the conversation it was resolved to; null while it waits
        "status": pl.String(),  # applied | duplicate | orphan | superseded | contradicted
        "late": pl.Boolean(),
        "why": pl.String(),  # the policy that decided, or the event it repeats or gave way to
        "occurred_at": UTC_TIME,
        "received_at": UTC_TIME,
        "day": pl.Date(),  # of the conversation, else of the event
    }
)
