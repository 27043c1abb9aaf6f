"""The rules that hold for every queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from oneiric.adapters.queue import Delivery, Queue
from oneiric.core.errors import InvalidInput, NotOpen, Unsupported
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend

RECEIVE_S = 10.0
DELAY_S = 30.0
WRONG_NAMES = [
    pytest.param("", id="empty"),
    pytest.param("q" * 81, id="81 characters"),
    pytest.param("-q", id="a hyphen first"),
    pytest.param("a b", id="a blank"),
    pytest.param("a/b", id="a slash"),
    pytest.param("a\n", id="a line break"),
    pytest.param("größe", id="beyond ASCII"),
    pytest.param(7, id="no text"),
]
WRONG_MESSAGES: list[Any] = [  # pytest's ParameterSet is not public
    pytest.param({"body": "text"}, id="a body that is no bytes"),
    pytest.param({"headers": {"": "v"}}, id="a header without a name"),
    pytest.param({"headers": {"a b": "v"}}, id="a header's name with a blank"),
    pytest.param({"headers": {"X-Oneiric-Attempt": "v"}}, id="a header of ours"),
    pytest.param({"headers": {"a": "v\r\nb: w"}}, id="a header's value with a line break"),
    pytest.param({"headers": {"a": 7}}, id="a header's value that is no text"),
    pytest.param({"headers": {"a": "v" * 8192}}, id="headers of 8,193 bytes"),
    pytest.param({"key": ""}, id="an empty key"),
    pytest.param({"key": "é" * 257}, id="a key of 514 bytes"),
    pytest.param({"key": "a\0"}, id="a key with a NUL"),
    pytest.param({"id": ""}, id="an empty id"),
    pytest.param({"id": "i" * 129}, id="an id of 129 characters"),
    pytest.param({"id": "a b"}, id="an id with a blank"),
    pytest.param({"delay_s": -1}, id="a delay below zero"),
    pytest.param({"delay_s": float("nan")}, id="a delay that is no number"),
    pytest.param({"delay_s": float("inf")}, id="a delay without end"),
]


async def received(deliveries: AsyncIterator[Delivery]) -> Delivery:
    """Return the next delivery; one that does not come within 10 s is a failure."""
    async with asyncio.timeout(RECEIVE_S):
        return await anext(deliveries)


class PublishContract(AdapterContract):
    """What every queue promises, also one that others deliver from."""

    category: ClassVar[str] = "queue"

    async def use(self, adapter: Any) -> None:  # the class under test
        """Publish a message."""
        assert await adapter.publish("used", b"x")

    async def pass_time(self, clock: FakeClock, seconds: float) -> None:
        """Let time go by for the queue. Override for a broker, whose clock cannot be moved: wait there."""
        clock.advance(seconds)

    @pytest.fixture
    def queue(self, backend: Backend) -> str:
        """A queue of the test's own."""
        return backend.unique

    def test_it_is_a_queue(self, made: Any) -> None:
        """It has every method of the Protocol."""
        assert isinstance(made, Queue)

    @pytest.mark.asyncio
    async def test_making_a_queue_twice_is_harmless(self, opened: Queue, queue: str) -> None:
        """ensure may be called again, and keeps what is in the queue."""
        await opened.ensure(queue)
        await opened.publish(queue, b"x")
        await opened.ensure(queue)

        assert await opened.depth(queue) in {1, None}

    @pytest.mark.asyncio
    async def test_ids_are_given_or_fresh(self, opened: Queue, queue: str) -> None:
        """publish returns the id that was given, and else one that no other message has."""
        given = await opened.publish(queue, b"x", id="order-17")
        first = await opened.publish(queue, b"x")
        second = await opened.publish(queue, b"x")

        assert given == "order-17"
        assert len({given, first, second}) == 3

    @pytest.mark.asyncio
    @pytest.mark.parametrize("name", WRONG_NAMES)
    async def test_a_wrong_name_is_refused(self, opened: Queue, name: str) -> None:
        """A queue's or group's name that breaks the grammar is invalid-input."""
        for call in (
            opened.ensure(name),
            opened.publish(name, b"x"),
            opened.depth(name),
            opened.depth("q", group=name),
        ):
            with pytest.raises(InvalidInput):
                await call

    @pytest.mark.asyncio
    @pytest.mark.parametrize("changed", WRONG_MESSAGES)
    async def test_a_wrong_message_is_refused(self, opened: Queue, queue: str, changed: dict[str, Any]) -> None:
        """A message that breaks the grammar is invalid-input and not published."""
        with pytest.raises(InvalidInput):
            await opened.publish(queue, **{"body": b"x", **changed})

        assert await opened.depth(queue) in {0, None}

    @pytest.mark.asyncio
    async def test_a_delay_needs_the_capability(self, opened: Queue, queue: str) -> None:
        """A delayed publish is unsupported where the capability is not declared."""
        if "delay" in self.capabilities:
            assert await opened.publish(queue, b"x", delay_s=DELAY_S)
        else:
            with pytest.raises(Unsupported, match="delay"):
                await opened.publish(queue, b"x", delay_s=DELAY_S)

    @pytest.mark.asyncio
    async def test_consuming_needs_the_capability(self, opened: Queue, queue: str) -> None:
        """consume is unsupported where the capability is not declared."""
        if "consume" in self.capabilities:
            async with opened.consume(queue) as deliveries:
                assert aiter(deliveries) is deliveries
        else:
            with pytest.raises(Unsupported, match="consume"):
                async with opened.consume(queue):
                    pass

    @pytest.mark.asyncio
    async def test_another_group_needs_the_capability(self, opened: Queue, queue: str) -> None:
        """A group besides `default` is unsupported where the capability is not declared."""
        if "groups" in self.capabilities:
            async with opened.consume(queue, group="other") as deliveries:
                assert aiter(deliveries) is deliveries
        else:
            with pytest.raises(Unsupported, match=r"groups|consume"):
                async with opened.consume(queue, group="other"):
                    pass


class QueueContract(PublishContract):
    """What every queue with capability `consume` promises."""

    @pytest.mark.asyncio
    async def test_a_delivery_holds_what_was_published(self, opened: Queue, queue: str) -> None:
        """Body, headers, key and id come as they were given; it is the first attempt."""
        id = await opened.publish(queue, bytes(range(256)), headers={"Content-Type": "é"}, key="order/17")

        async with opened.consume(queue) as deliveries:
            delivery = await received(deliveries)
            await delivery.ack()

        assert (delivery.id, delivery.queue, delivery.key) == (id, queue, "order/17")
        assert delivery.body == bytes(range(256))
        assert delivery.headers == {"Content-Type": "é"}
        assert delivery.attempt == 1
        assert delivery.published_at.utcoffset() == timedelta(0)

    @pytest.mark.asyncio
    async def test_a_delivery_hides_its_payload(self, opened: Queue, queue: str) -> None:
        """Neither body nor headers are in the repr, which ends in logs."""
        await opened.publish(queue, b"canary-body", headers={"a": "canary-header"})

        async with opened.consume(queue) as deliveries:
            delivery = await received(deliveries)

        assert "canary" not in repr(delivery)

    @pytest.mark.asyncio
    async def test_a_consumer_waits_for_what_comes(self, opened: Queue, queue: str) -> None:
        """A consumer of an empty queue gets what is published later."""
        async with opened.consume(queue) as deliveries:
            waiting = asyncio.create_task(received(deliveries))
            await asyncio.sleep(0)
            await opened.publish(queue, b"late")
            delivery = await waiting
            await delivery.ack()

        assert delivery.body == b"late"

    @pytest.mark.asyncio
    async def test_an_acked_message_is_gone(self, opened: Queue, queue: str) -> None:
        """What was acked is not delivered again, to nobody."""
        await opened.publish(queue, b"first")
        async with opened.consume(queue) as deliveries:
            await (await received(deliveries)).ack()

        await opened.publish(queue, b"second")

        async with opened.consume(queue) as deliveries:
            assert (await received(deliveries)).body == b"second"

    @pytest.mark.asyncio
    async def test_leaving_gives_back_what_was_not_acked(self, opened: Queue, queue: str) -> None:
        """A delivery that was not settled comes again, as the second attempt."""
        await opened.publish(queue, b"x")
        async with opened.consume(queue) as deliveries:
            left = await received(deliveries)

        async with opened.consume(queue) as deliveries:
            again = await received(deliveries)

        assert (left.id, left.attempt) == (again.id, 1)
        assert again.attempt == 2

    @pytest.mark.asyncio
    async def test_a_nak_brings_the_next_attempt(self, opened: Queue, queue: str) -> None:
        """Each delivery of a message counts one more."""
        await opened.publish(queue, b"x")

        async with opened.consume(queue) as deliveries:
            attempts = []
            for _ in range(3):
                delivery = await received(deliveries)
                attempts.append(delivery.attempt)
                await delivery.nak()

        assert attempts == [1, 2, 3]

    @pytest.mark.asyncio
    async def test_a_nak_may_ask_for_a_pause(self, opened: Queue, queue: str, clock: FakeClock) -> None:
        """A message that was given back with a delay comes when the delay is over; others come before it."""
        await opened.publish(queue, b"slow")

        async with opened.consume(queue) as deliveries:
            await (await received(deliveries)).nak(DELAY_S)
            await opened.publish(queue, b"quick")
            first = await received(deliveries)
            await first.ack()
            await self.pass_time(clock, DELAY_S)
            second = await received(deliveries)

        assert (first.body, second.body) == (b"quick", b"slow")

    @pytest.mark.asyncio
    @pytest.mark.parametrize("delay_s", [pytest.param(-1, id="below zero"), pytest.param(float("nan"), id="no number")])
    async def test_a_wrong_pause_settles_nothing(self, opened: Queue, queue: str, delay_s: float) -> None:
        """A nak with a delay out of range is invalid-input, and the delivery can still be given back."""
        await opened.publish(queue, b"x")

        async with opened.consume(queue) as deliveries:
            delivery = await received(deliveries)
            with pytest.raises(InvalidInput):
                await delivery.nak(delay_s)
            await delivery.nak()

            assert (await received(deliveries)).attempt == 2

    @pytest.mark.asyncio
    async def test_a_rejected_message_is_gone(self, opened: Queue, queue: str) -> None:
        """What can never be dealt with is not delivered again."""
        await opened.publish(queue, b"poison")
        await opened.publish(queue, b"fine")

        async with opened.consume(queue, prefetch=1) as deliveries:
            await (await received(deliveries)).reject("no event")
            following = await received(deliveries)

        assert (following.body, following.attempt) == (b"fine", 1)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("first", ["ack", "nak", "reject"])
    @pytest.mark.parametrize("second", ["ack", "nak", "reject"])
    async def test_only_the_first_outcome_counts(self, opened: Queue, queue: str, first: str, second: str) -> None:
        """After a delivery was settled, settling it again does nothing."""
        calls = {
            "ack": lambda delivery: delivery.ack(),
            "nak": lambda delivery: delivery.nak(),
            "reject": lambda delivery: delivery.reject("never"),
        }
        await opened.publish(queue, b"x")

        async with opened.consume(queue) as deliveries:
            delivery = await received(deliveries)
            await calls[first](delivery)
            await calls[second](delivery)

        assert await opened.depth(queue) in {1 if first == "nak" else 0, None}

    @pytest.mark.asyncio
    async def test_a_late_ack_is_harmless(self, opened: Queue, queue: str) -> None:
        """After its consumer has left, a delivery belongs to nobody: its ack takes nothing from another consumer."""
        await opened.publish(queue, b"x")
        async with opened.consume(queue) as deliveries:
            late = await received(deliveries)

        async with opened.consume(queue) as deliveries:
            again = await received(deliveries)
            await late.ack()
            await again.nak()
            assert (await received(deliveries)).id == late.id

    @pytest.mark.asyncio
    async def test_prefetch_bounds_what_one_consumer_holds(self, opened: Queue, queue: str) -> None:
        """A consumer at its bound takes nothing, so another one of the group gets it; an ack makes room."""
        for body in (b"1", b"2", b"3"):
            await opened.publish(queue, body)

        async with opened.consume(queue, prefetch=1) as full, opened.consume(queue, prefetch=1) as other:
            held = await received(full)
            waiting = asyncio.create_task(received(full))
            await asyncio.sleep(0)
            others = await received(other)
            assert not waiting.done()
            await held.ack()
            following = await waiting

        assert {held.body, others.body, following.body} == {b"1", b"2", b"3"}

    @pytest.mark.asyncio
    @pytest.mark.parametrize("prefetch", [pytest.param(0, id="none"), pytest.param(-1, id="below zero")])
    async def test_a_wrong_prefetch_is_refused(self, opened: Queue, queue: str, prefetch: int) -> None:
        """A consumer that could hold nothing is invalid-input."""
        with pytest.raises(InvalidInput):
            async with opened.consume(queue, prefetch=prefetch):
                pass

    @pytest.mark.asyncio
    async def test_a_cancelled_wait_loses_nothing(self, opened: Queue, queue: str) -> None:
        """Whoever stops waiting for a delivery may ask again."""
        async with opened.consume(queue) as deliveries:
            waiting = asyncio.create_task(received(deliveries))
            await asyncio.sleep(0)
            await opened.publish(queue, b"x")
            waiting.cancel()
            await asyncio.wait([waiting])
            if waiting.cancelled():
                assert (await received(deliveries)).body == b"x"
            else:
                assert waiting.result().body == b"x"

    @pytest.mark.asyncio
    async def test_two_groups_each_get_all(self, opened: Queue, queue: str) -> None:
        """With the capability, every group gets every message, whatever the others do with it."""
        if "groups" not in self.capabilities:
            return
        async with opened.consume(queue, group="a") as ours, opened.consume(queue, group="b") as theirs:
            for body in (b"1", b"2"):
                await opened.publish(queue, body)
            got = {name: [await received(way) for _ in range(2)] for name, way in (("a", ours), ("b", theirs))}
            for delivery in got["a"]:
                await delivery.ack()
            depths = (await opened.depth(queue, group="a"), await opened.depth(queue, group="b"))

        assert {name: {one.body for one in all} for name, all in got.items()} == {"a": {b"1", b"2"}, "b": {b"1", b"2"}}
        assert depths in {(0, 2), (None, None)}

    @pytest.mark.asyncio
    async def test_an_id_is_delivered_once(self, opened: Queue, queue: str) -> None:
        """With the capability, a second message of an id is accepted and dropped, also when the first was acked."""
        if "dedupe" not in self.capabilities:
            return
        await opened.publish(queue, b"first", id="same")
        assert await opened.publish(queue, b"second", id="same") == "same"

        async with opened.consume(queue) as deliveries:
            await (await received(deliveries)).ack()
            await opened.publish(queue, b"third", id="same")
            await opened.publish(queue, b"last", id="other")
            assert (await received(deliveries)).body == b"last"

    @pytest.mark.asyncio
    async def test_a_delayed_message_waits(self, opened: Queue, queue: str, clock: FakeClock) -> None:
        """With the capability, a delayed message comes when its delay is over, and others come before it."""
        if "delay" not in self.capabilities:
            return
        await opened.publish(queue, b"slow", delay_s=DELAY_S)
        await opened.publish(queue, b"quick")

        async with opened.consume(queue) as deliveries:
            first = await received(deliveries)
            await self.pass_time(clock, DELAY_S)
            second = await received(deliveries)

        assert (first.body, second.body) == (b"quick", b"slow")

    @pytest.mark.asyncio
    async def test_depth_counts_what_is_not_settled(self, opened: Queue, queue: str) -> None:
        """Waiting and handed-out messages count, settled ones do not, and an absent queue has none."""
        assert await opened.depth(queue) in {0, None}
        for body in (b"1", b"2", b"3"):
            await opened.publish(queue, body)

        async with opened.consume(queue) as deliveries:
            await (await received(deliveries)).ack()
            await received(deliveries)
            assert await opened.depth(queue) in {2, None}

    @pytest.mark.asyncio
    async def test_closing_ends_a_consumer_that_waits(self, made: Any, queue: str) -> None:
        """A consumer of an adapter that is closed does not wait for ever: it is not-open."""
        await made.open()
        async with made.consume(queue) as deliveries:
            waiting = asyncio.create_task(received(deliveries))
            await asyncio.sleep(0)
            await made.close()

            with pytest.raises(NotOpen):
                await waiting
