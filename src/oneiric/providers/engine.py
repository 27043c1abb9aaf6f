"""
The one import of dependency-injector.

Importing the engine also imports pydantic-settings, FastAPI, Starlette, werkzeug and PyYAML where they are installed
(its `wiring` and `providers` modules try them all; version 4.49.1). None is needed here and they cost more than all of
Oneiric, so they are hidden from that one import, in this thread only.
"""

from __future__ import annotations

from typing import Any

from oneiric.core.importing import hiding

OPTIONAL = frozenset(
    {"fastapi", "fast_depends", "starlette", "werkzeug", "flask", "yaml", "pydantic", "pydantic_settings"}
)


with hiding(OPTIONAL):
    from dependency_injector.containers import DynamicContainer
    from dependency_injector.providers import Factory, Object, Provider, Resource, is_provider, traverse
    from dependency_injector.wiring import Provide

ProvideMarker: type[Any] = Provide  # type: ignore[assignment]  # the stub hides that the marker is a class

__all__ = [
    "DynamicContainer",
    "Factory",
    "Object",
    "Provide",
    "ProvideMarker",
    "Provider",
    "Resource",
    "is_provider",
    "traverse",
]
