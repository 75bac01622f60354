"""Starting Dagster from the command line: a build in this process, the checks alone, or the UI with its daemon."""

import ctypes
import errno
import fcntl
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._grpc.client import DagsterGrpcClient
from dagster_shared.error import SerializableErrorInfo

from assets.event_log import with_one_engine
from assets.events import warned
from assets.resources import bury
from flywheel.errors import FlywheelError, HomeBusy
from flywheel.home import Home
from flywheel.logs.inbox import take
from flywheel.outcome import checks_of, outcome
from flywheel.storage.catalog import Catalog
from flywheel.tuning.trial import conclude, prepare, refuse_untried

Progress = Callable[[str], None]

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster's own lines stay in its event log; the terminal shows ours."""
LOCATION = "flywheel"
"""Name of the code location, as in workspace.yaml: Dagster knows sensors and runs by it."""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""Seconds a process of the UI has to end when asked."""


class PortInUse(FlywheelError):
    """Another program listens on the port of the UI."""

    exit_code = 2


class UIEnded(FlywheelError):
    """A process of the UI ended by itself."""


@contextmanager
def instance_of(home: Home) -> Iterator[dg.DagsterInstance]:
    """Dagster's own storage, which lies in the home."""
    os.environ["DAGSTER_HOME"] = os.environ["FLYWHEEL_HOME"] = str(home.path)
    warnings.simplefilter("ignore")
    for name in ("dagster", "great_expectations"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with with_one_engine(dg.DagsterInstance.from_config(str(home.path))) as instance:
        yield instance


def build(home: Home, progress: Progress | None = None, job: str = "build") -> dict[str, Any]:
    """Run the graph in this process; the run is in the UI too. Returns the contract of `flywheel build --json`.

    Raises `HomeBusy` at once when another build is at work.
    """
    recipe = home.recipe()
    with home.lock(0.0):
        pass
    if job == "build":
        refuse_untried(home, recipe)
    with instance_of(home) as instance:
        made = run(home, instance, job, progress)
    with Catalog.open(home):
        pass
    return made


def run(home: Home, instance: dg.DagsterInstance, job: str, progress: Progress | None = None) -> dict[str, Any]:
    """Run a job of a home in this process, and say what it came to."""
    from assets.definitions import definitions  # reads the recipe of FLYWHEEL_HOME, which is set by now

    run_id = str(uuid.uuid4())
    runnable = definitions(home.path, wait=5.0).resolve_job_def(job)
    with narrated(instance, run_id, progress):
        done = runnable.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False, run_config=QUIET)
    return outcome(home, run_id, done.success, evaluations(instance, run_id), failures_of(instance, run_id))


def trial(home: Home, size: int, progress: Progress | None = None) -> dict[str, Any]:
    """Run the graph on a sample of the conversations, in HOME/trial. Returns the contract of `flywheel build --json` with
    the verdict as `trial`; `success` is that of the trial. The run is in no UI: its events lie in the trial's own folder."""
    home.recipe()
    os.environ["FLYWHEEL_HOME"] = str(home.path)
    with home.lock(0.0, "flywheel build --trial"):
        take(home)
        area = prepare(home, size)
        with with_one_engine(dg.DagsterInstance.from_config(str(area.path))) as instance:
            made = run(area, instance, "build", progress)
        told = conclude(home, area, made)
    return made | {"trial": told, "success": told["passed"]}


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
        if data.error is not None and "DagsterAssetCheckFailedError" in (root_of(data.error).cls_name or ""):
            continue  # the check itself tells
        told = data.user_failure_data.description if data.user_failure_data else None
        found.append({"step": event.step_key or "", "error": told or (said(data.error) if data.error else "failed")})
    for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE):
        ended = event.dagster_event and event.dagster_event.job_failure_data
        if ended and ended.error and not found and "DagsterAssetCheckFailedError" not in ended.error.message:
            found.append({"step": "", "error": said(ended.error)})
    return found


def root_of(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """The error at the root of those that Dagster put around it."""
    while error.cause is not None:
        error = error.cause
    return error


def said(error: SerializableErrorInfo) -> str:
    """What an error says: of our own, the sentence; of others, the sentence after the name of their class."""
    root = root_of(error)
    text = root.message.strip()
    ours = re.match(r"(flywheel\.errors\.\w+|dagster\.\S+\.Failure): ", text)
    return text[ours.end() :] if ours else text


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dict[str, Any]]:
    """What each check of a run found."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [checks_of(e.dagster_event.event_specific_data) for e in events if e.dagster_event]


@contextmanager
def narrated(instance: dg.DagsterInstance, run_id: str, progress: Progress | None) -> Iterator[None]:
    """Tell `progress` of each step as it starts and fails, and of what the run warned of, from Dagster's own event log."""
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
                if event is not None and warned(event):
                    progress(event.message or "")
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


# --- the UI


def up(home: Home, port: int = 3000, progress: Progress | None = None, read_only: bool = False) -> int:
    """Serve Dagster's UI on 127.0.0.1 and run its daemon (sensors, schedule, queue) until interrupted. Returns 0 then.

    The recipe is watched: when it changes, the graph follows. `read_only` is for looking: the webserver refuses what would
    start, end, delete or switch anything, and no daemon runs, so that no sensor, clock or queue starts a run
    either; dead runs are left as they are, and it may be up beside the UI of the same home. Raises `PortInUse`, `HomeBusy` when
    the UI of this home is up already, and `UIEnded` when one of Dagster's processes ends by itself; the others are ended then.
    """
    home.recipe()
    refuse_port(port)
    with (
        nullcontext() if read_only else alone(home, port),
        tempfile.TemporaryDirectory(prefix="flywheel-") as folder,
        Services(home, Path(folder)) as services,
    ):
        services.start(port, read_only)
        if progress:
            looking = "   for looking only" if read_only else ""
            progress(f"Dagster's UI: http://127.0.0.1:{port}{looking}   home: {home.path}   (Ctrl-C ends it)")
        services.watch()
    return 0


def settle(home: Home) -> None:
    """Mark the runs whose process is gone as failed: each would else keep the next one waiting for ever. The daemon retries them."""
    with suppress(HomeBusy), home.lock(0.0), instance_of(home) as instance:
        bury(instance)


def refuse_port(port: int) -> None:
    """Raise `PortInUse` when the port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as e:
            wrong = "is in use" if e.errno == errno.EADDRINUSE else f"cannot be used: {e.strerror}"
            raise PortInUse(
                f"port {port} on 127.0.0.1 {wrong}. Choose another: flywheel up --port {port + 1 if 1024 <= port < 65535 else 3001}"
            ) from None


@contextmanager
def alone(home: Home, port: int) -> Iterator[None]:
    """Let one UI start runs in a home: two daemons would each start those that files in the inbox ask for. What runs left that
    died is settled before and after."""
    with (home.path / ".up").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HomeBusy(
                f"the UI of {home.path} is up already: {file.read().strip() or 'another process serves it'}. Open that, or end it first."
            ) from None
        file.truncate(0)
        file.write(f"http://127.0.0.1:{port} (process {os.getpid()})")
        file.flush()
        settle(home)
        yield
        settle(home)


class Services:
    """Dagster's three processes: the code server that holds the definitions, the webserver and, unless read-only, the daemon.

    One code server for both: each would else start its own, and the daemon a new one every minute.
    """

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.socket = str(folder / "code.sock")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.handlers: dict[int, Any] = {}
        self.recipe_seen = self.recipe_mark()

    def __enter__(self) -> "Services":
        for number in ENDINGS:
            # nohup, or a shell's background job: not to be ended so. But for SIGTERM: Dagster gives it what SIGINT has.
            if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                self.handlers[number] = signal.signal(number, interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """End every process, and whatever they started. An interruption is how the UI is meant to end."""
        for number in self.handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            for process in self.running.values():
                process.terminate()
            for process in self.running.values():
                outlast(process)
        finally:
            for number, handler in self.handlers.items():
                signal.signal(number, handler)
        return kind is not None and issubclass(kind, KeyboardInterrupt)

    def start(self, port: int, read_only: bool = False) -> None:
        """Start them, and return when the UI answers."""
        root = str(Path(__file__).resolve().parent.parent)
        code = ["-s", self.socket, "-m", "assets.definitions", "-d", root, "--location-name", LOCATION]
        self.run("code server", "dagster", "code-server", "start", *code, "--log-level", "error")
        self.until(self.code_answers)
        location = {"grpc_server": {"socket": self.socket, "location_name": LOCATION}}
        workspace = self.folder / "workspace.yaml"
        workspace.write_text(json.dumps({"load_from": [location]}))  # JSON is YAML
        if not read_only:
            self.run("daemon", "dagster._daemon", "run", "-w", str(workspace), "--log-level", "error")
        quiet = ["--log-level", "error", "--dagster-log-level", "error", "--suppress-warnings"]
        where = ["-h", "127.0.0.1", "-p", str(port), "-w", str(workspace)]
        self.run("webserver", "assets.webserver", *where, *quiet, *(["--read-only"] if read_only else []))
        self.until(lambda: listens(port))

    def run(self, name: str, module: str, *arguments: str) -> None:
        """Start one process, in a group of its own: a Ctrl-C of the terminal reaches this process only, which ends the others."""
        settings = {
            "DAGSTER_HOME": str(self.home.path),
            "FLYWHEEL_HOME": str(self.home.path),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PYTHONWARNINGS": "ignore",
            "GX_ANALYTICS_ENABLED": "False",
        }
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=os.environ | settings,
            cwd=self.home.path,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait for a process to be ready. Raises `UIEnded` when one has ended instead."""
        while not ready():
            self.refuse_ended()
            time.sleep(0.2)

    def watch(self) -> None:
        """Until interrupted: notice a process that ended, and a recipe that changed."""
        while True:
            self.refuse_ended()
            if (mark := self.recipe_mark()) != self.recipe_seen:
                self.recipe_seen = mark
                self.follow_recipe()
            time.sleep(0.5)

    def refuse_ended(self) -> None:
        """Raise `UIEnded` when one of the processes is no more."""
        for name, process in self.running.items():
            if (code := process.poll()) is not None:
                raise UIEnded(
                    f"Dagster's {name} ended by itself (exit code {code}), so the UI was ended; nothing is lost. "
                    f"If it said nothing above, run: flywheel doctor --home {self.home.path}   Then: flywheel up --home {self.home.path}"
                )

    def code_answers(self) -> bool:
        """Whether the code server is there. What is wrong with the definitions, the UI tells."""
        try:
            self.client().ping("")
        except dg.DagsterError:
            return False
        return True

    def client(self) -> DagsterGrpcClient:
        """A connection to the code server."""
        return DagsterGrpcClient(socket=self.socket)

    def recipe_mark(self) -> tuple[int, int] | None:
        """What tells this state of the recipe file from another; None while it is not there."""
        try:
            facts = self.home.recipe_file.stat()
        except OSError:
            return None
        return facts.st_size, facts.st_mtime_ns

    def follow_recipe(self) -> None:
        """Load the definitions again for a changed recipe; of a broken one, say what is wrong and keep those there are."""
        try:
            self.home.recipe()
            self.client().reload_code(timeout=120)
        except (FlywheelError, dg.DagsterError) as e:
            print(f"the recipe changed, but the graph did not: {e}", file=sys.stderr, flush=True)
        else:
            print("the recipe changed, and the graph with it", file=sys.stderr, flush=True)


def outlast(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process that was asked to end; when it does not, or leaves something behind, kill its group."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def listens(port: int) -> bool:
    """Whether something answers on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def interrupt(*_: object) -> None:
    """A signal to end, handled as Ctrl-C is."""
    raise KeyboardInterrupt


def end_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, however it dies: a killed UI must not keep its port."""
    for number in (signal.SIGINT, signal.SIGTERM):  # ignored by the children of a shell's background job, else
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
