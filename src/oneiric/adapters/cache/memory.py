"""A cache in this process: bounded, least recently used goes first."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import Field

from oneiric.adapters.cache.common import check_key, check_prefix, check_ttl, check_value, counted
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import NotOpen

if TYPE_CHECKING:
    from cachetools import TLRUCache

MAX_ITEMS = 10_000
_Entry: TypeAlias = tuple[float, bytes]  # when it ends, by the adapter's clock; and the value


class MemoryCache:
    """
    A cache of this process, empty after every `open`. Threads may share it.

    Args:
        settings: How much it holds.
        clock: Seconds that only go up; what a time to live is measured with.

    Attributes:
        native: The `cachetools.TLRUCache` of pairs (end, value) while it is open, else None.
    """

    class Settings(AdapterSettings):
        """How much a cache in memory holds."""

        max_items: int = Field(
            default=MAX_ITEMS, ge=1, description="how many keys are kept; beyond, the least recently used one goes"
        )

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.native: Any = None  # a TLRUCache; outside the contract
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()

    async def open(self) -> None:
        import cachetools

        with self._lock:
            if self.native is None:
                self.native = cachetools.TLRUCache(maxsize=self._settings.max_items, ttu=_end, timer=self._clock)

    async def close(self) -> None:
        with self._lock:
            self.native = None

    async def health(self) -> Health:
        begun_s = time.monotonic()
        with self._lock:
            if self.native is None:
                return Health(ok=False, detail="not open")
            detail = f"{len(self.native)} of {self._settings.max_items} keys"
        return Health(ok=True, detail=detail, latency_s=time.monotonic() - begun_s)

    async def get(self, key: str) -> bytes | None:
        check_key(key, name="memory", operation="get")
        with self._lock:
            return _value(_entry(self._items("get"), key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        for key in keys:
            check_key(key, name="memory", operation="get_many")
        with self._lock:
            items = self._items("get_many")
            return {key: entry[1] for key in keys if (entry := _entry(items, key)) is not None}

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        _check(key, value, ttl_s, "set")
        with self._lock:
            self._items("set")[key] = (self._ends_at(ttl_s), value)

    async def add(self, key: str, value: bytes, *, ttl_s: float | None = None) -> bool:
        _check(key, value, ttl_s, "add")
        with self._lock:
            items = self._items("add")
            if key in items:
                return False
            items[key] = (self._ends_at(ttl_s), value)
            return True

    async def incr(self, key: str, by: int = 1, *, ttl_s: float | None = None) -> int:
        check_key(key, name="memory", operation="incr")
        check_ttl(ttl_s, name="memory", operation="incr")
        with self._lock:
            items = self._items("incr")
            entry = _entry(items, key)
            value = counted(_value(entry), by, name="memory")
            items[key] = (self._ends_at(ttl_s) if entry is None else entry[0], value)
            return int(value)

    async def delete(self, *keys: str) -> int:
        for key in keys:
            check_key(key, name="memory", operation="delete")
        with self._lock:
            return _remove(self._items("delete"), keys)

    async def clear(self, prefix: str = "") -> int:
        check_prefix(prefix, name="memory", operation="clear")
        with self._lock:
            items = self._items("clear")
            return _remove(items, [key for key in list(items) if key.startswith(prefix)])

    def _items(self, operation: str) -> TLRUCache[str, _Entry]:
        if self.native is None:
            raise NotOpen("open it first", category="cache", name="memory", operation=operation)
        items: TLRUCache[str, _Entry] = self.native
        return items

    def _ends_at(self, ttl_s: float | None) -> float:
        return math.inf if ttl_s is None else self._clock() + ttl_s


def _end(_key: str, entry: _Entry, _now_s: float) -> float:
    return entry[0]


def _entry(items: TLRUCache[str, _Entry], key: str) -> _Entry | None:
    # Not items.get(): it looks at the clock twice, and raises KeyError for a key whose time ends in between.
    try:
        return items[key]
    except KeyError:
        return None


def _value(entry: _Entry | None) -> bytes | None:
    return None if entry is None else entry[1]


def _remove(items: TLRUCache[str, _Entry], keys: Sequence[str]) -> int:
    """Remove keys and count those whose time was not over; cachetools says KeyError of those whose time was."""
    removed = 0
    for key in keys:
        try:
            del items[key]
        except KeyError:
            continue
        removed += 1
    return removed


def _check(key: str, value: bytes, ttl_s: float | None, operation: str) -> None:
    check_key(key, name="memory", operation=operation)
    check_value(value, name="memory", operation=operation)
    check_ttl(ttl_s, name="memory", operation=operation)
