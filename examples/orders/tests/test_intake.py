"""What becomes of an order that comes in."""

from __future__ import annotations

import hmac
import json

import pytest
from pydantic import SecretStr

from examples.orders.app import app
from examples.orders.settings import ReceiptSettings
from examples.orders.tests.shop import Shop
from examples.server import environment, oneiric
from oneiric import Event
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.database.sqlite import SqliteDatabase
from oneiric.adapters.messaging import NotificationMessage, Receipt
from oneiric.core.errors import Unavailable


class DeadLine:
    """Messaging that cannot be reached."""

    async def send(self, message: NotificationMessage) -> Receipt:
        """Fail."""
        raise Unavailable("the line is dead", category="messaging", name="dead", operation="send")


async def counted_to(count: int) -> MemoryCache:
    """Return a cache that has seen so many orders of ada."""
    cache = MemoryCache(MemoryCache.Settings())
    await cache.open()
    await cache.set("orders:customer:ada", str(count).encode())
    return cache


@pytest.mark.asyncio
async def test_an_order_is_priced_written_receipted_and_told(shop: Shop) -> None:
    """One valid order gives one row, one receipt and one message."""
    assert await shop.order("A-1001", sku="MUG", quantity=2)

    assert await shop.rows("SELECT * FROM orders") == [
        {"number": "A-1001", "customer": "ada", "total_cents": 2500, "duplicates": 0}
    ]
    assert json.loads(await app.adapters.storage().get("receipts/A-1001.json")) == {
        "number": "A-1001",
        "customer": "ada",
        "lines": [{"sku": "MUG", "quantity": 2, "cents": 2500}],
        "total_cents": 2500,
    }
    assert shop.outbox.titles == ["order A-1001: 25.00"]


@pytest.mark.asyncio
async def test_a_receipt_is_signed_where_there_is_a_key(shop: Shop) -> None:
    """The key is a secret of section `receipts`; the signature is the HMAC of the receipt's content."""
    with app.override({ReceiptSettings: ReceiptSettings(key=SecretStr("k"))}):
        await shop.order("A-1001", sku="MUG", quantity=1)

    stored = json.loads(await app.adapters.storage().get("receipts/A-1001.json"))
    signature = stored.pop("signature")
    assert signature == hmac.new(b"k", json.dumps(stored).encode(), "sha256").hexdigest()


@pytest.mark.asyncio
async def test_an_order_that_comes_again_is_counted_and_nothing_else(shop: Shop) -> None:
    """The order number decides: the first order of a number stands, each further one is a duplicate."""
    await shop.order("A-1001", quantity=1)
    await shop.order("A-1001", quantity=9)
    await shop.order("A-1001", quantity=1)

    assert await shop.rows("SELECT total_cents, duplicates FROM orders") == [{"total_cents": 1250, "duplicates": 2}]
    assert shop.outbox.titles == ["order A-1001: 12.50"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param({}, "number: Field required", id="empty"),
        pytest.param("A-1001", "order: Input should be a valid dictionary or instance of Order", id="text"),
        pytest.param(
            {"number": "A-1001", "customer": "ada", "lines": []},
            "lines: List should have at least 1 item after validation, not 0",
            id="no lines",
        ),
        pytest.param(
            {"number": "A-1001", "customer": "ada", "lines": [{"sku": "MUG", "quantity": 0}]},
            "lines.0.quantity: Input should be greater than or equal to 1",
            id="none of it",
        ),
        pytest.param(
            {"number": "A-1001", "customer": "ada", "lines": [{"sku": "SOFA", "quantity": 1}]},
            "SOFA is not in the price list",
            id="unknown article",
        ),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_order_is_rejected_with_its_reason(shop: Shop, data: object, reason: str) -> None:
    """A bad order is no failure: it is written down once, however often it is sent, and never sent back."""
    handled = [await shop.send(data), await shop.send(data)]

    assert handled == [True, True]
    assert await shop.rows("SELECT * FROM rejections") == [{"source": "/shop", "event_id": "e-1", "reason": reason}]
    assert await shop.rows("SELECT * FROM orders") == []
    assert shop.outbox.titles == []


@pytest.mark.asyncio
async def test_a_failure_rolls_the_order_back_so_that_it_can_come_again(shop: Shop) -> None:
    """Where the message cannot be sent, the handler fails and the order is not in the book; sent again, it is."""
    with app.adapters.messaging.override(DeadLine()):
        first = await shop.order("A-1001")
    between = await shop.rows("SELECT * FROM orders")
    second = await shop.order("A-1001")

    assert (first, between, second) == (False, [], True)
    assert await shop.rows("SELECT number, duplicates FROM orders") == [{"number": "A-1001", "duplicates": 0}]


@pytest.mark.asyncio
async def test_the_message_counts_the_orders_of_a_customer_in_the_sessions_cache(shop: Shop) -> None:
    """The count comes from the slot `cache.sessions`, and from no other cache."""
    await shop.order("A-1001", customer="ada")
    await shop.order("A-1002", customer="bob")
    await shop.order("A-1003", customer="ada")
    with app.adapters.cache.override(await counted_to(41)):
        await shop.order("A-1004", customer="ada")
    with app.adapters.cache.sessions.override(await counted_to(41)):
        await shop.order("A-1005", customer="ada")

    assert shop.outbox.texts == [
        "ada, order no. 1 of the day",
        "bob, order no. 1 of the day",
        "ada, order no. 2 of the day",
        "ada, order no. 3 of the day",
        "ada, order no. 42 of the day",
    ]


@pytest.mark.asyncio
async def test_another_database_is_used_as_long_as_it_is_in_force(shop: Shop) -> None:
    """Its tables are made and filled; the first database is as it was afterwards."""
    await shop.order("A-1001")
    async with app.override({"database": SqliteDatabase}):
        await shop.order("A-1002")
        during = await shop.rows("SELECT number FROM orders")

    assert during == [{"number": "A-1002"}]
    assert await shop.rows("SELECT number FROM orders") == [{"number": "A-1001"}]


@pytest.mark.slow
def test_the_application_has_no_faults() -> None:
    """It is found out without opening anything, in a process that holds no other application of this package."""
    assert "error" not in oneiric("check", "--strict", environ=environment())


@pytest.mark.asyncio
async def test_an_event_of_another_type_has_no_handler(shop: Shop) -> None:
    """Only `order.created` is subscribed to."""
    dispatch = await app.events.emit(Event(type="order.paid", source="/shop"))

    assert dispatch.results == ()
