"""A request through Starlette with our middleware, against bare Starlette; in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benches.resources import make_session
from benches.rows import Row
from benches.samples import Session, hermetic, session
from benches.timing import CannotMeasure, Effort, awaits, interleave, shown
from oneiric import INJECTED, Inject, inject
from oneiric.containers.asgi import InjectionMiddleware

CALLS = 1_000
ROUNDS = 40
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"example.org")],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 80),
}


async def bare(request: Request) -> Response:
    """Answer."""
    return PlainTextResponse("done")


async def by_hand(request: Request) -> Response:
    """Answer with a session that ends with the request."""
    async with make_session() as made:
        return PlainTextResponse(str(made.is_closed))


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of a request: the scope alone, and a session in it."""
    app = hermetic("served")
    app.provide("session", scope="request")(session)

    @inject
    async def injected(request: Request, session: Inject[Session] = INJECTED) -> Response:
        return PlainTextResponse(str(session.is_closed))

    served = [Middleware(InjectionMiddleware, application=app)]
    servers = {
        "bare": Starlette(routes=[Route("/", bare)]),
        "scope": Starlette(routes=[Route("/", bare)], middleware=served),
        "hand": Starlette(routes=[Route("/", by_hand)]),
        "session": Starlette(routes=[Route("/", injected)], middleware=served),
    }
    with asyncio.Runner() as runner:
        contestants = {name: awaits(request_to(server), CALLS, runner) for name, server in servers.items()}
        best_s = interleave(contestants, effort.rounds(ROUNDS))
    for ours, theirs, what, yardstick in (
        ("scope", "bare", "request through InjectionMiddleware", "bare Starlette"),
        ("session", "hand", "request with an injected session", "a session by hand in bare Starlette"),
    ):
        ours_s, theirs_s = best_s[ours] / CALLS, best_s[theirs] / CALLS
        detail = (
            f"{1 / ours_s:.0f} requests a second against {1 / theirs_s:.0f} of {yardstick}; +{shown(ours_s - theirs_s)}"
        )
        yield Row(what, ours_s / theirs_s, None, detail)


def request_to(server: Callable[..., Awaitable[None]]) -> Callable[[], Awaitable[object]]:
    """
    Return a function that makes one request.

    Raises:
        CannotMeasure: When it runs: the answer is not 200.
    """

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise CannotMeasure(f"a request was answered with {message['status']}")

    async def request() -> None:
        await server(dict(SCOPE), receive, send)

    return request
