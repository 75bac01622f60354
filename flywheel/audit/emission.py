"""Where run events go: a file of the home, and the endpoint that the recipe names. No other way leads out.

HOME/lineage/openlineage.jsonl    an event a line, run after run; may be moved or deleted at any time
"""

import json
import mmap
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from flywheel.audit.openlineage import Ending, OpenLineage
from flywheel.home import Home
from flywheel.loopback import is_here
from flywheel.storage.snapshots import sync

Event = Mapping[str, Any]
FILE = "lineage/openlineage.jsonl"
TIMEOUT, AT_MOST = 5.0, 20.0
"""Seconds the endpoint may be silent in one request, and seconds for all of a run."""


class Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: events and key go where the recipe says, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse it; the answer then counts as a failure."""
        return


def keep(home: Home, told: Sequence[Event]) -> None:
    """Add the events of a run to the file of the home. Call while holding the home's lock.

    What a crash left of an earlier run's events goes first: no START stands without its end. So a run that was killed before it
    could be told of is not in the file; Dagster has it as failed.
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
    if not path.stat().st_size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as told:
        end = told.rfind(b"\n")
        while end >= 0:
            start = told.rfind(b"\n", 0, end)
            if _ends_a_run(told[start + 1 : end]):
                return end + 1
            end = start
    return 0


def _ends_a_run(line: bytes) -> bool:
    """Whether this is the event that is written last of a run: its end, not that of a step."""
    try:
        event = json.loads(line)
        return event["eventType"] in get_args(Ending) and "parent" not in event["run"].get("facets", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


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
