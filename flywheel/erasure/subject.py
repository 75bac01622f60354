"""Who is meant by a request: all their names in this home, and every line of the logs that is theirs."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from flywheel.audit.origins import called
from flywheel.erasure.needles import SHORTEST, Needles, pieces
from flywheel.erasure.suppression import LINES, lines_meant, meant
from flywheel.errors import UnknownRow
from flywheel.logs.identities import pseudonym
from flywheel.logs.raw import BrokenOff, RawFile, lines, safe_name, safe_path
from flywheel.recipe import Recipe
from flywheel.signals.person import Person
from flywheel.sources import SOURCES
from flywheel.storage.snapshots import Snapshot

PSEUDONYM = re.compile(r"u_[0-9a-f]{16}")
SHARED = 20
"""Characters from which a message of a user that stands in two calls of one conversation is the same message."""
BLOCK = 8 << 20

Names = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Request:
    """What was asked: to forget a `user`, a `conversation` or a `source`, by its name."""

    kind: str
    value: str


@dataclass(frozen=True)
class Subject:
    """What a request comes to."""

    request: Request
    names: Names
    """Names of each kind by which lines are theirs."""
    lines: pl.DataFrame
    """LINES to forget; `by` tells why: a kind of name, or `mention`: it names them somewhere else."""
    needles: Needles
    """What must not be found afterwards."""
    shared: int
    """Pieces of text that others said, too: they stay in the lines of those."""
    untold: int = 0
    """Names too short to be looked for in texts."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Lines for each reason."""
    named_after: frozenset[str] = frozenset()
    """Digests of raw files whose very name holds theirs."""

    @property
    def nothing(self) -> bool:
        """Whether no line and no file's name is theirs or names them: they can only be kept from coming in."""
        return self.lines.is_empty() and not self.named_after


def find(request: Request, files: Snapshot, raw: Iterable[RawFile], recipe: Recipe, secret: bytes) -> Subject:
    """All lines and names of whom a request means. Raises `UnknownRow` where nothing of a conversation or a source is there; a user
    may be `Subject.nothing`."""
    tables = {t: files.scan(t) for t in ("conversations", "feedback", "quarantine")}
    names = NAMES_OF[request.kind](request.value, tables, recipe, secret)
    received = list(raw)
    if request.kind == "source" and request.value not in SOURCES:
        names = {"line": _lines_of_file(request.value, received)}
    found = lines_meant(tables, meant(names), secret)
    if found.is_empty() and request.kind != "user":
        raise UnknownRow(
            f"there is nothing of that {request.kind} in this home. Name a conversation or a call as the logs do, a source by its "
            "format or by the name or digest of a raw file."
        )
    sought, untold = needles(request, names, tables, found)
    named = {f.digest: f.name for f in received if request.kind == "user" and bears(f.name, request.value)}
    sought = replace(sought, ids=(*sought.ids, *sorted(set(named.values()))))
    mentions, again, shared = _elsewhere(received, found, sought.some())
    names = {**names, "line": names.get("line", frozenset()) | again}
    every = pl.concat([found, mentions]).unique(["file", "line"], keep="first", maintain_order=True)
    counts = Counter(every["by"].to_list())
    after = frozenset(named)
    return Subject(
        request, names, every, sought.without(shared), len(shared), untold, dict(sorted(counts.items())), after
    )


def bears(file_name: str, name: str) -> bool:
    """Whether a file, or a folder that it lay in, is named after somebody, as names are kept."""
    told = f"(?:{re.escape(safe_name(name))}|{re.escape(safe_path(name))})"
    return len(name) >= SHORTEST and re.search(f"(?<![A-Za-z0-9]){told}(?![A-Za-z0-9])", file_name) is not None


# --- names


def _of_user(value: str, tables: Mapping[str, pl.LazyFrame], recipe: Recipe, secret: bytes) -> Names:
    """A user's pseudonyms, those of the same person, and the ids of their calls, of those in the same conversations, too, that
    repeat what they said or are nobody's."""
    users = {pseudonym(value, secret)} | ({value} if PSEUDONYM.fullmatch(value) else set())
    rows = tables["conversations"]
    nameless: set[str] = set()
    if (same := next((s for s in recipe.signal if isinstance(s, Person)), None)) is not None:
        users |= {name for person in same.same if users & set(person) for name in person}
        told = same.relate(same.sketch(rows)).join(rows.select("id", "user", "native_id"), on="id").collect()
        people = told.filter(pl.col("user").is_in(sorted(users)))["person"].drop_nulls().unique()
        theirs = told.filter(pl.col("person").is_in(people.implode()))
        users |= set(theirs["user"].drop_nulls())
        nameless = set(theirs.filter(pl.col("user").is_null())["native_id"].drop_nulls())
    is_theirs = pl.col("user").is_in(sorted(users)).fill_null(False) | pl.col("native_id").is_in(sorted(nameless))
    mine = rows.filter(is_theirs).select("native_id", "response_id", "conversation_id").collect()
    calls = {v for c in ("native_id", "response_id") for v in mine[c].drop_nulls()}
    beside = rows.filter(~is_theirs, pl.col("conversation_id").is_in(mine["conversation_id"].drop_nulls().implode()))
    return {"user": frozenset(users), "call": frozenset(calls | repeating(rows.filter(is_theirs), beside))}


def repeating(mine: pl.LazyFrame, beside: pl.LazyFrame) -> set[str]:
    """Ids of the calls `beside` that are nobody's, or that hold a message which a user's own calls hold, too."""
    said = (
        mine.select(m=pl.col("messages").explode())
        .select(pl.col("m").struct.unnest())
        .filter(pl.col("role") == "user", pl.col("content").str.len_chars() >= SHARED)
        .select("content")
        .unique()
    )
    others = beside.select("native_id", "response_id", "user", m=pl.col("messages")).explode("m")
    told = others.with_columns(content=pl.col("m").struct.field("content"))
    held = pl.concat([told.join(said, on="content", how="semi"), told.filter(pl.col("user").is_null())])
    found = held.select("native_id", "response_id").collect()
    return {v for c in found.columns for v in found[c].drop_nulls()}


def _of_conversation(value: str, tables: Mapping[str, pl.LazyFrame], recipe: Recipe, secret: bytes) -> Names:
    """A conversation by its id, or a single call by ours or the application's."""
    ids = ("native_id", "response_id", "conversation_id")
    rows = tables["conversations"].select("id", *ids).filter(pl.any_horizontal(pl.col("id", *ids) == value)).collect()
    calls = frozenset(v for c in ids[:2] for v in rows[c].drop_nulls())
    whole = rows.filter(pl.col("conversation_id") == value).height > 0
    return {"call": calls} | ({"conversation": frozenset([value])} if whole else {})


def _of_source(value: str, tables: Mapping[str, pl.LazyFrame], recipe: Recipe, secret: bytes) -> Names:
    return {"source": frozenset([value])}


NAMES_OF = {"user": _of_user, "conversation": _of_conversation, "source": _of_source}


def _lines_of_file(value: str, files: Iterable[RawFile]) -> frozenset[str]:
    """Digests of the lines of the raw files with this name, or whose digest begins so. Raises `UnknownRow` where several names end so."""
    found: set[str] = set()
    for file in called(files, value):
        try:
            found |= {
                hashlib.sha256(line.data).hexdigest() for line in lines(file.path) if line.number not in file.forgotten
            }
        except BrokenOff as e:
            found.add(hashlib.sha256(e.rest.data).hexdigest())
    return frozenset(found)


# --- what to look for


def needles(
    request: Request, names: Names, tables: Mapping[str, pl.LazyFrame], found: pl.DataFrame
) -> tuple[Needles, int]:
    """What lines that go are known by, and how many names are too short for it."""
    rows = _of_lines(tables["conversations"], found)
    events = _of_lines(tables["feedback"], found)
    messages = rows.select(m=pl.col("messages").explode()).select(pl.col("m").struct.field("content"))
    said = [messages["content"], events["text"], events["correction"]]
    told = [rows["native_id"], rows["response_id"], rows["digest"], events["digest"]]
    told += [events["feedback_id"].str.split_exact(":", 1).struct.field("field_1"), rows["line"], events["line"]]
    ids = {v for column in told for v in column.drop_nulls()} | names.get("user", frozenset())
    ids |= names.get("conversation", frozenset())
    texts = {piece for column in said for text in column.drop_nulls().unique() for piece in pieces(text)}
    quoted = () if request.kind == "source" or PSEUDONYM.fullmatch(request.value) else (request.value,)
    long = [v for v in ids if len(v) >= SHORTEST]
    known = tuple(q for q in quoted if len(q) >= SHORTEST)
    short = len(ids) - len(long) + len(quoted) - len(known)
    return Needles(known, tuple(sorted(long)), tuple(sorted(texts))), short


def _of_lines(table: pl.LazyFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table that were read from these lines; `line` is the digest of the line."""
    ref = pl.col("raw").list.first().struct
    at = table.with_columns(file=ref.field("file"), number=ref.field("line"), line=ref.field("digest"))
    wanted = found.lazy().select("file", number="line")
    return at.join(wanted, on=["file", "number"], how="semi").collect()


def _elsewhere(
    files: Iterable[RawFile], found: pl.DataFrame, sought: Needles
) -> tuple[pl.DataFrame, set[str], set[str]]:
    """Of all other lines: those that name them, the digests of these, and the pieces of text that stand in them, too."""
    gone = {file: set(part["line"]) for (file,), part in found.partition_by("file", as_dict=True).items()}
    mentions: list[tuple[str, int, int, int, str]] = []
    digests: set[str] = set()
    shared: set[str] = set()
    for file in files:
        for batch in _batches(file, gone.get(file.digest, set())):
            for at, values in _hits(sought, [data for _, _, data in batch]):
                number, offset, data = batch[at]
                shared |= values & set(sought.texts)
                if values - set(sought.texts):
                    mentions.append((file.digest, number, offset, len(data), "mention"))
                    digests.add(hashlib.sha256(data).hexdigest())
    return pl.DataFrame(mentions, schema=LINES, orient="row"), digests, shared


def _hits(sought: Needles, told: list[bytes]) -> Iterable[tuple[int, set[str]]]:
    """Which of some lines hold what is sought; all of them at once first."""
    return sought.in_bytes(told) if any(True for _ in sought.in_bytes([b"\n".join(told)])) else ()


def _batches(file: RawFile, gone: set[int]) -> Iterable[list[tuple[int, int, bytes]]]:
    batch: list[tuple[int, int, bytes]] = []
    size = 0
    try:
        for number, offset, data in lines(file.path):
            if number in gone or number in file.forgotten:
                continue
            batch.append((number, offset, data))
            size += len(data)
            if size > BLOCK:
                yield batch
                batch, size = [], 0
    except BrokenOff as e:
        if e.rest.number not in gone:
            batch.append((e.rest.number, e.rest.offset, e.rest.data))
    if batch:
        yield batch
