"""The HTTP server around the routes: uvicorn, on a socket that is already bound, under the signals of its owner."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from oneiric.core.importing import hiding
from oneiric.core.log import log

with hiding({"watchfiles"}):  # uvicorn imports it for a reloading it does not do here, and that takes a while
    import uvicorn

CANCEL_TIMEOUT_S = 1.0


class WebServer:
    """
    Serves an ASGI application on one socket.

    Args:
        routes: What answers the requests.
        listener: A listening socket; the server closes it when it stops.
        drain_timeout_s: Seconds that requests in flight get to finish, more than 0.
    """

    def __init__(self, routes: ASGIApp, listener: socket.socket, *, drain_timeout_s: float) -> None:
        config = uvicorn.Config(
            routes,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=drain_timeout_s,  # type: ignore[arg-type]  # it takes fractions; its hint does not
        )
        self._listener = listener
        self._server = _QuietServer(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def serving(self) -> asyncio.Task[None]:
        """The task that serves; it ends when the server stops, and with an exception if it breaks down."""
        assert self._serving is not None
        return self._serving

    def start(self) -> None:
        """Begin to accept connections."""
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[self._listener]))

    async def stop(self) -> None:
        """Stop accepting, let the requests in flight finish within their time limit, then cancel what is left."""
        self._server.should_exit = True
        await asyncio.wait({self.serving})
        # uvicorn cancels requests that are late, and does not wait for their end.
        if late := set(self._server.server_state.tasks):
            log().error("requests were cancelled, they did not finish in time", count=len(late))
            await asyncio.wait(late, timeout=CANCEL_TIMEOUT_S)


class _QuietServer(uvicorn.Server):
    """uvicorn raises a captured signal again after its orderly stop, which would end the process with that signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the orchestrator."""
        yield
