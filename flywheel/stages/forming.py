"""Forming: what picked rows become when their messages are read: examples, or reasons why there is none.

A set kind is asked twice for the same answer: once to choose and once to write.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from flywheel.choices.sessions import Turn, joined, learned, replies_in, said
from flywheel.formats.messages import INSTRUCTIONS
from flywheel.kinds import Formed, SetKind
from flywheel.records import CONVERSATIONS, MESSAGE, MESSAGE_FIELDS, conform, message, message_digest, short_hash
from flywheel.sets import EXAMPLES, PICKED
from flywheel.storage.snapshots import Snapshot, StoredPart
from flywheel.workers import one_by_one, side_by_side

STRINGS = pl.List(pl.String)
PROMPT_PARTS = ("messages", "tools", "origin", "source", "prompt_digest", "reply_digest")
BESIDE = ("metadata", "app", "prompt_name", "prompt_version", "model")
"""What a set kind that forms its examples sees beside messages and tools."""
FORMED = pl.Schema({"id": pl.String(), "found": STRINGS, "task": pl.String(), "cost": pl.List(pl.Float64)})
"""What forming said of an example: the reasons why there is none, or what it is done for and at what cost."""
DEARER = "LONGER_TRAJECTORY"
WORTH_PROCESSES = 20_000
"""Rows to be formed from which several processes are worth their start."""


# --- choosing


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
    told = pl.concat([FORMED.to_frame(), *(told for _, told in found)])
    judged = picked.join(told, on="id", how="left", maintain_order="left").join(
        _cheaper(told), on="id", how="left", maintain_order="left"
    )
    return judged.select(
        pl.coalesce("dearer", "found", "reasons").alias("reasons")
        if c == "reasons"
        else (pl.coalesce("kept", "instead").alias("instead") if c == "instead" else c)
        for c in PICKED
    )


def _cheaper(told: pl.DataFrame) -> pl.DataFrame:
    """`id`, `dearer` (the reason) and `kept`, for each example done for a task that another one does at less cost."""
    best: dict[str, tuple[list[float], str]] = {}
    rivals = told.filter(pl.col("task").is_not_null()).select("task", "cost", "id").rows()
    for task, cost, id in rivals:
        best[task] = min(best.get(task, (cost, id)), (cost, id))
    lost = [(id, [DEARER], best[task][1]) for task, _, id in rivals if id != best[task][1]]
    return pl.DataFrame(lost, schema={"id": pl.String, "dearer": STRINGS, "kept": pl.String}, orient="row")


def in_whole_sessions(picked: pl.DataFrame, screened: Snapshot, pool: pl.LazyFrame) -> pl.DataFrame:
    """The examples, those of one session joined: a reply that a later prompt tells again is learned there and no example of its own."""
    sound = picked.filter(pl.col("reasons").list.len() == 0)
    when = pool.select("conversation_id", "turn", "occurred_at", prompt_of="id").collect()
    placed = sound.select("id", "prompt_of", logged=pl.col("completion_of").is_not_null()).join(when, on="prompt_of")
    shared = placed.filter(pl.col("conversation_id").is_duplicated()).sort("turn", "occurred_at", "id")
    texts = texts_of(screened.parts, shared["prompt_of"], ("messages",)).select(prompt_of="id", messages="messages")
    sessions: dict[str, list[Turn]] = {}
    for row in shared.join(texts, on="prompt_of", how="left", maintain_order="left").iter_rows(named=True):
        *prompt, reply = row["messages"]
        turn = Turn(row["id"], said(reply), replies_in(prompt), row["logged"])
        sessions.setdefault(row["conversation_id"], []).append(turn)
    whole = {last: turns for session in sessions.values() for last, turns in joined(session).items() if turns}
    into = [(t.id, last, t.reply) for last, turns in whole.items() for t in turns]
    told = pl.DataFrame(into, schema={"id": pl.String, "last": pl.String, "said": pl.String}, orient="row")
    with_them = (
        told.join(sound.select("id", "parents", "feedback"), on="id")
        .group_by(id="last")
        .agg(
            learned_replies=pl.col("said").unique().sort(),
            earlier=pl.col("parents").explode(),
            further=pl.col("feedback").explode().drop_nulls(),
        )
    )
    return (
        picked.join(told.select("id"), on="id", how="anti", maintain_order="left")
        .drop("learned_replies")
        .join(with_them, on="id", how="left", maintain_order="left")
        .with_columns(
            parents=pl.col("parents").list.concat(pl.col("earlier").fill_null([])).list.unique(maintain_order=True),
            feedback=pl.col("feedback").list.concat(pl.col("further").fill_null([])).list.unique().list.sort(),
        )
        .select(*PICKED)
    )


def _unformed(wanted: SetKind, asked: pl.DataFrame, day: StoredPart) -> pl.DataFrame:
    """FORMED of the rows of a day of which the set kind makes no example, and of those that are done for a task."""
    sure = day.scan().select(prompt_of="id", sure=wanted.formed_surely())
    told = asked.join(sure.collect(), on="prompt_of")
    by_person = pl.col("completion_of").is_null()  # what a person wrote is no column of the conversation
    open_ = told.filter(pl.col("sure").is_null() | by_person)
    known = told.filter(pl.col("sure").is_not_null() & (pl.col("sure") != "") & ~by_person)
    wanted_ids = pl.col("id").is_in(open_["prompt_of"].implode())
    wide = day.scan().select("id", *PROMPT_PARTS, *BESIDE).filter(wanted_ids).collect()
    rows = open_.drop("sure").join(wide, left_on="prompt_of", right_on="id").iter_rows(named=True)
    made = ((r["id"], _formed(wanted, r)) for r in rows)
    formed = [(id, list(f.reasons) or None, f.task, list(f.cost)) for id, f in made if f.reasons or f.task is not None]
    return pl.concat(
        [
            conform(known.select("id", found=pl.concat_list("sure")), FORMED),
            pl.DataFrame(formed, schema=FORMED, orient="row"),
        ]
    )


def _formed(wanted: SetKind, row: Mapping[str, Any]) -> Formed:
    """What a picked row and the conversation behind it become. The completion is that conversation's reply or a correction."""
    reply = [_said(row["correction"])] if row["completion_of"] is None else row["messages"][-1:]
    return wanted.form(row["messages"][:-1], reply, row)


# --- writing the examples


def parts_of(wanted: SetKind) -> tuple[str, ...]:
    """The columns of a conversation that writing examples of this kind takes."""
    return (*PROMPT_PARTS, *BESIDE) if wanted.forms() else PROMPT_PARTS


def texts_of(days: Sequence[StoredPart], ids: pl.Series, parts: tuple[str, ...] = PROMPT_PARTS) -> pl.DataFrame:
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
        "source",
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
    if rows["learned_replies"].is_not_null().any():
        rows = _with_learned(rows)
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
            {"id": i, "prompt": f.prompt, "completion": f.completion, "digest": _example_digest(f, tools), **f.columns}
            for i, f, tools in made
        ],
        schema={c: EXAMPLES[c] for c in ("id", "prompt", "completion", "digest", "licence", "step_labels")},
    )
    return rows.drop("prompt", "completion", "digest").join(new, on="id", how="left")


def _with_learned(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `learned`, where earlier replies of a session are learned, too, and a digest that knows of it."""
    told = [
        (prompt and replies and learned(prompt, frozenset(replies)), digest)
        for prompt, replies, digest in rows.select("prompt", "learned_replies", "digest").iter_rows()
    ]
    digests = [
        digest if kept is None else short_hash(digest, "".join(map("01".__getitem__, kept))) for kept, digest in told
    ]
    return rows.with_columns(
        pl.Series("learned", [kept for kept, _ in told], dtype=EXAMPLES["learned"]),
        pl.Series("digest", digests, dtype=pl.String),
    )


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
