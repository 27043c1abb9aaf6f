"""Litestar: `lifespan=[lifespan(app)]`, and `middleware=[DefineMiddleware(InjectionMiddleware, application=app)]`."""

from __future__ import annotations

from oneiric.containers.asgi import InjectionMiddleware
from oneiric.integrations.lifespan import lifespan

__all__ = ["InjectionMiddleware", "lifespan"]
