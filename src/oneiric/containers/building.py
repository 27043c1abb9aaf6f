"""
Building the object of a cell: once under threads and tasks, with what it needs, opened where it lives.

There is one description of a build, a coroutine. An asynchronous caller awaits it as a task of its own, which no
waiter's cancellation can harm; a synchronous caller runs it to its end in place, as long as nothing has to wait.
What an object needs is built before it, so that a long chain needs no deep stack.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from oneiric.containers import active
from oneiric.containers.answer import Answer
from oneiric.containers.closing import begin, hold, running_loop
from oneiric.containers.decoration import Decoration
from oneiric.containers.descent import below
from oneiric.containers.ending import aends, ends
from oneiric.containers.fitting import check_fit
from oneiric.containers.managed import entered, is_managed, maker_of
from oneiric.containers.needs import Need, Way
from oneiric.containers.waits import Waits
from oneiric.core.errors import BuildFailed, NeedsAsyncOpen, OneiricError, WrongType
from oneiric.providers.adapter import Attempt, Closer, ObjectProvider, Opener
from oneiric.providers.engine import Object, Provider, Resource
from oneiric.providers.slot import Binding, Cell, Slot


class Keeper(Protocol):
    """Where an object lives and who closes it: the application, or an open scope."""

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the slot's object in this life."""

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built."""

    async def open(self, cell: Cell, built: Any, settings: Any) -> None:
        """Open an object by the settings it was made with, and remember to close it."""


class Plan(Protocol):
    """What a build asks of the container."""

    name: str
    opener: Opener | None

    def decide(self, cell: Cell) -> Binding:
        """Return the winning binding, and note it in the cell."""

    def provider_of(self, slot: Slot[Any], binding: Binding) -> Provider[Any]:
        """Return what makes the object."""

    def decorations_of(self, slot: Slot[Any], decorations: Sequence[Decoration]) -> Sequence[Decoration]:
        """Return those of the decorations that count, the innermost first."""

    def needs_of(self, provider: Provider[Any]) -> Mapping[str, Need]:
        """Return what the object asks for, by parameter."""

    def asks(self, slot: Slot[Any]) -> Mapping[str, Need]:
        """Return what the slot's winner asks for, by parameter."""

    def answer(self, need: Need) -> Answer:
        """Return the slots that a need means."""

    def handle(self, need: Need, slot: Slot[Any]) -> Any:
        """Return a handle on a slot, where a need asks for one."""

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot."""

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot."""

    def builder_of(self, slot: Slot[Any]) -> Builder:
        """Return who builds the object of a slot."""

    async def fetch_secrets(self, slot: Slot[Any], binding: Binding) -> None:
        """Fetch the secrets that the settings of an adapter need."""

    def fetch_secrets_now(self, slot: Slot[Any], binding: Binding) -> None:
        """Do the same without waiting. Raises NeedsAsyncOpen if the store has to be waited for."""

    def settings_of(self, slot: Slot[Any], binding: Binding) -> Any:
        """Return the validated settings of an adapter; None where it has none."""

    def keeper_of(self, slot: Slot[Any]) -> Keeper:
        """Return where the slot's object lives, seen from this context."""

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell."""


class Builder:
    """Builds what the cells of one container stand for."""

    _waits = Waits()  # of the whole process: a build may ask another application

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, cell: Cell, keeper: Keeper, way: Way | None = None) -> Any:
        """
        Return the object of a cell, from synchronous code.

        Args:
            cell: The cell.
            keeper: Where its object lives.
            way: Who asks, for messages.

        Raises:
            NeedsAsyncOpen: It has to be opened by an event loop, and this thread cannot wait for one.
            BuildFailed: Its constructor or factory raised; nothing is stored, and the next call tries again.
            DependencyCycle: It needs itself.
        """
        if cell.is_built:
            return cell.live
        here = Way(way, f"slot {cell.slot.name}")
        for slot, its_way in below(cell.slot, here, self._plan):
            home = self._plan.keeper_of(slot)
            self._get(home.cell_of(slot), home, its_way)
        return self._get(cell, keeper, here)

    def _get(self, cell: Cell, keeper: Keeper, here: Way) -> Any:
        """Return the object of a cell whose needs are built."""
        if cell.is_built:
            return cell.live
        if (other := self._plan.builder_of(cell.slot)) is not self:
            return other.get(cell, keeper, here.above)
        loop = self._loop_to_ask(cell, here)
        if loop is not None:
            return asyncio.run_coroutine_threadsafe(self._aget(cell, keeper, here), loop).result()
        attempt, mine = self._claim(cell, None)
        if not mine:
            return self._wait(cell, attempt, here)
        try:
            with self._waits.under(attempt, cell.slot.name):
                built = self._run(self._make(cell, keeper, here, is_async=False), cell, here)
        except BaseException as error:
            self._fail(cell, attempt, error, here)
            raise
        self._succeed(cell, attempt, built)
        return built[0]

    def _loop_to_ask(self, cell: Cell, here: Way) -> asyncio.AbstractEventLoop | None:
        """Return the application's loop if only that one can build the object, and this thread has none; else None."""
        if running_loop() is not None:
            return None
        provider = self._plan.provider_of(cell.slot, self._plan.decide(cell))
        if not isinstance(provider, ObjectProvider) or not provider.needs_loop:
            return None
        loop = self._plan.opener.loop if self._plan.opener is not None else None
        if loop is None or not loop.is_running():
            raise NeedsAsyncOpen(cell.slot.name, path=here.nodes())
        return loop

    async def aget(self, cell: Cell, keeper: Keeper, way: Way | None = None) -> Any:
        """
        Return the object of a cell, from asynchronous code; it is opened if need be.

        Args:
            cell: The cell.
            keeper: Where its object lives.
            way: Who asks, for messages.

        Raises:
            BuildFailed: Its constructor or factory raised; nothing is stored, and the next call tries again.
            DependencyCycle: It needs itself.
        """
        if cell.is_built:
            return cell.live
        here = Way(way, f"slot {cell.slot.name}")
        for slot, its_way in below(cell.slot, here, self._plan):
            home = self._plan.keeper_of(slot)
            await self._aget(home.cell_of(slot), home, its_way)
        return await self._aget(cell, keeper, here)

    async def _aget(self, cell: Cell, keeper: Keeper, here: Way) -> Any:
        """Return the object of a cell whose needs are built."""
        if cell.is_built:
            return cell.live
        if (other := self._plan.builder_of(cell.slot)) is not self:
            return await other.aget(cell, keeper, here.above)
        loop = asyncio.get_running_loop()
        attempt, mine = self._claim(cell, loop)
        with self._waits.on(attempt):
            if mine:
                task = begin(self._fill(cell, keeper, attempt, here), name=f"oneiric build {cell.slot.name}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return await attempt.wait()

    async def make_alone(self, cell: Cell, keeper: Keeper) -> None:
        """
        Build the object of a cell that nobody else can see, in place; a cancellation ends the build.

        Raises:
            BuildFailed: Its constructor or factory raised.
        """
        here = Way(None, f"slot {cell.slot.name}")
        try:
            built, inputs = await self._make(cell, keeper, here, is_async=True)
        except OneiricError as error:
            error.path = error.path if len(error.path) > 1 else here.nodes()
            raise
        self._plan.finished(cell, inputs, built)

    async def abandon(self) -> None:
        """End the builds that are under way in this event loop: whoever waits for them gets the cancellation."""
        loop = asyncio.get_running_loop()
        under_way = [task for task in self._tasks if task.get_loop() is loop and task is not asyncio.current_task()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _claim(self, cell: Cell, loop: asyncio.AbstractEventLoop | None) -> tuple[Attempt, bool]:
        """Return the build that is under way, or begin one; the flag tells who has to do the work."""
        fresh = Attempt(loop)  # made here: the collector, which may run, could end a build of this very slot
        with cell.slot.lock:
            attempt = cell.attempt
            if attempt is not None:
                return attempt, False
            attempt = cell.attempt = fresh
            if cell.is_built:  # it was finished between the caller's look and the lock
                cell.attempt = None
                attempt.future.set_result(cell.live)
                return attempt, False
            return attempt, True

    def _wait(self, cell: Cell, attempt: Attempt, here: Way) -> Any:
        with self._waits.on(attempt):
            if attempt.loop is not None and attempt.loop is running_loop() and not attempt.future.done():
                fixes = ("it is being opened: make the caller async",)
                raise NeedsAsyncOpen(cell.slot.name, path=here.nodes(), fixes=fixes)
            return attempt.future.result()

    async def _fill(self, cell: Cell, keeper: Keeper, attempt: Attempt, here: Way) -> None:
        try:
            with self._waits.under(attempt, cell.slot.name):
                built = await self._make(cell, keeper, here, is_async=True)
        except BaseException as error:  # border: everybody who waits for this build gets it
            self._fail(cell, attempt, error, here)
            if not isinstance(error, Exception):
                raise
        else:
            self._succeed(cell, attempt, built)

    def _fail(self, cell: Cell, attempt: Attempt, error: BaseException, here: Way) -> None:
        """Nothing is stored: everybody who waits gets the same error, the next use tries again."""
        if isinstance(error, OneiricError):
            error.path = error.path if len(error.path) > 1 else here.nodes()
        elif isinstance(error, Exception):
            error.add_note(f"needed by  {' -> '.join(here.nodes())}")
        with cell.slot.lock:
            cell.attempt = None
        attempt.future.set_exception(error)

    def _succeed(self, cell: Cell, attempt: Attempt, built: tuple[Any, tuple[Cell, ...]]) -> None:
        self._plan.finished(cell, built[1], built[0])
        with cell.slot.lock:
            cell.attempt = None
        attempt.future.set_result(built[0])

    async def _make(self, cell: Cell, keeper: Keeper, here: Way, *, is_async: bool) -> tuple[Any, tuple[Cell, ...]]:
        """Make and open the object; returns it with the cells it was built from."""
        slot, plan = cell.slot, self._plan
        binding = plan.decide(cell)
        provider = plan.provider_of(slot, binding)
        inputs: tuple[Cell, ...] = ()
        if isinstance(provider, ObjectProvider):
            needs = plan.needs_of(provider)
            given, inputs = await self._fill_in(needs, here, is_async=is_async) if needs else ({}, ())
            has_settings = provider.settings_class is not None
            arguments = await self._settings(slot, binding, is_async=is_async) if has_settings else ()
            built = await self._construct(cell, keeper, provider, arguments, given, here)
        elif isinstance(provider, Resource):
            built = await self._construct(cell, keeper, maker_of(provider), (), {}, here)
            check_fit(slot, built)
        else:
            built = await self._call(slot, provider, is_async)
        if not cell.decorations:
            return built, inputs
        for decoration in plan.decorations_of(slot, cell.decorations):
            given, more = await self._fill_in(decoration.needs, here, is_async=is_async)
            inputs += more
            with _OwnCode(plan, slot, decoration, here):
                built = getattr(decoration.function, "__injected__", decoration.function)(built, **given)
                if _is_to_come(built):
                    built = await built
            check_fit(slot, built)
        return built, inputs

    async def _settings(self, slot: Slot[Any], binding: Binding, *, is_async: bool) -> tuple[Any, ...]:
        """Return the settings of an adapter as the first argument of its class; nothing where it has none."""
        if is_async:
            await self._plan.fetch_secrets(slot, binding)
        else:
            self._plan.fetch_secrets_now(slot, binding)
        settings = self._plan.settings_of(slot, binding)
        return () if settings is None else (settings,)

    async def _fill_in(
        self, needs: Mapping[str, Need], here: Way, *, is_async: bool
    ) -> tuple[dict[str, Any], tuple[Cell, ...]]:
        """Return what needs are answered with, by parameter, and the cells it was taken from."""
        given: dict[str, Any] = {}
        inputs: list[Cell] = []
        for parameter, need in needs.items():
            answer = self._plan.answer(need)
            if need.is_lazy:
                given[parameter] = None if answer.slot is None else self._plan.handle(need, answer.slot)
                continue
            objects: list[Any] = []
            for found in answer.slots:
                home = self._plan.keeper_of(found)
                source = home.cell_of(found)
                inputs.append(source)
                if source.is_built:
                    objects.append(source.live)
                else:
                    objects.append(await self.aget(source, home, here) if is_async else self.get(source, home, here))
            given[parameter] = answer.assemble(objects)
        return given, tuple(inputs)

    def make_new(self, slot: Slot[Any], /, **explicit: Any) -> Any:  # whatever the constructor takes
        """
        Make an object of a slot that nobody keeps: the caller opens and closes it.

        Raises:
            WrongType: What fills the slot makes no object that a caller could own.
            NeedsAsyncOpen: Something that it needs has to be opened first.
            BuildFailed: Its constructor or factory raised.
        """
        here = Way(None, f"slot {slot.name}")
        provider = self._plan.provider_of(slot, self._plan.winner(slot))
        if not isinstance(provider, ObjectProvider):
            return provider()
        raw = getattr(provider.target, "__injected__", provider.target)
        if inspect.isgeneratorfunction(raw) or inspect.isasyncgenfunction(raw) or inspect.iscoroutinefunction(raw):
            wanted = "a class or a plain function, where a factory makes new objects"
            raise WrongType(slot.name, wanted, str(provider), fixes=("ask for the object itself: Inject[T]",))
        return self._run(self._make_one(slot, provider, here, explicit), Cell(slot), here)

    async def _make_one(self, slot: Slot[Any], provider: ObjectProvider, here: Way, explicit: Mapping[str, Any]) -> Any:
        needs = {name: need for name, need in self._plan.needs_of(provider).items() if name not in explicit}
        given, _ = await self._fill_in(needs, here, is_async=False)
        arguments = await self._settings(slot, self._plan.winner(slot), is_async=False)
        with _OwnCode(self._plan, slot, provider, here):
            return provider.target(*arguments, **given, **explicit)

    async def _call(self, slot: Slot[Any], provider: Provider[Any], is_async: bool) -> Any:
        """Ask an engine provider that somebody bound; what is still to come is awaited, and never handed on."""
        value = provider()
        if _is_to_come(value):
            if not is_async:
                if inspect.iscoroutine(value):
                    value.close()
                raise NeedsAsyncOpen(slot.name)
            value = await value
        if not isinstance(provider, Object):
            check_fit(slot, value)
        return value

    async def _construct(
        self,
        cell: Cell,
        keeper: Keeper,
        provider: ObjectProvider,
        arguments: tuple[Any, ...],
        given: dict[str, Any],
        here: Way,
    ) -> Any:
        made_by = provider.target
        target = getattr(made_by, "__injected__", made_by)
        with _OwnCode(self._plan, cell.slot, provider, here):
            is_class = isinstance(target, type)  # most often, and it takes time to find out what a function is
            if not is_class and inspect.isasyncgenfunction(target):
                agen = target(*arguments, **given)
                built = await anext(agen)
                await hold(keeper, cell, aends(agen))
            elif not is_class and inspect.isgeneratorfunction(target):
                gen = target(*arguments, **given)
                built = next(gen)
                await hold(keeper, cell, ends(gen))
            else:
                built = target(*arguments, **given)
                if _is_to_come(built):
                    built = await built
                if is_managed(built):
                    built = await entered(built, target, keeper, cell)
        if provider.opens:
            await keeper.open(cell, built, arguments[0] if arguments else None)
        return built

    def _run(self, steps: Coroutine[Any, Any, Any], cell: Cell, here: Way) -> Any:
        """Run a coroutine to its end without an event loop; one that has to wait is refused."""
        try:
            steps.send(None)
        except StopIteration as done:
            return done.value
        steps.close()
        name = cell.slot.name
        raise NeedsAsyncOpen(
            name,
            path=here.nodes(),
            fixes=(f'open it at the start: app.slot("{name}", eager=True)', "make the caller async"),
        )


class _OwnCode(active.within):
    """Runs code of the application for the time of a build: what it raises is named and chained."""

    __slots__ = ("_here", "_made_by", "_slot")

    def __init__(self, plan: Plan, slot: Slot[Any], made_by: object, here: Way) -> None:
        super().__init__(plan)
        self._slot, self._made_by, self._here = slot, made_by, here

    def __exit__(self, *raised: object) -> None:
        super().__exit__()
        error = raised[1]
        if isinstance(error, Exception) and not isinstance(error, OneiricError):
            raise BuildFailed(self._slot.name, str(self._made_by), error, path=self._here.nodes()) from error


def _is_to_come(value: object) -> bool:
    """Tell whether a value is still to be awaited; an object of its own that can be awaited as well is a value."""
    return inspect.iscoroutine(value) or asyncio.isfuture(value)
