"""The order book: what is written about one event, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from examples.orders.order import Order
from examples.orders.pricing import Quote
from oneiric import INJECTED, Event, Inject, inject
from oneiric.adapters.database import Database

TABLES = (
    """CREATE TABLE IF NOT EXISTS orders (
        number TEXT PRIMARY KEY, customer TEXT NOT NULL, total_cents INTEGER NOT NULL,
        duplicates INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS rejections (
        source TEXT NOT NULL, event_id TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (source, event_id))""",
)


@dataclass(frozen=True, slots=True)
class OrderTables:
    """The tables exist; whoever writes to them asks for this first."""

    names: tuple[str, ...] = ("orders", "rejections")


class OrderBook:
    """
    What one event adds to the books.

    Args:
        transaction: All calls are made in it; who opened it commits it.
    """

    def __init__(self, transaction: Database) -> None:
        self._transaction = transaction

    async def accept(self, order: Order, quote: Quote) -> bool:
        """Write an order; return False if there is one of its number, which then counts one duplicate more."""
        row = {"number": order.number, "customer": order.customer, "total_cents": quote.total_cents}
        written = await self._transaction.execute(
            "INSERT INTO orders (number, customer, total_cents) VALUES (:number, :customer, :total_cents)"
            " ON CONFLICT (number) DO NOTHING",
            row,
        )
        if not written:
            await self._transaction.execute("UPDATE orders SET duplicates = duplicates + 1 WHERE number = :number", row)
        return written == 1

    async def reject(self, event: Event, reason: str) -> None:
        """Write down why an event is no order; the same event again changes nothing."""
        await self._transaction.execute(
            "INSERT INTO rejections (source, event_id, reason) VALUES (:source, :event_id, :reason)"
            " ON CONFLICT (source, event_id) DO NOTHING",
            {"source": event.source, "event_id": event.id, "reason": reason},
        )


@inject
async def order_tables(database: Inject[Database] = INJECTED) -> OrderTables:
    """Make the tables where they are missing, once for each start of the application."""
    for table in TABLES:
        await database.execute(table)
    return OrderTables()


@inject
async def order_book(
    tables: Inject[OrderTables] = INJECTED, database: Inject[Database] = INJECTED
) -> AsyncIterator[OrderBook]:
    """Make the order book of one event: what it wrote is committed when the handler is done, or rolled back."""
    async with database.transaction() as transaction:
        yield OrderBook(transaction)
