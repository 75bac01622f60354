"""Pages of other sites get nothing of the UI: neither answers nor changes."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from assets.webserver import FOREIGN, OwnPagesOnly

HERE = "http://127.0.0.1:3000"


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


def client(host: str = HERE) -> TestClient:
    async def answer(_: object) -> PlainTextResponse:
        return PlainTextResponse("in")

    routes = [
        Route("/", answer),
        Route("/graphql", answer, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", socket),
    ]
    inner = Starlette(routes=routes)
    return TestClient(OwnPagesOnly(inner), base_url=host)


@pytest.mark.parametrize("host", [HERE, "http://localhost:3000", "http://[::1]:3000"])
def test_its_own_pages_and_programs_are_answered(host: str) -> None:
    assert client(host).get("/").text == "in"
    assert client(host).post("/graphql").text == "in"
    assert client(host).post("/graphql", headers={"Origin": host}).text == "in"
    with client(host).websocket_connect(f"{host.replace('http', 'ws')}/graphql", headers={"Origin": host}) as opened:
        assert opened.receive_text() == "in"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000", "https://127.0.0.1:3000"])
def test_another_origin_is_refused(origin: str) -> None:
    for answer in (
        client().get("/", headers={"Origin": origin}),
        client().post("/graphql", headers={"Origin": origin}),
    ):
        assert (answer.status_code, answer.text) == (403, FOREIGN)
    with (
        pytest.raises(WebSocketDisconnect),
        client().websocket_connect("ws://127.0.0.1:3000/graphql", headers={"Origin": origin}),
    ):
        pass


@pytest.mark.parametrize("name", ["evil.example:3000", "127.0.0.1.evil.example:3000", "[", ""])
def test_a_name_that_another_site_lets_point_here_is_refused(name: str) -> None:
    assert client().get("/", headers={"Host": name}).status_code == 403


def test_graphql_by_get_is_refused_since_a_picture_of_another_site_may_ask_so() -> None:
    assert client().get("/graphql", params={"query": "mutation { wipe }"}).status_code == 403
    assert client().get("/graphql/?query=x").status_code == 403
