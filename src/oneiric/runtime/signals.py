"""SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once. SIGHUP: reload."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_REQUEST_S = 0.1  # GNU `timeout` and others signal a process and then its group: that asks once, not twice
EXIT_BY_SIGNAL = 128  # plus the signal's number, as shells count: 130 for SIGINT, 143 for SIGTERM


class StopSignal:
    """
    Waits for somebody to ask the process to stop.

    Handlers are set with `signal.signal`, not by the event loop: they work before a loop runs, and the second signal
    works while one is blocked.

    Args:
        on_stop: Called at once, inside the signal handler; it must not wait.
        clock: Returns seconds that never run backwards; signals within 0.1 s of the first are one with it.
    """

    def __init__(
        self, on_stop: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_set = False
        self._on_stop = on_stop
        self._clock = clock
        self._since_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    @contextmanager
    def installed(self) -> Iterator[StopSignal]:
        """Handle the signals inside this block; only the main thread may. Earlier handlers come back after it."""
        before = [(number, signal.signal(number, self._receive)) for number in STOP_SIGNALS]
        try:
            yield self
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    async def wait(self) -> None:
        """Return as soon as a signal has come, also one that came before."""
        if self._event is None:
            self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        if self.is_set:
            return
        await self._event.wait()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.is_set:
            if self._clock() - self._since_s >= SAME_REQUEST_S:
                os._exit(EXIT_BY_SIGNAL + number)
            return
        self.is_set, self._since_s = True, self._clock()
        self._on_stop()
        if self._loop is not None and self._event is not None:
            self._loop.call_soon_threadsafe(self._event.set)


class ReloadSignal:
    """
    Waits for somebody to ask the process to read its configuration again, with SIGHUP.

    A process that was started with SIGHUP ignored, by `nohup` for example, goes on to ignore it.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    @contextmanager
    def installed(self) -> Iterator[ReloadSignal]:
        """Handle the signal inside this block; only the main thread may. The earlier handler comes back after it."""
        number = getattr(signal, "SIGHUP", None)  # Windows has none
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            yield self
            return
        before = signal.signal(number, self._receive)
        try:
            yield self
        finally:
            signal.signal(number, before)

    async def wait(self) -> None:
        """Return as soon as the signal has come since the last return, also before the first call."""
        if self._event is None:
            self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        if not self._is_set:
            await self._event.wait()
        self._is_set = False
        self._event.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._is_set = True
        if self._loop is not None and self._event is not None:
            self._loop.call_soon_threadsafe(self._event.set)
