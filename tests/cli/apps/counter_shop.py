"""A small sound application: handlers, an application object, a named slot, and two adapters of its own."""

from __future__ import annotations

from typing import Annotated

import shelf
from pydantic import Field, SecretStr

from oneiric import INJECTED, Application, Event, Inject, Named, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.database import Database
from oneiric.providers.catalog import Row


class GuardedCache(MemoryCache):
    """A cache that asks for a password."""

    class Settings(MemoryCache.Settings):
        """The password, and how often it may be wrong."""

        password: SecretStr | None = Field(default=None, max_length=20, description="who has it may read")
        tries: int = Field(default=3, ge=1, description="wrong passwords until it locks")


class Prices:
    """What things cost."""

    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


app = Application(
    "counter",
    catalog=shelf.catalog(
        Row("cache", "guarded", "counter_shop:GuardedCache", capabilities=frozenset({"ttl"})),
        Row("cache", "valkey", "counter_valkey:ValkeyCache", extra="valkey", sdk="valkey_is_not_there"),
    ),
)
app.slot("cache.sessions", Cache)
app.provide("prices")(Prices)


@app.on("order.created", name="reserve")
@inject
async def reserve(event: Event, database: Inject[Database] = INJECTED, prices: Inject[Prices] = INJECTED) -> None:
    """Take an order."""


@app.on("session.ended", name="forget")
@inject
async def forget(event: Event, sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> None:
    """Drop a session."""
