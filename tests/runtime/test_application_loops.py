"""One application under many tasks and threads, and in the event loop that it belongs to."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oneiric import INJECTED, Application, Inject, LayerContainer, inject
from oneiric.core.errors import WrongLoop
from oneiric.core.log import configure
from tests.support.parts import High, Low, Other, tower

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


def test_after_a_clean_stop_another_loop_may_start_it() -> None:
    """Also when the first loop is not closed."""
    app, journal = tower()
    with asyncio.Runner() as first, asyncio.Runner() as second:
        for runner in (first, second):
            runner.run(start(app))
            runner.run(app.stop())

    assert (len(journal.of("open")), len(journal.of("close"))) == (8, 8)


def test_what_was_opened_without_a_start_is_closed_when_its_loop_ends() -> None:
    """The next loop opens its own."""
    app, journal = tower(eager=False)

    async def touch() -> Low:
        found: High = await app.call(use_high)
        return found.middle.low

    lows = [asyncio.run(touch()), asyncio.run(touch())]

    assert lows[0] is not lows[1]
    assert journal.of("close") == ["high", "middle", "low"] * 2


@pytest.mark.asyncio
async def test_a_stop_waits_for_what_an_override_in_a_thread_has_built() -> None:
    """It is closing in the loop by then, and no task is left."""
    app, journal = tower(eager=False)
    closed: list[str] = []

    async def close_slowly() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        closed.append("other")

    journal.acts = {"close other": close_slowly}

    def override() -> None:
        with app.override({"low": Other}):
            app.adapters.low()

    async with app:
        await asyncio.to_thread(override)

    assert closed == ["other"]


@pytest.mark.asyncio
async def test_a_waiter_that_is_cancelled_lets_the_closing_go_on() -> None:
    """Leaving an override closes what it built, also for a task that is cancelled meanwhile."""
    app, journal = tower(eager=False)
    is_closing, may_close = asyncio.Event(), asyncio.Event()
    closed: list[str] = []

    async def close() -> None:
        is_closing.set()
        await may_close.wait()
        closed.append("other")

    journal.acts = {"close other": close}

    async def override() -> None:
        async with app.override({"low": Other}):
            await asyncio.to_thread(app.adapters.low)

    async with app:
        task = asyncio.create_task(override())
        await is_closing.wait()
        task.cancel()
        await asyncio.wait({task})
        may_close.set()

    assert closed == ["other"]


@pytest.mark.asyncio
async def test_what_opens_while_the_others_close_is_closed_too() -> None:
    """A task that goes on during a stop leaves nothing open."""
    app, journal = tower(eager=False)

    async def open_another() -> None:
        await app.wiring.abuild(app.slot("side"))

    journal.acts = {"close low": open_another}

    async with app:
        await asyncio.to_thread(app.adapters.low)

    assert journal.of("close") == ["low", "side"]
    assert app.lifecycle.open_slots == []


@pytest.mark.asyncio
async def test_overrides_of_settings_close_what_they_built() -> None:
    """However many there are, only the object of before is kept."""
    app, journal = tower(eager=False)
    async with app:
        before = await asyncio.to_thread(app.adapters.low)
        for number in range(1, 6):
            async with app.override(LayerContainer("explicit", settings={"low.Low.health_timeout_s": number})):
                await asyncio.to_thread(app.adapters.low)

        assert len(journal.of("close")) == 5
        assert app.adapters.low() is before


@pytest.mark.asyncio
async def test_what_is_built_when_its_override_ends_is_closed() -> None:
    """Nobody could reach it any more."""
    app, journal = tower(eager=False)
    is_opening, may_open = asyncio.Event(), asyncio.Event()

    async def open_late() -> None:
        is_opening.set()
        await may_open.wait()

    journal.acts = {"opening other": open_late}

    async with app:
        with app.override({"low": Other}):
            build = asyncio.create_task(app.wiring.abuild(app.slot("low")))
            await is_opening.wait()
        may_open.set()
        await build
        await app.settled()

        assert journal.entries == ["opening other", "open other", "close other"]
