"""The rules that hold for every storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from oneiric.adapters.storage import Storage
from oneiric.core.errors import Conflict, InvalidInput, NotFound, Unsupported
from oneiric.testing.contracts.adapter import AdapterContract

RIVALS = 20
BODIES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"text", id="a text"),
    pytest.param(bytes(range(256)), id="all bytes"),
    pytest.param(b"0123456789" * 50_000, id="half a megabyte"),
]
GOOD_KEYS = [
    pytest.param("a", id="one character"),
    pytest.param("a/b/c.txt", id="segments"),
    pytest.param(".hidden", id="a leading dot"),
    pytest.param("a/...", id="three dots"),
    pytest.param("two words & more?#%20", id="blanks and signs of a URL"),
    pytest.param("größe/日本/🗝", id="beyond ASCII"),
    pytest.param("line\nbreak", id="a line break"),
    pytest.param("/".join(["k" * 127] * 8), id="1,023 bytes"),
]
WRONG_KEYS = [
    pytest.param("", id="empty"),
    pytest.param("/a", id="absolute"),
    pytest.param("a/", id="an empty last segment"),
    pytest.param("a//b", id="an empty segment"),
    pytest.param(".", id="a dot"),
    pytest.param("a/./b", id="a dot inside"),
    pytest.param("..", id="two dots"),
    pytest.param("a/../../b", id="two dots inside"),
    pytest.param("a\\b", id="a backslash"),
    pytest.param("a\0b", id="a NUL"),
    pytest.param("a\ud800", id="half of a surrogate pair"),
    pytest.param("é" * 513, id="1,026 bytes in 513 characters"),
    pytest.param(7, id="no text"),
]
CALLS: list[Any] = [  # pytest's ParameterSet is not public
    pytest.param(lambda storage, key: storage.put(key, b"x"), id="put"),
    pytest.param(lambda storage, key: storage.get(key), id="get"),
    pytest.param(lambda storage, key: anext(storage.stream(key)), id="stream"),
    pytest.param(lambda storage, key: storage.head(key), id="head"),
    pytest.param(lambda storage, key: storage.copy(key, "fine"), id="copy from"),
    pytest.param(lambda storage, key: storage.copy("fine", key), id="copy to"),
    pytest.param(lambda storage, key: storage.delete("fine", key), id="delete"),
]
RANGES = [
    pytest.param(0, None, b"0123456789", id="all"),
    pytest.param(3, None, b"3456789", id="from the fourth byte"),
    pytest.param(0, 4, b"0123", id="the first four bytes"),
    pytest.param(2, 5, b"234", id="the middle, the end is exclusive"),
    pytest.param(5, 5, b"", id="an empty range"),
    pytest.param(8, 100, b"89", id="an end beyond the body"),
    pytest.param(10, None, b"", id="a start at the end"),
    pytest.param(50, 60, b"", id="a start beyond the body"),
]
WRONG_DESCRIPTIONS: list[Any] = [  # pytest's ParameterSet is not public
    pytest.param({"content_type": ""}, id="an empty content type"),
    pytest.param({"content_type": "t" * 256}, id="a content type of 256 characters"),
    pytest.param({"content_type": "text/plain\r\nx: y"}, id="a content type with a line break"),
    pytest.param({"metadata": {"": "v"}}, id="a metadata name that is empty"),
    pytest.param({"metadata": {"Owner": "v"}}, id="a metadata name in upper case"),
    pytest.param({"metadata": {"a b": "v"}}, id="a metadata name with a blank"),
    pytest.param({"metadata": {"a": "v\n"}}, id="a metadata value with a line break"),
    pytest.param({"metadata": {"a": 7}}, id="a metadata value that is no text"),
    pytest.param({"metadata": {"a": "v" * 2048}}, id="metadata of 2,049 bytes"),
]


async def read(storage: Storage, key: str, *, start: int = 0, end: int | None = None) -> bytes:
    """Return what `stream` yields, joined."""
    return b"".join([part async for part in storage.stream(key, start=start, end=end)])


async def keys(storage: Storage, prefix: str = "") -> list[str]:
    """Return the keys that `list` yields, as they come."""
    return [stored.key async for stored in storage.list(prefix)]


class StorageContract(AdapterContract):
    """What every storage promises. A suite of a shared server gives each test a prefix or a bucket of its own."""

    category: ClassVar[str] = "storage"

    async def use(self, adapter: Any) -> None:  # the class under test
        """Store an object and read it."""
        await adapter.put("used", b"x")
        assert await adapter.get("used") == b"x"

    def test_it_is_a_storage(self, made: Any) -> None:
        """It has every method of the Protocol."""
        assert isinstance(made, Storage)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("body", BODIES)
    async def test_a_body_comes_back_as_it_was_put(self, opened: Storage, body: bytes) -> None:
        """get and stream return the very bytes."""
        await opened.put("a/b", body)

        assert await opened.get("a/b") == body
        assert await read(opened, "a/b") == body

    @pytest.mark.asyncio
    @pytest.mark.parametrize("parts", [[], [b"", b""], [b"one", b"", b"two"], [b"x" * 100_000] * 3], ids=len)
    async def test_a_body_may_come_in_parts(self, opened: Storage, parts: list[bytes]) -> None:
        """An async iterable is one object, its parts in their order."""

        async def body() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        stored = await opened.put("a", body())

        assert await opened.get("a") == b"".join(parts)
        assert stored.size_bytes == sum(len(part) for part in parts)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("key", GOOD_KEYS)
    async def test_every_good_key_works(self, opened: Storage, key: str) -> None:
        """What the grammar allows is stored, found, listed and removed under that very key."""
        await opened.put(key, b"x", content_type="text/plain")

        assert await opened.get(key) == b"x"
        assert await keys(opened) == [key]
        await opened.delete(key)
        assert await opened.head(key) is None

    @pytest.mark.asyncio
    @pytest.mark.parametrize("key", WRONG_KEYS)
    @pytest.mark.parametrize("call", CALLS)
    async def test_a_wrong_key_is_refused(self, opened: Storage, call: Any, key: str) -> None:
        """A key that breaks the grammar is invalid-input in every call, and nothing was done."""
        await opened.put("fine", b"x")

        with pytest.raises(InvalidInput) as caught:
            await call(opened, key)

        assert caught.value.category == "storage"
        assert await keys(opened) == ["fine"]

    @pytest.mark.asyncio
    async def test_what_is_known_about_an_object(self, opened: Storage) -> None:
        """put returns what head and list say."""
        stored = await opened.put("a/b", b"12345", content_type="text/plain", metadata={"owner": "Zoë", "n-1": ""})

        assert (stored.key, stored.size_bytes, stored.content_type) == ("a/b", 5, "text/plain")
        assert stored.metadata == {"owner": "Zoë", "n-1": ""}
        assert stored.etag
        assert stored.modified.utcoffset() == timedelta(0)
        assert await opened.head("a/b") == stored
        assert [one async for one in opened.list()] == [stored]

    @pytest.mark.asyncio
    async def test_nothing_is_known_that_nobody_said(self, opened: Storage) -> None:
        """Without them, the content type is None and the metadata are empty."""
        stored = await opened.put("a", b"x")

        assert stored.content_type is None
        assert stored.metadata == {}

    @pytest.mark.asyncio
    async def test_a_new_object_replaces_all_of_the_old_one(self, opened: Storage) -> None:
        """Body, content type and metadata are the new one's, and the etag differs."""
        old = await opened.put("a", b"old", content_type="text/plain", metadata={"a": "1"})

        new = await opened.put("a", b"new", metadata={"b": "2"})

        assert new.etag != old.etag
        assert await opened.get("a") == b"new"
        head = await opened.head("a")
        assert head is not None
        assert (head.content_type, head.metadata) == (None, {"b": "2"})

    @pytest.mark.asyncio
    @pytest.mark.parametrize("description", WRONG_DESCRIPTIONS)
    async def test_a_wrong_description_is_refused(self, opened: Storage, description: dict[str, Any]) -> None:
        """A content type or metadata out of their grammar are invalid-input, and nothing is stored."""
        with pytest.raises(InvalidInput):
            await opened.put("a", b"x", **description)

        assert await opened.head("a") is None

    @pytest.mark.asyncio
    async def test_an_absent_object_is_not_found(self, opened: Storage) -> None:
        """get, stream and copy say not-found, head says None, and delete has nothing to do."""
        for call in (opened.get("a"), anext(opened.stream("a")), opened.copy("a", "b")):
            with pytest.raises(NotFound):
                await call

        assert await opened.head("a") is None
        await opened.delete("a", "b/c")
        assert await keys(opened) == []

    @pytest.mark.asyncio
    @pytest.mark.parametrize("old", [pytest.param(b"old", id="over an old one"), pytest.param(None, id="a new key")])
    @pytest.mark.parametrize("how", ["raises", "is cancelled", "is no bytes"])
    async def test_a_put_that_ends_early_changes_nothing(self, opened: Storage, old: bytes | None, how: str) -> None:
        """Whatever ends a body before its end, the key has the old object or none, and nothing else is listed."""
        if old is not None:
            await opened.put("a", old)
        reached, never = asyncio.Event(), asyncio.Event()

        async def body() -> AsyncIterator[Any]:
            yield b"x" * 200_000
            reached.set()
            if how == "raises":
                raise ConnectionResetError("the sender went away")
            if how == "is cancelled":
                await never.wait()
            yield "no bytes"

        putting = asyncio.create_task(opened.put("a", body()))
        await reached.wait()
        if how == "is cancelled":
            putting.cancel()
        ended = (await asyncio.gather(putting, return_exceptions=True))[0]

        expected = {"raises": ConnectionResetError, "is cancelled": asyncio.CancelledError, "is no bytes": InvalidInput}
        assert type(ended) is expected[how]
        assert await keys(opened) == ([] if old is None else ["a"])
        if old is not None:
            assert await opened.get("a") == old

    @pytest.mark.asyncio
    async def test_if_absent_keeps_the_old_object(self, opened: Storage) -> None:
        """A put that wants the key to be free is a conflict where it is not."""
        await opened.put("a", b"first", if_absent=True)

        with pytest.raises(Conflict):
            await opened.put("a", b"second", if_absent=True)

        assert await opened.get("a") == b"first"

    @pytest.mark.asyncio
    async def test_one_of_many_wins_an_absent_key(self, opened: Storage) -> None:
        """Of twenty puts at once that want the key to be free, one succeeds, and its body is there."""
        bodies = [b"%d" % number for number in range(RIVALS)]
        puts = (opened.put("a", body, if_absent=True) for body in bodies)

        ended = await asyncio.gather(*puts, return_exceptions=True)

        won = [body for body, end in zip(bodies, ended, strict=True) if not isinstance(end, BaseException)]
        assert [type(end) for end in ended if isinstance(end, BaseException)] == [Conflict] * (RIVALS - 1)
        assert won == [await opened.get("a")]

    @pytest.mark.asyncio
    async def test_puts_at_once_never_mix(self, opened: Storage) -> None:
        """Of twenty puts of one key at once, one wins whole: body and metadata are of the same put."""
        puts = (opened.put("a", b"%d" % n * 1000, metadata={"n": str(n)}) for n in range(RIVALS))

        await asyncio.gather(*puts)

        head = await opened.head("a")
        assert head is not None
        assert await opened.get("a") == head.metadata["n"].encode() * 1000

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("start", "end", "expected"), RANGES)
    async def test_a_range_is_a_slice(self, opened: Storage, start: int, end: int | None, expected: bytes) -> None:
        """stream yields the bytes from start up to end, without end, as far as there are any."""
        await opened.put("a", b"0123456789")

        assert await read(opened, "a", start=start, end=end) == expected

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("start", "end"), [pytest.param(-1, None, id="start"), pytest.param(5, 4, id="end")])
    async def test_a_wrong_range_is_refused(self, opened: Storage, start: int, end: int | None) -> None:
        """A start below 0 or an end below the start is invalid-input."""
        await opened.put("a", b"0123456789")

        with pytest.raises(InvalidInput):
            await read(opened, "a", start=start, end=end)

    @pytest.mark.asyncio
    async def test_a_stream_stays_with_its_version(self, opened: Storage) -> None:
        """An object that is replaced while it is read is read to its old end."""
        await opened.put("a", b"old" * 100_000)
        stream = opened.stream("a")
        begun = await anext(stream)

        await opened.put("a", b"new")

        assert begun + b"".join([part async for part in stream]) == b"old" * 100_000

    @pytest.mark.asyncio
    async def test_the_list_is_in_the_order_of_keys(self, opened: Storage) -> None:
        """Keys come in the order of their code points, however they lie in folders."""
        for key in ("b", "a/b", "a-b", "a/a/c", "a0", "é", "Z", "a.b"):
            await opened.put(key, b"x")

        assert await keys(opened) == ["Z", "a-b", "a.b", "a/a/c", "a/b", "a0", "b", "é"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            pytest.param("a/", ["a/b", "a/bc/d"], id="a folder"),
            pytest.param("a/b", ["a/b", "a/bc/d"], id="within a segment"),
            pytest.param("a/bc/d", ["a/bc/d"], id="a whole key"),
            pytest.param("a", ["a/b", "a/bc/d", "ab"], id="the first character"),
            pytest.param("x/y", [], id="nothing"),
        ],
    )
    async def test_a_prefix_need_not_end_with_a_segment(
        self, opened: Storage, prefix: str, expected: list[str]
    ) -> None:
        """Only keys that begin with the prefix are listed."""
        for key in ("a/b", "a/bc/d", "ab", "b"):
            await opened.put(key, b"x")

        assert await keys(opened, prefix) == expected

    @pytest.mark.asyncio
    @pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "a\\", "a\0", "a" * 1025], ids=repr)
    async def test_a_prefix_of_no_key_is_refused(self, opened: Storage, prefix: str) -> None:
        """A prefix with which no key can begin is invalid-input, not an empty list."""
        with pytest.raises(InvalidInput):
            await keys(opened, prefix)

    @pytest.mark.asyncio
    async def test_a_list_may_be_left_early(self, opened: Storage) -> None:
        """After the first object of a list that is left, the storage works, and so does a stream that is left."""
        await opened.put("a", b"x" * 200_000)
        await opened.put("b", b"x")

        listed, streamed = opened.list(), opened.stream("a")
        first = await anext(listed)
        await anext(streamed)
        await listed.aclose()  # type: ignore[attr-defined]  # an async generator, seen as an iterator
        await streamed.aclose()  # type: ignore[attr-defined]  # the same
        await opened.delete("a", "b")

        assert first.key == "a"
        assert await keys(opened) == []

    @pytest.mark.asyncio
    async def test_a_copy_has_all_of_its_source(self, opened: Storage) -> None:
        """Body, content type and metadata are under both keys, also where the target was another object."""
        await opened.put("from", b"body" * 50_000, content_type="text/plain", metadata={"a": "1"})
        await opened.put("to/there", b"old")

        copied = await opened.copy("from", "to/there")

        assert (copied.key, copied.size_bytes) == ("to/there", 200_000)
        assert (copied.content_type, copied.metadata) == ("text/plain", {"a": "1"})
        assert await opened.get("to/there") == await opened.get("from") == b"body" * 50_000

    @pytest.mark.asyncio
    async def test_a_copy_onto_itself_changes_nothing(self, opened: Storage) -> None:
        """Source and target may be the same key."""
        await opened.put("a", b"x", metadata={"a": "1"})

        copied = await opened.copy("a", "a")

        assert copied.metadata == {"a": "1"}
        assert await opened.get("a") == b"x"

    @pytest.mark.asyncio
    async def test_delete_takes_many_keys(self, opened: Storage) -> None:
        """The named objects go, the others stay, and absent ones are fine."""
        for key in ("a/b", "a/c", "d"):
            await opened.put(key, b"x")

        await opened.delete("a/b", "absent", "d")

        assert await keys(opened) == ["a/c"]

    @pytest.mark.asyncio
    async def test_what_a_caller_changes_stays_its_own(self, opened: Storage) -> None:
        """Neither the metadata that were given nor those that were returned are tied to the object."""
        given = {"a": "1"}
        stored = await opened.put("a", b"x", metadata=given)

        given["a"] = "2"
        stored.metadata["a"] = "3"  # type: ignore[index]  # what a careless caller does

        head = await opened.head("a")
        assert head is not None
        assert head.metadata == {"a": "1"}

    @pytest.mark.asyncio
    async def test_a_signed_url_needs_the_capability(self, opened: Storage) -> None:
        """sign gives a URL, and says unsupported where the capability is not declared."""
        await opened.put("a", b"x")

        if "sign" in self.capabilities:
            assert (await opened.sign("a")).startswith(("https://", "http://"))
        else:
            with pytest.raises(Unsupported, match="sign"):
                await opened.sign("a")
