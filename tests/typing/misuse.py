"""
Mistakes that type checkers report: exactly those on the lines marked `# wrong: MYPY; PYRIGHT`. It is never run.

The marks hold the codes of each report: that of mypy, and those of pyright, sorted.
"""

from __future__ import annotations

from oneiric import INJECTED, AdapterSettings, Application, Container, Event, Inject, Inputs, Named, Ref, inject, using
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database

app = Application("orders", inputs=Inputs(folder="."))  # wrong: arg-type; reportArgumentType
Application()  # wrong: call-arg; reportCallIssue
Container("library", profile=3)  # wrong: arg-type; reportArgumentType


@app.on("order.created")
@inject
async def reserve(event: Event, db: Inject[Database] = INJECTED, cache: Inject[Cache] = INJECTED) -> bool:
    db.get("x")  # wrong: attr-defined; reportAttributeAccessIssue
    return event  # wrong: return-value; reportReturnType


@inject
class Handler:
    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache


@inject
def handles(live: Inject[Ref[Cache]] = INJECTED, caches: Inject[list[Cache]] = INJECTED) -> int:
    live.current.execute("x")  # wrong: attr-defined; reportAttributeAccessIssue
    live.get("x")  # wrong: attr-defined; reportAttributeAccessIssue
    caches.get("x")  # wrong: attr-defined; reportAttributeAccessIssue
    return len(caches)


def traced(db: Database) -> Database:
    return db


class Settings(AdapterSettings):
    host: str = 3  # wrong: assignment; reportAssignmentType


async def mistakes(event: Event, cache: Cache, db: Database) -> None:
    await reserve(event, db=3)  # wrong: arg-type; reportArgumentType
    await reserve(event, cache)  # wrong: arg-type; reportArgumentType
    await reserve()  # wrong: call-arg; reportCallIssue
    await reserve(event, other=cache)  # wrong: call-arg; reportCallIssue
    Handler(db)  # wrong: arg-type; reportArgumentType
    app.provide("pricing", scope=1)  # wrong: arg-type; reportArgumentType
    app.slot("cache.sessions", Cache, eager="yes")  # wrong: call-overload; reportArgumentType, reportCallIssue
    app.override("cache")  # wrong: arg-type; reportArgumentType
    app.slot(Cache).override(db)  # wrong: arg-type; reportArgumentType
    app.slot("cache.sessions", Cache).override(db)  # wrong: arg-type; reportArgumentType
    app.slot(Handler).override(Cache)  # wrong: arg-type; reportArgumentType
    app.slot("cache", 3)  # wrong: call-overload; reportArgumentType, reportCallIssue
    app.slot(3)  # wrong: call-overload; reportArgumentType, reportCallIssue
    app.local_override([cache])  # wrong: arg-type; reportArgumentType
    app.decorate(Cache, traced)  # wrong: misc; reportArgumentType, reportCallIssue
    app.decorate("cache", 3)  # wrong: call-overload; reportArgumentType, reportCallIssue
    app.call(handles, cache)  # wrong: arg-type; reportArgumentType
    app.call(handles, other=cache)  # wrong: call-arg; reportCallIssue
    Named(3)  # wrong: arg-type; reportArgumentType
    print(app.explain("cache").nothing)  # wrong: attr-defined; reportAttributeAccessIssue
    with using("orders"):  # wrong: type-var; reportArgumentType
        pass
