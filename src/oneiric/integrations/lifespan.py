"""The lifespan of a server: the application starts and stops with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from oneiric.runtime.application import Application


def lifespan(application: Application) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """
    Return the lifespan of a server: it starts the application before the first request, and stops it after the last.

    An application that runs already is left to whoever started it.
    """

    @asynccontextmanager
    async def run(server: object) -> AsyncIterator[None]:
        if application.state == "started":
            yield
            return
        async with application:
            yield

    return run
