"""
Which cell a slot shows after a change.

A cell stands for one state of a slot: its winning binding, the cells of the slots it was built from, and its settings.
A change moves every slot that it reaches to the cell of its new state. The old cell is set aside with the object in it;
if a later change leads back to that state, the same object returns.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from oneiric.providers.slot import Binding, Cell, Raw, Slot

StateOf = Callable[[Slot[Any]], tuple[Binding | None, Raw | None]]
IsSaid = Callable[[Cell], bool]


def reached(changed: Iterable[Slot[Any]], every: Iterable[Slot[Any]]) -> list[Slot[Any]]:
    """
    Return the changed slots, and after them every slot that has, or set aside, an object built from one of these.

    Each slot comes after those it was built from.
    """
    dependants: dict[Slot[Any], dict[Slot[Any], None]] = {}
    for slot in every:
        for cell in (slot.cell, *slot.stash) if slot.stash else (slot.cell,):
            for source in cell.inputs:
                dependants.setdefault(source.slot, {})[slot] = None
    if not dependants:
        return list(dict.fromkeys(changed))
    order: list[Slot[Any]] = []
    seen: set[Slot[Any]] = set()
    for start in changed:
        _visit(start, dependants, seen, order)
    return order[::-1]


def _visit(
    start: Slot[Any], dependants: Mapping[Slot[Any], Iterable[Slot[Any]]], seen: set[Slot[Any]], order: list[Slot[Any]]
) -> None:
    """Append in post-order, without recursion."""
    if start in seen:
        return
    seen.add(start)
    work = [(start, iter(dependants.get(start, ())))]
    while work:
        slot, rest = work[-1]
        for following in rest:
            if following in seen:
                continue
            seen.add(following)
            if following in dependants:
                work.append((following, iter(dependants[following])))
                break
            order.append(following)
        else:
            order.append(slot)
            work.pop()


def move(
    changed: Iterable[Slot[Any]],
    every: Iterable[Slot[Any]],
    state_of: StateOf,
    is_said: IsSaid,
    settled: Container[Slot[Any]] = (),
) -> list[Cell]:
    """
    Move slots to the cells of their new states.

    Args:
        changed: The slots whose bindings or settings changed.
        every: All slots that may have been built from them.
        state_of: The winning binding and the settings of a slot as they are now.
        is_said: Whether the layers still say all that a cell stands for, perhaps below others.
        settled: Those that show the cell of their new state already.

    Returns:
        The cells that no state leads back to any more, dependants first: what was built in them can be closed.
    """
    order = reached(changed, every)
    for slot in order:
        if slot in settled:
            continue
        old = slot.cell
        decided = old.binding is not None or old.attempt is not None
        if not decided and not slot.stash:
            continue  # nothing was built yet, so nothing is stale and nothing can return
        binding, settings = state_of(slot)
        if decided and _fits(old, binding, settings):
            continue
        found = next((cell for cell in slot.stash if _fits(cell, binding, settings)), None)
        if decided:
            slot.stash = (*slot.stash, old)
            slot.cell = Cell(slot)
        if found is not None:
            slot.stash = tuple(cell for cell in slot.stash if cell is not found)
            slot.cell = found
    return [cell for slot in reversed(order) if slot.stash for cell in _forgotten(slot, is_said)]


def _fits(cell: Cell, binding: Binding | None, settings: Raw | None) -> bool:
    """Tell whether a cell stands for a state, and all it was built from is what its slots show now."""
    if cell.binding is not binding or cell.settings != settings or cell.decorations != cell.slot.decorations:
        return False
    return not any(source.slot.cell is not source for source in cell.inputs)


def _forgotten(slot: Slot[Any], is_said: IsSaid) -> list[Cell]:
    """Take the cells out of the stash that no change leads back to, and what was built from such a cell."""
    gone = [cell for cell in slot.stash if not (_has_inputs(cell) and is_said(cell))]
    if gone:
        slot.stash = tuple(cell for cell in slot.stash if cell not in gone)
    return gone


def _has_inputs(cell: Cell) -> bool:
    """Tell whether all that a cell was built from is shown, or set aside."""
    return all(source.slot.cell is source or source in source.slot.stash for source in cell.inputs)
