"""Child applications: for a tenant, a plugin or a test, above an application that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

from oneiric.containers import active, scopes
from oneiric.containers.child import nothing_named
from oneiric.containers.closing import carried_out, running_loop
from oneiric.containers.explain import Explainer
from oneiric.containers.explanation import Explanation
from oneiric.containers.graph import Graph, draw
from oneiric.containers.index import Index
from oneiric.containers.inheriting import Inheriting
from oneiric.containers.layers import LayerContainer, Override
from oneiric.containers.leases import LinkedLease
from oneiric.containers.secret_uses import built_from
from oneiric.containers.sections import Sections
from oneiric.containers.selection import Selection
from oneiric.containers.slots import Slots
from oneiric.core.health import Health
from oneiric.core.origins import OverrideOrigin, caller
from oneiric.providers.slot import Cell, Slot
from oneiric.runtime.lifecycle import Lifecycle
from oneiric.runtime.swap import LOOK_S, Limits


class ChildSlot:
    """A slot as a child application sees it: `child.adapters.cache()` returns the child's object."""

    def __init__(self, child: ChildApplication, slot: Slot[Any]) -> None:
        self._child, self._slot = child, slot

    @property
    def name(self) -> str:
        """The slot's name."""
        return self._slot.name

    def __call__(self) -> Any:
        """Return the object that fills the slot here; it is built on the first call."""
        return self._child.wiring.build(self._slot)

    def override(self, value: object) -> Override:
        """Bind something to the slot for this child alone. Raises WrongType if it does not fit."""
        return self._child.override({self._slot: value})

    def __getattr__(self, name: str) -> ChildSlot:
        below = getattr(self._slot, name)
        if not isinstance(below, Slot):
            raise AttributeError(name)
        return ChildSlot(self._child, below)

    def __repr__(self) -> str:
        return f"<slot {self.name} of {self._child.name}>"


class ChildSlots:
    """One child container of a child application, such as `child.adapters`, made on first access."""

    def __init__(self, child: ChildApplication, name: str) -> None:
        self._child, self._name = child, name

    def __getattr__(self, name: str) -> ChildSlot:
        slots = self._child.slots.of_child(self._name)
        if name not in slots:
            raise AttributeError(nothing_named(name, self._name, slots))
        return ChildSlot(self._child, slots[name])


class ChildApplication:
    """
    An application that inherits every slot of its parent, and fills some otherwise.

    It shares all objects that do not depend on what it fills otherwise, owns the others, and has scopes of its own.
    Stopping it closes its own objects alone; stopping the parent stops it first.

    Args:
        name: Its name; with those of its parents it stands in messages: `shop/tenant-a`.
        parent: An application, or a child of one.
        layers: What it says itself.
    """

    def __init__(self, name: str, parent: Any, layers: Sequence[LayerContainer]) -> None:
        self.parent = parent
        self.name = f"{parent.name}/{name}"
        self.slots: Slots = parent.slots  # what is declared there
        self.wiring = Inheriting(self.name, parent.wiring, layers, self._discard)
        self.lifecycle = Lifecycle(self.wiring)
        self.wiring.opener = self.lifecycle
        self.limits: Limits = parent.limits if isinstance(parent, ChildApplication) else parent.swaps
        self.state = "started"
        self.children: set[ChildApplication] = set()
        self._containers: dict[str, ChildSlots] = {}
        self._draining: set[asyncio.Task[None]] = set()
        self._wait = asyncio.sleep

    @property
    def sites(self) -> Mapping[Any, tuple[Any, ...]]:
        """What injected functions read while they belong to it."""
        return self.wiring.sites

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads."""
        return self.wiring.bind(site)

    def enter(self, site: Any, given: tuple[Any, ...]) -> Any:
        """Return the slow path of one injected call."""
        return self.wiring.enter(site, given)

    @property
    def adapters(self) -> ChildSlots:
        """Its adapters: `child.adapters.cache()`."""
        return self._container("adapters")

    @property
    def services(self) -> ChildSlots:
        """Its application objects: `child.services.pricing()`."""
        return self._container("services")

    def _container(self, name: str) -> ChildSlots:
        return self._containers.setdefault(name, ChildSlots(self, name))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call an injected function for this child; of an asynchronous one the result is to be awaited."""
        return active.belonging(function, self)(*args, **kwargs)

    def scope(self, kind: str) -> scopes.Scoped:
        """Open a `request` or `task` scope of its own by hand."""
        return scopes.Scoped(kind, self.wiring)

    def override(self, overriding: LayerContainer | Mapping[Any, object]) -> Override:
        """
        Apply a layer, or bind objects, for this child and its children alone; ends as an override of an application.

        Raises:
            UnknownSlot: It names a slot that is not declared; nothing is applied.
            WrongType: It binds something that does not fit; nothing is applied.
        """
        if isinstance(overriding, LayerContainer):
            layer = overriding
        else:
            layer = LayerContainer("explicit", overriding, origin=OverrideOrigin(caller(1)))
        self.wiring.stack.check(layer)
        self._discard(self.wiring.say([*self.wiring.said, layer]), self.wiring.renew_lease())
        self.wiring.forget()
        return Override(self, layer, overriding)

    def drop(self, layer: LayerContainer) -> None:
        """Take one of its own layers away; any other one is ignored."""
        if layer in self.wiring.said:
            rest = [one for one in self.wiring.said if one is not layer]
            self._discard(self.wiring.say(rest), self.wiring.renew_lease())
            self.wiring.forget()

    def renew(self, outdated: Collection[str]) -> None:
        """Let objects of its own, and of its children, that have outdated secrets be built anew on their next use."""
        if slots := built_from(outdated, self.wiring):
            self._discard(self.wiring.look_again(slots), self.wiring.renew_lease(), is_waited_for=True)
            self.wiring.forget()
        for child in list(self.children):
            child.renew(outdated)

    def child(self, name: str, overrides: Any = None) -> ChildApplication:
        """Return a child of this child; see `Application.child`."""
        return make_child(name, self, overrides)

    def parents(self) -> list[str]:
        """Return the names of the applications it inherits from, the nearest first."""
        above = self.parent
        return [above.name, *(above.parents() if hasattr(above, "parents") else [])]

    @property
    def sections(self) -> Sections:
        """The sections of the configuration: those of the parent."""
        found: Sections = self.parent.sections
        return found

    @property
    def running(self) -> int | None:
        """The generation in force; that of the application above."""
        found: int | None = self.parent.running
        return found

    @property
    def index(self) -> Index:
        """The records of the state that this child sees."""
        return Index(self.wiring)

    def elsewhere(self) -> Mapping[str, Selection]:
        """Return nothing: what would be under another profile is a question to the application above."""
        return {}

    def explain(self, name: str) -> Explanation:
        """
        Say who fills a slot, or what a setting is, as this child sees it.

        Raises:
            UnknownSlot: It is neither a slot nor a key.
        """
        return Explainer(self).explain(name)

    def graph(self) -> Graph:
        """Return the graph as this child sees it."""
        return draw(self)

    async def health(self) -> dict[str, Health]:
        """Ask every adapter of its own for its health; by slot name, sorted."""
        return await self.lifecycle.health()

    def _discard(self, cells: list[Cell], leases: Sequence[LinkedLease], *, is_waited_for: bool = False) -> None:
        """
        Close what nobody reads any more, as soon as no call that holds one of the leases works with it.

        Args:
            cells: The cells, built or not.
            leases: What calls under way hold.
            is_waited_for: Calls wait for it that hold none of the leases yet.
        """
        built = [cell for cell in cells if cell.is_built]
        now = self.wiring.stack.lease
        is_swap = any(lease.root is not now for lease in leases)  # which gives what it replaces a while in any case
        grace_s = max(self.limits.drain_grace_s, LOOK_S) if is_waited_for else self.limits.drain_grace_s * is_swap
        if not (is_swap or is_waited_for or any(lease.count for lease in leases)) or running_loop() is None:
            self.lifecycle.discard(built)
            return
        if not built:
            return
        for lease in leases:
            lease.above.count += 1  # what it was built from is closed after it
        task = asyncio.ensure_future(self._drain(built, leases, grace_s))
        self._draining.add(task)
        task.add_done_callback(partial(self._drained, leases))

    def _drained(self, leases: Sequence[LinkedLease], task: asyncio.Task[None]) -> None:
        self._draining.discard(task)
        for lease in leases:
            lease.above.count -= 1

    async def _drain(self, cells: Sequence[Cell], leases: Sequence[LinkedLease], grace_s: float) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self.limits.drain_timeout_s
        await self._wait(grace_s)
        while any(lease.count for lease in leases) and loop.time() < end_s:
            await self._wait(LOOK_S)
        self._draining -= {asyncio.current_task()}  # from here on nobody ends it
        await self.lifecycle.close(cells)

    async def settled(self) -> None:
        """Wait until what a change made superfluous is closed."""
        while self._draining:
            await asyncio.wait(set(self._draining))
        await self.lifecycle.settled()

    async def stop(self) -> None:
        """
        Close its own objects, those of its children first; a second call does nothing.

        Raises:
            ExceptionGroup: Some objects failed to close; all others are closed.
        """
        if self.state != "started":
            return
        self.state = "stopped"
        for task in list(self._draining):
            task.cancel()  # all that is open is closed below
        if failures := await carried_out(self._stop()):
            raise ExceptionGroup(f"application {self.name} failed to close everything", failures)

    async def _stop(self) -> list[Exception]:
        failures: list[Exception] = []
        try:
            failures += await stop_all(self.children)
        finally:  # also where the event loop ends meanwhile
            failures += await self.lifecycle.stop()
            self.parent.children.discard(self)
            self.wiring.under.hide(self.wiring)
        return failures

    async def __aenter__(self) -> ChildApplication:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<child application {self.name}>"


def make_child(name: str, parent: Any, overrides: Any) -> ChildApplication:
    """
    Return a child of an application.

    Args:
        name: Its name.
        parent: The application, or a child.
        overrides: A map from slot names or types to what shall fill them, a layer, or several layers.

    Raises:
        UnknownSlot: A slot that is not declared.
        WrongType: Something that does not fit its slot.
    """
    if overrides is None:
        layers: Sequence[LayerContainer] = ()
    elif isinstance(overrides, LayerContainer):
        layers = (overrides,)
    elif isinstance(overrides, Mapping):
        layers = (LayerContainer("explicit", overrides, origin=OverrideOrigin(f"child {name}")),)
    else:
        layers = tuple(overrides)
    for layer in layers:
        parent.wiring.stack.check(layer)
    child = ChildApplication(name, parent, layers)
    parent.children.add(child)
    return child


async def stop_all(children: set[ChildApplication]) -> list[Exception]:
    """Stop children, side by side; returns what failed."""
    results = await asyncio.gather(*(child.stop() for child in list(children)), return_exceptions=True)
    return [result for result in results if isinstance(result, Exception)]
