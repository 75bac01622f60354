"""Assembly: from the curated pool and what people said of it to one finetuning set, in its mix, split by group.

Who is in the set is decided on slim columns alone; messages are fetched afterwards, day by day, for the rows that are in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from flywheel.choices.mix import Allocation, allocate
from flywheel.choices.oversampling import COPIES, copies_in, oversampled
from flywheel.choices.selection import SELECTION, Selected, narrowed
from flywheel.choices.split import split
from flywheel.kinds import Edit, Redaction, SetKind
from flywheel.labels import COMPARISONS, LABELS, FeedbackPolicy
from flywheel.lineage import Dataset, Derivation, Step
from flywheel.quality.guidelines import Guideline, labelled_by, recorded
from flywheel.quality.looked_at import looked_at
from flywheel.quality.mixes import followed
from flywheel.records import conform, short_hash
from flywheel.rewriting import RESIDUE, every_redaction, rewrite_text
from flywheel.sets import EXAMPLES, PICKED, REJECTED_EXAMPLES
from flywheel.stages.curate import SHARED_PASSAGES
from flywheel.stages.forming import in_whole_sessions, texts_of, without_form
from flywheel.stages.notes_of_sets import notes
from flywheel.stages.parts_of_sets import day_parts, grouped, silent
from flywheel.stages.unchanged import MADE_OF
from flywheel.storage.snapshots import Snapshot

STRINGS = pl.List(pl.String)
NOT_IN_THE_SET = (
    "export",
    "check",
    "coverage",
    "template",
    "tokenizer",
    "max_tokens",
    "serving",
    "promote",
    "looked_at",
)
"""Parameters of a set that say nothing about what is in it."""
SKETCHES = "near_duplicate"
"""The table of the measurements whose `keys` say which texts look alike."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a set is assembled from."""

    curated: Snapshot
    """The pool."""
    screened: Snapshot
    """The text of its rows."""
    labels: Snapshot
    """What people said of them."""
    measurements: Snapshot | None = None
    """The sketches of texts; read where the selection of the set compares these."""
    logs: Sequence[Snapshot] = ()
    """The conversations and their signals, where the mix follows usage."""
    reserved: Snapshot | None = None
    """What pilots hold, where the recipe has one."""
    heard: tuple[Snapshot, FeedbackPolicy] | None = None
    """The feedback and the policy by which it became labels: how much people have looked at the set."""
    guidelines: Sequence[Guideline] = ()
    """Those of the recipe, by some of which the feedback heard was given."""
    before: Snapshot | None = None
    """An earlier version of the set, if there is one; what it holds is not formed again."""

    def read(self, wanted: SetKind) -> list[Snapshot]:
        """Those that say what is in this set, or are told of it, in the order of its derivation. Never `before`: by it a set comes
        about sooner, and no other."""
        sketches = self.measurements if wanted.sketched() else None
        every = (self.curated, self.screened, self.labels, sketches, *self.logs, self.reserved, *(self.heard or ())[:1])
        return [s for s in every if s is not None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is in the set, before any message is read."""

    chosen: pl.DataFrame
    """PICKED with `cell`, `group` and `split`, sorted by id; corrections are already redacted."""
    rejected: pl.DataFrame
    """REJECTED_EXAMPLES of what was considered."""
    silent: Mapping[str, int]
    """Reason -> rows of the pool that are in no example and of which none of their own was refused."""
    allocation: Allocation
    parents: pl.DataFrame
    """`id` and `parents` of every example that was there."""
    instead: pl.DataFrame
    """`id`, `kept`: the removed duplicates, see `kept_instead`."""
    selected: Selected | None = None
    """What the selection of the recipe said of each example, where there is one."""


def assemble(wanted: SetKind, inputs: Inputs, recipe_seed: int, edits: Sequence[Edit], secret: bytes) -> Dataset:
    """The dataset of one set: `rows` (EXAMPLES), `rejected` (REJECTED_EXAMPLES) and `residue` (RESIDUE: what redactions still
    find in the examples), a part for each day of the conversations behind them. A part depends on its own examples and their text
    alone, and says in `made_of` (MADE_OF) what these are.

    `notes` holds what people and checks ask first: wanted, available, made, missing, cells (CELLS as dictionaries), short
    cells, reasons, the split, and the balance of labels where examples have one. A set with a selection has a table
    `selection` (SELECTION) too, one that may repeat rows a table `copies` (COPIES). Where feedback was heard, `notes` say how much
    people have looked at the set, and by which guidelines what it is made from was labelled.
    """
    wanted, told = followed(wanted, *inputs.logs)
    # Formats and bounds say nothing about what is in the set; changing them must not make another set.
    step = wanted.step()
    step = step.model_copy(update={"parameters": {k: v for k, v in step.parameters.items() if k not in NOT_IN_THE_SET}})
    steps = (
        step,
        Step(use="seed", parameters={"seed": recipe_seed}),
        *(e.step() for e in edits),
        Step(use="pseudonym_key", parameters={"id": short_hash(secret)}),
    )
    plan = decide(wanted, inputs, recipe_seed, edits, secret)
    facts = {**notes(wanted, plan, told), **wanted.report(plan.chosen, inputs.curated.scan())}
    if inputs.heard is not None:
        mine = (plan.chosen.join(copies_in(plan.chosen), on="id", how="anti"), plan.rejected, plan.instead)
        facts["looked_at"] = looked_at(wanted, *mine, inputs.labels, *inputs.heard)
        if by := labelled_by(plan.chosen, inputs.heard[0], inputs.guidelines):
            facts["guidelines"] = by
    schemas = {"rows": EXAMPLES, "rejected": REJECTED_EXAMPLES, "residue": RESIDUE, "made_of": MADE_OF}
    schemas |= {"copies": COPIES} if wanted.max_copies > 1 else {}
    return Dataset(
        name=wanted.name,
        schemas=schemas if plan.selected is None else {**schemas, "selection": SELECTION},
        parts=day_parts(wanted, plan, inputs.curated, inputs.screened, steps, every_redaction(edits), inputs.before),
        derivation=Derivation(
            operation="assemble",
            inputs=tuple(s.ref for s in inputs.read(wanted)),
            steps=(*steps, *recorded(facts.get("guidelines", ()))),
            watermark=inputs.labels.derivation.watermark,
        ),
        accounts_for=inputs.curated.scan().select("id"),
        notes=facts,
    )


def decide(wanted: SetKind, inputs: Inputs, seed: int, edits: Sequence[Edit], secret: bytes) -> Plan:
    """Pick, mix and split, on slim columns; of the text, only that of corrections and the replies they correct is read."""
    curated, screened, labels, reserved = inputs.curated, inputs.screened, inputs.labels, inputs.reserved
    pool, instead = curated.scan(), kept_instead(curated)
    comparisons = remap_comparisons(labels.scan("comparisons"), instead)
    known = remap_labels(labels.scan(), labels.scan("comparisons"), instead).collect().lazy()
    picked = conform(wanted.pick(pool, known, comparisons), PICKED)
    picked = without_contrast(redacted(picked, edits, secret), screened)
    picked = without_repeats(without_form(wanted, picked, screened), pool)
    picked = in_whole_sessions(picked, screened, pool) if wanted.whole_sessions() else picked
    picked = held_back(wanted, picked, reserved) if reserved is not None else picked
    examples = picked.filter(pl.col("reasons").list.len() == 0)
    there_were = examples.select("id", "parents")
    there = _with_axes(examples, wanted, pool, known)
    selected, gone = None, REJECTED_EXAMPLES.to_frame()
    if wanted.select is not None:
        compared = inputs.measurements if wanted.sketched() else None
        sketches = compared.scan(SKETCHES) if compared is not None else None
        selected = narrowed(wanted.select, examples, pool, known, sketches, seed)
        there = there.join(selected.rows.filter("kept").select("id", "place"), on="id")
        gone = _left_out(examples, selected)
        examples = examples.join(selected.rows.select("id", factor="weight"), on="id").with_columns(
            weight=pl.col("weight") * pl.col("factor")
        )
    allocation = allocate(there, wanted.mix, wanted.examples if wanted.pilot is None else None, seed)
    chosen = examples.select(*PICKED).join(allocation.chosen, on="id")
    chosen = chosen.join(split(chosen, grouped(curated, wanted.split.by), wanted.split, seed), on="id").sort("id")
    chosen = on_its_side(wanted, chosen, reserved) if reserved is not None else chosen
    chosen, allocation = oversampled(chosen, allocation, wanted.max_copies, seed)
    left = allocation.left_out.join(examples.select("id", "parents"), on="id")
    no = pl.concat(
        [
            picked.filter(pl.col("reasons").list.len() > 0).select(*REJECTED_EXAMPLES),
            conform(left, REJECTED_EXAMPLES),
            gone,
        ]
    )
    no = conform(no, REJECTED_EXAMPLES)
    untold = silent(wanted, curated.count(), chosen, no)
    return Plan(chosen, no, untold, allocation, there_were, instead, selected)


def _left_out(examples: pl.DataFrame, selected: Selected) -> pl.DataFrame:
    """REJECTED_EXAMPLES of what the selection leaves out."""
    no = selected.rows.filter(~pl.col("kept")).join(examples.select("id", "parents"), on="id")
    return conform(no.select("id", "parents", reasons=pl.concat_list("reason")), REJECTED_EXAMPLES)


# --- pilots


def held_back(wanted: SetKind, picked: pl.DataFrame, reserved: Snapshot) -> pl.DataFrame:
    """The examples; of a pilot, those that are not its own are refused, and of every set those that another's evaluation keeps."""
    kept = reserved.scan("kept_out").filter(pl.col("set") != wanted.name).select("id").unique().collect()
    tied = (
        picked.select("id", parent="parents").explode("parent").join(kept.rename({"id": "parent"}), on="parent")["id"]
    )
    mine = reserved.scan().filter(set=wanted.name).select("id").collect()["id"]
    sound = pl.col("reasons").list.len() == 0
    foreign = ~pl.col("id").is_in(mine.implode()) if wanted.pilot is not None else pl.lit(False)
    return picked.with_columns(
        reasons=pl.when(sound & pl.col("id").is_in(tied.implode()))
        .then(pl.lit(["kept_for_evaluation"], dtype=STRINGS))
        .when(sound & foreign)
        .then(pl.lit(["not_in_the_pilot"], dtype=STRINGS))
        .otherwise("reasons")
    )


def on_its_side(wanted: SetKind, chosen: pl.DataFrame, reserved: Snapshot) -> pl.DataFrame:
    """The examples of a pilot, its twin as their validation."""
    if wanted.pilot is None:
        return chosen
    twin = reserved.scan().filter(set=wanted.name, side="evaluation").select("id").collect()["id"]
    side = pl.when(pl.col("id").is_in(twin.implode())).then(pl.lit("validation")).otherwise(pl.lit("train"))
    return chosen.with_columns(split=side)


# --- feedback of removed copies


def kept_instead(curated: Snapshot) -> pl.DataFrame:
    """`id`, `kept`: for each removed duplicate the row that stands for it, through any chain of replacements."""
    copies = pl.col("instead").is_not_null() & ~pl.col("reasons").list.contains(SHARED_PASSAGES)
    links = curated.scan("rejected").filter(copies).select("id", kept="instead").collect()
    for _ in range(links.height):
        onward = links.join(links.select(kept="id", onward="kept"), on="kept", how="left")
        if onward["onward"].is_null().all():
            break
        links = onward.select("id", kept=pl.coalesce("onward", "kept"))
    return links


def remap_comparisons(comparisons: pl.LazyFrame, instead: pl.DataFrame) -> pl.LazyFrame:
    """The comparisons, speaking of the rows kept."""
    return comparisons.with_columns(_kept(c, instead) for c in ("chosen", "rejected")).select(*COMPARISONS)


def _kept(column: str, instead: pl.DataFrame) -> pl.Expr:
    if instead.is_empty():
        return pl.col(column)
    return pl.col(column).replace(instead["id"], instead["kept"])


def remap_labels(labels: pl.LazyFrame, comparisons: pl.LazyFrame, instead: pl.DataFrame) -> pl.LazyFrame:
    """One label for each row kept: what was said of its removed copies is said of it.

    Copies with different thumbs, or one on which people disagree, make the row contradicted, with no thumb. Of several
    corrections the latest counts. Ratings, comments, weak signs and the ids of feedback add up.
    """
    said = (
        comparisons.filter(pl.col("correction").is_not_null())
        .group_by(id="rejected", correction="correction")
        .agg(said=pl.col("occurred_at").max())
    )
    together = (
        labels.join(said, on=["id", "correction"], how="left")
        .with_columns(copy="id", id=_kept("id", instead))
        .sort("id", "copy")
    )
    thumbs = pl.col("thumb").drop_nulls()
    disagree = (thumbs.n_unique() > 1) | (pl.col("contradicted").fill_null(False) & pl.col("thumb").is_null()).any()
    corrected = pl.col("correction").is_not_null()
    latest = [pl.col("said").filter(corrected), pl.col("day").filter(corrected), pl.col("copy").filter(corrected)]

    def last(column: str) -> pl.Expr:
        return pl.col(column).filter(corrected).sort_by(latest, nulls_last=False).last().alias(column)

    merged = together.group_by("id").agg(
        pl.when(~disagree).then(thumbs.first()).first().alias("thumb"),
        *[pl.col(c).sum() for c in ("thumbs_up", "thumbs_down", "implicit", "comments")],
        *[pl.col(c).any() for c in ("regenerated", "copied", "abandoned")],
        (pl.col("contradicted").fill_null(False).any() | disagree).alias("contradicted"),
        pl.col("ratings").explode().drop_nulls(),
        *[pl.col(c).explode().drop_nulls().unique().sort() for c in ("feedback", "signs")],
        last("correction"),
        last("corrected_by"),
        pl.col("day").min(),
    )
    values = pl.col("ratings").list.eval(pl.element().struct.field("value")).list.sort()
    merged_labels: pl.LazyFrame = conform(merged.with_columns(rating=values.list.mean()), LABELS)
    return merged_labels


# --- choosing


def redacted(picked: pl.DataFrame, edits: Sequence[Edit], secret: bytes) -> pl.DataFrame:
    """The examples with the recipe's edits applied to corrections: they are text of users like any other.

    One with a value that the recipe drops or holds rows for is no example, for the reason the row would have been left out for.
    """
    if not picked["correction"].is_not_null().any():
        return picked
    after = rewrite_text(picked["correction"], edits, secret)
    changed = picked["correction"].filter(picked["correction"].ne_missing(after)).unique().to_list()
    strict = [(e, reason) for e in edits if isinstance(e, Redaction) and (reason := e.reason)]
    why = {text: found for text in changed if (found := [reason for e, reason in strict if e.find(text)])}
    if why:
        more = pl.Series([why.get(text, []) for text in picked["correction"].to_list()], dtype=STRINGS)
        picked = picked.with_columns(pl.concat_list("reasons", more).alias("reasons"))
    return picked.with_columns(after.alias("correction"))


def without_contrast(picked: pl.DataFrame, screened: Snapshot) -> pl.DataFrame:
    """The examples, with NO_CONTRAST where a correction says what the reply it corrects already said, whitespace aside."""
    pairs = picked.filter(
        pl.col("correction").is_not_null() & pl.col("rejected_of").is_not_null() & (pl.col("reasons").list.len() == 0)
    )
    if pairs.is_empty():
        return picked
    replies = texts_of(screened.parts, pairs["rejected_of"].unique()).select(
        rejected_of="id", reply=pl.col("messages").list.last()
    )
    said = pl.col("reply").struct.field("content").fill_null("")
    acts = pl.col("reply").struct.field("tool_calls").is_not_null()
    same = pairs.join(replies, on="rejected_of").filter(~acts & (_spaced(said) == _spaced(pl.col("correction"))))["id"]
    flat = pl.col("id").is_in(same.implode())
    return picked.with_columns(reasons=pl.when(flat).then(pl.lit(["NO_CONTRAST"], dtype=STRINGS)).otherwise("reasons"))


def without_repeats(picked: pl.DataFrame, pool: pl.LazyFrame) -> pl.DataFrame:
    """The examples, with REPEATED_EXAMPLE where another one teaches the very same: the heaviest stands, then the first by id.

    Duplicates among conversations are gone by now; but two of them may have been corrected to the same reply, or have become
    the same by an edit. A curated set says everything once.
    """
    sound = picked.filter((pl.col("reasons").list.len() == 0) & pl.col("prompt_of").is_not_null())
    prompts = pool.select(prompt_of="id", asked="prompt_digest").collect()
    asked = sound.join(prompts, on="prompt_of", how="left")
    few = asked.filter(pl.col("asked").is_duplicated())
    named = pl.concat([few["completion_of"], few["rejected_of"]]).drop_nulls().unique().implode()
    replies = pool.filter(pl.col("id").is_in(named)).select("id", said="reply_digest").collect()
    told = (
        few.join(replies.rename({"id": "completion_of"}), on="completion_of", how="left")
        .join(replies.rename({"id": "rejected_of", "said": "refused"}), on="rejected_of", how="left")
        .sort("weight", "id", descending=[True, False], nulls_last=True)
    )
    lesson = pl.struct("asked", "said", _spaced(pl.col("correction")), "refused", "label")
    again = told.filter(~lesson.is_first_distinct())
    if again.is_empty():
        return picked
    repeated = pl.col("id").is_in(again["id"].implode())
    return picked.with_columns(
        reasons=pl.when(repeated).then(pl.lit(["REPEATED_EXAMPLE"], dtype=STRINGS)).otherwise("reasons")
    )


def _spaced(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def _with_axes(examples: pl.DataFrame, wanted: SetKind, pool: pl.LazyFrame, labels: pl.LazyFrame) -> pl.DataFrame:
    """`id`, and of the conversation that gives the prompt `of_day` and the value on each axis of the mix."""
    ids = examples.select("id", "prompt_of")
    if not wanted.mix and (wanted.examples or len(ids)) >= len(ids):  # all are taken, whatever their day
        return ids
    beside = labels.select("id", *[c for c in wanted.mix if c in LABELS and c not in pool.collect_schema()])
    values = pool.join(beside, on="id", how="left").select(
        *[wanted.value_of(a) for a in wanted.mix], prompt_of="id", of_day="day"
    )
    return ids.join(values.collect(), on="prompt_of", how="left")
