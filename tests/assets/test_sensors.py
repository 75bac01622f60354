"""New files start one run; half-written, re-delivered and failing ones do not start runs without end."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from assets.sensors import TRIES, look
from flywheel.home import Home
from flywheel.logs.inbox import take


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path / "home"))
    return Home.create(tmp_path / "home")


def drop(home: Home, name: str, data: bytes = b"{}\n", age: float = 60.0) -> None:
    (home.inbox / name).write_bytes(data)
    os.utime(home.inbox / name, (time.time() - age, time.time() - age))


def tick(
    instance: dg.DagsterInstance, cursor: str | None = None, folder: str = "logs"
) -> tuple[dg.RunRequest | dg.SkipReason, str | None]:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return look(context, folder), context.cursor


def test_an_empty_inbox_starts_nothing(home: Home) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "no new files in inbox/logs"


def test_without_a_home_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYWHEEL_HOME", str(tmp_path / "nowhere"))
    with dg.DagsterInstance.ephemeral() as instance:
        answer, _ = tick(instance)
    assert "Run: flywheel init" in str(answer.skip_message)


def test_many_files_make_one_run(home: Home) -> None:
    for i in range(40):
        drop(home, f"logs/{i}.jsonl", b'{"n": %d}\n' % i)
    with dg.DagsterInstance.ephemeral() as instance:
        answer, _ = tick(instance)
    assert isinstance(answer, dg.RunRequest)
    assert answer.tags["flywheel/files"] == "40"


def test_each_folder_has_its_own_sensor(home: Home) -> None:
    drop(home, "feedback/f.jsonl")
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(instance, folder="logs")[0], dg.SkipReason)
        assert isinstance(tick(instance, folder="feedback")[0], dg.RunRequest)


def test_a_half_written_file_waits(home: Home) -> None:
    drop(home, "logs/a.jsonl", b'{"half')
    with dg.DagsterInstance.ephemeral() as instance:
        answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "no new files in inbox/logs; 1 still being written"


def test_files_already_taken_start_nothing(home: Home) -> None:
    drop(home, "logs/a.jsonl")
    take(home)
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(instance)[0], dg.SkipReason)


def test_the_same_files_are_tried_again_after_a_failure_but_not_for_ever(home: Home) -> None:
    drop(home, "logs/a.jsonl")
    keys, cursor = [], None
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(TRIES):
            answer, cursor = tick(instance, cursor)
            assert isinstance(answer, dg.RunRequest)
            keys.append(answer.run_key)
        last, _ = tick(instance, cursor)
    assert len(set(keys)) == TRIES
    assert isinstance(last, dg.SkipReason)
    assert f"{TRIES} builds failed on the same 1 files" in str(last.skip_message)


def test_a_lost_cursor_asks_for_the_same_run_key(home: Home) -> None:
    drop(home, "logs/a.jsonl")
    with dg.DagsterInstance.ephemeral() as instance:
        first, _ = tick(instance)
        again, _ = tick(instance, cursor=None)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key


def test_while_a_build_is_at_work_no_other_is_started(home: Home) -> None:
    drop(home, "logs/a.jsonl")

    @dg.op
    def nothing() -> None: ...

    @dg.job
    def build() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(build, status=dg.DagsterRunStatus.STARTED)
        answer, _ = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "1 new files wait for the build at work"


def test_a_dead_run_does_not_block_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run killed with its process stays "started" in Dagster's storage; nobody holds the lock, so it is marked failed."""
    monkeypatch.setattr("assets.sensors.GRACE", 0.0)
    drop(home, "logs/a.jsonl")

    @dg.op
    def nothing() -> None: ...

    @dg.job
    def build() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        dead = instance.create_run_for_job(build, status=dg.DagsterRunStatus.STARTED)
        with home.lock():
            assert isinstance(tick(instance)[0], dg.SkipReason)
        assert isinstance(tick(instance)[0], dg.RunRequest)
        assert instance.get_run_by_id(dead.run_id).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
