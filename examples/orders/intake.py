"""Taking an order in: the handler of `order.created`."""

from __future__ import annotations

import hmac
import json
from typing import Annotated

from examples.orders.book import OrderBook
from examples.orders.order import InvalidOrder, Order, read_order
from examples.orders.pricing import Pricing, Quote
from examples.orders.settings import ReceiptSettings
from oneiric import INJECTED, Event, Inject, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.messaging import Messaging, NotificationMessage
from oneiric.adapters.storage import Storage

DAY_S = 86_400.0  # counted from the first order on


@inject
async def take_order(
    event: Event,
    book: Inject[OrderBook] = INJECTED,
    pricing: Inject[Pricing] = INJECTED,
    storage: Inject[Storage] = INJECTED,
    messaging: Inject[Messaging] = INJECTED,
    sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED,
    settings: Inject[ReceiptSettings] = INJECTED,
) -> None:
    """
    Price an order, write it down, store its receipt and tell the shop.

    A number that is known already counts as a duplicate, and what is no order is written down as rejected: both are
    done with. Anything else that fails rolls the book back, so that the sender may send the event again.
    """
    try:
        order = read_order(event.data)
        quote = await pricing.quote(order)
    except InvalidOrder as invalid:
        await book.reject(event, invalid.reason)
        return
    if not await book.accept(order, quote):
        return
    key = settings.key.get_secret_value() if settings.key else None
    await storage.put(f"receipts/{order.number}.json", receipt(order, quote, key), content_type="application/json")
    # Only a remark in the message depends on the count: a cache may forget it at any moment.
    count = await sessions.incr(f"orders:customer:{order.customer}", ttl_s=DAY_S)
    await messaging.send(
        NotificationMessage(
            title=f"order {order.number}: {quote.total_cents / 100:.2f}",
            text=f"{order.customer}, order no. {count} of the day",
        )
    )


def receipt(order: Order, quote: Quote, key: str | None = None) -> bytes:
    """Return the receipt of an order as JSON, the same bytes for the same order; signed if there is a key."""
    lines = [
        {"sku": line.sku, "quantity": line.quantity, "cents": cents}
        for line, cents in zip(order.lines, quote.lines_cents, strict=True)
    ]
    document: dict[str, object] = {"number": order.number, "customer": order.customer}
    document |= {"lines": lines, "total_cents": quote.total_cents}
    if key is not None:
        document["signature"] = hmac.new(key.encode(), json.dumps(document).encode(), "sha256").hexdigest()
    return json.dumps(document, indent=2).encode() + b"\n"
