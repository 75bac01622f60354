"""The whole flywheel through the door a user uses: make_logs' replay in, released sets out, every fault found as what it is."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECIPE = """
name = "replay"
seed = 7

[[edit]]
use = "redact_email"
[[edit]]
use = "redact_phone"
[[edit]]
use = "redact_secret"
[[edit]]
use = "redact_card"

[[filter]]
use = "failed_call"
[[filter]]
use = "empty_reply"
[[filter]]
use = "broken_roles"
[[filter]]
use = "wrong_environment"
[[filter]]
use = "disliked"

[[set]]
name = "replay_sft"
use = "sft"
export = ["openai", "trl"]
[set.mix.language]
en = 0.95
ko = 0.05

[[set]]
name = "replay_preference"
use = "preference"
export = ["trl", "openai"]

[[set]]
name = "replay_kto"
use = "kto"
export = ["trl"]

[[set]]
name = "replay_reward"
use = "reward"
export = ["trl"]
"""


def flywheel(*words: object, home: Path, code: int | None = 0) -> Any:
    """Run the command line with --json and read its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "flywheel", *map(str, words), "--home", str(home), "--json"],
        capture_output=True, text=True, cwd=Path(__file__).resolve().parents[1],
    )  # fmt: skip
    assert code is None or done.returncode == code, (
        f"{words} exited {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return json.loads(done.stdout)


def make_logs(out: Path, *words: object) -> dict[str, Any]:
    if not DATA.exists():
        pytest.skip("the staged data are not here")
    subprocess.run(
        [sys.executable, str(DATA / "make_logs.py"), "--out", str(out), *map(str, words)],
        check=True,
        capture_output=True,
    )
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_bytes())
    return manifest


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder, links by where they point."""
    return {
        str(p.relative_to(folder)): os.readlink(p) if p.is_symlink() else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


class Replay:
    """A home after one ingest and one build of a replay."""

    def __init__(self, root: Path) -> None:
        self.logs, self.home = root / "L", root / "home"
        self.manifest = make_logs(self.logs, "--records", 1500, "--days", 6, "--seed", 7)
        flywheel("init", self.home, home=self.home)
        (self.home / "recipe.toml").write_text(RECIPE)
        self.files = sorted(self.logs.glob("*/*.jsonl"))
        self.ingested = flywheel("ingest", *self.files, home=self.home)
        self.fresh = root / "before"
        shutil.copytree(self.home, self.fresh, symlinks=True)
        self.built = flywheel("build", home=self.home)

    def sql(self, query: str) -> list[Any]:
        with duckdb.connect(str(self.home / "catalog.duckdb"), read_only=True) as con:
            return con.execute(query).fetchall()

    @property
    def injected(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = self.manifest["injected"]
        return found


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    return Replay(tmp_path_factory.mktemp("replay"))


def test_every_line_is_accepted_quarantined_or_repeated(replay: Replay) -> None:
    report = replay.ingested
    assert report["read"] == sum(replay.manifest["lines"].values())
    assert report["accepted"] + report["quarantined"] + report["repeated"] == report["read"]
    bad = replay.injected["malformed_requests"] + replay.injected["malformed_feedback"]
    assert report["quarantined"] == len(bad) == sum(report["by_reason"].values())
    same_id = sum(d["event_id"] == d["again"] for d in replay.injected["duplicate"])
    assert report["repeated"] == len(replay.injected["dup_requests"]) + same_id
    assert {f["name"] for f in report["files"]} == {f.name for f in replay.files}


def test_each_malformed_line_is_quarantined_in_its_file(replay: Replay) -> None:
    planted = Counter(
        Path(b["file"]).parts[0] + "/" + Path(b["file"]).name
        for b in replay.injected["malformed_requests"] + replay.injected["malformed_feedback"]
    )
    digests = {hashlib.sha256(f.read_bytes()).hexdigest(): f"{f.parent.name}/{f.name}" for f in replay.files}
    found = Counter(digests[d] for (d,) in replay.sql("select file from quarantine"))
    assert found == planted


def test_quarantine_names_the_very_bytes(replay: Replay) -> None:
    by_digest = {hashlib.sha256(f.read_bytes()).hexdigest(): f for f in replay.files}
    rows = replay.sql('select file, line, "offset", raw, reason from quarantine')
    assert rows
    for file, line, offset, raw, reason in rows:
        data = by_digest[file].read_bytes()
        assert data[offset : offset + len(raw)] == raw
        assert data[:offset].count(b"\n") == line - 1
        assert reason


def ledger(replay: Replay) -> dict[str, tuple[str, bool, str | None]]:
    return {
        i.partition(":")[2]: (status, late, why)
        for i, status, late, why in replay.sql("select feedback_id, status, late, why from feedback_ledger")
    }


def test_late_duplicate_and_orphan_feedback_is_found_as_what_it_is(replay: Replay) -> None:
    found = ledger(replay)
    assert {i for i, (_, late, _) in found.items() if late} == set(replay.injected["late"])
    assert {i for i, (status, *_) in found.items() if status == "orphan"} == set(replay.injected["orphan"])
    again = {d["again"] for d in replay.injected["duplicate"] if d["again"] != d["event_id"]}
    assert {i for i, (status, *_) in found.items() if status == "duplicate"} == again


def test_contradictory_feedback_is_listed_with_the_policy_that_decided(replay: Replay) -> None:
    found = ledger(replay)
    for pair in replay.injected["contradictory"]:
        first, second = found[pair["first"]], found[pair["second"]]
        decided = {first[0], second[0]}
        assert decided & {"superseded", "contradicted"}, pair
        if not pair["same_user"]:
            assert decided == {"contradicted"}
    listed = {i.partition(":")[2] for (i,) in replay.sql("select feedback_id from contradictions")}
    assert {p[k] for p in replay.injected["contradictory"] for k in ("first", "second")} <= listed


def test_no_planted_value_is_in_any_export(replay: Replay) -> None:
    planted = {p["value"] for p in replay.injected["pii"]}
    assert planted
    for path in (replay.home / "exports").rglob("*"):
        if path.suffix == ".parquet":
            text = json.dumps(pl.read_parquet(path).to_dicts(), default=str, ensure_ascii=False)
        elif path.is_file() and not path.is_symlink():
            text = path.read_text(encoding="utf-8")
        else:
            continue
        assert not [v for v in planted if v in text], path


def test_retries_are_duplicates_of_their_first_call(replay: Replay) -> None:
    where = {i.partition(":")[2]: (r, k) for i, r, k in replay.sql("select id, reasons, instead from curated_rejected")}
    curated = {i.partition(":")[2] for (i,) in replay.sql("select id from curated")}
    screened_out = {i.partition(":")[2] for (i,) in replay.sql("select id from screened_rejected")}
    for pair in replay.injected["retried"]:
        ids = {pair["id"], pair["retry"]}
        assert len(ids & curated) <= 1, pair
        assert ids <= curated | set(where) | screened_out


def test_counts_reconcile_from_lines_to_sets(replay: Replay) -> None:
    stages = {s["name"]: s for s in replay.built["stages"]}
    assert stages["raw_files"]["rows_in"] == replay.ingested["read"]
    for name in ("screened", "curated"):
        ((kept,),) = (
            replay.sql("select count(*) from curated")
            if name == "curated"
            else replay.sql("select (select count(*) from curated) + (select count(*) from curated_rejected)")
        )
        assert stages[name]["rows_out"] == kept
    for stage in stages.values():
        assert stage["rows_in"] == stage["rows_out"] + stage["quarantined"] + sum(stage["rejected"].values()), stage
    assert stages["curated"]["rows_in"] == stages["screened"]["rows_out"]
    assert stages["screened"]["rows_in"] == stages["conversations"]["rows_out"]
    for made in replay.built["sets"]:
        assert made["rows"] == made["train"] + made["validation"]


def test_the_sets_are_released_and_current(replay: Replay) -> None:
    assert replay.built["success"]
    for made in replay.built["sets"]:
        assert made["released"], made
        folder = replay.home / "exports" / made["name"]
        assert os.readlink(folder / "current") == made["version"]
        manifest = json.loads((folder / "current" / "manifest.json").read_bytes())
        for name, side in (("train.jsonl", "train"), ("validation.jsonl", "validation")):
            lines = (folder / "current" / name).read_text().count("\n")
            assert lines == made[side] == len(manifest["lines"][name])


def test_no_conversation_user_or_duplicate_lies_on_both_sides(replay: Replay) -> None:
    for column in ("conversation_id", '"user"', "near_group"):
        leaks = replay.sql(
            f"select e.set, {column} from examples e join example_parents p on e.set = p.set and e.version = p.version and e.id = p.id "
            f"join conversations c on c.id = p.parent_id join signals s on s.id = c.id where {column} is not null "
            f"group by 1, 2 having count(distinct e.split) > 1"
        )
        assert leaks == []


def test_why_leads_from_exported_lines_to_the_very_bytes(replay: Replay) -> None:
    picked = random.Random(3)
    lines = []
    for made in replay.built["sets"]:
        manifest = json.loads((Path(made["path"]) / "manifest.json").read_bytes())
        lines += [
            (made, name, n, i)
            for name in ("train.jsonl", "validation.jsonl")
            for n, i in enumerate(manifest["lines"][name], 1)
        ]
    for made, name, number, id in picked.sample(lines, 12):
        told = flywheel("why", id, home=replay.home)
        assert told["sources"], id
        for source in told["sources"]:
            data = Path(source["file"]).read_bytes()
            start = source["byte_offset"]
            line = data[start:].split(b"\n", 1)[0]
            assert hashlib.sha256(line).hexdigest() == source["digest"]
            assert data[:start].count(b"\n") == source["line"] - 1
        held = {(s["set"], s["version"], s["split"], s["line"]) for s in told["sets"]}
        assert (made["name"], made["version"], name.partition(".")[0], number) in held


def test_a_rule_is_previewed_before_it_is_enabled(replay: Replay) -> None:
    """Row 152: the hits of a rule are shown; nothing is changed by looking."""
    found = flywheel("preview", 'use = "too_short"\nmin_words = 6', home=replay.home)
    ((short, of),) = replay.sql(
        "select count(*) filter (reply_words < 6), count(*) from screened join signals using (id)"
    )
    assert found["of"] == of
    assert 0 < found["count"] <= short
    assert len(found["ids"]) == 10


def test_a_serving_prompt_is_held_against_a_released_set(replay: Replay) -> None:
    told = flywheel("lint-prompt", "replay_kto", "Where is my order?", home=replay.home)
    assert told["code"] == "OK"
    assert (
        "is released. Run: flywheel build" in flywheel("lint-prompt", "nothing", "x", home=replay.home, code=1)["error"]
    )


def test_building_again_changes_no_byte(replay: Replay) -> None:
    before = tree(replay.home / "exports")
    again = flywheel("build", home=replay.home)
    assert tree(replay.home / "exports") == before
    assert [s["version"] for s in again["sets"]] == [s["version"] for s in replay.built["sets"]]


def test_another_order_of_files_gives_the_same_sets(replay: Replay, tmp_path: Path) -> None:
    home = tmp_path / "home"
    flywheel("init", home, home=home)
    (home / "recipe.toml").write_text(RECIPE)
    (home / "pseudonym.key").chmod(0o600)
    shutil.copy(replay.home / "pseudonym.key", home / "pseudonym.key")
    for file in reversed(replay.files):
        shutil.copy(
            file,
            home
            / "inbox"
            / ("logs" if file.parent.name == "requests" else "feedback")
            / f"x-{file.parent.name}-{file.name}",
        )
        os.utime(
            home
            / "inbox"
            / ("logs" if file.parent.name == "requests" else "feedback")
            / f"x-{file.parent.name}-{file.name}",
            (1e9, 1e9),
        )
    built = flywheel("build", home=home)
    for mine, theirs in zip(built["sets"], replay.built["sets"], strict=True):
        assert mine["version"] == theirs["version"]
        for name in ("train.jsonl", "validation.jsonl"):
            assert (Path(mine["path"]) / name).read_bytes() == (Path(theirs["path"]) / name).read_bytes()


def test_one_more_day_and_late_feedback_touch_only_their_days(replay: Replay, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(replay.home, home, symlinks=True)
    made = replay.built["sets"][0]
    victim = next(
        i for (i,) in replay.sql(f"select p.parent_id from example_parents p join conversations c on c.id = p.parent_id left join labels l on l.id = c.id where p.set = '{made['name']}' and p.version like '{made['version']}%' and c.day = '2026-03-03' and l.id is null order by 1 limit 1")
    )  # fmt: skip
    late = tmp_path / "late.jsonl"
    late.write_text(
        json.dumps({"event_id": "fb_late", "type": "thumbs", "request_id": victim.partition(":")[2], "session_id": "s", "user_id": "u_late", "value": "down",
                    "created_at": "2026-03-03T20:00:00Z", "received_at": "2026-03-12T09:00:00Z"}) + "\n"
    )  # fmt: skip
    line = next(
        json.loads(x)
        for x in replay.files[-1].read_text().split("\n")
        if x.startswith('{"id": "req_') and '"status": "ok"' in x
    )
    line |= {
        "id": "req_new_day",
        "timestamp": "2026-03-11T08:00:00.000Z",
        "session_id": "s_new_day",
        "user_id": "u_new_day",
    }
    line["response"]["choices"][0]["message"] = {
        "role": "assistant",
        "content": "Probably all four within a week of January 1610; Ganymede is the brightest.",
    }
    line["request"]["messages"][-1] = {
        "role": "user",
        "content": "Which of the moons of Jupiter did Galileo see first, and how did he know?",
    }
    day = tmp_path / "2026-03-11.jsonl"
    day.write_text(json.dumps(line) + "\n")
    flywheel("ingest", day, late, home=home)
    built = flywheel("build", home=home)
    from flywheel.storage.snapshots import Store

    old, new = Store(replay.home / "snapshots"), Store(home / "snapshots")
    for name, touched in (
        ("conversations", {"2026-03-11"}),
        ("measurements", {"2026-03-11"}),
        ("labels", {"2026-03-03"}),
        ("screened", {"2026-03-03", "2026-03-11"}),
    ):
        was = {p.name: p.key for p in old.head(name).parts}
        now = {p.name: p.key for p in new.head(name).parts}
        assert {d for d in now if now[d] != was.get(d)} == touched, name
    assert built["sets"][0]["version"] != made["version"]
    moved = flywheel("diff", made["name"], made["version"], "current", home=home)
    assert victim in json.dumps(moved["removed"])
    assert "openai_chat:req_new_day" in json.dumps(moved["added"])


@pytest.mark.fault
def test_ten_kills_then_a_build_give_the_bytes_of_an_undisturbed_build(replay: Replay, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(replay.fresh, home, symlinks=True)
    picked = random.Random(11)
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-m", "flywheel", "build", "--home", str(home)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(picked.uniform(2.0, 14.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    flywheel("build", home=home)
    assert tree(home / "exports") == tree(replay.home / "exports")
    assert not list((home / "snapshots" / "staging").glob("*"))
