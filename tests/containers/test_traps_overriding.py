"""The traps of the engine around overriding: each first shown on the bare engine, then that ours holds."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from dependency_injector import wiring
from dependency_injector.containers import DeclarativeContainer
from dependency_injector.errors import Error as EngineError
from dependency_injector.providers import Coroutine, Factory, Object, Singleton

from oneiric import INJECTED, Application, Container, Inject, LayerContainer, Provide, inject
from oneiric.core.errors import OneiricError, UnknownSlot, WrongType
from tests.containers.shapes import Car, Engine, FixedClock
from tests.support.engine import wired


def workshop() -> Container:
    """A container with two slots of two types."""
    app = Container("workshop")
    app.slot("engine", Engine)
    app.slot("clock", FixedClock)
    return app


def test_trap_1_a_layer_that_covers_few_slots_leaves_alone() -> None:
    """Popping a partial layer of the engine raises half way, or pops the layer below; ours takes away only itself."""

    class Base(DeclarativeContainer):
        first = Object("base")
        second = Object("base")

    class Both(DeclarativeContainer):
        first = Object("both")
        second = Object("both")

    class FirstOnly(DeclarativeContainer):
        first = Object("partial")

    raising, popping = Base(), Base()
    raising.override(FirstOnly())
    with pytest.raises(EngineError):
        raising.reset_last_overriding()
    popping.override(Both())
    popping.override(FirstOnly())
    popping.reset_last_overriding()
    assert (popping.first(), popping.second()) == ("both", "base")

    app, low, high, clock = workshop(), Engine(), Engine(), FixedClock()
    both = app.override(LayerContainer("profile", {"engine": low, "clock": clock})).layer
    partial = app.override(LayerContainer("env", {"engine": high})).layer
    empty = app.override(LayerContainer("explicit", {})).layer

    assert app.adapters.engine() is high
    app.drop(partial)
    assert (app.adapters.engine(), app.adapters.clock()) == (low, clock)
    assert app.overridden == (both, empty)
    app.drop(empty)
    assert app.overridden == (both,)
    assert (app.adapters.engine(), app.adapters.clock()) == (low, clock)


@pytest.mark.slow
def test_trap_2_a_middle_layer_is_replaced_under_readers() -> None:
    """By hand a reader of the engine sees what lies below; of ours, two threads see the top layer for one second."""
    provider = Object("base")
    for layer in ("middle", "top"):
        provider.override(Object(layer))
    seen = [provider()]
    for _ in range(2):
        provider.reset_last_overriding()
        seen.append(provider())
    for layer in ("another", "top"):
        provider.override(Object(layer))
        seen.append(provider())
    assert seen == ["top", "middle", "base", "another", "top"]

    app, top = workshop(), Engine()
    app.override(LayerContainer("profile", {"engine": Engine()}))
    app.override(LayerContainer("env", {"engine": top}))
    stop, wrong, reads = threading.Event(), [], [0, 0]

    def read(position: int) -> None:
        try:
            while not stop.is_set():
                if (found := app.adapters.engine()) is not top:
                    wrong.append(found)
                reads[position] += 1
        except Exception as error:  # border: whatever a reader meets is a finding of this test
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    end, swaps = time.monotonic() + 1, 0
    while time.monotonic() < end:
        with app.override(LayerContainer("manifest", {"engine": Engine()})):
            swaps += 1
    stop.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert min(swaps, *reads) > 0


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


def test_trap_3_a_dependant_follows_an_override_and_returns() -> None:
    """One of the engine keeps the old object, or the fake for ever; ours is set aside and comes back, the same one."""
    engine = Singleton(Engine)
    stale = Singleton(Car, engine)
    stale()
    with engine.override(Object(fake := Engine())):
        assert stale().engine is not fake
    leaking = Singleton(Car, engine)
    with engine.override(Object(fake)):
        leaking()
    assert leaking().engine is fake

    app, real, ours = workshop(), Engine(), Engine()
    app.provide("car")(make_car)
    app.override({"engine": real})
    built = app.services.car()
    with app.override({"engine": ours}):
        inside = app.services.car()

    assert (built.engine, inside.engine) == (real, ours)
    assert app.services.car() is built

    fresh = workshop()
    fresh.provide("car")(make_car)
    fresh.override({"engine": real})
    with fresh.override({"engine": ours}):
        assert fresh.services.car().engine is ours
    assert fresh.services.car().engine is real


def test_trap_4_a_class_cannot_be_overridden() -> None:
    """The engine's override of a class misses its objects and what is inherited; ours is refused: `class-override`."""

    class Base(DeclarativeContainer):
        cache = Object("real")

    class Fakes(DeclarativeContainer):
        cache = Object("fake")

    class MoreFakes(Fakes): ...

    before = Base()
    Base.override(Fakes)
    assert (before.cache(), Base().cache()) == ("real", "fake")
    Base.reset_override()
    Base.override(MoreFakes)
    assert Base().cache() == "real"

    refused: list[str] = []
    calls: list[Any] = [
        lambda: Container.override({"engine": Engine()}),  # type: ignore[arg-type, call-arg]  # what is refused
        lambda: Application.override(MoreFakes),  # type: ignore[arg-type, call-arg]  # what is refused
        lambda: Application.local_override({}),  # type: ignore[arg-type, call-arg]  # what is refused
    ]
    for call in calls:
        with pytest.raises(OneiricError) as caught:
            call()
        refused.append(str(caught.value).splitlines()[0])

    assert refused == [
        f"error[class-override] class {owner} cannot be overridden: applications that exist would not see it"
        for owner in ("Container", "Application", "Application")
    ]
    app, engine = workshop(), Engine()
    with Container.override(app, {"engine": engine}):
        assert app.adapters.engine() is engine


@wiring.inject
def engines_own(cache: Any = wiring.Provide["cach"]) -> Any:
    """Return what the engine injects."""
    return cache


def test_trap_5_an_unknown_name_is_an_error() -> None:
    """A layer of the engine ignores it, and a call gets the marker; ours says the nearest name in both places."""

    class Base(DeclarativeContainer):
        cache = Object("real")

    class Misspelled(DeclarativeContainer):
        cach = Object("fake")

    container = Base()
    container.override(Misspelled())
    with wired(container, engines_own) as handlers:
        assert container.cache() == "real"
        assert isinstance(handlers.engines_own(), wiring.Provide)

    app = workshop()

    @inject
    def handler(engine: Any = Provide["enginee"]) -> Any:
        return engine

    with pytest.raises(UnknownSlot) as at_override:
        app.override({"enginee": Engine(), "clock": FixedClock()})
    with pytest.raises(UnknownSlot) as at_call:
        handler()

    assert at_override.value.fixes == at_call.value.fixes == ("did you mean engine or messaging?",)
    assert app.overridden == ()


def test_trap_6_what_does_not_fit_is_refused_at_the_override() -> None:
    """A `Singleton` of a class takes 42 in the engine; ours is `wrong-type` before anything is applied."""
    provider = Singleton(Engine)
    provider.override(42)
    assert provider() == 42

    app = workshop()
    for override in (
        app.adapters.engine.override,
        lambda value: app.override({"clock": FixedClock(), "engine": value}),
    ):
        with pytest.raises(WrongType) as caught:
            override(42)
        assert str(caught.value).splitlines()[0] == (
            "error[wrong-type] slot engine takes tests.containers.shapes:Engine, not a builtins:int object"
        )

    assert app.overridden == ()


async def engine_later() -> Engine:
    """Return an engine, as asynchronous code does."""
    await asyncio.sleep(0)
    return Engine()


@pytest.mark.asyncio
async def test_trap_7_an_asynchronous_override_leaves_no_future_behind() -> None:
    """A provider of the engine stays asynchronous afterwards; ours gives the object before, under it and after."""
    provider = Singleton(Engine)
    with provider.override(Coroutine(engine_later)):
        await provider()
    assert asyncio.isfuture(provider())

    app, first = workshop(), Engine()
    app.override({"engine": first})

    @inject
    async def handler(engine: Inject[Engine] = INJECTED) -> Engine:
        return engine

    assert (app.adapters.engine(), await handler()) == (first, first)
    with app.override({"engine": Coroutine(engine_later)}):
        inside = await handler()
        assert (type(inside), app.adapters.engine()) == (Engine, inside)
    assert (app.adapters.engine(), await handler()) == (first, first)
    with app.override({"engine": Factory(Engine)}):
        assert type(app.adapters.engine()) is Engine


@pytest.mark.asyncio
async def test_trap_9_overrides_of_two_tasks_do_not_meet() -> None:
    """In the engine one task sees and ends the override of another; ours are local, and end in any order."""
    provider = Object("real")
    first, second = provider.override("first"), provider.override("second")
    first.__exit__(None, None, None)
    assert provider() == "first"
    second.__exit__(None, None, None)
    assert provider() == "real"

    app, real = workshop(), Engine()
    app.override({"engine": real})
    both_inside, first_ended = asyncio.Barrier(2), asyncio.Event()

    async def isolated(is_first: bool) -> bool:
        mine = Engine()
        with app.local_override({"engine": mine}):
            await both_inside.wait()
            seen = app.adapters.engine() is mine
            if not is_first:
                await first_ended.wait()
                seen &= app.adapters.engine() is mine
        first_ended.set()
        return seen and app.adapters.engine() is real

    assert await asyncio.gather(isolated(True), isolated(False)) == [True, True]

    one, two = Engine(), Engine()
    lower, upper = app.override({"engine": one}), app.override({"engine": two})
    lower.undo()
    assert app.adapters.engine() is two
    upper.undo()
    assert app.adapters.engine() is real
