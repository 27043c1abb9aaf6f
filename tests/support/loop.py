"""An event loop whose time jumps to the next timer: waiting ten seconds takes none."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """
    Runs timers in their order without waiting for them.

    It still waits for files and threads where there is no timer. `time()` starts at 0 seconds.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        """Return the seconds that its timers have taken so far."""
        return self._now_s

    def _jump(self, seconds: float) -> None:
        self._now_s += seconds


class _Jumping(selectors.DefaultSelector):
    def __init__(self, jump: Any) -> None:  # a bound method
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; where nothing is, let the time until the next timer be over."""
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout:
            self._jump(timeout)
        return ready


def run(steps: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Run a coroutine in such a loop; returns what it returned, and the seconds that it took there."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        loop = runner.get_loop()
        began_s = loop.time()
        result = runner.run(steps)
        return result, loop.time() - began_s


async def pass_time(seconds: float) -> None:
    """
    Let seconds pass in such a loop.

    Raises:
        RuntimeError: The running loop would really wait.
    """
    if not isinstance(asyncio.get_running_loop(), JumpingLoop):
        raise RuntimeError("this would really wait: start it with run()")
    await asyncio.sleep(seconds)
