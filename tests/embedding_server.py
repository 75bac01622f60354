"""A real server on loopback that speaks /v1/embeddings: hashed vectors, and what was asked of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flywheel.vectors.embeddings import hashed


class EmbeddingServer(ThreadingHTTPServer):
    """`asked` holds the texts of each request, `keys` the keys sent; the next `fail` requests are answered with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[list[str]] = []
        self.keys: list[str | None] = []
        self.fail = 0
        self.status = 503
        self.body: dict[str, Any] | None = None
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text asked for, but for the word that only asks whether the server is there."""
        return [t for texts in self.asked for t in texts if t != "flywheel"]


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked["input"])
        self.server.keys.append(self.headers.get("Authorization"))
        if self.server.fail:
            self.server.fail -= 1
            self.answer(self.server.status, {"error": {"message": f"no: {asked['input']}"}})
        else:
            vectors = [
                {"object": "embedding", "index": i, "embedding": v.tolist()}
                for i, v in enumerate(hashed(asked["input"]))
            ]
            body = {"object": "list", "model": asked["model"], "data": vectors[::-1]}
            self.answer(200, body if self.server.body is None else self.server.body)

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[EmbeddingServer]:
    """A server for the length of a test."""
    server = EmbeddingServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
