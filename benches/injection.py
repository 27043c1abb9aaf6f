"""`@inject` on functions and classes, against the same call by hand, and beside other libraries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from benches.peers import loading
from benches.rows import Row
from benches.samples import Cache, Clock, Database, Service, hermetic
from benches.timing import Contestant, Effort, calls, interleave, shown
from oneiric import INJECTED, Inject, inject, using
from oneiric.containers import active

CALLS = 20_000
PEER_CALLS = 2_000  # they take longer, and stand for comparison only
ROUNDS = 80
BUDGET = 2.5 if sys.version_info >= (3, 13) else 2.0  # 3.13 made the plain call cheaper
LOCAL_BUDGET = 4.5


def one(a: Cache) -> Cache:
    """Stand for a function that is called without injection, of 1 parameter."""
    return a


def three(a: Cache, b: Database, c: Clock) -> Cache:
    """The same of 3."""
    return a


def eight(a: Cache, b: Database, c: Clock, d: Cache, e: Database, f: Clock, g: Cache, h: Database) -> Cache:
    """The same of 8."""
    return a


class Made(Service):
    """Stands for a class that is made without injection."""

    def __init__(self, cache: Cache, database: Database, clock: Clock) -> None:
        super().__init__(cache, database, clock)


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of synchronous calls: by the number of parameters, of a class, and for one context alone."""
    app = hermetic("three")
    for name, type_ in (("cached", Cache), ("stored", Database), ("timed", Clock)):
        app.slot(name, type_)
    cache, database, clock = Cache(), Database(), Clock()
    app.override({"cached": cache, "stored": database, "timed": clock})
    plain: dict[object, Callable[[], object]] = {
        1: lambda: one(cache),
        3: lambda: three(cache, database, clock),
        8: lambda: eight(cache, database, clock, cache, database, clock, cache, database),
        "class": lambda: Made(cache, database, clock),
    }
    ours = _injected()
    peers = loading.load()
    contestants: dict[str, Contestant] = {}
    for key in plain:
        contestants[f"plain {key}"] = calls(plain[key], CALLS)
        contestants[f"ours {key}"] = calls(ours[key], CALLS)
        for name, peer in peers.items():
            if peer is not None:
                contestants[f"{name} {key}"] = calls(peer.Made if key == "class" else peer.CALLS[key], PEER_CALLS)
    contestants["using"] = _under(lambda: using(app), ours[3])
    contestants["local"] = _under(lambda: app.local_override({"cached": Cache()}), ours[3])
    with active.as_default(app):
        best_s = interleave(contestants, effort.rounds(ROUNDS))
    for key in plain:
        plain_s = best_s[f"plain {key}"]
        what = "construct a class of 3" if key == "class" else f"inject {key}, sync"
        injected_s = best_s[f"ours {key}"]
        detail = f"{shown(injected_s / CALLS)} against {shown(plain_s / CALLS)} by hand"
        yield Row(what, injected_s / plain_s, BUDGET if key == 3 else None, detail)
        each_s = plain_s / CALLS * PEER_CALLS
        yield from loading.rows(what, peers, lambda name, key=key, each_s=each_s: best_s[f"{name} {key}"] / each_s)
    for name, what in (("using", "under using()"), ("local", "under a local override")):
        detail = f"{shown(best_s[name] / CALLS)} a call"
        yield Row(f"inject 3, sync, {what}", best_s[name] / best_s["plain 3"], LOCAL_BUDGET, detail)


def _injected() -> dict[object, Callable[[], object]]:
    """Return our functions and our class, made here: a check of another row would find nothing for them."""

    @inject
    def one(a: Inject[Cache] = INJECTED) -> Cache:
        return a

    @inject
    def three(a: Inject[Cache] = INJECTED, b: Inject[Database] = INJECTED, c: Inject[Clock] = INJECTED) -> Cache:
        return a

    @inject
    def eight(
        a: Inject[Cache] = INJECTED,
        b: Inject[Database] = INJECTED,
        c: Inject[Clock] = INJECTED,
        d: Inject[Cache] = INJECTED,
        e: Inject[Database] = INJECTED,
        f: Inject[Clock] = INJECTED,
        g: Inject[Cache] = INJECTED,
        h: Inject[Database] = INJECTED,
    ) -> Cache:
        return a

    class Made(Service):
        @inject
        def __init__(
            self,
            cache: Inject[Cache] = INJECTED,
            database: Inject[Database] = INJECTED,
            clock: Inject[Clock] = INJECTED,
        ) -> None:
            super().__init__(cache, database, clock)

    return {1: one, 3: three, 8: eight, "class": Made}


def _under(block: Callable[[], AbstractContextManager[Any]], function: Callable[[], object]) -> Contestant:
    """Return a contestant that calls a function inside a block, which it enters once in a round."""
    inner = calls(function, CALLS)

    def run() -> float:
        with block():
            return inner()

    return run
