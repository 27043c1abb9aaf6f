"""Finishing a step of an asynchronous generator in the task that runs it, whatever asks that task to stop meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from oneiric.core.health import CLOSE_TIMEOUT_S


class Protected:
    """
    The rest of a step that has to wait, as an awaitable that a cancellation does not reach.

    The step goes on in the same task, so that what it holds across its waits, such as a timeout or a task group, stays
    with it. A task that is asked to stop meanwhile stops when the step is done, or after `CLOSE_TIMEOUT_S` seconds,
    when the step gets a TimeoutError. A timeout of the step's own cannot be told from that, and ends with the step.

    Args:
        step: What `agen.__anext__()` or `agen.athrow()` returned, begun.
        waits_for: What it waits for: what its first `send` returned.

    Attributes:
        cancelled: The cancellation that waits until everything is closed; None where nobody asked.
    """

    __slots__ = ("_step", "_waits_for", "cancelled")

    def __init__(self, step: Any, waits_for: Any) -> None:
        self._step, self._waits_for = step, waits_for
        self.cancelled: asyncio.CancelledError | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        """Run the step to its end; it ends as the step does, with StopAsyncIteration where the generator is over."""
        task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        ends_at = asyncio.get_running_loop().time() + CLOSE_TIMEOUT_S
        waits_for = self._waits_for
        try:
            while True:
                is_late = False
                try:
                    if waits_for is None:  # it only lets others run, as `asyncio.sleep(0)` does
                        yield None
                    else:
                        waits_for._asyncio_future_blocking = False  # the loop waits for another future in its place
                        is_late = yield from _until(waits_for, ends_at)
                except asyncio.CancelledError as cancelled:  # goes on at the end, when everything is closed
                    self.cancelled = cancelled
                    if waits_for is not None and not waits_for.done():
                        continue
                waits_for = self._step.throw(TimeoutError()) if is_late else self._step.send(None)
        finally:
            if task is None or task.cancelling() <= asked:
                self.cancelled = None  # the step's own, which took it back


def _until(future: asyncio.Future[Any], ends_at: float) -> Generator[Any, Any, bool]:
    """Wait for a future without being what cancels it; True if the time is up before it is done."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end(_: object = None) -> None:
        if not ended.done():
            ended.set_result(None)

    future.add_done_callback(end)
    timer = loop.call_at(ends_at, end)
    try:
        yield from ended
    finally:
        timer.cancel()
        future.remove_done_callback(end)
    return not future.done()
