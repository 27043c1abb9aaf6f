"""The index: plain records of who fills what and who needs whom."""

from __future__ import annotations

from typing import Annotated

from oneiric import INJECTED, Container, Inject, Named, inject
from oneiric.adapters.cache import Cache
from tests.containers.shapes import Car, Clock, Engine, FixedClock, Garage


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


@inject
def make_garage(car: Inject[Car] = INJECTED, clock: Inject[Clock] = INJECTED) -> Garage:
    """Make a garage."""
    return Garage(car, clock)


@inject
def visit(garage: Annotated[Garage, Named("services.garage")] = INJECTED) -> None:
    """Need the garage."""


def village() -> Container:
    """Return a container with a chain of four."""
    container = Container("village")
    container.slot("engine", Engine)
    container.slot("clock", Clock)
    container.provide("car")(make_car)
    container.provide("garage")(make_garage)
    container.task("visit")(visit)
    container.override({"engine": Engine(), "clock": FixedClock()})
    return container


def test_levels_put_what_is_needed_first() -> None:
    """Every slot stands in a later level than all it needs."""
    container = village()
    index = container.index

    levels = index.levels([container.services.garage])

    assert [sorted(slot.name for slot in level) for level in levels] == [["clock", "engine"], ["car"], ["garage"]]


def test_a_path_leads_from_a_registered_function_down() -> None:
    """The way to a slot names everybody on it."""
    container = village()

    path = container.index.path_to(container.adapters.engine)

    assert path == ("task visit", "slot garage", "slot car", "slot engine")


def test_only_what_is_reached_is_used() -> None:
    """An adapter that nobody needs is not read: its module stays unimported."""
    container = village()

    used = {slot.name for slot in container.index.used}

    assert used == {"visit", "garage", "car", "clock", "engine"}


def test_users_are_found_backwards() -> None:
    """Who needs a slot is known by parameter."""
    container = village()

    users = [(record.node, need.parameter) for record, need in container.index.users(container.services.car)]

    assert users == [("slot garage", "car")]


def test_a_new_registration_makes_a_new_index() -> None:
    """The index belongs to one state; registering something drops it."""
    container = village()
    before = container.index

    container.slot("cache.sessions", Cache)

    assert container.index is not before
    assert any(slot.name == "cache.sessions" for slot in container.index.records)
