"""A stop while a swap has not come to its end: everything is closed, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneiric import AdapterSettings, Application, Event, LayerContainer
from tests.runtime.backends import Backend, First, Log, Second, build, use

CALL = Event(type="call")


class Slow(First):
    """A backend whose close takes until somebody lets it go."""

    begun: asyncio.Event
    go: asyncio.Event

    async def close(self) -> None:
        """Wait, and close."""
        self.begun.set()
        await self.go.wait()
        await super().close()


@pytest.fixture(autouse=True)
def fresh_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has gates of its own."""
    monkeypatch.setattr(Slow, "begun", asyncio.Event(), raising=False)
    monkeypatch.setattr(Slow, "go", asyncio.Event(), raising=False)


async def stopping() -> tuple[Application, asyncio.Task[None]]:
    """Return an application that stops while a replaced object closes, and the task that stops it."""
    app = build()
    app.override({"backend": Slow})
    await app.start()
    await use(CALL)
    await app.swap({"backend": Second})
    await Slow.begun.wait()
    task = asyncio.create_task(app.stop())
    await asyncio.sleep(0)
    return app, task


@pytest.mark.asyncio
async def test_a_stop_waits_for_a_swap_and_closes_everything() -> None:
    """Old and new objects are closed once, however they stand."""
    app = build()
    async with app:
        await use(CALL)
        app.swaps.drain_grace_s = 1_000.0
        await app.swap({"backend": Second})

    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
async def test_a_stop_while_an_old_object_closes_lets_it_close_to_its_end() -> None:
    """It waits for what is closing, and closes nothing twice."""
    _, task = await stopping()
    was_waiting = not task.done()
    Slow.go.set()
    await task

    assert was_waiting
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
async def test_a_stop_that_is_cancelled_while_an_old_object_closes_closes_everything() -> None:
    """Who has no patience gets the cancellation, and nothing stays open."""
    app, task = await stopping()
    task.cancel()
    await asyncio.sleep(0)
    Slow.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert app.state == "stopped"
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
@pytest.mark.parametrize("times", [1, 2])
async def test_who_is_cancelled_before_or_while_it_stops_leaves_nothing_open(times: int) -> None:
    """Also where a swap has not come to its end, and however often it is cancelled."""
    app = build()
    app.override(LayerContainer("manifest", settings={"swap.drain_grace_s": 1_000.0}))

    async def serve() -> None:
        async with app:
            await use(CALL)
            await app.swap({"backend": Second})
            task = asyncio.current_task()
            assert task is not None
            for number in range(times):
                asyncio.get_running_loop().call_soon(task.cancel, number)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(serve())

    assert app.state == "stopped"
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
async def test_a_stop_of_a_child_that_is_cancelled_closes_it_and_its_children() -> None:
    """None of them could be stopped later: it counts as stopped."""
    app = build()
    async with app:
        tenant = app.child("tenant", {"backend": Second})
        desk = tenant.child("desk", {"backend": Slow})
        await tenant.call(use, CALL)
        await desk.call(use, CALL)
        task = asyncio.create_task(tenant.stop())
        await Slow.begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        Slow.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

        theirs = [one for one in Log.made if type(one) is not First]
        assert [(type(one), one.closed) for one in theirs] == [(Second, 1), (Slow, 1)]


class Consumer(Backend):
    """An adapter with a task of its own, which stops the application when it is cancelled: its close waits for that."""

    class Settings(AdapterSettings):
        """Limits."""

    whom: Any = None

    def __init__(self, settings: Settings) -> None:
        super().__init__()

    async def open(self) -> None:
        """Begin the task."""
        await super().open()
        self.asked = asyncio.Event()
        self.task = asyncio.create_task(self.consume())

    async def consume(self) -> None:
        """Stop the application as soon as somebody asks for it."""
        await self.asked.wait()
        await self.whom.stop()

    async def close(self) -> None:
        """End the task."""
        await super().close()
        self.task.cancel()
        await self.task


@pytest.mark.asyncio
@pytest.mark.parametrize("is_child", [False, True], ids=["an application", "a child"])
async def test_a_stop_that_waits_for_itself_ends_within_the_limits(
    is_child: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close that waits for the task that stops is given up after `close_timeout_s`, and all others are closed."""
    app = build()
    app.override(LayerContainer("env", settings={"backend.Consumer.close_timeout_s": 0.05}))
    await app.start()
    owner = app.child("tenant", {"backend": Consumer}) if is_child else app
    if not is_child:
        app.override({"backend": Consumer})
    monkeypatch.setattr(Consumer, "whom", owner)
    consumer = await owner.call(use, CALL)
    assert isinstance(consumer, Consumer)

    consumer.asked.set()
    await asyncio.wait({consumer.task})
    await app.stop()

    assert (app.state, owner.state) == ("stopped", "stopped")
    assert [(one.opened, one.closed) for one in Log.made if one.opened] == [(1, 1)] * len(Log.made)


@pytest.mark.asyncio
async def test_a_closer_that_stops_the_application_is_given_up() -> None:
    """It would wait for itself; the stop that is under way tells of it, and closes everything."""

    class Stopping(Consumer):
        async def close(self) -> None:
            self.closed += 1
            await app.stop()

    app = build()
    app.override(LayerContainer("env", settings={"backend.Stopping.close_timeout_s": 0.05}))
    app.override({"backend": Stopping})
    await app.start()
    made = await use(CALL)
    assert isinstance(made, Stopping)
    made.task.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        await app.stop()

    assert [type(one) for one in caught.value.exceptions] == [TimeoutError]
    assert (app.state, made.closed) == ("stopped", 1)
