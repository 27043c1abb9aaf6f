"""The cache in memory keeps the contract, its bound, and its head under threads."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
from pydantic import ValidationError

from oneiric.adapters.cache.memory import MemoryCache
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.cache import CacheContract


class TestMemoryCache(CacheContract):
    """The suite of the category."""

    adapter: ClassVar[type[MemoryCache]] = MemoryCache
    capabilities: ClassVar[frozenset[str]] = frozenset({"ttl"})


@pytest.mark.asyncio
async def test_the_least_recently_used_key_goes_first() -> None:
    """At max_items a new key takes the place of the one that was read or written longest ago."""
    cache = MemoryCache(MemoryCache.Settings(max_items=3))
    await cache.open()
    for key in ("a", "b", "c"):
        await cache.set(key, key.encode())
    await cache.get("a")

    await cache.set("d", b"d")

    assert await cache.get_many(["a", "b", "c", "d"]) == {"a": b"a", "c": b"c", "d": b"d"}


@pytest.mark.asyncio
async def test_keys_whose_time_is_over_go_before_living_ones() -> None:
    """A place that time has freed is used before anything is evicted."""
    clock = FakeClock()
    cache = MemoryCache(MemoryCache.Settings(max_items=2), clock=clock)
    await cache.open()
    await cache.set("lives", b"1")
    await cache.set("ends", b"2", ttl_s=5)
    clock.advance(5)

    await cache.set("new", b"3")

    assert await cache.get_many(["lives", "ends", "new"]) == {"lives": b"1", "new": b"3"}


@pytest.mark.asyncio
async def test_a_key_that_ends_between_two_looks_at_the_clock_is_absent() -> None:
    """A clock that moves with every look never makes a read fail."""
    times_s = iter(range(1000))
    cache = MemoryCache(MemoryCache.Settings(), clock=lambda: float(next(times_s)))
    await cache.open()

    seen = []
    for n in range(20):
        await cache.set("k", b"v", ttl_s=1 + n % 8)
        seen.append(await cache.get("k"))
        await cache.delete("k")

    assert set(seen) == {None, b"v"}


@pytest.mark.asyncio
async def test_it_is_empty_after_it_was_opened_again() -> None:
    """Nothing outlives close; a second open of an open cache keeps what is there."""
    cache = MemoryCache(MemoryCache.Settings())
    await cache.open()
    await cache.set("k", b"v")

    await cache.open()
    kept = await cache.get("k")
    await cache.close()
    await cache.open()

    assert kept == b"v"
    assert await cache.get("k") is None


@pytest.mark.asyncio
async def test_health_says_how_full_it_is() -> None:
    """The detail is what a person asks first of a cache in memory."""
    cache = MemoryCache(MemoryCache.Settings(max_items=5))
    await cache.open()
    await cache.set("k", b"v")

    assert (await cache.health()).detail == "1 of 5 keys"


def test_a_bound_below_one_is_refused() -> None:
    """A cache that can hold nothing is a mistake."""
    with pytest.raises(ValidationError):
        MemoryCache.Settings(max_items=0)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns after a microsecond, so that what is not locked is torn."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_lose_no_count() -> None:
    """Eight threads, each with an event loop of its own, count 8 times 500 up to 4000."""
    cache = MemoryCache(MemoryCache.Settings(max_items=50))
    asyncio.run(cache.open())
    failed: list[BaseException] = []

    async def count(number: int) -> None:
        for step in range(500):
            await cache.incr("n")
            await cache.set(f"{number}.{step}", b"v", ttl_s=10)
            await cache.delete(f"{number}.{step - 3}")

    def run(number: int) -> None:
        try:
            asyncio.run(count(number))
        except Exception as error:  # border: the thread; the test reports what it caught
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert asyncio.run(cache.get("n")) == b"4000"
