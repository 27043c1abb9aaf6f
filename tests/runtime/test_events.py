"""Routing: from an event to its handlers, each for itself."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from oneiric import INJECTED, Application, Event, Inject, Inputs, inject
from oneiric.core.errors import DuplicateSubscription, Unavailable
from oneiric.core.log import configure
from oneiric.runtime.events import Dispatch, HandlerResult

ORDER = Event(type="order.created", source="/shop", id="7")


def shop() -> Application:
    """Return an application that reads no configuration."""
    return Application("shop", inputs=Inputs(environ={}))


@pytest.mark.asyncio
async def test_handlers_of_exactly_the_type_run_in_the_order_of_registration() -> None:
    """No other one does."""
    app, ran = shop(), list[str]()
    for name, event_type in [("b", "order.created"), ("c", "order"), ("a", "order.created"), ("d", "order.created.x")]:

        async def handle(event: Event, name: str = name) -> None:
            ran.append(name)

        app.on(event_type, name=name)(handle)

    async with app:
        done = await app.events.emit(ORDER)

    assert ran == ["b", "a"]
    assert done == Dispatch(ORDER, (HandlerResult("b", "handled"), HandlerResult("a", "handled")))


@pytest.mark.asyncio
async def test_an_event_without_a_subscriber_has_no_results() -> None:
    """And no failures."""
    async with shop() as app:
        done = await app.events.emit(ORDER)

    assert (done.results, done.failed) == ((), ())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyError("x"), id="KeyError"),
        pytest.param(ExceptionGroup("x", [ValueError()]), id="a group"),
        pytest.param(TimeoutError(), id="a time limit of its own"),
    ],
)
@pytest.mark.asyncio
async def test_a_handler_that_fails_keeps_no_other_from_running(error: Exception) -> None:
    """Its exception is in its result."""
    app, ran = shop(), list[str]()

    @app.on("order.created", name="first")
    async def first(event: Event) -> None:
        raise error

    @app.on("order.created", name="second")
    async def second(event: Event) -> None:
        ran.append("second")

    async with app:
        done = await app.events.emit(ORDER)

    assert ran == ["second"]
    assert [(result.name, result.outcome) for result in done.results] == [("first", "failed"), ("second", "handled")]
    assert done.failed[0].error is error


@pytest.mark.asyncio
async def test_cancellation_passes_through() -> None:
    """It is no failure of the handler: whoever waits for the dispatch gave up."""
    app, is_running = shop(), asyncio.Event()

    @app.on("order.created")
    async def wait(event: Event) -> None:
        is_running.set()
        await asyncio.Event().wait()

    async with app:
        emitting = asyncio.create_task(app.events.emit(ORDER))
        await is_running.wait()
        emitting.cancel()
        await asyncio.wait({emitting})

    assert emitting.cancelled()


@pytest.mark.asyncio
async def test_a_synchronous_handler_runs_in_a_worker_thread() -> None:
    """The event loop goes on meanwhile."""
    app, threads = shop(), list[threading.Thread]()

    @app.on("order.created")
    def handle(event: Event) -> None:
        threads.append(threading.current_thread())

    async with app:
        done = await app.events.emit(ORDER)

    assert done.failed == ()
    assert threads[0] is not threading.main_thread()


class Session:
    """Something that lives as long as one task."""


@pytest.mark.asyncio
async def test_each_handler_has_a_task_scope_of_its_own() -> None:
    """What it got is closed when it is done, before the next one runs."""
    app, journal, sessions = shop(), list[str](), list[Session]()

    @app.provide("session", scope="task")
    async def session() -> AsyncIterator[Session]:
        journal.append("open")
        yield Session()
        journal.append("close")

    for name in ("first", "second"):

        @inject
        async def handle(event: Event, session: Inject[Session] = INJECTED, name: str = name) -> None:
            journal.append(name)
            sessions.append(session)

        app.on("order.created", name=name)(handle)

    async with app:
        done = await app.events.emit(ORDER)

    assert done.failed == ()
    assert journal == ["open", "first", "close", "open", "second", "close"]
    assert sessions[0] is not sessions[1]


@pytest.mark.asyncio
async def test_a_handler_belongs_to_the_application_that_routes() -> None:
    """Also where several applications are started."""
    seen = list[str]()

    @inject
    async def handle(event: Event, label: Inject[Label] = INJECTED) -> None:
        seen.append(label.text)

    apps = []
    for text in ("one", "two"):
        app = shop()
        app.provide("label")(Label.maker(text))
        app.on("order.created", name="handle")(handle)
        apps.append(app)

    async with apps[0], apps[1]:
        for app in apps:
            assert (await app.events.emit(ORDER)).failed == ()

    assert seen == ["one", "two"]


class Label:
    """A text of an application."""

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def maker(text: str) -> Callable[[], Label]:
        """Return what makes the label of one text."""

        def make() -> Label:
            return Label(text)

        return make


def test_one_name_stands_for_one_handler() -> None:
    """Results are told apart by it."""
    app = shop()

    async def handle(event: Event) -> None:
        """Do nothing."""

    app.on("order.created", name="handle")(handle)

    with pytest.raises(DuplicateSubscription):
        app.on("order.paid", name="handle")(handle)


@pytest.mark.parametrize(
    ("error", "level", "has_trace"),
    [
        pytest.param(Unavailable("connection refused"), "WARNING", False, id="a backend that is gone for now"),
        pytest.param(ValueError("a fault of the handler"), "ERROR", True, id="a fault of the handler"),
    ],
)
@pytest.mark.asyncio
async def test_a_failure_that_may_pass_is_one_line_of_the_log(error: Exception, level: str, has_trace: bool) -> None:
    """A busy backend fails hundreds of events at once; only what somebody has to mend is logged with its traceback."""
    app, stream = shop(), io.StringIO()
    configure(as_json=True, stream=stream)

    @app.on("order.created", name="h")
    async def fail(event: Event) -> None:
        raise error

    async with app:
        await app.events.emit(ORDER)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (said,) = [line for line in lines if line["message"].startswith("handler failed")]
    assert (said["severity"], "traceback" in said) == (level, has_trace)
