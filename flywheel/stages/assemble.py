"""Assembly: from the curated pool and what people said of it to one finetuning set, in its mix, split by group.

Who is in the set is decided on slim columns alone; messages are fetched afterwards, day by day, for the rows that are in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from flywheel.choices.mix import Allocation, allocate, axis
from flywheel.choices.selection import SELECTION, Selected, narrowed
from flywheel.choices.split import KEYS, split
from flywheel.formats.messages import INSTRUCTIONS
from flywheel.kinds import Edit, Formed, Redaction, SetKind
from flywheel.labels import COMPARISONS, LABELS
from flywheel.lineage import Dataset, Derivation, Part, Step, Tables, cause
from flywheel.records import CONVERSATIONS, MESSAGE, MESSAGE_FIELDS, conform, message, message_digest, short_hash
from flywheel.rewriting import RESIDUE, every_redaction, residue, rewrite_text
from flywheel.sets import EXAMPLES, PICKED, REJECTED_EXAMPLES
from flywheel.stages.curate import SHARED_PASSAGES
from flywheel.storage.snapshots import Snapshot, StoredPart
from flywheel.workers import one_by_one, side_by_side

STRINGS = pl.List(pl.String)
PROMPT_PARTS = ("messages", "tools", "origin", "prompt_digest", "reply_digest")
BESIDE = ("metadata", "app", "prompt_name", "prompt_version", "model")
"""What a set kind that forms its examples sees beside messages and tools."""
WORTH_PROCESSES = 20_000
"""Rows to be formed from which several processes are worth their start."""
SAYS_NOTHING = ("export", "check", "template", "promote")
"""Keys of a set that say nothing about what is in it: changing them must not make another set."""
SKETCHES = "near_duplicate"
"""The table of the measurements whose `keys` say which texts look alike."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is in the set, before any message is read."""

    chosen: pl.DataFrame
    """PICKED with `cell`, `group` and `split`, sorted by id; corrections are already redacted."""
    rejected: pl.DataFrame
    """REJECTED_EXAMPLES."""
    allocation: Allocation
    parents: pl.DataFrame
    """`id` and `parents` of every example that was there."""
    selected: Selected | None = None
    """What the selection of the recipe said of each example, where there is one."""


def assemble(
    wanted: SetKind,
    curated: Snapshot,
    screened: Snapshot,
    labels: Snapshot,
    recipe_seed: int,
    edits: Sequence[Edit],
    secret: bytes,
    measurements: Snapshot | None = None,
) -> Dataset:
    """The dataset of one set: `rows` (EXAMPLES), `rejected` (REJECTED_EXAMPLES) and `residue` (RESIDUE: what redactions still
    find in the examples), a part for each day of the conversations behind them. A part depends on its own examples and their text
    alone.

    `notes` holds what people and checks ask first: wanted, available, made, missing, cells (CELLS as dictionaries), short
    cells, reasons, the split, and the balance of labels where examples have one. A set with a selection has a table
    `selection` (SELECTION) too; `measurements` is read where that compares texts.
    """
    step = wanted.step()
    step = step.model_copy(update={"parameters": {k: v for k, v in step.parameters.items() if k not in SAYS_NOTHING}})
    steps = (
        step,
        Step(use="seed", parameters={"seed": recipe_seed}),
        *(e.step() for e in edits),
        Step(use="pseudonym_key", parameters={"id": short_hash(secret)}),
    )
    plan = decide(wanted, curated, screened, labels, recipe_seed, edits, secret, measurements)
    sketched = [measurements] if measurements is not None and wanted.sketched() else []
    schemas = {"rows": EXAMPLES, "rejected": REJECTED_EXAMPLES, "residue": RESIDUE}
    return Dataset(
        name=wanted.name,
        schemas=schemas if plan.selected is None else {**schemas, "selection": SELECTION},
        parts=_day_parts(wanted, plan, screened, steps, every_redaction(edits)),
        derivation=Derivation(
            operation="assemble",
            inputs=tuple(s.ref for s in (curated, screened, labels, *sketched)),
            steps=steps,
            watermark=labels.derivation.watermark,
        ),
        accounts_for=curated.scan().select("id"),
        notes={**notes(wanted, plan), **wanted.report(plan.chosen, curated.scan())},
    )


def decide(
    wanted: SetKind,
    curated: Snapshot,
    screened: Snapshot,
    labels: Snapshot,
    seed: int,
    edits: Sequence[Edit],
    secret: bytes,
    measurements: Snapshot | None = None,
) -> Plan:
    """Pick, mix and split, on slim columns; of the text, only that of corrections and the replies they correct is read."""
    pool, instead = curated.scan(), kept_instead(curated)
    comparisons = remap_comparisons(labels.scan("comparisons"), instead)
    known = remap_labels(labels.scan(), labels.scan("comparisons"), instead).collect().lazy()
    picked = conform(wanted.pick(pool, known, comparisons), PICKED)
    picked = without_contrast(redacted(picked, edits, secret), screened)
    picked = without_repeats(without_form(wanted, picked, screened), pool)
    examples = picked.filter(pl.col("reasons").list.len() == 0)
    there_were = examples.select("id", "parents")
    there = _with_axes(examples, wanted, pool, known)
    selected, gone = None, REJECTED_EXAMPLES.to_frame()
    if wanted.select is not None:
        sketches = measurements.scan(SKETCHES) if measurements is not None and wanted.sketched() else None
        selected = narrowed(wanted.select, examples, pool, known, sketches, seed)
        there = there.join(selected.rows.filter("kept").select("id", "place"), on="id")
        gone = _left_out(examples, selected)
        examples = examples.join(selected.rows.select("id", factor="weight"), on="id").with_columns(
            weight=pl.col("weight") * pl.col("factor")
        )
    allocation = allocate(there, wanted.mix, wanted.examples, seed)
    chosen = examples.select(*PICKED).join(allocation.chosen, on="id")
    parents = pool.select("id", *[c for cs in KEYS.values() for c in cs if c in pool.collect_schema()])
    parents = parents.filter(pl.col("id").is_in(chosen["parents"].explode().unique().implode()))
    chosen = chosen.join(split(chosen, parents.collect(), wanted.split, seed), on="id").sort("id")
    left = allocation.left_out.join(examples.select("id", "parents"), on="id")
    no = pl.concat(
        [
            picked.filter(pl.col("reasons").list.len() > 0).select(*REJECTED_EXAMPLES),
            left.select(*REJECTED_EXAMPLES),
            gone,
        ]
    )
    return Plan(
        chosen, conform(_every_row(wanted, pool, chosen, no), REJECTED_EXAMPLES), allocation, there_were, selected
    )


def _left_out(examples: pl.DataFrame, selected: Selected) -> pl.DataFrame:
    """REJECTED_EXAMPLES of what the selection leaves out."""
    no = selected.rows.filter(~pl.col("kept")).join(examples.select("id", "parents"), on="id")
    return conform(no.select("id", "parents", reasons=pl.concat_list("reason")), REJECTED_EXAMPLES)


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
        pl.col("feedback").explode().drop_nulls().unique().sort(),
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
    replies = _texts(screened.parts, pairs["rejected_of"].unique()).select(
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
    said = pool.select("id", "prompt_digest", "reply_digest").collect()
    prompts = said.select(prompt_of="id", asked="prompt_digest")
    replies = said.select("id", said="reply_digest")
    sound = picked.filter((pl.col("reasons").list.len() == 0) & pl.col("prompt_of").is_not_null())
    told = (
        sound.join(prompts, on="prompt_of", how="left")
        .join(replies.rename({"id": "completion_of"}), on="completion_of", how="left")
        .join(replies.rename({"id": "rejected_of", "said": "refused"}), on="rejected_of", how="left")
        .sort("weight", "id", descending=[True, False], nulls_last=True)
    )
    lesson = pl.struct("asked", "said", _spaced(pl.col("correction")), "refused", "label")
    again = told.filter(~lesson.is_first_distinct())
    repeated = pl.col("id").is_in(again["id"].implode())
    return picked.with_columns(
        reasons=pl.when(repeated).then(pl.lit(["REPEATED_EXAMPLE"], dtype=STRINGS)).otherwise("reasons")
    )


def without_form(wanted: SetKind, picked: pl.DataFrame, screened: Snapshot) -> pl.DataFrame:
    """The examples, with the reasons of `SetKind.form` where it makes none of them. Texts are read day by day."""
    if not wanted.forms():
        return picked
    asked = picked.filter(pl.col("reasons").list.len() == 0)
    run = side_by_side if asked.height >= WORTH_PROCESSES else one_by_one
    needed = asked.select("id", "prompt_of", "completion_of", "correction")
    days = [p for p in screened.parts if p.tables["rows"].rows]
    mine = [needed.join(p.scan().select(prompt_of="id").collect(), on="prompt_of", how="semi") for p in days]
    found = run([partial(_unformed, wanted, rows, day) for rows, day in zip(mine, days, strict=True) if rows.height])
    reasons = pl.concat([pl.DataFrame(schema={"id": pl.String, "found": STRINGS}), *(told for _, told in found)])
    return picked.join(reasons, on="id", how="left", maintain_order="left").select(
        pl.coalesce("found", "reasons").alias("reasons") if c == "reasons" else c for c in PICKED
    )


def _unformed(wanted: SetKind, asked: pl.DataFrame, day: StoredPart) -> pl.DataFrame:
    """`id` and `found`, the reasons, of the rows of a day of which the set kind makes no example."""
    sure = day.scan().select(prompt_of="id", sure=wanted.formed_surely())
    told = asked.join(sure.collect(), on="prompt_of")
    by_person = pl.col("completion_of").is_null()  # what a person wrote is no column of the conversation
    open_ = told.filter(pl.col("sure").is_null() | by_person)
    known = told.filter(pl.col("sure").is_not_null() & (pl.col("sure") != "") & ~by_person)
    wanted_ids = pl.col("id").is_in(open_["prompt_of"].implode())
    wide = day.scan().select("id", *PROMPT_PARTS, *BESIDE).filter(wanted_ids).collect()
    rows = open_.drop("sure").join(wide, left_on="prompt_of", right_on="id").iter_rows(named=True)
    formed = [(r["id"], list(reasons)) for r in rows if (reasons := _formed(wanted, r).reasons)]
    return pl.concat(
        [
            known.select("id", found=pl.concat_list("sure")),
            pl.DataFrame(formed, schema={"id": pl.String, "found": STRINGS}, orient="row"),
        ]
    )


def _formed(wanted: SetKind, row: Mapping[str, Any]) -> Formed:
    """What a picked row and the conversation behind it become. The completion is that conversation's reply or a correction."""
    reply = [_said(row["correction"])] if row["completion_of"] is None else row["messages"][-1:]
    return wanted.form(row["messages"][:-1], reply, row)


def _spaced(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def _with_axes(examples: pl.DataFrame, wanted: SetKind, pool: pl.LazyFrame, labels: pl.LazyFrame) -> pl.DataFrame:
    """`id` and, for each axis of the mix, the value of the conversation that gives the prompt."""
    ids = examples.select("id", "prompt_of")
    if not wanted.mix:
        return ids
    beside = labels.select("id", *[c for c in wanted.mix if c in LABELS and c not in pool.collect_schema()])
    values = pool.join(beside, on="id", how="left").select(
        pl.col("id").alias("prompt_of"), *[axis(a) for a in wanted.mix]
    )
    return ids.join(values.collect(), on="prompt_of", how="left")


def _every_row(wanted: SetKind, pool: pl.LazyFrame, chosen: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """The rejected examples, and a line for each row of the pool that is in no example: with the reasons of those it was
    considered for, or with the set kind's own reason where there was none."""
    used = chosen.select(id="parents").explode("id")
    silent = pool.select("id").collect().join(used, on="id", how="anti").join(rejected, on="id", how="anti")
    considered = (
        rejected.select(id="parents", reasons="reasons")
        .explode("id")
        .explode("reasons")
        .group_by("id")
        .agg(pl.col("reasons").unique().sort())
    )
    lines = silent.join(considered, on="id", how="left").select(
        "id",
        parents=pl.concat_list("id"),
        reasons=pl.coalesce("reasons", pl.lit([wanted.absent], dtype=STRINGS)),
    )
    return pl.concat([rejected, lines]).sort("id", "reasons")


# --- writing the examples


def _day_parts(
    wanted: SetKind, plan: Plan, screened: Snapshot, steps: Sequence[Step], redactions: Sequence[Redaction]
) -> list[Part]:
    """A part for each day: the examples whose first parent is of that day, and what was left out of that day."""
    days = [p.scan().select("id", day=pl.lit(p.name)) for p in screened.parts]
    day_of = pl.concat([pl.LazyFrame(schema={"id": pl.String, "day": pl.String}), *days]).collect()
    searched = [r.step() for r in redactions]
    chosen, rejected = (_by_day(rows, day_of) for rows in (plan.chosen, plan.rejected))
    selected = {} if plan.selected is None else _by_day(plan.selected.rows.join(plan.parents, on="id"), day_of)
    parts = []
    for day in sorted(chosen.keys() | rejected.keys() | selected.keys()):
        mine = chosen.get(day, plan.chosen.clear())
        no = rejected.get(day, plan.rejected.clear())
        said = None if plan.selected is None else conform(selected.get(day, plan.selected.rows.clear()), SELECTION)
        texts = _texts_of(mine, day_of, screened)
        content = [t.write_ndjson() for t in (mine, no, *([] if said is None else [said]))]
        key = cause("assemble", steps, searched, *content, [p.version for p in texts])
        parts.append(Part(day, key, partial(_write_day, wanted, mine, no, said, texts, redactions)))
    return parts


def _by_day(rows: pl.DataFrame, day_of: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows by the day of their first parent."""
    first = day_of.select("day", first="id")
    dated = rows.with_columns(first=pl.col("parents").list.first()).join(first, on="first", how="left").drop("first")
    by_day = dated.with_columns(pl.col("day").fill_null("none")).partition_by("day", as_dict=True, include_key=False)
    return {str(day): mine for (day,), mine in by_day.items()}


def _texts_of(chosen: pl.DataFrame, day_of: pl.DataFrame, screened: Snapshot) -> list[StoredPart]:
    """The days in which the text of these examples stands."""
    days = set(day_of.filter(pl.col("id").is_in(_needed(chosen).implode()))["day"])
    return [p for p in screened.parts if p.name in days]


def _write_day(
    wanted: SetKind,
    chosen: pl.DataFrame,
    rejected: pl.DataFrame,
    selected: pl.DataFrame | None,
    texts: Sequence[StoredPart],
    redactions: Sequence[Redaction],
) -> Tables:
    rows = written(wanted, chosen, _texts(texts, _needed(chosen), _parts(wanted)))
    left = residue(rows, redactions, ("prompt", "completion", "rejected", "tools"))
    return {"rows": rows, "rejected": rejected, "residue": left} | ({} if selected is None else {"selection": selected})


def _needed(chosen: pl.DataFrame) -> pl.Series:
    """Ids of the conversations whose text is in the set."""
    return pl.concat([chosen[c] for c in ("prompt_of", "completion_of", "rejected_of")]).drop_nulls().unique()


def _parts(wanted: SetKind) -> tuple[str, ...]:
    """The columns of a conversation that writing examples of this kind takes."""
    return (*PROMPT_PARTS, *BESIDE) if wanted.forms() else PROMPT_PARTS


def _texts(days: Sequence[StoredPart], ids: pl.Series, parts: tuple[str, ...] = PROMPT_PARTS) -> pl.DataFrame:
    """`id` and these parts of these conversations, read day by day."""
    schema = pl.Schema({c: CONVERSATIONS[c] for c in ("id", *parts)})
    wanted = pl.col("id").is_in(ids.implode())
    found = [p.scan().select("id", *parts).filter(wanted).collect() for p in days if p.tables["rows"].rows]
    return pl.concat([pl.DataFrame(schema=schema), *found])


def written(wanted: SetKind, chosen: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """EXAMPLES: the chosen rows with their messages. `texts`: `id` and PROMPT_PARTS of every conversation they name, and
    BESIDE where the set kind forms its examples."""
    asked = texts.select(
        "tools",
        "prompt_digest",
        prompt_of="id",
        prompt=pl.col("messages").list.slice(0, pl.col("messages").list.len() - 1),
    )
    rows = chosen.join(asked, on="prompt_of", how="left")
    for side in ("completion", "rejected"):
        replies = texts.select(
            pl.col("id").alias(f"{side}_of"),
            pl.col("messages").list.tail(1).alias(side),
            pl.col("reply_digest").alias(f"{side}_digest"),
            pl.col("origin").alias(f"{side}_origin"),
        )
        rows = rows.join(replies, on=f"{side}_of", how="left")
    by_person = pl.col("correction").is_not_null() & pl.col("completion_of").is_null()
    rows = rows.with_columns(
        completion=pl.when(by_person).then(pl.concat_list(_assistant())).otherwise("completion"),
        origin=pl.when(by_person).then(pl.lit("demonstrated")).otherwise("completion_origin"),
        completion_digest=pl.Series(
            [message_digest([_said(t)]) if t is not None else d for t, d in _replies(rows)], dtype=pl.String
        ),
        kind=pl.lit(wanted.use),
        system_prompt_sha=_instructions(rows["prompt"]),
    )
    parts = rows.select("prompt_digest", "completion_digest", pl.col("rejected_digest").fill_null("")).iter_rows()
    rows = rows.with_columns(digest=pl.Series([short_hash(*part) for part in parts], dtype=pl.String))
    if wanted.forms():
        rows = _reformed(wanted, rows, texts)
    examples: pl.DataFrame = conform(rows, EXAMPLES).sort("id")
    return examples


def _instructions(prompts: pl.Series) -> pl.Series:
    """Hash of the system and developer messages of each prompt; null where there are none."""
    told = (
        pl.element().struct.field("content").fill_null("").filter(pl.element().struct.field("role").is_in(INSTRUCTIONS))
    )
    texts = prompts.to_frame("prompt").select(pl.col("prompt").list.eval(told)).to_series()
    return pl.Series([short_hash(*t) if t is not None and len(t) else None for t in texts.to_list()], dtype=pl.String)


def _reformed(wanted: SetKind, rows: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """The rows with the messages their set kind forms, and the digest of these."""
    beside = texts.select("messages", "tools", *BESIDE, prompt_of="id")
    sides = rows.select("id", "prompt_of", "completion_of", "correction").join(beside, on="prompt_of", how="left")
    made = [(r["id"], _formed(wanted, r), r["tools"]) for r in sides.to_dicts()]
    new = pl.DataFrame(
        [
            {"id": i, "prompt": f.prompt, "completion": f.completion, "digest": _example_digest(f, tools)}
            for i, f, tools in made
        ],
        schema={c: EXAMPLES[c] for c in ("id", "prompt", "completion", "digest")},
    )
    return rows.drop("prompt", "completion", "digest").join(new, on="id", how="left")


def _example_digest(formed: Formed, tools: str | None) -> str:
    """The digest of an example without a rejected side; see sets.EXAMPLES."""
    prompt, completion = ([message(m) for m in side] for side in (formed.prompt, formed.completion))
    return short_hash(message_digest(prompt, tools), message_digest(completion), "")


def _assistant() -> pl.Expr:
    """The message that holds a correction."""
    values = {"role": pl.lit("assistant"), "content": pl.col("correction")}
    return pl.struct(values.get(f, pl.lit(None, dtype=pl.String)).alias(f) for f in MESSAGE_FIELDS).cast(MESSAGE)


def _said(text: str) -> dict[str, str | None]:
    """The same message, as its digest is taken."""
    return message({"role": "assistant", "content": text})


def _replies(rows: pl.DataFrame) -> Any:
    """The correction of each row, null where the reply is a logged one, and that reply's digest."""
    return rows.select(pl.when(pl.col("completion_of").is_null()).then("correction"), "completion_digest").iter_rows()


# --- what people ask first


def notes(wanted: SetKind, plan: Plan) -> Mapping[str, Any]:
    """Counts of a set, as `assemble` stores them."""
    cells, made = plan.allocation.cells, plan.chosen.height
    sides = plan.chosen["split"].value_counts()
    counts = {"train": 0, "validation": 0} | dict(sides.iter_rows())
    reasons = plan.rejected.select(pl.col("reasons").explode()).to_series().drop_nulls().value_counts().sort("reasons")
    facts: dict[str, Any] = {
        "kind": wanted.use,
        "wanted": int(cells["wanted"].sum()),
        "available": int(cells["available"].sum()),
        "made": made,
        "missing": int(cells["wanted"].sum()) - made,
        "cells": cells.to_dicts(),
        "short": plan.allocation.shortfall,
        "train": counts["train"],
        "validation": counts["validation"],
        "validation_wanted": wanted.split.validation,
        "groups": plan.chosen["group"].n_unique(),
        "rejected": dict(reasons.iter_rows()),
    }
    if plan.selected is not None:
        facts["selection"] = dict(plan.selected.notes)
    if plan.chosen["label"].is_not_null().any():
        facts["labels"] = balance(int(plan.chosen["label"].sum()), int((~plan.chosen["label"]).sum()))
    return facts


def balance(desired: int, undesired: int) -> dict[str, float]:
    """Desired and undesired examples, the share of the rarer, and the weights under which both sides count the same."""
    most = max(desired, undesired)
    return {
        "desired": desired,
        "undesired": undesired,
        "minority_share": min(desired, undesired) / max(desired + undesired, 1),
        "desirable_weight": round(most / desired, 4) if desired else 0.0,
        "undesirable_weight": round(most / undesired, 4) if undesired else 0.0,
    }
