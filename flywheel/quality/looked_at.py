"""How much of a set people have really looked at, and whether they judge it as its labels do.

Looking is saying something: explicit feedback of an expert (`actor_kind`) about a call that an example is made of. Agreement is held
against what everybody else said of the same call, folded into a label as the recipe's policy has it; an expert's own words are no
part of the label they are compared with. Where nobody else said anything explicit, the example is looked at and not compared.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import BaseModel, Field, model_validator

from flywheel.coverage.shortfall import wilson
from flywheel.labels import FeedbackPolicy
from flywheel.quality.tally import MEASURES, one
from flywheel.quality.target import SURE, Target
from flywheel.stages.label import fold, settle
from flywheel.storage.snapshots import Snapshot

if TYPE_CHECKING:
    from flywheel.kinds import SetKind

LEFT_OUT = ("CONTRADICTED", "CONTRADICTED_PAIR", "OUTVOTED", "disliked", "no_approval")
"""Reasons that people's words alone give. What was left out for these is compared, too: an expert who contradicts a label often takes
the row out of the set by it, and a set that holds only the rows agreed on would always agree."""
OTHER_LABELS = ("detector", "stepwise")
"""Kinds whose labels say something else of a reply than whether people find it good: these are looked at and never compared."""
AGREES = pl.Schema({"id": pl.String(), "same": pl.Boolean()})
VERDICTS = ("thumb", "rating", "edit", "correction")
"""Kinds of feedback that judge one reply."""


class LookedAt(BaseModel, frozen=True, extra="forbid"):
    """How much of a set people shall have looked at: each number a check that warns."""

    least: int | None = Field(default=None, ge=1)
    """Examples an expert has said something of."""
    share: float | None = Field(default=None, gt=0.0, le=1.0)
    """Share of the examples an expert has said something of."""
    agreement: float | None = Field(default=None, gt=0.0, le=1.0)
    """Share of the examples compared that experts judge as everybody else does."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> "LookedAt":
        if self.least is None and self.share is None and self.agreement is None:
            raise ValueError("asks for nothing; expected least, share or agreement")
        return self


HAVE_LOOKED = Target(
    name="people_have_looked",
    metric="looked_at",
    unit="count",
    says="{value} of {n} examples looked at by an expert",
    next_step="Read examples, and bring the verdicts as feedback with actor_kind expert.",
    min=1,
    severity="warn",
)
ENOUGH = Target(
    name="enough_was_looked_at",
    metric="looked_at_share",
    unit="share",
    says="{value} of {n} examples looked at by an expert",
    next_step="Read more of them, and bring the verdicts as feedback with actor_kind expert.",
    min=0.01,
    severity="warn",
)
AGREED = Target(
    name="labels_are_agreed_with",
    metric="label_agreement",
    unit="share",
    proportion=True,
    says="{value} of {n} examples judged by experts as by everybody else who judged them",
    next_step="Read those they differ on (catalog table feedback), and settle what is meant; where none was compared, look at examples that users judged.",
    min=0.8,
    severity="warn",
    confidence=SURE,
)
LOOKED: Mapping[str, Target] = {"least": HAVE_LOOKED, "share": ENOUGH, "agreement": AGREED}
"""Key of [set.looked_at] -> the check it is the bound of."""


def faults(wanted: "SetKind") -> Iterator[str]:
    """What cannot be meant, beginning with the field it is about."""
    if wanted.use in OTHER_LABELS and wanted.looked_at and wanted.looked_at.agreement is not None:
        yield f"looked_at.agreement: no feedback says what the labels of a set of kind {wanted.use} do; leave it out."


def measured(candidate: Snapshot) -> pl.DataFrame:
    """MEASURES of what assembling noted: `looked_at`, `looked_at_share`, `label_agreement` (0 of 0 where nothing was compared)."""
    told = candidate.notes.get("looked_at")
    if told is None:
        return pl.DataFrame(schema=MEASURES)
    rows = [
        *one(HAVE_LOOKED.metric, told["looked_at"], told["examples"]),
        *one(ENOUGH.metric, told["share"], told["examples"]),
        *one(AGREED.metric, told["agreement"] or 0.0, told["compared"]),
    ]
    return pl.DataFrame(rows, schema=MEASURES)


def looked_at(
    wanted: "SetKind",
    examples: pl.DataFrame,
    refused: pl.DataFrame,
    instead: pl.DataFrame,
    labels: Snapshot,
    feedback: Snapshot,
    policy: FeedbackPolicy,
) -> dict[str, Any]:
    """`examples`, how many of them were `looked_at` and which `share`, by how many `people`, when `last` (a day); how many were
    `compared` and `agreed`, the `agreement`, and `low` and `high`, Wilson's 95% interval of it (None where none was compared).

    `examples`: `id` and `parents`, without copies. `refused`: REJECTED_EXAMPLES. `instead`: removed duplicate `id` -> the row `kept`,
    of which all is said that was said of the other. Experts without a name count as one. A call, or a pair of logged replies, is
    compared once; it agrees where every expert who can be compared does, and an example of several calls where each of them agrees.
    """
    said = feedback.scan().filter("explicit")
    experts = said.filter(_by_expert()).select("feedback_id", "actor", "occurred_at").collect()
    if experts.is_empty():
        return _told(examples.height, experts.with_columns(id="feedback_id"), AGREES.to_frame())
    ledger = labels.scan("ledger").filter(pl.col("id").is_not_null() & (pl.col("status") != "duplicate"))
    pairs = labels.scan("comparisons").filter(pl.col("chosen").is_not_null())
    sides = (ledger.select("feedback_id", "id"), *(pairs.select("feedback_id", id=c) for c in ("chosen", "rejected")))
    looks = _kept(pl.concat(sides).join(experts.lazy(), on="feedback_id").collect(), instead, "id")
    seen = examples.explode("parents").join(looks.rename({"id": "parents"}), on="parents")
    spoken = looks["id"].unique()
    calls = pl.concat([spoken, instead.filter(pl.col("kept").is_in(spoken.implode()))["id"]]).implode()
    by_call = ledger.filter(pl.col("id").is_in(calls)).select("feedback_id", "id", call_day="day")
    judged = said.filter(pl.col("kind").is_in(VERDICTS)).drop("raw", "metadata").join(by_call, on="feedback_id")
    both = pairs.filter(pl.col("chosen").is_in(calls) & pl.col("rejected").is_in(calls))
    votes = both.join(said.select("feedback_id", "actor", "actor_kind"), on="feedback_id")
    every = pl.concat([examples.select("id", "parents"), _left_out(refused).select("id", "parents")])
    of = _once(_about(every.clear() if wanted.use in OTHER_LABELS else every, spoken))
    two = (pl.col("parents").list.len() == 2) & (wanted.use == "preference")
    calls_agree = _of_calls(judged.collect(), instead, policy, getattr(wanted, "scale", None))
    pairs_agree = _of_pairs(_kept(votes.collect(), instead, "chosen", "rejected"))
    in_calls = of.filter(~two).explode("parents").join(calls_agree, left_on="parents", right_on="call")
    in_pairs = of.filter(two).join(pairs_agree, left_on="key", right_on="pair")
    found = pl.concat([f.select("id", "same") for f in (in_calls, in_pairs)])
    return _told(examples.height, seen, found.group_by("id").agg(pl.col("same").all()))


def _told(n: int, seen: pl.DataFrame, agree: pl.DataFrame) -> dict[str, Any]:
    looked, compared, agreed = seen["id"].n_unique(), agree.height, int(agree["same"].sum())
    agreement = agreed / compared if compared else None
    low, high = wilson(agreement, compared, SURE) if agreement is not None else (None, None)
    last = seen["occurred_at"].dt.date().max()
    return {
        "examples": n,
        "looked_at": looked,
        "share": looked / n if n else 0.0,
        "people": seen["actor"].n_unique(),
        "last": str(last) if last else None,
        "compared": compared,
        "agreed": agreed,
        "agreement": agreement,
        "low": low,
        "high": high,
    }


def _by_expert() -> pl.Expr:
    return pl.col("actor_kind") == "expert"


def _kept(rows: pl.DataFrame, instead: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The rows, speaking of the calls that were kept."""
    for column in columns:
        told = instead.select(pl.col("id").alias(column), "kept")
        joined = rows.join(told, on=column, how="left", maintain_order="left")
        rows = joined.with_columns(pl.coalesce("kept", column).alias(column)).drop("kept")
    return rows


def _left_out(refused: pl.DataFrame) -> pl.DataFrame:
    """Those that people's words alone took out of the set."""
    why = pl.col("reasons")
    return refused.filter((why.list.len() > 0) & (why.list.set_difference([*LEFT_OUT]).list.len() == 0))


def _about(rows: pl.DataFrame, calls: pl.Series) -> pl.DataFrame:
    """Those made of one of these calls."""
    placed = rows.with_row_index("place")
    hit = placed.select("place", "parents").explode("parents").filter(pl.col("parents").is_in(calls.implode()))
    return placed.join(hit, on="place", how="semi", maintain_order="left").drop("place")


def _once(rows: pl.DataFrame) -> pl.DataFrame:
    """Each call or pair once, the first time it is there, with `key`: of two replies, whichever way round."""
    keyed = rows.with_columns(key=_either_way(pl.col("parents")))
    return keyed.unique("key", keep="first", maintain_order=True)


def _either_way(calls: pl.Expr) -> pl.Expr:
    """What stands for these calls, in whatever order they are named."""
    return calls.list.sort().list.join("\x1f")


# --- one against the others


def _of_calls(
    judged: pl.DataFrame, instead: pl.DataFrame, policy: FeedbackPolicy, scale: tuple[float, float] | None
) -> pl.DataFrame:
    """`call` and `same`, for each call on which an expert and somebody else have a verdict: +1 or -1 by the rating, where the set says
    its scale and it is not in the middle, else by the thumb, else -1 for a correction. Words that contradict each other are none.

    Each expert's events of a call and all others' are folded apart, as if they were of two calls.
    """
    events = _apart(_kept(judged.with_columns(copy="id"), instead, "id"), "id")
    key = pl.concat_str("copy", pl.col("expert").fill_null(""), "own", separator="\x1f")
    keyed = events.with_columns(call="id", id=key, target_id=key, sign=pl.lit(None, dtype=pl.String))
    ledger = settle(keyed, policy)
    folded = fold(ledger.filter(pl.col("status") == "applied"), ledger, policy)
    middle = (scale[0] + scale[1]) / 2 if scale else None
    verdict = pl.coalesce(
        (pl.col("rating") - middle).sign().replace(0.0, None).cast(pl.Int8),
        "thumb",
        pl.when(pl.col("correction").is_not_null()).then(pl.lit(-1, dtype=pl.Int8)),
    )
    clash = pl.col("contradicted") & pl.col("thumb").is_null()
    told = folded.select("id", verdict=pl.when(~clash).then(verdict), clash=clash)
    of = keyed.select("id", "call", "expert", "own").unique().join(told, on="id")
    one_word = (pl.col("verdict").drop_nulls().n_unique() == 1) & ~pl.col("clash").any()
    merged = of.group_by("call", "expert", "own").agg(verdict=pl.when(one_word).then(pl.col("verdict").max()))
    return _same(merged, "call")


def _of_pairs(votes: pl.DataFrame) -> pl.DataFrame:
    """`pair` and `same`, for each two replies between which an expert and somebody else have chosen. Votes are weighed."""
    chosen, rejected = pl.col("chosen"), pl.col("rejected")
    ways = votes.filter(chosen != rejected).with_columns(
        pair=_either_way(pl.concat_list(chosen, rejected)),
        vote=pl.when(chosen < rejected).then("weight").otherwise(-pl.col("weight")),
    )
    sums = _apart(ways, "pair").group_by("pair", "expert", "own").agg(vote=pl.col("vote").sum().round(9))
    return _same(sums.with_columns(verdict=pl.col("vote").sign().replace(0.0, None)), "pair")


def _apart(events: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The events of each unit once for every expert who spoke of it: `expert`, and whether each is that expert's `own`."""
    experts = events.filter(_by_expert()).select(unit, expert="actor").unique()
    named = pl.col("actor").is_not_null() | _by_expert()  # a user without a name is not the expert without one
    return events.join(experts, on=unit).with_columns(own=pl.col("actor").eq_missing(pl.col("expert")) & named)


def _same(verdicts: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Each unit on which an expert and the others have a `verdict`, and whether it is the same of every such expert."""
    mine, others = (verdicts.drop_nulls("verdict").filter(pl.col("own") == side) for side in (True, False))
    both = mine.join(others, on=[unit, "expert"], nulls_equal=True)
    return both.group_by(unit).agg(same=(pl.col("verdict") == pl.col("verdict_right")).all())
