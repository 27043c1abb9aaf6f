"""What is said while a swap builds: it counts, and nothing that was built before it is taken for what it says."""

from __future__ import annotations

import asyncio

import pytest

from oneiric import AdapterSettings, Event, LayerContainer
from tests.runtime.backends import Backend, First, Log, Second, Twin, build, use

CALL = Event(type="call")


@pytest.mark.asyncio
async def test_an_override_that_comes_while_a_swap_builds_counts() -> None:
    """What was built for nothing is closed, and no object stands for another one."""
    app = build(base="profile")
    gate, go = asyncio.Event(), asyncio.Event()

    class Slow(First):
        async def open(self) -> None:
            gate.set()
            await go.wait()
            await super().open()

    async with app:
        await use(CALL)
        swapping = asyncio.create_task(app.swap(LayerContainer("manifest", {"backend": Slow})))
        await gate.wait()
        handle = app.override({"backend": Second})
        other = app.override({"repository": Twin})
        app.override(LayerContainer("env", settings={"swap.build_timeout_s": 7}))
        go.set()
        await swapping
        told = [app.index.records[app.slot(name)].label for name in ("backend", "repository")]
        limit_s = app.section("swap").build_timeout_s
        other.undo()
        during = await use(CALL)
        handle.undo()
        after = await use(CALL)
        await app.swaps.drained()

        assert [type(during), type(after)] == [Second, Slow]
        assert limit_s == 7
        assert told == ["tests.runtime.backends:Second", "tests.runtime.backends:Twin"]
        assert after.is_open
    assert [one for one in Log.made if (one.opened, one.closed) != (1, 1)] == []


@pytest.mark.asyncio
@pytest.mark.parametrize("is_setting", [True, False], ids=["a setting", "a wrapper"])
async def test_what_is_said_of_an_object_while_a_swap_builds_it_counts(is_setting: bool) -> None:
    """It is not taken for one that was made so: what was built is closed, and the next use makes another."""
    gate, go = asyncio.Event(), asyncio.Event()

    class Sized(Backend):
        class Settings(AdapterSettings):
            """A number."""

            size: int = 1

        def __init__(self, settings: Settings) -> None:
            super().__init__()
            self.size = settings.size

        async def open(self) -> None:
            gate.set()
            await go.wait()
            await super().open()

    class Wrapper(Sized):
        def __init__(self, inner: Sized) -> None:
            self.size = inner.size + 6

    app = build(base="profile")
    async with app:
        await use(CALL)
        swapping = asyncio.create_task(app.swap({"backend": Sized}))
        await gate.wait()
        if is_setting:
            app.override(LayerContainer("env", settings={"backend.Sized.size": 7}))
        else:
            app.decorate("backend", lambda backend: Wrapper(backend))
        go.set()
        await swapping
        await app.swaps.drained()
        await app.settled()

        assert (await app.wiring.abuild(app.slot("backend"))).size == 7
    assert [one for one in Log.made if (one.opened, one.closed) != (1, 1)] == []
