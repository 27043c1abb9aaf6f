"""Storage in this process, for tests and for what may be lost."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import Field

from oneiric.adapters.storage.common import (
    CHUNK_BYTES,
    StoredObject,
    check_keys,
    check_prefix,
    check_put,
    check_range,
    no_signing,
    not_found,
    not_open,
    parts,
)
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import Conflict, InvalidInput, Unavailable

NAME = "memory"
MAX_BYTES = 268_435_456


@dataclass(frozen=True, slots=True)
class _Held:
    """One version of an object."""

    body: bytes
    about: StoredObject


class MemoryStorage:
    """
    Objects in this process, for the tasks of one event loop; `close` forgets them.

    It is bounded: a put that does not fit is `unavailable`, as with a full disk, and one that could never fit is
    `invalid-input`.

    Args:
        settings: How much it holds.
    """

    class Settings(AdapterSettings):
        """How much a storage in memory holds."""

        max_bytes: int = Field(default=MAX_BYTES, ge=1, description="bytes that the bodies of all objects may have")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._objects: dict[str, _Held] | None = None
        self._held_bytes = 0

    async def open(self) -> None:
        if self._objects is None:
            self._objects = {}
            self._held_bytes = 0

    async def close(self) -> None:
        self._objects = None

    async def health(self) -> Health:
        begun_s = time.monotonic()
        if self._objects is None:
            return Health(ok=False, detail="not open")
        detail = f"{self._held_bytes} of {self._settings.max_bytes} bytes"
        return Health(ok=True, detail=detail, latency_s=time.monotonic() - begun_s)

    async def put(
        self,
        key: str,
        body: bytes | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        check_put(key, content_type, metadata, name=NAME)
        self._opened("put")
        whole = bytearray()
        async with aclosing(parts(body, name=NAME)) as arriving:
            async for part in arriving:
                whole += part
                self._require_fits(len(whole))
        return self._place("put", key, bytes(whole), content_type, dict(metadata or {}), if_absent=if_absent)

    async def get(self, key: str) -> bytes:
        check_keys(key, name=NAME, operation="get")
        return self._find(key, "get").body

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        check_keys(key, name=NAME, operation="stream")
        check_range(start, end, name=NAME)
        body = memoryview(self._find(key, "stream").body)[start:end]
        for begin in range(0, len(body), CHUNK_BYTES):
            yield bytes(body[begin : begin + CHUNK_BYTES])

    async def head(self, key: str) -> StoredObject | None:
        check_keys(key, name=NAME, operation="head")
        held = self._opened("head").get(key)
        return None if held is None else _copied(held.about)

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        check_prefix(prefix, name=NAME)
        keys = sorted(self._opened("list"))
        for key in keys[bisect_left(keys, prefix) :]:
            if not key.startswith(prefix):
                return
            held = self._opened("list").get(key)
            if held is not None:
                yield _copied(held.about)

    async def copy(self, source: str, target: str) -> StoredObject:
        check_keys(source, target, name=NAME, operation="copy")
        held = self._find(source, "copy")
        about = _copied(held.about)
        return self._place("copy", target, held.body, about.content_type, about.metadata, if_absent=False)

    async def delete(self, *keys: str) -> None:
        check_keys(*keys, name=NAME, operation="delete")
        objects = self._opened("delete")
        for key in keys:
            held = objects.pop(key, None)
            self._held_bytes -= 0 if held is None else len(held.body)

    async def sign(self, key: str, *, method: str = "GET", ttl_s: int = 900) -> str:
        raise no_signing(name=NAME)

    def _opened(self, operation: str) -> dict[str, _Held]:
        if self._objects is None:
            raise not_open(NAME, operation)
        return self._objects

    def _find(self, key: str, operation: str) -> _Held:
        held = self._opened(operation).get(key)
        if held is None:
            raise not_found(key, NAME, operation)
        return held

    def _require_fits(self, size_bytes: int) -> None:
        if size_bytes > self._settings.max_bytes:
            reason = f"the body is over max_bytes, {self._settings.max_bytes}"
            raise InvalidInput(reason, category="storage", name=NAME, operation="put")

    def _place(
        self,
        operation: str,
        key: str,
        body: bytes,
        content_type: str | None,
        metadata: Mapping[str, str],
        *,
        if_absent: bool,
    ) -> StoredObject:
        """Make a body the object of a key in one step: nothing is awaited, so no other task comes between."""
        objects = self._opened(operation)
        old = objects.get(key)
        if old is not None and if_absent:
            reason = "there is an object under the key"
            raise Conflict(reason, category="storage", name=NAME, operation=operation)
        total_bytes = self._held_bytes + len(body) - (0 if old is None else len(old.body))
        if total_bytes > self._settings.max_bytes:
            reason = f"no room: max_bytes is {self._settings.max_bytes}"
            raise Unavailable(reason, category="storage", name=NAME, operation=operation)
        etag = hashlib.sha256(body).hexdigest()
        about = StoredObject(key, len(body), etag, datetime.now(UTC), content_type, metadata)
        objects[key] = _Held(body, about)
        self._held_bytes = total_bytes
        return _copied(about)


def _copied(about: StoredObject) -> StoredObject:
    """Return a value of the caller's own: what it does to the metadata stays with it."""
    return replace(about, metadata=dict(about.metadata))
