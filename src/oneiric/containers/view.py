"""A wiring as somebody sees it: some slots are filled otherwise, and what is built from these is the view's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from oneiric.containers.wiring import Wiring
from oneiric.core.errors import OneiricError
from oneiric.providers.slot import Cell, Slot

_numbers = count()  # in the order of their making


class View(Wiring):
    """
    What lies over another wiring. Everything that does not depend on what it fills otherwise is that one's.

    Args:
        name: Its name, for messages.
        under: What is seen through it.
    """

    def __init__(self, name: str, under: Wiring) -> None:
        super().__init__(name, under.stack)
        self.under = under
        self.fetch, self.fetch_now, self.due = under.fetch, under.fetch_now, under.due
        self._cells: dict[Slot[Any], Cell] = {}
        self._own: dict[Slot[Any], bool] = {}
        self._lock = under.stack.lock  # one for all: who changes the stack tells its views, and these ask the stack
        self.number = next(_numbers)

    def fills(self, slot: Slot[Any]) -> bool:
        """Tell whether the view itself says what fills a slot."""
        raise NotImplementedError

    def is_own(self, slot: Slot[Any]) -> bool:
        """Tell whether a slot is filled otherwise here, or its object is built from one that is."""
        with self._lock:
            if slot not in self._own:
                self._own[slot] = any(self.fills(found) for found in self._below(slot))
            return self._own[slot]

    def _below(self, slot: Slot[Any]) -> Iterator[Slot[Any]]:
        """Yield a slot and all that its object is built from; without recursion, since chains may be long."""
        work, seen = [slot], {slot}
        while work:
            holder = work.pop()
            yield holder
            if self.fills(holder) or holder.kind not in {"adapter", "object"}:
                continue
            try:
                found = [one for need in self.asks(holder).values() for one in self.answer(need).inputs]
            except OneiricError:
                continue  # the build says what is wrong
            work += [one for one in found if one not in seen]
            seen.update(found)

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot here."""
        if not self.is_own(slot):
            return self.under.cell_of(slot)
        with self._lock:
            return self._cells.setdefault(slot, Cell(slot))

    def own_cell(self, slot: Slot[Any]) -> Cell | None:
        """Return the cell of a slot whose object belongs to the view; None where it has none, or another's."""
        with self._lock:
            return self._cells.get(slot)

    def builder_of(self, slot: Slot[Any]) -> Any:
        """Return who builds the object of a slot: the view only what is its own."""
        return self._builder if self.is_own(slot) else self.under.builder_of(slot)

    def look_up(self, slot: Slot[Any]) -> Any:
        """Return the object of a slot as it is seen here."""
        return self.build(slot)

    def finished(self, cell: Cell, inputs: tuple[Cell, ...], built: Any) -> None:
        """Put a built object into its cell; one that a change made superfluous meanwhile is not shown again."""
        with self._lock:
            cell.inputs, cell.live = inputs, built
            if cell.slot.scope != "app":
                return
            is_shown = self._cells.get(cell.slot) is cell
            if is_shown and self.is_fresh(cell):
                return
            if is_shown:
                del self._cells[cell.slot]
                Wiring.forget(self)  # call sites that have found it there
            self.give_up(cell)

    def give_up(self, cell: Cell) -> None:
        """Close what was built for nobody, where that is not left to the end of the view."""

    def is_fresh(self, cell: Cell) -> bool:
        """Tell whether all that a cell was built from is what is seen now."""
        return all(self._seen(one.slot) is one for one in cell.inputs if one.slot.scope == "app")

    def _seen(self, slot: Slot[Any]) -> Cell | None:
        """Return the cell of a slot as it is seen here; None where there is none yet."""
        return self.own_cell(slot) if self.is_own(slot) else self.under.cell_of(slot)
