"""Feedback that nobody gave: what the next turn of a session says of the reply before it."""

from collections.abc import Sequence

import polars as pl

from flywheel.records import FEEDBACK, conform, last_input, last_reply, short_hash
from flywheel.storage.snapshots import Snapshot
from flywheel.texts.corrections import asks_again, corrects

VERSION = 1
"""Raised when other turns come to count as corrections."""
INFERRED = pl.Schema({c: t for c, t in FEEDBACK.items() if c not in ("raw", "metadata")} | {"sign": pl.String()})


def inferred(conversations: Snapshot, kinds: Sequence[str]) -> pl.DataFrame:
    """Events of feedback, one for each reply that the next turn of its session corrects (`correction`: "no, I meant …") or after
    which the same was asked again (`rephrase`), of these `kinds`; INFERRED, `sign` being which.

    A reply that itself asked something back is not corrected by what answers it, and a call made again with the very same prompt
    is a regeneration. Texts are read of sessions of several calls alone.
    """
    calls = conversations.scan().filter(pl.col("choice").fill_null(0) == 0)
    slim = calls.select("id", "conversation_id", "turn", "occurred_at", "prompt_digest").collect()
    order = slim.filter(pl.col("conversation_id").is_duplicated()).sort("conversation_id", "turn", "occurred_at", "id")
    before = [pl.col(c).shift().over("conversation_id").alias(f"{c}_before") for c in ("id", "prompt_digest")]
    pairs = order.with_columns(before).drop_nulls("id_before")
    pairs = pairs.filter(pl.col("prompt_digest") != pl.col("prompt_digest_before"))
    wanted = pl.concat([pairs["id"], pairs["id_before"]]).unique().implode()
    said = (
        calls.filter(pl.col("id").is_in(wanted))
        .select(
            "id",
            "user",
            role=pl.col("messages").list.get(-2, null_on_oob=True).struct.field("role"),
            asked=last_input(),
            replied=last_reply(),
        )
        .collect()
    )
    both = pairs.join(said, on="id").join(said.rename({c: f"{c}_before" for c in said.columns}), on="id_before")
    answered = (pl.col("role") == "user") & (pl.col("replied_before").str.strip_chars() != "")
    answered &= ~pl.col("replied_before").str.contains(r"[?？]\s*$")
    again = asks_again(pl.col("asked"), pl.col("asked_before"))
    sign = pl.when(corrects(pl.col("asked"))).then(pl.lit("correction")).when(again).then(pl.lit("rephrase"))
    told = both.filter(answered.fill_null(False)).with_columns(sign=sign).filter(pl.col("sign").is_in(list(kinds)))
    return _events(told)


def _events(told: pl.DataFrame) -> pl.DataFrame:
    """INFERRED: the later call is the event, the earlier its target."""
    digests = [short_hash(*row) for row in told.select("sign", "id_before", "id").iter_rows()]
    events = told.select(
        feedback_id=pl.format("inferred:{}:{}", "sign", "id"),
        digest=pl.Series(digests, dtype=pl.String),
        target_kind=pl.lit("call"),
        target_id="id_before",
        choice=pl.lit(0, dtype=pl.Int32),
        conversation_id="conversation_id",
        kind=pl.lit("implicit"),
        explicit=pl.lit(False),
        actor_kind=pl.lit("code"),
        actor="user",
        value=pl.lit(-1.0),
        occurred_at="occurred_at",
        received_at="occurred_at",
        source=pl.lit("inferred"),
        sign="sign",
    )
    return conform(events, INFERRED).sort("feedback_id")
