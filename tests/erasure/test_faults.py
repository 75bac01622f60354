"""Killed at any step, an erasure is ended by the next build; while it is at work, nobody else is."""

import io
import json
import shutil
import signal
import subprocess
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from flywheel.__main__ import run
from flywheel.erasure.forget import unfinished
from flywheel.home import Home
from tests.erasure.killing import DIE, befallen
from tests.erasure.test_forget import TEXT, theirs, traces
from tests.homes import call, drop, small_home, thumb


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    home = small_home(tmp_path_factory.mktemp("fault") / "home", calls=12)
    mine = theirs(41, "subject-7", TEXT, "request-of-seven-1")
    drop(home, "logs/theirs.jsonl", call(40), mine, call(42))
    said = {"user_id": "subject-7", "request_id": "request-of-seven-1"}
    drop(home, "feedback/theirs.jsonl", thumb(40, up=True), thumb(41, up=True) | said)
    assert run(["build", "--home", str(home.path)]) == 0
    return home.path


@pytest.fixture
def home(base, tmp_path) -> Home:
    shutil.copytree(base, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


def child(home: Home, module: str, name: str, call: int = 1, after: bool = False, then: str = DIE) -> subprocess.Popen:
    forgetting = ["forget", "--user", "subject-7", "--yes", "--home", home.path]
    return befallen(forgetting, module, name, call, after, then)


def ended(home: Home, calls: int = 14) -> None:
    """The next build ends the erasure: nothing of them is there, everything else is, and one receipt says so."""
    assert run(["build", "--home", str(home.path)]) == 0
    assert unfinished(home) is None
    assert traces(home.path) == {}
    assert home.store.head("conversations").count() == calls
    assert home.store.head("feedback").count() == 7
    (receipt,) = (home.path / "receipts").glob("*.json")
    told = json.loads(receipt.read_text())
    assert told["proof"]["clean"]
    assert "answers" in {v["set"] for v in told["versions"]}
    assert run(["verify", "--home", str(home.path)]) == 0


@pytest.mark.fault
@pytest.mark.parametrize(
    ("module", "name", "call", "after"),
    [
        ("flywheel.erasure.forget", "replace_synced", 1, True),  # just noted
        ("flywheel.erasure.forget", "add", 1, False),  # noted, nothing done
        ("flywheel.logs.blank", "replace_synced", 1, False),  # new bytes beside the old ones
        ("flywheel.logs.blank", "replace_synced", 2, True),  # one file done, of the other the notes
        ("flywheel.erasure.forget", "put_back", 1, False),  # the raw store done, the inbox not
        ("flywheel.storage.releasing", "release", 1, False),  # in the middle of the build
        ("flywheel.erasure.purge", "_snapshot", 2, True),  # one part gone
        ("flywheel.erasure.receipt", "write", 1, True),  # all but the end
    ],
)
def test_killed_at_a_step_the_next_build_ends_it(home, module, name, call, after):
    process = child(home, module, name, call, after)
    assert process.wait(300) == -signal.SIGKILL
    assert unfinished(home) is not None
    ended(home)


@pytest.mark.fault
def test_killed_before_it_was_noted_nothing_has_changed(home):
    process = child(home, "flywheel.erasure.forget", "begin")
    assert process.wait(300) == -signal.SIGKILL
    assert unfinished(home) is None
    (home.path / "forgetting.json").touch()  # as an older one could leave it
    assert unfinished(home) is None
    assert "raw" in {p.split("/")[0] for p in traces(home.path)}
    assert home.raw.verify() == []


@pytest.mark.fault
def test_killed_before_they_are_on_the_list_a_file_that_comes_then_does_not_bring_them_in(home, tmp_path):
    assert child(home, "flywheel.erasure.forget", "add").wait(300) == -signal.SIGKILL
    late = tmp_path / "late.jsonl"
    late.write_text("".join(json.dumps(line) + "\n" for line in (call(43), theirs(44, "subject-7", TEXT, "late-1"))))
    with redirect_stdout(io.StringIO()) as out:
        assert run(["ingest", str(late), "--home", str(home.path), "--json"]) == 0
    assert json.loads(out.getvalue())["forgotten"] == 1
    ended(home, calls=15)


@pytest.mark.fault
def test_a_build_meanwhile_is_refused(home):
    process = child(home, "flywheel.erasure.forget", "add", then="time.sleep(600)")
    try:
        until = time.monotonic() + 300
        while unfinished(home) is None and time.monotonic() < until:
            time.sleep(0.2)
        assert unfinished(home) is not None
        time.sleep(2.0)
        with redirect_stdout(io.StringIO()) as out:
            code = run(["ingest", str(home.raw.files()[0].path), "--home", str(home.path), "--json"])
        assert code == 3
        assert "flywheel forget" in json.loads(out.getvalue())["error"]
        with redirect_stdout(io.StringIO()) as out:
            assert run(["build", "--home", str(home.path), "--json"]) == 3
    finally:
        process.kill()
        process.wait()
    ended(home)
