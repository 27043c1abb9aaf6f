"""The descent from a slot to what has to be built before it, so that each is built after all that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from oneiric.containers.answer import Answer
from oneiric.containers.needs import Need, Way
from oneiric.containers.scopes import DEPTH
from oneiric.core.errors import DependencyCycle, OneiricError, ScopeLeak
from oneiric.providers.slot import Cell, Slot


class Needing(Protocol):
    """What a descent asks of the container."""

    def asks(self, slot: Slot[Any]) -> Mapping[str, Need]:
        """Return what the slot's winner asks for, by parameter."""

    def answer(self, need: Need) -> Answer:
        """Return the slots that a need means."""

    def cell_of(self, slot: Slot[Any]) -> Cell:
        """Return the cell that holds the object of an app-scoped slot."""


def below(slot: Slot[Any], way: Way, plan: Needing) -> list[tuple[Slot[Any], Way]]:
    """
    Return the slots to build before `slot`, in that order, each with the way to it; without recursion.

    What is built for the application already is left out, with all below it.

    Raises:
        DependencyCycle: Slots need each other, so none of them can be built.
        ScopeLeak: An object that lives long would hold one that lives short.
        OneiricError: A slot that is needed is not declared, or nobody fills it.
    """
    order: list[tuple[Slot[Any], Way]] = []
    done: set[Slot[Any]] = set()
    on_way = {slot: None}  # a dict keeps the order
    work = [(slot, way, _inputs(slot, way, plan))]
    while work:
        holder, here, rest = work[-1]
        needed = next(rest, None)
        if needed is None:
            work.pop()
            on_way.pop(holder)
            done.add(holder)
            order.append((holder, here))
        elif needed in on_way:
            names = [other.name for other in on_way]
            raise DependencyCycle([*names[names.index(needed.name) :], needed.name])
        elif needed not in done and not (needed.scope == "app" and plan.cell_of(needed).is_built):
            there = Way(here, f"slot {needed.name}")
            on_way[needed] = None
            work.append((needed, there, _inputs(needed, there, plan)))
    return order[:-1]


def _inputs(slot: Slot[Any], way: Way, plan: Needing) -> Iterator[Slot[Any]]:
    if slot.kind not in {"adapter", "object"}:
        return  # a registered function is handed out as it is; what it needs is built when it is called
    needs: Mapping[str, Need] = {}
    try:
        needs = plan.asks(slot)
    except OneiricError as error:
        error.path = way.nodes()
        raise
    for need in needs.values():
        try:
            answer = plan.answer(need)
        except OneiricError as error:
            error.path = (*way.nodes(), need.at)
            raise
        for found in answer.inputs:
            if DEPTH[found.scope] > DEPTH[slot.scope]:
                held = f"slot {found.name}"
                raise ScopeLeak(f"slot {slot.name}", slot.scope, held, found.scope, path=(*way.nodes(), held))
            yield found
