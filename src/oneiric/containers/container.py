"""The container: registration, layers, injected calls, and the answer to who fills what and why."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from oneiric.containers import active, scopes
from oneiric.containers.explain import Explainer
from oneiric.containers.explanation import Explanation
from oneiric.containers.fitting import check_fit
from oneiric.containers.graph import Graph, draw
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer, Override
from oneiric.containers.needs import read_needs
from oneiric.containers.sections import Sections
from oneiric.containers.selection import CODE_RANK, Selection
from oneiric.containers.slots import CHILDREN, Slots
from oneiric.containers.stack import Stack
from oneiric.containers.validation import validate
from oneiric.containers.wiring import Wiring
from oneiric.core.config import validated
from oneiric.core.errors import InvalidApplication, InvalidName, OneiricError, Problem, nearest
from oneiric.core.markers import Named
from oneiric.core.origins import CodeOrigin, OverrideOrigin, caller, defined_at
from oneiric.core.profiles import BUILT_IN, Profile, find_profile
from oneiric.core.sources import Said
from oneiric.providers.adapter import ObjectProvider
from oneiric.providers.catalog import Catalog
from oneiric.providers.engine import DynamicContainer, Provider, traverse
from oneiric.providers.slot import Binding, Slot, label_of, own_provider

F = TypeVar("F", bound=Callable[..., Any])


class ChildContainer(DynamicContainer):
    """One child of an application, such as `app.adapters`: its providers are the application's own slots."""

    def __init__(self, name: str, parts: Mapping[str, Slot]) -> None:
        super().__init__()
        self.name = name
        for part, slot in parts.items():
            self.place(part, slot)

    def find_late(self, name: str) -> Slot | None:
        """Return a slot that is known only now; the container that owns this child replaces it."""
        return None

    def place(self, name: str, slot: Slot) -> None:
        """Make a slot reachable: as an attribute, or below the slot of its first segment."""
        if name.isidentifier():
            setattr(self, name, slot)
        else:
            self.providers[name] = slot

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"providers", "name"}:
            raise AttributeError(name)
        if (late := self.find_late(name)) is not None:
            self.place(name, late)
            return late
        near = nearest(name, self.providers)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise AttributeError(f'{self.name} has nothing named "{name}"{hint}')


class Container(DynamicContainer):
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
        self.stack.forgotten = self._forget
        self.sites = self.wiring.sites
        self.subscriptions: dict[str, list[Slot]] = {}
        self.sections = Sections()
        self._index: Index | None = None
        self._asked: list[Named] = []  # what registered functions ask of slots that are not declared yet
        for category in catalog.built_in.values():
            self.slots.declare_category(category.name, category.protocol)
        for layer in layers:
            self.stack.put(layer)
        active.made(self)

    def _forget(self) -> None:
        self._index = None
        self.wiring.forget()

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

    def _find_late(self, child: str, name: str) -> Slot | None:
        self.stack.widen()
        return self.slots.of_child(child).get(name)

    def _make_child(self, name: str, parts: Mapping[str, Slot]) -> ChildContainer:
        return ChildContainer(name, parts)

    def traverse(self, types: Any = None) -> Iterator[Provider[Any]]:  # type: ignore[override]  # no class-level form
        """Yield every slot, and every provider that is bound to one or needed by it."""
        yield from traverse(*self.slots.every(), types=types)

    def slot(
        self,
        name: Any,
        type_: Any = None,
        *,
        capabilities: Iterable[str] = (),
        any_of: Iterable[str] = (),
        eager: bool = False,
    ) -> Slot:
        """
        Declare a slot, or return one that is declared.

        `app.slot("cache.sessions", Cache)` declares; `app.slot("cache.sessions")` and `app.slot(Cache)` return. With
        capabilities or `eager`, a declared slot is asked for more.

        Args:
            name: The slot's name, or the type of a declared slot.
            type_: The declared type, a Protocol or a class.
            capabilities: Its adapter must have all of these.
            any_of: Its adapter must have one of these.
            eager: It is opened when the application starts, also when no registered function needs it.

        Raises:
            UnknownSlot: No slot has that name or type.
            InvalidName: The name breaks the grammar.
            DuplicateName: The name is taken.
        """
        stack = self.stack
        with stack.lock:
            if isinstance(name, str) and type_ is not None:
                if "." in name and name.rpartition(".")[0] not in self.slots.by_name:
                    stack.widen()  # it may stand below the category of another distribution, and share its type
                slot = self.slots.declare(name, type_, at=caller(1))
                self._placed(slot)
            else:
                slot = stack.resolve(name)
            if capabilities or any_of or eager:
                slot.eager |= eager
                self._ask(slot, frozenset(capabilities), frozenset(any_of))
            return slot

    def alias(self, name: str, target: str) -> None:
        """Give a slot a second name, which leads to the same object. Raises UnknownSlot if there is no such slot."""
        with self.stack.lock:
            slot = self.stack.resolve(target)
            self.slots.alias(name, slot.name)
            self._placed(slot, name)

    def provide(self, name: str, *, scope: str = "app", eager: bool = False) -> Callable[[F], F]:
        """
        Register what makes an application object: a class, a function, or a generator that cleans up after its yield.

        Args:
            name: The slot's name; it is reached as `app.services.NAME`.
            scope: How long one object lives: `app`, `request` or `task`.
            eager: It is made when the application starts.

        Raises:
            InvalidName: The name breaks the grammar, or the scope is none.
            DuplicateName: The name is taken.
        """
        if scope not in scopes.DEPTH:
            raise InvalidName(scope, "it is no scope", fixes=(f"choose one of: {', '.join(scopes.DEPTH)}",))

        def register(target: F) -> F:
            with self.stack.lock:
                slot = self.slots.declare_object(name, target, scope=scope, eager=eager)
                self._register(slot, target, ObjectProvider(target))
            return target

        return register

    def task(self, name: str) -> Callable[[F], F]:
        """Register a task: `app.tasks.NAME()` returns the function. Raises DuplicateName if the name is taken."""
        return self._part("tasks", "task", name)

    def service(self, name: str) -> Callable[[F], F]:
        """Register a service: `app.services.NAME()` returns the function. Raises DuplicateName if the name is taken."""
        return self._part("services", "service", name)

    def on(self, event_type: str, *, name: str | None = None) -> Callable[[F], F]:
        """
        Register a handler for events of one type.

        Args:
            event_type: The exact type, `order.created`.
            name: Its name; `module:qualname` of the function by default.

        Raises:
            DuplicateSubscription: A handler of that name exists.
        """

        def register(function: F) -> F:
            part = name or f"{function.__module__}:{function.__qualname__}"
            self._part("events", "handler", part)(function)
            self.subscriptions.setdefault(event_type, []).append(self.slots.parts["events"][part])
            return function

        return register

    def _part(self, child: str, kind: str, name: str) -> Callable[[F], F]:
        def register(function: F) -> F:
            at = defined_at(getattr(function, "__injected__", function))
            with self.stack.lock:
                slot = self.slots.declare_part(child, kind, name, at=at)
                self._register(slot, function, own_provider(function))
            return function

        return register

    def _register(self, slot: Slot, target: Any, provider: Provider[Any]) -> None:
        """Bind what the code itself brings, in layer `code`."""
        origin = CodeOrigin(defined_at(getattr(target, "__injected__", target)))
        slot.bindings = (Binding("code", CODE_RANK, Said(provider, origin), label_of(target)),)
        if site := getattr(target, "__site__", None):
            site.is_registered = True
        self._asked += [need.named for need in read_needs(target).values() if need.named is not None]
        self._placed(slot)

    def _ask(self, slot: Slot, capabilities: frozenset[str], any_of: frozenset[str]) -> None:
        """Let a slot ask its adapter for more."""
        slot.wants |= capabilities
        slot.any_of |= {any_of} if any_of else set()
        self.stack.move([slot])

    def _placed(self, slot: Slot, *aliases: str) -> None:
        """Make a new slot, or a new name of one, reachable; layers and functions may have spoken about it before."""
        if child := self.__dict__.get(slot.child):
            child.place(aliases[0] if aliases else slot.name, slot)
        self.stack.placed(slot, *aliases)
        for named in [*self._asked] if self._asked else ():
            if (asked := self.slots.get(named.name)) is not None:
                self._asked.remove(named)
                if named.capabilities or named.any_of:
                    self._ask(asked, named.capabilities, named.any_of)

    @property  # type: ignore[override]
    def overridden(self) -> tuple[LayerContainer, ...]:
        """The layers that are applied, lowest first."""
        return self.__dict__["stack"].layers if "stack" in self.__dict__ else ()

    @overridden.setter
    def overridden(self, value: object) -> None:
        """The engine sets its own empty stack when a container is made; ours is kept elsewhere."""

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
        stack, slots = self.stack, self.slots.by_name
        with stack.lock:
            for key, said in layer.bindings.items():
                slot = slots.get(key) or stack.resolve(key)
                if not isinstance(said.value, str):
                    check_fit(slot, said.value)
            layer = stack.put(layer)
            stack.checked.add(layer)
        return Override(self, layer, overriding)

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

    def build(self, slot: Slot) -> Any:
        """Return a slot's object, building it if it is not there."""
        return self.wiring.build(slot)

    def override_slot(self, slot: Slot, value: object) -> Override:
        """Bind one thing to one slot in layer `explicit`. Raises WrongType if it does not fit."""
        check_fit(slot, value)
        layer = LayerContainer("explicit", {slot: value}, origin=OverrideOrigin(caller(2)))
        return Override(self, self.stack.put(layer), value)

    def drop_binding(self, slot: Slot, binding: Binding) -> None:
        """Take the layer of one explicit binding away."""
        layer = self.stack.layer_of(binding)
        if layer is not None:
            self.drop(layer)

    def provider_of(self, slot: Slot, binding: Binding) -> Provider[Any]:
        """Return the engine's provider of a binding, made on first use."""
        return self.wiring.provider_of(slot, binding)

    def inputs_of(self, slot: Slot) -> Iterator[Slot]:
        """Yield the slots that a slot's object needs."""
        edges = self.index.read(self.wiring, slot).edges
        yield from (edge.slot for edge in edges if edge.slot is not None)

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells that an injected function reads."""
        return self.wiring.bind(site)

    def enter(self, site: Any, given: tuple[Any, ...]) -> scopes.SiteEntry:
        """Return the slow path of one injected call."""
        return self.wiring.enter(site, given)

    def scope(self, kind: str) -> scopes.Scoped:
        """Open a `request` or `task` scope by hand: `with app.scope("task"): ...`, or `async with`."""
        return scopes.Scoped(kind, self.wiring)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call an injected function for this application; of an asynchronous one the result is to be awaited."""
        return active.belonging(function, self)(*args, **kwargs)

    def make_default(self) -> None:
        """Let injected calls that say nothing else belong to this application."""
        active.make_default(self)

    @property
    def index(self) -> Index:
        """The records of the state in force, made once for each state."""
        with self.stack.lock:
            if self._index is None:
                if self.stack.has_unbound:
                    self.stack.widen()
                self.stack.is_read = True
                self._index = Index(self.wiring)
            return self._index

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

    def graph(self) -> Graph:
        """Return the graph of all slots and registered functions as data."""
        return draw(self)

    def elsewhere(self) -> Mapping[str, Selection]:
        """Return what the layers would say under each other profile."""
        others = (profile for name, profile in sorted(BUILT_IN.items()) if name != self.profile.name)
        return {other.name: Selection(self.catalog, other, self.layers_in(other), self.slots.owned) for other in others}

    def declare_section(self, name: str, model: type | str) -> None:
        """
        Let a section of the configuration be validated and explained: `[settings.NAME]`, `ONEIRIC_NAME__…`.

        Args:
            name: The section.
            model: Its pydantic model; given as `module:Class` it is imported when the section is first read.
        """
        self.sections.declare(name, model)

    def section(self, name: str) -> Any:
        """Return the validated values of a declared section. Raises InvalidValue with key and origin."""
        model = self.sections[name]
        return validated(model, self.stack.selection.values(name, model))

    def layers_in(self, profile: Profile) -> Iterable[LayerContainer]:
        """Return the layers as they would be under another profile."""
        return self.overridden
