"""What application code writes in a signature, `Inject[T]` or `Named`, and on a field: `Public`, `Protected`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar

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


class Ref(Generic[T]):
    """
    A handle on a slot, for objects that live long: `cache: Inject[Ref[Cache]]`.

    What it leads to is looked up on each use, so that a replaced adapter is seen.

    Args:
        slot: The slot's name.
        look: Returns the live object.
    """

    __slots__ = ("_look", "_slot")

    def __init__(self, slot: str, look: Callable[[], T]) -> None:
        self._slot = slot
        self._look = look

    @property
    def slot(self) -> str:
        """The slot's name."""
        return self._slot

    @property
    def current(self) -> T:
        """The object that fills the slot now. Raises what an injected call raises where it cannot be had."""
        return self._look()

    def __repr__(self) -> str:
        return f"<ref to slot {self._slot}>"


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
