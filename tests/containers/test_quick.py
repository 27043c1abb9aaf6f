"""Outermost calls that open a scope: resources made and ended in place, in the task of the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from oneiric import INJECTED, Application, Inject, Inputs, Provide, inject
from oneiric.containers.quick import QuickEntry
from oneiric.core.errors import BuildFailed, NoActiveApplication


class Session:
    """A resource that remembers what became of it."""

    def __init__(self) -> None:
        self.is_closed = False
        self.error: BaseException | None = None


class Unit:
    """A plain class that holds a session."""

    def __init__(self, session: Session) -> None:
        self.session = session


@pytest.fixture
def app() -> Application:
    """An application with one resource of each kind, and a list of what happened."""
    app = Application("quick", inputs=Inputs(environ={}))

    async def session() -> AsyncIterator[Session]:
        made = Session()
        try:
            yield made
        except BaseException as error:
            made.error = error
            raise
        finally:
            await asyncio.sleep(0)
            made.is_closed = True

    def cursor(session: Inject[Session] = INJECTED) -> Iterator[list[Session]]:
        held = [session]
        yield held
        assert not session.is_closed
        held.clear()

    class Work(Unit):
        @inject
        def __init__(self, session: Inject[Session] = INJECTED) -> None:
            super().__init__(session)

    app.provide("session", scope="request")(session)
    app.provide("cursor", scope="request")(cursor)
    app.provide("work", scope="request")(Work)
    return app


@inject
async def use(
    session: Inject[Session] = INJECTED, cursor: Any = Provide["cursor"], work: Any = Provide["work"]
) -> tuple[Session, list[Session], Unit]:
    """Return what was injected."""
    assert cursor == [session]
    assert not session.is_closed
    return session, cursor, work


@inject
async def fail(session: Inject[Session] = INJECTED, cursor: Any = Provide["cursor"]) -> None:
    """Raise with the session on the error."""
    raise LookupError(session)


@pytest.mark.asyncio
async def test_a_call_takes_the_quick_way_and_gets_objects_of_its_own(app: Application) -> None:
    """A session belongs to one call, and is closed when the call ends."""
    async with app:
        first, second = await use(), await use()

        entry = app.enter(use.__site__, (INJECTED,) * 3)  # type: ignore[attr-defined]  # of every injected function

    assert isinstance(entry, QuickEntry)
    for session, cursor, work in (first, second):
        assert session.is_closed
        assert session.error is None
        assert cursor == []
        assert work.session is session
    assert first[0] is not second[0]


@pytest.mark.asyncio
@pytest.mark.parametrize("turn", [pytest.param(1, id="first call"), pytest.param(3, id="third call")])
async def test_the_exception_of_the_body_reaches_the_resources(app: Application, turn: int) -> None:
    """A session can roll back, and the caller gets the same exception."""
    async with app:
        for _ in range(turn):
            with pytest.raises(LookupError) as raised:
                await fail()

    session = raised.value.args[0]
    assert session.error is raised.value
    assert session.is_closed


@pytest.mark.asyncio
async def test_an_inner_call_shares_the_resources_and_ends_none(app: Application) -> None:
    """The outermost call owns the scope."""

    @inject
    async def inner(session: Inject[Session] = INJECTED) -> Session:
        return session

    @inject
    async def outer(session: Inject[Session] = INJECTED) -> tuple[Session, Session]:
        found = await inner()
        assert not found.is_closed
        return session, found

    async with app:
        for _ in range(3):
            mine, theirs = await outer()

            assert mine is theirs
            assert mine.is_closed


@pytest.mark.asyncio
async def test_explicit_arguments_make_nothing(app: Application) -> None:
    """A session that was given is neither made nor closed."""
    given = Session()

    @inject
    async def call(session: Inject[Session] = INJECTED) -> Session:
        return session

    async with app:
        await call()
        found = await call(given)

    assert found is given
    assert not given.is_closed


@pytest.mark.asyncio
async def test_a_constructor_that_raises_is_named_and_what_was_made_is_closed(app: Application) -> None:
    """The error names the slot and the way to it; the session that was made before it is rolled back."""
    sessions: list[Session] = []

    async def broken(session: Inject[Session] = INJECTED) -> AsyncIterator[int]:
        sessions.append(session)
        if len(sessions) > 1:
            raise ValueError("no")
        yield 1

    app.provide("broken", scope="request")(broken)

    @inject
    async def call(broken: Any = Provide["broken"]) -> None:
        """Use it."""

    async with app:
        await call()
        with pytest.raises(BuildFailed) as raised:
            await call()

    assert raised.value.path[-1] == "slot broken"
    assert isinstance(raised.value.__cause__, ValueError)
    assert [session.is_closed for session in sessions] == [True, True]
    assert isinstance(sessions[1].error, BuildFailed)


@pytest.mark.asyncio
async def test_all_resources_are_closed_when_some_fail_to_close(app: Application) -> None:
    """What fails is told together."""
    seen: list[str] = []

    async def one() -> AsyncIterator[int]:
        yield 1
        seen.append("one")
        raise OSError("one")

    async def two() -> AsyncIterator[int]:
        yield 2
        await asyncio.sleep(0)
        seen.append("two")
        raise OSError("two")

    app.provide("one", scope="request")(one)
    app.provide("two", scope="request")(two)

    @inject
    async def call(one: Any = Provide["one"], two: Any = Provide["two"]) -> None:
        """Use both."""

    async with app:
        for _ in range(2):
            with pytest.raises(ExceptionGroup) as raised:
                await call()

            assert [str(error) for error in raised.value.exceptions] == ["two", "one"]
    assert seen == ["two", "one", "two", "one"]


@pytest.mark.asyncio
async def test_a_resource_that_yields_twice_is_told(app: Application) -> None:
    """A provider's generator has one yield."""

    async def twice() -> AsyncIterator[int]:
        yield 1
        yield 2

    app.provide("twice", scope="request")(twice)

    @inject
    async def call(twice: Any = Provide["twice"]) -> None:
        """Use it."""

    async with app:
        for _ in range(2):
            with pytest.raises(ExceptionGroup) as raised:
                await call()

            assert "one yield" in str(raised.value.exceptions[0])


@pytest.mark.asyncio
async def test_a_resource_may_hold_a_task_group_across_its_yield(app: Application) -> None:
    """It is begun and ended in the task of the call."""
    tasks: list[object] = []

    async def group() -> AsyncIterator[Any]:
        tasks.append(asyncio.current_task())
        async with anyio.create_task_group() as held:
            yield held
        tasks.append(asyncio.current_task())

    app.provide("group", scope="request")(group)
    done: list[int] = []

    async def work() -> None:
        await anyio.lowlevel.checkpoint()
        done.append(1)

    @inject
    async def call(group: Any = Provide["group"]) -> None:
        group.start_soon(work)

    async with app:
        await call()

    assert done == [1]
    assert tasks == [asyncio.current_task()] * 2


@pytest.mark.asyncio
async def test_a_thousand_calls_have_a_thousand_sessions_and_half_are_cancelled(app: Application) -> None:
    """Each is closed once, and none while it is in use."""
    sessions: list[Session] = []
    gate, everybody = asyncio.Event(), asyncio.Barrier(1_001)

    @inject
    async def call(session: Inject[Session] = INJECTED) -> None:
        sessions.append(session)
        await everybody.wait()
        await gate.wait()
        assert not session.is_closed

    async with app:
        tasks = [asyncio.create_task(call()) for _ in range(1_000)]
        await everybody.wait()
        for task in tasks[::2]:
            task.cancel()
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)

    assert len({id(session) for session in sessions}) == 1_000
    assert all(session.is_closed for session in sessions)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 500
    assert [result for result in results if isinstance(result, Exception)] == []


@pytest.mark.asyncio
async def test_a_changed_layer_is_seen_by_the_next_call(app: Application) -> None:
    """What was prepared for the quick way is dropped with every change."""
    given = Session()

    @inject
    async def call(session: Inject[Session] = INJECTED) -> Session:
        return session

    async with app:
        await call()
        await call()
        with app.override({"session": given}):
            inside = await call()
        outside = await call()

    assert inside is given
    assert outside is not given


@pytest.mark.asyncio
async def test_after_the_stop_nothing_is_made(app: Application) -> None:
    """The quick way ends with the application."""
    other = Application("other", inputs=Inputs(environ={}))

    @inject
    async def call(session: Inject[Session] = INJECTED) -> Session:
        return session

    async with app:
        await call()
        await call()
    assert other.state == "new"

    with pytest.raises(NoActiveApplication):
        await call()
