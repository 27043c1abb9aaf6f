"""Declaring what an application consists of: slots, objects, tasks, services, event handlers, settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from oneiric.containers import scopes
from oneiric.containers.needs import read_needs
from oneiric.containers.sections import Sections, section_of
from oneiric.containers.selection import CODE_RANK
from oneiric.containers.slots import Slots
from oneiric.containers.stack import Stack
from oneiric.core.errors import InvalidName
from oneiric.core.markers import Named
from oneiric.core.origins import CodeOrigin, caller, defined_at
from oneiric.core.sources import Said
from oneiric.providers.adapter import ObjectProvider, SettingsProvider
from oneiric.providers.engine import DynamicContainer, Provider
from oneiric.providers.slot import Binding, Slot, label_of, own_provider

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Declaring(DynamicContainer):
    """
    The half of a container that code declares things with.

    Attributes:
        slots: What is declared, by name.
        stack: The layers, which may speak about a slot before it is declared.
        sections: The settings models of the configuration's sections.
        subscriptions: The handlers of each type of event.
    """

    slots: Slots
    stack: Stack
    sections: Sections
    subscriptions: dict[str, list[Slot[Any]]]
    _asked: list[Named]  # what registered functions ask of slots that are not declared yet

    @overload
    def slot(
        self,
        name: str,
        type_: Callable[..., T],  # a class, or a Protocol: mypy takes none for `type[T]`
        *,
        capabilities: Iterable[str] = (),
        any_of: Iterable[str] = (),
        eager: bool = False,
        protected: bool = False,
    ) -> Slot[T]: ...

    @overload
    def slot(
        self,
        name: str,
        type_: None = None,
        *,
        capabilities: Iterable[str] = (),
        any_of: Iterable[str] = (),
        eager: bool = False,
        protected: bool = False,
    ) -> Slot[Any]: ...

    @overload
    def slot(
        self,
        name: Callable[..., T],
        type_: None = None,
        *,
        capabilities: Iterable[str] = (),
        any_of: Iterable[str] = (),
        eager: bool = False,
        protected: bool = False,
    ) -> Slot[T]: ...

    def slot(
        self,
        name: Any,
        type_: Any = None,
        *,
        capabilities: Iterable[str] = (),
        any_of: Iterable[str] = (),
        eager: bool = False,
        protected: bool = False,
    ) -> Slot[Any]:
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
            protected: A remote manifest has no say in who fills it.

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
            if protected:
                self.slots.protected.add(slot.name)
                self.stack.move([slot])
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

    def _register(self, slot: Slot[Any], target: Any, provider: Provider[Any]) -> None:
        """Bind what the code itself brings, in layer `code`."""
        origin = CodeOrigin(defined_at(getattr(target, "__injected__", target)))
        slot.bindings = (Binding("code", CODE_RANK, Said(provider, origin), label_of(target)),)
        if site := getattr(target, "__site__", None):
            site.is_registered = True
        for need in read_needs(target).values():
            if need.named is None and section_of(need.type) and not self.slots.typed(need.type):
                self.settings(need.type)
        self._asked += [need.named for need in read_needs(target).values() if need.named is not None]
        self._placed(slot)

    def _ask(self, slot: Slot[Any], capabilities: frozenset[str], any_of: frozenset[str]) -> None:
        """Let a slot ask its adapter for more."""
        slot.wants |= capabilities
        slot.any_of |= {any_of} if any_of else set()
        self.stack.move([slot])

    def _placed(self, slot: Slot[Any], *aliases: str) -> None:
        """Make a new slot, or a new name of one, reachable; layers and functions may have spoken about it before."""
        if child := self.__dict__.get(slot.child):
            child.place(aliases[0] if aliases else slot.name, slot)
        self.stack.placed(slot, *aliases)
        for named in [*self._asked] if self._asked else ():
            if (asked := self.slots.get(named.name)) is not None:
                self._asked.remove(named)
                if named.capabilities or named.any_of:
                    self._ask(asked, named.capabilities, named.any_of)

    def settings(self, model: type, *, section: str | None = None) -> Slot[Any]:
        """
        Let a section of the configuration be read as a settings model, and be injected: `Inject[OrdersSettings]`.

        A model that names its own section, `class OrdersSettings(oneiric.Settings, section="orders")`, is declared
        without being asked as soon as a registered function asks for it.

        Args:
            model: A pydantic model, or a pydantic-settings class as it is; its own sources are not read.
            section: Its keys stand below this name: `[settings.orders]`, `ONEIRIC_ORDERS__…`.

        Returns:
            The slot `settings.NAME`, which holds the validated model.

        Raises:
            InvalidName: There is no section, or it breaks the grammar or has the name of a slot or of a section of the
                framework.
            DuplicateName: The section has another model.
        """
        name = section or section_of(model) or ""
        with self.stack.lock:
            slot = self.slots.declare_settings(name, model, at=defined_at(model))
            if not slot.bindings:
                self.declare_section(name, model)
                origin = CodeOrigin(defined_at(model))
                slot.bindings = (
                    Binding("code", CODE_RANK, Said(SettingsProvider(model, name), origin), label_of(model)),
                )
                self._placed(slot)
            return slot

    def declare_section(self, name: str, model: type | str) -> None:
        """
        Let a section of the configuration be validated and explained: `[settings.NAME]`, `ONEIRIC_NAME__…`.

        Args:
            name: The section.
            model: Its pydantic model; given as `module:Class` it is imported when the section is first read.
        """
        self.sections.declare(name, model)
