"""FastMCP: `FastMCP("shop", lifespan=lifespan(app), middleware=[InjectionMiddleware(app)])`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from oneiric.containers import active
from oneiric.containers.container import Container
from oneiric.containers.request import Request
from oneiric.integrations import lifespan as lifespans
from oneiric.runtime.application import Application

_call: ContextVar[Request | None] = ContextVar("oneiric_mcp_call", default=None)


class InjectionMiddleware(Middleware):
    """
    Injected calls below it belong to one application; a tool call, a resource that is read and a prompt are a scope.

    Args:
        application: Whose slots are injected. Where the caller says which one by `using`, that one stays.
    """

    def __init__(self, application: Container) -> None:
        self.application = application

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Call a tool."""
        return await self._serve(context, call_next)

    async def on_read_resource(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Read a resource."""
        return await self._serve(context, call_next)

    async def on_get_prompt(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Render a prompt."""
        return await self._serve(context, call_next)

    async def _serve(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        with active.serving(self.application):
            request, outer = Request(), _call.get()
            if outer is not None and not outer.scope.is_closed and outer.root is request.root:
                return await call_next(context)  # on a server that is mounted, or in a tool that calls another one
            token = _call.set(request)
            try:
                async with request:
                    result = await call_next(context)
                    request.is_refused = getattr(result, "is_error", False)
                    return result
            finally:
                _call.reset(token)


def lifespan(application: Application) -> Callable[[object], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return the lifespan of an MCP server: the application runs from its start to its stop, unless it ran before."""
    around = lifespans.lifespan(application)

    @asynccontextmanager
    async def run(server: object) -> AsyncIterator[dict[str, Any]]:
        async with around(server):
            yield {}

    return run
