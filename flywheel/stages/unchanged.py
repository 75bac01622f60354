"""Examples that an earlier version of a set holds as they are wanted again: they are taken from there, not formed and searched anew.

One more day takes rows out of most days before it, and of these days the others stay. Each part of a set therefore says what its
examples were made of; an example made of the same by the same steps is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from flywheel.kinds import Redaction
from flywheel.records import conform
from flywheel.rewriting import RESIDUE, residue
from flywheel.sets import EXAMPLES, PICKED, TEXTS
from flywheel.storage.snapshots import StoredPart, file_digest

MADE_OF = pl.Schema(
    {c: PICKED[c] for c in ("id", "prompt_of", "completion_of", "correction", "learned_replies", "rejected_of")}
)
"""Whose messages, and which words of a person, the text of each example is made of."""
TABLES = ("rows", "residue", "made_of")


@dataclass(frozen=True, slots=True)
class Former:
    """What an earlier version holds of a day."""

    rows: pl.DataFrame
    """EXAMPLES that are wanted again. What is said of them beside their text is said anew."""
    residue: pl.DataFrame
    """RESIDUE of these; empty where there are none."""


def unchanged(chosen: pl.DataFrame, of: str, was: StoredPart | None, redactions: Sequence[Redaction]) -> Former:
    """Of the chosen examples those that `was`, the same day of an earlier version, holds. `of`: hash of the steps and of every text of
    the day. None where that was another, or where the files are damaged: then each is formed and searched again.
    """
    none = Former(EXAMPLES.to_frame(), RESIDUE.to_frame())
    if was is None or was.of != of or not set(TABLES) <= set(was.tables):
        return none
    if any(file_digest(was.tables[t].path) != was.tables[t].digest for t in TABLES):
        return none
    wanted = chosen.select(*MADE_OF).lazy()
    same = was.scan("made_of").join(wanted, on=list(MADE_OF), how="semi", nulls_equal=True).collect()["id"]
    mine = pl.col("id").is_in(same.implode())
    texts = was.scan().filter(mine).select("id", *(c for c in EXAMPLES if c not in chosen.columns)).collect()
    gone = residue(was.scan().filter(~mine).select(TEXTS).collect(), redactions, TEXTS)
    left = was.scan("residue").collect().with_columns(pl.col("count") - gone["count"])
    return Former(conform(texts.join(chosen, on="id"), EXAMPLES), left)


def left_in(fresh: pl.DataFrame, former: Former, redactions: Sequence[Redaction]) -> pl.DataFrame:
    """RESIDUE of the examples formed now and of those of an earlier version."""
    left = residue(fresh, redactions, TEXTS)
    return left if former.residue.is_empty() else left.with_columns(pl.col("count") + former.residue["count"])
