"""The next state of a container, built beside the one that serves, and not seen before all of it is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from oneiric.containers import cells, scopes
from oneiric.containers.exchange import Planned
from oneiric.containers.index import Index
from oneiric.containers.layers import LayerContainer
from oneiric.containers.sections import Sections
from oneiric.containers.selection import SECRETS, Selection
from oneiric.containers.slots import Slots
from oneiric.containers.validation import settings_faults, state_faults
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import OneiricError
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Binding, Cell, Slot

_SWEEPING = frozenset({SECRETS, "remote"})  # sections that say which secrets count


@dataclass(frozen=True, slots=True)
class _Next:
    """The next state, as validation looks at one."""

    wiring: Wiring
    slots: Slots
    sections: Sections
    index: Index


class Beside(Wiring):
    """
    A container as it will be.

    Slots that are filled otherwise, and the objects built from them, get cells of their own here; everything else is
    what serves already.

    Args:
        whole: The wiring that serves.
        selection: What the layers will say.
        layers: The layers that go and come.
        eager: Build changed slots although nobody has used them yet.
        anew: Slots to build again although the layers say the same of them.
    """

    def __init__(
        self,
        whole: Wiring,
        selection: Selection,
        layers: Sequence[LayerContainer],
        *,
        eager: bool = False,
        anew: Collection[Slot[Any]] = (),
    ) -> None:
        super().__init__(whole.name, whole.stack)
        self.whole = whole
        self.opener, self.fetch, self.fetch_now, self.due = whole.opener, whole.fetch, whole.fetch_now, whole.due
        self.planned = Planned(selection, whole.stack.changes)
        self._bindings: dict[Slot[Any], Binding] = {}
        self._layers, self._anew = layers, anew
        spoken = dict.fromkeys(slot for layer in layers for slot in whole.stack.spoken(layer))
        self._spoken = spoken | dict.fromkeys(anew)
        self.made: dict[Slot[Any], Cell] = {}
        self.index: Index | None = None  # made when faults are looked for
        self.changed = [slot for slot in self._spoken if slot in anew or self._differs(slot)]
        reached = cells.reached(self.changed, whole.stack.dependants)
        self.rebuilt = [
            slot for slot in reached if slot.scope == "app" and (slot.cell.is_built or (eager and slot in spoken))
        ]
        self._own = {*self.changed, *reached}

    @property
    def root(self) -> Wiring:
        """The wiring that scopes belong to."""
        return self.whole

    @property
    def selection(self) -> Selection:
        """What the layers will say."""
        return self.planned.selection

    def decide(self, cell: Cell) -> Binding:
        """Return the winning binding of a cell's slot, and note it in the cell; that of the old cell where it stays."""
        slot, old = cell.slot, cell.slot.cell
        if cell.binding is None and slot not in self._spoken and old.binding is not None:
            cell.settings, cell.decorations, cell.binding = old.settings, slot.decorations, old.binding
        return super().decide(cell)

    def voices(self, slot: Slot[Any]) -> Sequence[Binding]:
        """Return what layers will say about a slot, high to low."""
        return self.stack.voices_in(slot, self.selection)

    def winner(self, slot: Slot[Any]) -> Binding:
        """Return the binding that will fill a slot. Raises Refused if nobody will."""
        if slot not in self._spoken:
            return self.whole.winner(slot)  # nobody says anything else of it, and there may be thousands of them
        if slot not in self._bindings:
            self._bindings[slot] = self.stack.winner_in(slot, self.selection)
        return self._bindings[slot]

    def _differs(self, slot: Slot[Any]) -> bool:
        """Tell whether a slot will be filled by another one, or with other settings."""
        (binding, fault), (other, other_fault) = self.look(slot), self.whole.look(slot)
        if binding is None or other is None:
            return (fault and fault.code) != (other_fault and other_fault.code)
        is_like = binding.is_like(other)
        return not is_like or self.raw_settings(slot, binding) != self.whole.raw_settings(slot, other)

    def faults(self, sections: Sections, before: Index) -> Iterator[OneiricError]:
        """
        Yield why the next state cannot be: unknown names, cycles, leaks, unfilled slots, settings that do not fit.

        Nothing is told of what the change does not touch. Every secret is touched by a change of the store.

        Args:
            sections: The sections of the configuration.
            before: The index of the state that serves.
        """
        stack = self.stack
        come = [layer for layer in self._layers if layer not in stack.applied]
        index = self.index = Index(self, before, self._spoken)
        among: Collection[Slot[Any]] | None = None
        if not self._is_sweeping:
            sections = sections.about({key for layer in self._layers for key in layer.settings})
            among = index.fresh
        told = state_faults(_Next(self, stack.slots, sections, index), come, among)
        yield from told
        known = {fault.message for fault in told}  # the same fault of settings, which knows who needs them as well
        for slot in self.rebuilt:
            if slot not in self._spoken or slot in index.used:
                continue  # nothing is said of its settings, or they were looked at
            try:
                found = self.values_of(slot, self.winner(slot))
            except OneiricError:
                continue  # the index has told
            if found is not None:
                yield from (fault for fault in settings_faults(*found) if fault.message not in known)

    def index_in_force(self) -> Index | None:
        """Return the index of this state for the container that is in it now."""
        if self.index is not None:
            self.index.rebind(self.whole, self._spoken)
        return self.index

    @property
    def _is_sweeping(self) -> bool:
        """Whether the change may touch every setting: by other secrets, or by another say of who reads them."""
        if self._anew or any(slot.name == SECRETS for slot in self._spoken):
            return True
        keys = (key.partition(".")[0].lower() for layer in self._layers for key in layer.settings)
        return any(layer.trust == "remote" for layer in self._layers) or not _SWEEPING.isdisjoint(keys)

    def is_own(self, slot: Slot[Any]) -> bool:
        """Tell whether the slot's object will be another one."""
        return slot in self._own

    def builder_of(self, slot: Slot[Any]) -> Any:
        """Return who builds the object of a slot."""
        return self._builder if self.is_own(slot) else self.whole.builder_of(slot)

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that will hold the object of an app-scoped slot."""
        if not self.is_own(slot):
            return slot.cell
        cell = self.made.get(slot)
        if cell is None:
            cell = self.made[slot] = Cell(slot)
        return cell

    async def make(self, slot: Slot[Any]) -> None:
        """Build and open the object of a slot; what it needs comes before it in `rebuilt`, or serves already."""
        cell = self.cell_of(slot)
        if not cell.is_built:
            await self._builder.make_alone(cell, self)

    def keeper_of(self, slot: Slot[Any]) -> Any:
        """Return where a slot's object lives."""
        if slot.scope != "app":
            return scopes.required(self.whole, slot)
        return self if self.is_own(slot) else self.whole

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Remember how to close what was built."""
        self.whole.keep(cell, closer)

    async def open(self, cell: Cell, built: Any, settings: Any = None) -> None:
        """Open what was built."""
        await self.whole.open(cell, built, settings)

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell, which nobody reads before the change is made."""
        cell.inputs, cell.live = inputs, built
