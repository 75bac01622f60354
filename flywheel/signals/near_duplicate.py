"""Which rows say nearly the same.

MinHash only proposes pairs; every proposed pair is compared exactly, shingle by shingle. So nothing is called a duplicate
by an estimate, and the similarity that is told is the true one.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import last_input, reply

U64 = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]

SKETCH = pl.Schema(
    {
        "id": pl.String(),
        "system": pl.UInt64(),  # hash of the system and developer messages
        "content": pl.Binary(),  # digest of the shingles: equal for equal sets; null where there is no text
        "shingles": pl.List(pl.UInt32),  # sorted, each once
        "keys": pl.List(pl.UInt64),  # one for each band
    }
)
PAIRS = 1 << 18
"""Pairs compared at a time: bounds the memory."""


class NearDuplicate(Signal, frozen=True):
    """Join rows whose last input and reply share at least `threshold` of their shingles, directly or over other rows.

    `near_group` is the smallest id of the group, a row's own where it is alone; `near_similarity` the highest exact Jaccard
    similarity to another member, null where it is alone. Words are lower-cased and Chinese, Japanese and Korean are cut
    into characters; punctuation does not count. A row without any text is alone.
    """

    use: Literal["near_duplicate"] = "near_duplicate"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    compares: ClassVar[bool] = True
    sparse: ClassVar[frozenset[str]] = frozenset({"near_similarity"})
    decided_later: ClassVar[frozenset[str]] = frozenset({"threshold", "across_system_prompts"})
    gives: ClassVar[Mapping[str, Any]] = {"near_group": pl.String, "near_similarity": pl.Float64}
    threshold: float = Field(default=0.8, ge=0.5, le=1.0)
    """Jaccard similarity of the shingle sets from which two rows are near duplicates."""
    ngram: int = Field(default=5, ge=1, le=20)
    """Tokens of one shingle; a shorter text is one shingle as a whole."""
    permutations: int = Field(default=128, ge=16, le=512)
    bands: int = Field(default=32, ge=4, le=256)
    """More bands find more pairs to compare; with 32 of 4 a pair of similarity 0.8 is missed once in 50 million."""
    across_system_prompts: bool = False
    """Also join rows whose system prompts differ."""

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        calls = reply().struct.field("tool_calls").fill_null("")
        text = pl.concat_str([last_input(), reply().struct.field("content").fill_null(""), calls], separator="\n")
        is_system = pl.element().struct.field("role").is_in(["system", "developer"])
        system = (
            pl.col("messages")
            .list.eval(pl.element().struct.field("content").filter(is_system).fill_null(""))
            .list.join("\n")
        )
        read = rows.select("id", text=text.fill_null(""), system=system.fill_null("")).collect()
        shingles, bounds = _shingles(read["text"], self.ngram)
        keys = _band_keys(shingles, bounds, self.permutations, self.bands)
        sets = [shingles[a:b].tobytes() for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
        return pl.DataFrame(
            {
                "id": read["id"],
                "system": pl.Series(_hash_each(read["system"]), dtype=pl.UInt64),
                "content": pl.Series([_digest(s, 16) if s else None for s in sets], dtype=pl.Binary),
                "shingles": _lists(shingles.astype(np.uint32), bounds),
                "keys": _lists(keys.reshape(-1), np.arange(len(sets) + 1) * self.bands),
            },
            schema=SKETCH,
        ).lazy()

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        rows = sketches.sort("id").collect()
        if self.across_system_prompts:
            rows = rows.with_columns(system=pl.lit(0, dtype=pl.UInt64))
        # A text that is there ten thousand times is one document here, not fifty million pairs.
        same = (
            rows.filter(pl.col("content").is_not_null())
            .group_by("system", "content")
            .agg(pl.len().alias("copies"), pl.all().first())
        )
        documents = same.sort("id")
        if documents.is_empty():
            return rows.select("id", near_group="id", near_similarity=pl.lit(None, dtype=pl.Float64)).lazy()
        left, right, similarity = self._matches(documents)
        group = _components(documents.height, left, right)
        best = np.where(documents["copies"].to_numpy() > 1, 1.0, 0.0)
        np.maximum.at(best, left, similarity)
        np.maximum.at(best, right, similarity)
        found = documents.select(
            "system",
            "content",
            near_group=documents["id"].gather(pl.Series(group, dtype=pl.UInt32)),
            near_similarity=pl.Series(best, dtype=pl.Float64),
        ).with_columns(pl.col("near_similarity").replace(0.0, None))
        return (
            rows.join(found, on=["system", "content"], how="left", maintain_order="left")
            .select("id", pl.col("near_group").fill_null(pl.col("id")), "near_similarity")
            .lazy()
        )

    def compare(self, sketches: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        named = pl.concat([pairs.select("id"), pairs.select(id="instead")]).unique()
        documents = sketches.join(named.lazy(), on="id", how="semi").sort("id").collect()
        sizes, starts, flat = _flat(documents)
        places = documents.select("id", at=pl.int_range(pl.len()))
        both = pairs.join(places, on="id").join(places, left_on="instead", right_on="id", suffix="_kept")
        both = both.filter((pl.Series(sizes).gather(both["at"]) > 0) & (pl.Series(sizes).gather(both["at_kept"]) > 0))
        if both.is_empty():
            return pl.DataFrame(schema={"id": pl.String, "compared": pl.Float64})
        similarity = _jaccard(flat, starts, sizes, both["at"].to_numpy(), both["at_kept"].to_numpy())
        return both.select("id", compared=pl.Series(similarity, dtype=pl.Float64))

    def _matches(self, documents: pl.DataFrame) -> tuple[Index, Index, npt.NDArray[np.float64]]:
        """Every pair of documents that shares a band and reaches the threshold, with its exact similarity."""
        sizes, starts, flat = _flat(documents)
        keys = (
            documents["keys"]
            .explode(empty_as_null=False)
            .to_numpy()
            .astype(np.uint64)
            .reshape(documents.height, self.bands)
        )
        keys = _mix(keys ^ documents["system"].to_numpy()[:, None])
        found: list[tuple[Index, Index, npt.NDArray[np.float64]]] = []
        for a, b in _candidates(keys, sizes, self.threshold):
            together = (documents["system"].to_numpy()[a] == documents["system"].to_numpy()[b]).nonzero()[0]
            a, b = a[together], b[together]
            similarity = _jaccard(flat, starts, sizes, a, b)
            hit = similarity >= self.threshold
            found.append((a[hit], b[hit], similarity[hit]))
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        left, right, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
        return left, right, similarity


def _hash_each(texts: pl.Series) -> list[int]:
    """64-bit hash of each text, the same in every process and for ever."""
    known = {t: int.from_bytes(_digest(t.encode(), 8), "little") for t in texts.unique().to_list()}
    return [known[t] for t in texts.to_list()]


def _digest(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


def _mix(values: U64) -> U64:
    """Spread the bits of each value over all 64 (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _lists(values: npt.NDArray[Any], bounds: Index) -> pl.Series:
    """A list column: `values` cut at `bounds`."""
    size = np.diff(bounds)
    owner = pl.Series(np.repeat(np.arange(len(size)), size), dtype=pl.UInt32)
    lists = pl.DataFrame({"owner": owner, "value": values}).group_by("owner", maintain_order=True).agg("value")
    every = pl.DataFrame({"owner": pl.Series(np.arange(len(size)), dtype=pl.UInt32)})
    return every.join(lists, on="owner", how="left", maintain_order="left")["value"].fill_null([])


CJK = r"[\x{1100}-\x{11ff}\x{3041}-\x{30ff}\x{3131}-\x{318e}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}\x{f900}-\x{faff}\x{20000}-\x{3134f}]"
PUNCTUATION = r"[\x{a0}-\x{bf}\x{2000}-\x{206f}\x{3000}-\x{303f}\x{ff00}-\x{ff0f}\x{ff1a}-\x{ff20}]+"


def _tokens(texts: pl.Series) -> pl.Series:
    """Lists of tokens: lower-cased words without punctuation, single characters of Chinese, Japanese and Korean.

    Where nothing but punctuation is there, the text without its spaces is the only token.
    """
    plain = pl.col("text").str.replace_all(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+", " ")
    spaced = plain.str.replace_all(PUNCTUATION, " ").str.replace_all(f"({CJK})", " $1 ")
    foreign = pl.col("text").str.len_bytes() != pl.col("text").str.len_chars()
    bare = pl.col("text").str.replace_all(r"\s+", "")
    words = pl.when(foreign).then(spaced).otherwise(plain).str.strip_chars(" ")
    text = texts.alias("text").str.to_lowercase().to_frame().select(pl.when(words == "").then(bare).otherwise(words))
    return text.to_series().str.replace_all(" {2,}", " ").str.split(" ").list.filter(pl.element() != "")


def _shingles(texts: pl.Series, ngram: int) -> tuple[U64, Index]:
    """32-bit hashes of every text's shingles, sorted and each once, end to end; and where each text's begin."""
    tokens = _tokens(texts)
    sizes = tokens.list.len().to_numpy().astype(np.int64)
    words = tokens.explode(empty_as_null=False)
    codes = words.rank("dense").to_numpy().astype(np.int64) - 1
    hashes = (
        np.array(_hash_each(words.unique().sort()), dtype=np.uint64)[codes] if len(words) else np.empty(0, np.uint64)
    )
    owner = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ahead = starts[owner + 1] - np.arange(len(hashes))  # tokens from here to the end of the text
    rolled = np.zeros(len(hashes), dtype=np.uint64)
    for step in range(min(ngram, len(hashes))):
        shifted = np.concatenate([hashes[step:], np.zeros(step, dtype=np.uint64)])
        rolled = np.where(ahead > step, _mix(rolled + np.uint64(step + 1)) ^ shifted, rolled)
    whole = (ahead >= ngram) | (np.arange(len(hashes)) == starts[owner])  # a short text is one shingle
    values = _mix(rolled[whole]) >> np.uint64(32)
    unique = np.unique((owner[whole].astype(np.uint64) << np.uint64(32)) | values)
    bounds = np.searchsorted(unique, np.arange(len(sizes) + 1, dtype=np.uint64) << np.uint64(32))
    return unique & np.uint64(0xFFFFFFFF), bounds.astype(np.int64)


def _band_keys(shingles: U64, bounds: Index, permutations: int, bands: int) -> U64:
    """One key for each band of each text's MinHash; texts that share a key are candidates."""
    import rensa  # loaded when used: definitions load without it

    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(shingles, bounds.astype(np.uint64), permutations, 7)
    signatures = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(bounds) - 1, permutations)
    width = permutations // bands
    keys = np.tile(np.arange(bands, dtype=np.uint64), (len(signatures), 1))
    for at in range(width):
        keys = _mix(keys ^ signatures[:, at : width * bands : width]) + np.uint64(1)
    return keys


def _candidates(keys: U64, sizes: Index, threshold: float) -> Iterator[tuple[Index, Index]]:
    """Pairs of documents with an equal key, each pair once, in batches.

    No bucket is cut short: a large one costs time, never a pair. Within one, a document is compared only with those no more
    than 1/threshold times its size, for a larger one cannot reach the threshold.
    """
    for band in range(keys.shape[1]):
        order = np.lexsort((np.arange(len(sizes)), sizes, keys[:, band]))
        key, size = keys[order, band], sizes[order]
        new = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        end = np.repeat(np.append(new[1:], len(key)), np.diff(np.append(new, len(key))))
        limit = np.floor(size / threshold + 1e-9)
        reach = _reach(end, size, limit)
        partners = reach - np.arange(len(key)) - 1
        for first, last in _batches(partners):
            left = np.repeat(np.arange(first, last), partners[first:last])
            offset = np.arange(len(left)) - np.repeat(
                np.cumsum(partners[first:last]) - partners[first:last], partners[first:last]
            )
            a, b = order[left], order[left + 1 + offset]
            fresh = ~(keys[a, :band] == keys[b, :band]).any(axis=1)  # not met in an earlier band
            yield np.minimum(a, b)[fresh], np.maximum(a, b)[fresh]


def _reach(end: Index, size: Index, limit: npt.NDArray[np.float64]) -> Index:
    """For each place in the sorted order, where its bucket's documents become too large (binary search, all at once)."""
    low, high = np.arange(len(size)) + 1, end.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        fits = open_ & (size[np.minimum(middle, len(size) - 1)] <= limit)
        low, high = np.where(fits, middle + 1, low), np.where(open_ & ~fits, middle, high)
    return low


def _batches(partners: Index) -> Iterator[tuple[int, int]]:
    """Ranges of places whose pairs are about PAIRS together."""
    total = np.cumsum(partners)
    first = 0
    while first < len(total) and total[-1] > (done := total[first - 1] if first else 0):
        last = max(first + 1, int(np.searchsorted(total, done + PAIRS, side="right")))
        yield first, last
        first = last


def _flat(documents: pl.DataFrame) -> tuple[Index, Index, U64]:
    """How many shingles each document has, where its own begin, and all of them, each with its document in the high bits."""
    sizes = documents["shingles"].list.len().to_numpy().astype(np.int64)
    owner = np.repeat(np.arange(documents.height, dtype=np.uint64), sizes)
    shingles = documents["shingles"].explode(empty_as_null=False).to_numpy().astype(np.uint64)
    return sizes, np.concatenate([[0], np.cumsum(sizes)]), (owner << np.uint64(32)) | shingles


def _jaccard(flat: U64, starts: Index, sizes: Index, a: Index, b: Index) -> npt.NDArray[np.float64]:
    """Exact Jaccard similarity of each pair, from the sorted shingles of all documents."""
    smaller, larger = np.where(sizes[a] <= sizes[b], a, b), np.where(sizes[a] <= sizes[b], b, a)
    shared = np.empty(len(a), dtype=np.int64)
    for first, last in _batches(sizes[smaller] * 4):
        few, many = smaller[first:last], larger[first:last]
        ends = np.cumsum(sizes[few])
        at = np.arange(ends[-1]) - np.repeat(ends - sizes[few] - starts[few], sizes[few])
        wanted = (flat[at] & np.uint64(0xFFFFFFFF)) | (np.repeat(many, sizes[few]).astype(np.uint64) << np.uint64(32))
        place = np.minimum(np.searchsorted(flat, wanted), len(flat) - 1)
        shared[first:last] = np.add.reduceat((flat[place] == wanted).astype(np.int64), ends - sizes[few])
    return shared / (sizes[a] + sizes[b] - shared)


def _components(count: int, left: Index, right: Index) -> Index:
    """Smallest member of each document's connected component."""
    group = np.arange(count)
    while True:
        low = np.minimum(group[left], group[right])
        joined = group.copy()
        np.minimum.at(joined, group[left], low)
        np.minimum.at(joined, group[right], low)
        joined = joined[joined]
        if (joined == group).all():
            return group
        group = joined
