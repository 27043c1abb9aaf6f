"""What happens to built objects when a slot below them is overridden, and when the override ends."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric import INJECTED, Container, Inject, LayerContainer, inject
from tests.containers.shapes import Car, Clock, Engine, FixedClock, Garage


class Fleet:
    """A container of a garage made from a car and a clock; the car made from an engine."""

    def __init__(self) -> None:
        self.container = Container("t")
        self.container.slot("clock", Clock)
        self.container.slot("engine", Engine)
        self.container.provide("car")(make_car)
        self.container.provide("garage")(make_garage)
        self.container.override({"clock": FixedClock(), "engine": Engine()})

    def garage(self) -> Garage:
        """Return the garage as a caller sees it now."""
        found: Garage = self.container.services.garage()
        return found


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


@inject
def make_garage(car: Inject[Car] = INJECTED, clock: Inject[Clock] = INJECTED) -> Garage:
    """Make a garage."""
    return Garage(car, clock)


@pytest.fixture
def fleet() -> Fleet:
    """A fleet with everything bound, nothing built."""
    return Fleet()


def test_an_override_reaches_objects_two_steps_up(fleet: Fleet) -> None:
    """Overriding the engine rebuilds car and garage; leaving brings the same car and garage back."""
    before = fleet.garage()
    fake = Engine()

    with fleet.container.override({"engine": fake}):
        inside = fleet.garage()

    assert inside is not before
    assert inside.car.engine is fake
    assert fleet.garage() is before


def test_unrelated_objects_stay(fleet: Fleet) -> None:
    """Overriding the clock rebuilds the garage only: the car in it is the same."""
    before = fleet.garage()

    with fleet.container.override({"clock": FixedClock(9)}):
        inside = fleet.garage()

    assert inside.car is before.car
    assert inside.clock.now() == 9


def test_an_override_before_the_first_build_leaves_nothing_behind(fleet: Fleet) -> None:
    """What was first built inside an override is not seen after it."""
    fake = Engine()
    with fleet.container.override({"engine": fake}):
        inside = fleet.garage()

    after = fleet.garage()

    assert after is not inside
    assert after.car.engine is not fake


def test_a_map_is_one_change(fleet: Fleet) -> None:
    """Two slots overridden together give one new garage with both, and one restored garage."""
    before = fleet.garage()
    engine, clock = Engine(), FixedClock(3)

    with fleet.container.override({"engine": engine, "clock": clock}):
        inside = fleet.garage()
        again = fleet.garage()

    assert (inside.car.engine, inside.clock) == (engine, clock)
    assert again is inside
    assert fleet.garage() is before


@pytest.mark.parametrize("exits", [pytest.param(p, id="-".join(map(str, p))) for p in itertools.permutations(range(3))])
def test_interleaved_overrides_lead_back_to_the_first_objects(fleet: Fleet, exits: tuple[int, ...]) -> None:
    """Three overrides of two slots may end in any order; each state in between is right, and the last is the first."""
    before = fleet.garage()
    first, second, clock = Engine(), Engine(), FixedClock(5)
    handles = [fleet.container.override(m) for m in ({"engine": first}, {"clock": clock}, {"engine": second})]
    left = {0: first, 1: clock, 2: second}
    assert fleet.garage().car.engine is second

    for position in exits:
        handles[position].undo()
        del left[position]
        now = fleet.garage()
        assert now.car.engine is left.get(2, left.get(0, before.car.engine))
        assert now.clock is left.get(1, before.clock)

    assert fleet.garage() is before


def test_equal_settings_and_binding_keep_the_object(fleet: Fleet) -> None:
    """A layer below the winner changes nothing that anybody can see: nothing is rebuilt."""
    before = fleet.garage()

    with fleet.container.override(LayerContainer("profile", {"engine": Engine()})):
        inside = fleet.garage()

    assert inside is before


@given(st.lists(st.tuples(st.sampled_from(["engine", "clock"]), st.integers(0, 3), st.booleans()), max_size=14))
def test_any_sequence_of_overrides_shows_what_is_on_top(steps: list[tuple[str, int, bool]]) -> None:
    """At every moment the garage is made from the topmost bindings, and equal states give the same garage."""
    fleet = Fleet()
    base = fleet.garage()
    open_: list[tuple[str, object, object]] = []
    seen: dict[tuple[int, int], Garage] = {}
    for slot, position, put in steps:
        if put:
            value: object = Engine() if slot == "engine" else FixedClock()
            open_.append((slot, value, fleet.container.override({slot: value})))
        elif open_:
            _, _, handle = open_.pop(position % len(open_))
            handle.undo()  # type: ignore[attr-defined]
            seen.clear()
        engine = next((v for s, v, _ in reversed(open_) if s == "engine"), base.car.engine)
        clock = next((v for s, v, _ in reversed(open_) if s == "clock"), base.clock)
        now = fleet.garage()
        assert (now.car.engine, now.clock) == (engine, clock)
        assert seen.setdefault((id(engine), id(clock)), now) is now

    for _, _, handle in open_:
        handle.undo()  # type: ignore[attr-defined]
    assert fleet.garage() is base
