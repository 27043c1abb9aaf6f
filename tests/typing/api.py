"""The public API as a type checker sees it: this file has no error under `mypy --strict`, and is never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, assert_type

from oneiric import (
    INJECTED,
    AdapterSettings,
    Application,
    Container,
    Event,
    Explanation,
    Factory,
    Health,
    Inject,
    Inputs,
    LayerContainer,
    Named,
    OneiricError,
    Protected,
    Provide,
    Public,
    Ref,
    Settings,
    inject,
    using,
)
from oneiric.adapters.cache import Cache
from oneiric.adapters.database import Database
from oneiric.containers.local import LocalOverride
from oneiric.providers.slot import Slot

app = Application("orders", inputs=Inputs(environ={}))


class OrdersSettings(Settings, section="orders"):
    limit: Annotated[int, Protected] = 5
    key_count: Annotated[int, Public] = 1


class Pricing:
    def __init__(self, cache: Cache) -> None:
        self.cache = cache


@app.on("order.created")
@inject
async def reserve(event: Event, db: Inject[Database] = INJECTED, cache: Inject[Cache] = INJECTED) -> bool:
    assert_type(db, Database)
    assert_type(cache, Cache)
    return True


@app.provide("pricing", scope="request")
@inject
def pricing(cache: Annotated[Cache, Named("cache.sessions")] = INJECTED) -> Iterator[Pricing]:
    yield Pricing(cache)


@app.task("count")
@inject
def count(settings: Inject[OrdersSettings] = INJECTED) -> int:
    assert_type(settings, OrdersSettings)
    return settings.limit


@app.task("clean")
@inject
def clean(cache: Inject[Cache] | None = INJECTED, days: int = 3) -> int:
    assert_type(cache, Cache | None)
    return days


@inject
def provided(cache: Cache = Provide["cache"], *, limit: int) -> int:
    return limit


@inject
async def stream(cache: Inject[Cache] = INJECTED) -> AsyncIterator[bytes]:
    yield b""


@app.provide("report")
class Report:
    @inject
    def __init__(self, title: str = "", caches: Inject[list[Cache]] = INJECTED) -> None:
        assert_type(caches, list[Cache])
        self.title = title


@inject
def handles(
    live: Inject[Ref[Cache]] = INJECTED,
    make: Inject[Factory[Report]] = INJECTED,
    named: Inject[dict[str, Cache]] = INJECTED,
) -> str:
    assert_type(live.current, Cache)
    assert_type(make(title="sales"), Report)
    assert_type(named, dict[str, Cache])
    return live.slot


@inject
def traced(cache: Cache, db: Inject[Database] = INJECTED) -> Cache:
    return cache


@inject
class Handler:
    def __init__(self, cache: Inject[Cache] = INJECTED) -> None:
        self.cache = cache

    @inject
    def method(self, x: int, db: Inject[Database] = INJECTED) -> Database:
        return db

    @classmethod
    @inject
    def make(cls, db: Inject[Database] = INJECTED) -> Handler:
        return cls()


class RedisSettings(AdapterSettings):
    host: str = "localhost"


async def uses(event: Event, cache: Cache, db: Database) -> None:
    assert_type(await reserve(event), bool)
    assert_type(await reserve(event, db, cache=cache), bool)
    assert_type(clean(), int)
    assert_type(clean(None, days=1), int)
    assert_type(provided(limit=1), int)
    assert_type(Handler(), Handler)
    assert_type(Handler(cache).method(1), Database)
    assert_type(Handler.make(), Handler)
    async for part in stream():
        assert_type(part, bytes)

    sessions = app.slot("cache.sessions", Cache, capabilities=["ttl"])
    assert_type(sessions, Slot[Cache])
    assert_type(app.slot(Cache)(), Cache)
    assert_type(app.slot(Report), Slot[Report])
    assert_type(app.slot("cache"), Slot[Any])
    with sessions.override(cache), app.override({"database": db, Cache: cache}):
        pass
    app.slot(Cache).override("memory").undo()
    app.slot(Report).override(Report)
    with app.local_override({Cache: cache, "database": "sqlite"}):
        pass
    local: LocalOverride = app.local_override({"cache": cache})
    local.undo()
    with app.decorate("cache", traced), app.decorate(Cache, traced), app.decorate(Cache, lambda cache: cache):
        pass
    assert_type(app.call(clean, days=1), int)
    assert_type(app.call(handles), str)
    assert_type(await app.call(reserve, event), bool)
    handle = app.override(LayerContainer("explicit", {"cache": "memory"}, settings={"cache.memory.max_items": 3}))
    handle.undo()
    with using(app) as same:
        assert_type(same, Application)
    async with app, app.scope("task"):
        assert_type(await app.health(), dict[str, Health])
    explained: Explanation = app.explain("cache")
    fields: dict[str, Any] = explained.fields()
    try:
        app.check()
    except OneiricError as error:
        assert_type(error.problem.code, str)
    bare = Container("library", profile="test")
    bare.make_default()
    assert_type(RedisSettings(host=str(fields)).host, str)
