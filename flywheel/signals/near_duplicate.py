"""Which rows say nearly the same.

MinHash only proposes pairs; every pair that can matter is compared exactly, shingle by shingle. So nothing is called a
duplicate by an estimate, and the similarity that is told is the true one.

The groups are the connected components of all proposed pairs that reach the threshold. Of a day, only as many of these pairs
are looked for as it takes to connect what they connect (see `alike`). What all days kept then connects what all pairs would:
each pair left out lies in one component of what its own day kept, so in one of what all days kept. And a pair is proposed by
its two texts alone. So neither the order of rows nor their split into days changes a group, nor then a similarity.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from flywheel.duplicates.alike import Groups, Search, jaccard
from flywheel.duplicates.shingles import U32, Block, Sets, Words, band_keys, digests, shingle_sets
from flywheel.kinds import Matched, Signal
from flywheel.records import last_input, reply
from flywheel.texts.said import said

WHOLE = ["system", "content"]
"""What two rows have in common that say the same."""
DOCUMENTS = 1 << 17
"""Whose shingles are read in one go."""
_ITEMS = r"[\[\],;\r\n]+"
_MARKS = r"^[ \t\x22'\x60*\x{2022}-]*(?:[0-9]{1,3}[.)][ \t]+)?|[ \t.\x22'\x60]+$"
"""What surrounds an item of a list: bullets, numbers, quotes, the last full stop."""


class NearDuplicate(Signal, frozen=True):
    """Join rows whose last input and reply share at least `threshold` of their shingles, directly or over other rows.

    `near_group` is the smallest id of the group, a row's own where it is alone; `near_similarity` the exact Jaccard similarity
    to the row of that id, below the threshold where they are joined over others only. Of that row itself, it is the one to
    the row nearest to it; where a row is alone, null. Words are lower-cased and Chinese, Japanese and Korean are cut
    into characters; punctuation does not count. A row without any text is alone.
    """

    use: Literal["near_duplicate"] = "near_duplicate"
    version: ClassVar[int] = 3
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    compares: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"near_similarity"})
    decided_later: ClassVar[frozenset[str]] = frozenset({"threshold", "across_system_prompts"})
    gives: ClassVar[Mapping[str, Any]] = {"near_group": pl.String, "near_similarity": pl.Float64}
    edges: ClassVar[Mapping[str, Any]] = {
        "system": pl.UInt64,
        "content": pl.Binary,
        "other": pl.Binary,
    }
    threshold: float = Field(default=0.8, ge=0.5, le=1.0)
    """Jaccard similarity of the shingle sets from which two rows are near duplicates."""
    ngram: int = Field(default=5, ge=1, le=20)
    """Tokens of one shingle; a shorter text is one shingle as a whole."""
    permutations: int = Field(default=128, ge=16, le=512)
    bands: int = Field(default=32, ge=4, le=256)
    """More bands find more pairs to compare; with 32 of 4 a pair of similarity 0.8 is missed once in 50 million."""
    across_system_prompts: bool = False
    """Also join rows whose system prompts differ."""
    of: Literal["exchange", "record", "reply"] = "exchange"
    """What is compared: the last input and the reply, every message but system prompts, or the reply alone."""
    order_free: bool = False
    """Compare texts as lists: items (lines, and what stands between commas, semicolons and brackets) in any order."""

    @model_validator(mode="after")
    def _a_band_has_a_row(self) -> Self:
        if self.bands > self.permutations:
            raise ValueError(
                f"{self.bands} bands of {self.permutations} permutations: give at least as many permutations"
            )
        return self

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        is_system = pl.element().struct.field("role").is_in(["system", "developer"])
        system = (
            pl.col("messages")
            .list.eval(pl.element().struct.field("content").filter(is_system).fill_null(""))
            .list.join("\n")
        )
        read = rows.select("id", text=self._text().fill_null(""), system=system.fill_null("")).collect()
        text = _sorted_items(read["text"]) if self.order_free else read["text"]
        sets = shingle_sets(text, self.ngram, None if self.order_free or self.of == "record" else self._words(rows))
        stored = sets.stored()
        keys = band_keys(sets, self.bands, self.permutations // self.bands)
        return pl.DataFrame(
            {
                "id": read["id"],
                "system": _hash_each(read["system"]),  # of the system and developer messages
                "content": digests(stored),  # equal for equal sets; null where there is no text
                "size": pl.Series(sets.sizes, dtype=pl.UInt32),
                "shingles": stored,
                "keys": pl.Series(keys, dtype=pl.Array(pl.UInt32, self.bands)).arr.to_list(),
            }
        ).lazy()

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        return self.fold(sketches, self.match(sketches, []).edges.lazy())

    def match(self, new: pl.LazyFrame, known: Sequence[pl.LazyFrame]) -> Matched:
        mine = self._documents(new)
        for day in known:  # what was said on an earlier day was matched then
            mine = mine.join(day.select(self._system(), "content").collect(), on=WHOLE, how="anti")
        mine = mine.sort("size", *WHOLE)
        others = self._met(mine, known)
        both = pl.concat([mine, others])
        sizes = both["size"].to_numpy().astype(np.int64)
        search = Search(self._keys(both), both["system"].to_numpy(), sizes, self.threshold, mine.height)
        wanted = both.select("content", read=pl.Series(search.touched())).filter("read").select("content").unique()
        parts = [d.select("content", "shingles").join(wanted.lazy(), on="content", how="semi") for d in (new, *known)]
        read = pl.concat([p.unique("content").collect() for p in parts]).unique("content").sort("content")
        of = both.select("content").join(read.with_row_index("at"), on="content", how="left", maintain_order="left")[
            "at"
        ]
        found = search.edges(Sets.read(read["shingles"]), of.fill_null(0).to_numpy().astype(np.int64))
        edges = both[found.left].select(*WHOLE).with_columns(other=both["content"].gather(found.right))
        return Matched(edges, search.candidates, search.verified, search.pairs, search.largest_bucket)

    def fold(self, sketches: pl.LazyFrame, edges: pl.LazyFrame) -> pl.LazyFrame:
        rows = sketches.select("id", self._system(), "content").collect()
        # A text that is there ten thousand times is one document here, not fifty million pairs.
        said = rows.filter(pl.col("content").is_not_null())
        documents = (
            said.group_by(WHOLE).agg(pl.len().alias("copies"), pl.col("id").min()).sort("id").with_row_index("at")
        )
        places = documents.select(*WHOLE, "at").lazy()
        at = (
            edges.join(places, on=WHOLE)
            .join(places, left_on=["system", "other"], right_on=WHOLE, suffix="_other")
            .select("at", "at_other")
            .collect()
        )
        groups = Groups(documents.height)
        groups.join(at["at"].to_numpy().astype(np.int64), at["at_other"].to_numpy().astype(np.int64))
        documents = documents.with_columns(named=pl.Series(groups.of(np.arange(documents.height))))
        similarity = self._to_the_named(sketches, documents)
        found = documents.select(*WHOLE, near_group=pl.col("id").gather(pl.col("named")), near_similarity=similarity)
        return (
            rows.join(found, on=WHOLE, how="left", maintain_order="left")
            .select("id", pl.col("near_group").fill_null(pl.col("id")), "near_similarity")
            .lazy()
        )

    def _to_the_named(self, sketches: pl.LazyFrame, documents: pl.DataFrame) -> pl.Series:
        """Similarity of each document to the one that names its group; of that one to the nearest."""
        others = documents.filter(pl.col("at") != pl.col("named")).sort("named", "at")
        best = np.where(documents["copies"].to_numpy() > 1, 1.0, 0.0)
        for few in others.iter_slices(DOCUMENTS):
            wanted = documents[np.union1d(few["at"].to_numpy(), few["named"].to_numpy())].select("content").unique()
            read = sketches.select("content", "shingles").join(wanted.lazy(), on="content", how="semi").collect()
            read = read.unique("content").with_row_index("row")
            row = documents.select("content").join(read, on="content", how="left", maintain_order="left")["row"]
            at, named = few["at"].to_numpy().astype(np.int64), few["named"].to_numpy()
            rows = row.fill_null(0).to_numpy().astype(np.int64)
            similarity = jaccard(Sets.read(read["shingles"]), rows[at], rows[named])
            best[at] = similarity
            np.maximum.at(best, named, similarity)
        return pl.Series(best, dtype=pl.Float64).replace(0.0, None)

    def compare(self, sketches: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        named = pl.concat([pairs.select("id"), pairs.select(id="instead")]).unique()
        rows = sketches.select("id", "size", "shingles").join(named.lazy(), on="id", how="semi").sort("id").collect()
        places = rows.select("id", "size", at=pl.int_range(pl.len()))
        both = pairs.join(places, on="id").join(places, left_on="instead", right_on="id", suffix="_kept")
        both = both.filter((pl.col("size") > 0) & (pl.col("size_kept") > 0))
        similarity = jaccard(Sets.read(rows["shingles"]), both["at"].to_numpy(), both["at_kept"].to_numpy())
        return both.select("id", compared=pl.Series(similarity, dtype=pl.Float64))

    def _words(self, rows: pl.LazyFrame) -> Iterator[Block]:
        """The words of what is compared, put together of those of the messages: most of these are in several rows."""
        read = said(rows)
        calls = rows.select(told=reply().struct.field("tool_calls").fill_null("")).collect()["told"]
        distinct = calls.unique(maintain_order=True)
        called = calls.replace_strict(distinct, np.arange(len(distinct)) + len(read.texts), return_dtype=pl.Int64)
        parts = [*([read.inputs] if self.of == "exchange" else []), read.replies, called.to_numpy()]
        return (read.words + Words.of(distinct)).joined(np.stack(parts, axis=1).astype(np.int64))

    def _text(self) -> pl.Expr:
        """What is compared of each row."""
        if self.of == "record":
            role, content, calls = (pl.element().struct.field(f) for f in ("role", "content", "tool_calls"))
            said = pl.concat_str([content.fill_null(""), calls.fill_null("")], separator="\n")
            return pl.col("messages").list.eval(said.filter(~role.is_in(["system", "developer"]))).list.join("\n")
        told = [reply().struct.field("content").fill_null(""), reply().struct.field("tool_calls").fill_null("")]
        return pl.concat_str([*([last_input()] if self.of == "exchange" else []), *told], separator="\n")

    def _system(self) -> pl.Expr:
        return pl.lit(0, dtype=pl.UInt64).alias("system") if self.across_system_prompts else pl.col("system")

    def _documents(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Each thing that is said, once."""
        return (
            rows.select(self._system(), "content", "size", "keys")
            .filter(pl.col("content").is_not_null())
            .collect()
            .unique(WHOLE)
        )

    def _keys(self, documents: pl.DataFrame) -> U32:
        keys = documents["keys"].explode(empty_as_null=False).to_numpy().reshape(documents.height, self.bands)
        of_system: U32 = keys ^ documents["system"].to_numpy().astype(np.uint32)[:, None]
        return np.asfortranarray(of_system)

    def _met(self, mine: pl.DataFrame, known: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """The documents of earlier days that share a key with one of mine, sorted by size; read a day at a time."""
        wanted = np.sort(self._keys(mine), axis=0).T
        met = [mine.clear()]
        for day in known:
            documents = self._documents(day)
            shared = np.zeros(documents.height, dtype=bool)
            for keys, sought in zip(self._keys(documents).T, wanted, strict=True):
                shared |= _are_in(keys, sought)
            met.append(documents.filter(pl.Series(shared)))
        return pl.concat(met).unique(WHOLE).sort("size", *WHOLE)


def _are_in(keys: U32, sought: U32) -> npt.NDArray[np.bool_]:
    """Which of the keys are among those sought (sorted). A look at their first bits settles nearly all."""
    first = np.zeros(1 << 22, dtype=bool)
    first[sought >> np.uint32(10)] = True
    found: npt.NDArray[np.bool_] = first[keys >> np.uint32(10)]
    likely = np.flatnonzero(found)
    if len(likely):
        place = np.minimum(np.searchsorted(sought, keys[likely]), len(sought) - 1)
        found[likely] = sought[place] == keys[likely]
    return found


def _sorted_items(texts: pl.Series) -> pl.Series:
    """Each text with its list items in one order, whatever theirs was."""
    items = texts.str.to_lowercase().str.replace_all(_ITEMS, "\n").str.split("\n")
    bare = items.list.eval(pl.element().str.replace_all(_MARKS, "").sort())
    return bare.list.join("\n")


def _hash_each(texts: pl.Series) -> pl.Series:
    """64-bit hash of each text, the same in every process and for ever."""
    codes = {t: blake2b(t.encode(), digest_size=8).digest() for t in texts.unique().to_list()}
    return pl.Series(np.frombuffer(b"".join(codes[t] for t in texts.to_list()), dtype="<u8"), dtype=pl.UInt64)
