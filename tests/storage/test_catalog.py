"""The catalog over a small home made by hand: three calls, two of them duplicates, one disliked late; two versions of a set."""

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys

import duckdb
import orjson
import polars as pl
import pytest

from flywheel.errors import SnapshotDamaged, UnknownRow
from flywheel.home import Home
from flywheel.labels import COMPARISONS, LABELS, LEDGER
from flywheel.lineage import Dataset, Derivation, Part, Step, cause
from flywheel.logs.reader import FILES
from flywheel.records import FEEDBACK, QUARANTINE, REJECTED, SET_ASIDE, SLIM
from flywheel.rewriting import EDITS_MADE
from flywheel.sets import EXAMPLES, REJECTED_EXAMPLES
from flywheel.storage.catalog import Catalog, state
from flywheel.storage.catalog_tables import COPIED, OWN, SETS, VIEWS
from flywheel.storage.lineage_tables import LINEAGE
from tests.build import chat, rows

STRINGS = pl.List(pl.String)
LOG = b'{"id": "r1"}\n{"id": "r2", "text": "\xe2\x80\xa8"}\nbroken\n{"id": "r3"}\n{"id": "r1"}\n'
EVENTS = b'{"event": "f1"}\n{"event": "f2"}\n'
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def publish(home, name, tables, inputs=(), **parameters):
    """One dataset of one part."""
    schemas = {t: f.schema for t, f in tables.items()}
    refs = tuple(home.store.head(i).ref for i in inputs)
    content = [f.write_ndjson() for f in tables.values() if "raw" not in f.columns or f.schema["raw"] != pl.Binary]
    derivation = Derivation(operation=name, inputs=refs, steps=(Step(use=f"make_{name}", parameters=parameters),))
    return home.store.publish(
        Dataset(
            name,
            schemas,
            [Part("all", cause(name, parameters, [r.version for r in refs], content), lambda: tables)],
            derivation,
        )
    )


def ref(file, data, number):
    """The raw reference of one line of `data`."""
    line = data.split(b"\n")[number - 1]
    offset = sum(len(x) + 1 for x in data.split(b"\n")[: number - 1])
    return {
        "file": file,
        "line": number,
        "offset": offset,
        "length": len(line),
        "digest": hashlib.sha256(line).hexdigest(),
    }


def frame(schema, *records):
    return pl.DataFrame([{c: r.get(c) for c in schema} for r in records], schema=schema)


def label_home(home, thumb):
    """Labels and ledger after `thumb` was given to r1."""
    ledger = [
        {
            "feedback_id": "fb:f1",
            "kind": "thumb",
            "explicit": True,
            "target_id": "r1",
            "id": "openai_chat:r1",
            "status": "applied",
            "late": thumb < 0,
            "day": NOON.date(),
        },
        {
            "feedback_id": "fb:f2",
            "kind": "edit",
            "explicit": True,
            "target_id": "r9",
            "id": None,
            "status": "orphan",
            "late": False,
            "day": NOON.date(),
        },
    ]
    label = {"id": "openai_chat:r1", "thumb": thumb, "contradicted": False, "feedback": ["fb:f1"], "day": NOON.date()}
    tables = {
        "rows": frame(LABELS, label),
        "comparisons": pl.DataFrame(schema=COMPARISONS),
        "ledger": frame(LEDGER, *ledger),
    }
    return publish(home, "labels", tables, ["conversations", "feedback"], thumb=thumb)


def set_home(home, kept, rejected):
    """A candidate holding `kept` ({id: (split, digest)}) and refusing `rejected` ({id: reason})."""
    examples = [
        {
            "id": i,
            "digest": digest,
            "kind": "sft",
            "parents": [i],
            "prompt": [],
            "completion": [],
            "feedback": ["fb:f1"] if i.endswith("r1") else [],
        }
        | {"origin": "logged", "cell": "app=chat", "group": i, "split": split}
        for i, (split, digest) in kept.items()
    ]
    no = [{"id": i, "parents": [i], "reasons": [r]} for i, r in rejected.items()]
    return publish(
        home,
        "support",
        {"rows": frame(EXAMPLES, *examples), "rejected": frame(REJECTED_EXAMPLES, *no)},
        ["curated", "screened", "labels"],
        kept=list(kept.items()),
        rejected=sorted(rejected),
    )


def export(home, snapshot):
    """Write what a release writes, as far as the catalog reads it. Returns the name of the folder."""
    folder = home.exports / snapshot.name / snapshot.version[:12]
    folder.mkdir(parents=True)
    rows = snapshot.scan().collect()
    rows.write_parquet(folder / "rows.parquet")
    lines = {
        f"{p}{s}.jsonl": rows.filter(split=s)["id"].to_list() for s in ("train", "validation") for p in ("", "trl/")
    }
    (folder / "manifest.json").write_bytes(orjson.dumps({"set": snapshot.name, "lines": lines}))
    current = folder.parent / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(folder.name)
    return folder.name


@pytest.fixture
def home(tmp_path):
    """A home in which r2 is a duplicate of r1, r3 was refused by a filter, and r1 and r4 are in a released set."""
    home = Home.create(tmp_path / "a home's [x]")
    (tmp_path / "log.jsonl").write_bytes(LOG)
    (tmp_path / "events.jsonl").write_bytes(EVENTS)
    log, _ = home.raw.keep(tmp_path / "log.jsonl")
    events, _ = home.raw.keep(tmp_path / "events.jsonl")
    calls = rows(
        *[
            chat(
                "user: hi",
                f"assistant: hello {n}",
                id=f"openai_chat:r{n}",
                raw=[ref(log.digest, LOG, line)],
                occurred_at=NOON,
            )
            for n, line in ((1, 1), (2, 2), (3, 4), (4, 4))
        ]
    )
    quarantine = {
        "file": log.digest,
        "line": 3,
        "offset": ref(log.digest, LOG, 3)["offset"],
        "reason": "not_json",
        "detail": "",
        "raw": b"broken",
    }
    files = {"file": log.digest, "name": log.name, "size": log.size, "lines": 5, "accepted": 4, "quarantined": 1}
    publish(
        home,
        "raw_files",
        {
            "files": frame(FILES, files),
            "quarantine": frame(QUARANTINE, quarantine),
            "rows": pl.DataFrame(schema={"id": pl.String}),
        },
    )
    aside = {
        "id": "openai_chat:r1",
        "file": log.digest,
        "line": 5,
        "offset": ref(log.digest, LOG, 5)["offset"],
        "status": "repeated",
        "kept_id": "openai_chat:r1",
    }
    publish(home, "conversations", {"rows": calls, "set_aside": frame(SET_ASIDE, aside)}, ["raw_files"])
    spoken = [
        {
            "feedback_id": f"fb:f{n}",
            "kind": kind,
            "target_id": target,
            "value": -1.0,
            "actor_kind": "end_user",
            "occurred_at": NOON,
            "received_at": NOON,
            "raw": [ref(events.digest, EVENTS, n)],
        }
        for n, kind, target in ((1, "thumb", "r1"), (2, "edit", "r9"))
    ]
    publish(
        home, "feedback", {"rows": frame(FEEDBACK, *spoken), "set_aside": pl.DataFrame(schema=SET_ASIDE)}, ["raw_files"]
    )
    label_home(home, thumb=1)
    measured = pl.DataFrame({"id": calls["id"], "day": calls["day"], "prompt_chars": [2] * 4, "language": ["en"] * 4})
    publish(home, "signals", {"rows": measured}, ["conversations"])
    screened = calls.filter(pl.col("id") != "openai_chat:r3").with_columns(undesired=pl.lit([], dtype=STRINGS))
    refused = {"id": "openai_chat:r3", "digest": calls["digest"][2], "reasons": ["too_short", "refusal"]}
    edit = {
        "id": "openai_chat:r1",
        "message": 1,
        "field": "content",
        "edit": "redact_email",
        "count": 2,
        "chars_before": 9,
        "chars_after": 8,
    }
    publish(
        home,
        "screened",
        {"rows": screened, "rejected": frame(REJECTED, refused), "edits": frame(EDITS_MADE, edit)},
        ["conversations", "signals", "labels"],
    )
    pool = screened.filter(pl.col("id") != "openai_chat:r2").select(*SLIM, "undesired")
    twin = {
        "id": "openai_chat:r2",
        "digest": calls["digest"][1],
        "reasons": ["near_duplicate"],
        "instead": "openai_chat:r1",
        "similarity": 0.9,
    }
    publish(home, "curated", {"rows": pool, "rejected": frame(REJECTED, twin)}, ["screened"])
    export(home, set_home(home, {"openai_chat:r1": ("train", "x"), "openai_chat:r4": ("validation", "y")}, {}))
    return home


def test_every_table_is_there_and_says_what_it_is(home):
    with Catalog.open(home) as catalog:
        described = {
            r["name"]: r["comment"]
            for r in catalog.rows("SELECT table_name AS name, comment FROM duckdb_tables() WHERE NOT internal")
        }
        described |= {
            r["name"]: r["comment"]
            for r in catalog.rows("SELECT view_name AS name, comment FROM duckdb_views() WHERE NOT internal")
        }
        assert set(described) == {c.name for c in COPIED} | set(SETS) | set(OWN) | set(VIEWS) | set(LINEAGE)
        assert all(described.values())
        told = catalog.rows(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'conversations' AND column_name = 'digest'"
        )
        assert told == [{"comment": "what it is; changes when its text changes"}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT count(*) FROM conversations", 4),
        ("SELECT count(*) FROM conversation_text WHERE len(messages) = 2", 4),
        ("SELECT raw::VARCHAR FROM quarantine", "broken"),
        ("SELECT string_agg(status, ' ' ORDER BY feedback_id) FROM feedback_ledger", "applied orphan"),
        ("SELECT count(*) FROM contradictions", 0),
        ("SELECT prompt_chars FROM signals WHERE id = 'openai_chat:r1'", 2),
        ("SELECT instead FROM rejections WHERE dataset = 'curated'", "openai_chat:r1"),
        ("SELECT parent_id FROM example_parents WHERE id = 'openai_chat:r4'", "openai_chat:r4"),
        ("SELECT line FROM release_lines WHERE file = 'trl/validation.jsonl'", 1),
        ("SELECT count(*) FROM snapshots WHERE head", 8),
        ("SELECT count(*) FROM derivation_inputs WHERE dataset = 'support'", 3),
        ("SELECT use FROM derivation_steps WHERE dataset = 'curated'", "make_curated"),
        ("SELECT rows FROM parts WHERE dataset = 'support' AND \"table\" = 'rows'", 2),
        ("SELECT current FROM releases", True),
    ],
)
def test_what_the_tables_hold(home, query, expected):
    with Catalog.open(home) as catalog:
        assert [*catalog.rows(query)[0].values()] == [expected]


def test_text_is_not_copied_into_the_file(home):
    with Catalog.open(home) as catalog:
        columns = {
            r["c"]
            for r in catalog.rows(
                "SELECT column_name AS c FROM duckdb_columns() WHERE table_name IN ('conversations', 'screened', 'feedback')"
            )
        }
    assert not columns & {"messages", "tools", "metadata", "text", "correction"}


def test_an_empty_home_has_every_table(tmp_path):
    with Catalog.open(Home.create(tmp_path / "h")) as catalog:
        for name in [*(c.name for c in COPIED), *OWN, *VIEWS, *LINEAGE, "conversation_text"]:
            assert catalog.rows(f'SELECT count(*) AS n FROM "{name}"') == [{"n": 1 if name == "state" else 0}]
        with pytest.raises(UnknownRow, match="Nothing has been built in this home yet"):
            catalog.why("r1")


def test_a_fresh_file_is_reused_and_a_stale_one_rebuilt(home):
    Catalog.open(home).close()
    first = home.catalog_file.stat().st_ino
    Catalog.open(home).close()
    assert home.catalog_file.stat().st_ino == first
    before = state(home)
    label_home(home, thumb=-1)
    assert state(home) != before
    with Catalog.open(home) as catalog:
        assert catalog.rows("SELECT thumb FROM labels") == [{"thumb": -1}]
    assert home.catalog_file.stat().st_ino != first


@pytest.mark.parametrize(
    "spoil", [lambda f: f.unlink(), lambda f: f.write_bytes(b"not a database"), lambda f: f.write_bytes(b"")]
)
def test_deleting_or_spoiling_it_loses_nothing(home, spoil):
    Catalog.open(home).close()
    spoil(home.catalog_file)
    with Catalog.open(home) as catalog:
        assert not catalog.in_memory
        assert catalog.rows("SELECT count(*) AS n FROM conversations") == [{"n": 4}]
    assert [p.name for p in home.path.glob(".catalog-*")] == []


def test_a_client_that_holds_the_file_blocks_nobody(home):
    Catalog.open(home).close()
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()",
            str(home.catalog_file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert held.stdout.readline() == b"held\n"
        with Catalog.open(home) as catalog:
            assert catalog.rows("SELECT count(*) AS n FROM conversations") == [{"n": 4}]
    finally:
        held.communicate()


def test_where_no_file_can_be_written_it_is_built_in_memory(home):
    def connect(name, **options):
        if name != ":memory:":
            raise duckdb.IOException("disk full")
        return duckdb.connect(name, **options)

    with Catalog.open(home, connect) as catalog:
        assert catalog.in_memory
        assert catalog.rows("SELECT count(*) AS n FROM curated") == [{"n": 2}]


def test_a_home_that_moved_is_found_again(home, tmp_path):
    Catalog.open(home).close()
    home.path.rename(tmp_path / "moved")
    moved = Home.open(tmp_path / "moved")
    with Catalog.open(moved) as catalog:
        assert catalog.rows("SELECT count(*) AS n FROM conversation_text") == [{"n": 4}]
        assert catalog.why("r1")["sources"][0]["file"].startswith(str(tmp_path / "moved"))


def test_what_it_holds_is_told_by_content_alone(home, tmp_path):
    before = state(home)
    shutil.copytree(home.path, tmp_path / "copy", symlinks=True, copy_function=shutil.copy)
    for file in (tmp_path / "copy").rglob("*.json"):
        os.utime(file)
    copy = Home.open(tmp_path / "copy")
    assert state(copy) == before
    with Catalog.open(copy) as catalog:
        assert catalog.state == before
        assert catalog.rows("SELECT path FROM releases")[0]["path"].startswith(str(tmp_path / "copy"))


def test_a_damaged_table_is_named_with_its_cure(home):
    table = home.store.head("curated").parts[0].tables["rows"].path
    table.write_bytes(b"x" * table.stat().st_size)
    with pytest.raises(
        SnapshotDamaged, match=r"rows\.parquet cannot be read .* Delete the folder .*, then run: flywheel build"
    ):
        Catalog.open(home)


def test_row_148_the_catalog_lists_who_is_who(tmp_path):
    home = Home.create(tmp_path / "h")
    calls = rows(
        *[chat("user: a", "assistant: b", id=f"s:{i}", user=u) for i, u in enumerate(["u_a", "u_b", "u_a", None])]
    )
    people = pl.DataFrame({"id": calls["id"], "person": ["u_a", "u_a", "u_a", None]})
    publish(home, "conversations", {"rows": calls, "set_aside": pl.DataFrame(schema=SET_ASIDE)})
    with Catalog.open(home) as catalog:
        assert catalog.rows("FROM identities") == []
    publish(home, "signals", {"rows": people})
    with Catalog.open(home) as catalog:
        found = catalog.rows("SELECT * FROM identities ORDER BY user")
    assert found == [{"user": "u_a", "person": "u_a", "rows": 2}, {"user": "u_b", "person": "u_a", "rows": 1}]
