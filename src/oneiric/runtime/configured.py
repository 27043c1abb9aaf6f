"""A container that reads its configuration: files, environment and flags, on the first question or use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from oneiric.containers.container import Container
from oneiric.containers.explanation import Explanation
from oneiric.containers.graph import Graph
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer
from oneiric.containers.wiring import Entry
from oneiric.core.errors import OneiricError
from oneiric.core.profiles import Profile
from oneiric.providers.catalog import Catalog
from oneiric.providers.slot import Slot
from oneiric.runtime.configuration import Configuration, FileState, Inputs, read_configuration

PER_PROFILE = frozenset({"profile", "manifest"})  # layers that another profile may read elsewhere


class ConfiguredContainer(Container):
    """
    A container whose layers come from a configuration besides those that code applies.

    Args:
        name: Its name.
        profile: The profile to run in; without it `ONEIRIC_PROFILE`, then the file, then `default` decide.
        layers: Layers to apply besides those of the configuration.
        catalog: Which adapters there are.
        inputs: Where the configuration comes from.
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
        self._inputs = inputs or Inputs()
        self._profile_asked = profile
        self._configuration: Configuration | None = None
        self._configured_layers: list[LayerContainer] = []
        self._read: WeakSet[LayerContainer] = WeakSet()  # every layer that ever was of a configuration

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
        self._read.update(self._configured_layers)
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

    @property
    def sources(self) -> Mapping[Path, FileState | None]:
        """The files that the configuration in force was looked for in, as they were when they were read."""
        return self.configure().sources

    def profiles(self) -> Mapping[str, Profile]:
        """Return every profile by name: those that are built in, and those that the files define."""
        defined = self.configure().defined
        return {**super().profiles(), **defined}

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
