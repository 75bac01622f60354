"""Worker processes: the same answers, errors told, and an end that is noticed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from flywheel import workers
from flywheel.errors import RawChanged, WorkerEnded
from flywheel.lineage import Dataset, Derivation, Part, cause
from flywheel.storage.snapshots import Store
from flywheel.workers import give_back, side_by_side


@pytest.fixture(autouse=True)
def two(monkeypatch):
    """Two workers, however many cores there are; ended afterwards."""
    monkeypatch.setenv("FLYWHEEL_WORKERS", "2")
    yield
    for worker in workers._workers():
        worker.end()
    workers._workers.cache_clear()


def double(n: int) -> int:
    return 2 * n


def printing(n: int) -> int:
    print("a library says something")
    return n


def failing(n: int) -> int:
    if n == 3:
        raise RawChanged(f"file {n} changed. Restore it.")
    return n


def dying() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def threads() -> int:
    return pl.thread_pool_size()


def kept() -> str | None:
    return os.environ.get("_RJEM_MALLOC_CONF")


def large_pages() -> tuple[str | None, str | None]:
    return os.environ.get("POLARS_THP"), os.environ.get("GLIBC_TUNABLES")


def test_the_allocator_keeps_memory_for_some_seconds():
    (conf,) = dict(side_by_side([kept])).values()
    assert conf is not None
    assert conf.split(",")[-1] == "dirty_decay_ms:10000"  # what is said last counts; Polars says its own first


def test_workers_ask_for_large_pages_unless_the_environment_says_otherwise(monkeypatch):
    for name in workers.LARGE_PAGES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLARS_THP", "0")
    assert dict(side_by_side([large_pages])) == {0: ("0", workers.LARGE_PAGES["GLIBC_TUNABLES"])}


def test_every_task_is_answered_whoever_is_first():
    assert dict(side_by_side([partial(double, n) for n in range(50)])) == {n: 2 * n for n in range(50)}
    assert dict(side_by_side([partial(printing, n) for n in range(4)])) == {n: n for n in range(4)}
    assert list(side_by_side([])) == []
    assert dict(side_by_side([threads, threads])) == {0: 1, 1: 1}


def test_an_error_is_raised_as_it_was_with_the_trace_of_the_worker():
    with pytest.raises(RawChanged, match=r"file 3 changed\. Restore it\.") as told:
        dict(side_by_side([partial(failing, n) for n in range(5)]))
    assert any("in failing" in note for note in told.value.__notes__)
    assert dict(side_by_side([partial(double, 4)])) == {0: 8}


def test_a_worker_that_dies_is_told_and_replaced():
    with pytest.raises(WorkerEnded, match=r"ended before its work did \(signal 9\)"):
        dict(side_by_side([dying]))
    assert dict(side_by_side([partial(double, n) for n in range(4)])) == {n: 2 * n for n in range(4)}


def test_workers_end_when_their_parent_is_killed(tmp_path: Path):
    script = """
        import os, signal
        from functools import partial
        from tests.test_workers import double
        from flywheel import workers
        dict(workers.side_by_side([partial(double, n) for n in range(4)]))
        print(*[w.process.pid for w in workers._workers()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    pids = [int(p) for p in done.stdout.split()]
    assert len(pids) == 2, done.stderr
    until = time.monotonic() + 10
    while any(Path(f"/proc/{p}").exists() and running(p) for p in pids):
        assert time.monotonic() < until, "a worker outlived its parent"
        time.sleep(0.05)


def running(pid: int) -> bool:
    """Whether a process is more than an entry its parent has not read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def table(n: int) -> dict[str, pl.DataFrame]:
    return {"rows": pl.DataFrame({"id": [f"l:{n}"], "n": [n]})}


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_published_does_not_depend_on_who_made_it(tmp_path: Path, count: int):
    schema = pl.Schema({"id": pl.String, "n": pl.Int64})
    parts = [Part(f"2026-03-{n + 1:02d}", cause("t", n), partial(table, n)) for n in range(8)]
    alone, many = Store(tmp_path / "a"), Store(tmp_path / "b", workers=count)
    many.worth_it = True
    one, two = (
        s.publish(Dataset("calls", {"rows": schema}, parts, Derivation(operation="test"))) for s in (alone, many)
    )
    assert one.version == two.version
    assert [p.version for p in one.parts] == [p.version for p in two.parts]
    assert two.made == tuple(p.name for p in parts)
    assert two.scan().collect().equals(one.scan().collect())


def held() -> int:
    """MB of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the pages of Linux")
def test_memory_of_many_small_objects_is_given_back():
    """Every tenth object stays, so that no page at the end of the heap is free; what lies between goes back all the same."""
    blocks = [bytes(2_000) for _ in range(100_000)]
    kept = blocks[::10]
    full = held()
    del blocks
    give_back()
    assert full - held() > 50
    assert len(kept) == 10_000
