"""Mistakes that a type checker reports: exactly those on the lines marked `# wrong:`. It is never run."""

from __future__ import annotations

from oneiric import INJECTED, AdapterSettings, Application, Container, Event, Inject, Inputs, Named, inject, using
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database

app = Application("orders", inputs=Inputs(folder="."))  # wrong: arg-type
Application()  # wrong: call-arg
Container("library", profile=3)  # wrong: arg-type


@app.on("order.created")
@inject
async def reserve(event: Event, db: Inject[Database] = INJECTED, cache: Inject[Cache] = INJECTED) -> bool:
    db.get("x")  # wrong: attr-defined
    return event  # wrong: return-value


@inject
class Handler:
    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


class Settings(AdapterSettings):
    host: str = 3  # wrong: assignment


async def mistakes(event: Event, cache: Cache, db: Database) -> None:
    await reserve(event, db=3)  # wrong: arg-type
    await reserve(event, cache)  # wrong: arg-type
    await reserve()  # wrong: call-arg
    await reserve(event, other=cache)  # wrong: call-arg
    Handler(db)  # wrong: arg-type
    app.provide("pricing", scope=1)  # wrong: arg-type
    app.slot("cache.sessions", Cache, eager="yes")  # wrong: arg-type
    app.override("cache")  # wrong: arg-type
    Named(3)  # wrong: arg-type
    print(app.explain("cache").nothing)  # wrong: attr-defined
    with using("orders"):  # wrong: type-var
        pass
