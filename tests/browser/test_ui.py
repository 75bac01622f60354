"""The UI as a user meets it: started, looked at, materialized, fed with a late file, and ended; in headless Chromium."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flywheel.home import Home
from flywheel.logs.inbox import take
from tests.homes import drop, free_port, small_home, thumb

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
AUTOMATION = """{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name }
  sensors { name sensorState { status } } schedules { name scheduleState { status } } } } } }"""
INSTANCE = "{ shouldShowNux instance { info } }"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@dataclass
class UI:
    """A running `flywheel up`."""

    home: Home
    port: int
    process: "subprocess.Popen[str]"
    said: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def wait(until: Callable[[], bool], seconds: float, what: str) -> None:
    """Until something is so, or fail saying what was waited for."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UI]:
    folder = tmp_path_factory.mktemp("ui")
    home, port, said = small_home(folder / "home"), free_port(), folder / "said"
    take(home)  # what the sensors found would start a run before anybody clicked
    command = [sys.executable, "-m", "flywheel", "up", "--home", str(home.path), "--port", str(port)]
    with said.open("w") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, text=True) as process:
        started = UI(home, port, process, said)
        try:
            wait(lambda: "Dagster's UI" in said.read_text() or process.poll() is not None, 90, "the UI to start")
            assert process.poll() is None, said.read_text()
            yield started
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, ui: UI) -> Iterator[Any]:
    """A page that may talk to the UI and to nobody else."""
    tab = browser.new_page(viewport={"width": 1600, "height": 1000})
    elsewhere: list[str] = []
    tab.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith((ui.url, "data:", "blob:")) else None)
    tab.set_default_timeout(45_000)
    yield tab
    tab.close()
    assert elsewhere == [], "the page asked other hosts"


def asked(page: Any, ui: UI, query: str) -> Any:
    """The answer of Dagster's own interface."""
    return page.request.post(f"{ui.url}/graphql", data={"query": query}).json()["data"]


def family(pid: int) -> set[int]:
    """A process and everything it started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> list[tuple[str, int]]:
    """Address (in hex, as the kernel writes it) and port of every TCP socket on which these processes listen."""
    mine = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                mine.add(os.readlink(descriptor))
            except OSError:
                continue
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                address, _, port = fields[1].partition(":")
                found.append((address, int(port, 16)))
    return found


def test_only_this_machine_can_reach_it(ui: UI) -> None:
    found = listening(family(ui.process.pid))
    assert ui.port in {port for _, port in found}
    assert {address for address, _ in found} == {"0100007F"}, "127.0.0.1 and nothing else"


def test_it_asks_nobody_and_starts_by_itself(ui: UI, page: Any) -> None:
    page.goto(ui.url)
    page.get_by_text("Lineage").first.wait_for()
    about = asked(page, ui, INSTANCE)
    assert about["shouldShowNux"] is False
    assert re.search(r"telemetry:\s+enabled: false", about["instance"]["info"])
    (location,) = asked(page, ui, AUTOMATION)["repositoriesOrError"]["nodes"]
    assert location["location"]["name"] == "flywheel"
    assert {s["name"]: s["sensorState"]["status"] for s in location["sensors"]} == {
        "new_logs": "RUNNING",
        "new_feedback": "RUNNING",
    }
    assert [s["scheduleState"]["status"] for s in location["schedules"]] == ["RUNNING"]
    assert page.get_by_text("Join the Dagster").count() == 0


def test_materialize_all_needs_no_typing_and_checks_are_read_without_a_click(ui: UI, page: Any) -> None:
    page.goto(f"{ui.url}/asset-groups")
    for group in ("1_ingest", "2_label", "3_measure", "4_curate", "5_assemble", "6_export"):
        page.get_by_text(group).first.wait_for()
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Launched run").wait_for()
    page.goto(f"{ui.url}/runs")
    page.get_by_text("Success").first.wait_for(timeout=90_000)
    assert (ui.home.exports / "answers" / "current" / "train.jsonl").exists()

    page.goto(f"{ui.url}/assets/answers?view=checks&checkDetail=set_is_large_enough")
    page.get_by_text("0 of 24 rows short; none allowed.").first.wait_for()
    page.get_by_text("missing_rows is at most 0. A failure blocks what is downstream.").first.wait_for()
    page.get_by_text("If it fails: Lower").first.wait_for()

    page.goto(f"{ui.url}/assets/curated")
    page.get_by_text("The pool that every set is drawn from").first.wait_for()
    page.get_by_text("why it must not be imitated").first.wait_for()
    figure = page.locator("img[src^='data:image/svg']").first
    figure.wait_for()
    assert figure.evaluate("image => image.naturalWidth") > 300


def test_a_late_file_is_seen_and_built(ui: UI, page: Any) -> None:
    before = ui.home.store.head("labels").count()
    drop(ui.home, "feedback/late.jsonl", *[thumb(n, up=True) for n in (1, 3, 5)], age=0)
    page.goto(f"{ui.url}/runs")
    page.get_by_text("new_feedback").first.wait_for(timeout=90_000)
    wait(lambda: ui.home.store.head("labels").count() == before + 3, 60, "the late feedback to be in the labels")
    runs = "{ runsOrError { ... on Runs { results { status tags { key value } } } } }"
    wait(
        lambda: {r["status"] for r in asked(page, ui, runs)["runsOrError"]["results"]} == {"SUCCESS"},
        60,
        "every run to succeed",
    )
    mine = [{t["key"]: t["value"] for t in r["tags"]} for r in asked(page, ui, runs)["runsOrError"]["results"]]
    assert [t["flywheel/files"] for t in mine if t.get("flywheel/trigger") == "inbox/feedback"] == ["1"]


def test_a_second_ui_and_a_taken_port_are_refused(ui: UI, tmp_path: Path) -> None:
    def up(home: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "flywheel", "up", "--home", str(home), "--port", str(ui.port)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    other = Home.create(tmp_path / "other")
    refused = up(other.path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"port {ui.port} on 127.0.0.1 is in use. Choose another: flywheel up --port " in refused.stderr


def test_it_ends_cleanly_and_leaves_nothing_behind(ui: UI) -> None:
    pids = family(ui.process.pid)
    assert len(pids) >= 4
    ui.process.send_signal(signal.SIGTERM)
    assert ui.process.wait(40) == 0
    wait(lambda: not any(Path(f"/proc/{p}").exists() for p in pids), 10, "every process to be gone")
    assert "Traceback" not in ui.said.read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ui.port)) != 0
