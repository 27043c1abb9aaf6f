"""The wiring of a child application: it inherits every slot, fills some otherwise, and shares what is not touched."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from oneiric.containers import scopes
from oneiric.containers.layers import LayerContainer
from oneiric.containers.leases import Lease, LinkedLease
from oneiric.containers.selection import Selection
from oneiric.containers.view import View
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import OneiricError
from oneiric.providers.slot import Binding, Cell, Slot


class Stale(Protocol):
    """Closes what a child has built."""

    def __call__(self, cells: list[Cell], leases: Sequence[LinkedLease], *, is_waited_for: bool = False) -> None:
        """Close cells when no call that holds one of the leases works with them, nor one that waits for them."""


class Inheriting(View):
    """
    What one child application sees.

    A slot is its own if its layers fill it otherwise, or set something for its adapter, and so is every object that is
    built from such a slot. Everything else is the parent's: the same objects.

    Args:
        name: The child's name.
        parent: The wiring that it inherits from, which may be a child's too.
        layers: What it says itself, above all that the parent says.
        stale: Told of cells that nobody reads any more, since the parent changed; calls that hold one of the leases may
            still work with them.
    """

    def __init__(
        self,
        name: str,
        parent: Wiring,
        layers: Sequence[LayerContainer],
        stale: Stale,
    ) -> None:
        super().__init__(name, parent)
        self.said: tuple[LayerContainer, ...] = tuple(layers)
        self._stale = stale
        self._held = LinkedLease(parent.lease)
        self._former: list[LinkedLease] = []  # calls of before still hold these
        self._bindings: dict[Slot[Any], Binding] = {}
        self._spoken: frozenset[Slot[Any]] | None = None
        self._selection: tuple[Selection, Selection] | None = None  # of the parent, and what follows from it
        parent.show(self)

    @property
    def lease(self) -> Lease:
        """What holds the objects of this child."""
        return self._held

    def renew_lease(self) -> Sequence[LinkedLease]:
        """Count on another lease from now on; returns those that calls under way hold."""
        held, self._held = self._held, LinkedLease(self.under.lease)
        self._former = [lease for lease in (*self._former, held) if lease.count]
        return self._former or [held]

    def give_up(self, cell: Cell) -> None:
        """Close what was built for nobody else than the calls that wait for it, as soon as they have ended."""
        self._stale([cell], [*self._former, self._held], is_waited_for=True)

    @property
    def selection(self) -> Selection:
        """What the parent's layers and its own say."""
        theirs = self.under.selection
        if self._selection is None or self._selection[0] is not theirs:
            mine = self.stack.selection_in(theirs.profile, self.layers, theirs)
            self._selection = (theirs, mine)
        return self._selection[1]

    @property
    def layers(self) -> tuple[LayerContainer, ...]:
        """All layers that it sees, its own on top."""
        below = self.under.layers if isinstance(self.under, Inheriting) else self.stack.layers
        return (*below, *self.said)

    @property
    def spoken(self) -> frozenset[Slot[Any]]:
        """The slots that its own layers speak of."""
        if self._spoken is None:
            self._spoken = frozenset(slot for layer in self.said for slot in self.stack.spoken(layer))
        return self._spoken

    def voices(self, slot: Slot[Any]) -> Sequence[Binding]:
        """Return what layers say about a slot here, high to low."""
        if slot not in self.spoken:
            return self.under.voices(slot)
        return self.stack.voices_in(slot, self.selection)

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that fills a slot here. Raises Refused if nobody fills it."""
        if slot not in self.spoken:
            return self.under.winner(slot)
        if slot not in self._bindings:
            self._bindings[slot] = self.stack.winner_in(slot, self.selection)
        return self._bindings[slot]

    def fills(self, slot: Slot[Any]) -> bool:
        """Tell whether its own layers speak of a slot."""
        return slot in self.spoken

    def builder_of(self, slot: Slot[Any]) -> Any:
        """Return who builds the object of a slot; what lives in a scope is built where the scope is."""
        return self._builder if slot.scope != "app" else super().builder_of(slot)

    def keeper_of(self, slot: Slot[Any]) -> Any:
        """Return where a slot's object lives: the parent, this child, or the scope that is open."""
        if slot.scope != "app":
            return scopes.required(self, slot)
        return self if self.is_own(slot) else self.under.keeper_of(slot)

    def say(self, layers: Sequence[LayerContainer]) -> list[Cell]:
        """Say something else from now on; returns the cells that nobody reads any more."""
        with self._lock:
            self.said, self._spoken = tuple(layers), None
            return self.look_again()

    def look_again(self, outdated: Collection[Slot[Any]] = ()) -> list[Cell]:
        """
        Drop what was derived from another state; returns the cells that are not seen any more.

        Args:
            outdated: Slots to build again although the layers say the same.
        """
        with self._lock:
            self._own.clear()
            self._bindings.clear()
            self._selection = None
            old = self._cells
            same = (slot for slot, cell in old.items() if self.is_own(slot) and self._says_the_same(cell))
            kept = {slot: old[slot] for slot in same if slot not in outdated}
            self._cells = kept
            while stale := [slot for slot, cell in kept.items() if not self.is_fresh(cell)]:
                for slot in stale:  # what was built from it is stale next
                    del kept[slot]
            return [cell for slot, cell in old.items() if kept.get(slot) is not cell]

    def _says_the_same(self, cell: Cell) -> bool:
        if cell.binding is None:
            return True
        try:
            binding = self.winner(cell.slot)
        except OneiricError:
            return False
        is_like = binding.is_like(cell.binding) and cell.decorations == cell.slot.decorations
        return is_like and self.raw_settings(cell.slot, binding) == cell.settings

    def forget(self) -> None:
        """Look again: the parent changed, and so may what was built from its objects."""
        leases = self.renew_lease()
        if cells := self.look_again():
            self._stale(cells, leases)
        super().forget()

    def reset(self) -> None:
        """Forget every object of its own: the next use builds new ones."""
        with self._lock:
            self._cells.clear()
        super().forget()
