"""Scopes: one resource for one request, closed when it ends, with the exception that ended it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oneiric import INJECTED, Application, Container, Inject, Inputs, inject, using
from oneiric.core.errors import BuildFailed, ScopeClosed

TIMEOUT_S = 10


class Broken(Exception): ...


class Session:
    """A resource that remembers what happened to it."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def close(self) -> None:
        self.log.append("close")


def by_generator() -> Iterator[Session]:
    session = Session()
    try:
        yield session
        session.log.append("commit")
    except BaseException as error:
        session.log.append(type(error).__name__)
        raise


async def by_async_generator() -> AsyncIterator[Session]:
    session = Session()
    try:
        yield session
        await asyncio.sleep(0)
        session.log.append("commit")
    except BaseException as error:
        session.log.append(type(error).__name__)
        raise


@inject
def handler(error: type[BaseException] | None = None, session: Inject[Session] = INJECTED) -> Session:
    SEEN.append(session)
    if error is not None:
        raise error
    return session


@inject
async def ahandler(error: type[BaseException] | None = None, session: Inject[Session] = INJECTED) -> Session:
    SEEN.append(session)
    if error is not None:
        raise error
    return session


SEEN: list[Session] = []


@pytest.fixture(autouse=True)
def seen_nothing() -> None:
    """Each test sees its own sessions."""
    SEEN.clear()


def container(make: Any = by_async_generator, scope: str = "request") -> Container:
    app = Container("shop")
    app.slot("session", Session) if make is None else app.provide("session", scope=scope)(make)
    return app


def acall(*args: Any) -> Any:
    return asyncio.run(ahandler(*args))


MAKERS = [
    pytest.param(by_generator, handler, id="generator, sync"),
    pytest.param(by_generator, acall, id="generator, async"),
    pytest.param(by_async_generator, acall, id="async generator"),
]


@pytest.mark.parametrize(("make", "call"), MAKERS)
def test_the_outermost_call_opens_a_scope_and_closes_it(make: Any, call: Callable[..., Session]) -> None:
    """Each call has a resource of its own, which is closed when the call is over."""
    container(make)

    first, second = call(), call()

    assert first is not second
    assert [first.log, second.log] == [["commit"], ["commit"]]


@pytest.mark.parametrize(("make", "call"), MAKERS)
def test_the_exception_of_the_body_reaches_the_resource(make: Any, call: Callable[..., Session]) -> None:
    """It rolls back, and the exception goes on."""
    container(make)

    with pytest.raises(Broken):
        call(Broken)

    assert SEEN[0].log == ["Broken"]


def swallowing() -> Iterator[Session]:
    try:
        yield Session()
    except Broken:
        return


def test_a_resource_cannot_swallow_the_exception() -> None:
    """What failed has failed, whatever a session thinks of it."""
    container(swallowing)

    with pytest.raises(Broken):
        handler(Broken)


def test_a_class_with_a_life_is_opened_and_closed() -> None:
    """`open` and `close` are its generator."""
    container(Session)

    assert asyncio.run(ahandler()).log == ["open", "close"]
    with pytest.raises(Broken):
        asyncio.run(ahandler(Broken))
    assert SEEN[1].log == ["open", "close"]


def test_an_inner_call_uses_the_open_scope_and_never_closes_it() -> None:
    """Same resource, still open when the inner call is over."""
    container(by_generator)

    @inject
    def outer(session: Inject[Session] = INJECTED) -> list[str]:
        assert handler() is session
        with pytest.raises(Broken):
            handler(Broken)
        return list(session.log)

    assert outer() == []
    assert SEEN[0].log == ["commit"]


def test_a_call_inside_a_constructor_uses_the_open_scope() -> None:
    """Whatever builds inside of the request belongs to it."""
    app = container(by_generator)

    @app.provide("cart", scope="request")
    class Cart:
        def __init__(self, session: Inject[Session] = INJECTED) -> None:
            self.both = session, handler()

    @inject
    def outer(cart: Inject[Cart] = INJECTED, session: Inject[Session] = INJECTED) -> bool:
        return cart.both == (session, session)

    assert outer()


@pytest.mark.asyncio
async def test_concurrent_outermost_calls_have_resources_of_their_own() -> None:
    """200 of them, each open while it is in use, all closed."""
    container()
    together = asyncio.Barrier(200)

    @inject
    async def request(session: Inject[Session] = INJECTED) -> Session:
        await together.wait()
        assert session.log == []
        return session

    sessions = await asyncio.gather(*(request() for _ in range(200)))

    assert len({id(session) for session in sessions}) == 200
    assert {tuple(session.log) for session in sessions} == {("commit",)}


@pytest.mark.asyncio
async def test_child_tasks_of_one_request_share_its_resource() -> None:
    """Also when they are the first to ask, all at once."""
    app = container()

    async with app.scope("request"):
        sessions = await asyncio.gather(*(ahandler() for _ in range(20)))
        assert await asyncio.to_thread(handler) is sessions[0]
        assert sessions[0].log == []

    assert len({id(session) for session in sessions}) == 1
    assert sessions[0].log == ["commit"]


@pytest.mark.asyncio
async def test_a_cancelled_call_closes_before_it_ends() -> None:
    """Closing is shielded: the resource sees the cancellation, and the caller waits until it is closed."""
    container()
    inside = asyncio.Event()

    @inject
    async def waits(session: Inject[Session] = INJECTED) -> None:
        SEEN.append(session)
        inside.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert SEEN[0].log == ["CancelledError"]


@pytest.mark.asyncio
async def test_a_cancellation_while_closing_waits_for_the_closers() -> None:
    """It goes on when everything is closed."""
    app = Container("slow")
    closing, goes_on, log = asyncio.Event(), asyncio.Event(), list[str]()

    @app.provide("session", scope="request")
    async def session() -> AsyncIterator[Session]:
        yield Session()
        closing.set()
        await goes_on.wait()
        log.append("closed")

    task = asyncio.create_task(ahandler())
    await closing.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    goes_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["closed"]


def several(log: list[str], failing: set[str]) -> Container:
    """Return a container with resources a, b and c, which log their end and fail if told to."""
    app = Container("several")
    for name in "abc":

        def make(name: str = name) -> Iterator[str]:
            try:
                yield name
            finally:
                log.append(name)
                if name in failing:
                    raise Broken(name)

        app.provide(name, scope="request")(make)
    return app


def test_all_closers_run_in_reverse_order() -> None:
    """What was made last is closed first; one that fails stops no other, and all failures are told."""
    log: list[str] = []
    app = several(log, {"a", "c"})

    with pytest.raises(ExceptionGroup) as caught, app.scope("request"):
        assert [app.slot(name)() for name in "abc"] == ["a", "b", "c"]

    assert log == ["c", "b", "a"]
    assert [str(error) for error in caught.value.exceptions] == ["c", "a"]


def test_the_exception_of_the_body_comes_first_among_failures() -> None:
    """A second failure never hides the first."""
    app = several([], {"b"})
    error = ValueError("the body")

    def body() -> None:
        app.slot("b")()
        raise error

    with pytest.raises(ExceptionGroup) as caught, app.scope("request"):
        body()

    assert caught.value.exceptions[0] is error
    assert str(caught.value.exceptions[1]) == "b"


def test_a_generator_that_yields_twice_is_told() -> None:
    """A resource is one object."""
    app = Container("twice")

    @app.provide("session", scope="request")
    def session() -> Iterator[Session]:
        yield Session()
        yield Session()

    with pytest.raises(ExceptionGroup) as caught:
        handler()

    assert "yields twice" in str(caught.value.exceptions[0])


@pytest.mark.parametrize("scope", [pytest.param("request", id="request"), pytest.param("task", id="task")])
def test_where_no_scope_is_open_a_scoped_object_is_refused(scope: str) -> None:
    """A plain look-up opens no scope, since nobody would close it."""
    app = container(by_generator, scope)

    with pytest.raises(ScopeClosed) as caught:
        app.services.session()

    assert caught.value.message == f"slot session belongs to a {scope} scope and none is open here"
    assert caught.value.path == ("slot session",)


@pytest.mark.asyncio
async def test_a_task_that_outlives_its_scope_is_refused() -> None:
    """The error names function and slot; objects of the application still work."""
    app = container()
    app.provide("number")(lambda: 7)
    ended = asyncio.Event()

    async def later() -> Any:
        await ended.wait()
        assert app.services.number() == 7
        return await ahandler()

    async with app.scope("request"):
        task = asyncio.create_task(later())
    ended.set()

    with pytest.raises(ScopeClosed) as caught:
        await task
    assert caught.value.path[0].endswith("ahandler(session)")
    assert caught.value.path[1] == "slot session"


@pytest.mark.asyncio
async def test_what_is_finished_after_the_scope_ended_is_closed_at_once() -> None:
    """Nobody else would close it."""
    app = Container("late")
    inside, goes_on, log = asyncio.Event(), asyncio.Event(), list[str]()

    @app.provide("session", scope="request")
    async def session() -> AsyncIterator[Session]:
        inside.set()
        await goes_on.wait()
        try:
            yield Session()
        finally:
            log.append("closed")

    async with app.scope("request"):
        task = asyncio.create_task(ahandler())
        await inside.wait()
    goes_on.set()

    with pytest.raises(ScopeClosed):
        await task
    assert log == ["closed"]


def test_a_task_inside_a_request_uses_what_belongs_to_the_request() -> None:
    """And has its own of what belongs to a task."""
    app = container(by_generator)
    app.provide("job", scope="task")(lambda: object())

    with app.scope("request"):
        session = app.services.session()
        with app.scope("task"):
            assert app.services.session() is session
            first = app.services.job()
        with app.scope("task"):
            assert app.services.job() is not first
        assert session.log == []

    with app.scope("task"):
        assert app.services.session() is app.services.session()


def test_scopes_of_two_applications_do_not_mix() -> None:
    """A call for one inside a request of the other leaves that request as it is."""
    one, two = container(by_generator), container(by_generator)

    @inject
    def outer(session: Inject[Session] = INJECTED) -> bool:
        other = two.call(across, session)
        return handler() is session and other is not session

    @inject
    def across(first: Session, session: Inject[Session] = INJECTED) -> Session:
        assert one.call(handler) is first
        return session

    with using(one):
        assert outer()


def test_a_failing_build_closes_what_the_call_had_opened() -> None:
    """The body never ran, its resource hears why, and the scope is not left behind."""
    app, log = Container("fails"), list[str]()

    @app.provide("session", scope="request")
    def session() -> Iterator[Session]:
        try:
            yield Session()
        except BuildFailed as error:
            log.append(error.slot)
            raise

    @app.provide("broken", scope="request")
    def broken() -> Broken:
        raise Broken

    @inject
    def outer(session: Inject[Session] = INJECTED, broken: Inject[Broken] = INJECTED) -> None: ...

    with pytest.raises(BuildFailed):
        outer()
    with pytest.raises(ScopeClosed):
        app.services.session()
    assert log == ["broken"]


@pytest.mark.asyncio
async def test_a_resource_of_the_loop_is_closed_there_from_a_thread(tmp_path: Path) -> None:
    """A synchronous function in a thread has an asynchronous session, opened and closed by the application's loop."""
    app = Application("shop", inputs=Inputs(environ={}, folder=tmp_path))
    app.provide("session", scope="request")(by_async_generator)

    async with app:
        session = await asyncio.to_thread(handler)

    assert session.log == ["commit"]


def test_a_scope_may_end_in_another_context_than_it_began() -> None:
    """As the two halves of an asynchronous fixture do."""
    app = container(by_generator)
    scope = app.scope("request")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(scope.__enter__).result(TIMEOUT_S)
        assert threading.active_count() > 1
    scope.__exit__(None, None, None)

    with pytest.raises(ScopeClosed):
        app.services.session()
