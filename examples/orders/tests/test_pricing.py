"""What an order costs, and how often the price list is read."""

from __future__ import annotations

import json

import pytest

from examples.orders.app import app
from examples.orders.tests.shop import Shop


@pytest.mark.parametrize(
    ("sku", "quantity", "total_cents"),
    [
        pytest.param("MUG", 1, 1250, id="one"),
        pytest.param("TEA", 3, 1920, id="several"),
        pytest.param("KETTLE", 1000, 4_900_000, id="the most of one"),
    ],
)
@pytest.mark.asyncio
async def test_a_line_costs_its_price_times_its_quantity(shop: Shop, sku: str, quantity: int, total_cents: int) -> None:
    """Without a list in storage the prices are those of the code."""
    await shop.order("A-1001", sku=sku, quantity=quantity)

    assert await shop.rows("SELECT total_cents FROM orders") == [{"total_cents": total_cents}]


@pytest.mark.asyncio
async def test_a_price_list_in_storage_replaces_that_of_the_code(shop: Shop) -> None:
    """The list is read once and then comes from the cache; a cleared cache reads it again."""
    storage = app.adapters.storage()
    await storage.put("prices.json", json.dumps({"MUG": 1}).encode())
    await shop.order("A-1001")
    await storage.put("prices.json", json.dumps({"MUG": 2}).encode())
    await shop.order("A-1002")
    await app.adapters.cache().clear()
    await shop.order("A-1003")

    rows = await shop.rows("SELECT number, total_cents FROM orders ORDER BY number")
    assert [(row["number"], row["total_cents"]) for row in rows] == [("A-1001", 1), ("A-1002", 1), ("A-1003", 2)]


@pytest.mark.asyncio
async def test_one_pricing_serves_all_orders_until_its_storage_changes(shop: Shop) -> None:
    """An object of scope `app` is made once, and made anew for a slot that it was built from."""
    first = app.services.pricing()
    with app.adapters.storage.override(app.adapters.storage()):
        other = app.services.pricing()

    assert app.services.pricing() is first
    assert other is not first
