"""The engine used as its own documentation says: what the tests of its traps compare us with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from dependency_injector.containers import Container


@contextmanager
def wired(container: Container, *functions: Callable[..., Any]) -> Iterator[ModuleType]:
    """Wire functions that the engine's `inject` decorates, as the members of a module of their own; then unwire it."""
    module = ModuleType("handlers")
    for function in functions:
        setattr(module, function.__name__, function)
    container.wire(modules=[module])
    try:
        yield module
    finally:
        container.unwire()
