"""The first get of a slot by many at once: one object is built, and everybody gets it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from benches.rows import Row
from benches.samples import hermetic
from benches.timing import CannotMeasure, Contestant, Effort, interleave, shown
from oneiric import INJECTED, Inject, inject
from oneiric.containers import active

THREADS = 8
TASKS = 1_000
ROUNDS = 30


class Pool:
    """What everybody gets."""

    made = 0  # since the process began, of both kinds

    def __init__(self) -> None:
        Pool.made += 1


class Opened(Pool):
    """The same with a life: others run while it opens."""

    async def open(self) -> None:
        """Let others come while it is not there yet."""
        await asyncio.sleep(0)


class ByHand:
    """The yardstick: what a careful person writes, for threads and for tasks."""

    def __init__(self) -> None:
        self._found: Any = None
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()

    def get(self) -> Any:
        """Return the object; the first who comes makes it."""
        if self._found is None:
            with self._lock:
                if self._found is None:
                    self._found = Pool()
        return self._found

    async def aget(self) -> Any:
        """Return the object; the first who comes makes and opens it."""
        if self._found is None:
            async with self._turn:
                if self._found is None:
                    found = Opened()
                    await found.open()
                    self._found = found
        return self._found


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of threads and of tasks: how many objects were built by one first get, and its time."""
    most = {"threads": 0, "tasks": 0}

    def threads() -> float:
        app = hermetic("threads")
        app.provide("pool")(Pool)
        return _counted(most, "threads", lambda: by_threads(app.services.pool))

    def tasks() -> float:
        app = hermetic("tasks")
        app.provide("pool")(Opened)

        @inject
        async def get(pool: Inject[Opened] = INJECTED) -> Opened:
            return pool

        async def run() -> float:
            async with app:
                return await _by_tasks(get)

        with active.as_default(app):
            return _counted(most, "tasks", lambda: asyncio.run(run()))

    contestants: dict[str, Contestant] = {
        "threads by hand": lambda: by_threads(ByHand().get),
        "threads": threads,
        "tasks by hand": lambda: asyncio.run(_by_tasks(ByHand().aget)),
        "tasks": tasks,
    }
    best_s = interleave(contestants, effort.rounds(ROUNDS))
    for name, count in (("threads", THREADS), ("tasks", TASKS)):
        ours_s, hand_s = best_s[name], best_s[f"{name} by hand"]
        detail = f"count; {shown(ours_s)} against {shown(hand_s)} by hand, {ours_s / hand_s:.1f}x"
        yield Row(f"objects built by a first get of {count} {name}", float(most[name]), 1.0, detail)


def _counted(most: dict[str, int], name: str, round_: Callable[[], float]) -> float:
    """Run a round, and keep the most objects that one made."""
    before = Pool.made
    took_s = round_()
    most[name] = max(most[name], Pool.made - before)
    return took_s


def by_threads(get: Callable[[], object]) -> float:
    """Let threads that wait at one gate get it, and return the seconds from the gate to the last."""
    gate = threading.Barrier(THREADS + 1)
    got: list[object] = []

    def run() -> None:
        gate.wait()
        got.append(get())

    runners = [threading.Thread(target=run) for _ in range(THREADS)]
    for runner in runners:
        runner.start()
    gate.wait()
    began_s = time.perf_counter()
    for runner in runners:
        runner.join()
    return _same(got, time.perf_counter() - began_s, THREADS)


async def _by_tasks(get: Callable[[], Awaitable[object]]) -> float:
    """Let tasks get it, and return the seconds to the last."""

    async def run() -> object:
        return await get()

    began_s = time.perf_counter()
    got = await asyncio.gather(*(run() for _ in range(TASKS)))
    return _same(got, time.perf_counter() - began_s, TASKS)


def _same(got: list[object], took_s: float, count: int) -> float:
    """Return the time, if everybody got the same object."""
    if len(got) != count or len(set(map(id, got))) != 1:
        raise CannotMeasure(f"{count} got {len(set(map(id, got)))} different objects, and {count - len(got)} got none")
    return took_s
