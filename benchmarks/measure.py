"""What a piece of work costs: processor time, wall time and memory of a process that does nothing else.

Only the standard library, so that it runs in any environment. A piece of work is a generator that gets what it works on: it
imports and warms up what it needs, yields once, works, and yields its result. Only what lies between the two is counted.
"""

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Work = Callable[[Any], Iterator[Any]]


def spent() -> float:
    """Seconds of processor time of this process, its threads and its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def timed(work: Work, given: Any) -> dict[str, Any]:
    """`cpu` and `wall` (seconds), `rss` (MB at most, of the largest process) and `result`."""
    steps = work(given)
    next(steps)
    before, start = spent(), time.perf_counter()
    result = next(steps)
    wall, cpu = time.perf_counter() - start, spent() - before
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    next(steps, None)
    return {"cpu": cpu, "wall": wall, "rss": peak / 1024, "result": result}


def main(works: Mapping[str, Work]) -> None:
    """Command line of a file of works: NAME INPUT OUTPUT. INPUT is JSON, what the work is given."""
    name, given, answer = sys.argv[1:]
    found = timed(works[name], json.loads(Path(given).read_bytes()))
    Path(answer).write_text(json.dumps(found))


class TooLong(RuntimeError):
    """A piece of work was not done in the time it had."""


def run(python: Path, script: str, name: str, given: Any, work: Path, limit: float | None = None) -> dict[str, Any]:
    """Do a piece of work of `script`, a file beside this one, in a process of its own. What `timed` gives.

    Raises `RuntimeError` with the end of what the process said where it fails, and `TooLong` where it is not done after `limit`
    seconds by the clock; it and all that it started are ended then.
    """
    work.mkdir(parents=True, exist_ok=True)
    asked, answer = work / "given.json", work / "answer.json"
    asked.write_text(json.dumps(given))
    answer.unlink(missing_ok=True)
    command = [str(python), str(Path(__file__).with_name(script)), name, str(asked), str(answer)]
    said = work / "said.txt"
    with said.open("wb") as told:  # no pipe: what outlives the process would hold it open
        process = subprocess.Popen(command, stdout=told, stderr=told, cwd=work, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise TooLong(f"{name} was not done after {limit:.0f} s") from None
    if code:
        raise RuntimeError(f"{script} {name} failed with {code}: {said.read_text(errors='replace')[-2000:]}")
    return dict(json.loads(answer.read_bytes()))


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of several runs of one work: the medians of `cpu` and `wall`, the largest `rss`, the last result."""
    middle = {name: statistics.median(r[name] for r in runs) for name in ("cpu", "wall")}
    return middle | {"rss": max(r["rss"] for r in runs), "result": runs[-1]["result"]}
