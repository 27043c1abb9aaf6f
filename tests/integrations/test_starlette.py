"""Starlette: endpoints of every form, websockets, and middleware that is built once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from oneiric import INJECTED, Application, Inject, inject
from oneiric.core.markers import Ref
from oneiric.integrations.starlette import InjectionMiddleware, lifespan
from tests.integrations.shop import Broken, Desk, Greeting, Session, shop


@inject
def function(request: Request, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED) -> Response:
    return PlainTextResponse(f"{greeting.word} {session.use()}")


@inject
async def afunction(
    request: Request, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
) -> Response:
    return PlainTextResponse(f"{greeting.word} {session.use()}")


class ByMethod(HTTPEndpoint):
    @inject
    async def get(
        self, request: Request, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> Response:
        return PlainTextResponse(f"{greeting.word} {session.use()}")

    @inject
    def post(
        self, request: Request, greeting: Inject[Greeting] = INJECTED, session: Inject[Session] = INJECTED
    ) -> Response:
        return PlainTextResponse(f"{greeting.word} {session.use()}")


class ByConstructor(HTTPEndpoint):
    @inject
    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        greeting: Inject[Greeting] = INJECTED,
        session: Inject[Session] = INJECTED,
    ) -> None:
        super().__init__(scope, receive, send)
        self.greeting, self.session = greeting, session

    async def get(self, request: Request) -> Response:
        return PlainTextResponse(f"{self.greeting.word} {self.session.use()}")


class Inherited(ByConstructor): ...


class InheritedMethods(ByMethod): ...


def server(app: Application, *routes: Any, middleware: tuple[Middleware, ...] = ()) -> Starlette:
    ours = Middleware(InjectionMiddleware, application=app)
    return Starlette(routes=list(routes), lifespan=lifespan(app), middleware=[ours, *middleware])


@pytest.mark.parametrize(
    ("endpoint", "method"),
    [
        pytest.param(function, "GET", id="function"),
        pytest.param(afunction, "GET", id="async function"),
        pytest.param(ByMethod, "GET", id="async method"),
        pytest.param(ByMethod, "POST", id="method"),
        pytest.param(ByConstructor, "GET", id="constructor"),
        pytest.param(Inherited, "GET", id="inherited constructor"),
        pytest.param(InheritedMethods, "GET", id="inherited method"),
    ],
)
def test_every_form_of_endpoint_is_injected(endpoint: Any, method: str) -> None:
    """With one spelling; each request has its own session."""
    desk = Desk()

    with TestClient(server(shop(desk), Route("/", endpoint, methods=[method]))) as client:
        answers = [client.request(method, "/").text for _ in range(2)]

    assert answers == ["hello 0", "hello 1"]
    assert desk.ends == ["commit", "commit"]


@inject
async def echo(websocket: WebSocket, session: Inject[Session] = INJECTED) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{text} {session.use()}")


class Echo(WebSocketEndpoint):
    encoding = "text"

    @inject
    async def on_receive(self, websocket: WebSocket, data: str, session: Inject[Session] = INJECTED) -> None:
        await websocket.send_text(f"{data} {session.use()}")


@pytest.mark.parametrize("endpoint", [pytest.param(echo, id="function"), pytest.param(Echo, id="endpoint")])
def test_one_websocket_connection_is_one_scope(endpoint: Any) -> None:
    """All its messages share a session, which ends with the connection."""
    desk = Desk()

    with TestClient(server(shop(desk), WebSocketRoute("/", endpoint))) as client:
        for number in range(2):
            with client.websocket_connect("/") as connection:
                for text in "ab":
                    connection.send_text(text)
                    assert connection.receive_text() == f"{text} {number}"

    assert desk.ends == ["commit", "commit"]


class Counting:
    """Middleware that is built once, before the first request."""

    built = 0

    @inject
    def __init__(self, app: ASGIApp, greeting: Inject[Ref[Greeting]] = INJECTED) -> None:
        self.app, self.greeting = app, greeting
        Counting.built += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["word"] = self.greeting.current.word
        await self.app(scope, receive, send)


def say(request: Request) -> Response:
    return PlainTextResponse(request.scope["word"])


def test_middleware_holds_a_handle_that_follows_an_override() -> None:
    """It is built once, and sees the adapter of the moment."""
    app = shop(Desk())
    before = Counting.built

    with TestClient(server(app, Route("/", say), middleware=(Middleware(Counting),))) as client:
        said = [client.get("/").text]
        with app.override({"greeting": Greeting("moin")}):
            said.append(client.get("/").text)
        said.append(client.get("/").text)

    assert said == ["hello", "moin", "hello"]
    assert Counting.built - before == 1


def test_the_middleware_around_a_whole_server_covers_its_construction() -> None:
    """Then injected middleware of two servers needs no default application."""
    said = []
    for word in ("moin", "servus"):
        app = shop(Desk(), word=word)
        inner = Starlette(routes=[Route("/", say)], lifespan=lifespan(app), middleware=[Middleware(Counting)])
        with TestClient(InjectionMiddleware(inner, application=app)) as client:
            said.append(client.get("/").text)

    assert said == ["moin", "servus"]


def failing(error: Exception) -> Callable[..., Any]:
    @inject
    async def endpoint(request: Request, session: Inject[Session] = INJECTED) -> Response:
        raise error

    return endpoint


@pytest.mark.parametrize(
    ("error", "status", "end"),
    [
        pytest.param(Broken(), 500, "rollback: Broken", id="a server error"),
        pytest.param(HTTPException(404), 404, "rollback: HTTPException", id="a refusal"),
        pytest.param(HTTPException(304), 304, "commit", id="no fault"),
    ],
)
def test_an_exception_of_a_handler_decides_with_its_status(error: Exception, status: int, end: str) -> None:
    """Starlette makes an answer of it; the session hears of it all the same."""
    desk = Desk()
    client = TestClient(server(shop(desk), Route("/", failing(error))), raise_server_exceptions=False)

    with client:
        assert client.get("/").status_code == status

    assert desk.ends == [end]


def test_a_streamed_body_keeps_its_session_until_the_last_chunk() -> None:
    """The handler has returned long before."""
    desk = Desk()

    @inject
    async def stream(request: Request, session: Inject[Session] = INJECTED) -> Response:
        async def body() -> AsyncIterator[str]:
            for _ in range(3):
                yield str(session.use())

        return StreamingResponse(body())

    with TestClient(server(shop(desk), Route("/", stream))) as client:
        assert client.get("/").text == "000"

    assert desk.ends == ["commit"]


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


@pytest.mark.parametrize("is_inside", [pytest.param(True, id="inside"), pytest.param(False, id="outside")])
def test_middleware_that_runs_the_rest_in_a_task_changes_nothing(is_inside: bool) -> None:
    """Ours may stand on either side of it."""
    desk = Desk()
    app = shop(desk)
    ours = Middleware(InjectionMiddleware, application=app)
    middleware = [ours, Middleware(Passing)] if is_inside else [Middleware(Passing), ours]
    api = Starlette(routes=[Route("/", afunction)], lifespan=lifespan(app), middleware=middleware)

    with TestClient(api) as client:
        assert client.get("/").text == "hello 0"

    assert desk.ends == ["commit"]


def test_a_mounted_server_keeps_its_own_application() -> None:
    """The middleware that is nearer to the handler decides."""
    north, south = shop(Desk(), word="moin"), shop(Desk(), word="servus")
    inner = Starlette(routes=[Route("/", afunction)], middleware=[Middleware(InjectionMiddleware, application=south)])

    api = server(north, Route("/", afunction), Mount("/south", inner))
    with south.override({"greeting": Greeting("servus")}), TestClient(api) as client:
        said = [client.get(path).text for path in ("/", "/south/", "/")]

    assert said == ["moin 0", "servus 0", "moin 1"]
