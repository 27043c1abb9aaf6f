"""Change while serving: a swap, its cost for callers, a comparison of generations, and child applications."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Annotated, Any

from benches.rows import Row
from benches.samples import hermetic, wide
from benches.timing import CannotMeasure, Effort, calls, interleave, shown
from oneiric import INJECTED, Application, Event, Inject, LayerContainer, Named, inject
from oneiric.adapters.database.common import Database
from oneiric.adapters.database.sqlite import SqliteDatabase

ROUNDS = 30
DEPENDANTS = 10
CALLERS = 64
EVERY_S, WATCHED_S = 0.05, 2.0
SLOTS = 1_000
SLOTS_OF_A_PARENT, OVERRIDES = 100, 3
TIMES = 10
CHILDREN = 1_000
ADAPTERS, OPEN_S = 50, 0.02


class Backend:
    """What is swapped: it opens, closes, and is well."""

    async def open(self) -> None:
        """Open it."""

    async def close(self) -> None:
        """Close it."""


class Other(Backend):
    """The one that replaces it."""


class First(SqliteDatabase):
    """A real adapter: it starts a thread and opens a file."""


class Second(SqliteDatabase):
    """The one that replaces it."""


class Holder:
    """An object that is built from the backend."""

    def __init__(self, backend: Annotated[Any, Named("backend")] = INJECTED) -> None:
        self.backend = backend


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of change."""
    with TemporaryDirectory() as folder:
        for dependants in (0, DEPENDANTS):
            yield _swap_row(effort, "swap a SQLite database", dependants, First, Second, folder=folder)
    for dependants in (0, DEPENDANTS):  # there is next to nothing to do by hand: what a swap costs in itself
        yield _swap_row(effort, "swap what opens in no time", dependants, budget=None)
    yield _size_row(effort)
    yield from asyncio.run(_latency(effort))
    yield _diff_row(effort)
    yield from _child_rows(effort)
    yield asyncio.run(_start_row())


def _changing(
    dependants: int, first: type = Backend, settings: Mapping[str, Any] = MappingProxyType({})
) -> Application:
    app = hermetic("changing")
    app.slot("backend", Backend if first is Backend else Database)
    app.override({"backend": first})
    for number in range(dependants):
        app.provide(f"holder{number}")(type(f"Holder{number}", (Holder,), {}))
    app.override(LayerContainer("manifest", settings={"swap.drain_grace_s": 0.0, **settings}))
    return app


def _swap_row(
    effort: Effort,
    what: str,
    dependants: int,
    first: Any = Backend,
    second: Any = Other,
    *,
    folder: str | None = None,
    budget: float | None = 2.0,
) -> Row:
    """
    Compare a swap with building, opening, asking and closing the same objects by hand, with a lock around them.

    Args:
        effort: How hard to measure.
        what: How the row is called.
        dependants: How many objects are built from what is swapped.
        first: The adapter that is swapped.
        second: The one that replaces it, and is replaced by it the next time.
        folder: Where each of them has a file, and so has what is built by hand; None where they have no settings.
        budget: The most that the ratio may be.
    """
    files = {name: f"{folder}/{name}-{dependants}.db" for name in (first.__name__, second.__name__, "hand")}
    app = _changing(dependants, first, {f"backend.{name}.path": file for name, file in files.items()} if folder else {})
    slots = [app.slot("backend"), *(app.slot(f"holder{number}") for number in range(dependants))]
    runner = asyncio.Runner()
    turn = 0

    async def begin() -> None:
        await app.start()
        for slot in slots:
            await app.wiring.abuild(slot)

    async def swap() -> None:
        nonlocal turn
        turn += 1
        await app.swap({"backend": second if turn % 2 else first})
        await app.swaps.drained()

    async def by_hand() -> None:
        async with lock:
            new = second(second.Settings(path=files["hand"])) if folder else second()
            await asyncio.wait_for(new.open(), 10)
            if hasattr(new, "health"):
                await asyncio.wait_for(new.health(), 5)
            held[:] = [new, *(Holder(new) for _ in range(dependants))]
            await asyncio.sleep(0)
            await asyncio.wait_for(new.close(), 5)

    held: list[Any] = []
    lock = asyncio.Lock()
    runner.run(begin())
    best_s = interleave(
        {
            "hand": calls(lambda: runner.run(by_hand()), clock=time.perf_counter),
            "swap": calls(lambda: runner.run(swap()), clock=time.perf_counter),
        },
        effort.rounds(ROUNDS * 5),
    )
    runner.run(app.stop())
    runner.close()
    return Row(
        f"{what}, {dependants} dependants",
        best_s["swap"] / best_s["hand"],
        budget,
        f"{shown(best_s['swap'])} against {shown(best_s['hand'])} for building, opening and closing the same by hand",
    )


def _size_row(effort: Effort) -> Row:
    """Compare a swap in a large application with the same in a small one."""
    runner = asyncio.Runner()
    apps = {count: _changing(DEPENDANTS) for count in (DEPENDANTS, SLOTS)}
    turns = dict.fromkeys(apps, 0)

    async def begin() -> None:
        for count, app in apps.items():
            for number in range(DEPENDANTS, count):
                app.provide(f"other{number}")(Other)
            await app.start()
            for number in range(DEPENDANTS):
                await app.wiring.abuild(app.slot(f"holder{number}"))

    async def swap(count: int) -> None:
        turns[count] += 1
        await apps[count].swap({"backend": Other if turns[count] % 2 else Backend})
        await apps[count].swaps.drained()

    async def end() -> None:
        for app in apps.values():
            await app.stop()

    runner.run(begin())
    best_s = interleave(
        {str(count): calls(lambda count=count: runner.run(swap(count)), clock=time.perf_counter) for count in apps},
        effort.rounds(ROUNDS * 5),
    )
    runner.run(end())
    runner.close()
    large_s, small_s = best_s[str(SLOTS)], best_s[str(DEPENDANTS)]
    return Row(
        f"swap one slot of {SLOTS}",
        large_s / small_s,
        2.0,
        f"{shown(large_s)} against {shown(small_s)} in an application of {DEPENDANTS} slots",
    )


async def _latency(effort: Effort) -> list[Row]:
    """Let 64 callers work, with and without a swap every 50 ms; returns a row for the median and one for the tail."""
    app = _changing(1)

    @inject
    async def use(event: Event, backend: Inject[Backend] = INJECTED) -> None:
        await asyncio.sleep(0)

    async with app:
        await app.call(use, Event(type="x"))
        quiet: list[float] = []
        busy: list[float] = []
        for _ in range(3):
            quiet += await _watch(app, use, effort.seconds(WATCHED_S) / 3, swapping=False)
            busy += await _watch(app, use, effort.seconds(WATCHED_S) / 3, swapping=True)
    rows = []
    for what, share, budget in (("p50", 0.5, 1.2), ("p99", 0.99, 2.0)):
        calm_s, moved_s = _at(quiet, share), _at(busy, share)
        detail = f"{shown(moved_s)} against {shown(calm_s)} without swaps, {CALLERS} callers"
        rows.append(Row(f"a call while a swap happens every 50 ms, {what}", moved_s / calm_s, budget, detail))
    return rows


async def _watch(
    app: Application, use: Callable[..., Awaitable[None]], seconds: float, *, swapping: bool
) -> list[float]:
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (began := time.perf_counter()) < end:
            await app.call(use, Event(type="x"))
            took.append(time.perf_counter() - began)

    async def swaps() -> None:
        turn = 0
        while swapping and time.perf_counter() < end:
            turn += 1
            await app.swap({"backend": Other if turn % 2 else Backend})
            await asyncio.sleep(EVERY_S)

    await asyncio.gather(swaps(), *(caller() for _ in range(CALLERS)))
    return took


def _at(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def _diff_row(effort: Effort) -> Row:
    """Compare two generations of an application of 1,000 slots, of which all are filled otherwise."""
    app = wide(SLOTS)
    runner = asyncio.Runner()
    runner.run(app.start())
    names = [f"part_{number}" for number in range(SLOTS)]
    runner.run(app.swap(dict.fromkeys(names[:10], type(app.slot(names[0])()))))
    if len(app.diff(1, 2)) != 10:
        raise CannotMeasure("the two generations do not differ in ten slots")
    best_s = interleave({"diff": calls(lambda: app.diff(1, 2))}, effort.rounds(ROUNDS))
    runner.run(app.stop())
    runner.close()
    budget_s = 5e-3
    return Row(
        f"diff of two generations of {SLOTS} slots",
        best_s["diff"] / budget_s,
        1.0,
        f"ratio = {shown(best_s['diff'])} of {shown(budget_s)}",
    )


def _child_rows(effort: Effort) -> Iterator[Row]:
    """Compare a child of three overrides with a full application of 100 slots, in time and memory."""
    names = [f"part_{number}" for number in range(SLOTS_OF_A_PARENT)]
    overrides = dict.fromkeys(names[:OVERRIDES], Backend())

    def full() -> Application:
        app = hermetic("full")
        for name in names:
            app.slot(name, Backend)
        app.override(dict.fromkeys(names, Backend()))
        return app

    parent = full()
    best_s = interleave(
        {"full": calls(full, TIMES), "child": calls(lambda: parent.child("tenant", overrides), TIMES)},
        effort.rounds(ROUNDS),
    )
    yield Row(
        f"a child of {OVERRIDES} overrides, time",
        best_s["child"] / best_s["full"],
        0.1,
        f"{shown(best_s['child'] / TIMES)} against {shown(best_s['full'] / TIMES)} for an application of "
        f"{SLOTS_OF_A_PARENT} slots",
    )
    whole, part = _bytes(full), _bytes(lambda: parent.child("tenant", overrides))
    yield Row(
        f"a child of {OVERRIDES} overrides, memory",
        part / whole,
        0.1,
        f"{part / 1024:.0f} KiB of {whole / 1024:.0f} KiB",
    )
    yield asyncio.run(_memory_row(parent, overrides))


def _bytes(make: Callable[[], object], count: int = 20) -> float:
    """Return how many bytes one of these takes, while it lives."""
    make()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [make() for _ in range(count)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return (after - before) / count


async def _memory_row(parent: Application, overrides: dict[str, object]) -> Row:
    """Compare the memory of a parent before and after a thousand children were closed."""
    async with parent:
        for _ in range(10):
            async with parent.child("tenant", overrides) as child:
                child.adapters.part_0()
        gc.collect()
        tracemalloc.start()
        ballast = [bytes(1_000) for _ in range(1_000)]  # a megabyte, so that a share of it can be told
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(CHILDREN):
            async with parent.child("tenant", overrides) as child:
                child.adapters.part_0()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        del ballast
    return Row(
        f"memory after closing {CHILDREN} children",
        after / before,
        1.05,
        f"{(after - before) / 1024:.1f} KiB more beside a megabyte",
    )


async def _start_row() -> Row:
    """Compare the start of 50 adapters with the longest path of 20 ms each, eight side by side."""
    app = hermetic("many")

    class Slow(Backend):
        async def open(self) -> None:
            await asyncio.sleep(OPEN_S)

    for number in range(ADAPTERS):
        app.slot(f"slow{number}", Backend)
        app.slot(f"slow{number}", eager=True)
        app.override({f"slow{number}": Slow})
    longest_s = -(-ADAPTERS // 8) * OPEN_S
    began = time.perf_counter()
    async with app:
        took_s = time.perf_counter() - began
    return Row(
        f"start {ADAPTERS} adapters of 20 ms, eight side by side",
        took_s / longest_s,
        1.3,
        f"{shown(took_s)} against {shown(longest_s)}, the longest path",
    )
