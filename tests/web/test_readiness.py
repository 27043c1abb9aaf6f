"""Whether the application takes requests, and how often its adapters are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from oneiric.core.adapter import Health
from oneiric.core.profiles import DEFAULT, Profile
from oneiric.testing.clock import FakeClock
from oneiric.web.readiness import Readiness


class Shop:
    """An application of two adapters, which counts how often it is asked."""

    name = "shop"
    running: int | None = 3
    profile: Profile = DEFAULT

    def __init__(self, *, cache_is_ok: bool = True) -> None:
        self.cache_is_ok = cache_is_ok
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def health(self) -> Mapping[str, Health]:
        """Answer when the gate is open."""
        self.asked += 1
        self.is_asked.set()
        await self.gate.wait()
        return {"database": Health(True), "cache": Health(self.cache_is_ok, "password is hunter2")}


def started(shop: Shop) -> tuple[Readiness, FakeClock]:
    """Return the readiness of a started application, and its clock."""
    clock = FakeClock()
    readiness = Readiness(shop, clock=clock)
    readiness.start()
    return readiness, clock


@pytest.mark.asyncio
async def test_a_started_application_with_healthy_adapters_is_ready() -> None:
    """The body names every open adapter, sorted."""
    readiness, clock = started(Shop())
    clock.advance(1.5)

    snapshot = await readiness.look()

    assert snapshot.is_ready
    assert snapshot.fields() == {
        "schema": 1,
        "kind": "health",
        "status": "ready",
        "app": "shop",
        "profile": "default",
        "generation": 3,
        "uptime_s": 1.5,
        "subjects": [
            {"subject": "slot:cache", "state": "open", "health": "ok", "code": None},
            {"subject": "slot:database", "state": "open", "health": "ok", "code": None},
        ],
    }


@pytest.mark.asyncio
async def test_one_adapter_that_is_not_healthy_is_named() -> None:
    """By its slot; what the adapter says about it stays inside, as it may hold anything."""
    readiness, _ = started(Shop(cache_is_ok=False))

    snapshot = await readiness.look()

    assert not snapshot.is_ready
    assert snapshot.fields()["status"] == "failing"
    assert snapshot.fields()["subjects"][0] == {
        "subject": "slot:cache",
        "state": "open",
        "health": "failing",
        "code": "unhealthy",
    }
    assert "hunter2" not in str(snapshot.fields())


@pytest.mark.asyncio
async def test_before_the_start_and_while_draining_nothing_is_asked() -> None:
    """The answer is known, and adapters may be closed."""
    shop = Shop()
    starting = Readiness(shop, clock=FakeClock())
    draining, _ = started(shop)
    draining.drain()

    before, after = await starting.look(), await draining.look()

    assert (before.is_ready, after.is_ready, shop.asked) == (False, False, 0)
    assert [subject["code"] for subject in before.fields()["subjects"]] == ["app-starting"]
    assert [subject["code"] for subject in after.fields()["subjects"]] == ["app-draining"]


@pytest.mark.asyncio
async def test_who_drains_stays_so() -> None:
    """A signal that comes during the start is not forgotten when the start is done."""
    readiness = Readiness(Shop(), clock=FakeClock())

    readiness.drain()
    readiness.start()

    assert readiness.phase == "draining"


@pytest.mark.parametrize(
    ("seconds", "asked"), [pytest.param(4.9, 1, id="within 5 s"), pytest.param(5.0, 2, id="after 5 s")]
)
@pytest.mark.asyncio
async def test_an_answer_is_kept_for_5_seconds(seconds: float, asked: int) -> None:
    """Probes of a platform do not become load for a backend."""
    shop = Shop()
    readiness, clock = started(shop)
    await readiness.look()

    clock.advance(seconds)
    await readiness.look()

    assert shop.asked == asked


@pytest.mark.asyncio
async def test_callers_at_the_same_time_share_one_answer() -> None:
    """Also when the one who came first hangs up."""
    shop = Shop()
    shop.gate.clear()
    readiness, _ = started(shop)
    callers = [asyncio.create_task(readiness.look()) for _ in range(3)]
    await shop.is_asked.wait()

    callers[0].cancel()
    await asyncio.wait({callers[0]})
    shop.gate.set()
    snapshots = await asyncio.gather(*callers[1:])

    assert [snapshot.is_ready for snapshot in snapshots] == [True, True]
    assert shop.asked == 1
