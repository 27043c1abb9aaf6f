"""The rules that hold for every cache."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest

from oneiric.adapters.cache import Cache
from oneiric.core.errors import InvalidInput
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend

LONG_S = 3600.0
SHORT_S = 0.05

WRONG_KEYS = [
    pytest.param("", id="empty"),
    pytest.param("k" * 513, id="513 bytes"),
    pytest.param("é" * 257, id="514 bytes in 257 characters"),
    pytest.param("a b", id="a blank"),
    pytest.param("a\u00a0b", id="a blank that does not break"),
    pytest.param("a\nb", id="a line break"),
    pytest.param("a\x00b", id="a NUL"),
    pytest.param("a\x7fb", id="a control character"),
    pytest.param("a\ud800", id="half of a surrogate pair"),
    pytest.param(7, id="no text"),
]
WRONG_TTLS_S = [
    pytest.param(0, id="zero"),
    pytest.param(-1.0, id="below zero"),
    pytest.param(float("nan"), id="not a number"),
    pytest.param(float("inf"), id="infinite"),
    pytest.param("5", id="a text"),
]
CALLS: list[Any] = [  # pytest's ParameterSet is not public
    pytest.param(lambda cache, key: cache.get(key), id="get"),
    pytest.param(lambda cache, key: cache.get_many(["fine", key]), id="get_many"),
    pytest.param(lambda cache, key: cache.set(key, b"v"), id="set"),
    pytest.param(lambda cache, key: cache.add(key, b"v"), id="add"),
    pytest.param(lambda cache, key: cache.incr(key), id="incr"),
    pytest.param(lambda cache, key: cache.delete("fine", key), id="delete"),
]


class CacheContract(AdapterContract):
    """What every cache promises."""

    category: ClassVar[str] = "cache"

    async def use(self, adapter: Any) -> None:  # the class under test
        """Count up a key: one call that writes and reads."""
        await adapter.incr("used")

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        """Let time go by for the cache. Override for a server, whose clock cannot be moved: wait there."""
        clock.advance(seconds)

    def test_it_is_a_cache(self, made: Any) -> None:
        """It has every method of the Protocol."""
        assert isinstance(made, Cache)

    @pytest.mark.asyncio
    async def test_an_absent_key_is_none(self, opened: Cache) -> None:
        """What was never stored is None, not an error."""
        assert await opened.get("absent") is None

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"text", id="a text"),
            pytest.param(bytes(range(256)), id="all bytes"),
            pytest.param(b"x" * 1_000_000, id="a megabyte"),
        ],
    )
    async def test_what_is_set_is_got(self, opened: Cache, value: bytes) -> None:
        """A value comes back byte for byte; an empty one is not an absent one."""
        await opened.set("k", value)

        assert await opened.get("k") == value

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "key", [pytest.param("k" * 512, id="512 bytes"), pytest.param("é:日本/*?[a]%", id="signs")]
    )
    async def test_every_key_of_the_grammar_works(self, opened: Cache, key: str) -> None:
        """Any text of 1 to 512 bytes without blanks and control characters is a key, and only itself."""
        await opened.set(key, b"v")

        assert await opened.get(key) == b"v"
        assert await opened.get(key[:-1]) is None

    @pytest.mark.asyncio
    @pytest.mark.parametrize("key", WRONG_KEYS)
    @pytest.mark.parametrize("call", CALLS)
    async def test_a_wrong_key_is_refused(
        self, opened: Cache, call: Callable[[Cache, Any], Awaitable[object]], key: Any
    ) -> None:
        """Every method refuses a key outside the grammar, and does not repeat it."""
        with pytest.raises(InvalidInput) as caught:
            await call(opened, key)

        assert caught.value.category == "cache"
        assert len(str(caught.value)) < 200

    @pytest.mark.asyncio
    @pytest.mark.parametrize("ttl_s", WRONG_TTLS_S)
    async def test_a_wrong_time_to_live_is_refused(self, opened: Cache, ttl_s: Any) -> None:
        """A time to live is a finite number above 0; nothing is stored where it is not."""
        with pytest.raises(InvalidInput):
            await opened.set("k", b"v", ttl_s=ttl_s)
        with pytest.raises(InvalidInput):
            await opened.add("k", b"v", ttl_s=ttl_s)
        with pytest.raises(InvalidInput):
            await opened.incr("k", ttl_s=ttl_s)

        assert await opened.get("k") is None

    @pytest.mark.asyncio
    @pytest.mark.parametrize("value", [pytest.param("text", id="text"), pytest.param(None, id="none")])
    async def test_a_value_that_is_no_bytes_is_refused(self, opened: Cache, value: Any) -> None:
        """Values are bytes; turning something into bytes is the caller's decision."""
        with pytest.raises(InvalidInput):
            await opened.set("k", value)

        assert await opened.get("k") is None

    @pytest.mark.asyncio
    async def test_get_many_leaves_out_absent_keys(self, opened: Cache) -> None:
        """The answer holds the keys that have a value, an empty one included."""
        await opened.set("a", b"1")
        await opened.set("b", b"")

        assert await opened.get_many(["a", "b", "absent", "a"]) == {"a": b"1", "b": b""}
        assert await opened.get_many([]) == {}

    @pytest.mark.asyncio
    async def test_a_value_is_gone_when_its_time_is_over(self, opened: Cache, clock: FakeClock) -> None:
        """Until ttl_s has passed the value is there, afterwards it is absent for every method."""
        await opened.set("short", b"1", ttl_s=SHORT_S)
        await opened.set("long", b"2", ttl_s=LONG_S)
        await opened.set("ever", b"3")

        await self.pass_time(clock, SHORT_S * 2)

        assert await opened.get("short") is None
        assert await opened.get_many(["short", "long", "ever"]) == {"long": b"2", "ever": b"3"}
        assert await opened.delete("short") == 0
        assert await opened.add("short", b"4") is True

    @pytest.mark.asyncio
    async def test_a_second_set_replaces_the_time_to_live(self, opened: Cache, clock: FakeClock) -> None:
        """A set without a time to live makes a value stay that would have gone."""
        await opened.set("k", b"1", ttl_s=SHORT_S)
        await opened.set("k", b"2")

        await self.pass_time(clock, SHORT_S * 2)

        assert await opened.get("k") == b"2"

    @pytest.mark.asyncio
    async def test_add_stores_only_where_there_is_nothing(self, opened: Cache) -> None:
        """The first add stores, the second leaves the value alone and says so."""
        first = await opened.add("k", b"1")
        second = await opened.add("k", b"2")

        assert (first, second) == (True, False)
        assert await opened.get("k") == b"1"

    @pytest.mark.asyncio
    async def test_one_of_many_adds_wins(self, opened: Cache) -> None:
        """Of fifty callers that add the same key at the same time exactly one is told that it stored."""
        told = await asyncio.gather(*(opened.add("lock", b"%d" % n) for n in range(50)))

        assert sorted(told) == [False] * 49 + [True]
        assert await opened.get("lock") == b"%d" % told.index(True)

    @pytest.mark.asyncio
    async def test_incr_counts_from_zero(self, opened: Cache) -> None:
        """An absent counter starts at 0, by may be below 0, and get reads the digits."""
        counts = [await opened.incr("n"), await opened.incr("n", 5), await opened.incr("n", -10)]

        assert counts == [1, 6, -4]
        assert await opened.get("n") == b"-4"

    @pytest.mark.asyncio
    async def test_incr_counts_on_from_a_value_that_was_set(self, opened: Cache) -> None:
        """Digits that set wrote are a counter."""
        await opened.set("n", b"41")

        assert await opened.incr("n") == 42

    @pytest.mark.asyncio
    async def test_no_count_is_lost(self, opened: Cache) -> None:
        """A hundred callers that count up at the same time get a hundred different counts."""
        counts = await asyncio.gather(*(opened.incr("n") for _ in range(100)))

        assert sorted(counts) == list(range(1, 101))

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"abc", id="letters"),
            pytest.param(b"1.5", id="a fraction"),
            pytest.param(b" 1", id="a blank before"),
            pytest.param(b"9223372036854775807", id="the greatest of 64 bits"),
            pytest.param(b"99999999999999999999", id="more than 64 bits"),
        ],
    )
    async def test_incr_refuses_what_cannot_be_counted(self, opened: Cache, value: bytes) -> None:
        """Where the value is no whole number of 64 bits, or would become none, it stays as it was."""
        await opened.set("n", value)

        with pytest.raises(InvalidInput):
            await opened.incr("n")

        assert await opened.get("n") == value

    @pytest.mark.asyncio
    async def test_incr_sets_the_time_to_live_on_creation_only(self, opened: Cache, clock: FakeClock) -> None:
        """The counter of a window ends when the window does, however often it was counted up."""
        await opened.incr("window", ttl_s=SHORT_S)
        await opened.incr("window", ttl_s=LONG_S)

        await self.pass_time(clock, SHORT_S * 2)

        assert await opened.incr("window") == 1

    @pytest.mark.asyncio
    async def test_delete_says_how_many_there_were(self, opened: Cache) -> None:
        """Deleted keys are gone; absent ones and repeated ones do not count."""
        await opened.set("a", b"1")
        await opened.set("b", b"2")

        assert await opened.delete("a", "b", "absent", "a") == 2
        assert await opened.delete("a") == 0
        assert await opened.delete() == 0
        assert await opened.get_many(["a", "b"]) == {}

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("prefix", "removed", "left"),
        [
            pytest.param("", 4, [], id="everything"),
            pytest.param("user:", 2, ["*:1", "users"], id="a prefix"),
            pytest.param("*", 1, ["user:1", "user:2", "users"], id="a star is only a star"),
            pytest.param("nobody", 0, ["*:1", "user:1", "user:2", "users"], id="a prefix of nothing"),
        ],
    )
    async def test_clear_removes_what_begins_so(
        self, opened: Cache, prefix: str, removed: int, left: list[str]
    ) -> None:
        """A prefix is compared letter by letter, and the answer counts the keys."""
        keys = ["user:1", "user:2", "users", "*:1"]
        for key in keys:
            await opened.set(key, b"v")

        assert await opened.clear(prefix) == removed
        assert sorted(await opened.get_many(keys)) == left

    @pytest.mark.asyncio
    async def test_clear_refuses_a_prefix_outside_the_grammar(self, opened: Cache) -> None:
        """No key can begin with a blank."""
        with pytest.raises(InvalidInput):
            await opened.clear("a b")

    @pytest.mark.asyncio
    async def test_another_namespace_is_left_alone(self, opened: Cache, backend: Backend, clock: FakeClock) -> None:
        """Clearing one adapter takes nothing from one with another namespace on the same backend."""
        elsewhere = dataclasses.replace(backend, unique=f"{backend.unique}x")
        other = self.make(elsewhere, clock)
        await other.open()
        try:
            await other.set("k", b"theirs")
            await opened.set("k", b"ours")

            assert await opened.clear() == 1
            assert await other.get("k") == b"theirs"
        finally:
            await other.clear()
            await other.close()
