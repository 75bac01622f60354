"""One user forgotten in a home that has been in use: two versions, every kind of file, a broken line, an expert's word, a run."""

import gzip
import io
import json
import os
import re
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import duckdb
import polars as pl
import pytest
import zstandard

from flywheel.__main__ import run
from flywheel.audit.forward import reached
from flywheel.erasure import forget as erasure
from flywheel.erasure import receipt
from flywheel.erasure.suppression import read, sealed
from flywheel.home import Home
from flywheel.logs.identities import pseudonym
from flywheel.storage.catalog import Catalog
from tests.homes import RECIPE, call, drop, small_home, thumb

PERSON = '\n[[signal]]\nuse = "person"\nmetadata = "account.id"\n'
SECRETS = (
    "subject-7",
    "subject-07b",
    "Qx7 marmalade",
    "request-of-seven",
    "account-of-seven",
    "보라색 두더지가 달빛 아래에서",
)
TEXT = "Qx7 marmalade tango under the quiet violet lantern"
KOREAN = "보라색 두더지가 달빛 아래에서 천천히 노래를 부르는 까닭을 알려 주세요"


def theirs(n: int, user: str, text: str, id: str) -> dict:
    line = call(n, id=id, user_id=user, account={"id": "account-of-seven"})
    line["request"]["messages"][0]["content"] = text
    return line


def home_in_use(path: Path) -> Home:
    """A home whose second build is of today: the subject is in both versions."""
    home = small_home(path, RECIPE + PERSON)
    drop(home, "logs/theirs.jsonl", call(40), theirs(41, "subject-7", TEXT, "request-of-seven-1"), call(42))
    expert = thumb(41, up=False) | {"event_id": "fb_expert", "type": "correction", "request_id": "request-of-seven-1"}
    expert |= {"user_id": "expert", "value": None, "correction": f"{TEXT}, said better."}
    drop(home, "feedback/theirs.jsonl", thumb(40, up=True), expert)
    assert run(["build", "--home", str(path)]) == 0
    packed = [call(43), theirs(44, "subject-07b", KOREAN, "request-of-seven-2"), call(45)]
    (home.inbox / "logs" / "packed.jsonl.gz").write_bytes(
        gzip.compress("".join(json.dumps(line) + "\n" for line in packed).encode(), mtime=0)
    )
    (home.inbox / "logs" / "subject-7").mkdir()
    (home.inbox / "logs" / "subject-7" / "broken-subject-7.jsonl").write_text(
        json.dumps(call(46)) + "\n" + '{"user_id": "subject-7", "request": {"messages": \n' + "not theirs\n"
    )
    for file in (home.inbox / "logs").rglob("*"):
        drop_old(file)
    assert run(["build", "--home", str(path)]) == 0
    (home.path / "cache").mkdir()
    with sqlite3.connect(home.path / "cache" / "embeddings.db") as db:
        db.execute("CREATE TABLE vectors (model TEXT, text BLOB, vector BLOB)")
    shutil.copytree(home.raw.root, home.path / "trial" / "raw")
    return home


def drop_old(file: Path) -> None:
    os.utime(file, (time.time() - 60, time.time() - 60))


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    return home_in_use(tmp_path_factory.mktemp("used") / "home")


@pytest.fixture(scope="module")
def before(used):
    """What is known before: where other lines lie, which versions there are."""
    files = used.store.head("raw_files")
    rows = used.store.head("conversations").scan().select("id", "raw").collect()
    return {"rows": rows, "exports": exports(used), "version": files.version}


def exports(home: Home) -> set[str]:
    return {
        str(p.parent.relative_to(home.exports))
        for p in home.exports.glob("*/*/manifest.json")
        if p.parent.name != "current"
    }


@pytest.fixture(scope="module")
def traced(used):
    """What `flywheel trace` reaches from some users and sessions, and what a dry run says would go of each."""
    found = {}
    asked = [("user", u) for u in ("subject-7", "subject-07b", "expert", "u3", "u40")] + [("conversation", "s3")]
    for by, value in asked:
        with Catalog.open(used) as catalog:
            found[value] = reached(catalog, by, value)
        found[value]["dry"] = said("forget", f"--{by}", value, "--home", used.path)[1]
    return found


@pytest.fixture(scope="module")
def done(used, before, traced):
    """The dry run, and the erasure."""
    dry = said("forget", "--user", "subject-7", "--home", used.path)
    held = traces(used.path)
    code, answer = said("forget", "--user", "subject-7", "--home", used.path, "--yes")
    return {"dry": dry, "held_after_dry": held, "code": code, "answer": answer, "held": traces(used.path)}


def said(*arguments):
    """Exit code, and the JSON object on stdout."""
    with redirect_stdout(io.StringIO()) as out:
        code = run([*map(str, arguments), "--json"])
    return code, json.loads(out.getvalue().splitlines()[-1])


def traces(home: Path) -> dict[str, list[str]]:
    """Every file that holds something of them, unpacked by other means than the product's, or is named so, and what; folders, too."""
    secret = bytes.fromhex((home / "pseudonym.key").read_text().strip())
    wanted = [*SECRETS, *(pseudonym(u, secret) for u in SECRETS[:2])]
    wanted += [json.dumps(w)[1:-1] for w in wanted]
    found = {}
    for path in sorted(p for p in home.rglob("*") if not p.is_symlink()):
        data = path.name.encode() + (path.read_bytes() + unpacked(path) if path.is_file() else b"")
        if hit := [w for w in wanted if w.encode() in data]:
            found[str(path.relative_to(home))] = hit
    return found


def unpacked(path: Path) -> bytes:
    head = path.open("rb").read(16)
    if head[:2] == b"\x1f\x8b":
        return gzip.decompress(path.read_bytes())
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()
    if head[:4] == b"PAR1":
        return str(pl.read_parquet(path).to_dicts()).encode()
    if head[:6] == b"SQLite":
        with sqlite3.connect(path) as db:
            return "\n".join(db.iterdump()).encode()
    if head[8:12] == b"DUCK":
        with duckdb.connect(str(path), read_only=True) as db:
            tables = [t for (t,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            return str([db.execute(f'SELECT * FROM "{t}"').fetchall() for t in tables]).encode()
    return b""


@pytest.mark.slow
def test_a_dry_run_tells_what_would_go_and_removes_nothing(done):
    code, answer = done["dry"]
    assert code == 0
    assert answer["would_erase"]
    assert sum(answer["lines"].values()) == 4  # two calls, an expert's word on one of them, a line that is broken
    assert {v["set"] for v in answer["versions"]} == {"answers"}
    assert {p.split("/")[0] for p in done["held_after_dry"]} >= {
        "raw",
        "snapshots",
        "exports",
        "inbox",
        "catalog.duckdb",
        "trial",
    }


@pytest.mark.slow
def test_row_68_forgetting_a_user_gives_a_list_of_sets_and_rows_rebuilt_sets_without_them_and_a_receipt(
    used, done, before
):
    answer = done["answer"]
    assert done["code"] == 0
    assert {v["version"] for v in answer["versions"]} == {
        e.partition("/")[2] for e in before["exports"] if "answers" in e
    }
    assert len(answer["row_marks"]) == 3
    assert answer["rows"]["conversations"] == 2
    rebuilt = pl.read_parquet(used.exports / "answers" / "current" / "rows.parquet")
    assert rebuilt.height == 29
    assert not rebuilt["parents"].explode().str.contains("request-of-seven").any()
    assert (used.path / "receipts" / f"{answer['id']}.md").exists()


@pytest.mark.slow
def test_whatever_trace_reaches_of_them_a_dry_run_says_would_go(used, traced):
    assert traced["subject-7"]["calls"]
    assert traced["subject-7"]["examples"]
    for value, told in traced.items():
        dry, marks = told["dry"], set(told["dry"]["row_marks"])
        # own events and those of others about their calls: what is said of a call goes with it
        ids = {c["id"] for c in told["calls"]} | {e["feedback_id"] for e in told["events"]}
        assert ids, value
        assert {id for id in ids if sealed("row", id, used.secret) not in marks} == set(), value
        held = {(v["set"], v["version"]): v["examples"] for v in dry["versions"]}
        reach = {(e["set"], e["version"], e["example"]) for e in told["examples"]}
        for version, n in Counter(e[:2] for e in reach).items():
            assert held.get(version, 0) >= n, (value, version)  # a dry run counts every example made of a row of theirs


@pytest.mark.slow
def test_nothing_of_them_is_in_any_byte_of_the_home(done):
    assert done["held"] == {}
    assert done["answer"]["proof"]["clean"]
    assert done["answer"]["proof"]["sought"] > 8


@pytest.mark.slow
def test_no_version_that_held_them_is_left(used, done, before):
    assert not {f"answers/{v['version']}" for v in done["answer"]["versions"]} & exports(used)


@pytest.mark.slow
def test_the_receipt_names_nobody(used, done):
    for path in (used.path / "receipts").iterdir():
        assert not re.search("|".join(SECRETS), path.read_text())
    assert erasure.unfinished(used) is None
    assert not (used.path / "forgetting.json").exists()


@pytest.mark.slow
def test_every_other_line_keeps_its_place_and_its_bytes(used, done, before):
    now = used.store.head("conversations").scan().select("id", "raw").collect()
    kept = before["rows"].join(now, on="id", how="semi").sort("id")
    assert now.sort("id").equals(kept)
    assert kept.height == before["rows"].height - 2
    files = {f.digest: f for f in used.raw.files()}
    for refs in kept["raw"]:
        for ref in refs:
            file = files[ref["file"]]
            assert ref["line"] not in file.forgotten
            data = gzip.decompress(file.path.read_bytes()) if file.name.endswith(".gz") else file.path.read_bytes()
            assert json.loads(data[ref["offset"] : ref["offset"] + ref["length"]])
    assert used.raw.verify() == []


@pytest.mark.slow
def test_every_line_is_accounted_for(used, done):
    from flywheel.stages.ingest import reconcile

    told = reconcile(*[used.store.head(n) for n in ("raw_files", "conversations", "feedback")])
    parts = pl.sum_horizontal("accepted", "quarantined", "forgotten", "repeated", "conflicts")
    assert told.filter(pl.col("lines") != parts).is_empty()
    assert told["forgotten"].sum() == 4


@pytest.mark.slow
def test_row_148_two_ids_of_one_person_are_forgotten_together(done):
    assert done["answer"]["rows"]["conversations"] == 2  # one of each id
    assert done["answer"]["lines"]["user"] == 3


@pytest.mark.slow
def test_the_same_file_and_the_same_lines_in_another_file_do_not_bring_them_back(used, done, tmp_path):
    again = tmp_path / "theirs.jsonl"
    lines = [call(40), theirs(41, "subject-7", TEXT, "request-of-seven-1"), call(42)]
    again.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, answer = said("ingest", again, "--home", used.path)
    assert (code, answer["forgotten"], answer["accepted"]) == (0, 1, 0)
    other = tmp_path / "other.jsonl.zst"
    lines = [theirs(47, "subject-07b", "Anything else they might say on another day", "new-1"), call(48)]
    other.write_bytes(zstandard.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    late = tmp_path / "late.jsonl"
    late.write_text(json.dumps(thumb(41, True) | {"event_id": "fb_late", "request_id": "request-of-seven-1"}) + "\n")
    code, answer = said("ingest", other, late, "--home", used.path)
    assert (answer["read"], answer["forgotten"], answer["accepted"]) == (3, 2, 1)
    assert answer["read"] == sum(answer[k] for k in ("accepted", "quarantined", "repeated", "forgotten"))
    assert traces(used.path) == {}


@pytest.mark.slow
def test_the_same_request_again_names_the_receipt(used, done):
    code, answer = said("forget", "--user", "subject-7", "--home", used.path)
    assert code == 1
    assert done["answer"]["id"] in answer["error"]


@pytest.mark.slow
def test_one_conversation_and_one_source_can_be_forgotten(used, done):
    code, answer = said("forget", "--conversation", "s3", "--home", used.path)
    assert (code, answer["lines"], answer["rows"]["conversations"]) == (0, {"conversation": 1}, 1)
    code, answer = said("forget", "--source", "packed.jsonl.gz", "--home", used.path)
    assert (code, answer["lines"]) == (0, {"line": 2})
    code, answer = said("forget", "--source", "openai_chat", "--home", used.path)
    assert answer["rows"]["conversations"] == used.store.head("conversations").count()
    code, answer = said("forget", "--conversation", "nobody-here", "--home", used.path)
    assert (code, "nothing of that conversation" in answer["error"]) == (1, True)
    code, answer = said("forget", "--user", "nobody-here", "--home", used.path)
    assert (code, answer["would_erase"], answer["would_suppress"]) == (0, False, True)


@pytest.mark.slow
def test_what_a_request_must_name(used):
    for wrong in ([], ["--user", "a", "--source", "b"]):
        code, answer = said("forget", *wrong, "--home", used.path)
        assert (code, answer["error"][:8]) == (2, "name one")


@pytest.mark.parametrize("folder", ["subject-7", "logs/subject-7", "logs/of/subject-7/2026"])
def test_a_folder_of_the_inbox_named_after_them_goes_with_its_files(tmp_path, folder):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    (home.inbox / folder).mkdir(parents=True)
    drop(home, f"{folder}/a.jsonl", call(1, user_id="subject-7"), call(2))
    erasure.begin(home, erasure.plan(home, "user", "subject-7"))
    erasure.blank(home)
    assert sorted(str(p.relative_to(home.inbox)) for p in home.inbox.rglob("*")) == ["feedback", "logs"]
    assert [f.name for f in home.raw.files()] == ["forgotten.jsonl"]


def kept_out(home: Home, user: str):
    return said("forget", "--user", user, "--yes", "--home", home.path)


def test_a_user_of_whom_nothing_is_there_is_kept_from_coming_in(tmp_path):
    home = Home.create(tmp_path / "home", 'name = "x"\n')  # before any log has come
    code, dry = said("forget", "--user", "subject-7", "--home", home.path)
    assert (code, dry["would_erase"], dry["would_suppress"], dry["lines"]) == (0, False, True, {})
    assert read(home.raw.root).entries == {}
    code, made = kept_out(home, "subject-7")
    assert (code, made["erased"], made["lines"], made["files"], made["rebuilt"]) == (0, False, {}, [], {})
    assert [(e.id, e.kind) for e in read(home.raw.root).entries.values()] == [(made["id"], "user")]
    assert erasure.unfinished(home) is None
    source = tmp_path / "a.jsonl"
    source.write_text("".join(json.dumps(call(n, user_id=u)) + "\n" for n, u in ((1, "u1"), (2, "subject-7"))))
    assert home.raw.keep(source)[0].forgotten == {2}
    assert traces(home.path) == {}
    code, again = said("forget", "--user", "subject-7", "--yes", "--home", home.path)
    assert (code, made["id"] in again["error"], len(read(home.raw.root).entries)) == (1, True, 1)
    assert said("forget", "--lift", made["id"], "--yes", "--home", home.path)[0] == 0
    began = json.loads((home.path / "receipts" / f"{made['id']}.json").read_text())["began"]
    while receipt.now() == began:  # an id is of the second
        time.sleep(0.05)
    assert kept_out(home, "subject-7")[0] == 0  # what was lifted can be asked for again
    assert home.raw.keep(source)[0].forgotten == {2}


def test_where_nothing_is_there_nothing_is_removed_and_the_receipt_says_what_was_searched(tmp_path, capsys):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    drop(home, "logs/a.jsonl", call(1), call(2))
    (home.path / "cache").mkdir()
    for name in ("catalog.duckdb", "cache/embeddings.db"):
        (home.path / name).write_bytes(b"kept")
    (home.path / "notes.txt").write_text('"subject-7"')  # outside of the raw files, and so not looked at
    for arguments in ([], ["--yes"]):
        assert run(["forget", "--user", "subject-7", *arguments, "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    assert "Nothing of that user is in this home" in text
    assert "Nothing of them was there; they are kept from coming in" in text
    (path,) = (home.path / "receipts").glob("*.json")
    proof = json.loads(path.read_text())["proof"]
    raw = [p for p in home.raw.root.rglob("*") if p.is_file()]
    assert (proof["clean"], proof["searched"], proof["sought"], proof["files"]) == (True, "raw", 2, len(raw))
    assert proof["unpacked"] >= sum(p.stat().st_size for p in raw)
    assert "those of the raw logs and no others" in path.with_suffix(".md").read_text()
    assert (
        (home.path / "catalog.duckdb").read_bytes() == (home.path / "cache" / "embeddings.db").read_bytes() == b"kept"
    )


def test_a_suppression_killed_before_its_receipt_is_ended_by_the_next_command(tmp_path):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    with home.lock():
        erasure.begin(home, erasure.plan(home, "user", "subject-7"))
    code, answer = kept_out(home, "subject-8")
    assert (code, erasure.unfinished(home)) == (0, None)
    assert set(read(home.raw.root).entries) == {answer["id"], answer["finished_before"]}
    assert {p.stem for p in (home.path / "receipts").glob("*.json")} == {answer["id"], answer["finished_before"]}
