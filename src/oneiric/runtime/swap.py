"""
Hot swap: a change of a running application, made as one transaction or not at all.

The next objects are built, opened and asked for their health beside those that serve. Then one step makes them seen,
for all slots at once; the old ones are closed when nobody works with them any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from oneiric.containers.beside import Beside
from oneiric.containers.exchange import exchange
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer, says_the_same
from oneiric.containers.leases import Lease
from oneiric.containers.sections import Sections
from oneiric.containers.stack import Stack
from oneiric.containers.validation import added
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import OneiricError, SwapFailed, Unhealthy
from oneiric.core.log import log
from oneiric.providers.slot import Cell, Slot
from oneiric.runtime.generations import NOBODY, Generation, Generations, SlotChange, changes
from oneiric.runtime.lifecycle import Lifecycle, health_of
from oneiric.runtime.swap_events import Recorder, SwapEvent, SwapStep

Tell = Callable[[SwapStep, Iterable[str]], None]
BUILD_TIMEOUT_S, DRAIN_GRACE_S, DRAIN_TIMEOUT_S = 30.0, 2.0, 30.0  # until section `swap` is read
LOOK_S = 0.02  # between two looks at the leases
_LOGGED = {"failed": "WARNING", "flipped": "INFO"}  # what is opened and closed between has lines of its own


class Change(NamedTuple):
    """
    What is to become of the layers.

    Attributes:
        drop: The layers to take away.
        put: The layers to apply, in that order.
        cause: Why, for records.
        eager: Build changed slots although nobody has used them yet, so that the change is proved.
        anew: Slots to build again although the layers say the same, each with the keys of settings that differ.
    """

    drop: Sequence[LayerContainer] = ()
    put: Sequence[LayerContainer] = ()
    cause: str = "swap"
    eager: bool = False
    anew: Mapping[Slot[Any], tuple[str, ...]] = MappingProxyType({})


class Swapped(NamedTuple):
    """
    What a swap came to.

    Attributes:
        generation: The generation in force; the same as before where nothing changed.
        slots: The slots that are filled otherwise.
        rebuilt: The slots whose objects were built anew, in that order.
    """

    generation: int
    slots: tuple[SlotChange, ...]
    rebuilt: tuple[str, ...]
    is_same: bool = False  # nothing was to be changed

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "generation": self.generation,
            "slots": [one.fields() for one in self.slots],
            "rebuilt": list(self.rebuilt),
        }


class Swappable(Protocol):
    """What a swap asks of an application."""

    name: str
    stack: Stack
    wiring: Wiring
    lifecycle: Lifecycle
    generation: int | None
    sections: Sections

    @property
    def index(self) -> Index:
        """The records of the state in force."""

    def begin(self, index: Index | None) -> None:
        """Take over the index of a state that has just begun, where it was made already."""

    def advance(self, cause: str) -> Generation:
        """Begin the next generation with the layers as they are."""

    def faults(self) -> tuple[list[OneiricError], list[OneiricError]]:
        """Return every fault and every warning of the state in force."""


class Limits(Protocol):
    """Section `swap`, whose model an application that never swaps need not import."""

    @property
    def build_timeout_s(self) -> float:
        """Seconds that building and opening all new objects may take."""

    @property
    def drain_grace_s(self) -> float:
        """Seconds in which old objects stay open in any case."""

    @property
    def drain_timeout_s(self) -> float:
        """Seconds to wait for calls that work with old objects."""


class Swaps:
    """
    Makes changes of one running application, one after the other.

    Args:
        application: What is changed.
        generations: Its generations.
        recorders: Who is told of each step.
        wait: Waits a number of seconds.
    """

    def __init__(
        self,
        application: Swappable,
        generations: Generations,
        recorders: list[Recorder],
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app, self._generations, self.recorders, self._wait = application, generations, recorders, wait
        self._draining: set[asyncio.Task[None]] = set()  # these wait for calls that work with old objects
        self._closing: set[asyncio.Task[None]] = set()
        self._leases: list[Lease] = [application.stack.lease]
        self.build_timeout_s, self.drain_grace_s, self.drain_timeout_s = BUILD_TIMEOUT_S, DRAIN_GRACE_S, DRAIN_TIMEOUT_S

    def use(self, settings: Limits) -> None:
        """Take the limits of section `swap`."""
        self.build_timeout_s, self.drain_grace_s = settings.build_timeout_s, settings.drain_grace_s
        self.drain_timeout_s = settings.drain_timeout_s

    def plan(self, change: Change) -> tuple[Beside, tuple[SlotChange, ...]]:
        """Return what a change would come to: the state beside, of which nothing is built, and what differs."""
        stack = self._app.stack
        with stack.lock:
            after = stack.selection_in(stack.profile, stack.layers_after(change.drop, change.put), stack.selection)
            layers = [*change.drop, *change.put]
            beside = Beside(self._app.wiring, after, layers, eager=change.eager, anew=change.anew)
            told = sorted(dict.fromkeys(beside.changed), key=lambda slot: slot.name)
            return beside, tuple(changes(told, self._app.wiring, beside, change.anew))

    async def make(self, change: Change) -> Swapped:
        """
        Make a change, or change nothing.

        Raises:
            SwapFailed: The next state has faults, or an object of it could not be built, opened or proved healthy. What
                was built is closed again, and what served serves on.
        """
        transaction = _Transaction(self, change)
        return await transaction.run()

    def refuse(self, error: OneiricError, cause: str) -> None:
        """Tell that a change was not made, unless its slots were told of already."""
        if not isinstance(error, SwapFailed) or not error.slots:
            causes = error.causes if isinstance(error, SwapFailed) else (error,)
            code = getattr(causes[0], "code", error.code)
            self.tell(SwapEvent("failed", self._app.generation or 0, "", None, None, None, None, 0.0, code, cause))

    def tell(self, event: SwapEvent, *, is_logged: bool = True) -> None:
        """Tell everybody of one step."""
        if is_logged and (level := _LOGGED.get(event.step)) is not None:
            fields = {name: value for name, value in event.fields().items() if name != "step"}
            log().log(level, f"swap {event.step}", **fields)
        for recorder in self.recorders:
            recorder.record(event)

    def drain(self, old: Sequence[Cell], tell: Tell) -> None:
        """Close old objects when nobody holds their generation any more; the stop of the application does so too."""
        held = [*self._leases]
        self._leases.append(self._app.stack.lease)
        if old:
            task = asyncio.ensure_future(self._drain(old, held, tell))
            self._draining.add(task)
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._draining.discard(task)
        self._closing.discard(task)

    async def _drain(self, old: Sequence[Cell], held: Sequence[Lease], tell: Tell) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._wait(self.drain_grace_s)
        while any(lease.count for lease in held) and loop.time() - began < self.drain_timeout_s:
            await self._wait(LOOK_S)
        left = sum(lease.count for lease in held)
        if left:
            log().warning("a swap does not wait any longer for calls of before", calls=left)
        self._leases = [lease for lease in self._leases if lease not in held or lease.count]
        task = asyncio.current_task()
        assert task is not None
        self._draining.discard(task)  # from here on nobody ends it
        self._closing.add(task)
        names = [cell.slot.name for cell in old]
        tell("drained", names)
        await self._app.lifecycle.close(old)
        tell("closed", names)

    async def end(self) -> None:
        """Wait for no call any more: the application stops, and closes all that is open."""
        for task in list(self._draining):
            task.cancel()
        if self._draining:
            await asyncio.wait(self._draining)

    async def drained(self) -> None:
        """Wait until all that was replaced is closed."""
        while at_work := self._draining | self._closing:
            await asyncio.wait(at_work)


class _Transaction:
    """One change, from the plan to the flip."""

    def __init__(self, swaps: Swaps, change: Change) -> None:
        self._swaps, self._change = swaps, change
        self._app = swaps._app
        self._began = time.perf_counter()
        self._slots: dict[str, SlotChange] = {}
        self._number = (self._app.generation or 0) + 1

    async def run(self) -> Swapped:
        beside, differing = self._swaps.plan(self._change)
        self._slots = {one.slot: one for one in differing}
        if not differing and says_the_same(self._change.drop, self._change.put):
            return Swapped(self._number - 1, (), (), is_same=True)
        self._tell("planned", self._slots)
        if faults := self._new_faults(beside):
            raise self._failed("plan", faults, list(self._slots))
        await self._build(beside)
        rebuilt = [slot.name for slot in beside.made]
        with self._app.stack.lock:
            done = exchange(self._app.stack, self._change.drop, self._change.put, beside.made, beside.planned)
            if done.is_as_planned:
                self._app.begin(beside.index_in_force())
        generation = self._app.advance(self._change.cause)
        self._tell("flipped", dict.fromkeys([*self._slots, *rebuilt]))
        self._swaps.drain(done.old, self._tell)
        return Swapped(generation.number, differing, tuple(rebuilt))

    def _new_faults(self, beside: Beside) -> list[OneiricError]:
        """Return the faults that only the next state has; the one in force may lack a secret that is gone."""
        found = list(beside.faults(self._app.sections, self._app.index))
        return added(found, self._app.faults()[0]) if found else []

    async def _build(self, beside: Beside) -> None:
        """Build, open and ask everything that will be another object."""
        step = "build"
        try:
            async with asyncio.timeout(self._swaps.build_timeout_s):
                for slot in beside.rebuilt:
                    await beside.make(slot)
                    self._tell("built", [slot.name])
            step = "health"
            asked = self._app.lifecycle.asked(beside.made.values())
            for slot, cell in beside.made.items():
                health = await health_of(asked[cell]) if cell in asked else None
                if health is not None and not health.ok:
                    raise Unhealthy(slot.name, health.detail)
                self._tell("healthy", [slot.name])
        except BaseException as error:  # cleans up, and raises it again or says what became of the swap
            await self._discard(beside)
            if not isinstance(error, Exception):
                raise
            raise self._failed(step, [error], [slot.name for slot in beside.rebuilt]) from error

    async def _discard(self, beside: Beside) -> None:
        self._app.lifecycle.discard([*reversed(beside.made.values())])
        await self._app.lifecycle.settled()

    def _failed(self, step: str, causes: Sequence[BaseException], slots: Iterable[str]) -> SwapFailed:
        error = SwapFailed(step, causes, slots=tuple(slots))
        first = causes[0]
        code = first.code if isinstance(first, OneiricError) else type(first).__name__
        self._tell("failed", dict.fromkeys([*self._slots, *error.slots]), code)
        return error

    def _tell(self, step: SwapStep, slots: Iterable[str], error: str | None = None) -> None:
        """Tell of one step of some slots; those that are only built again, since others change, the log leaves out."""
        if not self._swaps.recorders:
            slots = self._slots if step in _LOGGED else ()
        number = self._number - 1 if step == "failed" else self._number
        for slot in slots:
            change = self._slots.get(slot)
            before, after = (change.before.winner, change.after) if change is not None else (None, NOBODY)
            seconds = round(time.perf_counter() - self._began, 4)
            event = SwapEvent(step, number, slot, before, *after, seconds, error, self._change.cause)
            self._swaps.tell(event, is_logged=change is not None)
