"""The application: a container that reads its configuration, starts, serves and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

from oneiric.containers import active
from oneiric.containers.child import ChildContainer
from oneiric.containers.container import Container
from oneiric.containers.explanation import Explanation
from oneiric.containers.graph import Graph
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer
from oneiric.containers.validation import settings_in_use
from oneiric.containers.wiring import ROUNDS, Entry
from oneiric.core.errors import InvalidApplication, OneiricError, StartFailed
from oneiric.core.health import Health
from oneiric.core.profiles import Profile
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Slot
from oneiric.runtime.configuration import Configuration, Inputs, read_configuration
from oneiric.runtime.events import EventsContainer
from oneiric.runtime.lifecycle import Lifecycle
from oneiric.runtime.rotation import Refresher, Rotation, rotate

PER_PROFILE = frozenset({"profile", "manifest"})  # layers that another profile may read elsewhere
State = Literal["new", "starting", "started", "stopping", "stopped"]


class Application(Container):
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
        super().__init__(name, layers=layers, catalog=catalog)
        self.state: State = "new"
        self.generation: int | None = None
        self._refresher = Refresher(self)
        self.lifecycle = Lifecycle(self.wiring)
        self.wiring.opener = self.lifecycle
        self.stack.discard = self.lifecycle.discard
        self._inputs = inputs or Inputs()
        self._profile_asked = profile
        self._configuration: Configuration | None = None
        self._configured_layers: list[LayerContainer] = []
        self._busy: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self.declare_section("app", "oneiric.runtime.settings:AppSettings")

    def configure(self, inputs: Inputs | None = None) -> Configuration:
        """
        Read the configuration and apply its layers; a second call without inputs does nothing.

        Args:
            inputs: Where it comes from; those of the constructor by default.

        Raises:
            Refused: The profile, a file or a variable cannot be; see `read_configuration`.
        """
        if self._configuration is not None and inputs is None:
            return self._configuration
        with self.stack.lock:  # else a second thread could drop layers that the first one builds from
            if self._configuration is None or inputs is not None:
                self._configure(inputs or self._inputs)
                self._inputs = inputs or self._inputs
            assert self._configuration is not None
            return self._configuration

    def unconfigure(self, inputs: Inputs) -> None:
        """Take the configuration away again: the next question or use reads it, from `inputs`."""
        with self.stack.lock:
            for layer in self._configured_layers:
                self.stack.drop(layer)
            self._configured_layers, self._configuration, self._inputs = [], None, inputs

    def read(self, inputs: Inputs | None = None) -> Configuration:
        """
        Read the configuration and apply nothing; where it names no profile, that of the application counts.

        Args:
            inputs: Where it comes from; those of the constructor by default.

        Raises:
            Refused: The profile, a file or a variable cannot be; see `read_configuration`.
        """
        asked = inputs or self._inputs
        if asked.profile is None and self._profile_asked is not None:
            asked = replace(asked, profile=self._profile_asked)
        return read_configuration(asked)

    def _configure(self, asked: Inputs) -> None:
        configuration = self.read(asked)
        configured = configuration.layers(configuration.profile)
        for layer in self._configured_layers:
            self.stack.drop(layer)
        self.stack.use_profile(configuration.profile)
        self._configured_layers = [self.stack.put(layer) for layer in configured]
        self._configuration = configuration  # last: whoever sees it does not wait for the lock

    def layers_in(self, profile: Profile) -> Iterable[LayerContainer]:
        """Return the layers as they would be under another profile: its own tables of the files apply."""
        if self._configuration is None:
            return self.overridden
        theirs = [one for one in self._configuration.layers(profile) if one.name in PER_PROFILE]
        own = [one for one in self._configured_layers if one.name in PER_PROFILE]
        above = next((n for n, layer in enumerate(self.overridden) if layer in own), len(self.overridden))
        kept = [
            [layer for layer in part if layer not in own] for part in (self.overridden[:above], self.overridden[above:])
        ]
        return [*kept[0], *theirs, *kept[1]]  # in their place among the layers that were applied by hand

    @property
    def applied(self) -> tuple[LayerContainer, ...]:
        """The layers that code has applied: all but those of a configuration, lowest first."""
        return tuple(layer for layer in self.overridden if layer not in self._configured_layers)

    @property
    def inputs(self) -> Inputs:
        """Where the configuration comes from."""
        return self._inputs

    def profiles(self) -> Mapping[str, Profile]:
        """Return every profile by name: those that are built in, and those that the files define."""
        defined = self.configure().defined
        return {**super().profiles(), **defined}

    def _make_child(self, name: str, parts: Mapping[str, Slot[Any]]) -> ChildContainer:
        return EventsContainer(parts, self) if name == "events" else super()._make_child(name, parts)

    @property
    def running(self) -> int | None:
        """The generation in force; None where the application does not run."""
        return self.generation if self.state == "started" else None

    @property
    def profile(self) -> Profile:
        """The profile in force."""
        self.configure()
        return super().profile

    @property
    def index(self) -> Index:
        """The records of the state in force."""
        self.configure()
        return super().index

    def faults(self, *, strict: bool = False) -> tuple[list[OneiricError], list[OneiricError]]:
        """Return every fault and every warning of the application in the profile in force."""
        self.configure()
        return super().faults(strict=strict)

    def explain(self, name: str) -> Explanation:
        """Say who fills a slot, or what value a setting has, from where, and why the others lost."""
        self.configure()
        return super().explain(name)

    def config(self) -> list[Explanation]:
        """Explain every setting in use, those of the adapters in use and of the sections; sorted by key."""
        self.configure()
        return super().config()

    def graph(self) -> Graph:
        """Return the graph of all slots and registered functions as data."""
        self.configure()
        return super().graph()

    def setting(self, key: str) -> Any:
        """Return the value of one setting, as its settings model makes it; a secret hides itself."""
        self.configure()
        return super().setting(key)

    def settings_of(self, name: str) -> Any:
        """Return the validated settings of who fills a slot; None where it has none."""
        self.configure()
        return super().settings_of(name)

    def section(self, name: str) -> Any:
        """Return the validated values of a declared section. Raises InvalidValue with key and origin."""
        self.configure()
        return super().section(name)

    def build(self, slot: Slot[Any]) -> Any:
        """Return a slot's object, building it if it is not there."""
        self.configure()
        return super().build(slot)

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads."""
        self.configure()
        return super().bind(site)

    def enter(self, site: Any, given: tuple[Any, ...]) -> Entry:
        """Return the slow path of one injected call."""
        self.configure()
        return super().enter(site, given)

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
            self.generation = (self.generation or 0) + 1
            if self.profile.background:
                self._refresher.start()
        return self

    def renewed(self) -> int | None:
        """Begin a new generation, where the application runs: something it decides by has changed."""
        if self.state == "started" and self.generation is not None:
            self.generation += 1
        return self.generation

    async def rotate_secrets(self, names: Iterable[str] | None = None) -> Rotation:
        """
        Read secrets again now; `explain` shows the new versions, and what is built from now on has them.

        Args:
            names: The secrets; all that were read by default.

        Raises:
            SecretUnavailable: The store did not answer; the old values serve on.
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

        Raises:
            ExceptionGroup: Some objects failed to close; all others are closed.
        """
        async with self._transition():
            if self.state in {"new", "stopped"} and not self.lifecycle.open_slots:
                return
            self.state = "stopping"
            await self._refresher.stop()
            try:
                failures = await self.lifecycle.stop()
            finally:
                self._end("stopped")
        if failures:
            raise ExceptionGroup(f"application {self.name} failed to close everything", failures)

    def _transition(self) -> asyncio.Lock:
        """Return the lock that lets one start or stop run at a time, in the running loop."""
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
