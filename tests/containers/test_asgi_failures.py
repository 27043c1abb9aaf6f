"""What the resources of a request learn of an exception that a framework turned into a response."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from oneiric import INJECTED, Application, Inject, Inputs, inject
from oneiric.containers.asgi import InjectionMiddleware

Answer = Any


class Clock:
    """An object of the application."""


class Session:
    """A resource of a request."""


@pytest.fixture
def ended() -> list[str]:
    """What became of each session: `commit`, or the name of the exception that rolled it back."""
    return []


@pytest.fixture
def app(ended: list[str]) -> Application:
    """An application with a clock and a session."""
    app = Application("failures", inputs=Inputs(environ={}))

    async def session() -> AsyncIterator[Session]:
        try:
            yield Session()
        except BaseException as error:
            ended.append(type(error).__name__)
            raise
        ended.append("commit")

    app.provide("clock")(Clock)
    app.provide("session", scope="request")(session)
    return app


async def request(app: Application, handler: Any) -> int:
    """Serve one request as a framework does: what the handler raises becomes a 500; returns the status."""
    sent: list[int] = []

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        try:
            status = await handler()
        except Exception:
            status = 500
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await InjectionMiddleware(framework, application=app)({"type": "http"}, receive, send)
    return sent[0]


@inject
async def write(session: Inject[Session] = INJECTED) -> Session:
    """Use the session of the request."""
    return session


@inject
async def broken(session: Inject[Session] = INJECTED) -> None:
    """Use the session of the request, and fail."""
    raise LookupError


@inject
async def fails(clock: Inject[Clock] = INJECTED) -> int:
    """Fail after another call used the session; what this one asks for is no resource."""
    await write()
    raise ValueError(clock)


@inject
async def forgives(clock: Inject[Clock] = INJECTED) -> int:
    """Catch what an inner call raises, and answer that there is nothing."""
    await write()
    try:
        await broken()
    except LookupError:
        return 404
    return 200


@inject
async def refuses(clock: Inject[Clock] = INJECTED) -> int:
    """Answer that the request is bad, without any exception."""
    await write()
    return 400


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("handler", "status", "outcome"),
    [
        pytest.param(fails, 500, "ValueError", id="an exception that left the outermost call rolls back"),
        pytest.param(forgives, 404, "commit", id="one that an injected call caught does not"),
        pytest.param(refuses, 400, "commit", id="an answer without an exception does not"),
        pytest.param(broken, 500, "LookupError", id="the call that asks for the resource itself"),
        pytest.param(write, 0, "commit", id="all is well"),
    ],
)
async def test_the_outcome_of_a_request_does_not_depend_on_what_is_built_already(
    app: Application, ended: list[str], handler: Any, status: int, outcome: str
) -> None:
    """The first request, in which everything is built, and the later ones end alike."""

    async def answer() -> int:
        found = await handler()
        return found if isinstance(found, int) else 0

    async with app:
        found = [await request(app, answer) for _ in range(3)]

    assert found == [status] * 3
    assert ended == [outcome] * 3
