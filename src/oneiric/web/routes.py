"""The routes: three probes under two names each, and the push routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from oneiric.core.errors import InvalidEvent, PushAuthConfig
from oneiric.core.health import Health
from oneiric.core.profiles import Profile
from oneiric.runtime.events import Routed, dispatch
from oneiric.web.answers import answer_dispatch, answer_error
from oneiric.web.push import decode, read_body
from oneiric.web.readiness import Readiness

Endpoint = Callable[[Request], Awaitable[Response]]


class Served(Routed, Protocol):
    """What the routes ask of an application."""

    @property
    def profile(self) -> Profile:
        """The profile in force."""

    async def health(self) -> Mapping[str, Health]:
        """Ask every open adapter for its health; by slot name."""


class Push:
    """
    The route that events come in by.

    Args:
        application: Whose handlers take them.
        readiness: Nothing is taken before the start is done, or while the process is draining.
        max_bytes: The largest body, in bytes.
    """

    def __init__(self, application: Served, readiness: Readiness, *, max_bytes: int) -> None:
        self._application = application
        self._readiness = readiness
        self._max_bytes = max_bytes

    async def events(self, request: Request) -> Response:
        """Take one CloudEvent, run its handlers, and answer when they are done."""
        if self._readiness.phase != "started":
            raise HTTPException(503)
        try:
            body = await read_body(request.stream(), max_bytes=self._max_bytes)
        except ClientDisconnect:
            raise InvalidEvent("data", "the connection ended before the body did") from None
        event = decode(request.headers.items(), body)
        return answer_dispatch(await dispatch(self._application, event))


class Probes:
    """The questions of a platform: does it live, is the start done, does it take requests."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def live(self, request: Request) -> Response:
        """200 as long as the event loop turns."""
        return JSONResponse({"schema": 1, "kind": "health", "status": "live"})

    async def started(self, request: Request) -> Response:
        """200 once the start is done, 503 before."""
        is_starting = self._readiness.phase == "starting"
        body = {"schema": 1, "kind": "health", "status": "starting" if is_starting else "started"}
        return JSONResponse(body, 503 if is_starting else 200)

    async def ready(self, request: Request) -> Response:
        """200 if it is started and every open adapter is healthy; else 503, and the body names who is not."""
        snapshot = await self._readiness.look()
        return JSONResponse(snapshot.fields(), 200 if snapshot.is_ready else 503)


class ClosedPush:
    """Answers every push route alike while nobody may use them: method and path tell nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403; the body of the request is not read."""
        await answer_error(PushAuthConfig())(scope, receive, send)


def make_routes(application: Served, readiness: Readiness, *, is_push_open: bool, max_bytes: int) -> Starlette:
    """
    Make the ASGI application.

    Args:
        application: Whose handlers and health it shows.
        readiness: Who knows where the process is in its life.
        is_push_open: Events are taken; otherwise every push route answers 403.
        max_bytes: The largest body of a push request, in bytes.
    """
    probes = Probes(readiness)
    routes = []
    for short, long, probe in (
        ("/livez", "/health/live", probes.live),
        ("/readyz", "/health/ready", probes.ready),
        ("/startupz", "/health/startup", probes.started),
    ):
        routes += [Route(short, _answered(probe)), Route(long, _answered(probe))]
    if is_push_open:
        push = Push(application, readiness, max_bytes=max_bytes)
        routes.append(Route("/push/events", _answered(push.events), methods=["POST"]))
    else:
        routes.append(Route("/push/{rest:path}", ClosedPush()))
    web = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    web.router.redirect_slashes = False
    return web


async def _refused(request: Request, error: Exception) -> Response:
    return answer_error(error)


def _answered(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # border: whatever fails becomes one answer, and details stay in the log
            return answer_error(error)

    return answer
