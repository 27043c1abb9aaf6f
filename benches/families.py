"""The families of rows: a new one is a file with a function, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benches import (
    asgi,
    changing,
    costs,
    explain,
    first,
    graph,
    injection,
    processes,
    ready,
    resources,
    settings,
    size,
    slots,
    threads,
)
from benches.rows import Row
from benches.timing import Effort

Family = Callable[[Effort], Iterator[Row]]

FAMILIES: Mapping[str, Family] = {
    "slots": slots.measure,
    "injection": injection.measure,
    "resources": resources.measure,
    "asgi": asgi.measure,
    "first": first.measure,
    "costs": costs.measure,
    "threads": threads.measure,
    "graph": graph.measure,
    "settings": settings.measure,
    "explain": explain.measure,
    "changing": changing.measure,
    "processes": processes.measure,
    "ready": ready.measure,
    "size": size.measure,
}
