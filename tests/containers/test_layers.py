"""Overrides: how they come, how they end, and what they refuse."""

from __future__ import annotations

import asyncio

import pytest
from dependency_injector import providers

from oneiric import Container, LayerContainer
from oneiric.core.errors import NoCandidate, UnknownSlot, WrongType
from tests.containers.shapes import Clock, Engine, FixedClock


@pytest.fixture
def container() -> Container:
    """A container with a clock slot and an engine slot, nothing bound."""
    made = Container("t")
    made.slot("clock", Clock)
    made.slot("engine", Engine)
    return made


def test_a_slot_override_ends_with_its_block(container: Container) -> None:
    """`slot.override` binds inside the `with`, and a slot that had nothing before has nothing afterwards."""
    fake = FixedClock()

    with container.adapters.clock.override(fake) as given:
        inside = container.adapters.clock()

    assert given is fake
    assert inside is fake
    with pytest.raises(NoCandidate):
        container.adapters.clock()


def test_an_override_is_taken_back_when_the_block_raises(container: Container) -> None:
    """An exception inside restores as a normal end does."""
    with pytest.raises(ZeroDivisionError), container.override({"clock": FixedClock()}):
        raise ZeroDivisionError

    assert container.overridden == ()


def test_several_overrides_end_in_any_order(container: Container) -> None:
    """Each takes away only itself, whichever ends first."""
    first, second, third = FixedClock(1), FixedClock(2), FixedClock(3)
    handles = [container.override({Clock: clock}) for clock in (first, second, third)]

    handles[1].undo()
    after_middle = container.adapters.clock()
    handles[2].undo()
    after_last = container.adapters.clock()

    assert after_middle is third
    assert after_last is first
    handles[0].undo()
    handles[0].undo()
    assert container.overridden == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("clock", FixedClock(7), id="an instance, by name"),
        pytest.param(Clock, FixedClock(7), id="an instance, by type"),
        pytest.param("adapters.clock", FixedClock(7), id="by name with its child container"),
        pytest.param("clock", providers.Object(FixedClock(7)), id="an engine provider of an object"),
        pytest.param("clock", providers.Singleton(FixedClock, 7), id="an engine singleton"),
    ],
)
def test_an_override_takes_objects_and_providers(container: Container, key: object, value: object) -> None:
    """Whatever is bound, calling the slot gives an object, and the same one each time."""
    with container.override({key: value}):
        found = container.adapters.clock()

        assert found.now() == 7
        assert container.adapters.clock() is found


def test_a_class_is_built_when_it_is_needed(container: Container) -> None:
    """A class bound to a slot stands for one object of it."""
    with container.override({"engine": Engine}):
        found = container.adapters.engine()

        assert type(found) is Engine
        assert container.adapters.engine() is found


def test_an_unknown_name_applies_nothing(container: Container) -> None:
    """A map with one wrong name is refused as a whole, with the nearest name."""
    with pytest.raises(UnknownSlot) as caught:
        container.override({"clock": FixedClock(), "enigne": Engine()})

    assert caught.value.fixes == ("did you mean engine?",)
    assert container.overridden == ()


@pytest.mark.parametrize(
    ("key", "value", "missing"),
    [
        pytest.param("clock", 42, ("now",), id="a number for a Protocol"),
        pytest.param("clock", Engine, ("now",), id="a class that lacks a method"),
        pytest.param("engine", FixedClock(), (), id="an object of another class"),
        pytest.param("clock", providers.Object(42), ("now",), id="an engine provider of a number"),
    ],
)
def test_what_does_not_fit_is_refused(container: Container, key: str, value: object, missing: tuple[str, ...]) -> None:
    """The error names the members that are missing; nothing is applied."""
    with pytest.raises(WrongType) as caught:
        container.override({"engine": Engine(), key: value})

    assert caught.value.missing == missing
    assert container.overridden == ()


def test_a_decorated_function_has_the_override_during_each_call(container: Container) -> None:
    """As a decorator an override is in force while the function runs, and at no other time."""
    fake = FixedClock()

    @container.override({"clock": fake})
    def read() -> object:
        return container.adapters.clock()

    outside = container.overridden

    assert outside == ()
    assert read() is fake
    assert read() is fake
    assert container.overridden == ()


def test_a_decorated_coroutine_function_has_the_override_while_it_is_awaited(container: Container) -> None:
    """The override lasts over awaits."""
    fake = FixedClock()

    @container.override({"clock": fake})
    async def read() -> object:
        await asyncio.sleep(0)
        return container.adapters.clock()

    assert asyncio.run(read()) is fake
    assert container.overridden == ()


def test_an_async_with_block_ends_an_override(container: Container) -> None:
    """`async with` is the same as `with`, and waits for what has to be closed."""

    async def run() -> object:
        async with container.override({"clock": (fake := FixedClock())}):
            assert container.adapters.clock() is fake
        return container.overridden

    assert asyncio.run(run()) == ()


def test_the_engine_names_work_on_a_slot(container: Container) -> None:
    """`overridden`, `last_overriding`, `reset_last_overriding` and `reset_override` act on the slot's own stack."""
    slot = container.adapters.clock
    first, second = FixedClock(1), FixedClock(2)
    slot.override(first)
    slot.override(second)

    bound = [provider() for provider in slot.overridden]
    last = slot.last_overriding()
    slot.reset_last_overriding()
    after_one = slot()
    slot.reset_override()

    assert bound == [first, second]
    assert last is second
    assert after_one is first
    assert slot.overridden == ()
    assert slot.last_overriding is None


def test_override_providers_of_the_engine_reaches_slots(container: Container) -> None:
    """The engine's own `override_providers` on a child container goes through the slots."""
    fake = FixedClock()

    with container.adapters.override_providers(clock=fake):
        inside = container.adapters.clock()

    assert inside is fake


def test_a_layer_of_no_known_name_is_refused() -> None:
    """A layer's name decides its rank, so there is a closed list of them."""
    with pytest.raises(ValueError, match='no layer is named "mainfest"'):
        LayerContainer("mainfest", {})


def test_a_layer_yields_the_providers_it_binds() -> None:
    """A layer is a container: its objects can be traversed as providers."""
    engine = Engine()
    layer = LayerContainer("env", {"engine": engine, "cache": "memory"})

    found = [provider() for provider in layer.traverse()]

    assert found == [engine]


def test_a_decorated_function_may_call_itself(container: Container) -> None:
    """The end of the inner call does not end the override of the outer one."""
    fake = FixedClock()

    @container.override({"clock": fake})
    def count(left: int) -> list[object]:
        deeper = count(left - 1) if left else []
        return [*deeper, container.adapters.clock()]

    assert count(2) == [fake, fake, fake]
    with pytest.raises(NoCandidate):
        container.adapters.clock()
