"""Small types that the tests of containers bind to slots."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Return seconds."""


class FixedClock:
    """A clock that stands still."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Return the seconds it stands at."""
        return self.seconds


class OtherClock(FixedClock):
    """Another clock that stands still."""


class Engine:
    """A thing of its own class."""


class Car:
    """Made from an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class Garage:
    """Made from a car and a clock."""

    def __init__(self, car: Car, clock: Clock) -> None:
        self.car = car
        self.clock = clock
