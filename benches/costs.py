"""What single steps cost: decorating, overriding many slots at once, and the memory of a slot."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from benches.rows import Row
from benches.samples import Cache, Clock, Database, Part, hermetic, wide
from benches.timing import Effort, calls, interleave, shown
from oneiric import INJECTED, Inject, LayerContainer, inject
from oneiric.containers.wrapper import compiled

FUNCTIONS = 50
MAPPED = 1_000
REMEMBERED = 5_000
ROUNDS = 20
DECORATING_BUDGET_S = 150e-6
OVERRIDE_BUDGET_S = 5e-6
SLOT_BUDGET_BYTES = 1024


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows; the time or size that the design allows is the yardstick of each."""
    app = hermetic("mapped")
    names = [f"part_{n}" for n in range(MAPPED)]
    for name in names:
        app.slot(name, Part)
    app.override(LayerContainer("manifest", dict.fromkeys(names, Part)))
    given = {name: Part() for name in names}
    app.check()
    functions = [_function(n) for n in range(FUNCTIONS)]

    def override() -> float:
        began_s = time.process_time()
        handle = app.override(given)
        took_s = time.process_time() - began_s
        handle.undo()
        return took_s

    best_s = interleave(
        {
            "first": calls(lambda: (compiled.cache_clear(), inject(functions[0])), FUNCTIONS),
            "decorate": calls(lambda: (compiled.cache_clear(), [inject(function) for function in functions])),
            "override": override,
        },
        effort.rounds(ROUNDS),
    )
    first_s, decorate_s = best_s["first"] / FUNCTIONS, best_s["decorate"] / FUNCTIONS
    override_s = best_s["override"] / MAPPED
    yield _share(f"decorate {FUNCTIONS} functions of 3 parameters, each", decorate_s, DECORATING_BUDGET_S)
    yield replace(_share("decorate the first one of a shape", first_s, DECORATING_BUDGET_S), budget=None)
    yield _share(f"override a map of {MAPPED} slots, each", override_s, OVERRIDE_BUDGET_S)
    size = slot_bytes(REMEMBERED)
    yield Row(
        "memory of a slot with 2 bindings",
        size / SLOT_BUDGET_BYTES,
        1.0,
        f"ratio = {size:.0f} of {SLOT_BUDGET_BYTES} bytes, in an application of {REMEMBERED}",
    )


def slot_bytes(count: int) -> float:
    """Return how much memory one slot takes, with its two bindings, in bytes; the mean of `count`."""
    wide(1).check()  # what is made once for the process
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        app = wide(count)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(app.slots.by_name)


def _share(what: str, took_s: float, budget_s: float) -> Row:
    return Row(what, took_s / budget_s, 1.0, f"ratio = {shown(took_s)} of {shown(budget_s)}")


def _function(number: int) -> Callable[..., Cache]:
    """Return a function of three parameters, the names of which no other one has."""
    space: dict[str, Any] = {"Inject": Inject, "INJECTED": INJECTED, "Cache": Cache, "Store": Database, "Clock": Clock}
    marked = {"cache": "Cache", "store": "Store", "clock": "Clock"}
    written = ", ".join(f"{name}{number}: Inject[{type_}] = INJECTED" for name, type_ in marked.items())
    exec(f"def call{number}({written}) -> Cache: return cache{number}", space)
    function: Callable[..., Cache] = space[f"call{number}"]
    return function
