"""The Protocol of a cache, the grammar of its keys, and what callers build on it: single flight and JSON."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from oneiric.core.errors import BadReply, InvalidInput
from oneiric.core.event import JSON

MAX_KEY_BYTES = 512
MIN_COUNT = -(2**63)
MAX_COUNT = 2**63 - 1
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


@runtime_checkable
class Cache(Protocol):
    """
    Bytes under a key, for a time. What is stored may be gone at any moment; only what is read counts.

    A key has 1 to 512 bytes in UTF-8, without blanks and control characters. A time to live is `ttl_s` seconds, more
    than 0, or None for as long as the cache keeps it. All methods raise `InvalidInput` where an argument breaks these
    rules, and `NotOpen` before `open` and after `close`.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value under a key, or None where there is none or its time is over."""

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of those keys that have one, in one round trip; absent keys are left out."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Store a value, and replace both the value and the time to live that were there."""

    async def add(self, key: str, value: bytes, *, ttl_s: float | None = None) -> bool:
        """Store a value only where there is none; return whether it was stored. One of many callers wins."""

    async def incr(self, key: str, by: int = 1, *, ttl_s: float | None = None) -> int:
        """
        Add to a counter in one step and return what it is then; an absent counter starts at 0.

        The value is the number as ASCII digits, so `get` reads it and `set` may write it.

        Args:
            key: The counter.
            by: How much to add, below 0 to count down.
            ttl_s: Time to live for a counter that this call creates; one that exists keeps its own.

        Raises:
            InvalidInput: The value is no whole number of 64 bits, or would become none; it stays as it was.
        """

    async def delete(self, *keys: str) -> int:
        """Remove keys; return how many of them there were. Absent keys are fine."""

    async def clear(self, prefix: str = "") -> int:
        """Remove all keys that begin with a prefix, inside the adapter's namespace only; return how many."""


@dataclass(slots=True)
class _Flight:
    """One load that runs, and how many callers wait for it."""

    task: asyncio.Task[bytes]
    waiters: int = 0


# By event loop, cache and key. A row lives as long as its load runs, which holds both objects, so no id is used twice.
_flights: dict[tuple[int, int, str], _Flight] = {}


async def cached(cache: Cache, key: str, ttl_s: float | None, load: Callable[[], Awaitable[bytes]]) -> bytes:
    """
    Return the value under a key, and load and store it where there is none.

    However many tasks of an event loop ask at the same time, one load runs. It runs in a task of its own: cancelling
    one caller hurts no other, and cancelling the last one cancels the load. A failure is raised to all who wait, and
    not stored: the next caller loads again.

    Args:
        cache: Where to look and to store.
        key: The key.
        ttl_s: Time to live of the loaded value in seconds, more than 0; None for as long as the cache keeps it.
        load: Makes the value.

    Raises:
        AdapterError: The cache failed; a value that could not be stored is lost.
        Exception: Whatever `load` raises.
    """
    found = await cache.get(key)
    if found is not None:
        return found
    place = (id(asyncio.get_running_loop()), id(cache), key)
    flight = _flights.get(place)
    if flight is None or flight.task.done():
        flight = _flights[place] = _Flight(asyncio.create_task(_load(cache, key, ttl_s, load)))
    flight.waiters += 1
    try:
        return await asyncio.shield(flight.task)
    finally:
        flight.waiters -= 1
        if flight.waiters == 0:
            flight.task.cancel()  # does nothing to a load that has ended
            if _flights.get(place) is flight:
                del _flights[place]


async def _load(cache: Cache, key: str, ttl_s: float | None, load: Callable[[], Awaitable[bytes]]) -> bytes:
    # Between the caller's look and this task an earlier load may have landed.
    found = await cache.get(key)
    if found is not None:
        return found
    value = await load()
    await cache.set(key, value, ttl_s=ttl_s)
    return value


async def get_json(cache: Cache, key: str) -> JSON:
    """
    Return the JSON value under a key, or None where there is none.

    Raises:
        BadReply: What is stored is no JSON.
    """
    found = await cache.get(key)
    if found is None:
        return None
    try:
        value: JSON = json.loads(found)
    except ValueError:
        raise BadReply("the value is no JSON", category="cache", operation="get_json") from None
    return value


async def set_json(cache: Cache, key: str, value: JSON, *, ttl_s: float | None = None) -> None:
    """
    Store a JSON value under a key, as UTF-8 without blanks.

    Raises:
        InvalidInput: The value is no JSON: another type, or a number that is not finite.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        body = text.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput("the value is no JSON", category="cache", operation="set_json") from None
    await cache.set(key, body, ttl_s=ttl_s)


def check_key(key: str, *, name: str, operation: str) -> None:
    """
    Refuse what is no key.

    Args:
        key: The key; it is not repeated in the error.
        name: The adapter's name, for the error.
        operation: The method's name, for the error.

    Raises:
        InvalidInput: It is no text of 1 to 512 bytes, or holds a blank or a control character.
    """
    if not isinstance(key, str) or not key or not _fits(key):
        rule = f"a key is a text of 1 to {MAX_KEY_BYTES} bytes without blanks and control characters"
        raise InvalidInput(rule, category="cache", name=name, operation=operation)


def check_prefix(prefix: str, *, name: str, operation: str) -> None:
    """Refuse what no key can begin with, as `check_key` does; an empty prefix is right."""
    if prefix != "":
        check_key(prefix, name=name, operation=operation)


def check_value(value: object, *, name: str, operation: str) -> None:
    """
    Refuse a value that is not bytes.

    Raises:
        InvalidInput: It is something else; the error names its type.
    """
    if not isinstance(value, bytes):
        reason = f"a value is bytes, not {type(value).__name__}"
        raise InvalidInput(reason, category="cache", name=name, operation=operation)


def check_ttl(ttl_s: float | None, *, name: str, operation: str) -> None:
    """
    Refuse what is no time to live.

    Args:
        ttl_s: Seconds, finite and more than 0; or None.
        name: The adapter's name, for the error.
        operation: The method's name, for the error.

    Raises:
        InvalidInput: It is 0 or less, or no finite number.
    """
    if ttl_s is None:
        return
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, (int, float)) or not math.isfinite(ttl_s) or ttl_s <= 0:
        reason = "ttl_s is a number of seconds above 0, or None"
        raise InvalidInput(reason, category="cache", name=name, operation=operation)


def counted(found: bytes | None, by: int, *, name: str) -> bytes:
    """
    Return what a counter holds after adding to it, as ASCII digits.

    Args:
        found: What it held before; None where it is absent.
        by: How much to add.
        name: The adapter's name, for the error.

    Raises:
        InvalidInput: What was found is no whole number of 64 bits, or the sum is none.
    """
    before = 0 if found is None else _count(found)
    if before is None or isinstance(by, bool) or not isinstance(by, int):
        raise InvalidInput("only a whole number can be counted up", category="cache", name=name, operation="incr")
    after = before + by
    if not MIN_COUNT <= after <= MAX_COUNT:
        raise InvalidInput("the count would leave 64 bits", category="cache", name=name, operation="incr")
    return b"%d" % after


def _count(text: bytes) -> int | None:
    """Read a counter, as strictly as Redis does: an optional minus and ASCII digits."""
    if not re.fullmatch(rb"-?(0|[1-9][0-9]{0,18})", text):
        return None
    count = int(text)
    return count if MIN_COUNT <= count <= MAX_COUNT else None


def _fits(key: str) -> bool:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return size_bytes <= MAX_KEY_BYTES and not _BLANK_OR_CONTROL.search(key)
