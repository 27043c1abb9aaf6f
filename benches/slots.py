"""Getting the object of a slot, against a bare engine `Singleton`."""

from __future__ import annotations

from collections.abc import Iterator

from dependency_injector import providers

from benches.rows import Row
from benches.samples import Cache, hermetic
from benches.timing import Effort, calls, interleave, shown
from oneiric import LayerContainer
from oneiric.providers.slot import Slot

LAYERS = 64
CALLS = 20_000
ROUNDS = 60
BUDGET = 1.5


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of getting: with one layer, and with many."""
    singleton = providers.Singleton(Cache)
    singleton()
    best_s = interleave(
        {
            "engine": calls(singleton, CALLS),
            "one": calls(_built(1), CALLS),
            "many": calls(_built(LAYERS), CALLS),
        },
        effort.rounds(ROUNDS),
    )
    engine_s, one_s, many_s = best_s["engine"], best_s["one"], best_s["many"]
    yield Row(
        "get a slot, 1 layer",
        one_s / engine_s,
        BUDGET,
        f"{shown(one_s / CALLS)} against {shown(engine_s / CALLS)} of an engine Singleton",
    )
    yield Row(f"get a slot, {LAYERS} layers", many_s / engine_s, BUDGET, f"{many_s / one_s:.2f}x of 1 layer")


def _built(layers: int) -> Slot:
    """Return a slot whose object is built, under that many layers."""
    app = hermetic("deep")
    slot = app.slot("part", Cache)
    for _ in range(layers):
        app.override(LayerContainer("manifest", {"part": Cache}))
    slot()
    return slot
