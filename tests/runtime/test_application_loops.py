"""One application under many tasks and threads, and in the event loop that it belongs to."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oneiric import INJECTED, Application, Inject, inject
from oneiric.core.errors import WrongLoop
from oneiric.core.log import configure
from tests.support.parts import High, Low, tower

WAIT_S = 10.0


@inject
def use_low(low: Inject[Low] = INJECTED) -> Low:
    """Return what is injected, from synchronous code."""
    return low


@inject
async def use_high(high: Inject[High] = INJECTED) -> High:
    """Return what is injected."""
    return high


@pytest.mark.asyncio
async def test_a_thousand_tasks_and_eight_threads_build_and_open_once() -> None:
    """Everybody gets the same objects, whoever comes first."""
    app, journal = tower(eager=False)
    start = threading.Barrier(8)

    def from_thread() -> Low:
        start.wait(WAIT_S)
        found: Low = app.call(use_low)
        return found

    with ThreadPoolExecutor(8) as pool:
        await app.start()
        threads = [asyncio.get_running_loop().run_in_executor(pool, from_thread) for _ in range(8)]
        tasks = [asyncio.create_task(app.call(use_high)) for _ in range(1_000)]
        lows, highs = await asyncio.gather(*threads), await asyncio.gather(*tasks)
    await app.stop()

    assert {id(high) for high in highs} == {id(highs[0])}
    assert {id(low) for low in lows} == {id(highs[0].middle.low)}
    assert journal.of("open") == ["low", "middle", "high"]
    assert journal.of("close") == ["high", "middle", "low"]


@pytest.mark.asyncio
async def test_a_worker_thread_opens_through_the_loop_of_the_application() -> None:
    """What is opened there belongs to the loop, and not to the thread."""
    app, journal = tower(eager=False)
    threads: list[threading.Thread] = []

    async def note() -> None:
        threads.append(threading.current_thread())

    journal.acts = {"opening low": note}

    async with app:
        await asyncio.to_thread(app.adapters.low)

    assert threads == [threading.main_thread()]
    assert journal.entries == ["opening low", "open low", "close low"]


def test_a_started_application_belongs_to_one_event_loop() -> None:
    """Another loop is refused as long as the first one runs."""
    app, journal = tower()
    is_started, may_stop = threading.Event(), threading.Event()

    async def live() -> None:
        async with app:
            is_started.set()
            await asyncio.to_thread(may_stop.wait, WAIT_S)

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    is_started.wait(WAIT_S)
    try:
        with pytest.raises(WrongLoop):
            asyncio.run(start(app))
    finally:
        may_stop.set()
        thread.join(WAIT_S)

    assert len(journal.of("close")) == 4


async def start(app: Application) -> Any:
    """Start, and return the object of low."""
    await app.start()
    return app.adapters.low()


def test_a_loop_that_closed_without_a_stop_is_given_up() -> None:
    """The next start builds new objects, and a warning names what was never closed."""
    app, journal = tower()
    stream = io.StringIO()
    first = asyncio.run(start(app))
    configure(level="WARNING", as_json=True, stream=stream)

    async def again() -> Any:
        found = await start(app)
        await app.stop()
        return found

    second = asyncio.run(again())

    line = json.loads(stream.getvalue())
    assert first is not second
    assert (line["severity"], sorted(line["slots"])) == ("WARNING", ["high", "low", "middle", "side"])
    assert len(journal.of("open")) == 8
    assert len(journal.of("close")) == 4
