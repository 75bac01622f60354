"""A build and a check from the command line, and the UI's three processes: how they end, and what is said of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_shared.error import SerializableErrorInfo

from assets import launch
from assets.launch import PortInUse, Services, UIEnded, alone, refuse_port, said, settle
from flywheel.__main__ import run
from flywheel.errors import HomeBusy
from flywheel.home import Home
from tests.homes import free_port, small_home

STATUS = dg.DagsterRunStatus


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "home")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object], str]:
    """Exit code, JSON object, and the last line on stderr."""
    code = run([*arguments, "--json"])
    out = capsys.readouterr()
    return code, json.loads(out.out), out.err.strip().splitlines()[-1]


# --- build and check


@pytest.mark.slow
def test_a_build_and_a_check(tmp_path: Path) -> None:
    home = small_home(tmp_path / "home")
    steps: list[str] = []
    built = launch.build(home, steps.append)
    assert built["success"] is True
    assert built["errors"] == []
    assert [s["name"] for s in built["sets"] if s["released"]] == ["answers", "verdicts"]
    assert {"raw_files", "answers_checks", "answers_release", "catalog"} <= set(steps)
    with launch.instance_of(home) as instance:
        assert instance.get_run_by_id(built["run_id"]).status == STATUS.SUCCESS  # type: ignore[union-attr]
    made = {p: p.stat().st_mtime_ns for p in home.store.root.rglob("*.parquet")}
    checked = launch.check(home)
    assert set(checked) == {"success", "run_id", "checks", "errors"}
    assert checked["success"] is True
    assert len(checked["checks"]) == len(built["checks"])
    assert {p: p.stat().st_mtime_ns for p in home.store.root.rglob("*.parquet")} == made, "a check makes nothing"
    (home.exports / "answers" / "current" / "train.jsonl").unlink()
    found = launch.check(home)
    assert found["success"] is False
    assert [c["name"] for c in found["checks"] if not c["passed"]] == ["export_is_whole"]
    assert found["errors"] == [], "the check itself tells"


def test_a_busy_home_is_told_at_once(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.inbox / "logs" / "a.jsonl").write_text("{}\n")
    with home.lock(0.0, "flywheel build"):
        started = time.monotonic()
        code, answer, line = told(capsys, "build", "--home", str(home.path))
    assert code == 3
    assert time.monotonic() - started < 5
    assert line == (
        f"flywheel: another flywheel build (process {os.getpid()}) is at work in {home.path}, and only one build may run at a time. "
        "Wait for it to end, then run this again."
    )
    assert answer["exit_code"] == 3


@pytest.mark.parametrize("command", ["build", "up"])
def test_a_broken_recipe_is_told_before_anything_starts(
    home: Home, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    home.recipe_file.write_text('name = "x"\n[[filter]]\nuse = "to_short"\n')
    (home.inbox / "logs" / "a.jsonl").write_text("{}\n")
    code, answer, _ = told(capsys, command, "--home", str(home.path))
    assert code == 2
    assert "too_short" in str(answer["error"])
    assert "Traceback" not in str(answer["error"])


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("flywheel.errors.HomeBusy: another build is at work.\n", "another build is at work."),
        ("dagster._core.definitions.events.Failure: the disk is full: x.\n", "the disk is full: x."),
        ("ZeroDivisionError: division by zero\n", "ZeroDivisionError: division by zero"),
        ("flywheel.errors.Unknown thing\n", "flywheel.errors.Unknown thing"),
    ],
)
def test_of_nested_errors_the_sentence_at_the_root_is_told(message: str, sentence: str) -> None:
    root = SerializableErrorInfo(message, [], "X")
    around = SerializableErrorInfo("dagster._core.errors.DagsterResourceFunctionError: Error\n", [], "D", cause=root)
    assert said(around) == sentence


# --- the UI


def test_a_port_in_use_is_told_with_another() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            refuse_port(port)
    assert str(refused.value) == f"port {port} on 127.0.0.1 is in use. Choose another: flywheel up --port {port + 1}"
    assert refused.value.exit_code == 2
    refuse_port(port)  # free again


def test_one_ui_serves_a_home(home: Home) -> None:
    with alone(home, 3000), pytest.raises(HomeBusy) as refused, alone(home, 3001):
        pass
    assert f"the UI of {home.path} is up already: http://127.0.0.1:3000 (process {os.getpid()})." in str(refused.value)
    with alone(home, 3001):
        assert (home.path / ".up").read_text() == f"http://127.0.0.1:3001 (process {os.getpid()})"


def test_runs_that_died_are_settled_before_a_ui_and_after_it(home: Home) -> None:
    job = dg.GraphDefinition(name="build").to_job()

    def dead() -> str:
        with launch.instance_of(home) as instance:
            return instance.create_run_for_job(job, status=STATUS.STARTED).run_id

    def failed(run_id: str) -> bool:
        with launch.instance_of(home) as instance:
            return instance.get_run_by_id(run_id).status == STATUS.FAILURE  # type: ignore[union-attr]

    before = dead()
    with alone(home, 3000):
        assert failed(before)
        after = dead()
    assert failed(after)


def sleeping(pid: int) -> bool:
    """Whether a process is there."""
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_an_ended_process_is_told_and_the_others_are_ended(home: Home, tmp_path: Path) -> None:
    with Services(home, tmp_path) as services:
        services.run("webserver", "http.server", "0", "--bind", "127.0.0.1")
        services.run("daemon", "timeit", "-n1", "-r1", "-s", "import os", "os._exit(7)")
        with pytest.raises(UIEnded) as ended:
            services.until(lambda: False)
    assert str(ended.value).startswith(
        "Dagster's daemon ended by itself (exit code 7), so the UI was ended; nothing is lost."
    )
    assert f"flywheel doctor --home {home.path}" in str(ended.value)
    assert [p.poll() is not None for p in services.running.values()] == [True, True]


def test_what_a_process_started_is_ended_with_it(home: Home, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = "import subprocess as s, sys, time"
    work = (
        f"p = s.Popen([sys.executable, '-c', 'import time; time.sleep(99)']); open({str(note)!r}, 'w').write(str(p.pid));"
        "time.sleep(99)"
    )
    with Services(home, tmp_path) as services:
        services.run("code server", "timeit", "-n1", "-r1", "-s", child, work)
        services.until(lambda: note.exists() and note.read_text() != "")
        pid = int(note.read_text())
        assert sleeping(pid)
        raise KeyboardInterrupt  # as Ctrl-C does: no error, it is how the UI is meant to end
    until = time.monotonic() + 5
    while sleeping(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not sleeping(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_handled_as_ctrl_c_and_handlers_are_put_back(
    home: Home, tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    with Services(home, tmp_path):
        os.kill(os.getpid(), number)
        time.sleep(5)
        pytest.fail("was not interrupted")
    assert signal.getsignal(number) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_killed_ui_leaves_no_process(home: Home, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from assets.launch import Services; from flywheel.home import Home;"
        f"s = Services(Home(Path({str(home.path)!r})), Path({str(tmp_path)!r})); s.run('daemon', 'http.server', '0', '--bind', '127.0.0.1');"
        "print(s.running['daemon'].pid, flush=True); time.sleep(99)"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert sleeping(pid)
        process.kill()
    until = time.monotonic() + 5
    while sleeping(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not sleeping(pid)


LAUNCH = """mutation { launchRun(executionParams: {mode: "default", runConfigData: {}, selector: {jobName: "build",
  repositoryName: "__repository__", repositoryLocationName: "flywheel"}}) { __typename } }"""
DELETE = """mutation { deletePipelineRun(runId: "00000000-0000-4000-8000-000000000000") { __typename } }"""
SWITCH = """mutation { startSchedule(scheduleSelector: {scheduleName: "daily_build",
  repositoryName: "__repository__", repositoryLocationName: "flywheel"}) { __typename } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "flywheel") { __typename } }"""
HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the environment is no way to this machine itself."""
GRAPH = "{ assetNodes { assetKey { path } dependencyKeys { path } } }"


def asked(port: int, query: str) -> Any:
    """The answer of Dagster's own interface."""
    body, head = json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, head)
    with HERE.open(request, timeout=60) as answer:
        return json.loads(answer.read())["data"]


@pytest.mark.slow
def test_a_read_only_ui_shows_the_graph_and_refuses_every_change(tmp_path: Path) -> None:
    home, said = small_home(tmp_path / "home"), tmp_path / "said"
    port = free_port()
    command = [sys.executable, "-m", "flywheel", "up", "--read-only", "--home", str(home.path), "--port", str(port)]
    root = Path(__file__).resolve().parents[2]
    with (
        said.open("w") as log,
        subprocess.Popen(command, cwd=root, stdout=log, stderr=log) as process,
        alone(home, 3000),
    ):
        try:  # `alone`: the UI of the same home may be up beside it
            until = time.monotonic() + 120
            while "for looking only" not in said.read_text() and process.poll() is None and time.monotonic() < until:
                time.sleep(0.3)
            nodes = asked(port, GRAPH)["assetNodes"]
            refused = {m: next(iter(asked(port, m).values()))["__typename"] for m in (LAUNCH, DELETE, SWITCH, RELOAD)}
            runs = asked(port, "{ runsOrError { ... on Runs { results { runId } } } }")
            daemons = asked(port, "{ instance { daemonHealth { allDaemonStatuses { healthy } } } }")
            foreign = by_another_site(port)
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(60)
    upstream = {n["assetKey"]["path"][0]: [d["path"][0] for d in n["dependencyKeys"]] for n in nodes}
    assert "curated" in upstream["answers"]
    assert set(refused.values()) == {"UnauthorizedError"}
    assert runs["runsOrError"]["results"] == [], "files wait in the inbox, and no sensor saw them"
    assert not any(d["healthy"] for d in daemons["instance"]["daemonHealth"]["allDaemonStatuses"])
    assert foreign == [403, 403, 403]
    assert ended == 0, said.read_text()


def by_another_site(port: int) -> list[int]:
    """What a page elsewhere is answered: by GET, with its own origin, and under its own name."""
    url, found = f"http://127.0.0.1:{port}/graphql", []
    body, plain = b'{"query": "{ __typename }"}', {"Content-Type": "application/json"}
    for address, data, headers in (
        (f"{url}?query=%7B__typename%7D", None, {}),
        (url, body, plain | {"Origin": "https://evil.example"}),
        (url, body, plain | {"Host": "evil.example"}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            HERE.open(urllib.request.Request(address, data, headers), timeout=10)
        found.append(refused.value.code)
    return found


def test_a_changed_recipe_is_noticed_and_a_broken_one_is_told(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services(home, tmp_path)
    assert services.recipe_mark() == services.recipe_seen
    home.recipe_file.write_text('name = "x"\n[[filter]]\nuse = "to_short"\n')
    assert services.recipe_mark() != services.recipe_seen
    services.follow_recipe()
    said = capsys.readouterr().err
    assert said.startswith("the recipe changed, but the graph did not: ")
    assert "too_short" in said


def test_runs_whose_process_is_gone_are_settled_but_not_while_one_is_at_work(home: Home) -> None:
    job = dg.GraphDefinition(name="build").to_job()
    with launch.instance_of(home) as instance:
        dead = instance.create_run_for_job(job, status=STATUS.STARTED)
    for held, status in ((True, STATUS.STARTED), (False, STATUS.FAILURE)):
        if held:
            with home.lock(0.0):
                settle(home)
        else:
            settle(home)
        with launch.instance_of(home) as instance:
            assert instance.get_run_by_id(dead.run_id).status == status  # type: ignore[union-attr]
