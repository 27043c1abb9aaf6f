"""Decorations: functions that wrap the object of a slot, each placed in a layer, the lowest innermost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from oneiric.containers.needs import Need, read_needs
from oneiric.core.origins import Origin
from oneiric.core.profiles import Profile
from oneiric.providers.slot import Slot, described


class Decoration:
    """
    One wrapper of a slot's object.

    Attributes:
        layer: The layer that speaks; its rank decides how far outside the wrapper stands.
        function: Takes the object and returns what stands for it; its other parameters may be injected.
        origin: Where it was said.
    """

    def __init__(self, layer: str, function: Callable[..., Any], origin: Origin) -> None:
        self.layer, self.function, self.origin = layer, function, origin

    @property
    def label(self) -> str:
        """How explanations call it: `module:qualname`."""
        return described(getattr(self.function, "__injected__", self.function))

    @cached_property
    def needs(self) -> Mapping[str, Need]:
        """What it asks for besides the object, by parameter."""
        return read_needs(self.function)

    def __repr__(self) -> str:
        return f"<decoration {self.label}>"


def in_order(decorations: Sequence[Decoration], profile: Profile) -> tuple[Decoration, ...]:
    """Return the decorations that count in a profile, the innermost first; among equals the earlier is inside."""
    ranked = [(profile.rank(one.layer), one) for one in decorations]
    return tuple(one for _, one in sorted(((rank, one) for rank, one in ranked if rank is not None), key=_rank))


def _rank(item: tuple[int, Decoration]) -> int:
    return item[0]


class Decorated:
    """The handle of a decoration, in force from the start; it ends by `undo()` or by leaving a `with` block."""

    def __init__(self, slot: Slot[Any], decoration: Decoration, drop: Callable[[Slot[Any], Decoration], None]) -> None:
        self.slot, self.decoration = slot, decoration
        self._drop = drop

    def undo(self) -> None:
        """Take the decoration away; a second call does nothing."""
        self._drop(self.slot, self.decoration)

    def __enter__(self) -> Decoration:
        return self.decoration

    def __exit__(self, *exc: object) -> None:
        self.undo()
