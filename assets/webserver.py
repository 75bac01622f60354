"""Dagster's webserver, answering pages of its own alone: `python -m assets.webserver`, with the arguments of dagster-webserver.

Dagster asks nobody who they are and takes changes by GET. A page of any site that is open in a browser on this machine could
start or delete runs, and by a name that it lets point at 127.0.0.1 it could read answers. So what a browser says of where a request
comes from is held against where it goes.
"""

from typing import Any

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from flywheel.loopback import is_here

FOREIGN = "Refused: this came from another site or under another name. Open the address that flywheel up prints."


class OwnPagesOnly:
    """ASGI middleware: refuses requests, and sockets, that a page of another origin sent; and GraphQL by GET, which says no origin.

    A program that is no browser sends no Origin and is let through: what runs on this machine as this user may do all anyway.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or close the socket, where the request is foreign; else pass it on."""
        if scope["type"] == "lifespan" or not foreign(HTTPConnection(scope)):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(FOREIGN, 403)(scope, receive, send)


def foreign(asked: HTTPConnection) -> bool:
    """Whether a request may be another site's: by its Host, its Origin, or because it would not say."""
    host, origin = asked.headers.get("host", ""), asked.headers.get("origin")
    if not is_here(f"http://{host}") or (origin is not None and origin != f"http://{host}"):
        return True
    told = asked.scope.get("method") == "GET" and asked.url.path.rstrip("/").endswith("/graphql")
    return told and "query" in asked.query_params


def main() -> None:
    """Run Dagster's own command with this in front."""
    from dagster_webserver import app
    from dagster_webserver.cli import dagster_webserver
    from dagster_webserver.webserver import DagsterWebserver

    class Guarded(DagsterWebserver[Any, Any]):
        """Dagster's webserver behind `OwnPagesOnly`."""

        def build_middleware(self) -> list[Middleware]:
            """Its own, and ours before them."""
            return [Middleware(OwnPagesOnly), *super().build_middleware()]

    app.DagsterWebserver = Guarded  # type: ignore[attr-defined]
    dagster_webserver(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
