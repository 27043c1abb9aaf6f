"""A real HTTP server on a loopback port, in the event loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

TIMEOUT_S = 20.0


@asynccontextmanager
async def serving(asgi: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an ASGI application with its lifespan, and hand out a client for it."""
    listener = socket.create_server(("127.0.0.1", 0))  # it accepts from here on: nobody has to wait for the server
    config = uvicorn.Config(asgi, lifespan="on", log_config=None, ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=TIMEOUT_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running
