"""Where run events go: a file of the home, and the endpoint that the recipe names. No other way leads out.

HOME/lineage/openlineage.jsonl    an event a line, run after run; may be moved or deleted at any time
HOME/lineage/at_work              the id of the run at work; of one that was killed until the next has told of it
"""

import json
import mmap
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flywheel.audit.openlineage import OpenLineage, ended_run
from flywheel.home import Home
from flywheel.loopback import is_here
from flywheel.storage.snapshots import replace_synced, sync

Event = Mapping[str, Any]
FILE, AT_WORK = "lineage/openlineage.jsonl", "lineage/at_work"
TIMEOUT, AT_MOST = 5.0, 20.0
"""Seconds the endpoint may be silent in one request, and seconds for all of a run."""


class Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: events and key go where the recipe says, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse it; the answer then counts as a failure."""
        return


def begin(home: Home, run_id: str) -> None:
    """Note that a run is at work. Call while holding the home's lock, when the run before has been told of."""
    (home.path / AT_WORK).parent.mkdir(exist_ok=True)
    replace_synced(home.path / AT_WORK, run_id.encode())


def end(home: Home) -> None:
    """Note that the run at work has been told of."""
    (home.path / AT_WORK).unlink(missing_ok=True)


def untold(home: Home) -> str | None:
    """The id of a run that was killed before it could be told of; None where there is none. Call while holding the home's lock."""
    try:
        run_id = (home.path / AT_WORK).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    return None if not run_id or _is_told(home.path / FILE, run_id) else run_id


def keep(home: Home, told: Sequence[Event]) -> None:
    """Add the events of a run to the file of the home. Call while holding the home's lock.

    What a crash left of a run's events goes first: no START stands without its end.
    """
    path = home.path / FILE
    path.parent.mkdir(exist_ok=True)
    with path.open("a+b") as file:
        file.truncate(_whole(path))
        file.write("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in told).encode())
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _whole(path: Path) -> int:
    """Bytes up to the end of the last run that is told of as a whole."""
    return next((end for end, run in _lines(path) if run), 0)


def _is_told(path: Path, run_id: str) -> bool:
    """Whether the file tells of this run as a whole."""
    return any(run == run_id for _, run in _lines(path, run_id.encode()))


def _lines(path: Path, word: bytes = b"\n") -> Iterator[tuple[int, str | None]]:
    """Of each whole line that holds the word, last line first: where it ends, and the id of the run it ends."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as told:
        until = len(told)
        while (at := told.rfind(word, 0, until)) >= 0:
            start, end = told.rfind(b"\n", 0, at) + 1, told.find(b"\n", at) + 1
            if end:
                yield end, ended_run(told[start:end])
            until = start


def send(sink: OpenLineage, told: Sequence[Event]) -> str | None:
    """POST each event to the endpoint. None when it took all, else a sentence: the first one refused ends it."""
    key = os.environ.get(sink.key, "") if sink.key else ""
    if sink.key and not key:
        return _unsent(sink, len(told), len(told), f"the environment variable {sink.key} is not set")
    handlers: list[urllib.request.BaseHandler] = [Stays()]
    if is_here(sink.endpoint):  # a proxy of the environment is no way to this machine itself
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    until = time.monotonic() + AT_MOST
    for sent, event in enumerate(told):
        left = until - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            request = urllib.request.Request(sink.endpoint, json.dumps(event).encode(), headers, method="POST")  # noqa: S310 - http or https, by its pattern
            opener.open(request, timeout=min(TIMEOUT, left)).close()
        except Exception as e:
            return _unsent(sink, len(told) - sent, len(told), _why(e))
    return None


def _why(error: Exception) -> str:
    """What went wrong, in words of our own: what the endpoint said is not repeated."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "it did not answer in time"
    return f"it cannot be reached ({type(getattr(error, 'reason', error)).__name__})"


def _unsent(sink: OpenLineage, left: int, all_of_them: int, why: str) -> str:
    return (
        f"{left} of {all_of_them} lineage events were not sent to {sink.endpoint}: {why}. The build is not affected; "
        f"all of them are in {FILE} of the home."
    )
