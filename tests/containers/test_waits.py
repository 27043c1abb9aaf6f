"""Who waits for whose build: a wait that could never end is refused."""

from __future__ import annotations

import asyncio
import threading

import pytest

from oneiric.containers.waits import Waits
from oneiric.core.errors import DependencyCycle
from oneiric.providers.adapter import Attempt


def test_whoever_builds_nothing_may_wait_for_anything() -> None:
    """Nobody waits for it, so there is no circle."""
    waits = Waits()

    with waits.on(Attempt(None)):
        assert waits._waits_for == {}


def test_a_build_cannot_wait_for_itself() -> None:
    """The error names it."""
    waits, attempt = Waits(), Attempt(None)

    with waits.under(attempt, "a"), pytest.raises(DependencyCycle) as caught, waits.on(attempt):
        raise AssertionError("the wait began")

    assert caught.value.cycle == ("a", "a")


def test_a_build_inside_another_is_waited_for_by_it() -> None:
    """So the inner one cannot wait for the outer one."""
    waits, outer, inner = Waits(), Attempt(None), Attempt(None)

    with waits.under(outer, "outer"), waits.under(inner, "inner"), pytest.raises(DependencyCycle) as caught:  # noqa: SIM117
        with waits.on(outer):
            raise AssertionError("the wait began")

    assert caught.value.cycle == ("inner", "outer", "inner")


@pytest.mark.asyncio
async def test_a_circle_of_three_tasks_is_refused() -> None:
    """The last that would close it gets the error, and the others go on."""
    waits, attempts, end = Waits(), [Attempt(None) for _ in range(3)], asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def build(n: int) -> None:
        with waits.under(attempts[n], "abc"[n]), waits.on(attempts[(n + 1) % 3]):
            waiting.release()
            await end.wait()

    tasks = [asyncio.create_task(build(n)) for n in range(2)]
    await waiting.acquire()
    await waiting.acquire()
    with pytest.raises(DependencyCycle) as caught:
        await asyncio.create_task(build(2))
    end.set()
    await asyncio.gather(*tasks)

    assert caught.value.cycle == ("c", "a", "b", "c")
    assert waits._waits_for == {}


def test_a_thread_that_a_build_starts_is_not_that_build() -> None:
    """It has its own life, and may wait for the build."""
    waits, attempt, ends = Waits(), Attempt(None), list[str]()

    def wait() -> None:
        with waits.on(attempt):
            ends.append("waited")

    with waits.under(attempt, "a"):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()

    assert ends == ["waited"]
