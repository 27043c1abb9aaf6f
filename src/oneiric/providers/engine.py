"""
The one import of dependency-injector.

Importing the engine also imports pydantic-settings, FastAPI, Starlette, werkzeug and PyYAML where they are installed
(its `wiring` and `providers` modules try them all; version 4.49.1). None is needed here and they cost more than all of
Oneiric, so they are hidden from that one import, in this thread only.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

OPTIONAL = frozenset(
    {"fastapi", "fast_depends", "starlette", "werkzeug", "flask", "yaml", "pydantic", "pydantic_settings"}
)


class _Hidden(MetaPathFinder):
    """Answers "no such module" for the engine's optional imports, to the thread that imports the engine."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse the optional modules; leave everything else to the finders that follow."""
        if fullname.partition(".")[0] in OPTIONAL and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {fullname!r} (hidden from the engine)", name=fullname)
        return None


@contextmanager
def _hiding() -> Iterator[None]:
    finder = _Hidden()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


with _hiding():
    from dependency_injector.containers import DynamicContainer
    from dependency_injector.providers import Factory, Object, Provider, is_provider, traverse
    from dependency_injector.wiring import Provide

ProvideMarker: type[Any] = Provide  # type: ignore[assignment]  # the stub hides that the marker is a class

__all__ = ["DynamicContainer", "Factory", "Object", "Provide", "ProvideMarker", "Provider", "is_provider", "traverse"]
