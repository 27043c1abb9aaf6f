"""The queue in memory keeps the contract, its bound, its order, and the injected clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from io import StringIO
from typing import ClassVar

import pytest
import pytest_asyncio

from oneiric.adapters.queue import Delivery
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.core.errors import NotOpen, Unavailable
from oneiric.core.log import configure
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.queue import QueueContract, received


class TestMemoryQueue(QueueContract):
    """The suite of the category."""

    adapter: ClassVar[type[MemoryQueue]] = MemoryQueue
    capabilities: ClassVar[frozenset[str]] = frozenset({"consume", "dedupe", "delay", "groups"})


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the queue under test."""
    return FakeClock()


@pytest_asyncio.fixture
async def queue(clock: FakeClock) -> AsyncIterator[MemoryQueue]:
    """An open queue for four messages."""
    made = MemoryQueue(MemoryQueue.Settings(max_messages=4, dedupe_s=60), clock=clock)
    await made.open()
    yield made
    await made.close()


async def drain(deliveries: AsyncIterator[Delivery], count: int) -> list[bytes]:
    """Ack so many deliveries and return their bodies."""
    bodies = []
    for _ in range(count):
        delivery = await received(deliveries)
        bodies.append(delivery.body)
        await delivery.ack()
    return bodies


@pytest.mark.asyncio
async def test_a_thousand_messages_are_shared_by_four_consumers() -> None:
    """Within a group each message goes to one consumer, and none waits while another one works."""
    queue = MemoryQueue(MemoryQueue.Settings())
    await queue.open()
    taken: list[Counter[bytes]] = [Counter() for _ in range(4)]
    done = asyncio.Event()

    async def work(mine: Counter[bytes]) -> None:
        async with queue.consume("q", prefetch=2) as deliveries:
            async for delivery in deliveries:
                mine[delivery.body] += 1
                await asyncio.sleep(0)
                await delivery.ack()
                if sum(counter.total() for counter in taken) == 1000:
                    done.set()

    workers = [asyncio.create_task(work(mine)) for mine in taken]
    for number in range(1000):
        await queue.publish("q", b"%d" % number)
    await done.wait()
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)

    total = sum(taken, Counter())
    assert total == Counter({b"%d" % number: 1 for number in range(1000)})
    assert all(mine.total() > 0 for mine in taken)
    assert await queue.depth("q") == 0
    await queue.close()


@pytest.mark.asyncio
async def test_messages_come_in_the_order_in_which_they_fall_due(queue: MemoryQueue, clock: FakeClock) -> None:
    """Undelayed messages in the order of their publishing, delayed ones where their time is."""
    await queue.publish("q", b"third", delay_s=20)
    await queue.publish("q", b"first")
    await queue.publish("q", b"second", delay_s=10)
    clock.advance(5)
    await queue.publish("q", b"between")
    clock.advance(60)

    async with queue.consume("q") as deliveries:
        assert await drain(deliveries, 4) == [b"first", b"between", b"second", b"third"]


@pytest.mark.asyncio
async def test_what_a_consumer_gives_back_keeps_its_place(queue: MemoryQueue) -> None:
    """Leaving puts messages back where they were, before those that were published later."""
    for body in (b"1", b"2", b"3"):
        await queue.publish("q", body)
    async with queue.consume("q") as deliveries:
        await received(deliveries)
        await received(deliveries)

    async with queue.consume("q") as deliveries:
        assert await drain(deliveries, 3) == [b"1", b"2", b"3"]


@pytest.mark.asyncio
async def test_a_waiting_consumer_sees_a_clock_that_was_moved(queue: MemoryQueue, clock: FakeClock) -> None:
    """After the injected clock was moved by hand, wake makes consumers look at it; before the time they wait on."""
    await queue.publish("q", b"slow", delay_s=10)

    async with queue.consume("q") as deliveries:
        waiting = asyncio.create_task(received(deliveries))
        await asyncio.sleep(0)
        clock.advance(9)
        queue.wake()
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        clock.advance(1)
        queue.wake()
        delivery = await waiting

    assert delivery.body == b"slow"


@pytest.mark.asyncio
async def test_a_waiting_consumer_wakes_by_itself() -> None:
    """With the real clock a delayed message comes without anybody's help."""
    queue = MemoryQueue(MemoryQueue.Settings())
    await queue.open()
    await queue.publish("q", b"soon", delay_s=0.01)

    async with queue.consume("q") as deliveries:
        assert (await received(deliveries)).body == b"soon"
    await queue.close()


@pytest.mark.asyncio
async def test_a_publish_beyond_the_bound_is_unavailable(queue: MemoryQueue) -> None:
    """At max_messages a publish fails until a consumer has settled one; what waits is kept."""
    for body in (b"1", b"2", b"3", b"4"):
        await queue.publish("q", body)

    with pytest.raises(Unavailable, match="max_messages is 4"):
        await queue.publish("other", b"5", id="five")
    async with queue.consume("q") as deliveries:
        await drain(deliveries, 1)
    await queue.publish("other", b"5", id="five")

    assert (await queue.depth("q"), await queue.depth("other")) == (3, 1)
    assert (await queue.health()).detail == "4 of 4 messages"


@pytest.mark.asyncio
async def test_each_group_counts_against_the_bound(queue: MemoryQueue) -> None:
    """A message in two groups takes two places; one that does not fit into all of them comes into none."""
    async with queue.consume("q", group="a"), queue.consume("q", group="b"):
        pass
    await queue.publish("other", b"1")
    await queue.publish("q", b"2")

    with pytest.raises(Unavailable):
        await queue.publish("q", b"3")

    assert (await queue.depth("q", group="a"), await queue.depth("q", group="b")) == (1, 1)


@pytest.mark.asyncio
async def test_the_first_group_gets_what_was_there(queue: MemoryQueue) -> None:
    """What was published before any group came waits for the first one; a later one begins with what comes then."""
    await queue.publish("q", b"early")
    async with queue.consume("q", group="a") as first, queue.consume("q", group="b") as second:
        await queue.publish("q", b"late")

        assert await drain(first, 2) == [b"early", b"late"]
        assert await drain(second, 1) == [b"late"]


@pytest.mark.asyncio
async def test_an_id_may_come_again_when_its_time_is_over(queue: MemoryQueue, clock: FakeClock) -> None:
    """An id is remembered for dedupe_s seconds, counted from the message that was kept."""
    await queue.publish("q", b"1", id="same")
    clock.advance(59)
    await queue.publish("q", b"2", id="same")
    clock.advance(1)
    await queue.publish("q", b"3", id="same")

    async with queue.consume("q") as deliveries:
        assert await drain(deliveries, 2) == [b"1", b"3"]


@pytest.mark.asyncio
async def test_ids_are_of_their_queue(queue: MemoryQueue) -> None:
    """The same id in two queues is two messages."""
    await queue.publish("q", b"1", id="same")
    await queue.publish("r", b"2", id="same")

    assert (await queue.depth("q"), await queue.depth("r")) == (1, 1)


@pytest.mark.asyncio
async def test_a_rejection_is_logged_with_its_reason(queue: MemoryQueue) -> None:
    """A message that is dropped leaves one line: where, which and why, and nothing of its body."""
    stream = StringIO()
    configure(stream=stream)
    await queue.publish("q", b"canary", id="order-17")

    async with queue.consume("q") as deliveries:
        await (await received(deliveries)).reject("no such order")

    assert "message rejected queue=q message_id=order-17 reason=no such order" in stream.getvalue()
    assert "canary" not in stream.getvalue()


@pytest.mark.asyncio
async def test_a_consumer_does_not_outlive_its_queue(queue: MemoryQueue) -> None:
    """After close and a new open an old consumer stays not-open, and its deliveries can be settled without effect."""
    await queue.publish("q", b"old")
    async with queue.consume("q") as deliveries:
        delivery = await received(deliveries)
        await queue.close()
        await queue.open()
        await queue.publish("q", b"new")
        await delivery.nak()

        with pytest.raises(NotOpen):
            await anext(deliveries)

    assert await queue.depth("q") == 1


@pytest.mark.asyncio
async def test_nothing_runs_once_a_consumer_has_left(queue: MemoryQueue) -> None:
    """A consumer has no task of its own, and leaving ends the iterator."""
    before = asyncio.all_tasks()

    async with queue.consume("q") as deliveries:
        during = asyncio.all_tasks()

    assert during == before
    with pytest.raises(StopAsyncIteration):
        await anext(deliveries)
