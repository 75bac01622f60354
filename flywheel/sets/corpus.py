"""Self-supervised finetuning: documents to go on from, each kept whole and by itself."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Formed, SetKind
from flywheel.records import last_reply, message, reply
from flywheel.sets.cot import found_at
from flywheel.sets.sft import Sft


class Corpus(SetKind):
    """One document for each conversation. The notes say how documents pack into sequences; none is joined or split here."""

    use: Literal["corpus"] = "corpus"
    text: Literal["reply", "conversation"] = "reply"
    """What the document is: the reply, or the texts of all messages but instructions, with an empty line between."""
    sequence_tokens: int = Field(default=1024, ge=1)
    """Length of a training sequence, for the packing report."""
    longer: Literal["keep", "drop"] = "keep"
    """A document longer than a sequence is kept and reported (a trainer splits it), or left out as LONGER_THAN_SEQUENCE."""

    licence: str = "license"
    """Where the metadata of a call states the licence of its document: a key, or a path with dots. `licence` of rows.parquet."""

    absent: ClassVar[str] = "not_eligible"

    def pick(self, pool: pl.LazyFrame, labels: pl.LazyFrame, comparisons: pl.LazyFrame) -> pl.DataFrame:
        picked = Sft(name=self.name, use_corrections=False).pick(pool, labels, comparisons)
        if self.longer == "keep":
            return picked
        long = picked.join(_tokens(self, picked, pool), on="id", how="left")["tokens"] > self.sequence_tokens
        no = pl.lit(["LONGER_THAN_SEQUENCE"])
        marked = pl.when(long.fill_null(False)).then(pl.col("reasons").list.concat(no)).otherwise("reasons")
        return picked.with_columns(reasons=marked)

    def forms(self) -> bool:
        return True

    def formed_surely(self) -> pl.Expr:
        return surely_spoken()

    def form(
        self, prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]], row: Mapping[str, Any]
    ) -> Formed:
        """The document, as a completion without a prompt."""
        told = [*prompt, *completion] if self.text == "conversation" else completion
        texts = [m["content"] or "" for m in told if m["role"] in ("user", "assistant")]
        return document(texts, licence=found_at(row["metadata"], self.licence))

    def report(self, chosen: pl.DataFrame, pool: pl.LazyFrame) -> dict[str, Any]:
        """`packing`: sequences needed, tokens, how full they are, and documents longer than one."""
        counted = _tokens(self, chosen, pool)
        return (
            {"packing": pack(counted["tokens"].drop_nulls().to_list(), self.sequence_tokens)} if counted.height else {}
        )


def document(texts: Iterable[str], **columns: Any) -> Formed:
    """The texts that say something, with an empty line between, as a completion without a prompt. `columns`: see `Formed`."""
    text = "\n\n".join(t for t in texts if t.strip())
    told = [message({"role": "assistant", "content": text})]
    return Formed((), told, columns=columns) if text else Formed(reasons=("NO_TEXT",))


def surely_spoken() -> pl.Expr:
    """Of a conversation, "" where its reply is an assistant's and surely says something; null where the text has to be read."""
    spoken = (reply().struct.field("role") == "assistant") & last_reply().str.contains(r"[!-~]")
    return pl.when(spoken.fill_null(False)).then(pl.lit(""))


def _tokens(wanted: Corpus, picked: pl.DataFrame, pool: pl.LazyFrame) -> pl.DataFrame:
    """`id` and `tokens` of each document; empty where the pool has not been counted."""
    sides = ("prompt_tokens_o200k", "reply_tokens_o200k") if wanted.text == "conversation" else ("reply_tokens_o200k",)
    if not set(sides) <= set(pool.collect_schema()):
        return pl.DataFrame(schema={"id": pl.String, "tokens": pl.Int64})
    counted = pool.select(prompt_of="id", tokens=pl.sum_horizontal(sides).cast(pl.Int64)).collect()
    return picked.select("id", "prompt_of").join(counted, on="prompt_of", how="left").select("id", "tokens").sort("id")


def pack(tokens: Sequence[int], size: int) -> dict[str, Any]:
    """How documents of so many tokens fill sequences of `size`, largest first, each into the fullest sequence it fits.

    A document longer than a sequence takes as many as it needs by itself and is counted in `split`.
    """
    whole = sorted((t for t in tokens if t <= size), reverse=True)
    free: list[int] = []  # what is left in each sequence, sorted
    for t in whole:
        place = bisect_left(free, t)
        left = free.pop(place) if place < len(free) else size
        insort(free, left - t)
    split = [t for t in tokens if t > size]
    sequences = len(free) + sum(-(-t // size) for t in split)
    return {
        "documents": len(tokens),
        "tokens": sum(tokens),
        "sequence_tokens": size,
        "sequences": sequences,
        "split": len(split),
        "fill": round(sum(tokens) / (sequences * size), 4) if sequences else 0.0,
    }
