"""The storage in memory keeps the contract and its bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from oneiric.adapters.storage.memory import MemoryStorage
from oneiric.core.errors import InvalidInput, NotFound, Unavailable
from oneiric.testing.contracts.storage import StorageContract


class TestMemoryStorage(StorageContract):
    """The suite of the category."""

    adapter: ClassVar[type[MemoryStorage]] = MemoryStorage


async def small() -> MemoryStorage:
    """Return an open storage for ten bytes."""
    storage = MemoryStorage(MemoryStorage.Settings(max_bytes=10))
    await storage.open()
    return storage


@pytest.mark.asyncio
async def test_a_put_without_room_is_unavailable() -> None:
    """Beyond max_bytes a put fails as with a full disk, keeps what is there, and works when there is room."""
    storage = await small()
    await storage.put("a", b"123456")

    with pytest.raises(Unavailable, match="max_bytes is 10"):
        await storage.put("b", b"12345")
    with pytest.raises(Unavailable):
        await storage.copy("a", "b")
    await storage.delete("a")
    await storage.put("b", b"12345")

    assert [stored.key async for stored in storage.list()] == ["b"]


@pytest.mark.asyncio
async def test_a_replaced_body_makes_room_for_the_new_one() -> None:
    """Only what is held counts against the bound, not what was held once."""
    storage = await small()

    for _ in range(3):
        await storage.put("a", b"1234567890")

    assert (await storage.health()).detail == "10 of 10 bytes"


@pytest.mark.asyncio
async def test_a_body_that_never_fits_is_refused_while_it_comes() -> None:
    """A body over max_bytes is invalid-input as soon as it is, so that an endless one does not fill the memory."""
    storage = await small()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"1234"

    with pytest.raises(InvalidInput, match="over max_bytes, 10"):
        await storage.put("a", endless())
    assert await storage.head("a") is None


@pytest.mark.asyncio
async def test_a_closed_storage_has_forgotten_all() -> None:
    """What is in memory does not outlive close."""
    storage = await small()
    await storage.put("a", b"1234567890")

    await storage.close()
    await storage.open()

    with pytest.raises(NotFound):
        await storage.get("a")
    await storage.put("b", b"1234567890")
