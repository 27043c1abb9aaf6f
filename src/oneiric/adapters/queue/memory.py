"""A queue in this process: for tests, and for work that may be lost with the process."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import Field

from oneiric.adapters.queue.common import (
    DEFAULT_GROUP,
    DEFAULT_PREFETCH,
    Delivery,
    check_delay,
    check_message,
    check_names,
    check_prefetch,
)
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import NotOpen, Unavailable
from oneiric.core.log import log

NAME = "memory"
MAX_MESSAGES = 100_000
DEDUPE_S = 300.0


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    queue: str
    body: bytes
    headers: Mapping[str, str]
    key: str | None
    published_at: datetime


@dataclass(order=True, slots=True)
class _Entry:
    """One message's place in one group; the order is the order of delivery."""

    ready_s: float  # by the adapter's clock
    number: int
    message: _Message = field(compare=False)
    attempt: int = field(default=0, compare=False)


@dataclass(slots=True)
class _Group:
    """What a group has not settled: a heap of what waits, and how much is handed out."""

    waiting: list[_Entry] = field(default_factory=list)
    handed_out: int = 0

    @property
    def depth(self) -> int:
        return len(self.waiting) + self.handed_out


@dataclass(slots=True)
class _Channel:
    """One queue. Until its first group comes, `early` holds what is published."""

    early: _Group = field(default_factory=_Group)
    groups: dict[str, _Group] = field(default_factory=dict)
    seen_s: OrderedDict[str, float] = field(default_factory=OrderedDict)  # id -> when, by the adapter's clock

    def group(self, name: str) -> _Group:
        """Return a group, made where it is absent; the first one takes what is there already."""
        if name not in self.groups:
            self.groups[name] = _Group() if self.groups else self.early
        return self.groups[name]

    @property
    def depth(self) -> int:
        return sum(group.depth for group in self.groups.values()) if self.groups else self.early.depth


class MemoryQueue:
    """
    Queues in this process, for the tasks of one event loop; `close` forgets them.

    Capabilities: consume, delay, dedupe, groups. Messages that are due are delivered in the order in which they fell
    due; that is no `ordered`, since a message that came back does not hold up the others of its key.

    A rejected message is dropped, with one line in the log. A publish beyond `max_messages` is `unavailable`: there
    will be room when consumers have caught up.

    Args:
        settings: How much it holds.
        clock: Seconds that only go up; delays are measured with it.
    """

    class Settings(AdapterSettings):
        """How much a queue in memory holds."""

        max_messages: int = Field(
            default=MAX_MESSAGES, ge=1, description="messages not settled, over all queues; each group's copy counts"
        )
        dedupe_s: float = Field(
            default=DEDUPE_S, gt=0, description="seconds in which a second message of an id is dropped"
        )

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._channels: dict[str, _Channel] | None = None
        self._numbers = itertools.count()
        self._waiters: set[asyncio.Future[None]] = set()

    async def open(self) -> None:
        if self._channels is None:
            self._channels = {}

    async def close(self) -> None:
        self._channels = None
        self.wake()

    async def health(self) -> Health:
        begun_s = time.monotonic()
        if self._channels is None:
            return Health(ok=False, detail="not open")
        detail = f"{self._depth()} of {self._settings.max_messages} messages"
        return Health(ok=True, detail=detail, latency_s=time.monotonic() - begun_s)

    def wake(self) -> None:
        """
        Have the waiting consumers look at the clock now.

        They wait by the event loop's time for what is due next. Only somebody who moves an injected clock by hand
        needs to say so.
        """
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def ensure(self, queue: str) -> None:
        check_names(queue, name=NAME, operation="ensure")
        self._channel(queue, "ensure")

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
        check_names(queue, name=NAME, operation="publish")
        check_message(body, headers, key, id, name=NAME)
        check_delay(delay_s, name=NAME, operation="publish")
        channel, now_s = self._channel(queue, "publish"), self._clock()
        self._forget_ids(channel, now_s)
        if id is not None and id in channel.seen_s:
            return id
        groups = list(channel.groups.values()) or [channel.early]
        if self._depth() + len(groups) > self._settings.max_messages:
            reason = f"no room: max_messages is {self._settings.max_messages}"
            raise Unavailable(reason, category="queue", name=NAME, operation="publish")
        message = _Message(id or uuid.uuid4().hex, queue, body, dict(headers or {}), key, datetime.now(UTC))
        number = next(self._numbers)
        for group in groups:
            heapq.heappush(group.waiting, _Entry(now_s + delay_s, number, message))
        if id is not None:
            channel.seen_s[id] = now_s
        self.wake()
        return message.id

    @asynccontextmanager
    async def consume(
        self, queue: str, *, group: str = DEFAULT_GROUP, prefetch: int = DEFAULT_PREFETCH
    ) -> AsyncIterator[AsyncIterator[Delivery]]:
        check_names(queue, group, name=NAME, operation="consume")
        check_prefetch(prefetch, name=NAME)
        consumer = _Consumer(self, self._channel(queue, "consume").group(group), prefetch)
        try:
            yield consumer
        finally:
            consumer.leave()

    async def depth(self, queue: str, *, group: str = DEFAULT_GROUP) -> int | None:
        check_names(queue, group, name=NAME, operation="depth")
        channel = self._opened("depth").get(queue)
        if channel is None:
            return 0
        found = channel.groups.get(group) if channel.groups else channel.early
        return 0 if found is None else found.depth

    def _opened(self, operation: str) -> dict[str, _Channel]:
        if self._channels is None:
            raise NotOpen("open it first", category="queue", name=NAME, operation=operation)
        return self._channels

    def _channel(self, queue: str, operation: str) -> _Channel:
        return self._opened(operation).setdefault(queue, _Channel())

    def _depth(self) -> int:
        return sum(channel.depth for channel in (self._channels or {}).values())

    def _forget_ids(self, channel: _Channel, now_s: float) -> None:
        """Forget ids whose time is over, and the oldest ones where there are more than messages may be."""
        seen_s = channel.seen_s
        while seen_s:
            oldest = next(iter(seen_s))
            if seen_s[oldest] + self._settings.dedupe_s > now_s and len(seen_s) < self._settings.max_messages:
                return
            del seen_s[oldest]


class _Consumer:
    """One participant of a group, as an iterator of deliveries."""

    def __init__(self, owner: MemoryQueue, group: _Group, prefetch: int) -> None:
        self._owner = owner
        self._channels = owner._channels
        self._group = group
        self._prefetch = prefetch
        self._has_left = False
        self._handed: dict[_Handed, _Entry] = {}

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while not self._has_left:
            if self._owner._channels is not self._channels:
                raise NotOpen("it was closed meanwhile", category="queue", name=NAME, operation="consume")
            delivery, wait_s = self._take()
            if delivery is not None:
                return delivery
            await self._change(wait_s)
        raise StopAsyncIteration

    def leave(self) -> None:
        """Give back what is not settled, to its old place, and end the iterator."""
        self._has_left = True
        for handed, entry in list(self._handed.items()):
            self.settle(handed)
            heapq.heappush(self._group.waiting, entry)
        self._owner.wake()

    def settle(self, handed: _Handed) -> _Entry | None:
        """Take a delivery off the list, and return its entry; None where it was settled before."""
        entry = self._handed.pop(handed, None)
        if entry is not None:
            self._group.handed_out -= 1
            self._owner.wake()
        return entry

    def give_back(self, handed: _Handed, delay_s: float) -> None:
        """Let a delivery wait again, for at least `delay_s` seconds."""
        check_delay(delay_s, name=NAME, operation="nak")
        entry = self.settle(handed)
        if entry is not None:
            entry.ready_s = self._owner._clock() + delay_s
            heapq.heappush(self._group.waiting, entry)

    def _take(self) -> tuple[Delivery | None, float | None]:
        """Return a delivery that is due, or None and the seconds until one will be; None where nobody knows."""
        waiting = self._group.waiting
        if not waiting or len(self._handed) >= self._prefetch:
            return None, None
        wait_s = waiting[0].ready_s - self._owner._clock()
        if wait_s > 0:
            return None, wait_s
        entry = heapq.heappop(waiting)
        entry.attempt += 1
        handed = _Handed(self, entry.message)
        self._handed[handed] = entry
        self._group.handed_out += 1
        told = entry.message
        headers = dict(told.headers)
        at = told.published_at
        return Delivery(told.id, told.queue, told.body, headers, told.key, entry.attempt, at, handed), None

    async def _change(self, wait_s: float | None) -> None:
        """Wait until something happens in the queue, or for so many seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._owner._waiters.add(waiter)
        timer = None if wait_s is None else loop.call_later(wait_s, self._owner.wake)
        try:
            await waiter
        finally:
            self._owner._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()


class _Handed:
    """The outcome of one delivery, on its way back to its consumer."""

    __slots__ = ("_consumer", "_message")

    def __init__(self, consumer: _Consumer, message: _Message) -> None:
        self._consumer = consumer
        self._message = message

    async def ack(self) -> None:
        self._consumer.settle(self)

    async def nak(self, delay_s: float) -> None:
        self._consumer.give_back(self, delay_s)

    async def reject(self, reason: str) -> None:
        if self._consumer.settle(self) is not None:
            where = {"queue": self._message.queue, "message_id": self._message.id, "reason": reason}
            log().warning("message rejected", **where)
