"""Closing what was built: every closer runs, whatever others do, and all that fails is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from oneiric.core.errors import NeedsAsyncOpen, OneiricError
from oneiric.core.health import CLOSE_TIMEOUT_S
from oneiric.core.log import log
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell

T = TypeVar("T")


class Held(NamedTuple):
    """Something to close: whose it is, how it is closed, and the event loop it was made in, if one ran."""

    cell: Cell
    closer: Closer
    loop: asyncio.AbstractEventLoop | None


class Keeping(Protocol):
    """Where the closers of built objects are kept."""

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built."""


async def hold(keeper: Keeping, cell: Cell, closer: Closer) -> None:
    """
    Let a keeper remember how to close what was built; if it cannot, close it now, since nobody else will.

    Raises:
        OneiricError: What the keeper says: its scope has ended, or it closes nothing.
    """
    try:
        keeper.keep(cell, closer)
    except OneiricError as error:
        await closer(error)
        raise


async def open_held(keeper: Keeping, cell: Cell, built: Any) -> None:
    """Open a built object, and let a keeper remember to close it. Raises as `hold`; then it is closed."""
    await built.open()

    async def close(error: BaseException | None) -> None:
        if hasattr(built, "close"):
            await built.close()

    await hold(keeper, cell, close)


async def run_closers(closers: Sequence[Held], error: BaseException | None) -> list[Exception]:
    """Close everything, each within `CLOSE_TIMEOUT_S` seconds; returns what failed. A cancellation waits for that."""
    failures: list[Exception] = []
    cancellation = Cancellation()
    for held in closers:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await held.closer(error)
        except (Exception, asyncio.CancelledError) as raised:  # border: closing goes on; all failures are told together
            failures.append(cancellation.failure(held.cell.slot.name, raised))
    if cancellation.asked is not None:
        report(failures, cancellation.asked)
        raise cancellation.asked
    return failures


class Cancellation:
    """
    The cancellation of a task that closes several things: it waits until all of them are closed.

    A closer may end with one that nobody asked of this task, such as that of a task of its own, which it awaits. That
    is a failure of this closer.

    Attributes:
        asked: The cancellation that somebody asked for meanwhile; None where nobody did.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0  # it may have swallowed some
        self.asked: asyncio.CancelledError | None = None

    def failure(self, slot: str, error: Exception | asyncio.CancelledError) -> Exception:
        """Return what came out of a closer as its failure, and note a cancellation."""
        if isinstance(error, Exception):
            return error
        if self._task is not None and self._task.cancelling() > self._before:
            self.asked = error
        failure = RuntimeError(f"slot {slot}: a cancellation came out of its close")
        failure.__cause__ = error
        return failure


def close_now(held: Held, error: BaseException | None) -> None:
    """
    Run one closer from synchronous code: in its event loop if another thread runs that, else in place.

    Raises:
        NeedsAsyncOpen: It has to wait for the event loop of this very thread.
    """
    steps: Any = held.closer(error)
    if held.loop is not None and held.loop.is_running() and held.loop is not running_loop():
        asyncio.run_coroutine_threadsafe(steps, held.loop).result(CLOSE_TIMEOUT_S)
        return
    try:
        steps.send(None)
    except StopIteration:
        return
    steps.close()
    raise NeedsAsyncOpen(held.cell.slot.name, fixes=("end this scope from asynchronous code: async with",))


def report(failures: list[Exception], error: BaseException | None) -> None:
    """
    Tell what failed while closing; where a cancellation goes on, in the log only.

    Raises:
        ExceptionGroup: Closers failed; the exception of the body comes first.
    """
    if not failures:
        return
    if isinstance(error, Exception):
        raise ExceptionGroup("closing a scope failed after its body did", [error, *failures])
    if error is None:
        raise ExceptionGroup("closing a scope failed", failures)
    log().error("a scope failed to close", errors=[type(failure).__name__ for failure in failures])


async def to_the_end(task: asyncio.Task[T], *, times: int | None = None) -> tuple[T, asyncio.CancelledError | None]:
    """
    Wait for a task to its end although the caller is cancelled meanwhile.

    Args:
        task: The task, which goes on in any case.
        times: How many cancellations wait for it; with the next one the caller goes, so that a task that waits for its
            own caller does not wait for ever. None where there is no limit.

    Returns:
        What it returns, and the caller's cancellation, which the caller raises when it has done the rest.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as asked:
            if times is not None and times <= 0:
                raise
            times = None if times is None else times - 1
            cancelled = asked
    return task.result(), cancelled


async def carried_out(steps: Coroutine[Any, Any, T]) -> T:
    """
    Run a stop to its end in a task of its own, and return what it returns.

    Who is cancelled meanwhile is so when it has ended; who is cancelled again goes at once, and it goes on.
    """
    result, cancelled = await to_the_end(asyncio.ensure_future(steps), times=1)
    if cancelled is not None:
        raise cancelled
    return result


def begin(steps: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
    """
    Return a task that runs a coroutine; it begins at once, and is done already where nothing has to wait.

    Python 3.11 cannot begin a task at once: there it begins when the event loop comes to it.
    """
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(steps, loop=loop, name=name, eager_start=True)
    return loop.create_task(steps, name=name)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
