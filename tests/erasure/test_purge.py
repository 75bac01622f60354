"""Each place of a home has its way of removing."""

import json
import sqlite3

import pytest

from flywheel.erasure.needles import Needles
from flywheel.erasure.purge import empty_cache, only_newest, purge
from flywheel.erasure.search import files_of, search
from flywheel.home import Home
from flywheel.storage.frozen import frozen

SOUGHT = Needles(quoted=("subject-7",), ids=("req_12",), texts=("the heron waits beside the green lock",))


@pytest.fixture
def home(tmp_path):
    return Home.create(tmp_path / "home")


def held(home):
    return search(files_of(home.path), SOUGHT).found


def test_records_of_dagster_say_forgotten_and_stay_readable(home):
    (home.path / "history").mkdir()
    file = home.path / "history" / "runs.db"
    told = {
        "user": "subject-7",
        "rows": ["openai_chat:req_12", "openai_chat:req_120"],
        "said": 'first, the heron waits beside the green lock, "then" not',
    }
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, event TEXT)")
    db.executemany("INSERT INTO events VALUES (?, ?)", [(1, json.dumps(told)), (2, json.dumps({"n": 1}))])
    db.execute("INSERT INTO events VALUES (3, 'req_12')")
    db.execute("DELETE FROM events WHERE id = 3")  # its bytes are still in the file
    db.commit()
    db.close()
    assert file in held(home)
    touched, left = purge(home, held(home), SOUGHT)
    assert (file in touched, left) == (True, [])
    assert held(home) == {}
    with sqlite3.connect(file) as db:
        rows = dict(db.execute("SELECT id, event FROM events").fetchall())
    assert json.loads(rows[2]) == {"n": 1}
    after = json.loads(rows[1])
    assert after["user"] == "forgotten"
    assert after["rows"] == ["openai_chat:forgotten", "openai_chat:req_120"]
    assert "heron" not in after["said"]


def test_what_was_derived_goes_and_what_is_the_users_own_is_named(home):
    report, recipe = home.path / "reports" / "a.html", home.recipe_file
    report.parent.mkdir()
    report.write_text("<p>req_12</p>")
    recipe.write_text('name = "x"\n# "subject-7" is one person with another\n')
    log = home.path / "storage" / "run-1" / "compute_logs" / "step.err"
    log.parent.mkdir(parents=True)
    log.write_text("the heron waits beside the green lock")
    _, left = purge(home, held(home), SOUGHT)
    assert left == [recipe]
    assert set(held(home)) == {recipe}


def test_a_released_version_that_holds_them_goes_and_current_with_it(home):
    folder = home.exports / "answers" / "abc"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("req_12")
    (home.exports / "answers" / "current").symlink_to("abc")
    (home.exports / "answers" / "def").mkdir()
    (home.exports / "answers" / "def" / "train.jsonl").write_text("req_13")
    purge(home, held(home), SOUGHT)
    assert sorted(p.name for p in (home.exports / "answers").iterdir()) == ["def"]


def test_a_manifest_of_a_part_that_went_goes_and_head_with_it(home):
    root = home.store.root
    part = root / "parts" / "ab" / "abcd"
    part.mkdir(parents=True)
    (part / "part.json").write_text("{}")
    (part / "rows.parquet").write_bytes(b"req_12")
    for name, keys in (("old", ["abcd"]), ("other", [])):
        (root / name).mkdir()
        (root / name / "k.json").write_text(json.dumps({"parts": [{"name": "x", "key": k} for k in keys]}))
        (root / name / "HEAD").write_text("k")
    purge(home, held(home), SOUGHT)
    assert not part.exists()
    assert not list((root / "old").iterdir())
    assert (root / "other" / "HEAD").exists()


def test_vectors_go_because_nobody_can_tell_whose_they_are(home):
    assert not empty_cache(home)
    (home.path / "cache").mkdir()
    (home.path / "cache" / "embeddings.db").write_bytes(b"x")
    assert empty_cache(home)
    assert not list((home.path / "cache").iterdir())


def test_of_very_much_every_snapshot_but_the_newest_goes(home):
    root = home.store.root
    for key in ("old", "new"):
        (root / "parts" / "ab" / f"part-{key}").mkdir(parents=True)
        (root / "parts" / "ab" / f"part-{key}" / "part.json").write_text("{}")
    (root / "parts" / "ab" / "part-both").mkdir()
    (root / "rows").mkdir()
    for key in ("old", "new"):
        parts = [{"name": "x", "key": f"part-{key}"}, {"name": "y", "key": "part-both"}]
        (root / "rows" / f"{key}.json").write_text(json.dumps({"parts": parts}))
    (root / "rows" / "HEAD").write_text("new")
    only_newest(home)
    assert sorted(p.name for p in (root / "parts" / "ab").iterdir()) == ["part-both", "part-new"]
    assert sorted(p.name for p in (root / "rows").iterdir()) == ["HEAD", "new.json"]


def test_a_frozen_pilot_loses_their_rows_and_keeps_the_others(home):
    body = {
        "pilot": ["openai_chat:req_12", "openai_chat:req_120"],
        "evaluation": ["openai_chat:req_3"],
        "kept_out": ["openai_chat:req_12"],
        "seed": 7,
        "by": ["language"],
    }
    path = home.path / "frozen" / "pilot.json"
    path.parent.mkdir()
    path.write_text(json.dumps(body))
    assert path in held(home)
    touched, left = purge(home, held(home), SOUGHT)
    assert (touched, left) == ({path}, [])
    assert held(home) == {}
    kept = frozen(home.path, ["pilot"])["pilot"]
    assert (kept["pilot"], kept["evaluation"], kept["kept_out"]) == (["openai_chat:req_120"], ["openai_chat:req_3"], [])
