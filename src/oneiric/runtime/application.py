"""The application: a container that reads its configuration, starts, serves and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal

from oneiric.containers import active
from oneiric.containers.child import ChildContainer
from oneiric.containers.closing import carried_out
from oneiric.containers.layers import LayerContainer
from oneiric.containers.secret_uses import built_from
from oneiric.containers.selection import SECRETS
from oneiric.containers.validation import settings_in_use
from oneiric.containers.wiring import ROUNDS
from oneiric.core.errors import InvalidApplication, NotRunning, OneiricError, StartFailed
from oneiric.core.health import Health
from oneiric.core.origins import Origin, OverrideOrigin, caller
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Slot
from oneiric.runtime.child import ChildApplication, make_child, stop_all
from oneiric.runtime.configuration import Inputs, changed_layers
from oneiric.runtime.configured import ConfiguredContainer
from oneiric.runtime.events import EventsContainer
from oneiric.runtime.generations import Generation, Generations, SlotChange
from oneiric.runtime.lifecycle import Lifecycle
from oneiric.runtime.rotation import Refresher, Rotation, reread, rotate
from oneiric.runtime.swap import Change, Swapped, Swaps
from oneiric.runtime.swap_events import Recorder

State = Literal["new", "starting", "started", "stopping", "stopped"]


class Application(ConfiguredContainer):
    """
    A container with a life.

    Making one opens nothing, reads nothing and imports no SDK. Files and environment are read once, by `configure` or
    on the first question or use.

    Args:
        name: Its name; it is the source of its events and stands in logs.
        profile: The profile to run in; without it `ONEIRIC_PROFILE`, then the file, then `default` decide.
        layers: Layers to apply besides those of the configuration; `check` reports their faults.
        catalog: Which adapters there are.
        inputs: Where the configuration comes from; the process's own environment and folder by default.
    """

    def __init__(
        self,
        name: str,
        *,
        profile: str | None = None,
        layers: Iterable[LayerContainer] = (),
        catalog: Catalog | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        super().__init__(name, profile=profile, layers=layers, catalog=catalog, inputs=inputs)
        self.state: State = "new"
        self.generation: int | None = None
        self._refresher = Refresher(self)
        self.lifecycle = Lifecycle(self.wiring)
        self.wiring.opener = self.lifecycle
        self.stack.discard = self.lifecycle.discard
        self.outdated: set[str] = set()  # secrets with a version that is not in what was built
        self._busy: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self.recorders: list[Recorder] = []
        self.generations = Generations(self.stack)
        self.swaps = Swaps(self, self.generations, self.recorders)
        self._swapped: LayerContainer | None = None
        self.children: set[ChildApplication] = set()
        self.declare_section("app", "oneiric.runtime.settings:AppSettings")
        self.declare_section("swap", "oneiric.runtime.settings:SwapSettings")

    def _make_child(self, name: str, parts: Mapping[str, Slot[Any]]) -> ChildContainer:
        return EventsContainer(parts, self) if name == "events" else super()._make_child(name, parts)

    @property
    def running(self) -> int | None:
        """The generation in force; None where the application does not run."""
        return self.generation if self.state == "started" else None

    async def start(self) -> Application:
        """
        Validate, then build and open what is eager or what a registered function needs; the rest opens on first use.

        Raises:
            InvalidApplication: The application has faults; nothing was opened.
            StartFailed: Something could not be opened; whatever was open is closed again.
        """
        async with self._transition():
            if self.state == "started":
                return self
            self.secrets.forget_failures()  # the store may be there again
            self.outdated.clear()  # nothing is built yet that could be
            faults, _ = self.faults()
            if faults:
                raise InvalidApplication(self.name, faults)
            self.state = "starting"
            active.started(self)
            try:
                async with asyncio.timeout(self.section("app").start_timeout_s):
                    await self._fetch_secrets()
                    await self.lifecycle.start(self.index, self._wanted())
            except BaseException as error:
                self._end("stopped")
                if isinstance(error, TimeoutError):
                    raise StartFailed("the application", error, await self.lifecycle.stop()) from error
                raise
            self.state = "started"
            self.swaps.use(self.section("swap"))
            self.advance("start")
            if self.profile.background:
                self._refresher.start()
        return self

    async def renewed(self) -> int | None:
        """
        Build anew what outdated secrets are in, as a new generation, where the application runs.

        Returns:
            The number of the generation in force; None before the first.

        Raises:
            SwapFailed: Something cannot be built with the new values; the old objects serve on.
        """
        if self.outdated and self.state == "started":
            async with self._transition():
                await self._renew()
        return self.generation

    async def _renew(self) -> None:
        if not self.outdated or self.state != "started":
            return
        if anew := built_from(self.outdated, self.wiring):
            await self.swaps.make(Change(cause="secrets", anew=anew))
        else:
            self.advance("secrets")
        self._outdated_in_children()

    def _outdated_in_children(self) -> None:
        """Let children build anew what has outdated secrets; in what this application built there are none any more."""
        for child in list(self.children):
            child.renew(self.outdated)
        self.outdated.clear()

    def advance(self, cause: str) -> Generation:
        """Begin the next generation with the layers as they are."""
        self.generation = (self.generation or 0) + 1
        self.stack.lease.generation = self.generation
        return self.generations.begin(self.generation, cause)

    async def swap(
        self,
        overriding: Mapping[Any, object] | LayerContainer,
        *,
        drop: Iterable[LayerContainer] = (),
        origin: Origin | None = None,
    ) -> Swapped:
        """
        Fill slots otherwise while the application serves: built beside, opened, proved healthy, and then shown at once.

        The old objects are closed when no call works with them any more. A later swap of the same slot replaces this
        one; `rollback` goes back.

        Args:
            overriding: A map from slot names or types to adapters by name, objects, adapter classes or providers; or a
                layer, which is applied as it is.
            drop: Layers to take away in the same change.
            origin: Where it was asked for; the line of the call by default.

        Raises:
            NotRunning: The application does not serve.
            UnknownSlot: It names a slot that is not declared.
            WrongType: It binds something that does not fit.
            SwapFailed: The change could not be made; nothing has changed.
        """
        if isinstance(overriding, LayerContainer):
            async with self._transition():
                self._require_started("a swap")
                self._given(overriding)
                return await self.swaps.make(Change([*drop], [overriding], eager=True))
        layer = LayerContainer("explicit", overriding, origin=origin or OverrideOrigin(caller(1)))
        async with self._transition():
            self._require_started("a swap")
            before = self._swapped if self._swapped in self.stack.applied else None
            given = {slot.name: binding.said for slot, binding in self._given(layer).items()}
            layer.bindings = {**(before.bindings if before is not None else {}), **given}
            gone = [*drop, *([before] if before is not None else [])]
            swapped = await self.swaps.make(Change(gone, [layer], eager=True))
            if layer in self.stack.applied:
                self._swapped = layer
            return swapped

    async def rollback(self, generation: int) -> Swapped:
        """
        Go back to the layers of an earlier generation, by a swap that makes a new one.

        Raises:
            NotRunning: The application does not serve.
            UnknownGeneration: There is none of that number, or it is not kept any more.
            SwapFailed: It could not be made; nothing has changed.
        """
        target = self.generations.at(generation)
        async with self._transition():
            self._require_started("a rollback")
            now = self.stack.layers
            drop = [layer for layer in now if layer not in target.layers]
            put = [layer for layer in target.layers if layer not in now]
            swapped = await self.swaps.make(Change(drop, put, f"rollback to {generation}"))
            self._configured_layers = [layer for layer in self.stack.layers if layer in self._read]
            return swapped

    async def reload(self, inputs: Inputs | None = None, *, secrets: Iterable[str] = ()) -> Swapped:
        """
        Read the configuration again, and make what differs one swap.

        The profile stays as it is, and so do the layers that code has applied. A file that is gone, or empty, counts as
        one that somebody is about to write.

        Args:
            inputs: Where the configuration comes from; the same places as before by default.
            secrets: Secrets to read again in the same breath.

        Raises:
            NotRunning: The application does not serve.
            Refused: The configuration cannot be; nothing has changed.
            SecretUnavailable: The store did not answer; nothing has changed.
            SwapFailed: It could not be made; nothing has changed.
        """
        async with self._transition():
            self._require_started("a reload")
            try:
                return await self._reload(inputs or self._inputs, list(secrets))
            except OneiricError as error:
                self.swaps.refuse(error, "reload")
                raise

    async def _reload(self, inputs: Inputs, secrets: list[str]) -> Swapped:
        if secrets:
            await reread(self, secrets)
        configuration = self.read(inputs)
        come = configuration.succeed(self.configure())
        go, come = changed_layers(self._configured_layers, come)
        swapped = await self.swaps.make(Change(go, come, "reload", anew=built_from(self.outdated, self.wiring)))
        self._outdated_in_children()
        self._configured_layers = [*(layer for layer in self._configured_layers if layer not in go), *come]
        self._read.update(come)
        self._configuration, self._inputs = configuration, inputs
        self.swaps.use(self.section("swap"))
        if any(one.slot == SECRETS for one in swapped.slots):
            self.outdated |= {name for name, _ in self.secrets.cache.held()}
            self.secrets.invalidate()  # another store, or another place of it, has other values
            await reread(self)
            await self._renew()
        return swapped

    def child(
        self, name: str, overrides: Mapping[Any, object] | LayerContainer | Iterable[LayerContainer] | None = None
    ) -> ChildApplication:
        """
        Return a child application, for a tenant, a plugin or a test: `async with app.child("a", {"cache": fake}): ...`.

        It inherits every slot, and shares every object that does not depend on what it fills otherwise. Nothing is
        built before it is used.

        Args:
            name: Its name.
            overrides: What it fills otherwise: a map from slot names or types, a layer, or several layers.

        Raises:
            UnknownSlot: A slot that is not declared.
            WrongType: Something that does not fit its slot.
        """
        self.configure()
        return make_child(name, self, overrides)

    def diff(self, before: int, after: int) -> tuple[SlotChange, ...]:
        """Return the slots that two generations fill otherwise. Raises UnknownGeneration."""
        return self.generations.diff(before, after)

    def _require_started(self, what: str) -> None:
        """Make sure that the application serves, where a change is to be made. Raises NotRunning."""
        if self.state != "started":
            raise NotRunning(self.name, what)

    async def rotate_secrets(self, names: Iterable[str] | None = None) -> Rotation:
        """
        Read secrets again now, and build anew what has an old value, as one swap.

        Args:
            names: The secrets; all that were read by default.

        Raises:
            SecretUnavailable: The store did not answer; the old values serve on.
            SwapFailed: Something cannot be built with the new values; the old objects serve on.
        """
        return await rotate(self, names)

    async def _fetch_secrets(self) -> None:
        """Fetch every secret that settings in use need, in one batch; a missing one may lead to another."""
        is_asked = False
        for _ in range(ROUNDS):
            values = [value for _, _, values in settings_in_use(self) for value in values]
            if not (wanted := [one for value in values for one in value.wanted]):
                break
            is_asked = True
            await self.secrets.fetch(wanted)
        faults, _ = self.faults() if is_asked else ([], [])
        if faults:
            failures = await self.lifecycle.stop()
            raise StartFailed("the secrets", InvalidApplication(self.name, faults), failures)

    def _wanted(self) -> list[Slot[Any]]:
        """Return what a start opens: what registered functions need and what is eager, in the order of declaration."""
        roots = [record for record in self.index.records.values() if record.slot.kind not in {"adapter", "object"}]
        needed = self.index.opened_by(roots)
        return [slot for slot in self.slots.by_name.values() if slot in needed or slot.eager]

    async def stop(self) -> None:
        """
        Close everything in reverse order of opening; a second call does nothing, and a start under way is awaited.

        Who is cancelled meanwhile is so when everything is closed; who is cancelled again goes at once, and the closing
        goes on.

        Raises:
            ExceptionGroup: Some objects failed to close; all others are closed.
        """
        lock = self._transition()
        await lock.acquire()
        if failures := await carried_out(self._stop(lock)):
            raise ExceptionGroup(f"application {self.name} failed to close everything", failures)

    async def _stop(self, lock: asyncio.Lock) -> list[Exception]:
        """Close everything, and let go of the lock, which the caller may have left before that."""
        try:
            is_idle = self.state in {"new", "stopped"} and not self.lifecycle.open_slots
            return [] if is_idle else await self._close()
        finally:
            lock.release()

    async def _close(self) -> list[Exception]:
        failures: list[Exception] = []
        self.state = "stopping"
        try:
            await self._refresher.stop()
            await self.swaps.end()
            failures += await stop_all(self.children)
        finally:  # also where the event loop ends meanwhile
            try:
                failures += await self.lifecycle.stop()
            finally:
                self._end("stopped")
        return failures

    def _transition(self) -> asyncio.Lock:
        """Return the lock that lets one start, stop or change run at a time, in the running loop."""
        running = asyncio.get_running_loop()
        if self._busy is None or self._busy[0] is not running:
            is_left_open = bool(self.lifecycle.open_slots)
            self.lifecycle.enter_loop()
            if is_left_open:
                self._end("stopped")  # the other loop is gone: its objects are of no use, the next start makes new ones
            self._busy = (running, asyncio.Lock())
        return self._busy[1]

    def _end(self, state: State) -> None:
        """Note that it does not serve; the objects are closed already, or given up."""
        active.stopped(self)
        self.state = state

    async def __aenter__(self) -> Application:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def settled(self) -> None:
        """Wait until what a change made superfluous is closed."""
        await self.lifecycle.settled()

    async def health(self) -> dict[str, Health]:
        """Ask every open adapter for its health, all at once; by slot name, sorted."""
        return await self.lifecycle.health()
