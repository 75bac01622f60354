"""The file of events and the endpoint: real files, a real server on the loopback."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flywheel.audit import emission
from flywheel.audit.emission import AT_WORK, FILE, begin, end, keep, send, untold
from flywheel.audit.openlineage import OpenLineage, Ran, events
from flywheel.home import Home

EVENTS = [{"eventType": "START", "n": n} for n in range(3)]


class Endpoint:
    """What came to a server, and its address."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.came: list[tuple[str, dict[str, str], Any]] = []

    @property
    def sink(self) -> OpenLineage:
        return OpenLineage(endpoint=f"http://127.0.0.1:{self.server.server_port}/api/v1/lineage")


@contextmanager
def serving(answer: int = 201, to: str = "", silent: threading.Event | None = None) -> Iterator[Endpoint]:
    """A server that takes events and answers each with this status; `to`: where it redirects; `silent`: says nothing until then."""

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.came.append((self.path, dict(self.headers), json.loads(body)))
            if silent is not None:
                silent.wait(10)
            self.send_response(answer)
            if to:
                self.send_header("Location", to)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Takes)
    endpoint = Endpoint(server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        if silent is not None:
            silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


def run_of(n: int) -> list[dict[str, Any]]:
    """What is told of a run of two steps."""
    steps = [Ran(f"step{k}", 10.0 * n + k, 10.0 * n + k + 1, "COMPLETE") for k in range(2)]
    return events("here", str(uuid.UUID(int=n)), "build", steps)


def test_whatever_a_crash_left_of_a_run_goes_before_the_next_is_told(tmp_path: Path) -> None:
    home, path = Home(tmp_path), tmp_path / FILE
    keep(home, run_of(1))
    one = path.read_bytes()
    keep(home, run_of(2))
    two = path.read_bytes()
    lines = two[len(one) :].splitlines(keepends=True)
    cuts = [len(one) + len(b"".join(lines[:n])) for n in range(len(lines))]
    for cut in [*cuts, *(c + 9 for c in cuts)]:
        path.write_bytes(two[:cut])
        keep(home, run_of(3))
        told = [json.loads(line) for line in path.read_text().splitlines()]
        assert told == run_of(1) + run_of(3)
    path.write_bytes(two)
    keep(home, run_of(3))
    assert [json.loads(line) for line in path.read_text().splitlines()] == run_of(1) + run_of(2) + run_of(3)


def test_a_file_of_one_torn_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "lineage").mkdir()
    (tmp_path / FILE).write_bytes(b"{")
    keep(Home(tmp_path), EVENTS)
    assert (tmp_path / FILE).read_text().count("\n") == 3


def test_a_run_is_untold_until_its_last_event_is_there(tmp_path: Path) -> None:
    home, lost = Home(tmp_path), str(uuid.UUID(int=2))
    assert untold(home) is None
    begin(home, lost)
    assert untold(home) == lost
    keep(home, run_of(1))
    assert untold(home) == lost
    keep(home, run_of(2))
    assert untold(home) is None
    keep(home, run_of(3))
    assert untold(home) is None
    whole = (tmp_path / FILE).read_bytes()
    last = whole.splitlines(keepends=True)[5:12]
    for cut in range(1, 8):  # a START and the ends of steps are not the end of the run
        (tmp_path / FILE).write_bytes(b"".join(last[:cut]))
        assert untold(home) == (None if cut == 7 else lost), cut
    end(home)
    assert untold(home) is None
    (tmp_path / AT_WORK).write_bytes(b"")
    assert untold(home) is None


def test_each_event_is_one_post_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_KEY", "s3cret")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no way to this machine itself
    with serving() as endpoint:
        assert send(endpoint.sink.model_copy(update={"key": "LINEAGE_KEY"}), EVENTS) is None
    assert [body for _, _, body in endpoint.came] == EVENTS
    path, headers, _ = endpoint.came[0]
    assert (path, headers["Content-Type"], headers["Authorization"]) == (
        "/api/v1/lineage", "application/json", "Bearer s3cret",
    )  # fmt: skip


def test_without_its_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEAGE_KEY", raising=False)
    with serving() as endpoint:
        said = send(endpoint.sink.model_copy(update={"key": "LINEAGE_KEY"}), EVENTS)
    assert said is not None
    assert "LINEAGE_KEY is not set" in said
    assert endpoint.came == []


def test_a_redirect_is_not_followed() -> None:
    with serving() as elsewhere, serving(answer=307, to=elsewhere.sink.endpoint) as endpoint:
        said = send(endpoint.sink, EVENTS)
    assert said is not None
    assert "3 of 3 lineage events were not sent" in said
    assert "it answered 307" in said
    assert len(endpoint.came) == 1
    assert elsewhere.came == []


@pytest.mark.parametrize("answer", [400, 503])
def test_a_refusal_ends_it_in_a_sentence(answer: int) -> None:
    with serving(answer=answer) as endpoint:
        said = send(endpoint.sink, EVENTS)
    assert said == (
        f"3 of 3 lineage events were not sent to {endpoint.sink.endpoint}: it answered {answer}. The build is not affected; "
        f"all of them are in {FILE} of the home."
    )


def test_a_silent_endpoint_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emission, "TIMEOUT", 0.2)
    with serving(silent=threading.Event()) as endpoint:
        said = send(endpoint.sink, EVENTS)
    assert said is not None
    assert "it did not answer in time" in said
    assert len(endpoint.came) == 1
    assert "cannot be reached (ConnectionRefusedError)" in str(send(endpoint.sink, EVENTS))
