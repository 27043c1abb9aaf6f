"""A step that goes on to its end in its own task, whatever asks that task to stop meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from oneiric.containers.protected import Protected
from oneiric.core.health import CLOSE_TIMEOUT_S
from tests.support.loop import pass_time, run


async def finish(agen: Any, outcome: list[object]) -> None:
    """Run the last step of an asynchronous generator, and note how it ended."""
    step = agen.__anext__()
    rest = Protected(step, step.send(None))
    try:
        await rest
    except StopAsyncIteration:
        outcome.append("ended")
    except TimeoutError:
        outcome.append("out of time")
    if rest.cancelled is not None:
        raise rest.cancelled


async def begun(agen: Any) -> Any:
    """Return the generator at its yield."""
    await anext(agen)
    return agen


@pytest.mark.parametrize("times", [pytest.param(1, id="once"), pytest.param(3, id="three times")])
def test_a_cancellation_waits_until_the_step_is_done(times: int) -> None:
    """The step sees nothing of it; afterwards the task is cancelled."""
    seen: list[object] = []

    async def resource() -> AsyncIterator[int]:
        yield 1
        for n in range(times + 1):
            await pass_time(1)
            seen.append(n)

    async def main() -> None:
        task = asyncio.ensure_future(finish(await begun(resource()), seen))
        for _ in range(times):
            await pass_time(0.5)
            task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    run(main())

    assert seen == [*range(times + 1), "ended"]


def test_a_step_that_never_ends_gets_a_timeout() -> None:
    """After the time limit for closing nobody waits for it any longer."""
    outcome: list[object] = []

    async def resource() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def main() -> None:
        await finish(await begun(resource()), outcome)

    _, took_s = run(main())

    assert outcome == ["out of time"]
    assert took_s == pytest.approx(CLOSE_TIMEOUT_S)


def test_a_step_that_only_lets_others_run_is_finished() -> None:
    """`asyncio.sleep(0)` waits for no future."""
    outcome: list[object] = []

    async def resource() -> AsyncIterator[int]:
        yield 1
        for _ in range(5):
            await asyncio.sleep(0)

    async def main() -> None:
        await finish(await begun(resource()), outcome)

    run(main())

    assert outcome == ["ended"]


def test_the_step_stays_in_its_task() -> None:
    """What it holds across its waits, such as a timeout, belongs to that task."""
    tasks: list[object] = []

    async def resource() -> AsyncIterator[int]:
        yield 1
        async with asyncio.timeout(1):
            tasks.append(asyncio.current_task())
            await pass_time(0.5)
        tasks.append(asyncio.current_task())

    async def main() -> object:
        await finish(await begun(resource()), [])
        return asyncio.current_task()

    task, _ = run(main())

    assert tasks == [task, task]


def test_what_the_step_raises_is_raised() -> None:
    """Its own error is not mistaken for an end."""

    async def resource() -> AsyncIterator[int]:
        yield 1
        await pass_time(1)
        raise LookupError("gone")

    async def main() -> None:
        await finish(await begun(resource()), [])

    with pytest.raises(LookupError, match="gone"):
        run(main())
