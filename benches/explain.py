"""Asking: the record of one slot, and a full explanation."""

from __future__ import annotations

from collections.abc import Iterator

from benches.rows import Row
from benches.samples import wide
from benches.timing import Effort, calls, interleave, shown

SLOTS = 1_000
ROUNDS = 30
LOOKUPS = 2_000
EXPLANATIONS = 20
LOOKUP_BUDGET_S = 50e-6
EXPLAIN_BUDGET_S = 5e-3


def measure(effort: Effort) -> Iterator[Row]:
    """Yield the rows of asking; the same look-up by hand is too short to be a yardstick, so the page's time is one."""
    app = wide(SLOTS)
    app.check()
    name = f"part_{SLOTS // 2}"
    by_hand = dict(app.slots.by_name)
    records = dict(app.index.records)
    best_s = interleave(
        {
            "dict": calls(lambda: records[by_hand[name]], LOOKUPS),
            "index": calls(lambda: app.index.records[app.slot(name)], LOOKUPS),
            "explain": calls(lambda: app.explain("cache"), EXPLANATIONS),
        },
        effort.rounds(ROUNDS),
    )
    index_s, explain_s = best_s["index"] / LOOKUPS, best_s["explain"] / EXPLANATIONS
    yield Row(
        f"look up one slot of {SLOTS}",
        index_s / LOOKUP_BUDGET_S,
        1.0,
        f"ratio = {shown(index_s)} of {shown(LOOKUP_BUDGET_S)}; {best_s['index'] / best_s['dict']:.0f}x of two dicts",
    )
    yield Row(
        f"explain cache among {SLOTS} slots, with settings and counterfactuals",
        explain_s / EXPLAIN_BUDGET_S,
        1.0,
        f"ratio = {shown(explain_s)} of {shown(EXPLAIN_BUDGET_S)}",
    )
