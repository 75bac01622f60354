"""Rows and tokens of a set, as o200k counts them: from the signals of its conversations where these say it, else from its texts."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.errors import PlanInvalid
from flywheel.kinds import SetKind
from flywheel.signals.tokens import count
from flywheel.storage.snapshots import Snapshot

TOKENIZER = "o200k"
COLUMNS = ("prompt_tokens_o200k", "reply_tokens_o200k")
AS_LOGGED = ("sft", "kto", "reward")
"""Kinds whose examples are one conversation each, its first parent."""


def tokens_of(wanted: SetKind, candidate: Snapshot, pool: Snapshot | None) -> dict[str, Any]:
    """`tokenizer`, `examples`, and the tokens of all `prompt`s, `completion`s and `rejected` replies; where the set shortens its
    prompts also `prompt_as_logged`. Without the signal tokens every text is counted anew."""
    logged = _as_logged(candidate, pool) if wanted.use in AS_LOGGED else None
    told: dict[str, Any] = {"tokenizer": TOKENIZER, "examples": candidate.count()}
    plain = logged is not None and not wanted.forms() and not logged["prompt"].has_nulls()
    if plain and logged is not None:
        return told | {side: int(logged[side].sum()) for side in ("prompt", "completion")} | {"rejected": 0}
    counted = _counted(candidate)
    told |= {side: int(counted[side].sum()) for side in ("prompt", "completion", "rejected")}
    if logged is not None and not logged["prompt"].has_nulls() and _shortens(wanted):
        told["prompt_as_logged"] = int(logged["prompt"].sum())
    return told


def _shortens(wanted: SetKind) -> bool:
    return getattr(wanted, "system", "keep") != "keep"


def _as_logged(candidate: Snapshot, pool: Snapshot | None) -> pl.DataFrame | None:
    """`prompt` and `completion`: tokens of each example as its conversation was logged, of a correction as it was written."""
    if pool is None or not set(COLUMNS) <= set(pool.schemas["rows"]):
        return None
    measured = pool.scan().select(first="id", prompt=COLUMNS[0], reply=COLUMNS[1])
    rows = candidate.scan().select("id", "origin", first=pl.col("parents").list.first())
    by_person = candidate.scan().filter(pl.col("origin") == "demonstrated")
    written = by_person.select("id", text=_text("completion")).collect()
    own = written.select("id", own=pl.Series([count(t) for t in written["text"].to_list()], dtype=pl.Int64))
    told = rows.join(measured, on="first", how="left").collect().join(own, on="id", how="left")
    return told.select("prompt", completion=pl.coalesce("own", pl.col("reply").cast(pl.Int64)))


def _text(side: str) -> pl.Expr:
    return pl.col(side).list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n").fill_null("")


def _counted(candidate: Snapshot) -> pl.DataFrame:
    """`id` and the tokens of `prompt`, `completion` and `rejected`, each distinct text of a part counted once."""
    parts = [pl.DataFrame(schema={"id": pl.String, "prompt": pl.Int64, "completion": pl.Int64, "rejected": pl.Int64})]
    sides = ("prompt", "completion", "rejected")
    for part in (p for p in candidate.parts if p.tables["rows"].rows):
        rows = part.scan().select("id", *sides).collect()
        long = pl.concat(
            rows.select("id", side=pl.lit(s), message=s).explode("message").drop_nulls("message") for s in sides
        ).select("id", "side", text=pl.col("message").struct.field("content").fill_null(""))
        texts = long.select(pl.col("text").unique())
        known = texts.with_columns(tokens=pl.Series([count(t) for t in texts["text"].to_list()], dtype=pl.Int64))
        sums = (
            long.join(known, on="text")
            .group_by("id")
            .agg(pl.col("tokens").filter(pl.col("side") == s).sum().alias(s) for s in sides)
        )
        parts.append(
            rows.select("id").join(sums, on="id", how="left").select("id", *[pl.col(s).fill_null(0) for s in sides])
        )
    return pl.concat(parts)


def lengths(candidate: Snapshot) -> pl.DataFrame:
    """What `advisor.task_of` reads of a set: `prompt_tokens`, `reply_tokens`, `reply`, `turns`, `tools`, a row for each example."""
    user = pl.col("prompt").list.eval(pl.element().struct.field("role") == "user").list.sum()
    facts = candidate.scan().select(
        "id", reply=_text("completion").hash(), turns=user, tools=pl.col("tools").is_not_null()
    )
    counted = _counted(candidate).select("id", prompt_tokens="prompt", reply_tokens="completion")
    return facts.collect().join(counted, on="id").drop("id")


def released_tokens(folder: Path) -> dict[str, Any]:
    """The tokens that the manifest of a set's current release tells. Raises `PlanInvalid` where there is none, or it has no rows."""
    try:
        told: dict[str, Any] = orjson.loads((folder / "current" / "manifest.json").read_bytes())["tokens"]
    except (OSError, ValueError, KeyError):
        raise PlanInvalid(
            f'no version of "{folder.name}" is released that tells its tokens. Run: flywheel build'
        ) from None
    if not told["examples"]:
        raise PlanInvalid(f'the release of "{folder.name}" has no rows, so its prompts have no length.')
    return told
