"""What was suppressed can be listed and lifted; a file that is given again then brings its lines back, and no other."""

import gzip
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from flywheel.__main__ import run
from flywheel.audit import doctor
from flywheel.erasure import forget as began
from flywheel.erasure import lifting, receipt
from flywheel.erasure.forget import JOURNAL
from flywheel.erasure.suppression import LIST, OLDER, add, listed, read
from flywheel.errors import ErasureUnfinished, RawUnsettled, UnknownRow
from flywheel.home import Home
from flywheel.logs.blank import forget as blanked
from flywheel.logs.identities import pseudonym
from flywheel.logs.inbox import take, taken
from flywheel.logs.raw import RawStore
from flywheel.storage.snapshots import file_digest
from tests.erasure.killing import befallen
from tests.erasure.test_forget import TEXT, said, theirs, traces
from tests.homes import call, drop, small_home, thumb

WHEN = "2026-03-02T12:00:00+00:00"
PACK = {"a.jsonl": lambda data: data, "a.jsonl.gz": lambda data: gzip.compress(data, mtime=0)}


def wrote(path: Path, *told: dict) -> Path:
    data = "".join(json.dumps(line) + "\n" for line in told).encode()
    path.write_bytes(PACK["a.jsonl.gz" if path.suffix == ".gz" else "a.jsonl"](data))
    return path


@pytest.fixture
def home(tmp_path) -> Home:
    """A home whose list has two users; both have call req_5."""
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    for id, name in (("one", "subject-7"), ("two", "subject-8")):
        names = {"user": {pseudonym(name, home.secret)}, "call": {"req_5"}}
        add(home.raw.root, id, "user", WHEN, names, home.secret)
    return home


@pytest.mark.parametrize("name", PACK)
def test_the_same_file_brings_lines_back_that_are_no_longer_meant(home, tmp_path, name):
    whole = [call(1), call(2, user_id="subject-7"), call(3, user_id="subject-8"), call(5)]
    source = wrote(tmp_path / name, *whole)
    file, _ = home.raw.keep(source)
    assert file.forgotten == {2, 3, 4}
    told = lifting.lift(home, "one")
    assert (told["digests"], told["still"]) == (2, 1)
    assert home.raw.files() == [file]  # nothing by itself
    now, came = home.raw.keep(source)
    assert (came, now.forgotten, now.arrival, now.digest) == (True, {3, 4}, file.arrival, file.digest)
    data = gzip.decompress(now.path.read_bytes()) if name.endswith(".gz") else now.path.read_bytes()
    assert [json.loads(line) if line.strip() else None for line in data.splitlines()] == [*whole[:2], None, None]
    assert home.raw.keep(source) == (now, False)
    lifting.lift(home, "two")
    now, came = home.raw.keep(source)
    assert (came, now.forgotten, now.now, now.name) == (True, frozenset(), "", name)
    assert now.path.read_bytes() == source.read_bytes()
    assert not now.path.stat().st_mode & 0o222
    assert sorted(p.name for p in now.path.parent.iterdir()) == [f"3-{name}", "arrival.json"]
    assert home.raw.keep(source) == (now, False)
    assert home.raw.verify() == []
    assert blanked(now, {2}).forgotten == {2}  # and can be forgotten again


def erased(home: Home, user: str) -> str:
    """Forget a user but for the build; the id of the receipt it would have."""
    began.begin(home, began.plan(home, "user", user))
    began.blank(home)
    id = receipt.id_of(began.unfinished(home))
    (home.path / JOURNAL).unlink()
    return id


@pytest.mark.parametrize("order", [("subject-7", "subject-8"), ("subject-8", "subject-7")])
@pytest.mark.parametrize("piece", [1 << 28, 2000])
def test_what_would_have_gone_with_another_stays_blank_whoever_was_forgotten_first(tmp_path, monkeypatch, order, piece):
    """What was blank when that one was forgotten was not seen then: it is looked at when the file is given again."""
    monkeypatch.setattr("flywheel.logs.pieces.PIECE", piece)
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    said, of = "where is the third violet lantern of the market?", {"session_id": "shared"}
    told = [
        theirs(1, "subject-8", said, "req_1") | of,
        theirs(2, "subject-7", said, "req_2") | of,
        theirs(3, "subject-7", "what else is there to be had?", "req_3") | of,
        call(4, user_id="subject-7", metadata={"for": "subject-8"}),
        call(5, user_id="subject-7"),
        call(6, user_id="subject-8"),
        call(7),
        thumb(2, up=True) | {"user_id": "expert", "event_id": "of_2"},
    ]
    source = wrote(tmp_path / "a.jsonl", *told)
    home.raw.keep(source)
    ids = {user: erased(home, user) for user in order}
    assert home.raw.keep(source)[0].forgotten == {1, 2, 3, 4, 5, 6, 8}
    lifting.lift(home, ids["subject-7"])
    assert home.raw.keep(source)[0].forgotten == {1, 2, 4, 6, 8}
    lifting.lift(home, ids["subject-8"])
    assert home.raw.keep(source)[0].forgotten == frozenset()


def test_a_large_file_is_cut_anew(home, tmp_path, monkeypatch):
    monkeypatch.setattr("flywheel.logs.pieces.PIECE", 2000)
    source = wrote(
        tmp_path / "a.jsonl", *[call(n, user_id="subject-7" if n in (7, 23) else f"u{n}") for n in range(6, 30)]
    )
    other = RawStore(tmp_path / "raw")
    before, _ = other.keep(source)
    file, _ = home.raw.keep(source)
    assert file.forgotten == {2, 18}
    home.raw.pieces(file)
    lifting.lift(home, "one")
    now, came = home.raw.keep(source)
    assert came
    assert home.raw.pieces(now) == other.pieces(before)
    assert [line for piece in home.raw.pieces(now) for line in home.raw.lines(now, piece)]


def test_a_name_taken_from_a_file_comes_back_with_whose_it_is(home, tmp_path):
    source = wrote(tmp_path / "calls-of-subject-7.jsonl", call(1), call(2, user_id="subject-7"))
    file, _ = home.raw.keep(source)
    blanked(file, file.forgotten, "forgotten.jsonl")
    other = wrote(tmp_path / "calls-of-subject-8.jsonl", call(1), call(3, user_id="subject-7"))
    kept = blanked(home.raw.keep(other)[0], {2}, "forgotten.jsonl")
    lifting.lift(home, "one")
    assert home.raw.keep(source)[0].name == "calls-of-subject-7.jsonl"
    again, came = home.raw.keep(other)
    assert (came, again.digest, again.name, again.forgotten) == (True, kept.digest, "forgotten.jsonl", frozenset())


def test_a_file_that_was_only_renamed_gets_its_name_back(home, tmp_path):
    source = wrote(tmp_path / "subject-7.jsonl.gz", call(1))
    file = blanked(home.raw.keep(source)[0], (), "forgotten.jsonl.gz")
    assert home.raw.keep(source) == (file, False)
    lifting.lift(home, "one")
    now, came = home.raw.keep(source)
    assert (came, now.name, now.now) == (True, "subject-7.jsonl.gz", "")


def test_a_file_gets_the_name_of_its_folder_back(home, tmp_path):
    source = wrote(tmp_path / "a.jsonl", call(1))
    file = blanked(home.raw.keep(source, "logs/subject-7/a.jsonl")[0], (), "forgotten.jsonl")
    lifting.lift(home, "one")
    now, came = home.raw.keep(source, "logs/subject-7/a.jsonl")
    assert (came, now.digest, now.name, now.path.name) == (True, file.digest, "logs/subject-7/a.jsonl", "2-a.jsonl")
    assert now.path.read_bytes() == source.read_bytes()


def test_the_inbox_takes_the_original_again_though_its_time_is_that_of_before(home):
    path = drop(home, "logs/a.jsonl", call(1), call(2, user_id="subject-7"))
    whole, time = path.read_bytes(), path.stat().st_mtime_ns
    (file,) = take(home)
    assert path.read_bytes() != whole
    lifting.lift(home, "one")
    assert take(home) == []  # what lies there blank is no new file
    assert [f.digest for f in home.raw.files()] == [file.digest]
    path.write_bytes(whole)
    os.utime(path, ns=(time, time))
    (now,) = take(home)
    assert (now.digest, now.forgotten) == (file.digest, frozenset())
    assert path.read_bytes() == whole
    assert take(home) == []
    assert set(taken(home).values()) == {file.digest}


def test_what_is_listed_and_lifted_names_nobody(home, capsys):
    told = said("forget", "--suppressed", "--home", home.path)[1]
    assert told == {
        "suppressed": [{"id": id, "kind": "user", "began": WHEN, "digests": 2} for id in ("one", "two")],
        "lifted": [],
    }
    code, dry = said("forget", "--lift", "one", "--home", home.path)
    assert (code, dry["would_lift"], dry["lifted"], dry["digests"], dry["still"]) == (0, True, "", 2, 1)
    assert set(read(home.raw.root).entries) == {"one", "two"}
    code, done = said("forget", "--lift", "one", "--yes", "--home", home.path)
    assert (code, done["would_lift"], bool(done["lifted"])) == (0, False, True)
    assert set(read(home.raw.root).entries) == {"two"}
    assert sorted(p.name for p in (home.path / "receipts").iterdir()) == ["one-lifted.json", "one-lifted.md"]
    receipt = json.loads((home.path / "receipts" / "one-lifted.json").read_text())
    facts = {"id": "one", "kind": "user", "began": WHEN, "lifted": done["lifted"], "digests": 2, "still": 1}
    assert receipt == facts | {"files": []}
    (was,) = said("forget", "--suppressed", "--home", home.path)[1]["lifted"]
    assert was == facts
    for arguments in (["--suppressed"], ["--lift", "two"], ["--lift", "two", "--yes"]):
        assert run(["forget", *arguments, "--home", str(home.path)]) == 0
    text = capsys.readouterr().out + (home.path / "receipts" / "two-lifted.md").read_text()
    assert "only when a file that has them is given again" in text
    for name in (
        "subject",
        "req_5",
        pseudonym("subject-7", home.secret),
        *listed(home.raw.root),
        *read(home.raw.root).free,
    ):
        assert name not in text
    assert doctor.erasure(home) == (True, "0 done, none open.")  # a lifting is none


def test_who_went_with_another_can_be_suppressed_and_stays_so_when_the_other_is_lifted(tmp_path):
    home = Home.create(tmp_path / "home", 'name = "x"\n')
    told = [call(n, user_id=f"subject-{u}", session_id="s1") for n, u in ((1, 8), (2, 7))]
    for one in told:
        one["request"]["messages"] = [{"role": "user", "content": TEXT}]
    source = wrote(tmp_path / "a.jsonl", *told)
    home.raw.keep(source)
    began.begin(home, began.plan(home, "user", "subject-7"))
    made = began.carry_out(home, dict)
    assert home.raw.keep(source)[0].forgotten == {1, 2}  # theirs repeats the words
    code, other = said("forget", "--user", "subject-8", "--yes", "--home", home.path)
    assert (code, other["erased"], other["lines"]) == (0, False, {})
    lifting.lift(home, made["id"])
    assert 1 in home.raw.keep(source)[0].forgotten
    lifting.lift(home, other["id"])
    assert home.raw.keep(source)[0].forgotten == frozenset()


def test_an_entry_that_is_not_there(home):
    code, answer = said("forget", "--lift", "onee", "--yes", "--home", home.path)
    assert (code, 'Did you mean "one"?' in answer["error"]) == (1, True)
    lifting.lift(home, "one")
    with pytest.raises(UnknownRow, match="It was lifted 20"):
        lifting.lift(home, "one")
    for wrong in (["--lift", "one", "--suppressed"], ["--user", "a", "--lift", "one"]):
        assert said("forget", *wrong, "--home", home.path)[0] == 2


def test_a_home_made_before_there_were_entries(home, tmp_path):
    digests = listed(home.raw.root)
    (home.raw.root / LIST).write_text(json.dumps({"digests": sorted(digests)}))
    source = wrote(tmp_path / "a.jsonl", call(1), call(2, user_id="subject-7"), call(5))
    assert home.raw.keep(source)[0].forgotten == {2, 3}
    told = said("forget", "--suppressed", "--home", home.path)[1]["suppressed"]
    assert told == [{"id": OLDER, "kind": "", "began": "", "digests": 3}]
    lifting.lift(home, OLDER)
    assert home.raw.keep(source)[0].forgotten == frozenset()
    assert "before entries were told apart" in (home.path / "receipts" / "older-lifted.md").read_text()


def test_nothing_is_lifted_and_nothing_comes_back_while_an_erasure_is_open(home, tmp_path):
    source = wrote(tmp_path / "a.jsonl", call(1), call(2, user_id="subject-7"))
    file, _ = home.raw.keep(source)
    (home.path / JOURNAL).write_text("{}")
    with pytest.raises(ErasureUnfinished, match="flywheel build"):
        lifting.lift(home, "one")
    assert set(read(home.raw.root).entries) == {"one", "two"}
    (home.path / JOURNAL).unlink()
    lifting.lift(home, "one")
    (home.path / JOURNAL).write_text("{}")
    with pytest.raises(RawUnsettled, match="flywheel build"):
        home.raw.keep(source)
    dropped = drop(home, "logs/a.jsonl")
    dropped.write_bytes(source.read_bytes())
    os.utime(dropped, (1.7e9, 1.7e9))
    assert (take(home), taken(home)) == ([], {})  # left for the next time
    assert home.raw.files() == [file]
    (home.path / JOURNAL).unlink()
    assert [f.forgotten for f in take(home)] == [frozenset()]


# --- with a build


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path, str, dict]:
    """A home from which a user was forgotten, the file that had them, the id of the receipt, and the versions there were before."""
    path = tmp_path_factory.mktemp("lifting")
    home = small_home(path / "home", calls=12)
    mine = theirs(41, "subject-7", TEXT, "request-of-seven-1")
    given = wrote(path / "theirs.jsonl", call(40), mine, call(42))
    told = {"user_id": "subject-7", "request_id": "request-of-seven-1"}
    drop(home, "feedback/theirs.jsonl", thumb(40, up=True), thumb(41, up=True) | told)
    shutil.copy2(home.inbox / "feedback" / "theirs.jsonl", path / "feedback.jsonl")
    assert run(["ingest", str(given), "--home", str(home.path)]) == 0
    assert run(["build", "--home", str(home.path)]) == 0
    before = versions(home)
    code, done = said("forget", "--user", "subject-7", "--yes", "--home", home.path)
    assert (code, traces(home.path)) == (0, {})
    assert versions(home) != before
    return home.path, path, done["id"], before


def versions(home: Home) -> dict[str, str]:
    return {n: home.store.head(n).version for n in ("raw_files", "conversations", "feedback", "answers", "verdicts")}


def copied(built, tmp_path) -> Home:
    shutil.copytree(built[0], tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


@pytest.mark.slow
def test_row_68_a_lifted_user_comes_back_with_the_same_files_and_the_sets_are_those_of_before(built, tmp_path):
    home, (_, given, id, before) = copied(built, tmp_path), built
    (entry,) = said("forget", "--suppressed", "--home", home.path)[1]["suppressed"]
    assert (entry["id"], entry["kind"]) == (id, "user")
    code, told = said("forget", "--lift", id, "--yes", "--home", home.path)
    assert (code, sorted(f["lines"] for f in told["files"])) == (0, [1, 1])
    assert traces(home.path) == {}
    code, answer = said("ingest", given / "theirs.jsonl", "--home", home.path)
    assert (code, answer["read"], answer["accepted"], answer["repeated"], answer["forgotten"]) == (0, 3, 1, 2, 0)
    assert [f["new"] for f in answer["files"]] == [True]
    code, answer = said("ingest", given / "theirs.jsonl", "--home", home.path)
    assert (answer["accepted"], answer["repeated"], answer["files"][0]["new"]) == (0, 3, False)
    shutil.copy2(given / "feedback.jsonl", home.inbox / "feedback" / "theirs.jsonl")  # with the time it had
    assert run(["build", "--home", str(home.path)]) == 0
    assert versions(home) == before
    assert "raw" in {p.split("/")[0] for p in traces(home.path)}
    assert run(["verify", "--home", str(home.path)]) == 0


# --- killed


def killed(home: Home, at: tuple[str, str, int, bool], *arguments: object) -> None:
    """Run a command in a process that dies at a step."""
    process = befallen([*arguments, "--home", home.path], *at)
    assert process.wait(300) == -signal.SIGKILL


@pytest.mark.fault
@pytest.mark.parametrize(
    ("at", "lifted"),
    [
        (("flywheel.erasure.lifting", "let_in", 1, False), False),  # nothing done
        (("flywheel.logs.inbox", "remember", 1, True), False),  # the new mark noted, the file in the inbox as it was
        (("flywheel.logs.inbox", "remember", 2, False), False),  # that younger, the old marks still there
        (("flywheel.erasure.lifting", "write", 1, False), False),  # the inbox done, the list not
        (("flywheel.erasure.lifting", "write", 1, True), True),  # the list done, no receipt
        (("flywheel.erasure.receipt", "replace_synced", 1, True), True),  # half a receipt
        (("flywheel.erasure.receipt", "put", 1, True), True),  # all done
    ],
)
def test_a_lifting_killed_at_a_step_is_done_or_not_and_the_next_run_repairs(built, tmp_path, at, lifted):
    home, (_, given, id, _) = copied(built, tmp_path), built
    files, heads = home.raw.files(), versions(home)
    killed(home, at, "forget", "--lift", id, "--yes")
    listed_now = said("forget", "--suppressed", "--home", home.path)[1]
    assert [e["id"] for e in listed_now["suppressed"]] == ([] if lifted else [id])
    assert [e["id"] for e in listed_now["lifted"]] == ([id] if lifted else [])
    assert (home.raw.files(), versions(home), traces(home.path)) == (files, heads, {})
    code, answer = said("forget", "--user", "nobody-here", "--home", home.path)  # any next run
    assert code == 0
    assert (home.path / "receipts" / f"{id}-lifted.json").exists() == lifted
    assert (home.path / "receipts" / f"{id}-lifted.md").exists() == lifted
    assert [f.digest for f in home.raw.files()] == [
        f.digest for f in files
    ]  # what lies blank in the inbox is no new file
    if not lifted:
        assert said("forget", "--lift", id, "--yes", "--home", home.path)[0] == 0
    code, answer = said("ingest", given / "theirs.jsonl", "--home", home.path)
    assert (code, answer["accepted"]) == (0, 1)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("at", "back"),
    [
        (("flywheel.erasure.lifting", "bearing", 1, True), False),  # staged and read, nothing changed
        (("flywheel.logs.blank", "sync", 1, False), False),  # the whole bytes beside the blank ones
        (("flywheel.logs.blank", "replace_synced", 1, False), False),  # the same, on the disk
        (("flywheel.logs.blank", "replace_synced", 1, True), True),  # the notes replaced, the blank bytes still there
        (("flywheel.logs.blank", "tidy", 1, True), True),  # kept; nothing read
        (("flywheel.stages.ingest", "conversations", 1, False), True),  # read; the conversations not sorted
    ],
)
def test_a_file_given_again_and_killed_at_a_step_is_whole_or_blank_and_the_next_run_repairs(built, tmp_path, at, back):
    home, (_, given, id, before) = copied(built, tmp_path), built
    assert said("forget", "--lift", id, "--yes", "--home", home.path)[0] == 0
    digest = file_digest(given / "theirs.jsonl")
    killed(home, at, "ingest", given / "theirs.jsonl")
    file = home.raw.find(digest)
    assert (file.forgotten == frozenset()) == back
    assert (file.path.read_bytes() == (given / "theirs.jsonl").read_bytes()) == back
    assert home.raw.verify() == []
    assert (home.store.head("conversations").version == before["conversations"]) is False
    home.raw.sweep()  # the first that a build does
    assert sorted(p.name for p in file.path.parent.iterdir()) == sorted([file.path.name, "arrival.json"])
    assert not list(home.raw.root.glob(".staged-*"))
    if not back:
        assert not {p for p in traces(home.path) if p.startswith("raw/")}
    code, answer = said("ingest", given / "theirs.jsonl", given / "feedback.jsonl", "--home", home.path)
    assert (code, answer["read"], answer["accepted"], answer["forgotten"]) == (0, 5, 1 if back else 2, 0)
    now = versions(home)
    assert {n: now[n] for n in ("conversations", "feedback")} == {n: before[n] for n in ("conversations", "feedback")}
    assert home.raw.verify() == []


@pytest.mark.fault
def test_a_build_after_a_killed_lifting_writes_its_receipt_and_takes_what_was_killed_on_its_way(built, tmp_path):
    home, (_, given, id, before) = copied(built, tmp_path), built
    killed(home, ("flywheel.erasure.lifting", "write", 1, True), "forget", "--lift", id, "--yes")
    killed(home, ("flywheel.logs.blank", "replace_synced", 1, True), "ingest", given / "theirs.jsonl")
    shutil.copy2(given / "feedback.jsonl", home.inbox / "feedback" / "theirs.jsonl")
    assert run(["build", "--home", str(home.path)]) == 0
    assert (home.path / "receipts" / f"{id}-lifted.json").exists()
    assert versions(home) == before
    assert run(["verify", "--home", str(home.path)]) == 0
