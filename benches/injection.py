"""`@inject`, against the same call by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benches.rows import Row
from benches.samples import Cache, Clock, Database, hermetic
from benches.timing import Effort, calls, interleave, shown
from oneiric import INJECTED, Inject, inject, using
from oneiric.containers import active

CALLS = 20_000
ROUNDS = 80
BUDGET = 2.0
BUDGET_313 = 2.5  # 3.13 made the plain call cheaper
LOCAL_BUDGET = 4.5


def by_hand(cache: Cache, database: Database, clock: Clock) -> Cache:
    """Stand for the function that is called, without injection."""
    return cache


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of a synchronous call: for the default application, and under `using`."""
    app = hermetic("three")
    for name, type_ in (("cached", Cache), ("stored", Database), ("timed", Clock)):
        app.slot(name, type_)

    @inject  # in here, since a check of another row would report a function that finds nothing there
    def injected(
        cache: Inject[Cache] = INJECTED, database: Inject[Database] = INJECTED, clock: Inject[Clock] = INJECTED
    ) -> Cache:
        return cache

    cache, database, clock = Cache(), Database(), Clock()
    app.override({"cached": cache, "stored": database, "timed": clock})

    def plain() -> Cache:
        return by_hand(cache, database, clock)

    def local() -> float:
        with using(app):
            return inner()

    inner = calls(injected, CALLS)
    app.make_default()
    try:
        injected()
        best_s = interleave(
            {"plain": calls(plain, CALLS), "injected": calls(injected, CALLS), "local": local}, effort.rounds(ROUNDS)
        )
    finally:
        active.make_default(None)
    plain_s, injected_s, local_s = best_s["plain"], best_s["injected"], best_s["local"]
    yield Row(
        "inject 3, sync",
        injected_s / plain_s,
        BUDGET_313 if sys.version_info >= (3, 13) else BUDGET,
        f"{shown(injected_s / CALLS)} against {shown(plain_s / CALLS)} by hand",
    )
    yield Row("inject 3, sync, under using()", local_s / plain_s, LOCAL_BUDGET, f"{shown(local_s / CALLS)} a call")
