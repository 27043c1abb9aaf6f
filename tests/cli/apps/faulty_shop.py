"""
An application with four faults; the fifth comes with `ONEIRIC_SELECT__QUEUE=rabbit`.

A handler misses a slot, two objects need each other, a long-lived object holds a short-lived one, and a layer fills the
cache with a database.
"""

from __future__ import annotations

from typing import Annotated

import shelf

from oneiric import INJECTED, Application, Event, Inject, LayerContainer, Named, inject
from oneiric.adapters.database.sqlite import SqliteDatabase


class Ledger:
    """Nobody provides one."""


class Basket:
    """Lives for one request."""


class Till:
    """Lives as long as the application, and holds a basket."""

    def __init__(self, basket: Inject[Basket] = INJECTED) -> None:
        self.basket = basket


class Rates:
    """Needs the discounts."""

    def __init__(self, discounts: Annotated[object, Named("discounts")] = INJECTED) -> None:
        self.discounts = discounts


class Discounts:
    """Needs the rates."""

    def __init__(self, rates: Inject[Rates] = INJECTED) -> None:
        self.rates = rates


app = Application("faulty", catalog=shelf.catalog(), layers=[LayerContainer("profile", {"cache": SqliteDatabase})])
app.provide("basket", scope="request")(Basket)
app.provide("till")(Till)
app.provide("rates")(Rates)
app.provide("discounts")(Discounts)


@app.on("order.created", name="book")
@inject
async def book(event: Event, ledger: Inject[Ledger] = INJECTED, till: Inject[Till] = INJECTED) -> None:
    """Write an order into the books."""
