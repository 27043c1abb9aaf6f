"""The event loop of a program that is not asynchronous itself: it always runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


class ProgramLoop:
    """
    An event loop that runs in a thread while synchronous code runs, and in the calling thread while that waits.

    So what it opened stays alive beside a synchronous command; and an asynchronous command runs where it would run
    under `asyncio.run`, in the main thread, with its signals.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._run_aside()

    def _run_aside(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, name="oneiric loop", daemon=True)
        self._thread.start()

    def _pause(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """
        Run a coroutine to its end in the calling thread, in a copy of its context.

        Raises:
            KeyboardInterrupt: The user interrupted it; it was cancelled, and has ended.
        """
        self._pause()
        try:
            return self._runner.run(coroutine, context=copy_context())
        finally:
            self._run_aside()

    def close(self) -> None:
        """End the loop, and what still runs in it."""
        self._pause()
        self._runner.close()


class RunningLoop:
    """The event loop of an application that somebody else runs in another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end there, in a copy of the context of this call."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """Leave it to whoever runs it."""
