"""Who waits for whose build, across threads and tasks: a wait that could never end is an error instead."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from oneiric.containers.closing import running_loop
from oneiric.core.errors import DependencyCycle
from oneiric.providers.adapter import Attempt

_under: ContextVar[tuple[object, Attempt] | None] = ContextVar("oneiric_build", default=None)


class Waits:
    """
    The builds under way, and the builds that each of them waits for.

    Declared needs are ordered before a build, so a circle comes about here only where a constructor or a factory asks
    for a slot by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the collector may end an abandoned wait while this thread holds it
        self._names: dict[Attempt, str] = {}
        self._waits_for: dict[Attempt, list[Attempt]] = {}

    @contextmanager
    def under(self, attempt: Attempt, name: str) -> Iterator[None]:
        """Note that the running task or thread builds the slot `name`, inside the block."""
        outer = self._mine()
        with self._lock:
            self._names[attempt] = name
            if outer is not None:
                self._waits_for.setdefault(outer, []).append(attempt)
        token = _under.set((_runner(), attempt))
        try:
            yield
        finally:
            _under.reset(token)
            with self._lock:
                self._names.pop(attempt, None)
                self._waits_for.pop(attempt, None)
                if outer is not None:
                    self._stop(outer, attempt)

    @contextmanager
    def on(self, attempt: Attempt) -> Iterator[None]:
        """
        Note that the running task or thread waits for a build, inside the block.

        Raises:
            DependencyCycle: That build waits for one that this task or thread is doing.
        """
        mine = self._mine()
        if mine is None:
            yield
            return
        with self._lock:
            circle = self._way(attempt, mine)
            if circle is not None:
                raise DependencyCycle([self._names.get(mine, "?"), *(self._names.get(one, "?") for one in circle)])
            self._waits_for.setdefault(mine, []).append(attempt)
        try:
            yield
        finally:
            with self._lock:
                self._stop(mine, attempt)

    def _mine(self) -> Attempt | None:
        """Return the build that this very task or thread is doing; a task that a build has started is none."""
        under = _under.get()
        return under[1] if under is not None and under[0] == _runner() else None

    def _stop(self, waiter: Attempt, attempt: Attempt) -> None:
        if attempt in self._waits_for.get(waiter, ()):
            self._waits_for[waiter].remove(attempt)

    def _way(self, start: Attempt, goal: Attempt) -> list[Attempt] | None:
        """Return the builds from `start` to `goal`, each of which waits for the next; None if there is no way."""
        work = [[start]]
        seen = {start}
        while work:
            way = work.pop()
            if way[-1] is goal:
                return way
            for following in self._waits_for.get(way[-1], ()):
                if following not in seen:
                    seen.add(following)
                    work.append([*way, following])
        return None


def _runner() -> object:
    """Return what executes this code: the running task, else the thread."""
    task = asyncio.current_task() if running_loop() is not None else None
    return task or threading.get_ident()
