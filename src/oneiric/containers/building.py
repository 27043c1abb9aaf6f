"""
Building the object of a cell: once under threads and tasks, with what it needs, opened where it lives.

There is one description of a build, a coroutine. An asynchronous caller awaits it as a task of its own, which no
waiter's cancellation can harm; a synchronous caller runs it to its end in place, as long as nothing has to wait.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from oneiric.containers.active import using
from oneiric.containers.needs import Need
from oneiric.core.errors import BuildFailed, DependencyCycle, NeedsAsyncOpen, OneiricError
from oneiric.providers.adapter import Attempt, Closer, ObjectProvider, Opener
from oneiric.providers.engine import Provider
from oneiric.providers.slot import Binding, Cell, Slot


class Keeper(Protocol):
    """Where an object lives and who closes it: the application, or an open scope."""

    def cell_of(self, slot: Slot) -> Cell:
        """Return the cell that holds the slot's object in this life."""

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built."""

    async def open(self, cell: Cell, built: Any) -> None:
        """Open an object, and remember to close it."""


class Plan(Protocol):
    """What a build asks of the container."""

    name: str
    opener: Opener | None

    def decide(self, cell: Cell) -> Binding:
        """Return the winning binding, and note it in the cell."""

    def provider_of(self, slot: Slot, binding: Binding) -> Provider[Any]:
        """Return what makes the object."""

    def needs_of(self, provider: Provider[Any]) -> Mapping[str, Need]:
        """Return what the object asks for, by parameter."""

    def find(self, need: Need) -> Slot | None:
        """Return the slot that a need means; None if it is optional and there is none."""

    def settings_of(self, slot: Slot, binding: Binding) -> Any:
        """Return the validated settings of an adapter; None where it has none."""

    def keeper_of(self, slot: Slot, keeper: Keeper) -> Keeper:
        """Return where the slot's object lives, seen from an object that lives in `keeper`."""

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell."""


class Builder:
    """Builds what the cells of one container stand for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, cell: Cell, keeper: Keeper, path: tuple[str, ...] = ()) -> Any:
        """
        Return the object of a cell, from synchronous code.

        Raises:
            NeedsAsyncOpen: It has to be opened by an event loop, and this thread cannot wait for one.
            BuildFailed: Its constructor or factory raised; nothing is stored, and the next call tries again.
        """
        try:
            return cell.live
        except AttributeError:
            loop = self._loop_to_ask(cell, path)
        if loop is not None:
            return asyncio.run_coroutine_threadsafe(self.aget(cell, keeper, path), loop).result()
        attempt, mine = self._claim(cell, None)
        if not mine:
            return self._wait(cell, attempt, path)
        try:
            built = self._run(self._make(cell, keeper, path, is_async=False), cell, path)
        except BaseException as error:
            self._fail(cell, attempt, error)
            raise
        self._succeed(cell, attempt, built)
        return built[0]

    def _loop_to_ask(self, cell: Cell, path: tuple[str, ...]) -> asyncio.AbstractEventLoop | None:
        """Return the application's loop if only that one can build the object, and this thread has none; else None."""
        if _running_loop() is not None:
            return None
        provider = self._plan.provider_of(cell.slot, self._plan.decide(cell))
        if not isinstance(provider, ObjectProvider) or not provider.needs_loop:
            return None
        loop = self._plan.opener.loop if self._plan.opener is not None else None
        if loop is None or not loop.is_running():
            raise NeedsAsyncOpen(cell.slot.name, path=path)
        return loop

    async def aget(self, cell: Cell, keeper: Keeper, path: tuple[str, ...] = ()) -> Any:
        """
        Return the object of a cell, from asynchronous code; it is opened if need be.

        Raises:
            BuildFailed: Its constructor or factory raised; nothing is stored, and the next call tries again.
        """
        try:
            return cell.live
        except AttributeError:
            loop = asyncio.get_running_loop()
            attempt, mine = self._claim(cell, loop)
        if mine:
            task = loop.create_task(self._fill(cell, keeper, attempt, path), name=f"oneiric build {cell.slot.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif attempt.loop is None and attempt.thread == threading.get_ident():
            raise DependencyCycle([*path, cell.slot.name])
        return await attempt.wait()

    async def abandon(self) -> None:
        """End the builds that are under way in this event loop: whoever waits for them gets the cancellation."""
        loop = asyncio.get_running_loop()
        under_way = [task for task in self._tasks if task.get_loop() is loop and task is not asyncio.current_task()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _claim(self, cell: Cell, loop: asyncio.AbstractEventLoop | None) -> tuple[Attempt, bool]:
        """Return the build that is under way, or begin one; the flag tells who has to do the work."""
        with cell.slot.lock:
            attempt = cell.attempt
            if attempt is not None:
                return attempt, False
            attempt = cell.attempt = Attempt(loop)
            if cell.is_built:  # it was finished between the caller's look and the lock
                cell.attempt = None
                attempt.future.set_result(cell.live)
                return attempt, False
            return attempt, True

    def _wait(self, cell: Cell, attempt: Attempt, path: tuple[str, ...]) -> Any:
        if not attempt.future.done():
            if attempt.loop is None and attempt.thread == threading.get_ident():
                raise DependencyCycle([*path, cell.slot.name])
            if attempt.loop is not None and attempt.loop is _running_loop():
                raise NeedsAsyncOpen(cell.slot.name, path=path, fixes=("it is being opened: make the caller async",))
        return attempt.future.result()

    async def _fill(self, cell: Cell, keeper: Keeper, attempt: Attempt, path: tuple[str, ...]) -> None:
        try:
            built = await self._make(cell, keeper, path, is_async=True)
        except BaseException as error:
            self._fail(cell, attempt, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._succeed(cell, attempt, built)

    def _fail(self, cell: Cell, attempt: Attempt, error: BaseException) -> None:
        """Nothing is stored: everybody who waits gets the same error, the next use tries again."""
        with cell.slot.lock:
            cell.attempt = None
        attempt.future.set_exception(error)

    def _succeed(self, cell: Cell, attempt: Attempt, built: tuple[Any, tuple[Cell, ...]]) -> None:
        self._plan.finished(cell, built[1], built[0])
        with cell.slot.lock:
            cell.attempt = None
        attempt.future.set_result(built[0])

    async def _make(
        self, cell: Cell, keeper: Keeper, path: tuple[str, ...], *, is_async: bool
    ) -> tuple[Any, tuple[Cell, ...]]:
        """Make and open the object; returns it with the cells it was built from."""
        slot, plan = cell.slot, self._plan
        here = (*path, f"slot {slot.name}")
        binding = plan.decide(cell)
        provider = plan.provider_of(slot, binding)
        if not isinstance(provider, ObjectProvider):
            return await self._call(slot, provider, is_async), ()
        given: dict[str, Any] = {}
        inputs: list[Cell] = []
        for parameter, need in plan.needs_of(provider).items():
            found = plan.find(need)
            if found is None:
                given[parameter] = None
                continue
            home = plan.keeper_of(found, keeper)
            source = home.cell_of(found)
            given[parameter] = await self.aget(source, home, here) if is_async else self.get(source, home, here)
            inputs.append(source)
        settings = plan.settings_of(slot, binding)
        arguments = () if settings is None else (settings,)
        built = await self._construct(cell, keeper, provider, arguments, given, here)
        return built, tuple(inputs)

    async def _call(self, slot: Slot, provider: Provider[Any], is_async: bool) -> Any:
        """Ask an engine provider that somebody bound; an awaitable is awaited, and never handed on."""
        value = provider()
        if inspect.isawaitable(value):
            if not is_async:
                if inspect.iscoroutine(value):
                    value.close()
                raise NeedsAsyncOpen(slot.name)
            value = await value
        return value

    async def _construct(
        self,
        cell: Cell,
        keeper: Keeper,
        provider: ObjectProvider,
        arguments: tuple[Any, ...],
        given: dict[str, Any],
        path: tuple[str, ...],
    ) -> Any:
        target = getattr(provider.target, "__injected__", provider.target)
        try:
            with using(self._plan):
                if inspect.isasyncgenfunction(target):
                    agen = target(*arguments, **given)
                    built = await anext(agen)
                    keeper.keep(cell, _async_end(agen))
                elif inspect.isgeneratorfunction(target):
                    gen = target(*arguments, **given)
                    built = next(gen)
                    keeper.keep(cell, _end(gen))
                else:
                    built = target(*arguments, **given)
                    if inspect.iscoroutine(built):
                        built = await built
        except (OneiricError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:  # border: an application's own constructor; its error is named and chained
            raise BuildFailed(cell.slot.name, str(provider), error, path=path) from error
        if provider.opens:
            await keeper.open(cell, built)
        return built

    def _run(self, steps: Coroutine[Any, Any, Any], cell: Cell, path: tuple[str, ...]) -> Any:
        """Run a coroutine to its end without an event loop; one that has to wait is refused."""
        try:
            steps.send(None)
        except StopIteration as done:
            return done.value
        steps.close()
        name = cell.slot.name
        raise NeedsAsyncOpen(
            name, path=path, fixes=(f'open it at the start: app.slot("{name}", eager=True)', "make the caller async")
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _end(gen: Any) -> Closer:
    """Return what ends a generator: it goes on after its yield, or gets the exception thrown in there."""

    async def close(error: BaseException | None) -> None:
        try:
            if error is None:
                next(gen)
            else:
                gen.throw(error)
        except StopIteration:
            return
        except BaseException as raised:
            if raised is not error:
                raise
        else:
            raise RuntimeError("a provider's generator yields twice; it has one yield")

    return close


def _async_end(agen: Any) -> Closer:
    """Return what ends an asynchronous generator: it goes on, or gets the exception thrown in at its yield."""

    async def close(error: BaseException | None) -> None:
        try:
            if error is None:
                await anext(agen)
            else:
                await agen.athrow(error)
        except StopAsyncIteration:
            return
        except BaseException as raised:
            if raised is not error:
                raise
        else:
            raise RuntimeError("a provider's generator yields twice; it has one yield")

    return close
