"""A stop while a swap has not come to its end: everything is closed, once."""

from __future__ import annotations

import asyncio

import pytest

from oneiric import Event
from tests.runtime.backends import First, Log, Second, build, use

CALL = Event(type="call")


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
    app = build()
    gate, go = asyncio.Event(), asyncio.Event()

    class Slow(First):
        async def close(self) -> None:
            gate.set()
            await go.wait()
            await super().close()

    app.override({"backend": Slow})
    await app.start()
    await use(CALL)
    await app.swap({"backend": Second})
    await gate.wait()
    stopping = asyncio.create_task(app.stop())
    await asyncio.sleep(0)
    was_waiting = not stopping.done()
    go.set()
    await stopping

    assert was_waiting
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
async def test_a_stop_that_is_cancelled_while_an_old_object_closes_closes_everything() -> None:
    """Who has no patience gets the cancellation, and nothing stays open."""
    app = build()
    gate, go = asyncio.Event(), asyncio.Event()

    class Slow(First):
        async def close(self) -> None:
            gate.set()
            await go.wait()
            await super().close()

    app.override({"backend": Slow})
    await app.start()
    await use(CALL)
    await app.swap({"backend": Second})
    await gate.wait()
    stopping = asyncio.create_task(app.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping

    assert app.state == "stopped"
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]
