"""Hot swap: all of it or nothing, for every caller at once, and nothing is closed in use."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from loguru import logger

from oneiric import INJECTED, AdapterSettings, Application, Event, Inject, LayerContainer, Named
from oneiric.core.errors import NotRunning, OpenTimeout, SwapFailed, UnknownGeneration, UnknownSlot, WrongType
from oneiric.core.markers import Ref
from oneiric.core.origins import OverrideOrigin
from oneiric.providers.adapter import ObjectProvider
from oneiric.runtime.swap_events import SwapEvent
from tests.runtime.backends import Backend, Broken, First, Log, Second, Sick, Unbuildable, build, use

CALL = Event(type="call")


class Recorded:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[SwapEvent] = []

    def record(self, event: SwapEvent) -> None:
        """Keep an event."""
        self.events.append(event)

    def steps(self, slot: str) -> list[str]:
        """Return the steps of one slot."""
        return [event.step for event in self.events if event.slot == slot]


@pytest.mark.asyncio
async def test_a_swap_is_seen_by_the_next_call_and_the_old_object_is_closed() -> None:
    """The dependants are new as well; the generation is the next one."""
    app = build()
    async with app:
        before = await use(CALL)
        swapped = await app.swap({"backend": Second})
        after = await use(CALL)
        await app.swaps.drained()

        assert isinstance(before, First)
        assert isinstance(after, Second)
        assert (before.opened, before.closed) == (1, 1)
        assert (swapped.generation, swapped.rebuilt) == (2, ("backend", "repository", "service"))
        assert app.explain("backend").generation == 2
    assert [(one.opened, one.closed) for one in Log.made] == [(1, 1), (1, 1)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("backend", "step"),
    [
        pytest.param(Unbuildable, "build", id="it cannot be made"),
        pytest.param(Broken, "build", id="it does not open"),
        pytest.param(Sick, "health", id="it is not well"),
    ],
)
async def test_a_swap_that_fails_changes_nothing(backend: type[Any], step: str) -> None:
    """What served serves on, what was built is closed, and the error names the step."""
    app, recorded = build(), Recorded()
    app.recorders.append(recorded)
    async with app:
        before = await use(CALL)
        with pytest.raises(SwapFailed) as raised:
            await app.swap({"backend": backend})
        after = await use(CALL)

        assert after is before
        assert app.generation == 1
        assert raised.value.step == step
        assert recorded.steps("backend")[-1] == "failed"
    assert all(one.closed == one.opened for one in Log.made)


@pytest.mark.asyncio
async def test_an_equal_change_is_none() -> None:
    """The same swap again makes no generation and rebuilds nothing."""
    app = build()
    async with app:
        await app.swap({"backend": Second})
        backend = await use(CALL)
        again = await app.swap({"backend": Second})

        assert (again.is_same, again.generation) == (True, 2)
        assert await use(CALL) is backend


@pytest.mark.asyncio
async def test_a_rollback_is_a_swap_to_an_earlier_generation() -> None:
    """The layers of then count again, and a new generation says so."""
    app = build()
    async with app:
        await app.swap({"backend": Second})
        rolled = await app.rollback(1)
        backend = await use(CALL)

        assert isinstance(backend, First)
        assert rolled.generation == 3
        assert [one.cause for one in app.generations] == ["start", "swap", "rollback to 1"]
        (change,) = app.diff(1, 2)
        assert (change.slot, change.before.winner, change.after.winner) == (
            "backend",
            "tests.runtime.backends:First",
            "tests.runtime.backends:Second",
        )
        assert app.diff(1, 3) == ()
        with pytest.raises(UnknownGeneration):
            await app.rollback(9)


@pytest.mark.asyncio
async def test_every_step_is_told() -> None:
    """Planned, built, healthy, flipped, drained, closed, in that order, with the layer and the place that say so."""
    app, recorded = build(), Recorded()
    app.recorders.append(recorded)
    async with app:
        await use(CALL)
        await app.swap({"backend": Second})
        await app.swaps.drained()

        assert recorded.steps("backend") == ["planned", "built", "healthy", "flipped", "drained", "closed"]
        assert recorded.steps("service") == ["built", "healthy", "flipped", "drained", "closed"]
        flipped = next(event for event in recorded.events if event.step == "flipped")
        assert (flipped.slot, flipped.generation, flipped.layer) == ("backend", 2, "explicit")
        assert str(flipped.origin).startswith("override at tests.runtime.test_swap:")


@pytest.mark.asyncio
async def test_nothing_fails_while_64_callers_work_and_200_swaps_are_made() -> None:
    """One swap in four is not healthy; no call fails or sees a mixture, and every object is closed once, out of use."""
    app = build()
    rejected = calls = 0
    over = asyncio.Event()

    async def caller() -> None:
        nonlocal calls
        while not over.is_set():
            await use(CALL)
            calls += 1

    async with app:
        tasks = [asyncio.create_task(caller()) for _ in range(64)]
        turn = 0
        for n in range(200):
            try:
                await app.swap({"backend": Sick if n % 4 == 3 else (Second, First)[turn]})
                turn = 1 - turn
            except SwapFailed:
                rejected += 1
            await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*tasks)
        await app.swaps.drained()
        live = [one for one in Log.made if one.is_open]

    assert rejected == 50
    assert calls > 64
    assert len(live) == 1
    assert Log.cut_off == []
    assert all((one.opened, one.closed) == (1, 1) for one in Log.made)


@pytest.mark.asyncio
async def test_a_handle_keeps_the_object_that_it_handed_out_open() -> None:
    """`async with ref` holds a lease: a swap meanwhile waits with the closing."""
    app = build()
    async with app:
        await use(CALL)
        ref: Ref[Any] = app.wiring.handle(_need(app), app.slot("backend"))
        async with ref as held:
            await app.swap({"backend": Second})
            assert ref.current is not held
            assert held.is_open
            assert ref.generation == 2
        await app.swaps.drained()

        assert not held.is_open


def _need(app: Application) -> Any:
    """Return a need for a handle on the backend."""
    return use.__site__.needs["backend"]._replace(shape="ref")  # type: ignore[attr-defined]  # of injected functions


@pytest.mark.asyncio
async def test_a_swap_is_refused_before_anything_is_built() -> None:
    """A slot that does not exist, something that does not fit, and an application that does not run."""
    app = build()
    with pytest.raises(NotRunning):
        await app.swap({"backend": Second})
    async with app:
        with pytest.raises(UnknownSlot):
            await app.swap({"back": Second})
        with pytest.raises(WrongType):
            await app.swap({"backend": object()})

        assert app.generation == 1


@pytest.mark.asyncio
async def test_a_swap_that_is_cancelled_changes_nothing() -> None:
    """What was built meanwhile is closed, and what is being opened is told at once."""
    app = build()
    gate = asyncio.Event()
    told: list[bool] = []

    class Slow(First):
        async def open(self) -> None:
            gate.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(True)
                raise

    async with app:
        before = await use(CALL)
        swapping = asyncio.create_task(app.swap({"backend": Slow}))
        await gate.wait()
        swapping.cancel()
        await asyncio.wait({swapping})

        assert swapping.cancelled()
        assert told == [True]
        assert await use(CALL) is before
        assert app.generation == 1


@pytest.mark.asyncio
async def test_a_layer_is_applied_and_dropped_as_one_change() -> None:
    """A layer counts by its rank; taking it away in a swap brings the one below back, all at once."""
    app = build()
    layer = LayerContainer("explicit", {"backend": Second})
    async with app:
        first = await use(CALL)
        await app.swap(layer)
        second = await use(CALL)
        swapped = await app.swap({}, drop=[layer])
        third = await use(CALL)

        assert [type(one) for one in (first, second, third)] == [First, Second, First]
        assert swapped.rebuilt == ("backend", "repository", "service")
        assert app.generation == 3


@pytest.mark.asyncio
async def test_a_build_that_hangs_is_given_up() -> None:
    """Section `swap` says after how many seconds; nothing has changed then."""
    app = build()

    async def forever() -> First:
        await asyncio.Event().wait()
        raise AssertionError

    async with app:
        before = await use(CALL)
        app.swaps.build_timeout_s = 0.01
        with pytest.raises(SwapFailed) as raised:
            await app.swap({"backend": ObjectProvider(forever)})

        assert raised.value.step == "build"
        assert await use(CALL) is before
        assert app.generation == 1


class Stuck(Backend):
    """One that never opens, and has a limit for that."""

    Settings = AdapterSettings

    def __init__(self, settings: AdapterSettings) -> None:
        super().__init__()

    async def open(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_the_limits_of_an_adapter_are_those_of_the_change_that_brings_it() -> None:
    """The layer that chooses it says as well how long it may take to open."""
    app = build()
    change = LayerContainer("explicit", {"backend": Stuck}, settings={"backend.Stuck.open_timeout_s": 0.01})
    async with app:
        with pytest.raises(SwapFailed) as raised:
            await app.swap(change)

    (cause,) = raised.value.causes
    assert isinstance(cause, OpenTimeout)
    assert cause.budget_s == 0.01


@pytest.mark.asyncio
async def test_a_swap_that_would_leave_a_slot_empty_is_refused_at_the_plan() -> None:
    """Somebody needs the slot, and nobody would fill it."""
    app = build()
    async with app:
        await use(CALL)
        with pytest.raises(SwapFailed) as raised:
            await app.swap({"backend": {"$unset": True}})

        assert raised.value.step == "plan"
        assert [getattr(cause, "code", "") for cause in raised.value.causes] == ["no-candidate"]
        assert len(Log.made) == 1


@pytest.mark.asyncio
async def test_two_classes_of_one_name_are_two_fillings() -> None:
    """A module that is loaded again has the same names; the swap is told and recorded as any other."""
    app = build()
    twins = [type("Twin", (Backend,), {"__module__": "twins"}) for _ in range(2)]
    found = []
    async with app:
        for kind in twins:
            swapped = await app.swap({"backend": kind}, origin=OverrideOrigin("twins:1"))
            found.append((type(await use(CALL)), [one.slot for one in swapped.slots]))

        assert found == [(twins[0], ["backend"]), (twins[1], ["backend"])]
        assert [one.slot for one in app.diff(2, 3)] == ["backend"]


@pytest.mark.asyncio
async def test_the_log_tells_of_what_changes_and_recorders_of_what_is_built_again_as_well() -> None:
    """One line for each slot that another one fills, and none for each of its dependants, which may be many."""
    app, recorded, lines = build(), Recorded(), []
    app.recorders.append(recorded)
    sink = logger.add(lambda line: lines.append(line.record), level="INFO")
    try:
        async with app:
            await use(CALL)
            await app.swap({"backend": Second})
            with pytest.raises(SwapFailed):
                await app.swap({"backend": Sick})
    finally:
        logger.remove(sink)

    said = [(line["message"], line["extra"]["slot"]) for line in lines if line["message"].startswith("swap ")]
    assert said == [("swap flipped", "backend"), ("swap failed", "backend")]
    assert {"built", "flipped", "failed"} <= {*recorded.steps("service")}


@pytest.mark.asyncio
async def test_a_swap_that_would_make_a_circle_or_a_leak_is_refused_at_the_plan() -> None:
    """The next state is validated before anything of it is built."""
    app = build()

    class Circular(First):
        def __init__(self, service: Any = None) -> None:
            super().__init__()

    async with app:
        await use(CALL)
        with pytest.raises(SwapFailed) as raised:
            await app.swap({"backend": _asking_for_the_service(Circular)})

        assert raised.value.step == "plan"
        assert app.generation == 1


class Third(First):
    """One more."""


class Absent:
    """A type that no slot has."""


class Wanting(First):
    """One that needs what there is not."""

    def __init__(self, absent: Inject[Absent] = INJECTED) -> None:
        super().__init__()


@pytest.mark.asyncio
async def test_a_fault_that_another_slot_has_already_refuses_a_swap_all_the_same() -> None:
    """The same type may be missing in two places: who asks for it tells them apart."""
    app = build()
    app.slot("spare", First)
    app.override({"spare": First})

    @app.task("rest")
    def rest(spare: Annotated[First, Named("spare")] = INJECTED) -> None: ...

    async with app:
        app.override({"spare": Wanting})  # broken by hand, after the start
        with pytest.raises(SwapFailed) as raised:
            await app.swap({"backend": Wanting})

        assert raised.value.step == "plan"
        assert app.generation == 1


@pytest.mark.asyncio
async def test_a_layer_that_spoke_by_type_is_dropped_by_a_swap() -> None:
    """What its type meant when it was applied counts, although it has a second slot by now."""
    app = build()
    app.slot("till", First)
    app.override({"till": First})
    layer = app.override(LayerContainer("explicit", {First: Third})).layer
    app.slot("spare", First)
    app.override({"spare": First})
    async with app:
        before = await app.wiring.abuild(app.slot("till"))
        swapped = await app.swap({"spare": Third}, drop=[layer])
        after = app.slot("till")()
        await app.rollback(1)
        again = app.slot("till")()

    assert [one.slot for one in swapped.slots] == ["spare", "till"]
    assert [type(before), type(after), type(again)] == [Third, First, Third]


def _asking_for_the_service(base: type[Any]) -> type[Any]:
    from oneiric import INJECTED
    from tests.runtime.backends import Service

    class Asking(base):
        def __init__(self, service: Inject[Service] = INJECTED) -> None:
            super().__init__()

    return Asking
