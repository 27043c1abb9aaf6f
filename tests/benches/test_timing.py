"""Measuring: whose time counts, and what cannot be measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from benches.timing import CannotMeasure, Effort, awaits, calls, interleave, process, shown
from oneiric.testing.clock import FakeClock


def of(*seconds: float, log: list[str] | None = None, name: str = "") -> Iterator[float]:
    """Yield one time after the other, and note each turn."""
    for one in seconds:
        if log is not None:
            log.append(name)
        yield one


def test_the_best_of_all_rounds_counts() -> None:
    """A round that something else disturbed does not change the verdict."""
    slow, fast = of(9.0, 4.0, 7.0), of(2.0, 3.0, 8.0)

    best_s = interleave({"slow": lambda: next(slow), "fast": lambda: next(fast)}, rounds=3)

    assert best_s == {"slow": 4.0, "fast": 2.0}


def test_contestants_run_in_turn() -> None:
    """Load that comes and goes hits all of them alike, since no one runs all its rounds first."""
    turns: list[str] = []
    first, second = of(1.0, 1.0, log=turns, name="first"), of(1.0, 1.0, log=turns, name="second")

    interleave({"first": lambda: next(first), "second": lambda: next(second)}, rounds=2)

    assert turns == ["first", "second", "first", "second"]


def test_the_time_of_all_calls_of_a_round_is_taken() -> None:
    """A round that calls a function three times takes three times as long."""
    clock = FakeClock()

    took_s = calls(lambda: clock.advance(0.5), 3, clock=clock)()

    assert took_s == 1.5


def test_asynchronous_calls_follow_one_another_in_one_task() -> None:
    """A round of three calls takes the time of three, and no task is made for each."""
    clock = FakeClock()
    tasks: set[object] = set()

    async def call() -> None:
        tasks.add(asyncio.current_task())
        clock.advance(0.5)

    with asyncio.Runner() as runner:
        took_s = awaits(call, 3, runner, clock=clock)()

    assert took_s == 1.5
    assert len(tasks) == 1


def test_what_a_call_leaves_behind_is_dropped_after_the_time_is_taken() -> None:
    """Taking a large result apart is not part of making it."""
    clock = FakeClock()

    class Result:
        def __del__(self) -> None:
            clock.advance(10.0)

    took_s = calls(Result, clock=clock)()

    assert took_s == 0.0


@pytest.mark.parametrize(
    ("quick", "wanted", "rounds"),
    [
        pytest.param(False, 60, 60, id="a verdict takes all rounds"),
        pytest.param(True, 60, 12, id="a first look takes a fifth"),
        pytest.param(True, 3, 2, id="never fewer than two"),
    ],
)
def test_a_quick_run_takes_fewer_rounds(quick: bool, wanted: int, rounds: int) -> None:
    """`--quick` takes a fifth of the rounds, and never fewer than two."""
    effort = Effort(quick)

    assert effort.rounds(wanted) == rounds


def test_a_process_that_fails_cannot_be_measured() -> None:
    """The time of a program that did not do its work is no result; the error says how it ended."""
    contestant = process(["-c", "raise SystemExit('no such thing')"])

    with pytest.raises(CannotMeasure, match="ended with 1: no such thing"):
        contestant()


def test_a_process_that_ends_well_takes_processor_time() -> None:
    """What counts is the processor time of the process, which other processes disturb least."""
    contestant = process(["-c", "pass"])

    assert contestant() > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(2.5, "2.5 s", id="seconds"),
        pytest.param(0.0421, "42.1 ms", id="milliseconds"),
        pytest.param(0.0000061, "6.1 us", id="microseconds"),
        pytest.param(0.000000084, "84 ns", id="nanoseconds"),
    ],
)
def test_a_time_is_shown_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    """A person reads three digits and a unit."""
    assert shown(seconds) == text
