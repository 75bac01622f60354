"""One piece of a raw file to four tables: its lines as rows of conversations and feedback, or in quarantine, and how many of each."""

import datetime as dt
import gc
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import orjson
import polars as pl

from flywheel.errors import Unreadable
from flywheel.kinds import Source
from flywheel.lineage import Tables
from flywheel.logs.exchange import EPOCH
from flywheel.logs.identities import pseudonym
from flywheel.logs.pieces import Piece
from flywheel.logs.raw import BrokenOff, Line, RawFile, RawStore
from flywheel.records import (
    CONVERSATIONS,
    FEEDBACK,
    MESSAGE,
    MESSAGE_FIELDS,
    QUARANTINE,
    RAW_REF,
    UTC_TIME,
    digests_in_order,
    in_order,
    short_hash,
)
from flywheel.storage.scratch import Kept, Scratch
from flywheel.storage.snapshots import Snapshot

LONGEST = 32 << 20
"""Bytes of a line beyond which it is quarantined unread."""
BATCH = 4 << 20
"""Bytes of lines whose rows are gathered before they become a frame."""
SPILL = 96 << 20
"""Bytes of lines whose frames are held before they are put aside: more than any piece of a file that can be cut."""
MICROSECOND = dt.timedelta(microseconds=1)
BOM = b"\xef\xbb\xbf"

FILES = pl.Schema(  # a row per piece; lines = accepted + quarantined + those that were forgotten
    {
        "file": pl.String,  # sha256
        "name": pl.String,
        "size": pl.Int64,  # of the piece
        "lines": pl.Int64,
        "accepted": pl.Int64,
        "quarantined": pl.Int64,
    }
)
RAW_FILES = {
    "conversations": CONVERSATIONS,
    "feedback": FEEDBACK,
    "quarantine": QUARANTINE,
    "files": FILES,
}


CALL = tuple(c for c in CONVERSATIONS if c not in ("messages", "occurred_at", "day", "parents", "raw"))
EVENT = tuple(c for c in FEEDBACK if c not in ("occurred_at", "received_at", "raw"))
"""The columns that a source and `complete` say in full; the others are made of them."""
Row = tuple[Any, ...]


def read_piece(raw: RawStore, file: RawFile, piece: Piece, sources: Sequence[Source], secret: bytes) -> Tables:
    """The four tables of one piece of a file. Raises `RawChanged` when its bytes are not those received.

    Those of a compressed file, which cannot be cut, may be lazy: what does not fit into memory lies in scratch files, which
    go when the tables do.
    """
    reader = Reader(file, sources, secret, Scratch(raw.root))
    with _without_collecting():
        reader.take_all(raw.lines(file, piece))
    return reader.tables(piece.size)


def whole_files(files: Snapshot) -> pl.LazyFrame:
    """FILES, a row per raw file: what was counted in its pieces, together."""
    counted = pl.col("size", "lines", "accepted", "quarantined").sum()
    return files.scan("files").group_by("file").agg(pl.col("name").first(), counted).select(FILES.names()).sort("file")


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of small live objects make the cyclic collector cost a third of the time, and find nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Reader:
    """Takes the lines of one file and gathers rows: of conversations and of feedback, or in quarantine."""

    def __init__(self, file: RawFile, sources: Sequence[Source], secret: bytes, scratch: Scratch | None = None) -> None:
        self.file, self.sources, self.secret, self.scratch = file, sources, secret, scratch
        self.lines = self.refused = self.held = self.framed = self.forgotten = 0
        self.rows: dict[str, list[Row]] = {name: [] for name in FRAMES}
        self.frames: dict[str, list[pl.DataFrame]] = {name: [] for name in FRAMES}
        self.pseudonyms: dict[str, str] = {}

    def take_all(self, lines: Iterable[Line]) -> None:
        """Read every line; where the file breaks off, what is left of it goes to quarantine."""
        try:
            for line in self.remembered(lines) if self.file.forgotten else lines:
                self.take(line)
        except BrokenOff as e:
            self.lines += 1
            self.refuse(e.rest, "truncated_file", str(e))
        self.flush()

    def remembered(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines that were not forgotten; those that were are counted."""
        for line in lines:
            if line.number in self.file.forgotten:
                self.lines, self.forgotten = self.lines + 1, self.forgotten + 1
            else:
                yield line

    def take(self, line: Line) -> None:
        """Read one line into rows, or into quarantine."""
        self.lines += 1
        try:
            source, rows, events = self.read(line)
            ref = (line.number, line.offset, len(line.data), hashlib.sha256(line.data).hexdigest())
            done = [self.complete(source, row, ref) for row in rows]
            said_too = [self.complete_event(source, event, ref) for event in events]
        except Unreadable as e:
            self.refuse(line, e.reason, e.detail)
        except orjson.JSONEncodeError as e:  # what can be parsed can be nested deeper than what can be written
            self.refuse(line, "too_deep", str(e))
        except Exception as e:  # a fault of a source must cost its lines, not the build; a check counts the reason
            self.refuse(line, "source_failed", f"{type(e).__name__}: {e}"[:200])
        else:
            self.rows[source.gives] += done
            self.rows["feedback"] += said_too
            self.hold(line)

    def read(self, line: Line) -> tuple[Source, list[dict[str, Any]], list[dict[str, Any]]]:
        """The source that takes a line, its rows, and the feedback that a line of conversations holds beside them."""
        value = parsed(line)
        for source in self.sources:
            if source.recognises(value):
                return source, source.read(value), source.said(value) if source.speaks else []
        raise Unreadable(
            "unknown_format", f"no source takes a line with the keys {', '.join(sorted(value))[:200] or '(none)'}"
        )

    def complete(self, source: Source, row: dict[str, Any], ref: tuple[int, int, int, str]) -> Row:
        """The row with what only we can say, as values in the order of the columns that `flush` makes of them."""
        if source.gives == "feedback":
            return self.complete_event(source, row, ref)
        use, get = source.use, row.get
        row["source"] = use
        native, choice = plain_id(row["native_id"]), get("choice")
        row["origin"] = get("origin") or source.origin
        row["id"] = f"{use}:{native}#{choice}" if choice else f"{use}:{native}"
        row["user"] = self.pseudonym(get("user"))
        if get("conversation_id") is None and get("half") is None:
            row["conversation_id"] = f"{use}:{native}"
        messages = list(map(in_order, row["messages"]))
        row["digest"], row["prompt_digest"], row["reply_digest"] = digests_in_order(messages, get("tools"))
        return (messages, *map(get, CALL), _micros(get("occurred_at")), *ref)

    def complete_event(self, source: Source, row: dict[str, Any], ref: tuple[int, int, int, str]) -> Row:
        """The same for an event of feedback."""
        row["source"] = source.use
        row["feedback_id"] = f"{source.use}:{plain_id(row['native_id'])}"
        row["actor"] = self.pseudonym(row["actor"])
        row["digest"] = said(row)
        return (*map(row.get, EVENT), *map(_micros, (row.get("occurred_at"), row.get("received_at"))), *ref)

    def pseudonym(self, value: str | None) -> str | None:
        """The same for the same person in calls and in feedback; nobody can check a guess without the home's key."""
        if value is None:
            return None
        known = self.pseudonyms.get(value)
        if known is None:
            known = self.pseudonyms[value] = pseudonym(value, self.secret)
        return known

    def refuse(self, line: Line, reason: str, detail: str) -> None:
        self.refused += 1
        self.rows["quarantine"].append((None, line.number, line.offset, reason, detail, line.data))
        self.hold(line)

    def hold(self, line: Line) -> None:
        self.held += len(line.data)
        if self.held > BATCH:
            self.flush()

    def flush(self) -> None:
        """Turn the rows gathered so far into frames; put these aside where they become too many."""
        for table, frame in FRAMES.items():
            if rows := self.rows[table]:
                self.frames[table].append(frame(rows, self.file.digest))
                self.rows[table] = []
        self.framed, self.held = self.framed + self.held, 0
        if self.scratch is not None and self.framed > SPILL:
            for table, frames in self.frames.items():
                if frames:
                    self.scratch.add(table, pl.concat(frames))
                    frames.clear()
            self.framed = 0

    def tables(self, size: int = 0) -> Tables:
        """What was read; `size`: of how many bytes of the file."""
        accepted = self.lines - self.refused - self.forgotten
        counts = (self.file.digest, self.file.name, size, self.lines, accepted, self.refused)
        tables: dict[str, pl.DataFrame | pl.LazyFrame] = {"files": pl.DataFrame([counts], schema=FILES, orient="row")}
        for table, frames in self.frames.items():
            rest = pl.concat(frames) if frames else pl.DataFrame(schema=RAW_FILES[table])
            aside = self.scratch is not None and self.scratch.paths[table]
            tables[table] = pl.concat([self.scratch.scan(table), rest.lazy()]) if self.scratch and aside else rest
        return Kept(tables, self.scratch) if self.scratch else tables


PLAIN_ID = re.compile(r"[A-Za-z0-9._:/+=~-]{1,120}")


def plain_id(native: str) -> str:
    """An application's id as part of ours: as it is, or a hash of it where it is long or holds more than plain characters.

    So an id never carries an e-mail address, markup or control characters into a file name, a manifest or a terminal, and "#",
    by which we tell choices apart, is ours alone. Feedback still finds its call by the native id, which is kept.
    """
    return native if PLAIN_ID.fullmatch(native) else "sha-" + short_hash(native)[:24]


def parsed(line: Line) -> dict[str, Any]:
    """The JSON object of a line. Raises `Unreadable`: blank_line, line_too_long, invalid_utf8, not_json, not_an_object."""
    data = line.data.removeprefix(BOM) if line.offset == 0 else line.data
    if len(data) > LONGEST:
        raise Unreadable("line_too_long", f"{len(data):,} bytes; at most {LONGEST:,} are read")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as e:
        if not data.strip():
            raise Unreadable("blank_line") from None
        try:
            data.decode()
        except UnicodeDecodeError as bad:
            raise Unreadable("invalid_utf8", f"byte {bad.start} of the line: {bad.reason}") from None
        raise Unreadable("not_json", str(e)) from None
    if not isinstance(value, dict):
        raise Unreadable("not_an_object", f"the line is a JSON {type(value).__name__}; expected an object")
    return value


SAID = (
    "kind",
    "target_kind",
    "target_id",
    "choice",
    "actor_kind",
    "actor",
    "value",
    "text",
    "correction",
    "chosen_id",
    "others",
)


def said(row: Mapping[str, Any]) -> str:
    """Digest of what an event says, whatever its id and whenever it arrived."""
    return short_hash(orjson.dumps([row.get(name) for name in SAID]), row["occurred_at"].isoformat())


# --- rows to frames: column by column, the messages of all rows as one and then grouped again


def conversation_frame(rows: Sequence[Row], file: str) -> pl.DataFrame:
    """CONVERSATIONS from complete rows of one file."""
    messages, *columns = zip(*rows, strict=True)
    *simple, occurred_at, line, offset, length, digest = columns
    made = [pl.Series(c, v, dtype=CONVERSATIONS[c]) for c, v in zip(CALL, simple, strict=True)]
    frame = pl.DataFrame([*made, _messages(messages), _moments("occurred_at", occurred_at)])
    return frame.with_columns(
        _raw(file, line, offset, length, digest),
        day=pl.col("occurred_at").dt.date(),
        parents=pl.lit([], dtype=pl.List(pl.String)),
    ).select(CONVERSATIONS.names())


def feedback_frame(rows: Sequence[Row], file: str) -> pl.DataFrame:
    """FEEDBACK from complete rows of one file."""
    *simple, occurred_at, received_at, line, offset, length, digest = zip(*rows, strict=True)
    made = [pl.Series(c, v, dtype=FEEDBACK[c]) for c, v in zip(EVENT, simple, strict=True)]
    frame = pl.DataFrame([*made, _moments("occurred_at", occurred_at), _moments("received_at", received_at)])
    return frame.with_columns(_raw(file, line, offset, length, digest)).select(FEEDBACK.names())


def _micros(when: dt.datetime | None) -> int | None:
    return None if when is None else (when - EPOCH) // MICROSECOND


def _moments(name: str, micros: Sequence[int | None]) -> pl.Series:
    return pl.Series(name, micros, dtype=pl.Int64).cast(UTC_TIME)


def _messages(of_rows: Sequence[list[tuple[str | None, ...]]]) -> pl.Series:
    """The messages of each row; the rows are in order, so that grouping moves nothing."""
    counts = pl.Series(list(map(len, of_rows)), dtype=pl.UInt32)
    fields = zip(*chain.from_iterable(of_rows), strict=True)
    flat = [pl.Series(name, values, dtype=pl.String) for name, values in zip(MESSAGE_FIELDS, fields, strict=False)]
    rows = pl.DataFrame({"row": range(len(of_rows)), "count": counts}, schema={"row": pl.UInt32, "count": pl.UInt32})
    if not flat:
        return pl.Series("messages", [[]] * len(of_rows), dtype=pl.List(MESSAGE))
    whose = rows.select(pl.col("row").repeat_by("count").explode(empty_as_null=False).set_sorted())
    listed = (
        whose.with_columns(messages=pl.DataFrame(flat).to_struct()).group_by("row", maintain_order=True).agg("messages")
    )
    if listed.height < len(of_rows):
        joined = rows.join(listed, on="row", how="left", maintain_order="left")
        listed = joined.select(pl.col("messages").fill_null(pl.lit([], dtype=pl.List(MESSAGE))))
    return listed["messages"].cast(pl.List(MESSAGE))


def _raw(file: str, *columns: Sequence[Any]) -> pl.Series:
    refs = [
        pl.Series(name, values) for name, values in zip(("line", "offset", "length", "digest"), columns, strict=True)
    ]
    return (
        pl.DataFrame(refs)
        .select(pl.struct(pl.lit(file).alias("file"), "line", "offset", "length", "digest").cast(RAW_REF))
        .select(pl.col("file").reshape((-1, 1)).arr.to_list().alias("raw"))
        .to_series()
    )


def quarantine_frame(rows: Sequence[Row], file: str) -> pl.DataFrame:
    """QUARANTINE from the lines of a file that were refused."""
    return pl.DataFrame(rows, schema=QUARANTINE, orient="row").with_columns(file=pl.lit(file))


FRAMES: Mapping[str, Callable[[Sequence[Row], str], pl.DataFrame]] = {
    "conversations": conversation_frame,
    "feedback": feedback_frame,
    "quarantine": quarantine_frame,
}
"""Table -> what makes a frame of its rows and the digest of their file."""
