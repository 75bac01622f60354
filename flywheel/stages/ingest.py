"""Raw files to conversations and feedback: each line read once, set aside with a status, or quarantined with a reason."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import polars as pl

from flywheel.errors import FlywheelError, nearest
from flywheel.exchange import to_json
from flywheel.lineage import Dataset, Derivation, Part, SnapshotRef, Step, Tables, cause
from flywheel.raw import RawStore
from flywheel.reader import RAW_FILES, read_file
from flywheel.records import CONVERSATIONS, FEEDBACK, SET_ASIDE, digests, short_hash
from flywheel.snapshots import Snapshot, StoredPart
from flywheel.sources import SOURCES

UNDATED = "none"
"""Name of the part that holds lines set aside without a day: batch requests that wait for their response."""
NO_DAY = dt.date.min
ID_OF = {"conversations": "id", "feedback": "feedback_id"}
POLICY = "of lines with one id the latest stands, then the one with the highest digest"

RECONCILED = pl.Schema(
    {
        "file": pl.String,
        "name": pl.String,
        "lines": pl.Int64,
        "accepted": pl.Int64,  # lines that stand behind a row, or wait to
        "quarantined": pl.Int64,
        "repeated": pl.Int64,  # said again what another line said
        "conflicts": pl.Int64,  # said something else under the same id, and lost
        "waiting": pl.Int64,  # of those accepted: halves of calls whose other half has not arrived
    }
)


# --- raw files: one part per file


def read_files(raw: RawStore, secret: bytes, only_source: str | None = None) -> Dataset:
    """`raw_files`: every line of every file as a row or in quarantine; a part per file, in the order of arrival.

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
        parts=[
            Part(
                f.digest,
                cause("raw_file", f.digest, f.name, list(steps), key_id),
                partial(read_file, raw, f, sources, secret),
            )
            for f in files
        ],
        derivation=Derivation(
            operation="read_files",
            inputs=tuple(SnapshotRef(name=f"raw:{f.name}", version=f.digest) for f in files),
            steps=steps,
        ),
        notes={"pseudonym_key": key_id},
    )


# --- one row per id: which line stands, which say it again, which contradict it


def arrival_order(files: Snapshot) -> list[str]:
    """Digests of the raw files, first received first."""
    return [ref.version for ref in files.derivation.inputs]


@dataclass(frozen=True, slots=True)
class _Choice:
    """`kept`: one line per id, with slim columns. `aside`: the others, SET_ASIDE and the day they belong to."""

    kept: pl.DataFrame
    aside: pl.DataFrame


def _choose(files: Snapshot, table: str, id_column: str, order: Sequence[str], *further: str) -> _Choice:
    """Of each id (and half) the line that stands: the latest, then the one with the highest digest.

    Among lines that say the same at the same time the bytes of the line decide, and only between identical lines the order
    of arrival: so no column but `raw` depends on it. Reads slim columns only.
    """
    place = pl.col("raw").list.first().struct
    slim = files.scan(table).select(
        pl.col(id_column).alias("id"),
        pl.col("half") if table == "conversations" else pl.lit(None, pl.String).alias("half"),
        "digest",
        "occurred_at",
        pl.col("occurred_at").dt.date().alias("day"),
        *[place.field(f) for f in ("file", "line", "offset")],
        place.field("digest").alias("bytes"),
        *further,
    )
    ranks = pl.DataFrame({"file": order, "arrival": range(len(order))}, schema={"file": pl.String, "arrival": pl.Int64})
    marked = (
        slim.join(ranks.lazy(), on="file", how="left")
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
    aside = marked.filter(~pl.col("stands")).select(
        "id",
        "file",
        "line",
        "offset",
        status=pl.when(pl.col("digest") == pl.col("kept_digest"))
        .then(pl.lit("repeated"))
        .otherwise(pl.lit("id_conflict")),
        kept_id="id",
        day=pl.coalesce("day", "kept_day"),
    )
    return _Choice(
        marked.filter("stands").select("id", "half", "digest", "day", "file", "line", "offset", *further), aside
    )


def _pair(kept: pl.DataFrame) -> _Choice:
    """Join the halves of calls: `kept` gets the place of its request; a half without the other waits, in `aside`."""
    call = ["source", "native_id"]
    whole, requests, responses = (
        kept.filter(pl.col("half").eq_missing(pl.lit(h))) for h in (None, "request", "response")
    )
    asked = requests.select(*call, request_file="file", request_line="line", request_digest="digest")
    waiting = pl.concat([requests.join(responses, on=call, how="anti"), responses.join(asked, on=call, how="anti")])
    nowhere = {c: pl.lit(None, asked.schema[c]) for c in ("request_file", "request_line", "request_digest")}
    return _Choice(
        pl.concat([whole.with_columns(**nowhere), responses.join(asked, on=call)]),
        waiting.select(
            "id", "file", "line", "offset", status=pl.lit("waiting"), kept_id=pl.lit(None, pl.String), day="day"
        ),
    )


# --- conversations and feedback: a part per UTC day of the event


def conversations(files: Snapshot, arrivals: Sequence[str] | None = None) -> Dataset:
    """`conversations`: one row per id; of lines with one id the latest stands. Halves of calls are joined, or wait.

    `arrivals`: digests of the files, first received first; the order of `files` where it is not given.
    """
    order = arrival_order(files) if arrivals is None else list(arrivals)
    chosen = _choose(files, "conversations", "id", order, "source", "native_id")
    paired = _pair(chosen.kept)
    return Dataset(
        name="conversations",
        schemas={"rows": CONVERSATIONS, "set_aside": SET_ASIDE},
        parts=_day_parts("conversations", files, paired.kept, pl.concat([chosen.aside, paired.aside])),
        derivation=_derivation("conversations", files, order),
        accounts_for=files.scan("conversations")
        .filter(pl.col("half").is_null() | (pl.col("half") == "response"))
        .select("id")
        .join(paired.aside.lazy(), on="id", how="anti"),
        notes={"policy": POLICY},
    )


def feedback(files: Snapshot, arrivals: Sequence[str] | None = None) -> Dataset:
    """`feedback`: one row per event id, by the day on which the user acted. `arrivals`: as for `conversations`."""
    order = arrival_order(files) if arrivals is None else list(arrivals)
    chosen = _choose(files, "feedback", "feedback_id", order)
    return Dataset(
        name="feedback",
        schemas={"rows": FEEDBACK, "set_aside": SET_ASIDE},
        parts=_day_parts("feedback", files, chosen.kept, chosen.aside),
        derivation=_derivation("feedback", files, order),
        notes={"policy": POLICY},
    )


def _derivation(operation: str, files: Snapshot, order: Sequence[str]) -> Derivation:
    steps = (
        Step(use="arrivals", parameters={"order": short_hash(*order)}),
        Step(use="one_row_per_id", parameters={"policy": POLICY}),
    )
    return Derivation(operation=operation, inputs=(files.ref,), steps=steps)


def _day_parts(name: str, files: Snapshot, kept: pl.DataFrame, aside: pl.DataFrame) -> list[Part]:
    """A part per day, keyed by the lines it is made of and the content of the files that hold them."""
    by_file = {p.name: p for p in files.parts}
    standing, lost = _by_day(kept), _by_day(aside)
    parts = []
    for day in sorted(standing.keys() | lost.keys()):
        mine, others = standing.get(day, kept.clear()), lost.get(day, aside.clear())
        asked: Iterable[str] = mine["request_file"].drop_nulls() if "request_file" in mine.columns else []
        needed = {f: by_file[f] for f in sorted({*mine["file"], *asked})}
        key = cause(
            name,
            day,
            mine.sort("id").write_csv(),
            others.sort(SET_ASIDE.names()).write_csv(),
            [[file, part.version] for file, part in needed.items()],
        )
        parts.append(Part(day, key, partial(_make_day, name, needed, mine, others)))
    return parts


def _by_day(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {
        UNDATED if day is None else str(day): lines for (day,), lines in frame.partition_by("day", as_dict=True).items()
    }


def _make_day(name: str, needed: Mapping[str, StoredPart], mine: pl.DataFrame, others: pl.DataFrame) -> Tables:
    rows = _stored(name, needed, mine)
    if name == "conversations" and mine["request_file"].null_count() < mine.height:
        asked = mine.filter(pl.col("request_file").is_not_null()).select(
            pl.concat_str("source", "native_id", separator=":").alias("id"), file="request_file", line="request_line"
        )
        rows = _join_halves(rows, _stored(name, needed, asked.unique()))
    return {
        "rows": rows.sort(ID_OF[name]),
        "set_aside": others.select(SET_ASIDE.names()).sort(SET_ASIDE.names()),
    }


def _stored(table: str, needed: Mapping[str, StoredPart], wanted: pl.DataFrame) -> pl.DataFrame:
    """The rows of raw_files that stand at the places wanted (`id`, `file`, `line`), read from those files only."""
    id_column, found = ID_OF[table], []
    days = wanted["day"].unique().to_list() if "day" in wanted.columns else []
    for (file,), places in wanted.partition_by("file", as_dict=True).items():
        scan = needed[str(file)].scan(table)
        if len(days) == 1:  # lets the reader skip row groups of other days
            start = dt.datetime.combine(days[0], dt.time(), dt.UTC)
            scan = scan.filter(pl.col("occurred_at").is_between(start, start + dt.timedelta(days=1), closed="left"))
        at = places.lazy().select(pl.col("id").alias(id_column), pl.col("line").alias("at"))
        found.append(
            scan.with_columns(at=pl.col("raw").list.first().struct.field("line"))
            .join(at, on=[id_column, "at"], how="semi")
            .drop("at")
        )
    return pl.concat(pl.collect_all(found)) if found else pl.DataFrame(schema=RAW_FILES[table])


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


def reconcile(files: Snapshot, conversations: Snapshot, feedback: Snapshot) -> pl.DataFrame:
    """RECONCILED, one row per raw file: lines = accepted + quarantined + repeated + conflicts."""
    behind = [
        _places(s.scan("rows").explode("raw").select(pl.col("raw").struct.unnest()), "accepted")
        for s in (conversations, feedback)
    ]
    aside = [_places(s.scan("set_aside"), pl.col("status")) for s in (conversations, feedback)]
    rank = {
        "accepted": 0,
        "waiting": 1,
        "id_conflict": 2,
        "repeated": 3,
    }  # a line of several choices counts once, for its best
    counts = (
        pl.concat([*behind, *aside])
        .group_by("file", "line")
        .agg(pl.col("fate").replace_strict(rank, return_dtype=pl.Int8).min())
        .group_by("file")
        .agg(**{fate: (pl.col("fate") == n).sum().cast(pl.Int64) for fate, n in rank.items()})
    )
    return (
        files.scan("files")
        .drop("accepted")
        .join(counts, on="file", how="left")
        .with_columns(pl.col(*rank).fill_null(0))
        .select(
            "file",
            "name",
            "lines",
            pl.col("accepted") + pl.col("waiting"),
            "quarantined",
            "repeated",
            pl.col("id_conflict").alias("conflicts"),
            "waiting",
        )
        .sort("name", "file")
        .collect()
    )


def _places(lines: pl.LazyFrame, fate: str | pl.Expr) -> pl.LazyFrame:
    return lines.select("file", "line", fate=pl.lit(fate) if isinstance(fate, str) else fate)


def ingest_report(
    files: Snapshot, conversations: Snapshot, feedback: Snapshot, digests: Collection[str], known: Collection[str] = ()
) -> dict[str, Any]:
    """What became of the lines of the files named by `digests`: read = accepted + quarantined + repeated.

    A line that lost to another with its id counts as quarantined, reason id_conflict. Files in `known` were there before:
    they add nothing, so what they brought counts as repeated.
    """
    mine = reconcile(files, conversations, feedback).filter(pl.col("file").is_in(list(digests)))
    again = pl.col("file").is_in(list(known))
    new = pl.when(again).then(0).otherwise(pl.col("accepted"))
    listed = mine.select(
        "name",
        digest="file",
        read="lines",
        accepted=new,
        quarantined=pl.col("quarantined") + pl.col("conflicts"),
        repeated=pl.col("repeated") + pl.col("accepted") - new,
    )
    reasons = files.scan("quarantine").filter(pl.col("file").is_in(list(digests))).group_by("reason").len().collect()
    by_reason = dict(reasons.iter_rows())
    if conflicts := int(mine["conflicts"].sum()):
        by_reason["id_conflict"] = conflicts
    totals = {name: int(listed[name].sum()) for name in ("read", "accepted", "quarantined", "repeated")}
    return totals | {"by_reason": dict(sorted(by_reason.items())), "files": listed.to_dicts()}
