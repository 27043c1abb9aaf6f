"""What every storage adapter shares: the `Storage` Protocol, the `StoredObject` value, and the grammar of keys."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from oneiric.core.errors import InvalidInput, NotFound, NotOpen, Unsupported

MAX_KEY_BYTES = 1024
MAX_CONTENT_TYPE_CHARS = 255
# Source: Amazon S3 user guide, "Working with object metadata": user-defined metadata is limited to 2 KB.
MAX_METADATA_BYTES = 2048
CHUNK_BYTES = 65_536
# Control characters would break a header of a remote store, and a lone surrogate has no bytes to send.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Lower case only: S3 hands names back in lower case, so another spelling would not come back as it was given.
_METADATA_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """
    What a storage knows about one object.

    Attributes:
        key: Its key.
        size_bytes: Length of its body.
        etag: Differs whenever the body was replaced by another one; compared, never parsed.
        modified: When the body was put, with a time zone.
        content_type: Its media type, or None where nobody gave one.
        metadata: What the writer added.
    """

    key: str
    size_bytes: int
    etag: str
    modified: datetime
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Storage(Protocol):
    """
    Objects of bytes under keys.

    A key is relative: segments with `/` between them, none of them empty, `.` or `..`; no backslash, no NUL, 1 to
    1,024 bytes of UTF-8. Any other key is `invalid-input`. A call before `open` or after `close` is `not-open`.
    """

    async def put(
        self,
        key: str,
        body: bytes | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
    ) -> StoredObject:
        """
        Store an object, in place of one that is there.

        A put that fails, or is cancelled before the object is in place, leaves no object or the old one, never a part
        of the new one. An exception of `body` passes unchanged.

        Args:
            key: Where to store it.
            body: The bytes, or parts of them in their order.
            content_type: Media type, 1 to 255 characters without control characters.
            metadata: Names of `a-z0-9_-` that begin with a letter or digit, values without control characters; at
                most 2,048 bytes in all.
            if_absent: Store only where no object is; of several such puts at once, one wins.

        Raises:
            Conflict: `if_absent`, and there is an object.
            InvalidInput: The key, the content type or the metadata breaks its grammar, or a part is not bytes.
            Unavailable: There is no room.
        """

    async def get(self, key: str) -> bytes:
        """
        Return the whole body of one version of the object.

        Raises:
            NotFound: There is no such object.
        """

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """
        Yield the body of one version in parts, also when the object is replaced meanwhile.

        Errors come with the first part that is asked for. Leaving early leaks nothing.

        Args:
            key: The object.
            start: Index of the first byte, 0 or more.
            end: Index after the last byte (exclusive), not below `start`; None reads to the end. As with a slice,
                what lies beyond the body is left out.

        Raises:
            NotFound: There is no such object.
            InvalidInput: `start` or `end` is out of its range.
        """

    async def head(self, key: str) -> StoredObject | None:
        """Return what is known about the object, or None where there is none; the body is not read."""

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """
        Yield the objects whose key begins with `prefix`, in the order of their keys' code points.

        It is read as it is asked for: an object that is put or deleted meanwhile may be in it or not. Leaving early
        leaks nothing.

        Args:
            prefix: The beginning of a key, which need not end with a segment; empty lists all.

        Raises:
            InvalidInput: No key can begin so.
        """

    async def copy(self, source: str, target: str) -> StoredObject:
        """
        Store body, content type and metadata of `source` under `target` too, with the promises of `put`.

        Raises:
            NotFound: There is no `source`.
        """

    async def delete(self, *keys: str) -> None:
        """Remove objects; one that is absent is fine. All keys are checked before the first one is removed."""

    async def sign(self, key: str, *, method: str = "GET", ttl_s: int = 900) -> str:
        """
        Return a URL by which anyone may use the object for a while; capability `sign`.

        Args:
            key: The object, which need not exist.
            method: The HTTP method that the URL allows.
            ttl_s: Seconds that the URL is good for, 1 or more.

        Raises:
            Unsupported: The adapter has no capability `sign`.
        """


def key_fault(key: str) -> str | None:
    """Return what is wrong with a key, or None for a good one."""
    if not isinstance(key, str) or not key:
        return "a key is a text that is not empty"
    if any(segment in {"", ".", ".."} for segment in key.split("/")):
        return "a key is relative, and no segment is empty, . or .."
    return _text_fault(key)


def prefix_fault(prefix: object) -> str | None:
    """Return why no key begins with `prefix`, or None where one can."""
    if not isinstance(prefix, str):
        return "a prefix is a text"
    if any(segment in {"", ".", ".."} for segment in prefix.split("/")[:-1]):
        return "a key is relative, and no segment is empty, . or .."
    return _text_fault(prefix)


def _text_fault(text: str) -> str | None:
    if "\\" in text or "\0" in text:
        return "a key holds no backslash and no NUL"
    try:
        length_bytes = len(text.encode())
    except UnicodeEncodeError:
        return "a key holds no lone surrogate"
    return f"a key has at most {MAX_KEY_BYTES} bytes" if length_bytes > MAX_KEY_BYTES else None


def check_keys(*keys: str, name: str, operation: str) -> None:
    """
    Refuse keys that break the grammar of `Storage`.

    Raises:
        InvalidInput: The first of them that does; the message says why and does not hold the key.
    """
    for key in keys:
        _refuse(key_fault(key), name, operation)


def check_prefix(prefix: str, *, name: str) -> None:
    """
    Refuse a prefix with which no key begins.

    Raises:
        InvalidInput: It is one.
    """
    _refuse(prefix_fault(prefix), name, "list")


def check_range(start: int, end: int | None, *, name: str) -> None:
    """
    Refuse a range that `stream` cannot mean.

    Raises:
        InvalidInput: `start` is below 0, or `end` is below `start`.
    """
    if start < 0 or (end is not None and end < start):
        _refuse("a range has 0 <= start <= end", name, "stream")


def check_put(key: str, content_type: str | None, metadata: Mapping[str, str] | None, *, name: str) -> None:
    """
    Refuse a key, a content type or metadata that break the grammar of `Storage.put`.

    Raises:
        InvalidInput: One does; the message holds none of them.
    """
    check_keys(key, name=name, operation="put")
    if content_type is not None and (
        not isinstance(content_type, str)
        or not 1 <= len(content_type) <= MAX_CONTENT_TYPE_CHARS
        or _UNFIT.search(content_type)
    ):
        _refuse(f"content_type has 1 to {MAX_CONTENT_TYPE_CHARS} characters, no control characters", name, "put")
    total_bytes = 0
    for field_name, value in (metadata or {}).items():
        if not isinstance(field_name, str) or not _METADATA_NAME.fullmatch(field_name):
            _refuse("a metadata name is of a-z0-9_- and begins with a letter or digit", name, "put")
        if not isinstance(value, str) or _UNFIT.search(value):
            _refuse("a metadata value is a text without control characters", name, "put")
        total_bytes += len(field_name) + len(value.encode())
    if total_bytes > MAX_METADATA_BYTES:
        _refuse(f"metadata has at most {MAX_METADATA_BYTES} bytes in all", name, "put")


async def parts(body: bytes | AsyncIterable[bytes], *, name: str) -> AsyncGenerator[bytes, None]:
    """
    Yield the body of a put in parts; bytes are one part.

    Raises:
        InvalidInput: The body is neither bytes nor an async iterable, or a part of it is not bytes.
    """
    if isinstance(body, bytes):
        yield body
        return
    if not hasattr(body, "__aiter__"):
        _refuse("a body is bytes or an async iterable of bytes", name, "put")
    async for part in body:
        _refuse(None if isinstance(part, bytes) else "a part of a body is bytes", name, "put")
        yield part


def not_open(name: str, operation: str) -> NotOpen:
    """Return the error of a call before `open` or after `close`."""
    return NotOpen("open it first", category="storage", name=name, operation=operation)


def not_found(key: str, name: str, operation: str) -> NotFound:
    """Return the error of a key that holds no object; it names the key, cut to 100 characters."""
    return NotFound(f"no object {key[:100]!r}", category="storage", name=name, operation=operation)


def no_signing(*, name: str) -> Unsupported:
    """Return the error of an adapter whose objects have no URL."""
    return Unsupported("there is no capability sign", category="storage", name=name, operation="sign")


def _refuse(fault: str | None, name: str, operation: str) -> None:
    if fault is not None:
        raise InvalidInput(fault, category="storage", name=name, operation=operation)
