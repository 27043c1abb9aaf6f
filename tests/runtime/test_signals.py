"""The first signal: seen at once, by whoever waits and whoever comes later. The second is tested as a process."""

from __future__ import annotations

import asyncio
import signal

import pytest

from oneiric.runtime.signals import ReloadSignal, StopSignal

WAIT_S = 10.0
NUMBERS = [pytest.param(signal.SIGTERM, id="SIGTERM"), pytest.param(signal.SIGINT, id="SIGINT")]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.asyncio
async def test_who_waits_is_woken_by_a_signal(number: signal.Signals) -> None:
    """Also where the loop has nothing else to do."""
    with StopSignal().installed() as stop:
        waiting = asyncio.create_task(stop.wait())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)
        await asyncio.wait_for(waiting, WAIT_S)

    assert stop.is_set


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_that_came_before_the_loop_is_not_lost(number: signal.Signals) -> None:
    """A process may be stopped while it still imports."""
    with StopSignal().installed() as stop:
        signal.raise_signal(number)
        asyncio.run(asyncio.wait_for(stop.wait(), WAIT_S))

    assert stop.is_set


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_that_is_delivered_twice_asks_once(number: signal.Signals) -> None:
    """GNU `timeout` signals the process and then its group: nothing may be cut off by that."""
    now_s = iter([7.0, 7.09])

    with StopSignal(clock=lambda: next(now_s)).installed() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(number)  # it would end this process

    assert stop.is_set
    assert next(now_s, None) is None


def test_readiness_is_told_inside_the_handler() -> None:
    """Before the loop has its next turn."""
    told: list[str] = []

    with StopSignal(lambda: told.append("draining")).installed():
        signal.raise_signal(signal.SIGTERM)
        at_once = list(told)

    assert at_once == ["draining"]


def test_earlier_handlers_come_back() -> None:
    """A program that serves inside itself keeps its own."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    with StopSignal().installed():
        during = signal.getsignal(signal.SIGTERM)

    assert during not in before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.asyncio
async def test_a_hang_up_asks_each_time() -> None:
    """One that came before anybody waited counts, and several that come together count once."""
    number = signal.SIGHUP
    with ReloadSignal().installed() as asked:
        signal.raise_signal(number)
        signal.raise_signal(number)
        await asyncio.wait_for(asked.wait(), WAIT_S)
        waiting = asyncio.create_task(asked.wait())
        await asyncio.sleep(0)
        was_asked = waiting.done()
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)
        await asyncio.wait_for(waiting, WAIT_S)

    assert not was_asked
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_hang_up_that_is_ignored_stays_so() -> None:
    """`nohup` starts a process that way, so that it outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ReloadSignal().installed():
            during = signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert during == signal.SIG_IGN
