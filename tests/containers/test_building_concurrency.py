"""Building under threads and tasks: once, without poison, and never waiting for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, inject
from oneiric.core.errors import BuildFailed, DependencyCycle, NeedsAsyncOpen, OneiricError

TIMEOUT_S = 10


class Thing: ...


class Other: ...


@inject
def get(thing: Inject[Thing] = INJECTED) -> Thing:
    return thing


@inject
async def aget(thing: Inject[Thing] = INJECTED) -> Thing:
    return thing


@inject
async def aget_other(other: Inject[Other] = INJECTED) -> Other:
    return other


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """Run work in threads that start at the same moment; returns results or errors."""
    start = threading.Barrier(count)
    found: list[Any] = []

    def run() -> None:
        start.wait(TIMEOUT_S)
        try:
            found.append(work())
        except Exception as error:  # border: the thread's outcome is what the test looks at
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert len(found) == count
    return found


def test_eight_threads_build_one_object() -> None:
    """All come while the first is still building."""
    app, built = Container("threads"), []
    inside, goes_on = threading.Event(), threading.Event()

    @app.provide("thing")
    def make() -> Thing:
        built.append(1)
        inside.set()
        assert goes_on.wait(TIMEOUT_S)
        return Thing()

    def release() -> None:
        assert inside.wait(TIMEOUT_S)
        goes_on.set()

    releaser = threading.Thread(target=release)
    releaser.start()
    found = in_threads(8, get)
    releaser.join(TIMEOUT_S)

    assert len({id(thing) for thing in found}) == 1
    assert built == [1]


@pytest.mark.asyncio
async def test_a_thousand_tasks_build_one_object() -> None:
    """The build is one task that all of them wait for."""
    app, built = Container("tasks"), []

    @app.provide("thing")
    async def make() -> Thing:
        built.append(1)
        await asyncio.sleep(0)
        return Thing()

    found = await asyncio.gather(*(aget() for _ in range(1000)))

    assert len({id(thing) for thing in found}) == 1
    assert built == [1]


@pytest.mark.asyncio
async def test_threads_and_tasks_share_one_build(tmp_path: Path) -> None:
    """In a started application, a thread waits for the loop that builds."""
    app, built = Application("mixed", inputs=Inputs(environ={}, folder=tmp_path)), []

    @app.provide("thing")
    async def make() -> Thing:
        built.append(1)
        await asyncio.sleep(0)
        return Thing()

    async with app:
        threads = [asyncio.to_thread(get) for _ in range(4)]
        found = await asyncio.gather(*threads, *(aget() for _ in range(100)))

    assert len({id(thing) for thing in found}) == 1
    assert built == [1]


@pytest.mark.asyncio
async def test_everybody_who_waits_gets_the_same_error() -> None:
    """One failure, not a hundred tries."""
    app, built = Container("fails"), []

    @app.provide("thing")
    async def make() -> Thing:
        built.append(1)
        await asyncio.sleep(0)
        raise LookupError

    found = await asyncio.gather(*(aget() for _ in range(100)), return_exceptions=True)

    assert {type(error) for error in found} == {BuildFailed}
    assert len({id(error) for error in found}) == 1
    assert built == [1]


def test_threads_that_wait_get_the_same_error() -> None:
    """Whoever comes while the build fails gets its error; whoever comes later tries again."""
    app, inside, goes_on = Container("fails"), threading.Event(), threading.Event()

    @app.provide("thing")
    def make() -> Thing:
        inside.set()
        assert goes_on.wait(TIMEOUT_S)
        raise LookupError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get)
        assert inside.wait(TIMEOUT_S)
        second = pool.submit(get)
        goes_on.set()
        errors = [first.exception(TIMEOUT_S), second.exception(TIMEOUT_S)]

    assert [type(error) for error in errors] == [BuildFailed, BuildFailed]


@pytest.mark.asyncio
@pytest.mark.parametrize("ends", [pytest.param("cancel", id="cancelled"), pytest.param("time out", id="timed out")])
async def test_the_end_of_the_first_waiter_does_not_poison(ends: str) -> None:
    """The build goes on without it, and serves the next."""
    app, built, inside, goes_on = Container("poison"), [], asyncio.Event(), asyncio.Event()

    @app.provide("thing")
    async def make() -> Thing:
        built.append(1)
        inside.set()
        await goes_on.wait()
        return Thing()

    first = asyncio.create_task(aget())
    await inside.wait()
    if ends == "cancel":
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first, 0)
    second = asyncio.create_task(aget())
    goes_on.set()

    assert type(await second) is Thing
    assert await aget() is await second
    assert built == [1]


@pytest.mark.asyncio
async def test_unrelated_builds_do_not_wait_for_each_other() -> None:
    """Each of two builds ends only when the other is under way."""
    app, one, two = Container("unrelated"), asyncio.Event(), asyncio.Event()

    @app.provide("thing")
    async def thing() -> Thing:
        one.set()
        await two.wait()
        return Thing()

    @app.provide("other")
    async def other() -> Other:
        two.set()
        await one.wait()
        return Other()

    found = await asyncio.wait_for(asyncio.gather(aget(), aget_other()), TIMEOUT_S)

    assert [type(item) for item in found] == [Thing, Other]


def test_unrelated_threads_do_not_wait_for_each_other() -> None:
    """Eight slots whose builds all have to be under way at the same time."""
    app, together = Container("unrelated"), threading.Barrier(8)

    for n in range(8):

        def make() -> int:
            return together.wait(TIMEOUT_S)

        app.provide(f"slot{n}")(make)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: app.slot(f"slot{n}")(), range(8)))

    assert sorted(found) == list(range(8))


def test_a_constructor_that_asks_for_itself_is_a_circle() -> None:
    """No declaration tells of it, so it shows when it happens; the thread would wait for itself."""
    app = Container("itself")

    @app.provide("thing")
    def make() -> Thing:
        return get()

    with pytest.raises(DependencyCycle) as caught:
        get()

    assert caught.value.cycle == ("thing", "thing")


@pytest.mark.asyncio
async def test_a_factory_that_asks_for_itself_is_a_circle() -> None:
    """The task would wait for itself, for ever."""
    app = Container("itself")

    @app.provide("thing")
    async def make() -> Thing:
        return await aget()

    with pytest.raises(DependencyCycle):
        await asyncio.wait_for(aget(), TIMEOUT_S)


@pytest.mark.asyncio
async def test_two_factories_that_ask_for_each_other_are_a_circle() -> None:
    """Both are under way before either asks."""
    app, both = Container("each other"), asyncio.Barrier(2)

    @app.provide("thing")
    async def thing() -> Thing:
        await both.wait()
        await aget_other()
        return Thing()

    @app.provide("other")
    async def other() -> Other:
        await both.wait()
        await aget()
        return Other()

    found = await asyncio.wait_for(asyncio.gather(aget(), aget_other(), return_exceptions=True), TIMEOUT_S)

    assert all(isinstance(error, DependencyCycle) for error in found)


def test_two_threads_whose_constructors_ask_for_each_other_are_a_circle() -> None:
    """Neither thread waits for ever."""
    app, both = Container("each other"), threading.Barrier(2)

    @app.provide("one")
    def one() -> int:
        both.wait(TIMEOUT_S)
        return int(app.services.two())

    @app.provide("two")
    def two() -> int:
        both.wait(TIMEOUT_S)
        return int(app.services.one())

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(app.slot(name)) for name in ("one", "two")]
        errors = [future.exception(TIMEOUT_S) for future in futures]

    assert all(isinstance(error, DependencyCycle) for error in errors)


@pytest.mark.asyncio
async def test_a_task_that_a_factory_starts_may_wait_for_its_object() -> None:
    """The factory does not wait for the task, so this is no circle."""
    app, tasks = Container("worker"), list[asyncio.Task[Thing]]()

    @app.provide("thing")
    async def make() -> Thing:
        tasks.append(asyncio.create_task(aget()))
        await asyncio.sleep(0)
        return Thing()

    thing = await aget()

    assert await asyncio.wait_for(tasks[0], TIMEOUT_S) is thing


@pytest.mark.asyncio
async def test_synchronous_code_cannot_wait_for_a_build_of_its_own_loop() -> None:
    """It would block the loop that builds."""
    app, inside, goes_on = Container("blocks"), asyncio.Event(), asyncio.Event()

    @app.provide("thing")
    async def make() -> Thing:
        inside.set()
        await goes_on.wait()
        return Thing()

    first = asyncio.create_task(aget())
    await inside.wait()

    with pytest.raises(NeedsAsyncOpen) as caught:
        get()

    goes_on.set()
    assert caught.value.fixes == ("it is being opened: make the caller async",)
    assert await first is get()


@pytest.mark.asyncio
async def test_a_foreign_error_carries_the_chain_as_a_note() -> None:
    """What `open` raises keeps its type."""
    app = Container("notes")

    @app.provide("thing", scope="request")
    class Session(Thing):
        async def open(self) -> None:
            raise LookupError("no such host")

    @inject
    async def handler(session: Inject[Session] = INJECTED) -> None: ...

    with pytest.raises(LookupError) as caught:
        await handler()

    assert not isinstance(caught.value, OneiricError)
    assert [note.rpartition(" -> ")[2] for note in caught.value.__notes__] == ["slot thing"]
