"""Who is forgotten stays forgotten: names by keyed digest, and the lines of logs that bear one of them.

    HOME/raw/forgotten.json    by the id of each receipt: keyed digests of users, conversations, calls, lines and sources; no name,
                               no text. Also the entries that were taken back, and when

A file that arrives later is kept with such lines blank, so neither their rows nor their bytes come back.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from flywheel.erasure.needles import SHORTEST
from flywheel.errors import SnapshotDamaged
from flywheel.kinds import Source
from flywheel.logs.blank import forget
from flywheel.logs.identities import pseudonym
from flywheel.logs.raw import RawFile, RawStore
from flywheel.logs.reader import read_piece
from flywheel.storage.snapshots import replace_synced

LIST = "forgotten.json"
OLDER = "older"
"""The entry of digests that were put on the list before it told whose they are."""
RENAMED = "forgotten"
"""What a raw file is called that was named after whom is forgotten."""
KINDS = ("user", "conversation", "call", "line", "source")
"""What a line can be known by: who speaks (a pseudonym), session, id of the call or of its response, its SHA-256, its format."""

Holds = Callable[[str, pl.Series], pl.Series]
"""Of names of one kind, whether each is meant."""

LINES = pl.Schema(
    {"file": pl.String, "line": pl.Int64, "offset": pl.Int64, "length": pl.Int64, "by": pl.String}  # one of KINDS
)

NAMED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "conversations": (
        ("user", "user"),
        ("conversation_id", "conversation"),
        ("native_id", "call"),
        ("response_id", "call"),
        ("source", "source"),
        ("digest", "line"),
    ),
    "feedback": (
        ("actor", "user"),
        ("conversation_id", "conversation"),
        ("target_id", "call"),
        ("target_id", "conversation"),
        ("chosen_id", "call"),
        ("others", "call"),
        ("source", "source"),
        ("digest", "line"),
    ),
}
"""Table -> its columns that name somebody or something, and what kind of name each is; `digest` is that of the raw line."""

QUOTED = re.compile(rb'"((?:[^"\\]|\\.){1,200})"')


def sealed(kind: str, name: str, secret: bytes) -> str:
    """What stands for a name that is forgotten: 32 hex digits that only the home's key can make."""
    return hashlib.blake2b(f"{kind}:{name}".encode(), key=secret[:64], digest_size=16, person=b"forgotten").hexdigest()


def meant(names: Mapping[str, Collection[str]]) -> Holds:
    """The names given, in clear."""
    return lambda kind, told: told.is_in(list(names.get(kind, ())))


def suppressed(digests: Collection[str], secret: bytes) -> Holds:
    """The names whose keyed digest is on the list."""

    def holds(kind: str, told: pl.Series) -> pl.Series:
        known = told.drop_nulls().unique()
        return told.is_in([name for name in known.to_list() if sealed(kind, name, secret) in digests])

    return holds


def lines_meant(tables: Mapping[str, pl.LazyFrame], holds: Holds, secret: bytes) -> pl.DataFrame:
    """LINES of raw files that are meant, each once, by the first of KINDS that tells. `tables`: those of raw files."""
    found = [pl.DataFrame(schema=LINES)]
    for table, columns in NAMED.items():
        ref = pl.col("raw").list.first().struct
        place = [ref.field(c) for c in ("file", "line", "offset", "length")]
        names = sorted({c for c, _ in columns} - {"digest"})
        rows = tables[table].select(*place, *names, digest=ref.field("digest")).collect()
        found += [_hit(rows, column, kind, holds) for column, kind in columns]
    found.append(quoting(tables["quarantine"], holds, secret))
    rank = pl.col("by").replace_strict({k: n for n, k in enumerate(KINDS)}, return_dtype=pl.Int8)
    ranked = pl.concat(found).sort("file", "line", rank)
    return ranked.unique(["file", "line"], keep="first", maintain_order=True)


def _hit(rows: pl.DataFrame, column: str, kind: str, holds: Holds) -> pl.DataFrame:
    told = rows.explode(column) if rows.schema[column] == pl.List(pl.String) else rows
    return told.filter(holds(kind, told[column]).fill_null(False)).select(
        *[c for c in LINES if c != "by"], by=pl.lit(kind)
    )


def quoting(lines: pl.LazyFrame, holds: Holds, secret: bytes, least: int = 1) -> pl.DataFrame:
    """LINES that are meant by what stands in quotation marks in them, of so many characters at least. `lines`: their `raw` bytes, too."""
    rows = lines.select("file", "line", "offset", "raw").collect().with_row_index("at")
    named = pl.DataFrame(
        [
            (at, kind, name)
            for at, raw in rows.select("at", "raw").iter_rows()
            for kind, name in _names(raw, secret, least)
        ],
        schema={"at": pl.UInt32, "kind": pl.String, "name": pl.String},
        orient="row",
    )
    hits = [
        part.filter(holds(str(kind), part["name"]).fill_null(False)).select("at", by="kind")
        for (kind,), part in named.partition_by("kind", as_dict=True).items()
    ]
    told = pl.concat([pl.DataFrame(schema={"at": pl.UInt32, "by": pl.String}), *hits])
    return rows.join(told, on="at").select(
        "file", "line", "offset", length=pl.col("raw").bin.size().cast(pl.Int64), by="by"
    )


def _names(raw: bytes | None, secret: bytes, least: int) -> Iterator[tuple[str, str]]:
    yield "line", hashlib.sha256(raw or b"").hexdigest()
    for quoted in {t for q in QUOTED.findall(raw or b"") if len(t := q.decode("utf-8", "replace")) >= least}:
        yield "user", pseudonym(quoted, secret)
        yield "call", quoted
        yield "conversation", quoted


# --- the list


@dataclass(frozen=True)
class Entry:
    """What one erasure put on the list."""

    id: str
    """Of its receipt."""
    kind: str
    """Of subject: `user`, `conversation`, `source`; empty where that was not noted yet."""
    began: str
    """When it was forgotten."""
    digests: frozenset[str]
    """What stands for its names."""
    lifted: str = ""
    """When it was taken back; empty while it stands."""
    still: int = 0
    """Of an entry taken back: its digests that stood in another one then, and so stayed suppressed."""


@dataclass(frozen=True)
class Suppressed:
    """The list of a raw store."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    lifted: tuple[Entry, ...] = ()
    """Entries that were taken back, first to last."""

    @property
    def digests(self) -> frozenset[str]:
        """All that is suppressed: a digest stays until every entry that has it is taken back."""
        return frozenset[str]().union(*(e.digests for e in self.entries.values()))

    @property
    def free(self) -> frozenset[str]:
        """What was suppressed and is no more."""
        return frozenset[str]().union(*(e.digests for e in self.lifted)) - self.digests


def read(raw: Path) -> Suppressed:
    """The list of a raw store. Raises `SnapshotDamaged` when it cannot be read: nobody may come back by that."""
    try:
        told = orjson.loads((raw / LIST).read_bytes())
        older = "digests" in told  # one flat list
        entries = {OLDER: {"kind": "", "began": "", "digests": told["digests"]}} if older else told["entries"]
        lifted = tuple(_entry(e["id"], e) for e in told.get("lifted", ()))
        return Suppressed({id: _entry(id, e) for id, e in entries.items()}, lifted)
    except FileNotFoundError:
        return Suppressed()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SnapshotDamaged(
            f"{raw / LIST}, the list of who is forgotten, is damaged. Restore it from a backup: without it they would come back."
        ) from None


def _entry(id: str, told: Mapping[str, Any]) -> Entry:
    return Entry(
        id, told["kind"], told["began"], frozenset(told["digests"]), told.get("lifted", ""), told.get("still", 0)
    )


def listed(raw: Path) -> frozenset[str]:
    """The keyed digests that are suppressed in a raw store. Raises as `read`."""
    return read(raw).digests


def write(raw: Path, suppressed: Suppressed) -> None:
    """Put a list in the place of the one there is, in one step."""
    entries = {
        id: {"kind": e.kind, "began": e.began, "digests": sorted(e.digests)} for id, e in suppressed.entries.items()
    }
    lifted = [{**e.__dict__, "digests": sorted(e.digests)} for e in suppressed.lifted]
    replace_synced(raw / LIST, orjson.dumps({"entries": entries, "lifted": lifted}))


def add(raw: Path, id: str, kind: str, began: str, names: Mapping[str, Collection[str]], secret: bytes) -> None:
    """Put the names of an erasure on the list, under the id of its receipt."""
    known = read(raw)
    digests = frozenset(sealed(of, name, secret) for of, told in names.items() for name in told)
    write(raw, Suppressed({**known.entries, id: Entry(id, kind, began, digests)}, known.lifted))


def sift(secret: bytes, store: RawStore, file: RawFile) -> RawFile:
    """A new file, on its way into the store, with the lines of those who are forgotten made blank."""
    if not (digests := listed(store.root)):
        return file
    (numbers,) = bearing(secret, store, file, digests)
    return forget(file, numbers) if numbers else file


def bearing(secret: bytes, store: RawStore, file: RawFile, *lists: Collection[str]) -> tuple[set[int], ...]:
    """Numbers of the lines of a file that bear a name on each of these lists of digests."""
    found: tuple[set[int], ...] = tuple(set() for _ in lists)
    for tables in tables_of(secret, store, file):
        for digests, numbers in zip(lists, found, strict=True):
            numbers |= set(lines_meant(tables, suppressed(digests, secret), secret)["line"].to_list())
    return found


def tables_of(secret: bytes, store: RawStore, file: RawFile) -> Iterator[Mapping[str, pl.LazyFrame]]:
    """What stands in a file, as it is read, piece by piece."""
    for piece in store.pieces(file):
        yield {t: f.lazy() for t, f in read_piece(store, file, piece, _sources(), secret).items()}


def _sources() -> list[Source]:
    from flywheel.sources import SOURCES

    return [cls(use=use) for use, cls in SOURCES.items()]


# --- names of files


def stand_in(name: str) -> str:
    """What a raw file of this name is called when it was named after whom is forgotten."""
    return "".join([RENAMED, *Path(name).suffixes[-2:]])


def named_after(name: str, digests: Collection[str], secret: bytes) -> bool:
    """Whether a file is named after a user on a list of digests: some words of its name, as they stand in it, are theirs."""
    words = [m.span() for m in re.finditer(r"[^\W_]+", name)]
    told = {name[start:end] for start, _ in words for _, end in words if end - start >= SHORTEST}
    return any(sealed("user", user, secret) in digests for t in told for user in (pseudonym(t, secret), t))
