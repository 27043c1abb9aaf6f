"""Scopes below the application: one request, one task. What is built in a scope lives as long as the scope."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Protocol

from oneiric.containers.closing import Held, close_now, hold, report, run_closers, running_loop
from oneiric.containers.needs import Need, Way
from oneiric.core.errors import ScopeClosed
from oneiric.core.markers import INJECTED
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell, Slot

DEPTH = {"app": 0, "request": 1, "task": 2}
_current: ContextVar[Scope | None] = ContextVar("oneiric_scope", default=None)


class Scope:
    """
    One request or one task: holds what was built in it, and closes all of it in reverse order at its end.

    The exception that ends the body is handed to every resource, so that a session can roll back.
    """

    def __init__(self, kind: str, container: object) -> None:
        self.kind = kind
        self.container = container
        self.outer = _current.get()
        self.is_closed = False
        self._cells: dict[Slot, Cell] = {}
        self._closers: list[Held] = []
        self._lock = threading.Lock()

    def cell_of(self, slot: Slot) -> Cell:
        """
        Return the cell that holds the slot's object in this scope.

        Raises:
            ScopeClosed: The scope has ended; a task outlived it.
        """
        with self._lock:
            if self.is_closed:
                raise ScopeClosed(slot.name, self.kind)
            cell = self._cells.get(slot)
            if cell is None:
                cell = self._cells[slot] = Cell(slot)
            return cell

    def keep(self, cell: Cell, closer: Closer) -> None:
        """
        Remember how to close what was built.

        Raises:
            ScopeClosed: The scope ended while it was built, so the caller has to close it.
        """
        with self._lock:
            if self.is_closed:
                raise ScopeClosed(cell.slot.name, self.kind)
            self._closers.append(Held(cell, closer, running_loop()))

    async def open(self, cell: Cell, built: Any) -> None:
        """Open an object of this scope, and remember to close it. Raises ScopeClosed as `keep`; then it is closed."""
        await built.open()

        async def close(error: BaseException | None) -> None:
            if hasattr(built, "close"):
                await built.close()

        await hold(self, cell, close)

    async def aclose(self, error: BaseException | None = None) -> None:
        """
        Close everything in reverse order; every closer runs, also when others fail or the task is cancelled.

        Raises:
            ExceptionGroup: Closers failed while there was no exception of the body.
        """
        closers = self._end()
        if not closers:
            return
        closing = asyncio.ensure_future(run_closers(closers, error))
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as asked:  # goes on below, when everything is closed
                cancelled = asked
        report(closing.result(), error or cancelled)
        if cancelled is not None:
            raise cancelled

    def close(self, error: BaseException | None = None) -> None:
        """Close everything from synchronous code; as `aclose`. What belongs to an event loop is closed there."""
        failures: list[Exception] = []
        for held in self._end():
            try:
                close_now(held, error)
            except Exception as failure:  # border: closing goes on; all failures are reported together
                failures.append(failure)
        report(failures, error)

    def _end(self) -> list[Held]:
        with self._lock:
            self.is_closed = True
            closers, self._closers = self._closers[::-1], []
        return closers


def current(container: object) -> Scope | None:
    """Return the innermost open scope of a container in this context, or None."""
    scope = _current.get()
    while scope is not None and scope.container is not container:
        scope = scope.outer  # a call for another application opened its own inside
    return scope


def required(container: object, slot: Slot) -> Scope:
    """
    Return the scope of this context that a slot's object lives in.

    A task inside a request uses the objects of the request; outside of one it is its own request.

    Raises:
        ScopeClosed: None is open.
    """
    innermost = scope = current(container)
    if innermost is None:
        raise ScopeClosed(slot.name, slot.scope, was_open=False)
    while scope is not None and not (scope.container is container and scope.kind == slot.scope):
        scope = scope.outer
    return scope or innermost


@contextmanager
def within(scope: Scope | None) -> Iterator[None]:
    """Let a scope be the current one in this context, inside the block; None changes nothing."""
    if scope is None:
        yield
        return
    token = _current.set(scope)
    try:
        yield
    finally:
        _restore(token)


def _restore(token: Token[Scope | None]) -> None:
    try:
        _current.reset(token)
    except ValueError:
        return  # left in another context than entered, as fixtures are: there is nothing to restore there


class Scoped:
    """A scope as a `with` or `async with` block: `async with app.scope("request"): ...`."""

    def __init__(self, kind: str, container: object) -> None:
        self.scope = Scope(kind, container)
        self._token: Token[Scope | None] | None = None

    def __enter__(self) -> Scope:
        self._token = _current.set(self.scope)
        return self.scope

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        self.scope.close(error)

    async def __aenter__(self) -> Scope:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        await self.scope.aclose(error)

    def _leave(self) -> None:
        if self._token is not None:
            _restore(self._token)


class Home(Protocol):
    """What the slow path of a call asks of its container."""

    def find(self, need: Need) -> Slot | None:
        """Return the slot that a need means; None if it is optional and cannot be met."""

    def build(self, slot: Slot, way: Way | None = None) -> Any:
        """Return the object of a slot, from synchronous code; `way` tells who asks."""

    async def abuild(self, slot: Slot, way: Way | None = None) -> Any:
        """Return the object of a slot, from asynchronous code."""


class SiteEntry:
    """
    The slow path of one injected call.

    It builds what is not there yet. If a parameter lives in a scope and none is open, this call is the outermost one:
    it opens a scope, and closes it at its end. The scope of a generator is in force only while the generator runs, not
    while it waits at a yield: what its caller does meanwhile is no part of it.
    """

    __slots__ = ("_given", "_home", "_scoped", "_wanted")

    def __init__(self, home: Home, site: Any, given: tuple[Any, ...]) -> None:
        self._home = home
        self._given = given
        needs = zip(site.needs.values(), given, strict=True)
        self._wanted = [(n, need, home.find(need)) for n, (need, value) in enumerate(needs) if value is INJECTED]
        is_scoped = any(slot is not None and slot.scope != "app" for _, _, slot in self._wanted)
        self._scoped = Scoped("request", home) if is_scoped and current(home) is None else None

    def _build(self) -> list[Any]:
        values = list(self._given)
        for position, need, slot in self._wanted:
            values[position] = None if slot is None else self._home.build(slot, Way(None, need.at))
        return values

    async def _abuild(self) -> list[Any]:
        values = list(self._given)
        for position, need, slot in self._wanted:
            values[position] = None if slot is None else await self._home.abuild(slot, Way(None, need.at))
        return values

    def __enter__(self) -> list[Any]:
        if self._scoped is None:
            return self._build()
        self._scoped.__enter__()
        try:
            return self._build()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._scoped is not None:
            self._scoped.__exit__(kind, error, trace)

    async def __aenter__(self) -> list[Any]:
        if self._scoped is None:
            return await self._abuild()
        self._scoped.__enter__()
        try:
            return await self._abuild()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._scoped is not None:
            await self._scoped.__aexit__(kind, error, trace)

    def steps(self, make: Callable[..., Any]) -> Generator[Any, Any, Any]:
        """Run the generator that `make` makes from the values; it gets what is sent or thrown in here."""
        if self._scoped is None:
            return (yield from make(*self._build()))
        scope = self._scoped.scope
        try:
            with within(scope):
                inner = make(*self._build())
                item = next(inner)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    with within(scope):
                        inner.close()
                    raise
                except BaseException as thrown:  # border: the caller's; it is thrown on into the generator
                    with within(scope):
                        item = inner.throw(thrown)
                else:
                    with within(scope):
                        item = inner.send(sent)
        except StopIteration as done:
            scope.close()
            return done.value
        except BaseException as error:
            scope.close(error)
            raise

    async def asteps(self, make: Callable[..., Any]) -> AsyncGenerator[Any, Any]:
        """Run the asynchronous generator that `make` makes from the values; as `steps`."""
        scope = None if self._scoped is None else self._scoped.scope
        try:
            with within(scope):
                inner = make(*await self._abuild())
                item = await anext(inner)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    with within(scope):
                        await inner.aclose()
                    raise
                except BaseException as thrown:  # border: the caller's; it is thrown on into the generator
                    with within(scope):
                        item = await inner.athrow(thrown)
                else:
                    with within(scope):
                        item = await inner.asend(sent)
        except StopAsyncIteration:
            if scope is not None:
                await scope.aclose()
        except BaseException as error:
            if scope is not None:
                await scope.aclose(error)
            raise
