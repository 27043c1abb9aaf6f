"""Deadline, breaker and retries around a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from oneiric.core.errors import (
    AdapterError,
    Denied,
    NotFound,
    RateLimited,
    TimedOut,
    TransactionAborted,
    Unavailable,
)
from oneiric.core.remote import Breaker, Retry
from oneiric.core.resilience import MAX_PEERS, Resilience, unsent
from oneiric.testing.clock import FakeClock


class Peer:
    """Answers calls as it is told: an error is raised, anything else is returned; the last one repeats."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def __call__(self) -> object:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Timeline:
    """A clock, and the waits that moved it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.clock.advance(seconds)


def around(
    timeline: Timeline,
    *,
    timeout_s: float = 60.0,
    retry: Retry | None = None,
    breaker: Breaker | None = None,
    sleep: Callable[[float], Awaitable[None]] | None = None,
    draw: float = 0.0,
) -> Resilience:
    return Resilience(
        timeout_s=timeout_s,
        retry=retry or Retry(),
        breaker=breaker or Breaker(failures=100),
        category="cache",
        name="redis",
        clock=timeline.clock,
        sleep=sleep or timeline.sleep,
        draw=lambda: draw,
    )


def is_open(error: AdapterError) -> bool:
    return "breaker is open" in str(error)


@pytest.mark.parametrize(
    ("error", "is_idempotent", "calls"),
    [
        pytest.param(Unavailable(), True, 3, id="unavailable"),
        pytest.param(TimedOut(), True, 3, id="timed-out"),
        pytest.param(RateLimited(), True, 3, id="rate-limited"),
        pytest.param(TransactionAborted(), True, 3, id="transaction-aborted"),
        pytest.param(NotFound(), True, 1, id="not-found is final"),
        pytest.param(Denied(), True, 1, id="denied is final"),
        pytest.param(OSError(), True, 1, id="an error that is not ours is final"),
        pytest.param(Unavailable(), False, 1, id="what is not idempotent is not repeated"),
        pytest.param(TimedOut(), False, 1, id="nor after a timeout"),
        pytest.param(unsent(Unavailable()), False, 3, id="unless the request did not leave"),
        pytest.param(RateLimited(), False, 3, id="or the peer refused to do it now"),
        pytest.param(unsent(Denied()), False, 1, id="a final error stays final"),
    ],
)
@pytest.mark.asyncio
async def test_only_what_may_be_repeated_is_tried_again(error: Exception, is_idempotent: bool, calls: int) -> None:
    """Retryable errors of ours are tried again if the call is idempotent or surely had no effect."""
    peer = Peer(error)

    with pytest.raises(type(error)) as caught:
        await around(Timeline()).run(peer, is_idempotent=is_idempotent)

    assert caught.value is error
    assert peer.calls == calls


@pytest.mark.asyncio
async def test_the_answer_of_the_try_that_worked_is_returned() -> None:
    """A failure that passed leaves no trace."""
    peer = Peer(Unavailable(), Unavailable(), "answer")

    assert await around(Timeline()).run(peer, is_idempotent=True) == "answer"
    assert peer.calls == 3


@pytest.mark.parametrize(
    ("retry", "draw", "waits"),
    [
        pytest.param(Retry(attempts=4), 0.0, [0.1, 0.2, 0.4], id="each wait is twice the last"),
        pytest.param(Retry(attempts=4, factor=1), 0.0, [0.1, 0.1, 0.1], id="or the same"),
        pytest.param(Retry(attempts=4, wait_s=1, factor=10, max_wait_s=5), 0.0, [1, 5, 5], id="up to a limit"),
        pytest.param(Retry(attempts=3, jitter=0.5), 0.5, [0.075, 0.15], id="a share is drawn"),
        pytest.param(Retry(attempts=1), 0.0, [], id="one try, no wait"),
    ],
)
@pytest.mark.asyncio
async def test_waits_follow_the_settings(retry: Retry, draw: float, waits: list[float]) -> None:
    """The waits grow by a factor up to a limit, and jitter only shortens them."""
    timeline = Timeline()

    with pytest.raises(Unavailable):
        await around(timeline, retry=retry, draw=draw).run(Peer(Unavailable()), is_idempotent=True)

    assert timeline.waits == waits


@pytest.mark.parametrize(
    ("retry_after_s", "waits"),
    [
        pytest.param(7.0, [7.0], id="longer than ours"),
        pytest.param(0.0, [0.1], id="shorter than ours"),
        pytest.param(None, [0.1], id="not said"),
        pytest.param(30.0, [], id="longer than the time that is left"),
    ],
)
@pytest.mark.asyncio
async def test_the_pause_that_a_peer_asks_for_is_kept(retry_after_s: float | None, waits: list[float]) -> None:
    """No try comes earlier than retry_after_s, and none is waited for that could not be made in time."""
    timeline = Timeline()
    peer = Peer(RateLimited(retry_after_s=retry_after_s))

    with pytest.raises(RateLimited):
        await around(timeline, timeout_s=10, retry=Retry(attempts=2)).run(peer, is_idempotent=False)

    assert timeline.waits == waits
    assert peer.calls == len(waits) + 1


@pytest.mark.asyncio
async def test_a_call_that_stalls_times_out() -> None:
    """The deadline ends it, says after how long, and nothing is tried again since no time is left."""
    calls = []

    async def stall() -> None:
        calls.append(1)
        await asyncio.Event().wait()

    with pytest.raises(TimedOut) as caught:
        await around(Timeline(), timeout_s=0.01, retry=Retry(wait_s=0)).run(stall, is_idempotent=True, operation="get")

    assert str(caught.value) == "cache/redis get: timed-out (no answer within 0.01 s)"
    assert calls == [1]


@pytest.mark.asyncio
async def test_the_time_limit_holds_for_all_tries_together() -> None:
    """A further try is made only while time is left, whatever the number of attempts."""
    timeline = Timeline()
    retry = Retry(attempts=100, wait_s=1, factor=1, jitter=0)
    peer = Peer(Unavailable())

    with pytest.raises(Unavailable):
        await around(timeline, timeout_s=5, retry=retry).run(peer, is_idempotent=True)

    assert timeline.waits == [1.0, 1.0, 1.0, 1.0]
    assert peer.calls == 5


@pytest.mark.asyncio
async def test_a_timeout_of_the_call_itself_is_not_ours() -> None:
    """A TimeoutError that the call raised before the deadline passes as it is."""
    error = TimeoutError("of a socket")

    with pytest.raises(TimeoutError) as caught:
        await around(Timeline()).run(Peer(error), is_idempotent=True)

    assert caught.value is error


@pytest.mark.asyncio
async def test_cancelling_a_call_passes() -> None:
    """Neither retries nor the breaker hold a cancellation up, and it is no failure."""
    began = asyncio.Event()

    async def wait() -> None:
        began.set()
        await asyncio.Event().wait()

    resilience = around(Timeline(), breaker=Breaker(failures=1))
    task = asyncio.create_task(resilience.run(wait, is_idempotent=True))
    await began.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await resilience.run(Peer("answer"), is_idempotent=True) == "answer"


@pytest.mark.asyncio
async def test_cancelling_a_wait_passes() -> None:
    """A call that waits for its next try can be cancelled."""
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    peer = Peer(Unavailable())
    task = asyncio.create_task(around(Timeline(), sleep=sleep).run(peer, is_idempotent=True))
    await waiting.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert peer.calls == 1


@pytest.mark.asyncio
async def test_the_breaker_stops_calls_for_a_while() -> None:
    """After so many failures in a row no call is made until reset_s are over; then one that works closes it."""
    timeline = Timeline()
    resilience = around(timeline, retry=Retry(attempts=1), breaker=Breaker(failures=2, reset_s=30))
    peer = Peer(Unavailable("first"), Unavailable("second"), "answer")
    for expected in ("first", "second"):
        with pytest.raises(Unavailable, match=expected):
            await resilience.run(peer, is_idempotent=True)

    timeline.clock.advance(29)
    with pytest.raises(Unavailable) as caught:
        await resilience.run(peer, is_idempotent=True, operation="get")
    timeline.clock.advance(1)
    answers = [await resilience.run(peer, is_idempotent=True) for _ in range(3)]

    assert str(caught.value) == "cache/redis get: unavailable (the breaker is open, next try in 1 s)"
    assert answers == ["answer"] * 3
    assert peer.calls == 5


@pytest.mark.asyncio
async def test_the_error_that_opens_the_breaker_is_the_call_s_own() -> None:
    """Whoever made the call sees what the peer did, at once, without further waits."""
    timeline = Timeline()
    error = Unavailable("connection refused")

    with pytest.raises(Unavailable) as caught:
        await around(timeline, breaker=Breaker(failures=1)).run(Peer(error), is_idempotent=True)

    assert caught.value is error
    assert timeline.waits == []


@pytest.mark.asyncio
async def test_a_trial_that_fails_opens_the_breaker_again() -> None:
    """The pause starts anew, in full."""
    timeline = Timeline()
    resilience = around(timeline, retry=Retry(attempts=1), breaker=Breaker(failures=2, reset_s=30))
    peer = Peer(Unavailable())
    for advance_s in (0, 0, 30, 29):
        timeline.clock.advance(advance_s)
        with pytest.raises(Unavailable) as caught:
            await resilience.run(peer, is_idempotent=True)

    assert is_open(caught.value)
    assert peer.calls == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("ends", [pytest.param("answers", id="that works"), pytest.param("cancelled", id="cancelled")])
async def test_one_trial_is_made_at_a_time(ends: str) -> None:
    """While a trial is under way the breaker is open for everybody else; one that is cancelled makes room."""
    timeline = Timeline()
    resilience = around(timeline, retry=Retry(attempts=1), breaker=Breaker(failures=1, reset_s=30))
    with pytest.raises(Unavailable):
        await resilience.run(Peer(Unavailable()), is_idempotent=True)
    timeline.clock.advance(30)
    began, may_end = asyncio.Event(), asyncio.Event()

    async def trial() -> str:
        began.set()
        await may_end.wait()
        return "answer"

    task = asyncio.create_task(resilience.run(trial, is_idempotent=True))
    await began.wait()
    with pytest.raises(Unavailable) as caught:
        await resilience.run(Peer("answer"), is_idempotent=True)
    if ends == "answers":
        may_end.set()
    else:
        task.cancel()
    await asyncio.wait([task])

    assert is_open(caught.value)
    assert await resilience.run(Peer("answer"), is_idempotent=True) == "answer"


@pytest.mark.asyncio
async def test_a_late_failure_neither_breaks_the_breaker_nor_hides_itself() -> None:
    """A call that began before the breaker opened and fails after its pause raises its own error and opens it again."""
    timeline = Timeline()
    resilience = around(timeline, retry=Retry(attempts=1), breaker=Breaker(failures=1, reset_s=30))
    began, may_end = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        began.set()
        await may_end.wait()
        raise Unavailable("late")

    task = asyncio.create_task(resilience.run(late, is_idempotent=True))
    await began.wait()
    with pytest.raises(Unavailable):
        await resilience.run(Peer(Unavailable()), is_idempotent=True)
    timeline.clock.advance(30)
    may_end.set()
    with pytest.raises(Unavailable, match="late"):
        await task

    with pytest.raises(Unavailable) as caught:
        await resilience.run(Peer("answer"), is_idempotent=True)
    assert is_open(caught.value)


@pytest.mark.parametrize(
    ("error", "opens"),
    [
        pytest.param(Unavailable(), True, id="unavailable"),
        pytest.param(TimedOut(), True, id="timed-out"),
        pytest.param(NotFound(), False, id="not-found is an answer"),
        pytest.param(RateLimited(), False, id="a pause is asked for by a peer that is there"),
        pytest.param(TransactionAborted(), False, id="a deadlock says that the database works"),
        pytest.param(OSError(), False, id="an error that is not ours"),
    ],
)
@pytest.mark.asyncio
async def test_only_a_peer_that_is_not_there_opens_the_breaker(error: Exception, opens: bool) -> None:
    """Errors that a healthy peer answers with do not stop calls."""
    resilience = around(Timeline(), retry=Retry(attempts=1), breaker=Breaker(failures=1))
    with pytest.raises(type(error)):
        await resilience.run(Peer(error), is_idempotent=True)

    if opens:
        with pytest.raises(Unavailable, match="breaker is open"):
            await resilience.run(Peer("answer"), is_idempotent=True)
        return
    assert await resilience.run(Peer("answer"), is_idempotent=True) == "answer"


@pytest.mark.asyncio
async def test_each_peer_has_a_breaker_of_its_own() -> None:
    """One server that is down does not stop calls to another; the oldest breaker goes when there are too many."""
    resilience = around(Timeline(), retry=Retry(attempts=1), breaker=Breaker(failures=1))
    with pytest.raises(Unavailable):
        await resilience.run(Peer(Unavailable()), is_idempotent=True, peer="down")

    for number in range(MAX_PEERS - 1):
        assert await resilience.run(Peer("answer"), is_idempotent=True, peer=f"up-{number}") == "answer"
    with pytest.raises(Unavailable, match="breaker is open"):
        await resilience.run(Peer("answer"), is_idempotent=True, peer="down")
    await resilience.run(Peer("answer"), is_idempotent=True, peer="one more")

    assert await resilience.run(Peer("answer"), is_idempotent=True, peer="down") == "answer"
