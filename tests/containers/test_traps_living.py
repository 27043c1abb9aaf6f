"""The traps of the engine around building and closing: each first shown on the bare engine, then that ours holds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from dependency_injector import wiring
from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Object, Resource, Singleton, ThreadSafeSingleton

from oneiric import INJECTED, Container, Inject, inject
from oneiric.core.errors import StartFailed
from tests.containers.shapes import Engine
from tests.support.engine import wired
from tests.support.parts import tower

TIMEOUT_S = 10
SHORT_S = 0.05  # for what never comes


class Broken(Exception): ...


class Session:
    """A resource that remembers what happened to it."""

    def __init__(self) -> None:
        self.log: list[str] = []


def by_generator() -> Iterator[Session]:
    """Commit at the end, or roll back."""
    session = Session()
    try:
        yield session
        session.log.append("commit")
    except BaseException:
        session.log.append("rollback")
        raise


async def by_async_generator() -> AsyncIterator[Session]:
    """As `by_generator`, asynchronously."""
    session = Session()
    try:
        yield session
        await asyncio.sleep(0)
        session.log.append("commit")
    except BaseException:
        session.log.append("rollback")
        raise


@inject
async def handler(error: type[Exception] | None = None, session: Inject[Session] = INJECTED) -> Session:
    """Return the session, or hand it to the exception."""
    if error is not None:
        raise error(session)
    return session


@wiring.inject
def engines_own(
    error: type[Exception] | None = None, session: Any = wiring.Closing[wiring.Provide["session"]]
) -> Session:
    """As `handler`, with the engine's injection."""
    if error is not None:
        raise error(session)
    return session  # type: ignore[no-any-return]  # the marker is replaced by a session


@wiring.inject
async def engines_own_async(
    turns: int, session: Any = wiring.Closing[wiring.Provide["session"]]
) -> tuple[Session, list[str]]:
    """Return the session, and what had happened to it while it was in use."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return session, list(session.log)


@pytest.mark.asyncio
async def test_trap_8_a_cancelled_waiter_poisons_nothing() -> None:
    """A singleton of the engine raises CancelledError for ever; ours is built once by whoever still waits."""
    may_go_on, built = asyncio.Event(), []

    async def make() -> Engine:
        await may_go_on.wait()
        built.append("engine")
        return Engine()

    provider = Singleton(make)

    async def engines_waiter() -> Any:
        return await provider()

    first = asyncio.create_task(engines_waiter())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    may_go_on.set()
    outcomes = await asyncio.gather(engines_waiter(), engines_waiter(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, asyncio.CancelledError]

    built.clear()
    may_go_on.clear()
    app = Container("patient")
    app.provide("engine")(make)

    @inject
    async def get(engine: Inject[Engine] = INJECTED) -> Engine:
        return engine

    cancelled = asyncio.create_task(get())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(get(), SHORT_S)
    may_go_on.set()

    assert await get() is await get()
    assert built == ["engine"]


def test_trap_10_threads_build_one_object_and_do_not_wait_for_others() -> None:
    """Eight threads build eight in the engine, or all wait for one lock; ours builds one, and eight slots at once."""
    all_inside = threading.Barrier(8)

    class Slow(Engine):
        def __init__(self) -> None:
            all_inside.wait(TIMEOUT_S)  # eight constructors are needed to pass

    other = ThreadSafeSingleton(Engine)

    class Blocking(Engine):
        def __init__(self) -> None:
            self.waits = False
            try:
                threads.submit(other).result(SHORT_S)
            except TimeoutError:
                self.waits = True

    with ThreadPoolExecutor(8) as threads:
        built = list(threads.map(lambda provider: provider(), [Singleton(Slow)] * 8))
        assert len(built) == 8
        assert ThreadSafeSingleton(Blocking)().waits

    made: list[object] = []
    app = Container("shop")
    for n in range(8):
        app.slot(f"slow{n}", Slow)
    app.override({f"slow{n}": Slow for n in range(8)})

    @app.provide("single")
    class Single:
        def __init__(self) -> None:
            made.append(self)

    begin = threading.Barrier(8)

    def get(n: int) -> object:
        begin.wait(TIMEOUT_S)
        return app.services.single()

    with ThreadPoolExecutor(8) as threads:
        singles = list(threads.map(get, range(8)))
        slow = list(threads.map(lambda n: app.slot(f"slow{n}")(), range(8)))

    assert set(singles) == set(made)
    assert len(made) == 1
    assert len(set(slow)) == 8


@pytest.mark.asyncio
async def test_trap_11_a_failed_start_and_a_failing_closer_leave_nothing_open() -> None:
    """The engine keeps open what came before a failure, and one failing closer stops the rest; ours closes all."""
    log: list[str] = []

    def opened(name: str, *needs: object) -> Iterator[str]:
        yield name
        log.append(name)
        raise Broken(name)

    def fails(*needs: object) -> Iterator[str]:
        raise Broken("at the start")

    class Half(DeclarativeContainer):
        low = Resource(opened, "low")
        high = Resource(fails, low)

    class Whole(DeclarativeContainer):
        low = Resource(opened, "low")
        high = Resource(opened, "high", low)

    half, whole = Half(), Whole()
    with pytest.raises(Broken, match="at the start"):
        half.init_resources()
    assert half.low.initialized
    whole.init_resources()
    with pytest.raises(Broken, match="high"):
        whole.shutdown_resources()
    assert log == ["high"]

    async def fail() -> None:
        raise Broken

    app, journal = tower()
    journal.acts["opening high"] = fail
    with pytest.raises(StartFailed):
        await app.start()
    assert sorted(journal.of("open")) == ["low", "middle", "side"]
    assert [part for part in journal.of("close") if part != "side"] == ["middle", "low"]
    assert journal.of("close").count("side") == 1

    app, journal = tower()
    journal.acts["close high"] = journal.acts["close middle"] = fail
    await app.start()
    await asyncio.gather(app.stop(), return_exceptions=True)
    assert sorted(journal.of("close")) == ["high", "low", "middle", "side"]

    orders = []
    for _ in range(20):
        app, journal = tower()
        async with app:
            pass
        orders.append([part for part in journal.of("open") if part != "side"])
    assert orders == [["low", "middle", "high"]] * 20


@contextmanager
def by_context_manager() -> Iterator[Session]:
    """As `by_generator`, decorated."""
    yield from by_generator()


@pytest.mark.asyncio
async def test_trap_12_the_exception_of_the_body_reaches_the_resource() -> None:
    """One of the engine commits what failed; ours rolls back: generator, asynchronous one, context manager."""

    class Engines(DeclarativeContainer):
        session = Resource(by_generator)

    with wired(Engines(), engines_own) as handlers, pytest.raises(Broken) as caught:
        handlers.engines_own(Broken)
    assert caught.value.args[0].log == ["commit"]

    logs: list[list[str]] = []
    makers: list[Callable[..., Any]] = [by_generator, by_async_generator, by_context_manager]
    for make in makers:
        app = Container(make.__name__)
        app.provide("session", scope="request")(make)
        with pytest.raises(Broken) as caught:
            await app.call(handler, Broken)
        logs.append(caught.value.args[0].log)

    assert logs == [["rollback"], ["rollback"], ["rollback"]]


@pytest.mark.asyncio
async def test_trap_13_a_resource_that_comes_later_is_closed_too() -> None:
    """One that overrides after the wiring stays open in the engine; ours closes what it opened, in every order."""

    class Engines(DeclarativeContainer):
        session = Object("no resource")

    container = Engines()
    with wired(container, engines_own) as handlers, container.session.override(Resource(by_generator)):
        assert handlers.engines_own().log == []  # not even at the end of the call

    app = Container("shop")
    app.provide("session", scope="request")(by_generator)
    opened: list[Session] = [await handler()]
    for maker in (by_async_generator, by_generator):
        below = app.override({"session": Resource(maker)})
        opened.append(await handler())
        with app.override({"session": Resource(by_generator)}):
            opened.append(await handler())
        opened.append(await handler())
        below.undo()
        opened.append(await handler())

    assert [session.log for session in opened] == [["commit"]] * 9
    assert len(set(opened)) == 9


@pytest.mark.asyncio
async def test_trap_14_concurrent_calls_have_resources_of_their_own() -> None:
    """The engine gives all of them one, and closes it in use; ours are 1,000, none closed before its call ends."""

    class Engines(DeclarativeContainer):
        session = Resource(by_async_generator)

    with wired(Engines(), engines_own_async) as handlers:
        calls = (handlers.engines_own_async(n % 7) for n in range(100))
        results = await asyncio.gather(*calls, return_exceptions=True)
    seen = [result for result in results if not isinstance(result, BaseException)]
    failed = [result for result in results if isinstance(result, TypeError)]  # on 3.11 some calls fail besides
    assert len(seen) + len(failed) == len(results)
    assert len({session for session, _ in seen}) == 1
    assert failed or any(log == ["commit"] for _, log in seen)

    app = Container("shop")
    app.provide("session", scope="request")(by_async_generator)
    in_use: list[list[str]] = []

    @inject
    async def use(turns: int, session: Inject[Session] = INJECTED) -> Session:
        for _ in range(turns):
            await asyncio.sleep(0)
        in_use.append(list(session.log))
        return session

    sessions = await asyncio.gather(*(use(n % 7) for n in range(1_000)))

    assert len(set(sessions)) == 1_000
    assert in_use == [[]] * 1_000
    assert [session.log for session in sessions] == [["commit"]] * 1_000
