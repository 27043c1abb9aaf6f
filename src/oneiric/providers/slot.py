"""
The slot: the stable provider of one injection point.

A slot keeps what fills it as one immutable tuple of bindings, replaced in one store, and the built object in a cell
that call sites read. Whoever reads sees the old state or the new one, never something in between.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from oneiric.core.errors import InvalidName
from oneiric.core.origins import Origin
from oneiric.core.sources import UNSET, Said
from oneiric.providers.engine import Object, Provider

T = TypeVar("T")
Raw = Mapping[tuple[str, str], object]  # what layers say about the settings of a slot, by layer and key


class Switch:
    """
    `contextual` counts the blocks that some context of the process remembers: `using`, and local overrides.

    Only while it is above zero does an injected call, or a slot, read the context variable.
    """

    __slots__ = ("contextual",)

    def __init__(self) -> None:
        self.contextual = 0


switch = Switch()


class Binding:
    """
    One layer's word about one slot: what fills it, and where that was said.

    It is small, since a large application has tens of thousands: all else is derived when somebody asks.

    Attributes:
        layer: The layer that speaks.
        rank: The layer's place in the profile's order; higher wins.
        said: What it says: the name of an adapter, or an object, a class, an engine provider or a function.
        brings: It decides by itself, since the layer brings its own object and no adapter has to be looked up.
        provider: The engine's provider of it, made on first use.
    """

    __slots__ = ("_label", "brings", "layer", "provider", "rank", "said")

    def __init__(self, layer: str, rank: int, said: Said, label: str | None = None) -> None:
        self.layer = layer
        self.rank = rank
        self.said = said
        self.brings = not isinstance(said.value, str) and layer != "secrets"
        self.provider: Provider[Any] | None = None
        self._label = label

    @property
    def origin(self) -> Origin:
        """Where it was said."""
        return self.said.origin

    @property
    def unset(self) -> bool:
        """Whether the layer masks what lies below, and chooses nothing itself."""
        return self.said.text and self.said.value == UNSET

    @property
    def trust(self) -> str:
        """`remote` where a manifest that was fetched says it."""
        return getattr(self.said.origin, "trust", "inline")

    @property
    def chosen(self) -> str | None:
        """The adapter's name, where the layer names one of the catalog."""
        value = self.said.value
        return value if isinstance(value, str) and not self.unset else None

    @property
    def value(self) -> Any:
        """What the layer brings itself: an object, a class, an engine provider or a function; else None."""
        value = self.said.value
        return None if isinstance(value, str) else value

    @property
    def adapter(self) -> str | None:
        """The name below which its settings stand: the adapter's, or that of the class it brings; None for others."""
        value = self.said.value
        if isinstance(value, str):
            return None if self.unset else value
        made = getattr(value, "target", None) if isinstance(value, Provider) else value
        return made.__name__ if isinstance(made, type) else None

    def is_like(self, other: Binding) -> bool:
        """Tell whether two bindings fill a slot alike, whichever layers say them."""
        return self.chosen == other.chosen if other.chosen is not None else self.value is other.value

    @property
    def label(self) -> str:
        """How explanations call it: the adapter's name, or what an application's own object is."""
        if self._label is None:
            value = self.said.value
            self._label = value if isinstance(value, str) else label_of(value)
        return self._label


class Cell:
    """
    The live end of a slot: one state of it, with the object that was built for that state.

    `live` stays unset until the object is there. It is a plain slot attribute, and the class has no `__getattr__`, so
    that the interpreter specialises the read (with one, the whole injected call takes 1.5 times as long).
    """

    __slots__ = ("__weakref__", "attempt", "binding", "decorations", "inputs", "live", "settings", "slot")

    def __init__(self, slot: Slot[Any]) -> None:
        self.slot = slot
        self.binding: Binding | None = None
        self.inputs: tuple[Cell, ...] = ()
        self.settings: Raw | None = None
        self.decorations: tuple[Any, ...] = ()  # what wraps the object; their type lives one floor up
        self.attempt: Any = None  # the build that is under way; its type lives one floor up
        self.live: Any
        # `live` is left unset on purpose: reading it raises AttributeError, which leads to the build

    @property
    def is_built(self) -> bool:
        """Whether the object is there."""
        return hasattr(self, "live")


class Undo(Protocol):
    """What an override returns: it ends by `undo`, by leaving a `with` block, or by the end of a decorated function."""

    def undo(self) -> None:
        """Take the override away; a second call does nothing."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *exc: object) -> None: ...


class Owner(Protocol):
    """What a slot asks of the container that owns it."""

    def build(self, slot: Slot[Any]) -> Any:
        """Return the slot's object, building it if it is not there."""

    def seen(self, slot: Slot[Any]) -> Any:
        """Return the same as this context sees it, where some context of the process sees another one."""

    def override_slot(self, slot: Slot[Any], value: object) -> Undo:
        """Bind a value to the slot in layer `explicit`, above what is there."""

    def drop_binding(self, slot: Slot[Any], binding: Binding) -> None:
        """Take one explicit binding away."""

    def provider_of(self, slot: Slot[Any], binding: Binding) -> Provider[Any]:
        """Return the engine's provider of a binding, made on first use."""

    def inputs_of(self, slot: Slot[Any]) -> Iterator[Provider[Any]]:
        """Yield the slots that the slot's object needs."""


class Slot(Provider, Generic[T]):  # type: ignore[type-arg]  # the engine's class is not generic at run time
    """
    The provider of one injection point: `app.adapters.cache`.

    Calling it returns the object of the winning binding. `override` and the other names of the engine's providers work
    as its users know them; their stack is the slot's own, since the engine keeps its own where Python cannot reach.
    """

    # `__dict__` is for named slots below this one; the rest are slots, which the interpreter reads fastest
    __slots__ = (
        "__dict__",
        "any_of",
        "at",
        "bindings",
        "category",
        "cell",
        "child",
        "decorations",
        "eager",
        "kind",
        "lock",
        "name",
        "owner",
        "scope",
        "stash",
        "type",
        "type_name",
        "wants",
    )

    def __init__(
        self,
        owner: Owner,
        name: str,
        *,
        kind: str,
        child: str,
        type_name: str | None = None,
        type_: Any = None,  # a class or a Protocol
        category: str | None = None,
        scope: str = "app",
        wants: frozenset[str] = frozenset(),
        any_of: frozenset[frozenset[str]] = frozenset(),
        eager: bool = False,
        at: str = "",
    ) -> None:
        super().__init__()
        self.owner = owner
        self.name = name
        self.kind = kind
        self.child = child
        self.type_name = type_name
        self.type = type_
        self.category = category
        self.scope = scope
        self.wants = wants
        self.any_of = any_of  # of each of these sets, one is enough
        self.eager = eager
        self.at = at
        self.bindings: tuple[Binding, ...] = ()
        self.decorations: tuple[Any, ...] = ()  # in the order of their declaration
        self.cell = Cell(self)
        self.stash: tuple[Cell, ...] = ()
        self.lock = threading.Lock()

    def __call__(self) -> T:  # type: ignore[override]  # a slot takes no arguments, since taking any costs time
        """Return the object of the winning binding; it is built on the first call."""
        if switch.contextual:
            return self.owner.seen(self)  # type: ignore[no-any-return]  # what fills a slot fits its type
        try:
            return self.cell.live  # type: ignore[no-any-return]
        except AttributeError:
            pass  # not built yet; what the build raises is not to be chained to this
        return self.owner.build(self)  # type: ignore[no-any-return]

    def override(  # type: ignore[override]  # the engine's context type is a Cython class
        self, provider: T | Provider[Any] | Callable[..., T] | str
    ) -> Undo:
        """Bind an object, a class or a provider above everything that is bound; undone by the returned context."""
        return self.owner.override_slot(self, provider)

    def reset_override(self) -> None:
        """Take away every explicit binding."""
        for binding in self._explicit():
            self.owner.drop_binding(self, binding)

    def reset_last_overriding(self) -> None:
        """Take away the topmost explicit binding, if there is one."""
        for binding in self._explicit()[-1:]:
            self.owner.drop_binding(self, binding)

    def _explicit(self) -> tuple[Binding, ...]:
        return tuple(binding for binding in self.bindings if binding.layer == "explicit")

    @property
    def overridden(self) -> tuple[Provider[Any], ...]:  # type: ignore[override]
        """The providers bound by layers, low to high."""
        return tuple(self.owner.provider_of(self, b) for b in self.bindings if not b.unset)

    @property
    def last_overriding(self) -> Provider[Any] | None:
        """The provider bound by the highest layer."""
        bound = self.overridden
        return bound[-1] if bound else None

    @property
    def related(self) -> Iterator[Provider[Any]]:
        """The slots this one needs, and the providers bound to it."""
        yield from self.owner.inputs_of(self)
        yield from self.overridden

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Slot[Any]:
        """A slot is one object: a copy would split what is shared (locks, sockets, the built adapter)."""
        return self

    def __str__(self) -> str:
        return f"<slot {self.name}>"

    __repr__ = __str__


def label_of(value: object) -> str:
    """Return how an explanation names an object that somebody bound."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return described(value)
    if isinstance(value, Provider):  # the engine's own text holds an address, and what an `Object` stands for
        made = getattr(value, "provides", None)
        return str(value) if described(type(value)).startswith("oneiric.") else _labelled(value, made)
    return f"{described(type(value))} object"


def _labelled(provider: object, made: object) -> str:
    kind = type(provider).__name__
    return kind if made is None else f"{kind} of {label_of(made)}"


def described(thing: object) -> str:
    """Return how a person would point at a class or function: `module:qualname`."""
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return f"{module}:{name}"


def own_provider(value: object) -> Provider[Any]:
    """Return the engine's provider of an object that an application brought."""
    return value if isinstance(value, Provider) else Object(value)


def attach(parent: Slot[Any], segment: str, child: Slot[Any]) -> None:
    """
    Make a named slot reachable as an attribute of another: `app.adapters.cache.sessions`.

    Raises:
        InvalidName: A slot itself answers to that name.
    """
    if hasattr(Slot, segment):
        raise InvalidName(child.name, f'a slot itself answers to "{segment}"')
    setattr(parent, segment, child)
