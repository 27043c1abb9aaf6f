"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """
    Stands in for `time.monotonic` wherever a clock is injected: a callable that returns seconds.

    Args:
        start_s: What it shows at first, in seconds.
    """

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s

    def __call__(self) -> float:
        """Return the time it shows, in seconds."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """
        Move on.

        Args:
            seconds: How far, 0 or more.

        Raises:
            ValueError: The time would run backwards.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds:g} s")
        self._now_s += seconds
