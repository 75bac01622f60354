"""Starting Dagster from the command line: a build in this process, the checks alone, or the UI with its daemon."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from flywheel.catalog import Catalog
from flywheel.errors import FlywheelError
from flywheel.home import Home
from flywheel.outcome import checks_of, outcome

Progress = Callable[[str], None]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's own lines stay in its event log; the terminal shows ours."""


class PortInUse(FlywheelError):
    """Another program listens on the port of the UI."""

    exit_code = 2


@contextmanager
def instance_of(home: Home) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage, which lies in the home."""
    os.environ["DAGSTER_HOME"] = os.environ["FLYWHEEL_HOME"] = str(home.path)
    warnings.simplefilter("ignore")
    for name in ("dagster", "great_expectations"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dg.DagsterInstance.from_config(str(home.path)) as instance:
        yield instance


def build(home: Home, progress: Progress | None = None, job: str = "build") -> dict[str, Any]:
    """Run the graph in this process; the run is in the UI too. Returns the contract of `flywheel build --json`.

    Raises `HomeBusy` at once when another build is at work.
    """
    home.recipe()
    with home.lock(0.0):
        pass
    with instance_of(home) as instance:
        from assets.definitions import definitions  # reads the recipe of FLYWHEEL_HOME, which is set only now

        run_id = str(uuid.uuid4())
        runnable = definitions(home.path, wait=5.0).resolve_job_def(job)
        with narrated(instance, run_id, progress):
            done = runnable.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False, run_config=QUIET)
        failures = failures_of(instance, run_id)
        judged = evaluations(instance, run_id)
    with Catalog.open(home):
        pass
    return outcome(home, run_id, done.success, judged, failures)


def check(home: Home, progress: Progress | None = None) -> dict[str, Any]:
    """Judge every dataset as it stands. Returns `{success, run_id, checks[…]}`."""
    made = build(home, progress, job="check")
    return {key: made[key] for key in ("success", "run_id", "checks", "errors")}


def failures_of(instance: dg.DagsterInstance, run_id: str) -> list[dict[str, str]]:
    """Each failed step and the sentence it failed with."""
    found = []
    for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        data = event.dagster_event and event.dagster_event.step_failure_data
        if data is None:
            continue
        told = data.user_failure_data.description if data.user_failure_data else None
        error = data.error
        while told is None and error is not None and error.cause is not None:
            error = error.cause
        if error is not None and "DagsterAssetCheckFailedError" in (error.cls_name or ""):
            continue  # the check itself tells
        found.append({"step": event.step_key or "", "error": told or (error.message.strip() if error else "failed")})
    for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE):
        ended = event.dagster_event and event.dagster_event.job_failure_data
        if ended and ended.error and not found:
            found.append({"step": "", "error": ended.error.message.strip()})
    return found


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dict[str, Any]]:
    """What each check of a run found."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [checks_of(e.dagster_event.event_specific_data) for e in events if e.dagster_event]


@contextmanager
def narrated(instance: dg.DagsterInstance, run_id: str, progress: Progress | None) -> Iterator[None]:
    """Tell `progress` of each step as it starts and ends, from Dagster's own event log."""
    if progress is None:
        yield
        return
    ended = threading.Event()

    def follow() -> None:
        cursor = None
        while True:
            last = ended.wait(0.3)
            page = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = page.cursor
            for record in page.records:
                event = record.event_log_entry.dagster_event
                if event is not None and event.event_type in (
                    dg.DagsterEventType.STEP_START,
                    dg.DagsterEventType.STEP_FAILURE,
                ):
                    progress(
                        f"{event.step_key}{'' if event.event_type == dg.DagsterEventType.STEP_START else ': failed'}"
                    )
            if last and not page.has_more:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5.0)


def up(home: Home, port: int = 3000, progress: Progress | None = None) -> int:
    """Serve Dagster's UI on 127.0.0.1 and run its daemon (sensors, schedule, queue) until interrupted. Returns an exit code.

    Raises `PortInUse` when something else listens there.
    """
    home.recipe()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortInUse(
                f"port {port} on 127.0.0.1 is in use. Choose another: flywheel up --port {port + 1}"
            ) from None
    env = os.environ | {
        "DAGSTER_HOME": str(home.path),
        "FLYWHEEL_HOME": str(home.path),
        "GX_ANALYTICS_ENABLED": "False",
    }
    module = ["-m", "assets.definitions", "-d", str(Path(__file__).resolve().parent.parent)]
    commands = [
        [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *module],
        [sys.executable, "-m", "dagster._daemon", "run", *module],
    ]
    started = [subprocess.Popen(c, env=env, cwd=home.path) for c in commands]
    if progress:
        progress(f"Dagster's UI: http://127.0.0.1:{port}   home: {home.path}   (Ctrl-C ends it)")
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        while all(p.poll() is None for p in started):
            time.sleep(0.5)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
