"""Scopes below the application: one request, one task. What is built in a scope lives as long as the scope."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar, Token
from typing import Any, Literal, Protocol

from oneiric.core.errors import NeedsAsyncOpen, ScopeClosed
from oneiric.core.markers import INJECTED
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell, Slot

Kind = Literal["app", "request", "task"]
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
        self.is_closed = False
        self._cells: dict[Slot, Cell] = {}
        self._closers: list[tuple[Cell, Closer]] = []
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
        """Remember how to close what was built."""
        with self._lock:
            self._closers.append((cell, closer))

    async def open(self, cell: Cell, built: Any) -> None:
        """Open an object of this scope, and remember to close it."""
        await built.open()

        async def close(error: BaseException | None) -> None:
            await built.close()

        self.keep(cell, close)

    async def aclose(self, error: BaseException | None = None) -> None:
        """
        Close everything in reverse order; every closer runs, also when others fail or the task is cancelled.

        Raises:
            ExceptionGroup: Closers failed while there was no exception of the body.
        """
        self.is_closed = True
        failures = await asyncio.shield(asyncio.ensure_future(self._run_closers(error)))
        _report(failures, error)

    def close(self, error: BaseException | None = None) -> None:
        """Close everything from synchronous code; as `aclose`."""
        self.is_closed = True
        _report(_drive(self._run_closers(error)), error)

    async def _run_closers(self, error: BaseException | None) -> list[Exception]:
        failures: list[Exception] = []
        while self._closers:
            _, closer = self._closers.pop()
            try:
                await closer(error)
            except Exception as failure:  # border: closing goes on; all failures are reported together
                failures.append(failure)
        return failures


def _report(failures: list[Exception], error: BaseException | None) -> None:
    if not failures:
        return
    if isinstance(error, Exception):
        raise ExceptionGroup("closing a scope failed after its body did", [error, *failures])
    if error is None:
        raise ExceptionGroup("closing a scope failed", failures)


def _drive(steps: Any) -> list[Exception]:
    """Run closers from synchronous code; what was built there had nothing to wait for."""
    try:
        steps.send(None)
    except StopIteration as done:
        failures: list[Exception] = done.value
        return failures
    steps.close()
    raise NeedsAsyncOpen("?", fixes=("end this scope from asynchronous code",))


def current(container: object) -> Scope | None:
    """Return the open scope of a container in this context, or None."""
    scope = _current.get()
    return scope if scope is not None and scope.container is container else None


def required(container: object, slot: Slot) -> Scope:
    """Return the open scope of a container, for a slot that lives in one. Raises ScopeClosed if none is open."""
    scope = current(container)
    if scope is None:
        raise ScopeClosed(slot.name, slot.scope, was_open=False)
    return scope


class Scoped:
    """A scope as a `with` or `async with` block: `async with app.scope("request"): ...`."""

    def __init__(self, kind: str, container: object) -> None:
        self._scope = Scope(kind, container)
        self._token: Token[Scope | None] | None = None

    def __enter__(self) -> Scope:
        self._token = _current.set(self._scope)
        return self._scope

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        self._scope.close(error)

    async def __aenter__(self) -> Scope:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        await self._scope.aclose(error)

    def _leave(self) -> None:
        if self._token is not None:
            _current.reset(self._token)


class Home(Protocol):
    """What the slow path of a call asks of its container."""

    def slots_of(self, site: Any) -> list[Slot | None]:
        """Return the slots a site needs, None where an optional one is absent."""

    def build(self, slot: Slot) -> Any:
        """Return the object of a slot, from synchronous code."""

    async def abuild(self, slot: Slot) -> Any:
        """Return the object of a slot, from asynchronous code."""


class SiteEntry:
    """
    The slow path of one injected call.

    It builds what is not there yet. If a parameter lives in a scope and none is open, this call is the outermost one:
    it opens a scope, and closes it at its end.
    """

    __slots__ = ("_given", "_home", "_scoped", "_site")

    def __init__(self, home: Home, site: Any, given: tuple[Any, ...]) -> None:
        self._home = home
        self._site = site
        self._given = given
        self._scoped: Scoped | None = None

    def _wanted(self) -> list[tuple[int, Slot | None]]:
        slots = self._home.slots_of(self._site)
        wanted = [(n, slots[n]) for n, value in enumerate(self._given) if value is INJECTED]
        if any(slot is not None and slot.scope != "app" for _, slot in wanted) and current(self._home) is None:
            self._scoped = Scoped("request", self._home)
        return wanted

    def __enter__(self) -> tuple[Any, ...]:
        values = list(self._given)
        wanted = self._wanted()
        if self._scoped is not None:
            self._scoped.__enter__()
        try:
            for position, slot in wanted:
                values[position] = None if slot is None else self._home.build(slot)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return tuple(values)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._scoped is not None:
            self._scoped.__exit__(kind, error, trace)

    async def __aenter__(self) -> tuple[Any, ...]:
        values = list(self._given)
        wanted = self._wanted()
        if self._scoped is not None:
            self._scoped.__enter__()
        try:
            for position, slot in wanted:
                values[position] = None if slot is None else await self._home.abuild(slot)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return tuple(values)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._scoped is not None:
            await self._scoped.__aexit__(kind, error, trace)
