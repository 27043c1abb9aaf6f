"""The server on its socket: it accepts, drains and ends, and leaves signals and logs to others."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import socket

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from oneiric.core.log import configure
from oneiric.runtime.bridge import bridged_logs
from oneiric.web.address import Address, listen
from oneiric.web.server import WebServer

WAIT_S = 10.0


class Gate:
    """An ASGI application whose answers wait until somebody opens it."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.is_open = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 204 when the gate is open."""
        self.is_asked.set()
        try:
            await self.is_open.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def serving(routes: ASGIApp, *, drain_timeout_s: float = WAIT_S) -> tuple[WebServer, str, socket.socket]:
    """Start a server on a free port; returns it with its address and its socket."""
    listener = listen(Address("127.0.0.1", 0))
    server = WebServer(routes, listener, drain_timeout_s=drain_timeout_s)
    server.start()
    return server, f"http://127.0.0.1:{listener.getsockname()[1]}", listener


@pytest.mark.asyncio
async def test_a_request_in_flight_finishes_and_new_ones_are_not_accepted() -> None:
    """A stop loses no answer."""
    gate = Gate()
    server, url, _ = serving(gate)
    async with httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(url))
        await asyncio.wait_for(gate.is_asked.wait(), WAIT_S)

        stopping = asyncio.create_task(server.stop())
        while not stopping.done():
            try:
                (await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))[1].close()
            except OSError:
                break
        gate.is_open.set()
        response = await request
        await asyncio.wait_for(stopping, WAIT_S)

    assert response.status_code == 204
    assert not gate.was_cancelled


@pytest.mark.asyncio
async def test_a_request_that_takes_too_long_is_cancelled_and_awaited() -> None:
    """When `stop` returns, no request runs any more: what it uses may be closed."""
    gate = Gate()
    with bridged_logs():
        said = io.StringIO()
        configure(stream=said)
        server, url, _ = serving(gate, drain_timeout_s=0.05)
        async with httpx.AsyncClient() as client:
            request = asyncio.create_task(client.get(url))
            await asyncio.wait_for(gate.is_asked.wait(), WAIT_S)

            await asyncio.wait_for(server.stop(), WAIT_S)
            was_cancelled = gate.was_cancelled
            await asyncio.wait({request})

    assert was_cancelled
    assert "Traceback" not in said.getvalue()  # it would be one a request, and say nothing about any of them


@pytest.mark.asyncio
async def test_a_server_that_is_stopped_at_once_ends_and_closes_its_socket() -> None:
    """A start that fails leaves no port behind."""
    server, _, listener = serving(Gate())

    await asyncio.wait_for(server.stop(), WAIT_S)
    listener.close()

    assert server.serving.done()
    assert server.serving.exception() is None
    assert listener.fileno() == -1


@pytest.mark.asyncio
async def test_signals_stay_with_their_owner() -> None:
    """uvicorn would take them, and raise them again when it has stopped."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    gate = Gate()
    server, url, _ = serving(gate)
    gate.is_open.set()
    async with httpx.AsyncClient() as client:
        await client.get(url)

    during = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    await asyncio.wait_for(server.stop(), WAIT_S)

    assert during == before


def test_warnings_of_other_libraries_come_into_our_log_redacted() -> None:
    """One log, in one format; what is below a warning is dropped."""
    stream = io.StringIO()
    configure(as_json=True, stream=stream)
    foreign = logging.getLogger("uvicorn.error")

    with bridged_logs():
        foreign.info("Started server process [%d]", 7)
        foreign.warning("refused %s", "https://user:hunter2@example.org/{x}")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["severity"], line["message"], line["source"]) for line in lines] == [
        ("WARNING", "refused https://******@example.org/{x}", "uvicorn.error")
    ]


def test_the_loggers_of_others_are_given_back() -> None:
    """A test or a host program finds them as they were."""
    foreign = logging.getLogger("uvicorn")
    before = (foreign.handlers, foreign.propagate)

    with bridged_logs():
        pass

    assert (foreign.handlers, foreign.propagate) == before
