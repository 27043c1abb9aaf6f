"""What every queue adapter shares: the `Queue` Protocol, the `Delivery` value, and the grammar of names."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from oneiric.core.errors import InvalidInput

# Source: Amazon SQS developer guide, "Amazon SQS message quotas": the shortest limit of a queue name among brokers.
MAX_NAME_CHARS = 80
# Source: Amazon SQS API reference, SendMessage: MessageDeduplicationId has at most 128 characters.
MAX_ID_CHARS = 128
MAX_KEY_BYTES = 512
MAX_HEADER_BYTES = 8192
DEFAULT_GROUP = "default"
DEFAULT_PREFETCH = 16
OWN_HEADERS = "x-oneiric-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ID = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Control characters would begin a new header line, and a lone surrogate has no bytes to send.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Settlement(Protocol):
    """How an adapter hears what became of a delivery; `Delivery` calls it."""

    async def ack(self) -> None:
        """See `Delivery.ack`."""

    async def nak(self, delay_s: float) -> None:
        """See `Delivery.nak`."""

    async def reject(self, reason: str) -> None:
        """See `Delivery.reject`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One message, handed to one consumer of a group.

    The first of `ack`, `nak` and `reject` settles it; whatever is called afterwards does nothing, and so does every
    call after the consumer has left, which gave the message back.

    Attributes:
        id: The message's id: the publisher's, or one that `publish` made.
        queue: Where it was published.
        body: What was published; it stays out of the repr.
        headers: What was published with it; they stay out of the repr.
        key: Messages of one key belong together; None where the publisher gave none.
        attempt: 1 for the first delivery within the group, one more for each further one.
        published_at: When it was published, with a time zone.
        settlement: Where the adapter hears the outcome.
    """

    id: str
    queue: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    key: str | None
    attempt: int
    published_at: datetime
    settlement: Settlement = field(repr=False, compare=False)

    async def ack(self) -> None:
        """Say that the message was dealt with: its group never sees it again."""
        await self.settlement.ack()

    async def nak(self, delay_s: float = 0) -> None:
        """
        Give the message back, to be delivered once more.

        Args:
            delay_s: Seconds, 0 or more, before which it is not delivered; cut to what the broker can.

        Raises:
            InvalidInput: `delay_s` is below 0, or not finite; the message is not settled.
        """
        await self.settlement.nak(delay_s)

    async def reject(self, reason: str) -> None:
        """
        Say that the message can never be dealt with: its group never sees it again.

        Args:
            reason: Why, for the broker's dead letters or the log; never a payload or a secret.
        """
        await self.settlement.reject(reason)


@runtime_checkable
class Queue(Protocol):
    """
    Bytes in, bytes out, at least once.

    A queue and a group have names of 1 to 80 of `A-Za-z0-9._-` that begin with a letter or digit. Every group gets
    every message; within a group each message goes to one consumer. A queue's first group also gets what was
    published before, a later one what is published after its first `consume`. What breaks a grammar or a range is
    `invalid-input`, a call before `open` or after `close` is `not-open`.
    """

    async def ensure(self, queue: str) -> None:
        """Make a queue where it is absent; `publish` and `consume` do it, too."""

    async def publish(
        self,
        queue: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        delay_s: float = 0,
        id: str | None = None,
    ) -> str:
        """
        Add a message, and return its id when the broker has accepted it.

        Args:
            queue: Where to.
            body: The message.
            headers: Names as of queues, of any length and not beginning with `x-oneiric-`; values without control
                characters; at most 8,192 bytes in all.
            key: Messages of one key belong together, and stay in order where the adapter has capability `ordered`;
                1 to 512 bytes without control characters.
            delay_s: Seconds, 0 or more, before which it is not delivered; capability `delay`.
            id: 1 to 128 visible ASCII characters. With capability `dedupe`, a message whose id the queue has seen
                lately is accepted and dropped. A fresh id by default.

        Raises:
            InvalidInput: An argument breaks its grammar or range.
            Unsupported: A delay, and the adapter has no capability `delay`.
            Unavailable: The broker cannot be reached, or has no room.
        """

    def consume(
        self, queue: str, *, group: str = DEFAULT_GROUP, prefetch: int = DEFAULT_PREFETCH
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """
        Take part in a group: the iterator waits for deliveries until the block is left; capability `consume`.

        Leaving the block gives back what is not settled. Within it, `close` of the adapter ends the iterator with
        `not-open`.

        Args:
            queue: Where from.
            group: Who shares the work with this consumer; another name than `default` is capability `groups`.
            prefetch: Deliveries, 1 or more, that this consumer may have unsettled; the iterator waits at that many.

        Raises:
            InvalidInput: A name breaks its grammar, or `prefetch` is below 1.
            Unsupported: The adapter lacks the capability.
        """

    async def depth(self, queue: str, *, group: str = DEFAULT_GROUP) -> int | None:
        """
        Return how many messages the group has not settled: waiting, delayed and handed out.

        It is 0 for a queue that is absent, and None where the broker cannot tell.
        """


def check_names(*names: str, name: str, operation: str) -> None:
    """
    Refuse names of queues and groups that break the grammar of `Queue`.

    Raises:
        InvalidInput: One does; the message does not hold it.
    """
    for one in names:
        if not isinstance(one, str) or len(one) > MAX_NAME_CHARS or not _NAME.fullmatch(one):
            reason = f"a name is 1 to {MAX_NAME_CHARS} of A-Za-z0-9._- and begins with a letter or digit"
            raise _refusal(reason, name, operation)


def check_message(
    body: bytes, headers: Mapping[str, str] | None, key: str | None, id: str | None, *, name: str
) -> None:
    """
    Refuse a message that breaks the grammar of `Queue.publish`.

    Raises:
        InvalidInput: It does; the message of the error holds nothing of it.
    """
    if not isinstance(body, bytes):
        raise _refusal("a body is bytes", name, "publish")
    total_bytes = 0
    for header, value in (headers or {}).items():
        if not isinstance(header, str) or not _HEADER.fullmatch(header) or header.lower().startswith(OWN_HEADERS):
            reason = f"a header's name is of A-Za-z0-9._- and does not begin with {OWN_HEADERS}"
            raise _refusal(reason, name, "publish")
        if not isinstance(value, str) or _UNFIT.search(value):
            raise _refusal("a header's value is a text without control characters", name, "publish")
        total_bytes += len(header) + len(value.encode())
    if total_bytes > MAX_HEADER_BYTES:
        raise _refusal(f"headers have at most {MAX_HEADER_BYTES} bytes in all", name, "publish")
    if key is not None and (
        not isinstance(key, str) or _UNFIT.search(key) or not 1 <= len(key.encode()) <= MAX_KEY_BYTES
    ):
        raise _refusal(f"a key has 1 to {MAX_KEY_BYTES} bytes, no control characters", name, "publish")
    if id is not None and (not isinstance(id, str) or len(id) > MAX_ID_CHARS or not _ID.fullmatch(id)):
        raise _refusal(f"an id has 1 to {MAX_ID_CHARS} visible ASCII characters", name, "publish")


def check_delay(delay_s: float, *, name: str, operation: str) -> None:
    """
    Refuse a delay that is no finite number of seconds, 0 or more.

    Raises:
        InvalidInput: It is none.
    """
    if not isinstance(delay_s, (int, float)) or not math.isfinite(delay_s) or delay_s < 0:
        raise _refusal("delay_s is finite and 0 or more", name, operation)


def check_prefetch(prefetch: int, *, name: str) -> None:
    """
    Refuse a consumer that could not have a single delivery.

    Raises:
        InvalidInput: `prefetch` is below 1.
    """
    if not isinstance(prefetch, int) or prefetch < 1:
        raise _refusal("prefetch is 1 or more", name, "consume")


def _refusal(reason: str, name: str, operation: str) -> InvalidInput:
    return InvalidInput(reason, category="queue", name=name, operation=operation)
