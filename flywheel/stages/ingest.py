"""Raw files to conversations and feedback: each line read once, set aside with a status, or quarantined with a reason."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import orjson
import polars as pl

from flywheel.errors import FlywheelError, nearest
from flywheel.kinds import Source
from flywheel.lineage import Dataset, Derivation, Part, SnapshotRef, Step, Tables, cause
from flywheel.logs.exchange import to_json
from flywheel.logs.raw import RawFile, RawStore
from flywheel.logs.reader import RAW_FILES, read_piece, whole_files
from flywheel.records import CONVERSATIONS, FEEDBACK, SET_ASIDE, digests, short_hash
from flywheel.sources import SOURCES
from flywheel.storage.snapshots import Snapshot, StoredPart

UNDATED = "none"
"""Name of the part that holds lines set aside without a day: batch requests that wait for their response."""
NO_DAY = dt.date.min
ASIDE = ("id", "file", "line", "offset")
ID_OF = {"conversations": "id", "feedback": "feedback_id"}
POLICY = "of lines with one id the latest stands, then the one with the highest digest"

RECONCILED = pl.Schema(
    {
        "file": pl.String,
        "name": pl.String,
        "lines": pl.Int64,
        "accepted": pl.Int64,  # lines that stand behind a row, or wait to
        "quarantined": pl.Int64,
        "forgotten": pl.Int64,  # blank, for they belonged to somebody who is forgotten
        "repeated": pl.Int64,  # said again what another line said
        "conflicts": pl.Int64,  # said something else under the same id, and lost
        "waiting": pl.Int64,  # of those accepted: halves of calls whose other half has not arrived
    }
)


# --- raw files: one part per piece of a file


def read_files(raw: RawStore, secret: bytes, only_source: str | None = None) -> Dataset:
    """`raw_files`: every line of every file as a row or in quarantine; a part per piece of a file.

    A part has the name of its file, which is its digest, and where a file has several pieces the number of the piece.

    `only_source` names the one source to read with, instead of detecting it line by line.
    """
    if only_source is not None and only_source not in SOURCES:
        raise FlywheelError(
            f'there is no source "{only_source}".{nearest(only_source, SOURCES)} Sources: {", ".join(SOURCES)}.'
        )
    sources = [cls(use=use) for use, cls in SOURCES.items() if only_source in (None, use)]
    steps = tuple(source.step() for source in sources)
    key_id = short_hash(secret)
    files = raw.files()
    return Dataset(
        name="raw_files",
        schemas=RAW_FILES,
        parts=[part for file in files for part in _parts(raw, file, sources, secret)],
        derivation=Derivation(
            operation="read_files",
            inputs=tuple(SnapshotRef(name=f"raw:{f.name}", version=f.digest) for f in files),
            steps=steps,
        ),
        notes={"pseudonym_key": key_id},
    )


def _parts(raw: RawStore, file: RawFile, sources: Sequence[Source], secret: bytes) -> list[Part]:
    """The parts of one file: its name says which lines it may hold, so that it decides the content as its bytes do."""
    pieces = raw.pieces(file)
    by: list[object] = [[source.step() for source in sources], short_hash(secret)]
    if file.forgotten and len(pieces) == 1:  # else the digest of each piece tells
        by += [file.now, sorted(file.forgotten)]
    return [
        Part(
            file.digest if len(pieces) == 1 else f"{file.digest}-{piece.number:05}",
            cause("raw_file", file.digest, file.name, *by, *(piece if len(pieces) > 1 else ())),
            partial(read_piece, raw, file, piece, sources, secret),
        )
        for piece in pieces
    ]


# --- one row per id: which line stands, which say it again, which contradict it


def arrival_order(files: Snapshot) -> list[str]:
    """Digests of the raw files, first received first."""
    return [ref.version for ref in files.derivation.inputs]


@dataclass(frozen=True, slots=True)
class _Choice:
    """`kept`: the `day` and place (`at`, and `asked` for a request before it) of one line per id. `aside`: the others,
    SET_ASIDE and the day they belong to."""

    kept: pl.DataFrame
    aside: pl.DataFrame


def _choose(files: Snapshot, table: str, order: Sequence[str]) -> _Choice:
    """Of each id (and half) the line that stands: the latest, then the one with the highest digest.

    Among lines that say the same at the same time the bytes of the line decide, and only between identical lines the order
    of arrival: so no column but `raw` depends on it. Most ids come once, and of those only the id and the day are read.
    """
    lines = files.scan(table).with_row_index("at")
    half = pl.col("half") if table == "conversations" else pl.lit(None, pl.String)
    told = lines.select("at", id=ID_OF[table], half=half, day=pl.col("occurred_at").dt.date()).collect()
    contested = pl.col("id").is_duplicated() | pl.col("half").is_not_null()
    found = _settle(lines.join(told.lazy().filter(contested).select("at"), on="at", how="semi"), table, order)
    alone = told.filter(~contested).select("at", "day", asked=pl.lit(None, pl.UInt32))
    return _Choice(pl.concat([alone, found.kept]), found.aside)


def _settle(contested: pl.LazyFrame, table: str, order: Sequence[str]) -> _Choice:
    """Which of the lines that share an id stand, and which halves of calls belong together."""
    calls, place = table == "conversations", pl.col("raw").list.first().struct
    ranks = pl.DataFrame({"file": order, "arrival": range(len(order))}, schema={"file": pl.String, "arrival": pl.Int64})
    marked = (
        contested.select(
            "at",
            "digest",
            "occurred_at",
            "source",
            *[place.field(f) for f in ("file", "line", "offset")],
            id=ID_OF[table],
            half=pl.col("half") if calls else pl.lit(None, pl.String),
            native_id=pl.col("native_id") if calls else pl.lit(None, pl.String),
            day=pl.col("occurred_at").dt.date(),
            bytes=place.field("digest"),
        )
        .join(ranks.lazy(), on="file", how="left")
        .sort(
            ["id", "half", "occurred_at", "digest", "bytes", "arrival", "file", "line"],
            descending=[False, False, True, True, True, False, False, False],
            nulls_last=True,
        )
        .with_columns(
            stands=~(
                pl.col("id").eq(pl.col("id").shift()) & pl.col("half").eq_missing(pl.col("half").shift())
            ).fill_null(False)
        )
        .with_columns(
            kept_digest=pl.when("stands").then("digest").forward_fill(),
            kept_day=pl.when("stands").then(pl.col("day").fill_null(NO_DAY)).forward_fill().replace(NO_DAY, None),
        )
        .collect()
    )
    repeated = pl.col("digest") == pl.col("kept_digest")
    aside = marked.filter(~pl.col("stands")).select(
        *ASIDE,
        status=pl.when(repeated).then(pl.lit("repeated")).otherwise(pl.lit("id_conflict")),
        kept_id="id",
        day=pl.coalesce("day", "kept_day"),
    )
    paired = _pair(marked.filter("stands"))
    return _Choice(paired.kept, pl.concat([aside, paired.aside]))


def _pair(kept: pl.DataFrame) -> _Choice:
    """Join the halves of calls: `kept` gets the place of its request; a half without the other waits, in `aside`."""
    call = ["source", "native_id"]
    whole, requests, responses = (
        kept.filter(pl.col("half").eq_missing(pl.lit(h))) for h in (None, "request", "response")
    )
    asked = requests.select(*call, asked="at")
    waiting = pl.concat([requests.join(responses, on=call, how="anti"), responses.join(asked, on=call, how="anti")])
    return _Choice(
        pl.concat(
            [whole.with_columns(asked=pl.lit(None, pl.UInt32)), responses.join(asked, on=call)], how="diagonal"
        ).select("at", "day", "asked"),
        waiting.select(*ASIDE, status=pl.lit("waiting"), kept_id=pl.lit(None, pl.String), day="day"),
    )


# --- conversations and feedback: a part per UTC day of the event


def conversations(files: Snapshot, arrivals: Sequence[str] | None = None) -> Dataset:
    """`conversations`: one row per id; of lines with one id the latest stands. Halves of calls are joined, or wait.

    `arrivals`: digests of the files, first received first; the order of `files` where it is not given.
    """
    order = arrival_order(files) if arrivals is None else list(arrivals)
    chosen = _choose(files, "conversations", order)
    waiting = chosen.aside.lazy().filter(pl.col("status") == "waiting")
    return Dataset(
        name="conversations",
        schemas={"rows": CONVERSATIONS, "set_aside": SET_ASIDE},
        parts=_day_parts("conversations", files, chosen),
        derivation=_derivation("conversations", files, order),
        accounts_for=files.scan("conversations")
        .filter(pl.col("half").is_null() | (pl.col("half") == "response"))
        .select("id")
        .join(waiting, on="id", how="anti"),
        notes={"policy": POLICY},
    )


def feedback(files: Snapshot, arrivals: Sequence[str] | None = None) -> Dataset:
    """`feedback`: one row per event id, by the day on which the user acted. `arrivals`: as for `conversations`."""
    order = arrival_order(files) if arrivals is None else list(arrivals)
    return Dataset(
        name="feedback",
        schemas={"rows": FEEDBACK, "set_aside": SET_ASIDE},
        parts=_day_parts("feedback", files, _choose(files, "feedback", order)),
        derivation=_derivation("feedback", files, order),
        notes={"policy": POLICY},
    )


def _derivation(operation: str, files: Snapshot, order: Sequence[str]) -> Derivation:
    steps = (
        Step(use="arrivals", parameters={"order": short_hash(*order)}),
        Step(use="one_row_per_id", parameters={"policy": POLICY}),
    )
    return Derivation(operation=operation, inputs=(files.ref,), steps=steps)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of one stored table, by their numbers in it, in order."""

    part: StoredPart
    table: str
    numbers: pl.Series

    @property
    def cause(self) -> list[str]:
        """What decides them: the content of the part, and which of its rows they are."""
        return [self.part.version, short_hash(self.numbers.to_numpy().astype("<u4").tobytes())]

    def read(self) -> pl.DataFrame:
        """They themselves. Only the stretch of the table in which they lie is read."""
        first, last = int(self.numbers[0]), int(self.numbers[-1])
        stretch = self.part.scan(self.table).slice(first, last - first + 1).collect()
        if stretch.height == self.numbers.len():
            return stretch
        return stretch[self.numbers - first]


def _day_parts(name: str, files: Snapshot, chosen: _Choice) -> list[Part]:
    """A part per day, keyed by the rows it is made of, those before which requests stand, and the lines set aside."""
    found = partial(_rows_at, [p for p in files.parts if p.tables[name].rows], name)
    standing, lost = _by_day(chosen.kept), _by_day(chosen.aside)
    parts = []
    for day in sorted(standing.keys() | lost.keys()):
        mine, others = standing.get(day, chosen.kept.clear()), lost.get(day, chosen.aside.clear())
        others = others.select(SET_ASIDE.names()).sort(SET_ASIDE.names())
        rows, asked = found(mine["at"]), found(mine["asked"])
        key = cause(name, day, [r.cause for r in rows], [r.cause for r in asked], others.write_csv())
        parts.append(Part(day, key, partial(_make_day, name, rows, asked, others)))
    return parts


def _rows_at(parts: Sequence[StoredPart], table: str, at: pl.Series) -> list[_Rows]:
    """The rows at these places in the table of all parts together, part by part."""
    starts = pl.Series([0, *accumulate(p.tables[table].rows for p in parts)], dtype=pl.UInt32)
    places = at.drop_nulls().unique().sort()
    cuts = places.search_sorted(starts).to_list()
    return [
        _Rows(part, table, places[first:last] - start)
        for part, start, first, last in zip(parts, starts.to_list()[:-1], cuts[:-1], cuts[1:], strict=True)
        if first < last
    ]


def _by_day(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {
        UNDATED if day is None else str(day): lines for (day,), lines in frame.partition_by("day", as_dict=True).items()
    }


def _make_day(name: str, mine: Sequence[_Rows], asked: Sequence[_Rows], others: pl.DataFrame) -> Tables:
    rows = _read(mine, RAW_FILES[name])
    if asked:
        rows = _join_halves(rows, _read(asked, RAW_FILES[name]))
    return {"rows": rows.sort(ID_OF[name]), "set_aside": others}


def _read(rows: Sequence[_Rows], schema: pl.Schema) -> pl.DataFrame:
    return pl.concat([r.read() for r in rows]) if rows else pl.DataFrame(schema=schema)


def _join_halves(rows: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Put the request of each response half before its reply. What both halves say of the call, the request says first."""
    asked = {(r["source"], r["native_id"]): r for r in requests.to_dicts()}
    whole, halves = rows.filter(pl.col("half").is_null()), rows.filter(pl.col("half").is_not_null())
    joined = [_one_call(asked[response["source"], response["native_id"]], response) for response in halves.to_dicts()]
    return pl.concat([whole, pl.DataFrame(joined, schema=CONVERSATIONS)])


def _one_call(request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    row = {name: response[name] if request[name] is None else request[name] for name in CONVERSATIONS}
    of_response = ("id", "choice", "status", "response_id", "finish_reason", "response_extra", "occurred_at", "day")
    row |= {name: response[name] for name in of_response}
    row["model"] = response["model"] or request["model"]
    if response["model"] and request["model"] and request["model"] != response["model"]:
        row["parameters"] = to_json(orjson.loads(request["parameters"] or "{}") | {"model": request["model"]})
    row["conversation_id"] = row["conversation_id"] or f"{row['source']}:{row['native_id']}"
    row["messages"] = request["messages"] + response["messages"]
    row["raw"] = request["raw"] + response["raw"]
    further = {half["half"]: orjson.loads(half["metadata"]) for half in (request, response) if half["metadata"]}
    return row | digests(row["messages"], row["tools"]) | {"metadata": to_json(further), "half": None}


# --- what became of every line


RANK = {"accepted": 0, "waiting": 1, "id_conflict": 2, "repeated": 3}
"""What can become of a line; one of several choices counts once, for its best."""


def reconcile(files: Snapshot, conversations: Snapshot, feedback: Snapshot) -> pl.DataFrame:
    """RECONCILED, one row per raw file: lines = accepted + quarantined + forgotten + repeated + conflicts."""
    fates = _fates(conversations, feedback).group_by("file")
    counts = fates.agg(**{fate: (pl.col("fate") == n).sum().cast(pl.Int64) for fate, n in RANK.items()})
    return (
        whole_files(files)
        .with_columns(forgotten=pl.col("lines") - pl.col("accepted") - pl.col("quarantined"))
        .drop("accepted")
        .join(counts, on="file", how="left")
        .with_columns(pl.col(*RANK).fill_null(0))
        .select(
            "file",
            "name",
            "lines",
            pl.col("accepted") + pl.col("waiting"),
            "quarantined",
            "forgotten",
            "repeated",
            pl.col("id_conflict").alias("conflicts"),
            "waiting",
        )
        .sort("name", "file")
        .collect()
    )


def _fates(conversations: Snapshot, feedback: Snapshot) -> pl.LazyFrame:
    """`file`, `line`, `fate` (by RANK) of each line that a row was made of."""
    behind = [
        _places(s.scan("rows").explode("raw").select(pl.col("raw").struct.unnest()), "accepted")
        for s in (conversations, feedback)
    ]
    aside = [_places(s.scan("set_aside"), pl.col("status")) for s in (conversations, feedback)]
    told = pl.concat([*behind, *aside]).group_by("file", "line")
    return told.agg(pl.col("fate").replace_strict(RANK, return_dtype=pl.Int8).min())


def _places(lines: pl.LazyFrame, fate: str | pl.Expr) -> pl.LazyFrame:
    return lines.select("file", "line", fate=pl.lit(fate) if isinstance(fate, str) else fate)


def ingest_report(
    files: Snapshot,
    conversations: Snapshot,
    feedback: Snapshot,
    digests: Collection[str],
    known: Collection[str] = (),
    back: Mapping[str, Collection[int]] | None = None,
) -> dict[str, Any]:
    """What became of the lines of the files named by `digests`: read = accepted + quarantined + repeated + forgotten.

    A line that lost to another with its id counts as quarantined, reason id_conflict. Files in `known` were there before:
    they add nothing, so what they brought counts as repeated. `back`: those that were there before, and the numbers of their
    lines that were blank until now.
    """
    mine = reconcile(files, conversations, feedback).filter(pl.col("file").is_in(list(digests)))
    again = pl.col("file").is_in(list(known))
    new = pl.when(again).then(0).otherwise(pl.col("accepted"))
    if back:
        mine = mine.join(_stand(_fates(conversations, feedback), back), on="file", how="left")
        new = pl.when(pl.col("file").is_in(list(back))).then(pl.col("stand").fill_null(0)).otherwise(new)
    listed = mine.select(
        "name",
        digest="file",
        read="lines",
        accepted=new,
        quarantined=pl.col("quarantined") + pl.col("conflicts"),
        repeated=pl.col("repeated") + pl.col("accepted") - new,
        forgotten="forgotten",
    )
    reasons = files.scan("quarantine").filter(pl.col("file").is_in(list(digests))).group_by("reason").len().collect()
    by_reason = dict(reasons.iter_rows())
    if conflicts := int(mine["conflicts"].sum()):
        by_reason["id_conflict"] = conflicts
    totals = {name: int(listed[name].sum()) for name in ("read", "accepted", "quarantined", "repeated", "forgotten")}
    return totals | {"by_reason": dict(sorted(by_reason.items())), "files": listed.to_dicts()}


def _stand(fates: pl.LazyFrame, lines: Mapping[str, Collection[int]]) -> pl.DataFrame:
    """`file`, `stand`: how many of these lines of each file stand behind a row, or wait to."""
    places = [(file, number) for file, numbers in lines.items() for number in sorted(numbers)]
    wanted = pl.LazyFrame(places, schema={"file": pl.String, "line": pl.Int64}, orient="row")
    standing = fates.filter(pl.col("fate") <= RANK["waiting"]).join(wanted, on=["file", "line"], how="semi")
    return standing.group_by("file").agg(stand=pl.len().cast(pl.Int64)).collect()
