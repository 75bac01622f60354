"""Examples that an earlier version of a set holds as they are wanted again: they are taken from there, not formed and searched anew.

One more day takes rows out of most days before it, and of these days the others stay. Each part of a set therefore says what its
examples were made of; an example made of the same by the same steps is the same.
"""

import polars as pl

from flywheel.records import conform
from flywheel.sets import EXAMPLES, PICKED
from flywheel.storage.snapshots import StoredPart, file_digest

MADE_OF = pl.Schema(
    {c: PICKED[c] for c in ("id", "prompt_of", "completion_of", "correction", "learned_replies", "rejected_of")}
)
"""Whose messages, and which words of a person, the text of each example is made of."""
TABLES = ("rows", "residue", "made_of")


def unchanged(chosen: pl.DataFrame, of: str, was: StoredPart | None) -> pl.DataFrame:
    """EXAMPLES: of the chosen ones those that `was`, the same day of an earlier version, holds. What is said of them beside their
    text is said anew. `of`: hash of the steps and of every text of the day. None where that was another, where the files are damaged,
    or where a redaction found something in them: then each is looked at again.
    """
    none = EXAMPLES.to_frame()
    if was is None or was.of != of or not set(TABLES) <= set(was.tables):
        return none
    if any(file_digest(was.tables[t].path) != was.tables[t].digest for t in TABLES):
        return none
    if was.scan("residue").select(pl.col("count").any()).collect().item():
        return none
    wanted = chosen.select(*MADE_OF).lazy()
    same = was.scan("made_of").join(wanted, on=list(MADE_OF), how="semi", nulls_equal=True).collect()["id"]
    texts = was.scan().select("id", *(c for c in EXAMPLES if c not in chosen.columns))
    rows: pl.DataFrame = conform(
        texts.filter(pl.col("id").is_in(same.implode())).collect().join(chosen, on="id"), EXAMPLES
    )
    return rows
