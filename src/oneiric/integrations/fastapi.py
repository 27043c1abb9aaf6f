"""FastAPI: `FastAPI(lifespan=lifespan(app))`, and `api.add_middleware(InjectionMiddleware, application=app)`."""

from __future__ import annotations

from oneiric.containers.asgi import InjectionMiddleware
from oneiric.integrations.lifespan import lifespan

__all__ = ["InjectionMiddleware", "lifespan"]
