"""The descent: what is built before what, and what cannot be built at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from oneiric import Container, Named
from oneiric.containers.answer import Answer
from oneiric.containers.descent import below
from oneiric.containers.needs import Need, Way
from oneiric.core.errors import DependencyCycle, ScopeLeak
from oneiric.providers.slot import Cell, Slot


class Plan:
    """Slots that need each other as a table says."""

    def __init__(self, table: Mapping[str, str], scopes: Mapping[str, str] | None = None) -> None:
        owner = Container("plan")
        self.table = table
        self.slots = {
            name: Slot(owner, name, kind="object", child="services", scope=(scopes or {}).get(name, "app"))
            for name in table
        }

    def asks(self, slot: Slot) -> Mapping[str, Need]:
        """Return one need for each letter."""
        return {name: Need(slot.name, name, Named(name), None) for name in self.table[slot.name]}

    def answer(self, need: Need) -> Answer:
        """Return the slot of that name; none if it is not in the table."""
        slot = self.slots.get(need.parameter)
        return Answer(need, () if slot is None else (slot,))

    def cell_of(self, slot: Slot) -> Cell:
        """Return the cell that everybody sees."""
        return slot.cell


@pytest.mark.parametrize(
    ("table", "order"),
    [
        pytest.param({"a": ""}, [], id="needs nothing"),
        pytest.param({"a": "b", "b": "c", "c": ""}, ["c", "b"], id="a chain"),
        pytest.param({"a": "bc", "b": "d", "c": "d", "d": ""}, ["d", "b", "c"], id="a diamond"),
        pytest.param({"a": "bx", "b": ""}, ["b"], id="an optional one is absent"),
    ],
)
def test_each_slot_comes_after_all_that_it_needs(table: Mapping[str, str], order: list[str]) -> None:
    """Each once, and the slot itself is not among them."""
    plan = Plan(table)

    assert [slot.name for slot, _ in below(plan.slots["a"], Way(None, "slot a"), plan)] == order


def test_each_comes_with_the_way_to_it() -> None:
    """So that its failure can say who needed it."""
    plan = Plan({"a": "b", "b": "c", "c": ""})

    ways = [way.nodes() for _, way in below(plan.slots["a"], Way(Way(None, "handler"), "slot a"), plan)]

    assert ways == [("handler", "slot a", "slot b", "slot c"), ("handler", "slot a", "slot b")]


def test_what_is_built_is_left_out_with_all_below() -> None:
    """Nothing has to be built for it."""
    plan: Any = Plan({"a": "b", "b": "c", "c": ""})
    plan.slots["b"].cell.live = object()

    assert below(plan.slots["a"], Way(None, "slot a"), plan) == []


@pytest.mark.parametrize(
    ("table", "cycle"),
    [
        pytest.param({"a": "a"}, ("a", "a"), id="itself"),
        pytest.param({"a": "b", "b": "c", "c": "b"}, ("b", "c", "b"), id="below the start"),
        pytest.param({"a": "db", "b": "c", "c": "a", "d": ""}, ("a", "b", "c", "a"), id="through the start"),
    ],
)
def test_a_circle_is_refused_with_its_path(table: Mapping[str, str], cycle: tuple[str, ...]) -> None:
    """Only those that are on it are named."""
    plan = Plan(table)

    with pytest.raises(DependencyCycle) as caught:
        below(plan.slots["a"], Way(None, "slot a"), plan)

    assert caught.value.cycle == cycle


def test_a_slot_of_a_shorter_life_is_refused() -> None:
    """An object of the application would hold one of a request."""
    plan = Plan({"a": "b", "b": "c", "c": ""}, {"c": "request"})

    with pytest.raises(ScopeLeak) as caught:
        below(plan.slots["a"], Way(None, "slot a"), plan)

    assert caught.value.path == ("slot a", "slot b", "slot c")
