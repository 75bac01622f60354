"""Labels: a fold over the feedback known so far, one row per conversation that any feedback speaks of.

Nothing is ever updated: late feedback is one more event, and folding again changes exactly the days of the conversations it
speaks of. What the next turn says of a reply is such an event too, where the recipe asks for it. Every event gets a status in the ledger: applied, duplicate, superseded, contradicted, or orphan (it waits for a
call that has not arrived).
"""

from functools import partial

import polars as pl

from flywheel.labels import COMPARISONS, LABELS, LEDGER, FeedbackPolicy
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.logs.inferred import VERSION as INFERRING
from flywheel.logs.inferred import inferred
from flywheel.records import conform, short_hash
from flywheel.storage.snapshots import Snapshot

WEIGHTS = {"edit": 1.0, "correction": 1.0, "choice": 1.0, "ranking": 0.8, "judge": 0.6, "regeneration": 0.5}
"""How much a comparison counts: what a person wrote or chose, before what we infer (formats.md, table of kinds)."""


def label(conversations: Snapshot, feedback: Snapshot, settings: FeedbackPolicy) -> Dataset:
    """The dataset "labels": tables `rows` (LABELS), `comparisons` (COMPARISONS) and `ledger` (LEDGER), a part per UTC day."""
    calls = (
        conversations.scan()
        .select("id", "native_id", "response_id", "conversation_id", "choice", "turn", "day", "occurred_at")
        .collect()
    )
    signed = pl.when(pl.col("kind") == "implicit").then(pl.col("metadata").str.json_path_match("$.signal"))
    given = feedback.scan().with_columns(sign=signed).drop("raw", "metadata").collect()
    events = resolve(pl.concat([given, inferred(conversations, settings.infer)]) if settings.infer else given, calls)
    days = events.with_columns(day=pl.coalesce("call_day", pl.col("occurred_at").dt.date())).partition_by(
        "day", as_dict=True, include_key=True
    )
    parts = [
        Part(str(day), cause("label", settings, day_digest(rows)), partial(_fold, rows, settings))
        for (day,), rows in sorted(days.items(), key=lambda kv: str(kv[0]))
    ]
    watermark = events["received_at"].max()
    return Dataset(
        name="labels",
        schemas={"rows": LABELS, "comparisons": COMPARISONS, "ledger": LEDGER},
        parts=parts,
        derivation=Derivation(
            operation="label",
            inputs=(conversations.ref, feedback.ref),
            steps=(
                Step(use="fold_feedback", parameters=settings.model_dump(mode="json")),
                *(
                    [Step(use="inferred", version=INFERRING, parameters={"kinds": settings.infer})]
                    if settings.infer
                    else []
                ),
            ),
            watermark=watermark,
        ),
        notes={"watermark": watermark.isoformat() if watermark is not None else None},  # type: ignore[union-attr]
    )


def resolve(events: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """The events with `id`, `chosen`, `other_rows` (conversation ids) and `call_day`; null where the call has not arrived.

    An event names a call by the application's id, by the id the model's server gave, or by ours; or it names a session, and
    then speaks of the session's newest call before it.
    """
    to_session = pl.col("target_kind") == "conversation"
    spoken = pl.concat(
        [
            events.filter(~to_session).select(name="target_id"),
            events.select(name="chosen_id"),
            events.select(name=pl.col("others").explode()),
        ]
    )
    whole_call = pl.lit(0, dtype=pl.Int32)
    called = pl.concat(
        [
            calls.select(name="native_id", choice="choice", id="id", call_day="day", rank=pl.lit(0)),
            calls.select(name="id", choice=whole_call, id="id", call_day="day", rank=pl.lit(1)),
            calls.select(name="response_id", choice="choice", id="id", call_day="day", rank=pl.lit(2)),
        ]
    )
    names = (
        called.join(spoken.unique(), on="name", how="semi")  # events speak of few calls
        .sort("rank", "id")
        .unique(["name", "choice"], keep="first", maintain_order=True)
        .drop("rank")
    )
    first_choice = names.filter(pl.col("choice") == 0).select("name", row="id")
    of_calls = (
        events.filter(~to_session)
        .with_columns(pl.col("choice").fill_null(0))
        .join(names, left_on=["target_id", "choice"], right_on=["name", "choice"], how="left")
    )
    replies = (
        calls.join(events.filter(to_session), left_on="conversation_id", right_on="target_id", how="semi")
        .sort("occurred_at", "turn", "id")
        .select("conversation_id", "choice", "occurred_at", "id", call_day="day")
    )
    of_sessions = (
        events.filter(to_session)
        .with_columns(pl.col("choice").fill_null(0))
        .sort("occurred_at", "feedback_id")
        .join_asof(
            replies,
            on="occurred_at",
            by_left=["target_id", "choice"],
            by_right=["conversation_id", "choice"],
            strategy="backward",
            check_sortedness=False,  # sorted just above
        )
    )
    found = pl.concat([of_calls, of_sessions], how="diagonal")
    others = (
        found.filter(pl.col("others").list.len() > 0)
        .select("feedback_id", "others", position=pl.int_ranges(0, pl.col("others").list.len()))
        .explode("others", "position")
        .join(first_choice, left_on="others", right_on="name", how="left")
        .sort("feedback_id", "position")
        .group_by("feedback_id", maintain_order=True)
        .agg(other_rows=pl.col("row"))
    )
    return (
        found.join(first_choice.rename({"row": "chosen"}), left_on="chosen_id", right_on="name", how="left")
        .join(others, on="feedback_id", how="left")
        .sort("feedback_id")
    )


def day_digest(events: pl.DataFrame) -> str:
    """What decides a day's labels: each event's content, when it was heard, and which rows it was resolved to."""
    ids = pl.col("other_rows").list.eval(pl.element().fill_null("")).list.join(" ")
    told = events.select("feedback_id", "digest", "sign", pl.col("received_at").to_physical(), "id", "chosen", ids)
    return short_hash(told.sort("feedback_id").write_csv())


def _fold(events: pl.DataFrame, settings: FeedbackPolicy) -> Tables:
    ledger = settle(events, settings)
    applied = ledger.filter(pl.col("status") == "applied")
    return {
        "rows": fold(applied, ledger, settings),
        "comparisons": compare(applied),
        "ledger": conform(ledger.sort("feedback_id"), LEDGER),
    }


def settle(events: pl.DataFrame, settings: FeedbackPolicy) -> pl.DataFrame:
    """The events with `status`, `why` and `late`.

    `duplicate`: the same act was sent again under another id; the one that arrived first stands. `superseded`: the same
    person spoke again of the same reply; their last word stands. `contradicted`: different people gave opposite thumbs, and
    the policy of the recipe set this one aside.
    """
    act = ["target_kind", "target_id", "choice", "kind", "actor", "digest"]
    voice = ["id", "kind", "actor"]
    judged = pl.col("kind").is_in(["thumb", "rating"]) & pl.col("actor").is_not_null() & pl.col("id").is_not_null()
    out = (
        events.sort("received_at", "feedback_id")
        .with_columns(original=pl.col("feedback_id").first().over(act))
        .with_columns(duplicate=pl.col("feedback_id") != pl.col("original"))
        .sort("occurred_at", "received_at", "feedback_id")
        .with_columns(live=judged & ~pl.col("duplicate"))
        .with_columns(
            last_word=pl.when("live").then(pl.col("feedback_id").filter(pl.col("live")).last().over(voice)),
        )
        .with_columns(superseded=pl.col("last_word").is_not_null() & (pl.col("feedback_id") != pl.col("last_word")))
    )
    standing = (pl.col("kind") == "thumb") & ~pl.col("duplicate") & ~pl.col("superseded") & pl.col("id").is_not_null()
    ups = (standing & (pl.col("value") > 0)).sum().over("id")
    downs = (standing & (pl.col("value") < 0)).sum().over("id")
    clash = standing & (ups > 0) & (downs > 0)
    match settings.contradictions:
        case "exclude":
            loses, policy = clash, "exclude: people contradict each other, so no thumb counts"
        case "majority":
            wins = pl.when(ups > downs).then(1.0).when(downs > ups).then(-1.0).otherwise(0.0)
            loses, policy = (
                clash & (pl.col("value") != wins),
                "majority: the other verdict has more votes, or there is a tie",
            )
        case "latest":
            newest = pl.col("feedback_id").filter(standing).last().over("id")
            loses, policy = clash & (pl.col("feedback_id") != newest), "latest: a later verdict stands"
    out = out.with_columns(contradicted=loses)
    late = (pl.col("received_at") - pl.col("occurred_at")).dt.total_seconds() > settings.late_after_hours * 3600
    return out.with_columns(
        late=late.fill_null(False),
        status=pl.when("duplicate")
        .then(pl.lit("duplicate"))
        .when(pl.col("id").is_null())
        .then(pl.lit("orphan"))
        .when("superseded")
        .then(pl.lit("superseded"))
        .when("contradicted")
        .then(pl.lit("contradicted"))
        .otherwise(pl.lit("applied")),
        why=pl.when("duplicate")
        .then(pl.concat_str(pl.lit("repeats "), "original"))
        .when(pl.col("id").is_null())
        .then(pl.concat_str(pl.lit("waits for "), "target_kind", pl.lit(" "), "target_id"))
        .when("superseded")
        .then(pl.concat_str(pl.lit("the same person's later word stands: "), "last_word"))
        .when("contradicted")
        .then(pl.lit(policy)),
        day=pl.coalesce("call_day", pl.col("occurred_at").dt.date()),
    )


def fold(applied: pl.DataFrame, ledger: pl.DataFrame, settings: FeedbackPolicy) -> pl.DataFrame:
    """One row of LABELS for each conversation that a standing or contradicted event speaks of."""
    known = ledger.filter(pl.col("id").is_not_null() & (pl.col("status") != "duplicate"))
    thumbs = pl.col("kind") == "thumb"
    both = (
        known.filter(thumbs & (pl.col("status") != "superseded"))
        .group_by("id")
        .agg(
            contradicted=(pl.col("value") > 0).any() & (pl.col("value") < 0).any(),
        )
    )
    written = pl.col("correction").is_not_null() & pl.col("kind").is_in(["edit", "correction"])
    implicit = ~pl.col("explicit") & pl.col("value").is_not_null()
    rows = (
        applied.sort("occurred_at", "received_at", "feedback_id")
        .group_by("id")
        .agg(
            thumbs_up=(thumbs & (pl.col("value") > 0)).sum().cast(pl.Int32),
            thumbs_down=(thumbs & (pl.col("value") < 0)).sum().cast(pl.Int32),
            ratings=pl.struct(rater=pl.col("actor"), value=pl.col("value"), feedback_id=pl.col("feedback_id")).filter(
                (pl.col("kind") == "rating") & pl.col("value").is_not_null()
            ),
            rating=pl.col("value").filter(pl.col("kind") == "rating").mean(),
            correction=pl.col("correction").filter(written).last(),
            corrected_by=pl.col("kind").filter(written).last(),
            regenerated=(pl.col("kind") == "regeneration").any(),
            copied=(pl.col("kind") == "copy").any(),
            abandoned=(pl.col("kind") == "abandonment").any(),
            implicit=pl.col("value").filter(implicit).sum() - (pl.col("kind") == "regeneration").sum(),
            signs=pl.coalesce("sign", "kind").filter(~pl.col("explicit")).drop_nulls().unique().sort(),
            comments=(pl.col("kind") == "comment").sum().cast(pl.Int32),
            feedback=pl.col("feedback_id").sort(),
            day=pl.col("day").first(),
        )
    )
    silenced = (
        both.filter("contradicted")
        .join(rows, on="id", how="anti")
        .join(
            known.group_by("id").agg(day=pl.col("day").first(), feedback=pl.lit([], dtype=pl.List(pl.String))), on="id"
        )
    )
    rows = pl.concat([rows, conform(silenced.drop("contradicted"), rows.schema)])
    ups, downs = pl.col("thumbs_up").fill_null(0), pl.col("thumbs_down").fill_null(0)
    return conform(
        rows.join(both, on="id", how="left")
        .with_columns(
            pl.col("contradicted", "regenerated", "copied", "abandoned").fill_null(False),
            pl.col("comments").fill_null(0),
            pl.col("implicit").fill_null(0.0),
            pl.col("ratings").fill_null([]),
            pl.col("signs").fill_null([]),
            thumbs_up=ups,
            thumbs_down=downs,
            thumb=pl.when(ups > downs).then(1).when(downs > ups).then(-1).cast(pl.Int8),
        )
        .sort("id"),
        LABELS,
    )


def compare(applied: pl.DataFrame) -> pl.DataFrame:
    """What each standing event says is better than what: COMPARISONS, sorted by event.

    An edit or correction beats the reply it corrects; the kept reply beats the one regenerated; the choice beats each loser;
    in a ranking every reply beats those after it (n(n-1)/2 pairs). What a model chose or ranked has the signal `judge`.
    """
    weights = pl.col("signal").replace_strict(WEIGHTS, return_dtype=pl.Float64)
    written = applied.filter(pl.col("kind").is_in(["edit", "correction"]) & pl.col("correction").is_not_null()).select(
        "feedback_id",
        "occurred_at",
        "day",
        "correction",
        signal="kind",
        chosen=pl.lit(None, dtype=pl.String),
        rejected="id",
    )
    again = applied.filter((pl.col("kind") == "regeneration") & pl.col("chosen").is_not_null()).select(
        "feedback_id", "occurred_at", "day", signal="kind", chosen="chosen", rejected="id"
    )
    chosen = (
        applied.filter((pl.col("kind") == "choice") & pl.col("chosen").is_not_null())
        .explode("other_rows")
        .drop_nulls("other_rows")
        .select("feedback_id", "occurred_at", "day", signal="kind", chosen="chosen", rejected="other_rows")
    )
    ranked = applied.filter(pl.col("kind") == "ranking").select("feedback_id", "occurred_at", "day", "other_rows")
    ranked = (
        ranked.explode("other_rows")
        .with_columns(place=pl.int_range(pl.len()).over("feedback_id"))
        .drop_nulls("other_rows")
    )
    pairs = (
        ranked.join(ranked.select("feedback_id", rejected="other_rows", later="place"), on="feedback_id")
        .filter(pl.col("later") > pl.col("place"))
        .select("feedback_id", "occurred_at", "day", signal=pl.lit("ranking"), chosen="other_rows", rejected="rejected")
    )
    by_model = applied.filter((pl.col("actor_kind") == "judge") & pl.col("kind").is_in(["choice", "ranking"])).select(
        "feedback_id", judged=pl.lit("judge")
    )
    return conform(
        pl.concat([written, again, chosen, pairs], how="diagonal_relaxed")
        .join(by_model, on="feedback_id", how="left")
        .with_columns(signal=pl.coalesce("judged", "signal"))
        .with_columns(weight=weights)
        .sort("feedback_id", "chosen", "rejected"),
        COMPARISONS,
    )
