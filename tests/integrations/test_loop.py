"""The event loop of a program: it goes on while synchronous code runs, and is one loop all the time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from oneiric.integrations.loop import ProgramLoop

TIMEOUT_S = 10.0


async def where() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    """Return the loop and the thread that this runs in."""
    return asyncio.get_running_loop(), threading.current_thread()


def test_a_coroutine_runs_in_the_calling_thread_and_always_in_one_loop() -> None:
    """As under `asyncio.run`, but what was opened stays."""
    loop = ProgramLoop()

    first, second = loop.wait(where()), loop.wait(where())
    loop.close()

    assert first == second
    assert first[1] is threading.current_thread()
    assert first[0].is_closed()


def test_tasks_go_on_while_synchronous_code_runs() -> None:
    """The loop is never idle for want of a driver."""
    loop, done = ProgramLoop(), threading.Event()

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(end())

    async def end() -> None:
        done.set()

    task = loop.wait(begin())

    assert done.wait(TIMEOUT_S)
    loop.close()
    assert task.done()


def test_the_end_cancels_what_still_runs_and_leaves_no_thread() -> None:
    """Nothing outlives the program loop."""
    before = threading.active_count()
    loop = ProgramLoop()

    async def begin() -> asyncio.Task[object]:
        return asyncio.create_task(asyncio.Event().wait())

    task = loop.wait(begin())
    loop.close()

    assert task.cancelled()
    assert threading.active_count() == before


def test_what_a_coroutine_raises_arrives_and_the_loop_goes_on() -> None:
    """A failing start is followed by a stop."""
    loop = ProgramLoop()

    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        loop.wait(fail())
    assert loop.wait(where())[1] is threading.current_thread()
    loop.close()
