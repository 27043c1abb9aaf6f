"""The routes, spoken to as a server would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
import pytest_asyncio

from oneiric import Application, Event, Inputs
from oneiric.core.adapter import Health
from oneiric.core.errors import RateLimited
from oneiric.core.log import configure
from oneiric.providers.slot import Slot
from oneiric.web.readiness import Readiness
from oneiric.web.routes import make_routes

STRUCTURED = {"content-type": "application/cloudevents+json"}
ORDER = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.created", "data": {"total": 120}}


class Ledger:
    """An adapter whose health can be switched."""

    is_ok = True

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def health(self) -> Health:
        """Tell the switch."""
        return Health(Ledger.is_ok)


class Broken(dict[str, list[Slot]]):
    """A table that cannot be read."""

    def get(self, *wanted: object) -> NoReturn:
        """Fail."""
        raise RuntimeError("hunter2")


class Shop:
    """A started application with its routes, and a client to speak to them."""

    def __init__(self, folder: Path, *, is_push_open: bool = True) -> None:
        self.app = Application("shop", inputs=Inputs(environ={}, folder=folder))
        self.app.slot("ledger", Ledger, eager=True)
        self.app.override({"ledger": Ledger})
        self.seen: list[Event] = []
        self.app.on("order.created")(self.take)
        self.app.on("order.refused", name="refuse")(self.refuse)
        self.app.on("order.slow", name="limit")(self.limit)
        self.readiness = Readiness(self.app)
        routes = make_routes(self.app, self.readiness, is_push_open=is_push_open, max_bytes=1_000)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://shop.example.org")

    async def take(self, event: Event) -> None:
        """Keep the event."""
        self.seen.append(event)

    async def refuse(self, event: Event) -> None:
        """Fail."""
        raise ValueError("hunter2")

    async def limit(self, event: Event) -> None:
        """Meet a rate limit."""
        raise RateLimited(retry_after_s=30)

    async def push(self, document: object) -> httpx.Response:
        """Send a structured event."""
        return await self.client.post("/push/events", headers=STRUCTURED, json=document)


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A started shop that takes events."""
    configure(level="ERROR")
    Ledger.is_ok = True
    shop = Shop(tmp_path)
    async with shop.app, shop.client:
        shop.readiness.start()
        yield shop


@pytest.mark.asyncio
async def test_an_event_reaches_its_handler(shop: Shop) -> None:
    """204 once the handler is done."""
    response = await shop.push(ORDER)

    assert response.status_code == 204
    assert [(event.id, event.type, event.data) for event in shop.seen] == [("7", "order.created", {"total": 120})]


@pytest.mark.parametrize(
    ("event_type", "status", "code", "retry_after"),
    [
        pytest.param("nobody.listens", 204, None, None, id="no subscriber"),
        pytest.param("order.refused", 503, "event-failed", "5", id="a failed handler"),
        pytest.param("order.slow", 429, "rate-limited", "30", id="a rate limit"),
    ],
)
@pytest.mark.asyncio
async def test_the_outcome_decides_the_status(
    shop: Shop, event_type: str, status: int, code: str | None, retry_after: str | None
) -> None:
    """What the handler raised stays inside."""
    response = await shop.push({**ORDER, "type": event_type})

    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert (response.json()["code"] if code else None) == code
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        pytest.param(STRUCTURED, b"{}", 400, "invalid-event", id="no event"),
        pytest.param(STRUCTURED, b"{", 400, "invalid-event", id="no JSON"),
        pytest.param({"content-type": "text/plain"}, b"hello", 415, "wrong-media-type", id="text"),
        pytest.param(
            {"content-type": "application/cloudevents-batch+json"}, b"[]", 415, "wrong-media-type", id="a batch"
        ),
        pytest.param(STRUCTURED, b"{" + b" " * 1_000, 413, "body-too-large", id="one byte too many"),
    ],
)
@pytest.mark.asyncio
async def test_bad_input_runs_nothing(shop: Shop, headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    """It is refused before any handler is looked for."""
    response = await shop.client.post("/push/events", headers=headers, content=body)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert shop.seen == []


@pytest.mark.parametrize(
    "claimed", [pytest.param(None, id="in pieces, of unknown length"), pytest.param("7", id="of a length that lies")]
)
@pytest.mark.asyncio
async def test_received_bytes_are_counted_not_promised_ones(shop: Shop, claimed: str | None) -> None:
    """Content-Length is what somebody says."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100

    headers = STRUCTURED if claimed is None else {**STRUCTURED, "content-length": claimed}

    response = await shop.client.post("/push/events", headers=headers, content=pieces())

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/", 404, "unknown-route", id="the root"),
        pytest.param("POST", "/push/pubsub", 404, "unknown-route", id="a push route that is not there"),
        pytest.param("GET", "/readyz/", 404, "unknown-route", id="a slash too many"),
        pytest.param("GET", "/push/events", 405, "wrong-method", id="reading from push"),
        pytest.param("POST", "/readyz", 405, "wrong-method", id="writing to a probe"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_route_says_so(shop: Shop, method: str, path: str, status: int, code: str) -> None:
    """In the same JSON as every other refusal."""
    response = await shop.client.request(method, path)

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/push/events", id="the route that exists"),
        pytest.param("GET", "/push/events", id="another method"),
        pytest.param("POST", "/push/pubsub", id="a route that does not exist"),
        pytest.param("DELETE", "/push/a/b/c", id="anything below"),
    ],
)
@pytest.mark.asyncio
async def test_closed_push_routes_answer_all_alike(tmp_path: Path, method: str, path: str) -> None:
    """Whoever asks learns nothing, and nothing runs."""
    shop = Shop(tmp_path, is_push_open=False)

    async with shop.app, shop.client:
        shop.readiness.start()
        response = await shop.client.request(method, path, headers=STRUCTURED, json=ORDER)

    assert (response.status_code, response.json()["code"]) == (403, "push-auth-config")
    assert shop.seen == []


@pytest.mark.parametrize(
    ("short", "long"),
    [
        pytest.param("/livez", "/health/live", id="live"),
        pytest.param("/readyz", "/health/ready", id="ready"),
        pytest.param("/startupz", "/health/startup", id="startup"),
    ],
)
@pytest.mark.asyncio
async def test_each_probe_has_two_names(shop: Shop, short: str, long: str) -> None:
    """Some front ends keep paths that end in z to themselves."""
    assert (await shop.client.get(short)).status_code == 200
    assert (await shop.client.get(long)).status_code == 200
    assert (await shop.client.head(long)).status_code == 200


@pytest.mark.asyncio
async def test_an_unhealthy_adapter_takes_readiness_and_not_life(shop: Shop) -> None:
    """A platform stops sending requests; it does not restart the process."""
    Ledger.is_ok = False

    ready, live = await shop.client.get("/readyz"), await shop.client.get("/livez")

    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["subjects"] == [
        {"subject": "slot:ledger", "state": "open", "health": "failing", "code": "unhealthy"}
    ]


@pytest.mark.parametrize(
    ("phase", "ready", "startup"),
    [pytest.param("starting", 503, 503, id="starting"), pytest.param("draining", 503, 200, id="draining")],
)
@pytest.mark.asyncio
async def test_events_are_taken_only_while_started(tmp_path: Path, phase: str, ready: int, startup: int) -> None:
    """The sender is asked to come again: 503 with Retry-After."""
    shop = Shop(tmp_path)
    if phase == "draining":
        shop.readiness.drain()

    async with shop.app, shop.client:
        push = await shop.push(ORDER)
        probes = [(await shop.client.get(path)).status_code for path in ("/readyz", "/startupz", "/livez")]

    assert (push.status_code, push.json()["code"], push.headers["retry-after"]) == (503, "not-ready", "5")
    assert probes == [ready, startup, 200]
    assert shop.seen == []


@pytest.mark.asyncio
async def test_a_fault_of_the_routes_is_answered_as_internal(shop: Shop) -> None:
    """Details go to the log only."""
    configure(level="CRITICAL")
    shop.app.subscriptions = Broken()

    response = await shop.push(ORDER)

    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "hunter2" not in response.text
