"""The work of the benchmark as flywheel does it, and the exact join that near duplicates are held against.

PYTHON benchmarks/own.py NAME INPUT OUTPUT
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
from measure import main

from flywheel.edits import EDITS
from flywheel.filters import FILTERS
from flywheel.home import Home
from flywheel.kinds import Filter, Signal
from flywheel.lineage import Part
from flywheel.records import MESSAGE_FIELDS
from flywheel.rewriting import every_redaction, rewrite
from flywheel.signals import SIGNALS
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.language import Language
from flywheel.signals.near_duplicate import NearDuplicate
from flywheel.stages.ingest import read_files
from flywheel.texts import words

U64 = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]
NGRAM = 5
BASE = np.uint64(0x9E3779B97F4A7C15)


# --- near duplicates


def near(given: Any) -> Iterator[Any]:
    """The signal, from conversations to groups: words, shingles, hashes, candidates, exact comparison, components."""
    rows = _rows(given)
    signal = NearDuplicate(threshold=given["threshold"])
    signal.relate(signal.sketch(rows.head(100).lazy()).collect().lazy()).collect()
    yield
    sketches = signal.sketch(rows.lazy()).collect()
    groups = signal.relate(sketches.lazy()).collect()
    same = groups.sort("id")["near_group"].cast(pl.Int64)
    many = same.to_frame("group").select(pl.len().over("group") > 1).to_series()
    yield {
        "flags": many.cast(pl.Int8).to_list(),
        "pairs": groups["near_similarity"].is_not_null().sum(),
        "groups": same.to_list() if given.get("groups", True) else None,
    }


def candidates(given: Any) -> Iterator[Any]:
    """How many pairs of different texts share a band, and how many texts the largest bucket holds, by the stored keys."""
    sketches = NearDuplicate(threshold=given["threshold"]).sketch(_rows(given).lazy()).collect()
    yield
    if not {"keys", "content"} <= set(sketches.columns):
        yield None
        return
    different = sketches.filter(pl.col("content").is_not_null()).unique("content", maintain_order=True)
    keys = different["keys"].explode(empty_as_null=False).to_numpy().astype(np.uint64).reshape(different.height, -1)
    pairs, largest = np.empty(0, np.uint64), 0
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")
        found, size = _pairs(keys[order, band], order, np.ones(len(order)), 0.0)
        pairs, largest = np.union1d(pairs, found), max(largest, size)
    yield {"pairs": len(pairs), "largest": largest}


def exact(given: Any) -> Iterator[Any]:
    """Every pair of texts that reaches the threshold, by an inverted index of the rarest shingles (AllPairs)."""
    given_texts, threshold = _texts(given), given["threshold"]
    yield
    tokens = words.words(given_texts)
    sizes = tokens.list.len().to_numpy().astype(np.int64)
    hashes = tokens.explode(empty_as_null=False).hash(seed=1).to_numpy()
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ahead = np.repeat(starts[1:], sizes) - np.arange(len(hashes))
    rolled = np.zeros(len(hashes), dtype=np.uint64)
    for step in range(NGRAM):
        shifted = np.concatenate([hashes[step:], np.zeros(step, dtype=np.uint64)])
        rolled = np.where(ahead > step, (rolled + np.uint64(1)) * BASE + shifted, rolled)
    whole = (ahead >= NGRAM) | (np.arange(len(hashes)) == np.repeat(starts[:-1], sizes))
    owner = np.repeat(np.arange(len(sizes)), sizes)[whole]
    frame = pl.DataFrame({"doc": owner, "shingle": rolled[whole]}).unique()
    # Equal texts are one document; rare shingles come first.
    digest = pl.col("shingle").hash(seed=2)
    content = frame.group_by("doc").agg(
        a=pl.col("shingle").sum(), b=digest.sum(), c=digest.hash(seed=3).sum(), size=pl.len()
    )
    content = content.with_columns(first=pl.col("doc").min().over("a", "b", "c", "size"))
    alone = content.filter(pl.col("doc") == pl.col("first")).select("doc", "size")
    often = frame.join(alone, on="doc").with_columns(many=pl.len().over("shingle"))
    ranked = often.with_columns(rank=pl.struct("many", "shingle").rank("dense").cast(pl.Int64) - 1).sort("doc", "rank")
    prefix = ranked.with_columns(at=pl.int_range(pl.len()).over("doc")).filter(
        (pl.col("at") <= pl.col("size") - (threshold * pl.col("size") - 1e-9).ceil()) & (pl.col("many") > 1)
    )
    prefix = prefix.sort("rank", "size", "doc")
    keys, docs = prefix["rank"].to_numpy().astype(np.uint64), prefix["doc"].to_numpy().astype(np.int64)
    found, _ = _pairs(keys, docs, prefix["size"].to_numpy().astype(float), threshold)
    pairs = np.unique(found)
    left, right = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    hit = _similarity(ranked, len(given_texts), left, right) >= threshold - 1e-12
    group = np.arange(len(given_texts))
    copies = content.filter(pl.col("doc") != pl.col("first"))
    a = np.concatenate([left[hit], copies["first"].to_numpy().astype(np.int64)])
    b = np.concatenate([right[hit], copies["doc"].to_numpy().astype(np.int64)])
    while True:
        low = np.minimum(group[a], group[b])
        joined = group.copy()
        np.minimum.at(joined, group[a], low)
        np.minimum.at(joined, group[b], low)
        joined = joined[joined]
        if (joined == group).all():
            break
        group = joined
    sizes_of = np.bincount(group, minlength=len(group))
    flags = (sizes_of[group] > 1).astype(int).tolist()
    yield {"flags": flags, "pairs": len(a), "groups": group.tolist(), "candidates": len(pairs)}


def _pairs(keys: U64, docs: Index, sizes: npt.NDArray[Any], threshold: float) -> tuple[U64, int]:
    """Pairs of documents at places of equal key, as one number each; and the most places one key has.

    Places are sorted by key and then size. Two documents further apart in size than the threshold allows are no pair.
    """
    made, active, step = [np.empty(0, np.uint64)], np.arange(len(keys)), 0
    while len(active):
        step += 1
        active = active[active + step < len(keys)]
        other = active + step
        active = active[(keys[active] == keys[other]) & (sizes[active] >= threshold * sizes[other] - 1e-9)]
        a, b = docs[active].astype(np.uint64), docs[active + step].astype(np.uint64)
        made.append((np.minimum(a, b) << np.uint64(32)) | np.maximum(a, b))
        if step % 64 == 0:
            made = [np.unique(np.concatenate(made))]
    return np.unique(np.concatenate(made)), step


def _similarity(ranked: pl.DataFrame, count: int, left: Index, right: Index) -> npt.NDArray[np.float64]:
    """Jaccard similarity of each pair of documents."""
    docs = ranked["doc"].to_numpy().astype(np.uint64)
    flat = (docs << np.uint64(32)) | ranked["rank"].to_numpy().astype(np.uint64)
    sizes = np.bincount(docs.astype(np.int64), minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    shared = np.empty(len(left), dtype=np.int64)
    for first in range(0, len(left), 1 << 16):
        a, b = left[first : first + (1 << 16)], right[first : first + (1 << 16)]
        ends = np.cumsum(sizes[a])
        at = np.arange(ends[-1]) - np.repeat(ends - sizes[a] - starts[a], sizes[a])
        wanted = (flat[at] & np.uint64(0xFFFFFFFF)) | (np.repeat(b, sizes[a]).astype(np.uint64) << np.uint64(32))
        place = np.minimum(np.searchsorted(flat, wanted), len(flat) - 1)
        shared[first : first + len(a)] = np.add.reduceat((flat[place] == wanted).astype(np.int64), ends - sizes[a])
    return shared / (sizes[left] + sizes[right] - shared)


def _texts(given: Any) -> pl.Series:
    """The first `records` texts, or all."""
    return pl.read_parquet(given["texts"], n_rows=given.get("records"))["text"]


def _rows(given: Any) -> pl.DataFrame:
    """Conversations of a question of one word and a reply of all others: together they are the text."""
    parts = pl.col("text").str.splitn(" ", 2).struct
    empty = {name: pl.lit(None, dtype=pl.String) for name in MESSAGE_FIELDS}
    asked = pl.struct(**empty | {"role": pl.lit("user"), "content": parts.field("field_0")})
    reply = pl.struct(**empty | {"role": pl.lit("assistant"), "content": parts.field("field_1").fill_null("")})
    number = pl.int_range(pl.len()).cast(pl.String).str.zfill(8)
    return _texts(given).to_frame().select(number.alias("id"), pl.concat_list(asked, reply).alias("messages"))


def texts(given: Any) -> Iterator[Any]:
    """What near duplicates are looked for in: the last question and the reply of each logged call.

    Writes them to `texts` and, one a line, to `lines`; to `words` with one space between two words and nothing else. Calls that
    have no words are left out.
    """
    frames = []
    yield
    for path in given["files"]:
        found: list[str] = []
        for line in Path(path).read_bytes().split(b"\n"):
            try:
                call = orjson.loads(line)
                asked, reply = (
                    call["request"]["messages"][-1]["content"],
                    call["response"]["choices"][0]["message"]["content"],
                )
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            asked = asked if isinstance(asked, str) else "\n".join(p["text"] for p in asked)
            found.append(f"{asked}\n{reply or ''}")
        frames.append(pl.DataFrame({"text": found}).with_columns(words=words.words(pl.Series(found)).list.join(" ")))
    frame = pl.concat(frames).filter(pl.col("words") != "")
    frame.select("text").write_parquet(given["texts"])
    for column, name in (("text", "lines"), ("words", "words")):
        with Path(given[name]).open("wb") as lines:
            lines.writelines(orjson.dumps(t, option=orjson.OPT_APPEND_NEWLINE) for t in frame[column])
    yield {"count": frame.height, "bytes": int(frame["text"].str.len_bytes().sum())}


# --- single steps


def said(given: Any) -> Iterator[Any]:
    """The distinct texts of all messages of the logs, one a line, written to `out`; and those of the users, to `users`."""
    rows = _conversations(given["files"])
    yield
    one = rows.lazy().select("messages").explode("messages").select(pl.col("messages").struct.unnest())
    told = one.filter(pl.col("content").fill_null("") != "")
    every = told.select("content").unique(maintain_order=True).collect().to_series().to_list()
    users = (
        told.filter(pl.col("role") == "user")
        .select("content")
        .unique(maintain_order=True)
        .collect()
        .to_series()
        .to_list()
    )
    for name, texts in (("out", every), ("users", users)):
        with Path(given[name]).open("wb") as lines:
            lines.writelines(orjson.dumps(t, option=orjson.OPT_APPEND_NEWLINE) for t in texts)
    yield {"bytes": sum(len(t.encode()) for t in every), "users": sum(len(t.encode()) for t in users)}


def ingest(given: Any) -> Iterator[Any]:
    """Files to tables of conversations and quarantine, with digests, pseudonyms and the place of every line."""
    with tempfile.TemporaryDirectory() as place:
        parts = _parts(Path(place) / "home", given["files"])
        yield
        tables = [part.make() for part in parts]
        yield {
            name: sum(t[table].height for t in tables)
            for name, table in (("good", "conversations"), ("bad", "quarantine"))
        }


def pii(given: Any) -> Iterator[Any]:
    """All redactions that are looked for unasked, with pseudonyms; a model for names is no pattern."""
    yield from _rewritten(given, [r.use for r in every_redaction([])])


def cleaning(given: Any) -> Iterator[Any]:
    """HTML, Markdown, template tokens, control characters, Unicode and white space."""
    yield from _rewritten(given, [use for use in EDITS if not use.startswith("redact_")])


def _rewritten(given: Any, uses: Sequence[str]) -> Iterator[Any]:
    rows = _conversations(given["files"])
    edits = [EDITS[use](use=use) for use in uses]
    rewrite(rows.head(50), edits, b"key")
    yield
    new, made = rewrite(rows, edits, b"key")
    yield {"rows": new.height, "changed": made["id"].n_unique()}


def language(given: Any) -> Iterator[Any]:
    """The language of what each user says."""
    rows = _conversations(given["files"])
    Language().measure(rows.head(50).lazy()).collect()
    yield
    told = Language().measure(rows.lazy()).collect()
    yield {"known": (told["language"] != "und").sum()}


def decontamination(given: Any) -> Iterator[Any]:
    """The benchmark's item of which a conversation holds the largest share, with the words."""
    rows = _conversations(given["files"])
    path = Path(given["benchmark"])
    signal = BenchmarkOverlap(files=(path.name,)).located(path.parent)
    signal.measure(rows.head(50).lazy()).collect()
    yield
    found = signal.measure(rows.lazy()).collect()
    yield {"hits": (found["benchmark_share"] > 0).sum()}


HEURISTICS = (
    "empty_reply", "echo", "truncated", "refusal", "boilerplate_opener", "unbalanced_fences", "repetitive", "symbol_heavy",
    "no_stop_words", "bullet_heavy", "ellipsis_heavy", "garbled",
)  # fmt: skip


def filters(given: Any) -> Iterator[Any]:
    """The heuristics, and the signals they read: all of them for every row."""
    rows = _conversations(given["files"])
    chosen = [FILTERS[use](use=use) for use in HEURISTICS]
    wanted = {column for one in chosen for column in one.needs}
    signals = [cls(use=use) for use, cls in SIGNALS.items() if wanted & cls.gives.keys()]
    _rejected(rows.head(50), signals, chosen)
    yield
    yield {"rejected": _rejected(rows, signals, chosen)}


def _rejected(rows: pl.DataFrame, signals: Sequence[Signal], chosen: Sequence[Filter]) -> int:
    for signal in signals:
        rows = rows.hstack(signal.measure(rows.lazy()).collect().drop("id"))
    said = rows.lazy().select(f.reject().fill_null(False).alias(f.use) for f in chosen).collect()
    return said.select(pl.any_horizontal(pl.all()).sum()).item()


def _conversations(files: Sequence[str]) -> pl.DataFrame:
    """The conversations of log files."""
    with tempfile.TemporaryDirectory() as place:
        return pl.concat([part.make()["conversations"] for part in _parts(Path(place) / "home", files)])


def _parts(home: Path, files: Sequence[str]) -> Sequence[Part]:
    """The parts of `raw_files`, still to be made, of a new home with these files."""
    made = Home.create(home)
    for file in files:
        made.raw.keep(Path(file))
    return read_files(made.raw, made.secret).parts


WORKS = (near, candidates, exact, texts, said, ingest, pii, cleaning, language, decontamination, filters)

if __name__ == "__main__":
    main({work.__name__: work for work in WORKS})
