"""Outermost synchronous calls that open a scope: resources made and ended in place."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from oneiric import INJECTED, Application, Inject, Inputs, Provide, inject
from oneiric.containers.quick_call import QuickCall
from oneiric.containers.wiring import Wiring
from oneiric.core.errors import BuildFailed


class Session:
    """A resource that remembers what became of it."""

    def __init__(self) -> None:
        self.is_closed = False
        self.error: BaseException | None = None


class Unit:
    """A plain class that holds a session."""

    @inject
    def __init__(self, session: Inject[Session] = INJECTED) -> None:
        self.session = session


class Engine:
    """What a visit is made with."""


class Visit:
    """A resource that is made of an object of the application."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine


@pytest.fixture
def app() -> Application:
    """An application with a session for each request, and a unit of work on it."""
    app = Application("calls", inputs=Inputs(environ={}))

    def session() -> Iterator[Session]:
        made = Session()
        try:
            yield made
        except BaseException as error:
            made.error = error
            raise
        finally:
            made.is_closed = True

    app.provide("session", scope="request")(session)
    app.provide("unit", scope="request")(Unit)
    return app


@inject
def use(session: Inject[Session] = INJECTED, unit: Inject[Unit] = INJECTED) -> tuple[Session, Unit]:
    """Return what was injected."""
    assert not session.is_closed
    return session, unit


def test_a_call_takes_the_quick_way_and_gets_objects_of_its_own(app: Application) -> None:
    """A session belongs to one call and to all that is made in it, and is closed when the call ends."""
    (first, unit), (second, _) = use(), use()

    entry = app.enter(use.__site__, (INJECTED, INJECTED))  # type: ignore[attr-defined]  # of every injected function

    assert isinstance(entry, QuickCall)
    assert unit.session is first is not second
    assert [(one.is_closed, one.error) for one in (first, second)] == [(True, None)] * 2


def test_the_exception_of_the_body_reaches_the_resources(app: Application) -> None:
    """A session can roll back, and the caller gets the same exception."""

    @inject
    def fail(session: Inject[Session] = INJECTED) -> None:
        raise LookupError(session)

    with pytest.raises(LookupError) as raised:
        fail()

    session = raised.value.args[0]
    assert session.error is raised.value
    assert session.is_closed


def test_an_inner_call_shares_the_resources_and_ends_none(app: Application) -> None:
    """The outermost call owns the scope."""

    @inject
    def outer(session: Inject[Session] = INJECTED) -> tuple[Session, Session]:
        found, _ = use()
        assert not found.is_closed
        return session, found

    mine, theirs = outer()

    assert mine is theirs
    assert mine.is_closed


def test_explicit_arguments_make_nothing(app: Application) -> None:
    """A session that was given is neither made nor closed; what else is asked for is made."""
    given = Session()

    found, unit = use(given)

    assert found is given
    assert not given.is_closed
    assert unit.session is not given


def test_a_constructor_that_raises_is_named_and_what_was_made_is_rolled_back(app: Application) -> None:
    """The error names the slot and the way to it."""
    sessions: list[Session] = []

    def broken(session: Inject[Session] = INJECTED) -> Iterator[int]:
        sessions.append(session)
        raise ValueError("no")
        yield 1

    app.provide("broken", scope="request")(broken)

    @inject
    def call(broken: Any = Provide["broken"]) -> None:
        """Use it."""

    with pytest.raises(BuildFailed) as raised:
        call()

    assert raised.value.path[-1] == "slot broken"
    assert isinstance(raised.value.__cause__, ValueError)
    assert [session.is_closed for session in sessions] == [True]
    assert sessions[0].error is raised.value


def test_all_resources_are_closed_when_some_fail_to_close(app: Application) -> None:
    """The last that was made is closed first, and what fails is told together; a second yield is a failure."""
    closed: list[str] = []

    def one() -> Iterator[int]:
        yield 1
        closed.append("one")
        raise OSError("one")

    def two() -> Iterator[int]:
        yield 2
        closed.append("two")
        yield 3

    app.provide("one", scope="request")(one)
    app.provide("two", scope="request")(two)

    @inject
    def call(one: Any = Provide["one"], two: Any = Provide["two"]) -> None:
        """Use both."""

    with pytest.raises(ExceptionGroup) as raised:
        call()

    assert closed == ["two", "one"]
    assert [type(failure) for failure in raised.value.exceptions] == [RuntimeError, OSError]


def test_what_has_to_be_awaited_does_not_take_the_quick_way(app: Application) -> None:
    """A synchronous call cannot end an asynchronous generator that waits, so the usual way tells what to do."""

    async def later() -> AsyncIterator[int]:
        yield 1

    app.provide("later", scope="request")(later)

    @inject
    def call(later: Any = Provide["later"]) -> Any:
        return later

    entry = app.enter(call.__site__, (INJECTED,))  # type: ignore[attr-defined]  # of every injected function

    assert not isinstance(entry, QuickCall)


def test_what_an_inner_call_builds_otherwise_is_closed_as_well(app: Application) -> None:
    """A resource that is not plain is built by the usual way, in the same scope, and ends before those around it."""
    closed: list[str] = []

    class Lock:
        def __enter__(self) -> Lock:
            return self

        def __exit__(self, *exc: object) -> None:
            closed.append(f"lock while the session is {'closed' if sessions[0].is_closed else 'open'}")

    app.provide("guard", scope="request")(Lock)
    sessions: list[Session] = []

    @inject
    def inner(guard: Any = Provide["guard"]) -> None:
        """Use it."""

    @inject
    def outer(session: Inject[Session] = INJECTED) -> None:
        sessions.append(session)
        inner()
        assert closed == []

    outer()

    assert closed == ["lock while the session is open"]
    assert sessions[0].is_closed


def test_a_way_that_is_found_while_something_changes_is_not_kept(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change waits until it is kept, and drops it then; else later calls would go on with the old objects."""
    app.slot("engine", Engine)
    app.override({"engine": Engine()})

    @app.provide("visit", scope="request")
    def visit(engine: Inject[Engine] = INJECTED) -> Iterator[Visit]:
        yield Visit(engine)

    @inject
    def look(visit: Inject[Visit] = INJECTED) -> Engine:
        return visit.engine

    new = Engine()
    changing = threading.Thread(target=lambda: app.override({"engine": new}))
    find = Wiring._quick_way

    def slowly(wiring: Wiring, site: Any) -> Any:
        way = find(wiring, site)
        if not changing.ident:
            changing.start()
            changing.join(timeout=0.2)  # it cannot end before the way is kept, or it does and the way is old
        return way

    app.adapters.engine()
    monkeypatch.setattr(Wiring, "_quick_way", slowly)
    app.call(look)
    changing.join()

    assert app.call(look) is new
    assert app.call(look) is new
