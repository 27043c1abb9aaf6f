"""Local overrides: what one context sees, and everybody else does not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, inject, using
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.core.errors import SelectionUnknown, UnknownSlot, WrongType
from tests.containers.shapes import Car, Clock, Engine, FixedClock

REAL = Engine()
TIMEOUT_S = 10


@inject
def get(engine: Inject[Engine] = INJECTED) -> Engine:
    """Return the engine that this call sees."""
    return engine


@inject
async def aget(engine: Inject[Engine] = INJECTED) -> Engine:
    """As `get`, in asynchronous code."""
    return engine


@inject
def make_car(engine: Inject[Engine] = INJECTED) -> Car:
    """Make a car."""
    return Car(engine)


@pytest.fixture
def app() -> Container:
    """A container with an engine, and a car that is made from it."""
    app = Container("workshop")
    app.slot("engine", Engine)
    app.slot("clock", Clock)
    app.provide("car")(make_car)
    app.override({"engine": REAL, "clock": FixedClock()})
    return app


def seen(app: Container) -> tuple[Engine, Engine]:
    """Return the engine that a call sees, and the one that the slot shows."""
    return get(), app.adapters.engine()


@pytest.mark.asyncio
async def test_interleaved_tasks_do_not_see_each_other(app: Container) -> None:
    """A hundred tasks with an override each, all in force at once: each sees its own throughout."""
    all_inside = asyncio.Barrier(100)

    async def task() -> list[bool]:
        mine = Engine()
        with app.local_override({"engine": mine}):
            await all_inside.wait()
            first = seen(app) == (mine, mine) and await aget() is mine
            await all_inside.wait()
            second = seen(app) == (mine, mine)
        return [first, second, get() is REAL]

    assert await asyncio.gather(*(task() for _ in range(100))) == [[True, True, True]] * 100
    assert seen(app) == (REAL, REAL)


@pytest.mark.asyncio
async def test_what_copies_the_context_sees_it(app: Container) -> None:
    """Tasks that are created inside do, and `asyncio.to_thread`; a task that was created before does not."""
    mine, begun = Engine(), asyncio.Event()

    async def before() -> Engine:
        await begun.wait()
        return get()

    earlier = asyncio.create_task(before())
    await asyncio.sleep(0)
    with app.local_override({"engine": mine}):
        begun.set()
        inside = [await aget(), await asyncio.create_task(aget()), await asyncio.to_thread(get)]
        other = await earlier

    assert inside == [mine, mine, mine]
    assert other is REAL


def test_threads_that_are_started_by_hand_do_not_see_it(app: Container) -> None:
    """Nor does a bare pool; one that runs in a copied context does."""
    mine, found = Engine(), []

    with app.local_override({"engine": mine}), ThreadPoolExecutor(1) as pool:
        thread = threading.Thread(target=lambda: found.append(get()))
        thread.start()
        thread.join(TIMEOUT_S)
        found.append(pool.submit(get).result(TIMEOUT_S))
        found.append(pool.submit(contextvars.copy_context().run, get).result(TIMEOUT_S))

    assert found == [REAL, REAL, mine]


@pytest.mark.asyncio
async def test_a_task_that_outlives_the_block_sees_what_everybody_sees(app: Container) -> None:
    """What was built under the override is closed by then, so nobody may get it any more."""
    ended = asyncio.Event()

    async def later() -> Engine:
        await ended.wait()
        return get()

    with app.local_override({"engine": Engine()}):
        task = asyncio.create_task(later())
    ended.set()

    assert await task is REAL


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((0, 1, 2), id="outermost first"),
        pytest.param((2, 1, 0), id="innermost first"),
        pytest.param((1, 0, 2), id="the middle first"),
        pytest.param((1, 2, 0), id="the middle, then the innermost"),
        pytest.param((0, 2, 1), id="the middle last"),
        pytest.param((2, 0, 1), id="the innermost, then the outermost"),
    ],
)
def test_nested_ones_end_in_any_order(app: Container, order: tuple[int, ...]) -> None:
    """Each takes away only itself: the latest of those that are left is seen."""
    engines = [Engine(), Engine(), Engine()]
    handles = [app.local_override({"engine": engine}) for engine in engines]
    left = [0, 1, 2]

    for position in order:
        assert seen(app) == (engines[left[-1]], engines[left[-1]])
        handles[position].undo()
        left.remove(position)

    assert seen(app) == (REAL, REAL)


def test_nested_ones_of_two_slots_are_seen_together(app: Container) -> None:
    """An inner one leaves what the outer one says about other slots."""
    engine, clock = Engine(), FixedClock(7)

    with app.local_override({"engine": engine}):
        with app.local_override({"clock": clock}):
            inside = app.adapters.engine(), app.adapters.clock()
        after = app.adapters.engine(), app.adapters.clock() is clock

    assert inside == (engine, clock)
    assert after == (engine, False)


def test_an_undo_may_be_repeated_and_an_exception_restores(app: Container) -> None:
    """A block that fails ends its override all the same."""
    handle = app.local_override({"engine": Engine()})
    handle.undo()
    handle.undo()
    with pytest.raises(LookupError), app.local_override({"engine": Engine()}):
        raise LookupError

    assert seen(app) == (REAL, REAL)


def test_a_block_hands_on_what_was_given(app: Container) -> None:
    """The map itself, as with the override of all."""
    values = {"engine": Engine()}

    with app.local_override(values) as given:
        assert given is values


def test_dependants_are_its_own_and_those_of_all_stay_the_same(app: Container) -> None:
    """A car built inside has the fake and is gone afterwards; the one built before is untouched."""
    mine, before = Engine(), app.services.car()

    with app.local_override({"engine": mine}):
        inside, again = app.services.car(), app.services.car()

    assert inside is again
    assert (inside.engine, before.engine) == (mine, REAL)
    assert app.services.car() is before


def test_what_is_first_built_inside_is_not_left_behind(app: Container) -> None:
    """Nothing was built before: the one of all is made from the real engine when it is needed."""
    with app.local_override({"engine": Engine()}) as given:
        assert app.services.car().engine is given["engine"]

    assert app.services.car().engine is REAL


def test_what_does_not_depend_on_it_is_the_object_of_all(app: Container) -> None:
    """Built inside or outside: there is one."""
    with app.local_override({"engine": Engine()}):
        inside = app.adapters.clock()
        cache = app.adapters.cache

    assert app.adapters.clock() is inside
    assert app.adapters.cache is cache


def test_a_decorated_function_sees_it_during_each_call(app: Container) -> None:
    """And at no other time; recursion and generators of calls included."""
    mine = Engine()

    @app.local_override({"engine": mine})
    def decorated(depth: int) -> list[Engine]:
        return [get(), *(decorated(depth - 1) if depth else ())]

    assert get() is REAL
    assert decorated(2) == [mine, mine, mine]
    assert get() is REAL


@pytest.mark.asyncio
async def test_a_decorated_coroutine_function_sees_it_while_it_is_awaited(app: Container) -> None:
    """Several calls at once do not meet, and the caller never sees it."""
    mine = Engine()

    @app.local_override({"engine": mine})
    async def decorated() -> Engine:
        await asyncio.sleep(0)
        return await aget()

    waiting = asyncio.gather(decorated(), decorated())
    assert get() is REAL

    assert await waiting == [mine, mine]
    assert get() is REAL


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param({"engine": FixedClock()}, WrongType, id="an object of another class"),
        pytest.param({"engine": FixedClock}, WrongType, id="another class"),
        pytest.param({"clock": Engine()}, WrongType, id="lacks members of the Protocol"),
        pytest.param({"engin": Engine()}, UnknownSlot, id="unknown name"),
        pytest.param({"engine": Engine(), "clok": FixedClock()}, UnknownSlot, id="one of two"),
        pytest.param({"cache": "rediss"}, SelectionUnknown, id="unknown adapter"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_applied(
    app: Container, given: dict[str, object], error: type[Exception]
) -> None:
    """At the call, not at the first use."""
    with pytest.raises(error):
        app.local_override(given)

    assert seen(app) == (REAL, REAL)


@pytest.mark.asyncio
async def test_an_adapter_is_chosen_by_name_and_has_its_settings(tmp_path: Path) -> None:
    """It is opened when it is used, and closed at the end; the one of all is another object."""
    environ = {"ONEIRIC_CACHE__MEMORY__MAX_ITEMS": "1"}
    app = Application("names", inputs=Inputs(environ=environ, folder=tmp_path))

    @inject
    async def cached(cache: Inject[Cache] = INJECTED) -> Any:
        await cache.set("first", b"1")
        await cache.set("second", b"2")
        assert await cache.get("first") is None  # the setting lets it hold one
        return cache

    async with app:
        outside = await cached()
        async with app.local_override({Cache: "memory"}):
            inside = await cached()
            assert inside is app.adapters.cache()
        assert app.adapters.cache() is outside

    assert inside is not outside
    assert type(inside) is MemoryCache


@pytest.mark.parametrize("key", ["engine", "adapters.engine", Engine], ids=["name", "with its child", "type"])
@pytest.mark.parametrize("value", [Car, "class"], ids=["an object", "a class"])
def test_keys_and_values_are_those_of_an_override(app: Container, key: Any, value: Any) -> None:
    """Names or types; objects or classes."""

    class Turbo(Engine): ...

    given = Turbo if value == "class" else Turbo()

    with app.local_override({key: given}):
        found = get()

    assert type(found) is Turbo
    assert get() is REAL


def test_an_override_of_all_does_not_reach_through_it(app: Container) -> None:
    """The local word stands above; what it does not say follows the change."""
    mine, other, clock = Engine(), Engine(), FixedClock(3)

    with app.local_override({"engine": mine}):
        with app.override({"engine": other, "clock": clock}):
            inside = get(), app.adapters.clock(), app.services.car().engine
        after = get(), app.adapters.clock() is clock

    assert inside == (mine, clock, mine)
    assert after == (mine, False)


def test_using_the_same_application_keeps_it_and_another_one_hides_it(app: Container) -> None:
    """`using(app)` inside says nothing new; another application has nothing to do with it."""
    mine, theirs = Engine(), Engine()
    other = Container("other")
    other.slot("engine", Engine)
    other.override({"engine": theirs})

    with app.local_override({"engine": mine}):
        with using(app):
            same = get()
        with using(other):
            another = get()
        back = get()

    assert (same, another, back) == (mine, theirs, mine)


def test_several_may_be_left_by_an_exit_stack(app: Container) -> None:
    """The usual shape of test fixtures."""
    mine = Engine()

    with ExitStack() as stack:
        for engine in (Engine(), mine):
            stack.enter_context(app.local_override({"engine": engine}))
        inside = get()

    assert inside is mine
    assert get() is REAL


def look_directly(app: Container) -> Engine:
    """Ask the slot."""
    return app.adapters.engine()  # type: ignore[no-any-return]  # the untyped form


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda app: get(), id="injected call"),
        pytest.param(look_directly, id="slot"),
        pytest.param(lambda app: app.call(get), id="call"),
        pytest.param(lambda app: get.bind(app)(), id="bind"),
        pytest.param(lambda app: app.services.car().engine, id="dependant"),
        pytest.param(lambda app: asyncio.run(aget()), id="coroutine"),
    ],
)
def test_every_way_to_ask_sees_it(app: Container, ask: Callable[[Container], Engine]) -> None:
    """Also a site that was bound to the object of all before."""
    mine = Engine()
    assert ask(app) is REAL

    with app.local_override({"engine": mine}):
        inside = ask(app)

    assert inside is mine
    assert ask(app) is REAL
