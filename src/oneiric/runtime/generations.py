"""Generations: numbered states of a running application, each with the layers that made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from oneiric.containers.layers import LayerContainer
from oneiric.containers.selection import Selection
from oneiric.containers.stack import Stack
from oneiric.core.errors import OneiricError, UnknownGeneration
from oneiric.core.profiles import Profile
from oneiric.providers.slot import Binding, Raw, Slot

KEPT = 50  # generations that can be asked about, or gone back to


class Generation(NamedTuple):
    """
    One state of a running application. It does not change any more.

    Attributes:
        number: Counted from 1, by the start and by each change.
        cause: Why it began: `start`, `swap`, `reload`, `rollback to 3`, `secrets`.
        layers: The layers that were applied, lowest first.
        profile: The profile that ranks them.
    """

    number: int
    cause: str
    layers: tuple[LayerContainer, ...]
    profile: Profile

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"generation": self.number, "cause": self.cause, "layers": [layer.name for layer in self.layers]}


class Filled(NamedTuple):
    """Who fills a slot in one generation: a name, the layer and the place that say so; or the code of its fault."""

    winner: str | None
    layer: str | None
    origin: str | None

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"winner": self.winner, "layer": self.layer, "origin": self.origin}


NOBODY = Filled(None, None, None)


class SlotChange(NamedTuple):
    """
    One slot that two generations fill otherwise.

    Attributes:
        slot: Its name.
        before: Who filled it.
        after: Who fills it.
        settings: The keys of settings that differ. Values are not told: explain shows them, redacted.
    """

    slot: str
    before: Filled
    after: Filled
    settings: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "slot": self.slot,
            "before": self.before.fields(),
            "after": self.after.fields(),
            "settings": list(self.settings),
        }


class Generations:
    """The last generations of one application."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._kept: list[Generation] = []

    def begin(self, number: int, cause: str) -> Generation:
        """Note that a generation begins with the layers as they are now."""
        stack = self._stack
        with stack.lock:
            generation = Generation(number, cause, stack.layers, stack.profile)
        self._kept = [*self._kept, generation][-KEPT:]
        return generation

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._kept)

    def at(self, number: int) -> Generation:
        """Return one generation. Raises UnknownGeneration if there is none of that number, or it is not kept."""
        for generation in self._kept:
            if generation.number == number:
                return generation
        raise UnknownGeneration(number, [one.number for one in self._kept])

    def selection(self, number: int) -> Selection:
        """Return what the layers said in a generation."""
        generation = self.at(number)
        return self._stack.selection_in(generation.profile, generation.layers)

    def diff(self, before: int, after: int) -> tuple[SlotChange, ...]:
        """
        Return the slots that two generations fill otherwise, by name.

        Only slots that a layer of the one and not of the other speaks of are looked at.
        """
        old, new = self.at(before), self.at(after)
        differing = [layer for layer in (*old.layers, *new.layers) if (layer in old.layers) != (layer in new.layers)]
        slots = {slot.name: slot for layer in differing for slot in self._stack.spoken(layer)}
        sides = _Side(self._stack, self.selection(before)), _Side(self._stack, self.selection(after))
        return tuple(changes([slot for _, slot in sorted(slots.items())], *sides))


class Side(Protocol):
    """One of two states that are compared."""

    def look(self, slot: Slot[Any]) -> tuple[Binding | None, OneiricError | None]:
        """Return the binding that fills a slot, or the fault that keeps it from one."""

    def raw_settings(self, slot: Slot[Any], binding: Binding) -> Raw:
        """Return what layers say about the settings of a binding."""


class _Side:
    """A state of the layers of which nothing need be built."""

    def __init__(self, stack: Stack, selection: Selection) -> None:
        self._stack, self._selection = stack, selection

    def look(self, slot: Slot[Any]) -> tuple[Binding | None, OneiricError | None]:
        try:
            return self._stack.winner_in(slot, self._selection), None
        except OneiricError as error:
            return None, error

    def raw_settings(self, slot: Slot[Any], binding: Binding) -> Raw:
        return self._stack.raw_settings(slot, binding, self._selection)


def changes(
    slots: Iterable[Slot[Any]],
    before: Side,
    after: Side,
    anew: Mapping[Slot[Any], Sequence[str]] = MappingProxyType({}),
) -> Iterator[SlotChange]:
    """Yield those of the slots that two states fill otherwise, or of which keys in `anew` have new values."""
    for slot in slots:
        (old_binding, old, old_raw), (new_binding, new, new_raw) = _filled(before, slot), _filled(after, slot)
        keys = {key for _, key in {*old_raw, *new_raw}}
        differing = sorted({*anew.get(slot, ()), *(key for key in keys if _said(old_raw, key) != _said(new_raw, key))})
        if old != new or differing or _is_other(old_binding, new_binding):
            yield SlotChange(slot.name, old, new, tuple(differing))


def _is_other(old: Binding | None, new: Binding | None) -> bool:
    """Tell whether another one fills a slot: two classes may have one name."""
    return old is not None and new is not None and not new.is_like(old)


def _said(raw: Any, key: str) -> dict[str, object]:
    return {layer: value for (layer, one), value in raw.items() if one == key}


def _filled(side: Side, slot: Slot[Any]) -> tuple[Binding | None, Filled, Raw]:
    """Return who fills a slot in a state, also as it is told, and what is said about its settings."""
    binding, fault = side.look(slot)
    if binding is None:
        return None, Filled(None, None, fault.code if fault is not None else None), {}
    return binding, Filled(binding.label, binding.layer, str(binding.origin)), side.raw_settings(slot, binding)
