"""The life of open objects: opened within their time limit, asked for their health, closed in reverse order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from oneiric.containers.closing import Cancellation, carried_out, running_loop
from oneiric.containers.index import Index
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import AdapterError, OneiricError, OpenTimeout, StartFailed, WrongLoop
from oneiric.core.health import CLOSE_TIMEOUT_S, HEALTH_TIMEOUT_S, OPEN_TIMEOUT_S, Health
from oneiric.core.log import log
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell, Slot

PARALLEL_OPENS = 8


class Opened(NamedTuple):
    """Something that is open: whose it is, the object, and how it is closed within how many seconds."""

    cell: Cell
    built: Any
    closer: Closer
    close_timeout_s: float
    health_timeout_s: float

    @property
    def slot(self) -> str:
        """The slot's name."""
        return self.cell.slot.name


class Lifecycle:
    """
    Opens and closes what one application builds; the `Opener` of its containers.

    Attributes:
        loop: The event loop that open objects belong to.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._held: list[Opened] = []
        self._lock = threading.Lock()
        self._discarded: list[Opened] = []
        self._closing: set[asyncio.Future[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: AsyncGenerator[None] | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that open objects belong to; None before the first was opened, and after a stop."""
        return self._loop

    def enter_loop(self) -> None:
        """
        Let open objects belong to the running event loop.

        Raises:
            WrongLoop: Some belong to another loop that still runs.
        """
        running = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not running:
            if not self._loop.is_closed():
                raise WrongLoop("app", repr(self._loop), repr(running))
            if self._held:
                log().warning("the event loop closed before stop; its objects are given up", slots=self.open_slots)
            self._held.clear()
            self._discarded.clear()
            self._closing.clear()
            self._wiring.reset()
        self._loop = running

    @property
    def open_slots(self) -> list[str]:
        """The slots whose objects are open, in the order in which they were opened."""
        return [held.slot for held in (*self._held, *self._discarded)]

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """
        Open an object within its time limit, and remember to close it.

        Args:
            cell: Its cell.
            built: The object.
            settings: What it was made with; its limits are used, where it has some.

        Raises:
            OpenTimeout: It took longer than `open_timeout_s` of its settings.
            WrongLoop: The application lives in another event loop.
            AdapterError: The adapter says why it cannot be opened.
        """
        if self._loop is None or self._loop.is_closed():
            self.enter_loop()
            self._guard = self._until_the_loop_ends()
            await anext(self._guard)
        elif self._loop is not asyncio.get_running_loop():
            raise WrongLoop(cell.slot.name, repr(self._loop), repr(asyncio.get_running_loop()))
        slot, binding = cell.slot, cell.binding
        budget_s = getattr(settings, "open_timeout_s", OPEN_TIMEOUT_S)
        began = time.perf_counter()
        limit = asyncio.timeout(budget_s)
        try:
            async with limit:
                await built.open()
        except TimeoutError as error:
            if limit.expired():
                raise OpenTimeout(slot.name, budget_s) from error
            raise
        except AdapterError as error:
            error.slot = error.slot or slot.name
            raise

        async def close(error: BaseException | None) -> None:
            await built.close()

        close_s = getattr(settings, "close_timeout_s", CLOSE_TIMEOUT_S)
        health_s = getattr(settings, "health_timeout_s", HEALTH_TIMEOUT_S)
        with self._lock:
            self._held.append(Opened(cell, built, close if hasattr(built, "close") else _nothing, close_s, health_s))
        seconds = round(time.perf_counter() - began, 4)
        log().info("slot opened", slot=slot.name, adapter=binding.label if binding else None, seconds=seconds)

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what needed no opening."""
        with self._lock:
            self._held.append(Opened(cell, None, closer, CLOSE_TIMEOUT_S, HEALTH_TIMEOUT_S))
        log().info("slot opened", slot=cell.slot.name, adapter=cell.binding.label if cell.binding else None)

    async def close(self, cells: Iterable[Cell]) -> None:
        """Close what was built for these cells here, in the loop that it belongs to; `settled` waits for it as well."""
        gone = self._taken(cells)
        if not gone:
            return
        closing = asyncio.get_running_loop().create_future()
        self._closing.add(closing)
        try:
            await self._close_each(gone)
        finally:
            self._closing.discard(closing)
            closing.set_result(None)

    def _taken(self, cells: Iterable[Cell]) -> list[Opened]:
        """Take what was built for these cells out of what is held, in reverse order of opening."""
        left = set(cells)
        with self._lock:
            gone = [held for held in reversed(self._held) if held.cell in left]
            if gone:
                self._held = [held for held in self._held if held.cell not in left]
        return gone

    def discard(self, cells: Sequence[Cell]) -> None:
        """Close what was built for these cells; `settled` waits for it."""
        gone = self._taken(cells)
        with self._lock:
            self._discarded += gone
        if not gone or self._loop is None or self._loop.is_closed():
            return
        if self._loop is running_loop():
            self._close_discarded()
        else:
            self._loop.call_soon_threadsafe(self._close_discarded)

    def _close_discarded(self) -> None:
        """Begin to close what was discarded, in the loop that it belongs to."""
        with self._lock:
            gone, self._discarded = self._discarded, []
        if gone:
            task = asyncio.ensure_future(self._close_each(gone))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def settled(self) -> None:
        """Wait until everything that was discarded is closed; a waiter that is cancelled stops none of it."""
        if self._loop is not None and self._loop is not running_loop():
            return
        self._close_discarded()
        while self._closing:
            await asyncio.wait(self._closing)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        """
        Close what was opened without a start when its event loop ends.

        A loop that ends finalizes the asynchronous generators that stand in it (`asyncio.run`, `asyncio.Runner`).
        """
        try:
            yield
        finally:
            if self._loop is running_loop():
                await self.stop()

    async def start(self, index: Index, wanted: Sequence[Slot[Any]]) -> None:
        """
        Build and open slots in dependency order, those that do not need each other side by side.

        Args:
            index: Who needs whom.
            wanted: The slots to open; what they need is opened first.

        Raises:
            StartFailed: One failed; whatever was open is closed again, in reverse order.
        """
        self.enter_loop()
        limit = asyncio.Semaphore(PARALLEL_OPENS)

        async def build(slot: Slot[Any]) -> None:
            async with limit:
                await self._wiring.abuild(slot)

        for level in index.levels(wanted):
            slots = [slot for slot in level if slot.scope == "app" and slot.kind in {"adapter", "object"}]
            tasks = [asyncio.ensure_future(build(slot)) for slot in slots]
            try:
                results = await asyncio.gather(*tasks, return_exceptions=True)
            except asyncio.CancelledError:
                await self.stop()
                raise
            failed = {
                f"slot {slot.name}": result
                for slot, result in zip(slots, results, strict=True)
                if isinstance(result, BaseException)
            }
            if failed:
                first, *others = sorted(failed)
                closing = await self.stop()
                rest = {name: failed[name] for name in others}
                raise StartFailed(first, failed[first], closing, others=rest) from failed[first]

    async def stop(self) -> list[Exception]:
        """
        Close everything in reverse order of opening; returns what failed while closing.

        A caller that is cancelled meanwhile gets its cancellation when everything is closed; the second one it gets at
        once, and the closing goes on.
        """
        return await carried_out(self._stop())

    async def _stop(self) -> list[Exception]:
        failures: list[Exception] = []
        cancelled: asyncio.CancelledError | None = None  # the event loop ends: all the more is to be closed
        while True:  # another task may open something while the others close
            try:
                await self._wiring.abandon()
                await self.settled()
            except asyncio.CancelledError as asked:
                cancelled = asked
            with self._lock:
                held, self._held = self._held[::-1], []
            if not held:
                break
            try:
                failures += await self._close_each(held)
            except asyncio.CancelledError as asked:
                cancelled = asked
        self._wiring.reset()
        self._loop = None
        if cancelled is not None:
            raise cancelled
        return failures

    async def _close_each(self, held: Sequence[Opened]) -> list[Exception]:
        failures: list[Exception] = []
        cancellation = Cancellation()
        for one in held:
            try:
                async with asyncio.timeout(one.close_timeout_s):
                    await one.closer(None)
            except (Exception, asyncio.CancelledError) as error:  # border: closing goes on; every failure is reported
                failures.append(cancellation.failure(one.slot, error))
                log().error("slot failed to close", slot=one.slot, error=_said(error))
            else:
                log().info("slot closed", slot=one.slot)
        if cancellation.asked is not None:
            raise cancellation.asked
        return failures

    def asked(self, cells: Iterable[Cell]) -> dict[Cell, Opened]:
        """Return what is open for these cells, and can tell of its health, by cell."""
        wanted = set(cells)
        return {one.cell: one for one in list(self._held) if one.cell in wanted and hasattr(one.built, "health")}

    async def health(self) -> dict[str, Health]:
        """Ask every open adapter for its health, all at once; one that does not answer in time is not healthy."""
        shown = [held for held in list(self._held) if held.cell.slot.cell is held.cell]  # others are set aside
        asked = [held for held in shown if hasattr(held.built, "health")]
        answers = await asyncio.gather(*(health_of(held) for held in asked))
        return dict(sorted(zip((held.slot for held in asked), answers, strict=True)))


async def health_of(held: Opened) -> Health:
    """Ask an open object for its health; one that raises, or does not answer in time, is not healthy."""
    began = time.perf_counter()
    check: Callable[[], Any] = held.built.health
    try:
        async with asyncio.timeout(held.health_timeout_s):
            answer = await check()
    except Exception as error:  # border: a health check must not raise; one that does is an answer as well
        return Health(False, _said(error), time.perf_counter() - began)
    return answer if isinstance(answer, Health) else Health(bool(answer))


async def _nothing(error: BaseException | None) -> None:
    """Close what has no `close`."""


def _said(error: BaseException) -> str:
    return error.message if isinstance(error, OneiricError) else type(error).__name__
