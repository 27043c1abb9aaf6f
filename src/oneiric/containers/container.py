"""The container: registration, layers, injected calls, and the answer to who fills what and why."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from oneiric.containers import active, scopes
from oneiric.containers.child import ChildContainer
from oneiric.containers.declaring import Declaring
from oneiric.containers.decoration import Decorated, Decoration
from oneiric.containers.explain import Explainer
from oneiric.containers.explanation import Explanation
from oneiric.containers.fitting import check_fit
from oneiric.containers.graph import Graph, draw
from oneiric.containers.index import Index
from oneiric.containers.known_secrets import KnownSecrets
from oneiric.containers.layers import LayerContainer, Override
from oneiric.containers.local import LocalOverride, LocalView
from oneiric.containers.sections import Sections
from oneiric.containers.selection import Selection
from oneiric.containers.slots import CHILDREN, Slots
from oneiric.containers.stack import Stack
from oneiric.containers.unbound import of_objects
from oneiric.containers.validation import validate
from oneiric.containers.wiring import ROUNDS, Entry, Wiring
from oneiric.core.errors import InvalidApplication, OneiricError, Problem
from oneiric.core.models import validated
from oneiric.core.origins import CodeOrigin, OverrideOrigin, caller, defined_at
from oneiric.core.profiles import BUILT_IN, LAYERS, Profile, find_profile
from oneiric.core.values import MISSING, sealed
from oneiric.providers.catalog import Catalog
from oneiric.providers.engine import Provider, traverse
from oneiric.providers.slot import Binding, Slot

T = TypeVar("T")
P = ParamSpec("P")
OpenedT = TypeVar("OpenedT", LocalOverride, scopes.Scoped)


class Container(Declaring):
    """
    A container of slots, without a life of its own; `Application` adds start and stop.

    It reads no file and no environment: what fills its slots is said by code and by the layers that are applied to it.

    Args:
        name: Its name, for messages.
        profile: Which layers speak, and in which order; a profile or its name.
        layers: Layers to apply. Their faults are reported by `check`, with all others, not here.
        catalog: Which adapters there are.

    Raises:
        UnknownProfile: No profile has that name.
    """

    def __init__(
        self,
        name: str = "app",
        *,
        profile: str | Profile = "default",
        layers: Iterable[LayerContainer] = (),
        catalog: Catalog | None = None,
    ) -> None:
        super().__init__()
        catalog = catalog or Catalog()
        self.name = name
        self.state: str = "new"
        self.slots = Slots(self)
        self.stack = Stack(self.slots, catalog, find_profile(profile) if isinstance(profile, str) else profile)
        self.wiring = Wiring(name, self.stack)
        self.secrets = KnownSecrets(self.wiring)
        self.stack.rules = self.secrets.rules
        self.wiring.fetch, self.wiring.fetch_now = self.secrets.fetch, self.secrets.fetch_now
        self.wiring.due = self.secrets.cache.due
        self.stack.forgotten = self.wiring.forget
        self.sites = self.wiring.sites
        self.subscriptions = {}
        self.sections = Sections()
        self.declare_section("secrets", "oneiric.core.secret_settings:SecretsSettings")
        self.declare_section("remote", "oneiric.core.secret_settings:ManifestSettings")
        self._index: Index | None = None
        self._asked = []
        for category in catalog.built_in.values():
            self.slots.declare_category(category.name, category.protocol)
        for layer in layers:
            self.stack.put(layer)
        active.made(self)

    @property
    def running(self) -> int | None:
        """The generation in force; a bare container has no life, and none."""
        return None

    @property
    def profile(self) -> Profile:
        """The profile in force."""
        return self.stack.profile

    @property
    def catalog(self) -> Catalog:
        """Which adapters there are."""
        return self.stack.catalog

    def __getattr__(self, name: str) -> Any:
        if name in CHILDREN and "slots" in self.__dict__:
            child = self._make_child(name, self.slots.of_child(name))
            child.__dict__["find_late"] = functools.partial(self._find_late, name)
            setattr(self, name, child)
            return child
        return super().__getattribute__(name)  # raises again what a property raised, or that there is no such attribute

    def _find_late(self, child: str, name: str) -> Slot[Any] | None:
        self.stack.widen()
        return self.slots.of_child(child).get(name)

    def _make_child(self, name: str, parts: Mapping[str, Slot[Any]]) -> ChildContainer:
        return ChildContainer(name, parts)

    def traverse(self, types: Any = None) -> Iterator[Provider[Any]]:  # type: ignore[override]  # no class-level form
        """Yield every slot, and every provider that is bound to one or needed by it."""
        yield from traverse(*self.slots.every(), types=types)

    @property  # type: ignore[override]
    def overridden(self) -> tuple[LayerContainer, ...]:
        """The layers that are applied, lowest first."""
        return self.__dict__["stack"].layers if "stack" in self.__dict__ else ()

    @overridden.setter
    def overridden(self, value: object) -> None:
        """The engine sets its own empty stack when a container is made; ours is kept elsewhere."""

    @property
    def applied(self) -> tuple[LayerContainer, ...]:
        """The layers that code has applied: all but those of a configuration, lowest first."""
        return self.overridden

    @of_objects
    def override(  # type: ignore[override]  # maps are taken as well, and a handle is returned
        self, overriding: LayerContainer | Mapping[Any, object]
    ) -> Override:
        """
        Apply a layer, or bind objects, adapter classes or providers in layer `explicit`, everywhere at once.

        Args:
            overriding: A layer, or a map from slot names or types to what shall fill them.

        Raises:
            UnknownSlot: It names a slot that is not declared; nothing is applied.
            WrongType: It binds something that does not fit; nothing is applied.
        """
        if isinstance(overriding, LayerContainer):
            layer = overriding
        else:
            layer = LayerContainer("explicit", overriding, origin=OverrideOrigin(caller(1)))
        stack = self.stack
        with stack.lock:
            stack.check(layer)
            layer = stack.put(layer)
            stack.checked.add(layer)
        return Override(self, layer, overriding)

    @overload
    def decorate(self, name: str, function: Callable[..., Any], *, layer: str = "code") -> Decorated: ...

    @overload
    def decorate(
        self,
        name: Callable[..., T],
        function: Callable[[T], T] | Callable[Concatenate[T, ...], T],
        *,
        layer: str = "code",
    ) -> Decorated: ...

    def decorate(self, name: Any, function: Callable[..., Any], *, layer: str = "code") -> Decorated:
        """
        Wrap the object of a slot: `app.decorate("cache", traced)`.

        Several wrappers stand in the order of their layers, the lowest innermost; in a profile in which a layer does
        not speak, its wrappers are not there. The health and the closing of an adapter stay those of the innermost.

        Args:
            name: The slot, by name or type.
            function: Takes the object, and returns what stands for it; it may ask for more: `Inject[T] = INJECTED`.
            layer: The layer that speaks.

        Returns:
            A handle with `undo()`, which is a context manager too.

        Raises:
            UnknownSlot: No slot has that name or type.
            ValueError: No layer has that name.
        """
        if layer not in LAYERS:
            raise ValueError(f'no layer is named "{layer}"; choose one of: {", ".join(LAYERS)}')
        slot = self.stack.resolve(name)
        decoration = Decoration(layer, function, CodeOrigin(defined_at(getattr(function, "__injected__", function))))
        self.stack.decorate(slot, decoration)
        return Decorated(slot, decoration, self.stack.undecorate)

    @of_objects
    def local_override(self, overriding: Mapping[Any, object]) -> LocalOverride:
        """
        Bind objects, adapter classes, providers or adapters by name for this context alone, and what copies it.

        Tasks that are created afterwards see it, and so do `asyncio.to_thread` and the thread pools of frameworks;
        threads started by hand and tasks that run already do not.

        Args:
            overriding: A map from slot names or types to what shall fill them.

        Raises:
            UnknownSlot: It names a slot that is not declared; nothing is applied.
            WrongType: It binds something that does not fit; nothing is applied.
            Refused: It names an adapter that cannot fill the slot; nothing is applied.
        """
        layer = LayerContainer("explicit", overriding, origin=OverrideOrigin(caller(1)))
        return self._noted(LocalOverride(self.wiring, self._given(layer), overriding))

    def _noted(self, opened: OpenedT) -> OpenedT:
        """Note what code opened and has to end, while somebody keeps account of it."""
        if self.wiring.ledger is not None:
            self.wiring.ledger.append(opened)
        return opened

    def _given(self, layer: LayerContainer) -> Mapping[Slot[Any], Binding]:
        """Return what a layer binds, by slot. Raises what is wrong with it."""
        profile, given = self.profile, {}
        for key, said in layer.bindings.items():
            slot = self.stack.resolve(key)
            binding = given[slot] = Binding(layer.name, profile.rank(layer.name) or 0, said)
            if binding.unset:
                continue
            if binding.chosen is None:
                check_fit(slot, said.value)
            elif (error := self.stack.selection.choose(slot, [binding]).error) is not None:
                raise error
        return given

    def drop(self, layer: LayerContainer) -> None:
        """Take a layer away, wherever it is in the stack; one that is not applied is ignored."""
        self.stack.drop(layer)

    def reset_override(self) -> None:
        """Take every explicit override away."""
        for layer in reversed(self.overridden):
            if layer.name == "explicit":
                self.drop(layer)

    def reset_last_overriding(self) -> None:
        """Take the topmost layer away, if there is one."""
        for layer in self.overridden[-1:]:
            self.drop(layer)

    async def settled(self) -> None:
        """Wait until what a change made superfluous is closed; a bare container has nothing to close."""

    def build(self, slot: Slot[Any]) -> Any:
        """Return a slot's object, building it if it is not there."""
        return self.wiring.build(slot)

    def seen(self, slot: Slot[Any]) -> Any:
        """Return a slot's object as this context sees it: under a local override it may be another one."""
        view = active.active()
        if isinstance(view, LocalView) and view.whole is self.wiring:
            return view.build(slot)
        cell = slot.cell  # another thread may put another one there
        return cell.live if cell.is_built else self.build(slot)

    def override_slot(self, slot: Slot[Any], value: object) -> Override:
        """Bind one thing to one slot in layer `explicit`. Raises WrongType if it does not fit."""
        check_fit(slot, value)
        layer = LayerContainer("explicit", {slot: value}, origin=OverrideOrigin(caller(2)))
        return Override(self, self.stack.put(layer), value)

    def drop_binding(self, slot: Slot[Any], binding: Binding) -> None:
        """Take the layer of one explicit binding away."""
        layer = self.stack.layer_of(binding)
        if layer is not None:
            self.drop(layer)

    def provider_of(self, slot: Slot[Any], binding: Binding) -> Provider[Any]:
        """Return the engine's provider of a binding, made on first use."""
        return self.wiring.provider_of(slot, binding)

    def inputs_of(self, slot: Slot[Any]) -> Iterator[Slot[Any]]:
        """Yield the slots that a slot's object needs."""
        edges = self.index.read(self.wiring, slot).edges
        yield from (edge.slot for edge in edges if edge.slot is not None)

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads."""
        return self.wiring.bind(site)

    def enter(self, site: Any, given: tuple[Any, ...]) -> Entry:
        """Return the slow path of one injected call."""
        return self.wiring.enter(site, given)

    def scope(self, kind: str) -> scopes.Scoped:
        """Open a `request` or `task` scope by hand: `with app.scope("task"): ...`, or `async with`."""
        return self._noted(scopes.Scoped(kind, self.wiring))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call an injected function for this application; of an asynchronous one the result is to be awaited."""
        return active.belonging(function, self)(*args, **kwargs)  # type: ignore[no-any-return]  # the same kind

    def make_default(self) -> None:
        """Let injected calls that say nothing else belong to this application."""
        active.make_default(self)

    @property
    def index(self) -> Index:
        """The records of the state in force, made once for each state; of what did not change, they stay the same."""
        stack = self.stack
        with stack.lock:
            if self._index is None or stack.is_moved:
                if stack.has_unbound:
                    stack.widen()
                before, self._index = self._index, None  # if it cannot be made, nothing is taken for made
                moved = stack.moved()
                self._index = Index(self.wiring) if moved is None else Index(self.wiring, before, moved)
                del before
                stack.is_read = True
            return self._index

    def begin(self, index: Index | None) -> None:
        """Take over the index of a state that has just begun, where it was made already."""
        if index is not None:
            with self.stack.lock:
                self._index, self.stack.is_read = index, True
                self.stack.moved()

    def faults(self, *, strict: bool = False) -> tuple[list[OneiricError], list[OneiricError]]:
        """
        Return every fault and every warning of the application, found without building or opening anything.

        Args:
            strict: Warnings count as faults.
        """
        with self.stack.lock:
            faults, warnings = validate(self)
        return ([*faults, *warnings], []) if strict else (faults, warnings)

    def check(self, *, strict: bool = False) -> list[Problem]:
        """
        Validate everything at once, and return the warnings.

        Raises:
            InvalidApplication: There are faults; the error holds all of them.
        """
        faults, warnings = self.faults(strict=strict)
        if faults:
            raise InvalidApplication(self.name, faults)
        return [warning.problem for warning in warnings]

    def explain(self, name: str) -> Explanation:
        """
        Say who fills a slot, or what value a setting has, from where, and why the others lost.

        Args:
            name: A slot, `cache.sessions`, or a key, `cache.redis.host`.

        Raises:
            UnknownSlot: It is neither; the error offers the nearest names.
        """
        return Explainer(self).explain(name)

    def setting(self, key: str) -> Any:
        """
        Return the value of one setting, as its settings model makes it; a secret hides itself.

        Args:
            key: A dotted key: `cache.redis.port`, or a part of a setting that is a map.

        Raises:
            UnknownSlot, UnknownKey: There is no such setting.
            Refused: Its value cannot be; the same error that `explain` shows.
            NeedsAsyncOpen: It needs a secret of a store that is not open.
        """
        self.secrets.refresh_now(lambda: [Explainer(self).find(key).value])
        for _ in range(ROUNDS):
            selection = self.stack.selection
            value = Explainer(self).find(key).typed(selection.words, selection.rules)
            if not value.wanted:
                break
            self.secrets.fetch_now(value.wanted)
        if value.error is not None:
            raise value.error
        return None if value.value is MISSING else sealed(value.value)

    def settings_of(self, name: str) -> Any:
        """
        Return the validated settings of who fills a slot; None where it has none.

        Raises:
            UnknownSlot: No slot has that name.
            Refused: Nobody fills it, or a value does not fit.
            NeedsAsyncOpen: They need a secret of a store that is not open.
        """
        slot = self.stack.resolve(name)
        binding = self.stack.winner(slot)
        self.wiring.fetch_secrets_now(slot, binding)
        return self.wiring.settings_of(slot, binding)

    def config(self) -> list[Explanation]:
        """Explain every setting in use, those of the adapters in use and of the sections; sorted by key."""
        list(self.sections.values())  # imports the models that nobody asked for so far: their defaults are values too
        return sorted(Explainer(self).settings(), key=lambda explained: explained.name)

    def graph(self) -> Graph:
        """Return the graph of all slots and registered functions as data."""
        return draw(self)

    def parents(self) -> Sequence[str]:
        """Return the names of the applications it inherits from; only a child application has any."""
        return ()

    def elsewhere(self) -> Mapping[str, Selection]:
        """Return what the layers would say under each other profile."""
        others = (profile for name, profile in sorted(self.profiles().items()) if name != self.profile.name)
        return {other.name: self.stack.selection_in(other, self.layers_in(other)) for other in others}

    def profiles(self) -> Mapping[str, Profile]:
        """Return every profile by name."""
        return BUILT_IN

    def section(self, name: str) -> Any:
        """Return the validated values of a declared section. Raises InvalidValue with key and origin."""
        model = self.sections[name]
        self.secrets.refresh_now(lambda: self.stack.selection.values(name, model))
        for _ in range(ROUNDS):
            values = self.stack.selection.values(name, model)
            if not (wanted := [one for value in values for one in value.wanted]):
                break
            self.secrets.fetch_now(wanted)
        return validated(model, values)

    def layers_in(self, profile: Profile) -> Iterable[LayerContainer]:
        """Return the layers as they would be under another profile."""
        return self.overridden
