"""Scopes below the application: one request, one task. What is built in a scope lives as long as the scope."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Protocol

from oneiric.containers.answer import Answer
from oneiric.containers.closing import Held, begin, close_now, open_held, report, run_closers, running_loop, to_the_end
from oneiric.containers.ending import ending
from oneiric.containers.leases import NO_LEASE, Lease
from oneiric.containers.needs import Need, Way
from oneiric.core.errors import ScopeClosed
from oneiric.core.markers import INJECTED
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell, Slot

GENERATED = "<injected call>"  # how code objects tell the wrappers that `@inject` generates
DEPTH = {"app": 0, "request": 1, "task": 2}
innermost_scope: ContextVar[Scope | None] = ContextVar("oneiric_scope", default=None)


class Scope:
    """
    One request or one task: holds what was built in it, and closes all of it in reverse order at its end.

    The exception that ends the body is handed to every resource, so that a session can roll back.
    """

    __slots__ = (
        "_cells", "_closers", "_lease", "container", "failure", "generators", "is_closed", "kind", "outer", "values",
    )  # fmt: skip

    def __init__(self, kind: str, container: object) -> None:
        self.kind = kind
        self.container = container
        self.outer = innermost_scope.get()
        self._lease: Lease = getattr(container, "lease", NO_LEASE)
        self._lease.count += 1
        self.is_closed = False
        self.failure: BaseException | None = None  # what left an injected call inside; somebody may have caught it
        self.values: dict[Slot[Any], Any] = {}  # what was made in place, by the call that opened it
        self.generators: list[tuple[Slot[Any], Any]] = []  # of these, in the order of their making
        self._cells: dict[tuple[Slot[Any], object], Cell] = {}
        self._closers: list[Held] = []

    def cell_of(self, slot: Slot[Any], view: object = None) -> Cell:
        """
        Return the cell that holds the slot's object in this scope.

        Args:
            slot: The slot.
            view: Whose object it is, where one context sees another one than everybody else.

        Raises:
            ScopeClosed: The scope has ended; a task outlived it.
        """
        if self.is_closed:
            raise ScopeClosed(slot.name, self.kind)
        cell = self._cells.get((slot, view))
        if cell is not None:
            return cell
        cell = Cell(slot)
        if view is None and slot in self.values:
            cell.live = self.values[slot]
        return self._cells.setdefault((slot, view), cell)  # of threads that come at once, one puts it there

    def keep(self, cell: Cell, closer: Closer) -> None:
        """
        Remember how to close what was built.

        Raises:
            ScopeClosed: The scope ended while it was built, so the caller has to close it.
        """
        held = Held(cell, closer, running_loop())
        self._closers.append(held)  # before the look: so an end in another thread sees it here, or is seen
        if not self.is_closed:
            return
        try:
            self._closers.remove(held)
        except ValueError:
            return  # the end took it, and closes it
        raise ScopeClosed(cell.slot.name, self.kind)

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open an object of this scope, and remember to close it. Raises ScopeClosed as `keep`; then it is closed."""
        await open_held(self, cell, built)

    async def aclose(self, error: BaseException | None = None) -> None:
        """
        Close everything in reverse order; every closer runs, also when others fail or the task is cancelled.

        Raises:
            ExceptionGroup: Closers failed while there was no exception of the body.
        """
        closers = self._end()
        if not closers:
            self.release()
            return
        failures, cancelled = await to_the_end(begin(run_closers(closers, error)))
        self.release()
        report(failures, error or cancelled)
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
        self.release()
        report(failures, error)

    def release(self) -> None:
        """Hold the generation no longer: all that was built from its objects is closed. A second call does nothing."""
        lease, self._lease = self._lease, NO_LEASE
        if lease is not NO_LEASE:
            lease.count -= 1

    def _end(self) -> list[Held]:
        self.is_closed = True
        closers: list[Held] = []
        while self._closers:
            closers.append(self._closers.pop())
        loop = running_loop()
        while self.generators:
            slot, generator = self.generators.pop()
            closers.append(Held(Cell(slot), ending(generator), loop))
        return closers


class Seen:
    """A scope as one context sees it: some of the objects in it are its own."""

    __slots__ = ("_scope", "_view")

    def __init__(self, scope: Scope, view: object) -> None:
        self._scope, self._view = scope, view

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the slot's object here. Raises ScopeClosed."""
        return self._scope.cell_of(slot, self._view)

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built. Raises ScopeClosed."""
        self._scope.keep(cell, closer)

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open an object of the scope. Raises ScopeClosed."""
        await self._scope.open(cell, built, settings)


def current(container: object) -> Scope | None:
    """Return the innermost open scope of a container in this context, or None."""
    scope = innermost_scope.get()
    while scope is not None and scope.container is not container:
        scope = scope.outer  # a call for another application opened its own inside
    return scope


def required(container: object, slot: Slot[Any]) -> Scope:
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
    token = innermost_scope.set(scope)
    try:
        yield
    finally:
        restore(token)


def restore(token: Token[Scope | None]) -> None:
    """Let the scope from before be in force again; in a context that knows none of it there is nothing to restore."""
    try:
        innermost_scope.reset(token)
    except ValueError:
        return  # left in another context than entered, as fixtures are: there is nothing to restore there


class Scoped:
    """A scope as a `with` or `async with` block: `async with app.scope("request"): ...`."""

    def __init__(self, kind: str, container: object) -> None:
        self.scope = Scope(kind, container)
        self._token: Token[Scope | None] | None = None

    def __enter__(self) -> Scope:
        self._token = innermost_scope.set(self.scope)
        return self.scope

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        self.scope.close(error)

    async def __aenter__(self) -> Scope:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        await self.scope.aclose(error)

    @property
    def is_open(self) -> bool:
        """Whether it was entered, and not left yet."""
        return self._token is not None and not self.scope.is_closed

    def _leave(self) -> None:
        if self._token is not None:
            restore(self._token)


def note_failure(error: Exception) -> None:
    """
    Let the scope in force know what left an injected call: behind it, a framework may make a response of it.

    Only the outermost injected call of a stack counts: what an inner one raises, an outer one may catch.
    """
    scope = innermost_scope.get()
    frame = sys._getframe(1).f_back if scope is not None else None  # from whoever called the injected function
    while frame is not None:
        if frame.f_code.co_filename == GENERATED:
            return
        frame = frame.f_back
    if scope is not None:
        scope.failure = error


class Home(Protocol):
    """What the slow path of a call asks of its container."""

    @property
    def root(self) -> object:
        """What scopes belong to."""

    def answer(self, need: Need) -> Answer:
        """Return the slots that a need means."""

    def handle(self, need: Need, slot: Slot[Any]) -> Any:
        """Return a handle on a slot, where a need asks for one."""

    def build(self, slot: Slot[Any], way: Way | None = None) -> Any:
        """Return the object of a slot, from synchronous code; `way` tells who asks."""

    async def abuild(self, slot: Slot[Any], way: Way | None = None) -> Any:
        """Return the object of a slot, from asynchronous code."""


class SiteEntry:
    """
    The slow path of one injected call.

    It builds what is not there yet. If a parameter lives in a scope and none is open, this call is the outermost one:
    it opens a scope, and closes it at its end. The scope of a generator is in force only while the generator runs, not
    while it waits at a yield: what its caller does meanwhile is no part of it.
    """

    __slots__ = ("_given", "_home", "_lease", "_scoped", "_wanted")

    def __init__(self, home: Home, site: Any, given: tuple[Any, ...]) -> None:
        self._home = home
        self._given = given
        needs = zip(site.needs.values(), given, strict=True)
        self._wanted = [(n, home.answer(need)) for n, (need, value) in enumerate(needs) if value is INJECTED]
        is_scoped = any(slot.scope != "app" for _, answer in self._wanted for slot in answer.inputs)
        self._scoped = Scoped("request", home.root) if is_scoped and current(home.root) is None else None

    def _build(self) -> list[Any]:
        values = list(self._given)
        home = self._home
        for position, answer in self._wanted:
            need = answer.need
            if need.is_lazy:
                values[position] = None if answer.slot is None else home.handle(need, answer.slot)
            else:
                values[position] = answer.assemble([home.build(slot, Way(None, need.at)) for slot in answer.slots])
        return values

    async def _abuild(self) -> list[Any]:
        values = list(self._given)
        home = self._home
        for position, answer in self._wanted:
            need = answer.need
            if need.is_lazy:
                values[position] = None if answer.slot is None else home.handle(need, answer.slot)
            else:
                objects = [await home.abuild(slot, Way(None, need.at)) for slot in answer.slots]
                values[position] = answer.assemble(objects)
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
            values = await self._abuild()
            self._lease: Lease = getattr(self._home.root, "lease", NO_LEASE)
            self._lease.count += 1
            return values
        self._scoped.__enter__()
        try:
            return await self._abuild()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._scoped is not None:
            await self._scoped.__aexit__(kind, error, trace)
        else:
            self._lease.count -= 1

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
