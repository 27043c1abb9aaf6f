"""Local overrides: what is built under one is its own, and is closed at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import create_model

from oneiric import INJECTED, AdapterSettings, Application, Container, Inject, Inputs, Named, inject
from oneiric.providers.adapter import ObjectProvider
from tests.containers.shapes import Car, Clock, Engine, FixedClock

REAL = Engine()


@pytest.fixture
def app() -> Container:
    """A container with an engine."""
    app = Container("workshop")
    app.slot("engine", Engine)
    app.slot("clock", Clock)
    app.override({"engine": REAL, "clock": FixedClock()})
    return app


LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Each test has a log of its own."""
    LOG.clear()


def hired(engine: Inject[Engine] = INJECTED) -> Iterator[Car]:
    """Make a car that is given back."""
    LOG.append("hire")
    yield Car(engine)
    LOG.append("return")


async def hired_later(engine: Inject[Engine] = INJECTED) -> AsyncIterator[Car]:
    """As `hired`, asynchronously."""
    LOG.append("hire")
    yield Car(engine)
    await asyncio.sleep(0)
    LOG.append("return")


class Hired(Car):
    """A car with a life of its own."""

    def __init__(self, engine: Inject[Engine] = INJECTED) -> None:
        super().__init__(engine)

    async def open(self) -> None:
        """Say so."""
        LOG.append("hire")

    async def close(self) -> None:
        """Say so."""
        LOG.append("return")


@pytest.mark.parametrize("make", [hired, hired_later, Hired], ids=["generator", "async generator", "open and close"])
@pytest.mark.asyncio
async def test_what_is_built_under_it_is_closed_at_its_end(make: Any, tmp_path: Path) -> None:
    """Once, and the object of all stays open until the application stops."""
    app = Application("hire", inputs=Inputs(environ={}, folder=tmp_path))
    app.slot("engine", Engine)
    app.override({"engine": REAL})
    app.provide("hired")(make)

    async with app:
        outside = await drive()
        async with app.local_override({"engine": Engine()}) as given:
            inside = await drive()
            assert LOG == ["hire", "hire"]
        assert LOG == ["hire", "hire", "return"]
        assert await drive() is outside
    assert LOG == ["hire", "hire", "return", "return"]

    assert inside.engine is given["engine"]


@inject
async def drive(car: Annotated[Car, Named("hired")] = INJECTED) -> Car:
    """Return the car."""
    return car


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "with"])
def test_synchronous_code_closes_what_was_built_under_it(app: Container, undo: bool) -> None:
    """A view keeps closers itself: it needs no application with a life."""
    app.provide("hired")(hired)

    handle = app.local_override({"engine": Engine()})
    app.services.hired()
    if undo:
        handle.undo()
    else:
        with handle:
            pass

    assert LOG == ["hire", "return"]


def test_an_inner_end_keeps_what_the_outer_one_built(app: Container) -> None:
    """What was built under the outer one alone is closed by the outer one."""
    app.provide("hired")(hired)

    with app.local_override({"engine": Engine()}):
        outer = app.services.hired()
        with app.local_override({"engine": Engine()}):
            inner = app.services.hired()
        assert LOG == ["hire", "hire", "return"]
        again = app.services.hired()
    assert LOG == ["hire", "hire", "return", "return"]

    assert again is outer is not inner


def test_what_fails_to_close_is_told_after_all_is_closed(app: Container) -> None:
    """The failures come together, and the override has ended."""

    @app.provide("broken")
    def broken(car: Annotated[Car, Named("hired")] = INJECTED) -> Iterator[object]:
        yield object()
        raise LookupError("cannot")

    app.provide("hired")(hired)
    handle = app.local_override({"engine": Engine()})
    app.services.broken()

    with pytest.raises(ExceptionGroup) as caught:
        handle.undo()

    assert [str(failure) for failure in caught.value.exceptions] == ["cannot"]
    assert LOG == ["hire", "return"]
    assert app.adapters.engine() is REAL


def test_objects_of_a_scope_are_its_own_as_well(app: Container) -> None:
    """In one request, the session of all and the one of the view are two, and each is closed by the scope."""
    app.provide("hired", scope="request")(hired)
    mine = Engine()

    with app.scope("request"):
        outside = app.services.hired()
        with app.local_override({"engine": mine}):
            inside = app.services.hired()
            assert app.services.hired() is inside
        assert app.services.hired() is outside
        assert LOG == ["hire", "hire"]

    assert (outside.engine, inside.engine) == (REAL, mine)
    assert LOG == ["hire", "hire", "return", "return"]


class Turbo(Engine):
    """Another engine."""


def test_a_nested_one_of_another_slot_keeps_what_the_outer_one_built(app: Container) -> None:
    """The same object is seen through it, and nothing is built twice."""
    app.provide("hired")(hired)

    with app.local_override({"engine": Turbo}):
        outer = app.adapters.engine(), app.services.hired()
        with app.local_override({"clock": FixedClock()}):
            inner = app.adapters.engine(), app.services.hired()

    assert inner == outer
    assert LOG == ["hire", "return"]


def test_the_end_of_an_outer_one_keeps_what_the_inner_one_built_without_it(app: Container) -> None:
    """Its own object stays; what was built from the one that ended is built anew."""
    app.provide("car")(make_car)
    outer = app.local_override({"engine": Engine()})
    with app.local_override({"clock": FixedClock}):
        clock, car = app.adapters.clock(), app.services.car()
        outer.undo()

        assert app.adapters.clock() is clock
        assert car.engine is not REAL
        assert app.services.car().engine is REAL


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


class Part:
    """What a slot holds."""


@inject
async def aget_part(part: Annotated[Part, Named("part")] = INJECTED) -> Part:
    """Return the part that this call sees."""
    return part


def store_with(field: str) -> type[Any]:
    """Return a class of always the same name, with one setting of its own."""
    settings = create_model("Settings", __base__=AdapterSettings, **{field: (int, 1)})

    def begin(self: Any, settings: Any) -> None:
        self.settings = settings

    return type("Store", (Part,), {"Settings": settings, "__init__": begin})


def test_a_local_override_by_a_class_of_the_same_name_has_its_own_settings() -> None:
    """Both stand below one key; what was decided for the one is not what the other takes."""
    app = Container("workshop")
    app.slot("part", Part)
    app.override({"part": store_with("size")})
    app.adapters.part()

    with app.local_override({"part": store_with("place")}):
        assert app.adapters.part().settings.place == 1


@pytest.mark.parametrize("attempt", range(20))
def test_what_one_local_override_made_of_another_s_object_follows_the_application(attempt: int) -> None:
    """The lower one looks again first, and then the one above it, whichever of them the memory holds first."""
    app = Container(f"workshop {attempt}")
    for name in ("top", "middle", "base"):
        app.slot(name, Part)
    app.override({"top": Part(), "middle": Part(), "base": Part()})

    class Middle(Part):
        def __init__(self, base: Annotated[Part, Named("base")] = INJECTED) -> None:
            self.base = base

    class Top(Part):
        def __init__(self, middle: Annotated[Middle, Named("middle")] = INJECTED) -> None:
            self.middle = middle

    with app.local_override({"middle": Middle}), app.local_override({"top": Top}):
        app.adapters.top()
        new = Part()
        with app.override({"base": new}):
            assert app.adapters.top().middle.base is new


@pytest.mark.asyncio
async def test_who_is_cancelled_at_the_end_of_a_local_override_is_so_when_all_is_closed() -> None:
    """The closer that was at work is cut off, and those that follow are not."""
    begun = asyncio.Event()

    class Quick(Part):
        async def open(self) -> None:
            LOG.append("open")

        async def close(self) -> None:
            LOG.append("closed")

    class Slow(Quick):
        def __init__(self, below: Annotated[Part, Named("below")] = INJECTED) -> None:
            self.below = below

        async def close(self) -> None:
            begun.set()
            await asyncio.Event().wait()

    app = Application("workshop", inputs=Inputs(environ={}))
    app.slot("part", Part)
    app.slot("below", Part)
    app.override({"part": Part(), "below": Part()})

    async def work() -> None:
        async with app.local_override({"part": Slow, "below": Quick}):
            await aget_part()

    async with app:
        app.make_default()
        working = asyncio.create_task(work())
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    assert LOG == ["open", "open", "closed"]


@pytest.mark.asyncio
async def test_a_resource_of_a_local_override_ends_in_the_context_that_it_began_in() -> None:
    """What it has set in a context variable can be taken back only there."""
    here: ContextVar[str] = ContextVar("here", default="outside")

    def inside() -> Iterator[Part]:
        token = here.set("inside")
        yield Part()
        here.reset(token)

    app = Application("workshop", inputs=Inputs(environ={}))
    app.slot("part", Part)
    app.override({"part": Part()})
    async with app:
        app.make_default()
        async with app.local_override({"part": ObjectProvider(inside)}):
            app.adapters.part()
            assert here.get() == "inside"
        assert here.get() == "outside"
