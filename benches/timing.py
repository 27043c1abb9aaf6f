"""
Measuring: contestants run in turn, many rounds, and the best time of each counts.

Whatever else the machine does hits all contestants alike, and the best of many rounds is the one it disturbed least.
Only the ratio of two best times of one run is a verdict; an absolute time never is.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

Clock = Callable[[], float]
Contestant = Callable[[], float]
QUICK_SHARE = 5


class CannotMeasure(Exception):
    """A row cannot be had: what it starts fails."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to measure; `quick` takes a fifth of the rounds, for a first look."""

    quick: bool = False

    def rounds(self, wanted: int) -> int:
        """Return how many rounds to run where `wanted` is what a reliable answer takes; never below 2."""
        return max(2, wanted // QUICK_SHARE) if self.quick else wanted

    def seconds(self, wanted_s: float) -> float:
        """Return for how many seconds to watch, where `wanted_s` is what a reliable answer takes."""
        return wanted_s / QUICK_SHARE if self.quick else wanted_s


def calls(
    function: Callable[[], object], times: int = 1, *, clock: Clock = time.process_time, settle: bool = True
) -> Contestant:
    """
    Return a contestant that calls a function.

    Args:
        function: What is measured; its result is dropped when the time is taken.
        times: How often it is called in one round, 1 or more.
        clock: What tells the seconds; the processor time of this process by default.
        settle: Collect the garbage of the contestants before, so that nobody pays for another.
    """

    def run() -> float:
        if settle:
            gc.collect()
        left = range(times)
        kept: object = None
        began = clock()
        for _ in left:
            kept = function()
        took_s = clock() - began
        del kept
        return took_s

    return run


def awaits(
    function: Callable[[], Awaitable[object]], times: int, runner: asyncio.Runner, *, clock: Clock = time.process_time
) -> Contestant:
    """
    Return a contestant that calls an asynchronous function, one call after the other in one task.

    Args:
        function: What is measured.
        times: How often it is called in one round, 1 or more.
        runner: Whose event loop it runs in; contestants that are compared share one.
        clock: What tells the seconds.
    """

    async def turns() -> float:
        left = range(times)
        began = clock()
        for _ in left:
            await function()
        return clock() - began

    def run() -> float:
        gc.collect()
        return runner.run(turns())

    return run


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a measured process: this one's, in which Python keeps what it compiled."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **more}


def process(command: Sequence[str]) -> Contestant:
    """
    Return a contestant that runs a Python process to its end, and takes the processor seconds the process used.

    Args:
        command: What follows the interpreter on the command line.

    Raises:
        CannotMeasure: When it runs: it exits with another status than 0.
    """

    def run() -> float:
        child = subprocess.Popen(
            [sys.executable, *command],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert child.stderr is not None
        with child.stderr:
            said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise CannotMeasure(f"{' '.join(command)} ended with {child.returncode}: {said.decode().strip()[-500:]}")
        return used.ru_utime + used.ru_stime

    return run


def interleave(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, float]:
    """
    Let contestants run in turn, and return the best time of each, in seconds.

    Args:
        contestants: By name.
        rounds: How often each runs, 1 or more.
    """
    best_s = dict.fromkeys(contestants, float("inf"))
    for _ in range(rounds):
        for name, contestant in contestants.items():
            best_s[name] = min(best_s[name], contestant())
    return best_s


def shown(seconds: float) -> str:
    """Return a time for a person, in the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
