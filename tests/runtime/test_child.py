"""Child applications: they inherit everything, own what they fill otherwise, and close nothing that is not theirs."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from oneiric import INJECTED, Application, Inject, LayerContainer, inject
from oneiric.core.errors import UnknownSlot, WrongType
from tests.runtime.backends import Backend, First, Log, Repository, Second, Service, Twin, build


class Session:
    """An object of a request."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository


class Clock:
    """Something that depends on nothing."""


class Wrapped(Clock):
    """A clock around another one."""

    def __init__(self, inner: Clock) -> None:
        self.inner = inner


async def session(repository: Inject[Repository] = INJECTED) -> AsyncIterator[Session]:
    """Make a session."""
    yield Session(repository)


@inject
async def look(
    service: Inject[Service] = INJECTED, clock: Inject[Clock] = INJECTED, session: Inject[Session] = INJECTED
) -> tuple[Service, Clock, Session]:
    """Return what is injected."""
    await asyncio.sleep(0)
    return service, clock, session


@inject
async def repository_of(repository: Inject[Repository] = INJECTED) -> Repository:
    """Return the repository."""
    return repository


def parent() -> Application:
    """Return an application with backends, a clock and sessions."""
    app = build()
    app.provide("clock")(Clock)
    app.provide("session", scope="request")(session)
    return app


@pytest.mark.asyncio
async def test_a_child_owns_what_depends_on_its_override_and_shares_the_rest() -> None:
    """The clock is the same object; the service, the repository and the session are the child's."""
    app = parent()
    async with app:
        service, clock, _ = await look()
        async with app.child("tenant-a", {"backend": Second}) as tenant:
            theirs, same, session = await tenant.call(look)

            assert isinstance(theirs.backend, Second)
            assert theirs is not service
            assert same is clock
            assert session.repository is theirs.repository
            assert tenant.adapters.backend() is theirs.backend
            assert tenant.services.service() is theirs
        again, _, _ = await look()

        assert again is service
        assert (service.backend.closed, theirs.backend.closed) == (0, 1)


@pytest.mark.asyncio
async def test_a_child_of_a_child_stands_on_it() -> None:
    """It inherits what its parent fills otherwise; each closes its own."""
    app = parent()
    other = Clock()
    async with app, app.child("tenant", {"backend": Second}) as tenant:
        async with tenant.child("test", {"clock": other}) as inner:
            service, clock, _ = await inner.call(look)

            assert service is (await tenant.call(look))[0]
            assert clock is other
            assert (inner.name, inner.parents()) == ("changing/tenant/test", ["changing/tenant", "changing"])
        assert service.backend.closed == 0


@pytest.mark.asyncio
async def test_a_child_has_overrides_of_its_own() -> None:
    """An override of the child changes nothing for its parent, and ends alone."""
    app = parent()
    given = First()
    async with app:
        tenant = app.child("tenant", {"backend": Second})
        with tenant.override({"backend": given}):
            inside = (await tenant.call(look))[0].backend
        outside = (await tenant.call(look))[0].backend
        parents = (await look())[0].backend

        assert inside is given
        assert isinstance(outside, Second)
        assert isinstance(parents, First)
        assert parents is not given


@pytest.mark.asyncio
async def test_a_change_of_the_parent_reaches_its_children() -> None:
    """What a child built from the parent's objects is built again; what it fills itself stays."""
    app = parent()
    async with app:
        tenant = app.child("tenant", {"clock": Clock()})
        before, _, _ = await tenant.call(look)
        await app.swap({"backend": Second})
        after, _, _ = await tenant.call(look)

        assert isinstance(before.backend, First)
        assert isinstance(after.backend, Second)


class Pool(Backend):
    """Opened for whoever has a clock and a backend of its own."""

    def __init__(self, backend: Inject[Backend] = INJECTED, clock: Inject[Clock] = INJECTED) -> None:
        super().__init__()
        self.backend = backend


@pytest.mark.asyncio
@pytest.mark.parametrize("is_swap", [True, False], ids=["by a swap", "by an override"])
async def test_what_a_child_makes_of_a_parent_s_object_is_made_anew_when_that_is_replaced(is_swap: bool) -> None:
    """Else it would hold an object that is closed."""
    app = parent()
    async with app, app.child("tenant-a", {"repository": Twin}) as tenant:
        before = await tenant.call(repository_of)
        if is_swap:
            await app.swap({"backend": Second})
            await app.swaps.drained()
        else:
            app.override({"backend": Second})
            await app.settled()
        after = await tenant.call(repository_of)

        assert isinstance(before.backend, First)
        assert isinstance(after.backend, Second)


@pytest.mark.asyncio
async def test_what_a_child_made_of_its_own_objects_stays_when_the_parent_changes_something_else() -> None:
    """In whichever order they were asked for, however far they stand from what it fills otherwise."""
    app = parent()
    async with app, app.child("tenant-a", {"backend": Second}) as tenant:
        before = await tenant.call(look)
        app.override({"clock": Clock})
        after = await tenant.call(look)

        assert after[0] is before[0]
        assert after[1] is not before[1]


@pytest.mark.asyncio
async def test_a_wrapper_that_the_parent_gets_is_around_the_child_s_object_as_well() -> None:
    """A child inherits decorations, also late ones."""
    app = parent()
    async with app, app.child("tenant-a", {"clock": Clock}) as tenant:
        before = tenant.services.clock()
        app.decorate("clock", lambda clock: Wrapped(clock))
        after = tenant.services.clock()

        assert type(before) is Clock
        assert isinstance(after, Wrapped)


@pytest.mark.asyncio
async def test_what_a_child_built_from_a_replaced_object_is_not_closed_in_use() -> None:
    """A call that works with it ends first; the next one gets another."""
    app = parent()
    app.provide("pool")(Pool)
    began, go = asyncio.Event(), asyncio.Event()

    @inject
    async def work(pool: Inject[Pool] = INJECTED) -> Pool:
        began.set()
        await go.wait()
        assert pool.is_open
        assert pool.backend.is_open
        return pool

    async with app:
        tenant = app.child("tenant", {"clock": Clock()})
        working = asyncio.create_task(tenant.call(work))
        await began.wait()
        await app.swap({"backend": Second})
        await asyncio.sleep(0)
        go.set()
        before = await working
        await app.swaps.drained()
        after = await tenant.call(work)
        await tenant.settled()

        assert (type(before.backend), type(after.backend)) == (First, Second)
        assert (before.closed, after.closed) == (1, 0)


class Closing(Repository):
    """A repository with a life of its own, which needs its backend to the end."""

    was_open: list[bool]

    async def open(self) -> None:
        """Open it."""

    async def close(self) -> None:
        """Take some turns of the loop to close it, and note whether the backend still can be used."""
        for _ in range(5):
            await asyncio.sleep(0)
        self.was_open.append(self.backend.is_open)


@pytest.mark.asyncio
async def test_a_swap_leaves_synchronous_calls_of_a_child_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold no lease: what they work with stays open for the grace of the swap, whoever owns it."""
    monkeypatch.setattr(Closing, "was_open", [], raising=False)
    app = parent()
    async with app:
        app.swaps.drain_grace_s = 1_000.0
        async with app.child("tenant-a", {"repository": Closing}) as tenant:
            await tenant.call(repository_of)
            await app.swap({"backend": Second})
            await asyncio.sleep(0)

            assert Closing.was_open == []
        assert Closing.was_open == [True]


@pytest.mark.asyncio
@pytest.mark.parametrize("is_grandchild", [False, True], ids=["a child", "a child of a child"])
async def test_what_a_child_made_of_a_replaced_object_is_closed_before_that(
    monkeypatch: pytest.MonkeyPatch, is_grandchild: bool
) -> None:
    """As any dependant is: the last thing it does may need what it was built from."""
    monkeypatch.setattr(Closing, "was_open", [], raising=False)
    app = parent()
    async with app, app.child("tenant-a") as tenant:
        owner = tenant.child("desk") if is_grandchild else tenant
        owner.override({"repository": Closing})
        await owner.call(repository_of)
        await app.swap({"backend": Second})
        await app.swaps.drained()

        assert Closing.was_open == [True]
        assert [(type(one), one.closed) for one in Log.made] == [(First, 1), (Second, 0)]


@pytest.mark.asyncio
async def test_the_end_of_the_parent_ends_its_children_first() -> None:
    """Nothing of a child outlives what it was built from."""
    app = parent()
    async with app:
        tenant = app.child("tenant", {"backend": Second})
        await tenant.call(look)

    assert tenant.state == "stopped"
    assert all((one.opened, one.closed) == (1, 1) for one in Log.made)


@pytest.mark.asyncio
async def test_a_child_is_explained_with_its_own_layer_on_top() -> None:
    """The parent's word is shadowed, and said."""
    app = parent()
    async with app:
        tenant = app.child("tenant", {"backend": Second})
        explained = tenant.explain("backend")

        assert explained.winner is not None
        assert explained.winner.value == "tests.runtime.backends:Second"
        assert "override at child tenant" in explained.text()
        assert "inherits  changing" in explained.text()
        assert explained.fields()["parents"] == ["changing"]
        assert {one.value for one in explained.candidates if one.status == "shadowed"} == {
            "tests.runtime.backends:First"
        }


@pytest.mark.asyncio
async def test_settings_of_a_child_are_its_own() -> None:
    """A layer with a setting gives the child an adapter of its own."""
    app = parent()
    async with app:
        layer = LayerContainer("explicit", settings={"cache.memory.max_items": 3})
        tenant = app.child("tenant", layer)

        assert tenant.explain("cache").setting("max_items").winner.value == 3  # type: ignore[union-attr]
        assert app.explain("cache").setting("max_items").winner.value != 3  # type: ignore[union-attr]


def test_a_child_that_cannot_be_is_refused() -> None:
    """A slot that does not exist, and something that does not fit."""
    app = parent()

    with pytest.raises(UnknownSlot):
        app.child("tenant", {"back": Second})
    with pytest.raises(WrongType):
        app.child("tenant", {"backend": Clock()})


@pytest.mark.asyncio
async def test_a_thousand_children_serve_side_by_side() -> None:
    """None sees the object of another one."""
    app = parent()
    barrier = asyncio.Barrier(1_000)

    async def tenant(number: int) -> tuple[Backend, Clock]:
        mine = First()
        async with app.child(f"t{number}", {"backend": mine}) as child:
            await barrier.wait()
            for _ in range(3):
                service, clock, session = await child.call(look)
                assert service.backend is mine
                assert session.repository.backend is mine
            return mine, clock

    async with app:
        results = await asyncio.gather(*(tenant(number) for number in range(1_000)))

        assert len({backend for backend, _ in results}) == 1_000
        assert len({clock for _, clock in results}) == 1
        assert app.children == set()


@pytest.mark.asyncio
async def test_the_memory_of_closed_children_returns() -> None:
    """What a thousand children took is free when they are closed."""
    app = parent()

    async def some(count: int) -> None:
        for number in range(count):
            async with app.child(f"t{number}", {"clock": Clock()}) as child:
                await child.call(look)

    async with app:
        await some(50)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await some(200)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert after - before < 50_000
