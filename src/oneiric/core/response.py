"""What an HTTP server answered, and which error of ours its status means."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.core.event import JSON

_KINDS: dict[int, type[AdapterError]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    407: Denied,
    408: TimedOut,
    409: Conflict,
    410: NotFound,
    412: Conflict,
}


class Headers(Mapping[str, str]):
    """
    Header fields of an answer; names in any case. Several fields of one name are one text, joined by a comma.

    Source: RFC 9110 section 5.3.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for name, text in fields:
            lower = name.lower()
            self._fields[lower] = f"{self._fields[lower]}, {text}" if lower in self._fields else text

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._fields)})"


@dataclass(frozen=True, slots=True)
class Response:
    """
    A whole answer. Its repr shows the status only: bodies, headers and addresses hold secrets.

    Attributes:
        status: The status code, 100 to 599.
        headers: The header fields.
        body: The body, unpacked.
        url: The address that answered, after redirects; without user info.
        received_at: When it came, with a time zone; a Retry-After date is read against it.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=Headers, repr=False)
    body: bytes = field(default=b"", repr=False)
    url: str = field(default="", repr=False)
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC), repr=False)

    def text(self) -> str:
        """Return the body as text in the charset of its Content-Type, UTF-8 by default; wrong bytes become U+FFFD."""
        kind = Message()
        kind["content-type"] = self.headers.get("content-type", "")
        try:
            return self.body.decode(kind.get_content_charset("utf-8"), "replace")
        except LookupError:  # a charset that Python does not know
            return self.body.decode("utf-8", "replace")

    def json(self) -> JSON:
        """
        Return the body as a JSON value.

        Raises:
            BadReply: It is none.
        """
        try:
            value: JSON = json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadReply("the body is no JSON", category="http", operation="json") from None
        return value

    def error(self, *, category: str = "http", name: str = "", operation: str = "") -> AdapterError | None:
        """Return the error of ours that the status means; None for 200 to 299. The arguments go into the error."""
        return status_error(
            self.status,
            self.headers,
            url=self.url,
            now=self.received_at,
            category=category,
            name=name,
            operation=operation,
        )

    def raise_for_status(self) -> None:
        """
        Return if the status is 200 to 299.

        Raises:
            AdapterError: The class that `status_error` gives.
        """
        error = self.error()
        if error is not None:
            raise error


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """
    An answer whose body is still to come. Its repr shows the status only.

    Attributes:
        status: The status code, 100 to 599.
        headers: The header fields.
        url: The address that answered, after redirects; without user info.
        received_at: When the headers came, with a time zone.
        chunks: The body, unpacked, in pieces of 1 to 65,536 bytes; it can be walked once.
        close: Gives the connection back; harmless a second time.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    received_at: datetime = field(repr=False)
    chunks: AsyncIterator[bytes] = field(repr=False)
    close: Callable[[], Awaitable[None]] = field(repr=False)

    def error(self, *, category: str = "http", name: str = "", operation: str = "") -> AdapterError | None:
        """Return the error of ours that the status means; None for 200 to 299. The body is not read."""
        return status_error(
            self.status,
            self.headers,
            url=self.url,
            now=self.received_at,
            category=category,
            name=name,
            operation=operation,
        )

    def raise_for_status(self) -> None:
        """
        Return if the status is 200 to 299; the body is not read.

        Raises:
            AdapterError: The class that `status_error` gives.
        """
        error = self.error()
        if error is not None:
            raise error


def status_error(
    status: int,
    headers: Mapping[str, str],
    *,
    url: str,
    now: datetime,
    category: str = "",
    name: str = "",
    operation: str = "",
) -> AdapterError | None:
    """
    Return the error of ours that a status means, or None for 200 to 299.

    401, 403, 407 denied; 404, 410 not-found; 408 timed-out; 409, 412 conflict; 429 rate-limited; every other 4xx
    invalid-input; 5xx unavailable; anything else, redirects that nobody follows among them, bad-reply.

    Args:
        url: Shown in the error, without user info and query.
        now: When the answer came; a Retry-After date is read against it.
    """
    if 200 <= status <= 299:
        return None
    reason = f"status {status} from {shown(url)}"
    if status == 429:
        pause_s = retry_after_s(headers.get("retry-after", ""), now=now)
        return RateLimited(reason, retry_after_s=pause_s, category=category, name=name, operation=operation)
    fallback = InvalidInput if 400 <= status <= 499 else Unavailable if 500 <= status <= 599 else BadReply
    return _KINDS.get(status, fallback)(reason, category=category, name=name, operation=operation)


def retry_after_s(value: str, *, now: datetime) -> float | None:
    """
    Read a Retry-After header, in seconds from `now`, never below 0; None if it is absent or cannot be read.

    Source: RFC 9110 section 10.2.3 (delay in seconds, or an HTTP date).
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:18])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:  # "-0000", which the RFC does not allow, means UTC in mail
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def shown(url: str) -> str:
    """Return an address as messages may show it: without user info, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
