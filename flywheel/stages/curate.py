"""Curation: edits, then every filter at once, then the best of each duplicate group.

Filters look at one row; choices look at the others. So filters run per day and are kept, while the choice among duplicates
runs over all days on slim columns, after the filters: when a filter comes to reject the copy that had been kept, its twin takes its
place. Feedback on a copy that is not kept counts for the one that is: an objection to one is an objection to its twin.
"""

import datetime as dt
from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from flywheel.choices.split import components
from flywheel.filters.behaviour import BEHAVIOURS, Behaviour, observed, together
from flywheel.kinds import Edit, Filter, Redaction, Signal
from flywheel.labels import LABELS
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.protection.forbidden import drop_fields
from flywheel.protection.policy import NO_POLICY, Policy
from flywheel.records import CONVERSATIONS, REJECTED, SLIM, conform, short_hash
from flywheel.rewriting import EDITS_MADE, RESIDUE, every_redaction, residue, rewrite
from flywheel.signals.semantic_duplicate import SemanticDuplicate
from flywheel.signals.shared_passages import SharedPassages
from flywheel.storage.snapshots import Snapshot, StoredPart
from flywheel.texts.passages import held_before

SCREENED = pl.Schema({**CONVERSATIONS, "undesired": pl.List(pl.String)})
"""`undesired`: reasons of the filters that say "not to be imitated"; the row stays, for it may be the losing side."""

ROWS_AT_ONCE = 16_384
"""Rows edited and judged at a time: bounds the memory of a day, however many rows it has."""

VERDICTS = 60
"""Verdicts told by the bits of one number."""

SHARED_PASSAGES = "shared_passages"
"""The reason of a row that says little of its own. It is no copy: what people said of it is not said of the row kept."""


def screen(
    conversations: Snapshot,
    measurements: Snapshot,
    labels: Snapshot,
    edits: Sequence[Edit],
    filters: Sequence[Filter],
    secret: bytes,
    policy: Policy = NO_POLICY,
) -> Dataset:
    """The dataset "screened": per day `rows` (SCREENED), `rejected` (REJECTED, with every reason), `edits` (EDITS_MADE) and
    `residue` (RESIDUE: what redactions still find in the rows kept); with behaviours to be unlearned also `behaviours`.

    Filters see what was measured of a row alone, never what compares rows: so a day's verdicts stand when other days change.
    The policy's fields go first; its age is counted back from the newest day.
    """
    steps = (policy.step(), *(op.step() for op in (*edits, *filters)))
    redactions = every_redaction(edits)
    searched = [r.step() for r in redactions]
    expired = too_old([p.name for p in conversations.parts], policy.max_age_days)

    def part(day: StoredPart) -> Part:
        measured, labelled = measurements.part(day.name), labels.part(day.name)
        beside = [p.version if p else "" for p in (measured, labelled)]
        old = day.name in expired
        key = cause("screen", steps, searched, day.version, *beside, short_hash(secret), str(old))
        make = partial(_screen_day, day, measured, labelled, edits, filters, redactions, secret, policy, old)
        return Part(day.name, key, make)

    return Dataset(
        name="screened",
        schemas={"rows": SCREENED, "rejected": REJECTED, "edits": EDITS_MADE, "residue": RESIDUE}
        | ({"behaviours": BEHAVIOURS} if behaviours_in(filters) else {}),
        parts=[part(day) for day in conversations.parts],
        derivation=Derivation(
            operation="screen",
            inputs=(conversations.ref, measurements.ref, labels.ref),
            steps=(*steps, Step(use="pseudonym_key", parameters={"id": short_hash(secret)})),
            watermark=labels.derivation.watermark,
        ),
        accounts_for=conversations.scan().select("id"),
    )


def _screen_day(
    day: StoredPart,
    measured: StoredPart | None,
    labelled: StoredPart | None,
    edits: Sequence[Edit],
    filters: Sequence[Filter],
    redactions: Sequence[Redaction],
    secret: bytes,
    policy: Policy,
    old: bool,
) -> Tables:
    known = labelled.scan().drop("day") if labelled else pl.LazyFrame(schema=LABELS).drop("day")
    beside = [measured.scan().drop("day"), known] if measured else [known]
    rows, reasons = day.scan().collect(), ["too_old"] if old else []
    slices = list(rows.iter_slices(ROWS_AT_ONCE)) or [rows]
    some = [_screened(few, beside, edits, filters, redactions, secret, policy, reasons) for few in slices]
    tables = {table: pl.concat([tables[table] for tables in some]) for table in some[0]}
    left = tables["residue"].group_by("label", maintain_order=True).agg(pl.col("count").sum())
    seen = {"behaviours": together(tables["behaviours"])} if "behaviours" in tables else {}
    return {
        **tables,
        **seen,
        "rows": tables["rows"].sort("id"),
        "rejected": tables["rejected"].sort("id"),
        "residue": left,
    }


def _screened(
    rows: pl.DataFrame,
    beside: Sequence[pl.LazyFrame],
    edits: Sequence[Edit],
    filters: Sequence[Filter],
    redactions: Sequence[Redaction],
    secret: bytes,
    policy: Policy,
    reasons: Sequence[str],
) -> dict[str, pl.DataFrame]:
    """The tables of some rows. `beside`: what was measured of them, and what people said."""
    allowed, dropped = drop_fields(rows, policy.forbidden)
    rewritten, edited = rewrite(allowed, edits, secret)
    made = pl.concat([dropped, edited])
    seen = rewritten.lazy()
    for columns in beside:
        seen = seen.join(columns, on="id", how="left")
    judged = told(judge(seen, filters).collect(), found(made, edits), reasons)
    yes, no = (judged.filter(kept) for kept in (pl.col("reasons").list.len() == 0, pl.col("reasons").list.len() > 0))
    return {
        "rows": conform(yes, SCREENED),
        "rejected": conform(no, REJECTED),
        "edits": made,
        "residue": residue(yes, redactions),
    } | ({"behaviours": observed(judged, rules)} if (rules := behaviours_in(filters)) else {})


def behaviours_in(filters: Sequence[Filter]) -> list[Behaviour]:
    """The filters that are behaviours to be unlearned."""
    return [f for f in filters if isinstance(f, Behaviour)]


def judge(rows: pl.LazyFrame, filters: Sequence[Filter]) -> pl.LazyFrame:
    """The rows with `reasons` and `undesired`: all filters in one pass, every reason kept, null meaning "stays"."""

    def reasons(rejects: str) -> pl.Expr:
        given = [verdict for f in filters if f.rejects == rejects for verdict in f.verdicts().items()]
        told = [_given(given[n : n + VERDICTS]) for n in range(0, len(given), VERDICTS)]
        if not told:
            return pl.lit([], dtype=pl.List(pl.String))
        return told[0] if len(told) == 1 else pl.concat_list(told).list.unique(maintain_order=True)

    return rows.with_columns(reasons=reasons("row"), undesired=reasons("target"))


def _given(verdicts: Sequence[tuple[str, pl.Expr]]) -> pl.Expr:
    """The reasons that are given of each row, each once: few rows have any, and most of these the same, so each list is made once."""
    bits = [said.fill_null(False).cast(pl.UInt64) * (1 << n) for n, (_, said) in enumerate(verdicts)]
    spelled = partial(_spelled, [code for code, _ in verdicts])
    return pl.sum_horizontal(bits).map_batches(spelled, return_dtype=pl.List(pl.String), is_elementwise=True)


def _spelled(codes: Sequence[str], given: pl.Series) -> pl.Series:
    """The codes of the bits of each number."""
    distinct = given.unique().sort()
    told = [list(dict.fromkeys(c for n, c in enumerate(codes) if bits >> n & 1)) for bits in distinct.to_list()]
    return pl.Series(given.name, told, dtype=pl.List(pl.String)).gather(distinct.search_sorted(given))


def too_old(days: Sequence[str], max_age_days: int | None) -> frozenset[str]:
    """The days further back from the newest than is allowed."""
    if max_age_days is None:
        return frozenset()
    dates = {day: dt.date.fromisoformat(day) for day in days if day != "none"}
    newest = max(dates.values(), default=dt.date.min)
    return frozenset(day for day, date in dates.items() if (newest - date).days > max_age_days)


def found(made: pl.DataFrame, edits: Sequence[Edit]) -> pl.DataFrame:
    """`id` and `more`: the reasons of the redactions that found something in a row they are to leave out or to hold."""
    reasons = {e.use: reason for e in edits if isinstance(e, Redaction) and (reason := e.reason)}
    hits = made.filter(pl.col("edit").is_in(list(reasons)))
    named = pl.col("edit").replace_strict(reasons, return_dtype=pl.String) if reasons else pl.col("edit")
    return hits.group_by("id").agg(more=named.unique().sort())


def told(judged: pl.DataFrame, found: pl.DataFrame, of_all: Sequence[str]) -> pl.DataFrame:
    """The judged rows with further reasons: those found in a row, and those of the whole day."""
    none = pl.lit([], dtype=pl.List(pl.String))
    more = pl.col("more").fill_null(none)
    every = pl.concat_list("reasons", more, pl.lit(list(of_all), dtype=pl.List(pl.String)))
    return judged.join(found, on="id", how="left").with_columns(reasons=every).drop("more")


def curate(
    screened: Snapshot,
    measurements: Snapshot,
    signals: Snapshot,
    labels: Snapshot,
    measures: Sequence[Signal],
    keep: str,
    max_passage_share: float | None = None,
    semantic: bool = False,
    max_anomaly: float | None = None,
) -> Dataset:
    """The dataset "curated": per day `rows` (slim columns, signals and `undesired`; no text) and `rejected`, each with the row
    kept instead and, where it was measured, the similarity."""
    given = pl.Schema({name: dtype for s in measures for name, dtype in s.gives.items()})
    pool = pl.Schema({**{c: CONVERSATIONS[c] for c in SLIM}, **given, "undesired": pl.List(pl.String)})
    rows = (
        screened.scan()
        .select(*SLIM, "undesired")
        .join(signals.scan().drop("day"), on="id", how="left")
        .join(labels.scan().select("id", "thumb", "rating", "implicit", "correction", "copied"), on="id", how="left")
        .collect()
    )
    rows, odd = usual(rows, max_anomaly)
    copies = compared(choose(rows, keep, semantic), measurements, measures)
    if (loose := chained(copies, measures)).any():
        again = rows.join(copies.filter(loose), on="id", how="semi")
        copies = pl.concat([copies.filter(~loose), compared(choose(again, keep), measurements, measures)])
    chosen = original(copies, measurements, measures, keep, max_passage_share)
    chosen = pl.concat([chosen, odd], how="diagonal")
    days = {str(day): part for (day,), part in chosen.partition_by("day", as_dict=True).items()}

    asked = {"max_passage_share": max_passage_share, "semantic": semantic or None, "max_anomaly": max_anomaly}
    settings = {"keep": keep} | {name: value for name, value in asked.items() if value is not None}
    step = Step(use="keep_best_duplicate", parameters=settings)

    def key(day: str) -> str:
        sides = [p.version if (p := s.part(day)) else "" for s in (screened, signals)]
        verdicts = days[day].sort("id").select("id", "instead", "similarity", pl.col("undesired").list.join(" "))
        return cause("curate", step, *sides, verdicts.write_csv())

    return Dataset(
        name="curated",
        schemas={"rows": pool, "rejected": REJECTED},
        parts=[Part(day, key(day), partial(_curate_day, days[day], pool)) for day in sorted(days)],
        derivation=Derivation(
            operation="curate",
            inputs=(screened.ref, measurements.ref, signals.ref, labels.ref),
            steps=(step,),
            watermark=labels.derivation.watermark,
        ),
        accounts_for=screened.scan().select("id"),
    )


def _curate_day(here: pl.DataFrame, pool: pl.Schema) -> Tables:
    removed = pl.col("reasons").list.len() > 0
    return {
        "rows": conform(here.filter(~removed).sort("id"), pool),
        "rejected": conform(here.filter(removed).sort("id"), REJECTED),
    }


def usual(rows: pl.DataFrame, max_anomaly: float | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows, and apart those too unlike the others, with `reasons`: none of these stands for a copy. An unjudged row stays."""
    if max_anomaly is None:
        return rows, rows.clear()
    odd = (pl.col("anomaly_score") > max_anomaly).fill_null(False)
    return rows.filter(~odd), rows.filter(odd).with_columns(reasons=pl.lit(["anomaly"], dtype=pl.List(pl.String)))


def choose(rows: pl.DataFrame, keep: str, semantic: bool = False) -> pl.DataFrame:
    """The rows with `instead` (the id kept in their place, null for a row that stays), `reasons` and `similarity`.

    Rows are one group when they are exact or near duplicates, and where `semantic` is asked also when they mean the same.
    `keep`: "best_feedback" prefers, in this order, no objection, a
    thumb up over none over a thumb down, the better rating, implicit signs, a reply nobody corrected; then, as "newest" and
    "longest" do, the newest row, the longest reply, the smallest id.
    """
    near = pl.coalesce("near_group", "id")
    # Exact twins are always one group, even where the signal of near duplicates saw too little text to compare.
    grouped = rows.with_columns(alike=pl.coalesce(near.min().over("exact_group"), near))
    grouped = grouped.with_columns(group=joined(grouped) if semantic else "alike")
    best = (
        grouped.sort(preference(keep))
        .group_by("group", maintain_order=True)
        .agg(
            kept=pl.col("id").first(),
            kept_exact=pl.col("exact_group").first(),
            kept_alike=pl.col("alike").first(),
            liked=pl.col("thumb").first().fill_null(0) > 0,
            told=pl.col("undesired").explode().drop_nulls().unique().sort(),
        )
    )
    # An objection to a copy is an objection to the row that stands for it, unless that row itself was liked.
    out = grouped.join(best, on="group", how="left").with_columns(
        undesired=pl.when((pl.col("id") == pl.col("kept")) & ~pl.col("liked")).then("told").otherwise("undesired")
    )
    removed = pl.col("id") != pl.col("kept")
    exact = pl.col("exact_group") == pl.col("kept_exact")
    return out.with_columns(
        instead=pl.when(removed).then("kept"),
        similarity=pl.when(removed & exact).then(1.0),
        reasons=pl.when(removed & exact)
        .then(pl.lit(["exact_duplicate"], dtype=pl.List(pl.String)))
        .when(removed & (pl.col("alike") == pl.col("kept_alike")))
        .then(pl.lit(["near_duplicate"], dtype=pl.List(pl.String)))
        .when(removed)
        .then(pl.lit(["semantic_duplicate"], dtype=pl.List(pl.String)))
        .otherwise(pl.lit([], dtype=pl.List(pl.String))),
    )


def joined(rows: pl.DataFrame) -> pl.Series:
    """One group of `alike` for each row, the same for rows that are alike or mean the same, directly or over other rows."""
    place = rows.select("alike", "semantic_group", place=pl.int_range(pl.len(), dtype=pl.Int64))
    first = place.select(
        alike=pl.col("place").min().over("alike"),
        means=pl.when(pl.col("semantic_group").is_null())
        .then("place")
        .otherwise(pl.col("place").min().over("semantic_group")),
    )
    here = pl.concat([first["alike"], first["means"]]).to_numpy()
    return rows["alike"].gather(components(rows.height, np.tile(np.arange(rows.height), 2), here)).alias("group")


def chained(chosen: pl.DataFrame, measures: Sequence[Signal]) -> pl.Series:
    """Which rows mean what the row kept instead means only over a third one: a chain of meanings leads anywhere."""
    same = next((s.same for s in measures if isinstance(s, SemanticDuplicate)), 0.0)
    by_meaning = pl.col("reasons").list.first() == SemanticDuplicate.model_fields["use"].default
    return chosen.select((by_meaning & (pl.col("similarity") < same).fill_null(True)).fill_null(False)).to_series()


def preference(keep: str) -> list[pl.Expr]:
    """What rows are sorted by to have the best first, as `choose` says."""
    liked = [
        pl.col("undesired").list.len(),
        -pl.col("thumb").fill_null(0).cast(pl.Int32),
        -pl.col("rating").fill_null(3.0),
        -pl.col("implicit").fill_null(0.0),
        pl.col("correction").is_not_null(),
    ]
    newest, longest = -pl.col("occurred_at").dt.epoch("us"), -pl.col("reply_chars").fill_null(0)
    order = {
        "best_feedback": [*liked, newest, longest],
        "newest": [newest, longest],
        "longest": [longest, newest],
    }[keep]
    return [*order, pl.col("id")]


def original(
    chosen: pl.DataFrame, measurements: Snapshot, measures: Sequence[Signal], keep: str, max_share: float | None
) -> pl.DataFrame:
    """The rows, with SHARED_PASSAGES and the row kept instead where more than `max_share` of a reply is passages that better
    rows hold. Only rows that stay so far are looked at: so a passage goes with no duplicate."""
    signal = next((s for s in measures if isinstance(s, SharedPassages)), None)
    if max_share is None or signal is None or signal.use not in measurements.schemas:
        return chosen
    stay = chosen.filter(pl.col("instead").is_null()).sort(preference(keep)).select("id")
    sketches = stay.lazy().join(measurements.scan(signal.use), on="id", how="left", maintain_order="left").collect()
    gone = held_before(sketches, max_share, signal.min_documents).select("id", held_by="instead", held="similarity")
    told = chosen.join(gone, on="id", how="left", maintain_order="left")
    reason = pl.lit([SHARED_PASSAGES], dtype=pl.List(pl.String))
    return told.with_columns(
        reasons=pl.when(pl.col("held_by").is_not_null()).then(reason).otherwise("reasons"),
        instead=pl.coalesce("instead", "held_by"),
        similarity=pl.coalesce("similarity", "held"),
    ).drop("held_by", "held")


def compared(chosen: pl.DataFrame, measurements: Snapshot, measures: Sequence[Signal]) -> pl.DataFrame:
    """The rows with the exact `similarity` of each removed duplicate to the row kept instead of it, by the signal that found it.

    They may be joined over a third row, so this can lie below the signal's threshold.
    """
    for signal in measures:
        found = pl.col("similarity").is_null() & (pl.col("reasons").list.first() == signal.use)
        if signal.compares and (pairs := chosen.filter(found).select("id", "instead")).height:
            measured = signal.compare(measurements.scan(signal.use), pairs)
            chosen = chosen.join(measured, on="id", how="left").with_columns(
                similarity=pl.coalesce("similarity", "compared")
            )
            chosen = chosen.drop("compared")
    return chosen
