"""Which of the other libraries are installed here: `make bench` installs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from benches.rows import Row

PEERS = {  # the name that people know: what is imported, and our file
    "dependency-injector": ("dependency_injector", "engine"),
    "dishka": ("dishka", "dishka"),
    "wireup": ("wireup", "wireup"),
    "that-depends": ("that_depends", "that_depends"),
}


def load(peers: Mapping[str, tuple[str, str]] = PEERS) -> dict[str, Any]:
    """Return the file of each library by its name; None for one that is not installed."""
    return {
        name: import_module(f"benches.peers.{file}") if find_spec(module) is not None else None
        for name, (module, file) in peers.items()
    }


def rows(what: str, peers: Mapping[str, Any], ratio: Callable[[str], float]) -> Iterator[Row]:
    """Yield one row a library, for comparison only; one that is not installed says so."""
    for name, peer in peers.items():
        if peer is None:
            yield Row(f"{what}: {name}", None, None, "not installed")
        else:
            yield Row(f"{what}: {name}", ratio(name), None, f"{name} {version(name)}")
