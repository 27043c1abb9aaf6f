"""Children while things change: builds that end late, rotated secrets, threads, and a stop that is cancelled."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import SecretStr

from oneiric import INJECTED, AdapterSettings, Application, Inputs, LayerContainer, Named, inject
from oneiric.testing.fake_secrets import FakeSecrets

PATIENCE_S = 20  # for what takes a second
SECRETS = ("service-Secretive-password", "service-Other-password")


class Backend:
    """What a service is built from."""

    def __init__(self) -> None:
        self.closed = 0

    async def open(self) -> None:
        """Open it."""

    async def close(self) -> None:
        """Close it."""
        self.closed += 1


class Second(Backend):
    """Another one."""


class Service(Backend):
    """Something that is built from a backend."""

    def __init__(self, backend: Annotated[Backend, Named("backend")] = INJECTED) -> None:
        super().__init__()
        self.backend = backend


class Slow(Service):
    """One that opens when it may."""

    begun: asyncio.Event
    go: asyncio.Event

    async def open(self) -> None:
        """Wait."""
        self.begun.set()
        await self.go.wait()


class Secretive(Service):
    """One with a password."""

    class Settings(AdapterSettings):
        """One secret."""

        password: SecretStr = SecretStr("of the code")

    def __init__(self, settings: Settings) -> None:
        super().__init__(Backend())
        self.password = settings.password.get_secret_value()


class Other(Secretive):
    """One with another."""


@inject
async def service_of(service: Annotated[Service, Named("service")] = INJECTED) -> Service:
    """Return the service."""
    return service


def made(**environ: str) -> Application:
    """Return an application with a backend and a service."""
    app = Application("shop", inputs=Inputs(environ={"ONEIRIC_SWAP__DRAIN_GRACE_S": "0", **environ}))
    app.slot("backend", Backend)
    app.slot("service", Service)
    app.override({"backend": Backend, "service": Service})
    Slow.begun, Slow.go = asyncio.Event(), asyncio.Event()
    return app


@pytest.mark.asyncio
async def test_a_build_that_ends_after_its_input_was_replaced_is_shown_to_nobody_else() -> None:
    """Who waited for it gets it; later calls get one that is built from what is there now."""
    app = made()
    async with app, app.child("tenant", {"service": Slow}) as tenant:
        first = asyncio.create_task(tenant.call(service_of))
        await Slow.begun.wait()
        await app.swap({"backend": Second})
        second = asyncio.create_task(tenant.call(service_of))
        await asyncio.sleep(0)
        Slow.go.set()
        late = await first
        await second
        await app.swaps.drained()
        found = [await tenant.call(service_of), await tenant.wiring.abuild(app.slot("service"))]

        assert type(late.backend) is Backend
        assert {type(one.backend) for one in found} == {Second}
        assert found[0] is found[1]
        assert found[0].backend.closed == 0
    assert [late.closed, found[0].closed] == [1, 1]


@pytest.mark.asyncio
async def test_a_build_that_a_change_of_the_child_made_superfluous_takes_nothing_away() -> None:
    """What the child fills the slot with since then stays, and the late one is closed when nobody works with it."""
    app = made()
    async with app, app.child("tenant", {"service": Slow}) as tenant:
        first = asyncio.create_task(tenant.call(service_of))
        await Slow.begun.wait()
        tenant.override({"service": Service})
        before = await tenant.call(service_of)
        Slow.go.set()
        late = await first
        closed_at_first = late.closed
        await tenant.settled()
        after = [await tenant.call(service_of), await tenant.wiring.abuild(app.slot("service"))]

        assert after == [before, before]
        assert [closed_at_first, late.closed] == [0, 1]
        assert before.closed == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("is_deep", [False, True], ids=["a child", "a child of a child"])
@pytest.mark.parametrize("settings", [{}, {"service.Other.open_timeout_s": 9}], ids=["as its parent", "of its own"])
async def test_a_rotated_secret_reaches_what_a_child_has_built(
    tmp_path: Path, settings: dict[str, Any], is_deep: bool
) -> None:
    """It is built anew on its next use, as what the parent has is in the swap."""
    store = FakeSecrets(dict.fromkeys(SECRETS, "one"))
    app = made()
    app.override({"secrets": store, "service": Secretive})
    async with app, app.child("tenant", LayerContainer("explicit", {"service": Other}, settings=settings)) as tenant:
        child = tenant.child("desk", {"backend": Second}) if is_deep else tenant
        before = await child.wiring.abuild(app.slot("service"))
        await app.wiring.abuild(app.slot("service"))
        for name in SECRETS:
            store.rotate(name, "two")
        await app.rotate_secrets()
        await tenant.settled()
        after = await child.wiring.abuild(app.slot("service"))

        assert [before.password, after.password, app.slot("service")().password] == ["one", "two", "two"]
        assert before.closed == 1


@pytest.mark.asyncio
async def test_a_rotation_closes_nothing_of_a_child_under_a_call(tmp_path: Path) -> None:
    """Also where the parent is built anew by the same rotation, which gives the child another lease first."""
    store = FakeSecrets(dict.fromkeys(SECRETS, "one"))
    app = made()
    app.override({"secrets": store, "service": Secretive})
    begun, go = asyncio.Event(), asyncio.Event()

    @inject
    async def work(service: Annotated[Service, Named("service")] = INJECTED) -> Service:
        begun.set()
        await go.wait()
        return service

    async with app, app.child("tenant", {"service": Other}) as tenant:
        await app.wiring.abuild(app.slot("service"))
        working = asyncio.create_task(tenant.call(work))
        await begun.wait()
        for name in SECRETS:
            store.rotate(name, "two")
        await app.rotate_secrets()
        for _ in range(20):
            await asyncio.sleep(0)
        service = await tenant.wiring.abuild(app.slot("service"))
        go.set()
        held = await working

        assert [held.password, service.password] == ["one", "two"]
        assert held.closed == 0
        await tenant.settled()
        assert held.closed == 1


@pytest.mark.asyncio
async def test_threads_that_use_a_child_do_not_stand_against_changes_of_the_parent() -> None:
    """Children and the application wait for one lock, and never for each other's."""
    app = made()
    app.override(LayerContainer("manifest", {"cache": "memory"}))
    is_over = threading.Event()

    class Held:
        def __init__(
            self,
            cache: Annotated[Any, Named("cache")] = INJECTED,
            plain: Annotated[Any, Named("plain")] = INJECTED,
            own: Annotated[Any, Named("own")] = INJECTED,
        ) -> None:
            self.plain = plain

    for name in ("plain", "own"):
        app.slot(name, object)
    app.provide("held")(Held)
    app.override({"plain": object(), "own": object()})
    await app.start()
    await app.wiring.abuild(app.slot("cache"))
    tenant = app.child("tenant", {"own": object()})

    def use() -> None:
        while not is_over.is_set():
            tenant.services.held()

    def change() -> None:
        for _ in range(500):
            app.override({"plain": object()}).undo()

    users = [threading.Thread(target=use, daemon=True) for _ in range(2)]
    changing = threading.Thread(target=change, daemon=True)
    for thread in (*users, changing):
        thread.start()
    changing.join(timeout=PATIENCE_S)
    is_over.set()
    for thread in users:
        thread.join(timeout=PATIENCE_S)

    assert [thread.is_alive() for thread in (changing, *users)] == [False] * 3  # a stop would wait for ever as well
    await app.stop()
