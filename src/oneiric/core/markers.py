"""What application code writes in a signature, `Inject[T]` or `Named`, and on a field: `Public`, `Protected`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Annotated, Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class _InjectMarker:
    """Stands in `Annotated[T, ...]` for "the slot whose declared type is T"."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "INJECT"


class _Injected:
    """The default of an injected parameter; it never reaches a function's body."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "INJECTED"


INJECT = _InjectMarker()
INJECTED: Any = _Injected()  # Any, so that it is a legal default for a parameter of every type
Inject = Annotated[T, INJECT]


class FieldMark:
    """What `Annotated` says about a field of a settings model: `prefix: Annotated[str, Public]`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


Public = FieldMark("Public")  # the value may be shown, though the field's name sounds secret
Protected = FieldMark("Protected")  # a remote manifest may not set it


class Leased(Protocol):
    """What counts those who hold one state of an application."""

    generation: int | None
    count: int


class Ref(Generic[T]):
    """
    A handle on a slot, for objects that live long: `cache: Inject[Ref[Cache]]`.

    What it leads to is looked up on each use, so that a replaced adapter is seen. As a `with` or `async with` block it
    hands out the object of now, which is not closed inside, whatever replaces it meanwhile.

    Args:
        slot: The slot's name.
        look: Returns the live object.
        lease: Returns what counts those who hold the state in force.
    """

    __slots__ = ("_lease", "_look", "_slot")

    def __init__(self, slot: str, look: Callable[[], T], lease: Callable[[], Leased] | None = None) -> None:
        self._slot = slot
        self._look = look
        self._lease = lease

    @property
    def slot(self) -> str:
        """The slot's name."""
        return self._slot

    @property
    def current(self) -> T:
        """The object that fills the slot now. Raises what an injected call raises where it cannot be had."""
        return self._look()

    @property
    def generation(self) -> int | None:
        """The generation that `current` belongs to; None where nothing runs."""
        return None if self._lease is None else self._lease().generation

    def __enter__(self) -> T:
        current, lease = self._look(), None if self._lease is None else self._lease()
        if lease is not None:
            lease.count += 1
        _held.set((*_held.get(), (self, lease)))
        return current

    def __exit__(self, *exc: object) -> None:
        held = _held.get()
        last = next((n for n in range(len(held) - 1, -1, -1) if held[n][0] is self), None)
        if last is not None:
            lease = held[last][1]
            _held.set((*held[:last], *held[last + 1 :]))
            if lease is not None:
                lease.count -= 1

    async def __aenter__(self) -> T:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()

    def __repr__(self) -> str:
        return f"<ref to slot {self._slot}>"


_held: ContextVar[tuple[tuple[Ref[Any], Leased | None], ...]] = ContextVar("oneiric_held", default=())


class Factory(Generic[T]):
    """
    Makes a new object on each call, with what it asks for filled in: `new_report: Inject[Factory[Report]]`.

    The caller owns what it makes: nobody else opens or closes it.

    Args:
        slot: The slot's name.
        make: Makes one object from explicit arguments.
    """

    __slots__ = ("_make", "_slot")

    def __init__(self, slot: str, make: Callable[..., T]) -> None:
        self._slot = slot
        self._make = make

    @property
    def slot(self) -> str:
        """The slot's name."""
        return self._slot

    def __call__(self, **explicit: Any) -> T:  # whatever the constructor takes
        """Make one object; what is given explicitly is not injected."""
        return self._make(**explicit)

    def __repr__(self) -> str:
        return f"<factory of slot {self._slot}>"


class Named:
    """
    Name the slot of a parameter: `Annotated[Cache, Named("cache.sessions")]`.

    Args:
        name: A slot name, with or without the name of its child container: `cache.sessions`, `adapters.cache`.
        capabilities: The slot's adapter must have all of these.
        any_of: The slot's adapter must have at least one of these; empty asks for nothing.
    """

    __slots__ = ("any_of", "capabilities", "name")

    def __init__(self, name: str, *, capabilities: Iterable[str] = (), any_of: Iterable[str] = ()) -> None:
        self.name = name
        self.capabilities = frozenset(capabilities)
        self.any_of = frozenset(any_of)

    def __repr__(self) -> str:
        return f"Named({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, frozenset[str], frozenset[str]]:
        return self.name, self.capabilities, self.any_of
