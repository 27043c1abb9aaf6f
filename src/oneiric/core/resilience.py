"""
Calls that leave the process: a deadline, a circuit breaker and retries, in this order from the inside.

The only user of tenacity and aiobreaker, which are imported by the first call.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.core.errors import OneiricError, RateLimited, TimedOut, Unavailable
from oneiric.core.remote import Breaker, Retry

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
E = TypeVar("E", bound=OneiricError)
MAX_PEERS = 256
_UNSENT = "_oneiric_unsent"
_FAR = datetime(9999, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # aiobreaker compares with times without a zone


def unsent(error: E) -> E:
    """Mark an error as raised before its request left this process, so that any call may be tried again; return it."""
    vars(error)[_UNSENT] = True
    return error


def is_unsent(error: BaseException) -> bool:
    """Tell whether the request surely had no effect: it never left, or the peer asked for a pause instead."""
    return isinstance(error, RateLimited) or _UNSENT in vars(error)


class Resilience:
    """
    What stands around the calls of one adapter: retry( breaker( deadline( call ))).

    Args:
        timeout_s: Seconds that one call may take in all, tries and waits included; above 0.
        retry: How often and after which waits a call is tried again.
        breaker: When calls to a failing peer stop. Only `Unavailable` and `TimedOut` count as failures.
        category: The adapter's category, for errors.
        name: The adapter's name, for errors.
        clock: Seconds that never run backwards; waits and the breaker go by it.
        sleep: Waits so many seconds.
        draw: A number from 0 to below 1, for the jitter.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        retry: Retry,
        breaker: Breaker,
        category: str = "",
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._timeout_s, self._retry, self._breaker = timeout_s, retry, breaker
        self._category, self._name = category, name
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._circuits: dict[str, _Circuit] = {}

    async def run(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        is_idempotent: bool,
        operation: str = "",
        timeout_s: float | None = None,
        peer: str = "",
    ) -> T:
        """
        Make a call, again where that is allowed, and return what it returns.

        Only errors with `retryable` are tried again, and of these, when the call is not idempotent, only the ones
        whose request surely had no effect (`is_unsent`). No try begins that the time left does not allow.

        Args:
            call: Makes one try; called once for each.
            is_idempotent: Making the call twice has the effect of making it once.
            operation: The adapter's method, for errors.
            timeout_s: Seconds in all for this call, above 0; None takes the adapter's own limit.
            peer: Who is called, where an adapter has several; each has a breaker of its own.

        Raises:
            TimedOut: The time was up.
            Unavailable: The breaker is open; no try was made.
            Exception: Whatever the last try raised.
        """
        from tenacity import AsyncRetrying, retry_if_exception

        limit_s = self._timeout_s if timeout_s is None else timeout_s
        tries = _Tries(self._clock() + limit_s)
        circuit = self._circuit(peer)

        async def within() -> T:
            left_s = max(0.0, tries.ends_s - self._clock())
            try:
                async with asyncio.timeout(left_s) as deadline:
                    return await call()
            except TimeoutError:
                if not deadline.expired():
                    raise
                tries.is_over = True
                raise self._error(TimedOut, f"no answer within {limit_s:g} s", operation) from None

        async def attempt() -> T:
            wait_s = circuit.wait_s()
            if wait_s is not None:
                tries.is_over = True
                raise self._error(Unavailable, f"the breaker is open, next try in {wait_s:.0f} s", operation)
            return await circuit.call(within)

        def may_retry(error: BaseException) -> bool:
            allowed = isinstance(error, OneiricError) and error.retryable and not tries.is_over
            return allowed and (is_idempotent or is_unsent(error))

        def stop(state: RetryCallState) -> bool:
            is_last = state.attempt_number >= self._retry.attempts or circuit.wait_s() is not None
            return is_last or state.upcoming_sleep >= tries.ends_s - self._clock()

        retrying = AsyncRetrying(
            sleep=self._sleep, stop=stop, wait=self._wait_s, retry=retry_if_exception(may_retry), reraise=True
        )
        return await retrying(attempt)

    def _wait_s(self, state: RetryCallState) -> float:
        """Seconds before the next try: the settings' steps, and never less than the peer asked for."""
        retry = self._retry
        step_s = min(retry.max_wait_s, retry.wait_s * retry.factor ** min(state.attempt_number - 1, 64))
        drawn_s = step_s * (1 - retry.jitter * self._draw())
        error = state.outcome.exception() if state.outcome is not None else None
        asked_s = error.retry_after_s if isinstance(error, RateLimited) else None
        return max(drawn_s, asked_s or 0.0)

    def _circuit(self, peer: str) -> _Circuit:
        found = self._circuits.get(peer)
        if found is None:
            if len(self._circuits) >= MAX_PEERS:  # an adapter that meets ever new hosts must not grow for ever
                del self._circuits[next(iter(self._circuits))]
            found = self._circuits[peer] = _Circuit(self._breaker, self._clock)
        return found

    def _error(self, kind: type[TimedOut | Unavailable], reason: str, operation: str) -> TimedOut | Unavailable:
        return kind(reason, category=self._category, name=self._name, operation=operation)


@dataclass(slots=True)
class _Tries:
    """The state of one `run`: when its time is up, and whether a further try makes no sense."""

    ends_s: float
    is_over: bool = False


class _Circuit:
    """One breaker of aiobreaker with our clock, and one trial at a time once its pause is over."""

    def __init__(self, settings: Breaker, clock: Callable[[], float]) -> None:
        self._states, self._opened_error, self._breaker = _make_breaker(settings, clock)
        self._memory: _Memory = self._breaker.memory
        self._is_trying = False

    def wait_s(self) -> float | None:
        """Seconds until the next call is let through; None if one may go now, 0 while a trial is under way."""
        left_s = self._memory.left_s()
        return left_s if left_s > 0 or self._is_trying else None

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that `wait_s` allowed, and count how it ends."""
        is_trial = self._memory.state is not self._states.CLOSED
        self._is_trying = is_trial
        try:
            result: T = await self._breaker.call_async(call)
            return result
        except self._opened_error as opened:
            failure = opened.__cause__  # aiobreaker hides the call's own error behind the news that the breaker opened
        finally:
            if is_trial:
                self._is_trying = False
        raise failure


class _Memory:
    """
    Where aiobreaker keeps its state; the only place that decides how long a breaker stays open.

    aiobreaker 1.2 asks `datetime.utcnow()`, deprecated since Python 3.12, only while `opened_at` holds a time.
    """

    def __init__(self, closed: Any, opened: Any, reset_s: float, clock: Callable[[], float]) -> None:
        # the states are members of an enumeration of aiobreaker, which has no types
        self.state, self._open = closed, opened
        self._reset_s, self._clock = reset_s, clock
        self._opened_s = 0.0
        self.counter = 0

    def increment_counter(self) -> None:
        """Count one more failure in a row."""
        self.counter += 1

    def reset_counter(self) -> None:
        """Forget the failures."""
        self.counter = 0

    def left_s(self) -> float:
        """Seconds until a trial is allowed; 0 if it is, or if the breaker is not open."""
        if self.state is not self._open:
            return 0.0
        return max(0.0, self._opened_s + self._reset_s - self._clock())

    def open(self) -> None:
        """Remember when the breaker opened; a late failure of an older call does not make the pause longer."""
        if self.left_s() <= 0:
            self._opened_s = self._clock()
        self.state = self._open

    @property
    def opened_at(self) -> datetime | None:
        """What aiobreaker compares with its own clock: far in the future while open, None once a trial is allowed."""
        return _FAR if self.left_s() > 0 else None


def _make_breaker(settings: Breaker, clock: Callable[[], float]) -> tuple[Any, type[Any], Any]:
    """Return aiobreaker's states, its error and a breaker; all Any, because aiobreaker has no types."""
    from aiobreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerState

    memory = _Memory(CircuitBreakerState.CLOSED, CircuitBreakerState.OPEN, settings.reset_s, clock)

    class Circuit(CircuitBreaker):  # type: ignore[misc]  # aiobreaker has no types
        """A breaker that opens by our clock."""

        def open(self) -> None:
            """Open without `datetime.utcnow()`, which aiobreaker's own method calls."""
            self.memory.open()
            self.state = CircuitBreakerState.OPEN

        @property
        def opens_at(self) -> datetime:
            """A date for the text of aiobreaker's error, which nobody sees; its own one asks the machine's clock."""
            return _FAR

    breaker = Circuit(
        fail_max=settings.failures,
        exclude=[lambda error: not isinstance(error, (Unavailable, TimedOut))],
        state_storage=memory,
    )
    breaker.memory = memory
    return CircuitBreakerState, CircuitBreakerError, breaker
