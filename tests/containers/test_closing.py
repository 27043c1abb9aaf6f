"""Closing: where a closer runs, and what happens when it cannot be kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from oneiric import Container
from oneiric.containers.closing import Held, close_now, hold, report, run_closers
from oneiric.core.errors import NeedsAsyncOpen, ScopeClosed
from oneiric.providers.adapter import Closer
from oneiric.providers.slot import Cell, Slot


@pytest.fixture
def cell() -> Cell:
    """The cell of some slot."""
    return Cell(Slot(Container("closing"), "session", kind="object", child="services"))


class Ended:
    """A keeper whose scope has ended."""

    def keep(self, cell: Cell, closer: Closer) -> None:
        """Refuse it."""
        raise ScopeClosed(cell.slot.name, "request")


@pytest.mark.asyncio
async def test_what_cannot_be_kept_is_closed_at_once(cell: Cell) -> None:
    """The closer hears why."""
    heard: list[BaseException | None] = []

    async def closer(error: BaseException | None) -> None:
        heard.append(error)

    with pytest.raises(ScopeClosed) as caught:
        await hold(Ended(), cell, closer)

    assert heard == [caught.value]


@pytest.mark.asyncio
async def test_every_closer_runs_and_every_failure_is_returned(cell: Cell) -> None:
    """In the order given, each with the exception of the body."""
    body, log = ValueError("body"), list[object]()

    def closer(failure: Exception | None) -> Closer:
        async def close(error: BaseException | None) -> None:
            log.append(error)
            if failure is not None:
                raise failure

        return close

    failures = [KeyError("a"), KeyError("b")]
    held = [Held(cell, closer(failure), None) for failure in (failures[0], None, failures[1])]

    assert await run_closers(held, body) == failures
    assert log == [body, body, body]


@pytest.mark.asyncio
async def test_synchronous_code_cannot_close_what_waits_for_its_own_loop(cell: Cell) -> None:
    """The error names the slot and what to write instead."""

    async def waits(error: BaseException | None) -> None:
        await asyncio.sleep(0)

    with pytest.raises(NeedsAsyncOpen, match="slot session"):
        close_now(Held(cell, waits, asyncio.get_running_loop()), None)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(None, ["b"], id="after a body without exception"),
        pytest.param(ValueError("a"), ["a", "b"], id="after the body's exception"),
    ],
)
def test_failures_are_told_together(body: Exception | None, told: list[str]) -> None:
    """The exception of the body comes first."""
    with pytest.raises(ExceptionGroup) as caught:
        report([ValueError("b")], body)

    assert [str(error) for error in caught.value.exceptions] == told


def test_nothing_replaces_a_cancellation() -> None:
    """What failed then stands in the log."""
    told = report([ValueError("b")], asyncio.CancelledError())  # type: ignore[func-returns-value]  # it only must not raise

    assert told is None


@pytest.mark.asyncio
async def test_a_cancellation_that_comes_out_of_a_closer_is_its_failure(cell: Cell) -> None:
    """A closer may await a task that it has cancelled; what comes after it is closed all the same."""
    closed: list[str] = []

    async def stray(error: BaseException | None) -> None:
        task = asyncio.create_task(asyncio.sleep(1_000))
        task.cancel()
        await task

    async def usual(error: BaseException | None) -> None:
        closed.append("usual")

    failures = await run_closers([Held(cell, stray, None), Held(cell, usual, None)], None)

    assert [str(failure) for failure in failures] == ["slot session: a cancellation came out of its close"]
    assert closed == ["usual"]


@pytest.mark.asyncio
async def test_who_is_cancelled_while_things_close_is_so_when_all_are_closed(cell: Cell) -> None:
    """The closer that was at work is cut off, and those that follow are not."""
    closed: list[str] = []
    begun = asyncio.Event()

    async def slow(error: BaseException | None) -> None:
        begun.set()
        await asyncio.sleep(1_000)

    async def usual(error: BaseException | None) -> None:
        closed.append("usual")

    closing = asyncio.create_task(run_closers([Held(cell, slow, None), Held(cell, usual, None)], None))
    await begun.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert closed == ["usual"]


@pytest.mark.asyncio
async def test_a_cancellation_that_was_swallowed_long_ago_is_none_of_now(cell: Cell) -> None:
    """A task may have gone on after one; what comes out of a closer later is that closer's failure."""

    async def stray(error: BaseException | None) -> None:
        raise asyncio.CancelledError

    async def work() -> list[Exception]:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await run_closers([Held(cell, stray, None)], None)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()

    assert [str(failure) for failure in await working] == ["slot session: a cancellation came out of its close"]
