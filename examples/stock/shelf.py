"""The shelf: how many of each article there are, changed in one transaction for each command."""

from __future__ import annotations

from collections.abc import AsyncIterator

from examples.stock.articles import Articles
from oneiric import INJECTED, Inject, inject
from oneiric.adapters.database import Database

TABLE = "CREATE TABLE IF NOT EXISTS shelf (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0))"


class CannotMove(Exception):
    """An article is not known, or there are too few of it; `reason` says so in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Shelf:
    """
    What one command reads and changes.

    Args:
        transaction: All calls are made in it; who opened it commits it.
        articles: What may lie on the shelf.
    """

    def __init__(self, transaction: Database, articles: Articles) -> None:
        self._transaction = transaction
        self._articles = articles

    async def receive(self, sku: str, quantity: int) -> int:
        """
        Add to an article; returns how many there are then.

        Raises:
            CannotMove: There is no such article.
        """
        if sku not in self._articles.names:
            raise CannotMove(f"{sku} is no article")
        await self._transaction.execute(
            "INSERT INTO shelf (sku, quantity) VALUES (:sku, :quantity)"
            " ON CONFLICT (sku) DO UPDATE SET quantity = quantity + :quantity",
            {"sku": sku, "quantity": quantity},
        )
        return await self._quantity(sku)

    async def take(self, sku: str, quantity: int) -> int:
        """
        Take of an article; returns how many are left.

        Raises:
            CannotMove: There are fewer.
        """
        there = await self._quantity(sku)
        if there < quantity:
            raise CannotMove(f"{sku}: {there} there, {quantity} wanted")
        await self._transaction.execute(
            "UPDATE shelf SET quantity = quantity - :quantity WHERE sku = :sku", {"sku": sku, "quantity": quantity}
        )
        return there - quantity

    async def levels(self) -> dict[str, int]:
        """Return how many there are of each article that was ever received, by its number."""
        rows = await self._transaction.fetch_all("SELECT sku, quantity FROM shelf ORDER BY sku")
        return {row["sku"]: row["quantity"] for row in rows}

    async def _quantity(self, sku: str) -> int:
        row = await self._transaction.fetch_one("SELECT quantity FROM shelf WHERE sku = :sku", {"sku": sku})
        return row["quantity"] if row is not None else 0


@inject
async def shelf(database: Inject[Database] = INJECTED, articles: Inject[Articles] = INJECTED) -> AsyncIterator[Shelf]:
    """Open the shelf for one command: what it changed is committed at its end, or rolled back where it failed."""
    await database.execute(TABLE)
    async with database.transaction() as transaction:
        yield Shelf(transaction, articles)
