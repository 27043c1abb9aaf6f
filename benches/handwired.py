"""
The yardstick of the start: the same routes wired by hand with the libraries a careful team would take.

Run: `PORT=18080 python -m benches.handwired`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from cachetools import TTLCache
from dependency_injector import containers, providers
from pydantic_settings import BaseSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Settings(BaseSettings):
    """What the environment says."""

    port: int = 8080
    database_path: str = ":memory:"
    cache_max_items: int = 10_000
    cache_ttl_s: float = 300.0


class Wiring(containers.DeclarativeContainer):
    """Who makes what."""

    settings = providers.Singleton(Settings)
    cache: providers.Singleton[TTLCache[str, object]] = providers.Singleton(
        TTLCache, maxsize=settings.provided.cache_max_items, ttl=settings.provided.cache_ttl_s
    )
    database = providers.Singleton(sqlite3.connect, settings.provided.database_path, check_same_thread=False)


wiring = Wiring()


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the cache and the database, and close the database at the end."""
    wiring.cache()
    database = await asyncio.to_thread(wiring.database)
    yield
    database.close()


async def livez(request: Request) -> Response:
    """Answer that the process runs."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Answer whether the database can be used."""
    wiring.database().execute("select 1")
    return JSONResponse({"status": "ready"})


async def push(request: Request) -> Response:
    """Take an event."""
    event = json.loads(await request.body())
    wiring.cache()[event["id"]] = event
    return Response(status_code=204)


app = Starlette(
    lifespan=lifespan,
    routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/push/events", push, methods=["POST"])],
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=wiring.settings().port, log_level="warning")
