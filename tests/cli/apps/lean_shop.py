"""An application whose handlers need different extras, none of which has to be installed for a bundle."""

from __future__ import annotations

from typing import Annotated

import shelf
from pydantic import SecretStr

from oneiric import INJECTED, Application, Event, Inject, Named, Settings, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.providers.catalog import ROWS, Row


class TillSettings(Settings, section="till"):
    """What opens the till."""

    key: SecretStr | None = None


class RemoteCache(MemoryCache):
    """A cache that needs an extra."""


app = Application(
    "lean",
    catalog=shelf.catalog(
        *(row for row in ROWS if row.category == "secrets" and row.extra is not None),
        Row("cache", "redis", "lean_shop:RemoteCache", extra="redis", sdk="redis_is_not_there"),
    ),
)
app.slot("cache.sessions", Cache)


@app.on("order.created", name="reserve")
@inject
async def reserve(event: Event, cache: Inject[Cache] = INJECTED) -> None:
    """Take an order."""


@app.on("order.paid", name="book")
@inject
async def book(event: Event, till: Inject[TillSettings] = INJECTED) -> None:
    """Open the till."""


@app.on("session.ended", name="forget")
@inject
async def forget(event: Event, sessions: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> None:
    """Drop a session."""
