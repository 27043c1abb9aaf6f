"""Single flight, JSON and the rules that all caches check in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from oneiric.adapters.cache import cached, get_json, set_json
from oneiric.adapters.cache.common import check_key, counted
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.core.errors import BadReply, InvalidInput
from oneiric.testing.clock import FakeClock


class Loader:
    """A load that waits until the test lets it go, and counts."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.loads = 0
        self.ended = 0
        self.failure: Exception | None = None

    async def __call__(self) -> bytes:
        self.loads += 1
        self.begun.set()
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        if self.failure is not None:
            raise self.failure
        return b"loaded %d" % self.loads


@pytest_asyncio.fixture
async def cache() -> AsyncIterator[MemoryCache]:
    """An open cache in memory."""
    made = MemoryCache(MemoryCache.Settings())
    await made.open()
    yield made
    await made.close()


@pytest.mark.asyncio
async def test_a_hundred_waiters_cause_one_load(cache: MemoryCache) -> None:
    """Whoever asks while a load runs waits for that load, and all get its value."""
    load = Loader()
    waiters = [asyncio.create_task(cached(cache, "k", None, load)) for _ in range(100)]
    await load.begun.wait()

    load.go.set()
    values = await asyncio.gather(*waiters)

    assert values == [b"loaded 1"] * 100
    assert load.loads == 1
    assert await cached(cache, "k", None, load) == b"loaded 1"


@pytest.mark.asyncio
async def test_different_keys_load_side_by_side(cache: MemoryCache) -> None:
    """One key's load does not hold up another's, nor the same key of another cache."""
    other = MemoryCache(MemoryCache.Settings())
    await other.open()
    slow, quick = Loader(), Loader()
    quick.go.set()
    waiting = asyncio.create_task(cached(cache, "slow", None, slow))
    await slow.begun.wait()

    values = [await cached(cache, "quick", None, quick), await cached(other, "slow", None, quick)]

    assert values == [b"loaded 1", b"loaded 2"]
    slow.go.set()
    assert await waiting == b"loaded 1"


@pytest.mark.asyncio
async def test_a_failure_reaches_all_waiters_and_is_not_stored(cache: MemoryCache) -> None:
    """All who waited see the exception; the next caller loads again."""
    load = Loader()
    failure = load.failure = LookupError("no such user")
    waiters = [asyncio.create_task(cached(cache, "k", None, load)) for _ in range(10)]
    await load.begun.wait()
    load.go.set()

    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    load.failure = None

    assert outcomes == [failure] * 10
    assert await cached(cache, "k", None, load) == b"loaded 2"


@pytest.mark.asyncio
async def test_cancelling_the_first_caller_hurts_nobody_else(cache: MemoryCache) -> None:
    """The load belongs to all who wait, not to the one who came first."""
    load = Loader()
    leader = asyncio.create_task(cached(cache, "k", None, load))
    await load.begun.wait()
    others = [asyncio.create_task(cached(cache, "k", None, load)) for _ in range(5)]
    await asyncio.sleep(0)

    leader.cancel()
    await asyncio.wait([leader])
    load.go.set()

    assert leader.cancelled()
    assert await asyncio.gather(*others) == [b"loaded 1"] * 5
    assert load.loads == 1


@pytest.mark.asyncio
async def test_cancelling_the_last_caller_cancels_the_load(cache: MemoryCache) -> None:
    """A load that nobody waits for ends, and a caller that comes then starts a new one."""
    load = Loader()
    only = asyncio.create_task(cached(cache, "k", None, load))
    await load.begun.wait()

    only.cancel()
    next_one = asyncio.create_task(cached(cache, "k", None, load))
    await asyncio.wait([only])
    load.go.set()

    assert await next_one == b"loaded 2"
    assert (load.loads, load.ended) == (2, 2)


@pytest.mark.asyncio
async def test_a_loaded_value_has_its_time_to_live() -> None:
    """After ttl_s the value is loaded again."""
    clock = FakeClock()
    cache = MemoryCache(MemoryCache.Settings(), clock=clock)
    await cache.open()
    load = Loader()
    load.go.set()

    values = [await cached(cache, "k", 10, load), await cached(cache, "k", 10, load)]
    clock.advance(10)
    values.append(await cached(cache, "k", 10, load))

    assert values == [b"loaded 1", b"loaded 1", b"loaded 2"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param({"a": [1, 2.5, True, None]}, b'{"a":[1,2.5,true,null]}', id="an object"),
        pytest.param("é", b'"\xc3\xa9"', id="a text, as UTF-8"),
        pytest.param(None, b"null", id="null"),
    ],
)
async def test_json_comes_back_as_it_was(cache: MemoryCache, value: Any, stored: bytes) -> None:
    """A JSON value is stored as UTF-8 without blanks."""
    await set_json(cache, "k", value)

    assert await cache.get("k") == stored
    assert await get_json(cache, "k") == value


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="not a number"),
        pytest.param({"a": b"bytes"}, id="bytes"),
        pytest.param("\ud800", id="half of a surrogate pair"),
    ],
)
async def test_what_is_no_json_is_not_stored(cache: MemoryCache, value: Any) -> None:
    """A value that JSON cannot hold is refused before anything is written."""
    with pytest.raises(InvalidInput):
        await set_json(cache, "k", value)

    assert await cache.get("k") is None


@pytest.mark.asyncio
async def test_reading_what_is_no_json_says_so_without_showing_it(cache: MemoryCache) -> None:
    """Bytes that somebody else stored are an error of the peer; an absent key is None."""
    await cache.set("k", b"{canary")

    with pytest.raises(BadReply) as caught:
        await get_json(cache, "k")

    assert "canary" not in str(caught.value)
    assert await get_json(cache, "absent") is None


@given(st.text(max_size=20))
def test_a_key_has_no_blank_and_no_control_character(key: str) -> None:
    """Whatever is let through survives in a line-based protocol."""
    try:
        check_key(key, name="memory", operation="get")
    except InvalidInput:
        assert key == "" or key != "".join(key.split()) or not key.isprintable()
    else:
        assert len(f"get {key} end".split()) == 3
        assert 1 <= len(key.encode()) <= 512


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**64), 2**64))
def test_counting_stays_within_64_bits(before: int, by: int) -> None:
    """The sum is exact, or the call is refused."""
    if -(2**63) <= before + by < 2**63:
        assert int(counted(str(before).encode(), by, name="memory")) == before + by
    else:
        with pytest.raises(InvalidInput):
            counted(str(before).encode(), by, name="memory")
