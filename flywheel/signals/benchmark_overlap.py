"""Which benchmark item a conversation repeats."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, PrivateAttr

from flywheel.duplicates.shingles import U64, Words, blocks
from flywheel.kinds import Signal
from flywheel.lineage import Step
from flywheel.protection import benchmark_items
from flywheel.protection.benchmark_items import Item
from flywheel.texts.said import said
from flywheel.texts.words import words as words_of

Gram = tuple[str, ...]

SPAN = 200
"""Characters of the matched words that are kept."""


class BenchmarkOverlap(Signal, frozen=True):
    """The benchmark item of which a message of the conversation holds the largest share.

    Texts are compared by their sequences of `ngram` words: lower-cased, without punctuation, Chinese, Japanese and Korean by
    character. An item of fewer than three times as many words is compared by sequences of `short_ngram`, one shorter than
    that as a whole. `benchmark_share` is the share of the item's distinct sequences that one message holds, 0 where none;
    `benchmark_hit` is `file#item`, `benchmark_span` the words matched. Without files nothing is measured: all are null.
    """

    use: Literal["benchmark_overlap"] = "benchmark_overlap"
    gives: ClassVar[Mapping[str, Any]] = {
        "benchmark_hit": pl.String,
        "benchmark_share": pl.Float64,
        "benchmark_span": pl.String,
    }
    sparse: ClassVar[frozenset[str]] = frozenset({"benchmark_hit", "benchmark_share", "benchmark_span"})
    files: tuple[str, ...] = ()
    """Benchmark files, JSON Lines, plain or gzip; paths from the recipe's folder."""
    field: str | None = None
    """The field of a record that holds what the item asks; without it, question, prompt, turns, instruction and the like."""
    ngram: int = Field(default=13, ge=2, le=50)
    short_ngram: int = Field(default=8, ge=2, le=50)
    min_words: int = Field(default=4, ge=1)
    """Items of fewer words are left out: too many texts hold them by chance."""
    _folder: Path = PrivateAttr(default=Path())

    def located(self, folder: Path) -> "BenchmarkOverlap":
        moved = self.model_copy()
        moved._folder = folder
        return moved

    def read(self) -> None:
        """Read every file, and let what is wrong with one be known. Raises `RecipeInvalid`."""
        for path in self.paths:
            benchmark_items.items(path, self.field)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The benchmark files."""
        return tuple(self._folder / file for file in self.files)

    def step(self) -> Step:
        # Content counts, not where it lies: a moved home gives the same lineage.
        known = [{"name": benchmark_items.short_name(p), "sha256": benchmark_items.digest(p)} for p in self.paths]
        return Step(
            use=self.use,
            version=self.version,
            parameters=self.model_dump(mode="json", exclude={"use", "files"}) | {"files": known},
        )

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        if not self.files:
            return rows.select("id", *[pl.lit(None, dtype=t).alias(c) for c, t in self.gives.items()])
        read = said(rows)
        hits = _matches(read.texts, read.words, self._index())
        held = pl.DataFrame({"row": read.owners, "text": read.which}).join(hits, on="text")
        best = (
            held.sort(["benchmark_share", "benchmark_hit", "benchmark_span"], descending=[True, False, False])
            .group_by("row", maintain_order=True)
            .first()
        )
        every = pl.DataFrame({"id": read.ids, "row": np.arange(len(read.ids))})
        return (
            every.join(best, on="row", how="left", maintain_order="left")
            .select("id", *[pl.col(c).fill_null(0.0) if c == "benchmark_share" else pl.col(c) for c in self.gives])
            .lazy()
        )

    def _index(self) -> "_Index":
        found = [item for path in self.paths for item in benchmark_items.items(path, self.field)]
        return _index(tuple(found), self.ngram, self.short_ngram, self.min_words)


@dataclass(frozen=True, slots=True)
class _Index:
    """The word sequences of all items."""

    sizes: tuple[int, ...]
    """Lengths of sequences, in words."""
    hashes: Mapping[int, U64]
    """For each length, the hashes of all sequences, sorted."""
    bits: Mapping[int, npt.NDArray[np.bool_]]
    """For each length, whether some hash begins with these bits: most texts need no other look."""
    items: Mapping[Gram, Sequence[int]]
    """Sequence -> the texts that hold it."""
    grams: Sequence[int]
    """Distinct sequences of each text."""
    names: Sequence[str]


@lru_cache(maxsize=4)
def _index(items: tuple[Item, ...], ngram: int, short: int, min_words: int) -> _Index:
    words = words_of(pl.Series("text", [i.text for i in items], dtype=pl.String)).to_list()
    kept = [(item.name, w) for item, w in zip(items, words, strict=True) if len(w) >= min_words]
    where: dict[Gram, list[int]] = defaultdict(list)
    grams = []
    for at, (_, w) in enumerate(kept):
        size = min(len(w), ngram if len(w) >= 3 * ngram else short)
        distinct = {tuple(w[i : i + size]) for i in range(len(w) - size + 1)}
        grams.append(len(distinct))
        for gram in distinct:
            where[gram].append(at)
    sizes = sorted({len(g) for g in where})
    hashes = {n: np.unique(_gram_hashes([g for g in where if len(g) == n], n)) for n in sizes}
    # About one in 32 at most: what passes is looked up. A small table stays near the processor.
    bits = {n: np.zeros(1 << min(20, len(hashes[n]).bit_length() + 5), dtype=bool) for n in sizes}
    for n in sizes:
        bits[n][hashes[n] >> _fold(bits[n])] = True
    return _Index(tuple(sizes), hashes, bits, where, grams, [name for name, _ in kept])


def _fold(bits: npt.NDArray[np.bool_]) -> np.uint64:
    """How far a hash is shifted to be a place in the table."""
    return np.uint64(64 - (len(bits).bit_length() - 1))


def _gram_hashes(grams: Sequence[Gram], size: int) -> U64:
    texts = pl.Series([" ".join(g) for g in grams], dtype=pl.String)
    return np.concatenate([block.runs(size)[0] for block in blocks(texts)])


def _matches(texts: pl.Series, words: Words, index: _Index) -> pl.DataFrame:
    """`text` (its place), `benchmark_hit`, `benchmark_share`, `benchmark_span` of each text that holds a sequence of some item."""
    found = []
    suspects = _suspects(words, index)
    words_in = words_of(texts.gather(suspects["text"])).to_list()
    for text, told, sizes, places in zip(suspects["text"], words_in, suspects["size"], suspects["at"], strict=True):
        found.append((text, *_best(told, zip(sizes.to_list(), places.to_list(), strict=True), index)))
    columns = {"text": pl.Int64} | dict(BenchmarkOverlap.gives)
    return pl.DataFrame(found, schema=columns, orient="row").drop_nulls("benchmark_hit")


def _suspects(words: Words, index: _Index) -> pl.DataFrame:
    """Of each text in which some sequence has the hash of an item's: `text`, its place, and lists `size` and `at` of these."""
    found = [np.empty((3, 0), dtype=np.int64)]
    for block in words.blocks():
        for size in index.sizes:
            rolled, known, bits = block.rolled(size), index.hashes[size], index.bits[size]
            places = np.flatnonzero(bits[rolled >> _fold(bits)])
            near = known[np.minimum(np.searchsorted(known, rolled[places]), len(known) - 1)]
            text, at = block.within(places[near == rolled[places]], size)
            if len(text):
                found.append(np.stack([text + block.first, np.full(len(text), size), at]))
    text, size_of, at = np.concatenate(found, axis=1)
    hits = pl.DataFrame({"text": text, "size": size_of, "at": at}).sort("text", "size", "at")
    return hits.group_by("text", maintain_order=True).agg("size", "at")


def _best(words: list[str], places: Iterable[tuple[int, int]], index: _Index) -> tuple[str | None, float, str]:
    """Name of the item of which the words hold the largest share, that share, and the words they have in common.

    `places`: the size of each sequence that may be an item's, and where it begins.
    """
    hits: dict[int, dict[Gram, int]] = defaultdict(dict)
    for size, at in places:
        gram = tuple(words[at : at + size])
        for item in index.items.get(gram, ()):
            hits[item].setdefault(gram, at)
    if not hits:
        return None, 0.0, ""
    share = {item: len(grams) / index.grams[item] for item, grams in hits.items()}
    best = min(share, key=lambda item: (-share[item], index.names[item], item))
    return index.names[best], share[best], " ".join(_longest(words, hits[best]))[:SPAN]


def _longest(words: list[str], grams: Mapping[Gram, int]) -> Iterator[str]:
    """The longest unbroken run of words that the sequences cover; the first of several."""
    size = len(next(iter(grams)))
    runs = [[p for _, p in run] for _, run in groupby(enumerate(sorted(grams.values())), lambda at: at[1] - at[0])]
    run = max(runs, key=len)
    return iter(words[run[0] : run[-1] + size])
