"""Passages of texts: whole, by paragraph, by sentence or by span of words, whatever their case, spacing and punctuation.

Blocks of code are no passages of prose: a closing brace is not a thing said twice.
"""

import hashlib
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.duplicates.shingles import U64, blocks
from flywheel.texts.prose import fenced
from flywheel.texts.words import letters

Level = Literal["document", "paragraph", "sentence"]

SKETCH = pl.Schema(
    {
        "id": pl.String(),
        "passages": pl.List(pl.UInt64),  # hashes, sorted, each once
        "weights": pl.List(pl.UInt32),  # how much of the text each makes up
        "total": pl.UInt32(),  # how much there is altogether, with what is too short to be a passage
    }
)
BREAK = "\x1e"


def passages(texts: pl.Series, level: Level) -> pl.DataFrame:
    """`row` (index of the text), `passage` (lower-cased letters and digits) and `letters` of each passage, in order."""
    prose = pl.DataFrame({"text": without_blocks(texts.fill_null(""))}).with_row_index("row").lazy()
    each = prose.with_columns(broken(pl.col("text"), level).str.split(BREAK)).explode("text")
    spoken = each.select("row", passage=letters(pl.col("text"))).filter(pl.col("passage") != "")
    return spoken.with_columns(letters=pl.col("passage").str.len_chars()).collect()


def broken(text: pl.Expr, level: Level) -> pl.Expr:
    """The text with BREAK where a passage ends and another begins.

    Sentences end with a line, with . ! or ? before white space, and with the full stops of Chinese and Japanese anywhere.
    """
    if level == "document":
        return text
    if level == "paragraph":
        return text.str.replace_all(r"\n[ \t\r]*\n[ \t\r\n]*", BREAK)
    ended = text.str.replace_all(r"([.!?][\"')\]*_]*)[ \t]+", "${1}" + BREAK).str.replace_all("\n", BREAK, literal=True)
    return ended.str.replace_many(dict.fromkeys("。！？｡", BREAK))


def without_blocks(texts: pl.Series) -> pl.Series:
    """The texts with an empty line in the place of each fenced block of code."""
    hits = (texts.str.contains("```", literal=True) | texts.str.contains("~~~", literal=True)).arg_true()
    if not len(hits):
        return texts
    return texts.scatter(hits, [_without_blocks(text) for text in texts.gather(hits).to_list()])


def _without_blocks(text: str) -> str:
    edges = [0, *(edge for block in fenced(text)[0] for edge in block), len(text)]
    return "\n\n".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))


def sketch(ids: pl.Series, texts: pl.Series, level: Level, min_letters: int) -> pl.DataFrame:
    """SKETCH: the passages of at least `min_letters`, weighed by their letters."""
    found = passages(texts, level)
    total = found.group_by("row").agg(total=pl.col("letters").sum())
    long = found.lazy().filter(pl.col("letters") >= min_letters).group_by("row", "passage")
    counted = long.agg(weight=pl.col("letters").sum()).collect()
    return _sketches(ids, counted.with_columns(hashed(counted["passage"])), total)


def span_sketch(ids: pl.Series, texts: pl.Series, span: int) -> pl.DataFrame:
    """SKETCH of the spans of `span` words: a hash for each, taken from half of its words, weighed by the spans that have it.

    Of the sequences of half as many words within a span the one with the smallest hash stands for it (winnowing). So equal
    spans have equal hashes wherever they stand, and neighbours mostly the same. A shorter text is one span.
    """
    half = max(span // 2, 1)
    width = span - half + 1
    rows: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    hashes: list[U64] = [np.empty(0, np.uint64)]
    for block in blocks(without_blocks(texts.fill_null(""))):
        values, owner = block.runs(half)
        least = _least(values, width)
        within = owner[: len(least)] == owner[len(owner) - len(least) :]
        whole, short = block.wholes(span)
        rows += [owner[: len(least)][within] + block.first, short + block.first]
        hashes += [least[within], whole]
    spans = pl.DataFrame({"row": np.concatenate(rows).astype(np.uint32), "passage": np.concatenate(hashes)})
    counted = spans.group_by("row", "passage").agg(weight=pl.len())
    return _sketches(ids, counted, counted.group_by("row").agg(total=pl.col("weight").sum()))


def _sketches(ids: pl.Series, counted: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """`counted`: row, passage (hash), weight; `total`: row, total. Rows without any passage are there too."""
    lists = (
        counted.sort("row", "passage")
        .group_by("row", maintain_order=True)
        .agg(passages=pl.col("passage"), weights=pl.col("weight").cast(pl.UInt32))
    )
    every = pl.DataFrame({"id": ids}).with_row_index("row")
    told = every.join(total, on="row", how="left").join(lists, on="row", how="left").sort("row")
    return told.select(
        "id", pl.col("passages").fill_null([]), pl.col("weights").fill_null([]), pl.col("total").fill_null(0)
    ).cast(SKETCH)


def held_before(sketches: pl.DataFrame, max_share: float, min_documents: int) -> pl.DataFrame:
    """`id`, `instead`, `similarity` of the rows of which more than `max_share` is held by rows kept before them.

    `sketches`: SKETCH, in the order in which rows are preferred. Passages count that at least `min_documents` of the rows
    hold. `instead` is the kept row that holds most of it, `similarity` the share of the row that is held there.
    """
    each = sketches.lazy().with_row_index("row").filter(pl.col("passages").list.len() > 0)
    each = each.select("row", "total", "passages", "weights").explode("passages", "weights")
    common = each.group_by("passages").len().filter(pl.col("len") >= min_documents)
    lists = (
        each.join(common, on="passages", how="semi").group_by("row").agg("passages", "weights", pl.col("total").first())
    )
    holder: dict[int, int] = {}
    found: list[tuple[int, int, float]] = []
    for row, held, weights, total in lists.sort("row").collect().iter_rows():
        by: dict[int, int] = {}
        for passage, weight in zip(held, weights, strict=True):
            if (at := holder.get(passage)) is not None:
                by[at] = by.get(at, 0) + weight
        if sum(by.values()) > max_share * total:
            kept = min(by, key=lambda at: (-by[at], at))
            found.append((row, kept, by[kept] / total))
        else:
            for passage in held:
                holder.setdefault(passage, row)
    gone = pl.DataFrame(found, schema={"row": pl.UInt32, "kept": pl.UInt32, "similarity": pl.Float64}, orient="row")
    return gone.select(
        id=sketches["id"].gather(gone["row"]), instead=sketches["id"].gather(gone["kept"]), similarity="similarity"
    )


def hashed(texts: pl.Series) -> pl.Series:
    """64-bit hash of each text, the same in every process and for ever."""
    digests = b"".join([hashlib.blake2b(t.encode(), digest_size=8).digest() for t in texts.to_list()])
    return pl.Series(texts.name, np.frombuffer(digests, dtype="<u8"), dtype=pl.UInt64)


def _least(values: U64, width: int) -> U64:
    """The smallest of the `width` values from each place on, as far as there are so many."""
    if len(values) < width:
        return np.empty(0, np.uint64)
    reach, least = 1, values
    while reach * 2 <= width:
        least = np.minimum(least[:-reach], least[reach:])
        reach *= 2
    step = width - reach
    return np.minimum(least[: len(least) - step], least[step:]) if step else least
