"""What an order costs: a price list in storage, kept in the cache for a minute."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from examples.orders.order import InvalidOrder, Order
from oneiric import INJECTED, Inject, inject
from oneiric.adapters.cache import Cache, cached
from oneiric.adapters.storage import Storage
from oneiric.core.errors import NotFound

PRICE_LIST = "prices.json"
PRICES_CENTS = {"COFFEE": 890, "FILTER": 390, "KETTLE": 4900, "MUG": 1250, "TEA": 640}
PRICES_TTL_S = 60.0


@dataclass(frozen=True, slots=True)
class Quote:
    """
    The price of one order.

    Attributes:
        lines_cents: Price of each line, in the order's own sequence.
        total_cents: Their sum.
    """

    lines_cents: tuple[int, ...]
    total_cents: int


class Pricing:
    """Prices orders by the list `prices.json` in storage; where there is none, by the list of this module."""

    def __init__(self, cache: Cache, storage: Storage) -> None:
        self._cache = cache
        self._storage = storage

    async def quote(self, order: Order) -> Quote:
        """
        Return what an order costs.

        Raises:
            InvalidOrder: The price list lacks one of its articles.
        """
        prices_cents = await self._prices_cents()
        for line in order.lines:
            if line.sku not in prices_cents:
                raise InvalidOrder(f"{line.sku} is not in the price list")
        lines_cents = tuple(prices_cents[line.sku] * line.quantity for line in order.lines)
        return Quote(lines_cents, sum(lines_cents))

    async def _prices_cents(self) -> dict[str, int]:
        text = await cached(self._cache, "orders:prices", PRICES_TTL_S, self._load)
        prices: dict[str, Any] = json.loads(text)
        return {sku: int(cents) for sku, cents in prices.items()}

    async def _load(self) -> bytes:
        try:
            return await self._storage.get(PRICE_LIST)
        except NotFound:
            return json.dumps(PRICES_CENTS).encode()


@inject
def pricing(cache: Inject[Cache] = INJECTED, storage: Inject[Storage] = INJECTED) -> Pricing:
    """Make the one pricing of the application."""
    return Pricing(cache, storage)
