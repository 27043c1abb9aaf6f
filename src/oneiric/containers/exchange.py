"""The exchange: layers go and come as one change, after which slots show the cells that were built for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from oneiric.containers import cells
from oneiric.containers.layers import LayerContainer
from oneiric.containers.selection import Selection
from oneiric.containers.stack import Stack
from oneiric.providers.slot import Cell, Slot


class Planned(NamedTuple):
    """A state that is to come: what its layers say, and how often states had ended when that was found out."""

    selection: Selection
    changes: int


class Exchanged(NamedTuple):
    """
    What came of an exchange.

    Attributes:
        old: The cells whose objects are of no use any more, dependants first.
        is_as_planned: The state in force is the planned one: nothing else has changed meanwhile.
    """

    old: list[Cell]
    is_as_planned: bool


def exchange(
    stack: Stack,
    drop: Iterable[LayerContainer],
    put: Iterable[LayerContainer],
    made: Mapping[Slot[Any], Cell],
    planned: Planned,
) -> Exchanged:
    """
    Take layers away and put others in.

    Args:
        stack: The layers in force.
        drop: The layers to take away.
        put: The layers to apply, in that order.
        made: What was built beside, by slot.
        planned: The state that it was built for.
    """
    with stack.lock:
        before = {slot: slot.cell for slot in made}
        is_as_planned = stack.changes == planned.changes
        with stack.as_one() as moved:
            for layer in drop:
                stack.drop(layer)
            for layer in put:
                is_as_planned &= stack.put(layer) is layer
        stack.renew(moved, planned.selection if is_as_planned else None)
        for slot in {*moved}.difference(made):
            _keep(stack, slot)
        left = [cell for slot, cell in made.items() if not _show(stack, slot, cell, is_certain=is_as_planned)]
        stack.dependants |= {slot for slot, cell in made.items() if cell.inputs}
        shown = made if is_as_planned and not left else ()
        gone = cells.move([*moved, *made], stack.dependants, stack.state, stack.is_said, shown)
        stack.forgotten()
        old = [cell for cell in before.values() if cell.is_built and cell.slot.cell is not cell]
        told = [*reversed(old), *reversed(left)]
        return Exchanged([*told, *(cell for cell in gone if cell.is_built and cell not in told)], is_as_planned)


def _show(stack: Stack, slot: Slot[Any], cell: Cell, *, is_certain: bool) -> bool:
    """Let a slot show the cell that was made for it; False where layers, or decorations, say otherwise meanwhile."""
    if not is_certain or cell.binding is not slot.cell.binding:  # else it was built again since others change
        binding, raw = stack.state(slot)
        if binding is None or cell.binding is None or not binding.is_like(cell.binding):
            return False
        if (raw, slot.decorations) != (cell.settings, cell.decorations):
            return False
        cell.binding = binding
    slot.cell = cell
    return True


def _keep(stack: Stack, slot: Slot[Any]) -> None:
    """Let a slot keep its cell where another layer says the same as the one before."""
    old = slot.cell.binding
    binding, raw = stack.state(slot) if old is not None else (None, None)
    if old is None or binding is None or raw != slot.cell.settings:
        return
    if binding.is_like(old):
        slot.cell.binding = binding
