"""The application whose start is timed: one handler that needs a cache and a database."""

from __future__ import annotations

from oneiric import INJECTED, Application, Event, Inject, inject
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database

app = Application("wired")


@app.on("order.created")
@inject
async def remember(event: Event, cache: Inject[Cache] = INJECTED, database: Inject[Database] = INJECTED) -> None:
    """Do nothing: that both are open is what is timed."""
