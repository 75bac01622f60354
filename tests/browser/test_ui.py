"""The UI as a user meets it: a real browser, a real webserver and daemon, a small home."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
RECIPE = """
name = "ui"
[[edit]]
use = "redact_email"
[[filter]]
use = "failed_call"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
"""


def call(n: int, day: str = "2026-03-02") -> bytes:
    """One logged call; every fifth user gives an e-mail address."""
    said = f"Question {n}: what is {n} times {n}?" + (f" Write to user{n}@example.com." if n % 5 == 0 else "")
    line = {
        "id": f"req_{n}",
        "timestamp": f"{day}T10:00:00Z",
        "user_id": f"u{n}",
        "session_id": f"s{n}",
        "request": {"model": "m", "messages": [{"role": "user", "content": said}]},
        "response": {"id": f"chatcmpl-{n}", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"It is {n * n}, as {n} rows of {n} show."}}]},
    }  # fmt: skip
    return orjson.dumps(line) + b"\n"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


class Ui:
    """A home and the UI that serves it."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flywheel", "up", "--home", str(home), "--port", str(self.port)],
            cwd=ROOT,
            start_new_session=True,
        )

    def ask(self, query: str) -> Any:
        """One GraphQL query, as the page itself would send it."""
        import urllib.request

        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.ask("{runsOrError{...on Runs{results{runId status}}}}")["runsOrError"][
            "results"
        ]
        return found

    def until(self, what: str, true: Any, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if true():
                    return
            except OSError:
                pass
            time.sleep(1.0)
        raise AssertionError(f"not within {seconds:g} s: {what}; runs: {self.runs()}")


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    home = tmp_path_factory.mktemp("ui") / "home"
    subprocess.run([sys.executable, "-m", "flywheel", "init", str(home)], check=True, capture_output=True, cwd=ROOT)
    (home / "recipe.toml").write_text(RECIPE)
    first = home.parent / "first.jsonl"
    first.write_bytes(b"".join(map(call, range(40))) + b"not json\n")
    subprocess.run(
        [sys.executable, "-m", "flywheel", "ingest", str(first), "--home", str(home)],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    served = Ui(home)
    try:
        served.until("the UI answers", lambda: served.ask("{version}"))
        yield served
    finally:
        os.killpg(served.process.pid, signal.SIGTERM)
        try:
            served.process.wait(30)
        finally:
            if served.process.poll() is None:
                os.killpg(served.process.pid, signal.SIGKILL)


@pytest.fixture
def page(ui: Ui) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()


def test_materialize_all_needs_no_typing_and_a_check_tells_number_and_bound(ui: Ui, page: Any) -> None:
    page.goto(f"{ui.url}/asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    ui.until("a run was started", ui.runs)
    ui.until("the run ended", lambda: ui.runs()[0]["status"] in ("SUCCESS", "FAILURE"))
    assert ui.runs()[0]["status"] == "SUCCESS"
    page.goto(f"{ui.url}/assets/answers?view=checks&checkDetail=no_pii_is_left")
    page.get_by_text("0 personal or secret values left in 40 rows; none allowed.").first.wait_for()
    assert page.get_by_text("Passed").first.is_visible()
    page.goto(f"{ui.url}/assets/screened")
    page.get_by_text("Every reason of every rejected row is kept.").first.wait_for()
    lines = (ui.home / "exports" / "answers" / "current" / "train.jsonl").read_text()
    assert "[EMAIL_" in lines
    assert "@example.com" not in lines


def test_a_new_file_in_the_inbox_starts_one_run(ui: Ui) -> None:
    before = len(ui.runs())
    day = ui.home / "inbox" / "logs" / "2026-03-03.jsonl"
    day.write_bytes(b"".join(call(n, "2026-03-03") for n in range(40, 46)))
    ui.until("the sensor started a run", lambda: len(ui.runs()) > before)
    ui.until("it ended", lambda: ui.runs()[0]["status"] in ("SUCCESS", "FAILURE"))
    assert ui.runs()[0]["status"] == "SUCCESS"
    time.sleep(20)  # more than a tick of the sensor: the same file starts nothing again
    assert len(ui.runs()) == before + 1
    manifest = json.loads((ui.home / "exports" / "answers" / "current" / "manifest.json").read_bytes())
    assert sum(len(ids) for name, ids in manifest["lines"].items() if "/" not in name) == 46


def test_it_listens_on_loopback_only(ui: Ui) -> None:
    """Every socket that the UI's processes listen on, from the kernel's own list."""
    group = os.getpgid(ui.process.pid)
    ours = set()
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.getpgid(int(fd.parts[2])) == group or _ancestor(int(fd.parts[2]), ui.process.pid):
                ours.add(os.readlink(fd))
        except (OSError, ValueError):
            continue
    listening = []
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in ours:
                listening.append(fields[1].partition(":")[0])
    assert listening
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert set(listening) <= loopback


def _ancestor(pid: int, of: int) -> bool:
    """Whether `of` is among the parents of a process."""
    while pid > 1:
        if pid == of:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False
