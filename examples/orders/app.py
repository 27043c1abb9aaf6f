"""The application: which events it takes, what it makes itself, and the one slot beyond the catalog's own."""

from __future__ import annotations

from examples.orders.book import order_book, order_tables
from examples.orders.intake import take_order
from examples.orders.pricing import pricing
from oneiric import Application
from oneiric.adapters.cache import Cache

app = Application("orders")

app.slot("cache.sessions", Cache)
app.provide("order_tables")(order_tables)
app.provide("order_book", scope="request")(order_book)
app.provide("pricing")(pricing)
app.on("order.created", name="take_order")(take_order)
