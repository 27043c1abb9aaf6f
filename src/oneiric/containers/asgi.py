"""A request scope for every ASGI application: one HTTP request or one websocket connection is one scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from oneiric.containers import active
from oneiric.containers.container import Container
from oneiric.containers.request import Request

# The shapes of the ASGI specification, version 3.0: https://asgi.readthedocs.io/en/latest/specs/main.html
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Message, Receive, Send], Awaitable[None]]
SERVED = "oneiric.served"  # in the scope of ASGI: whose request scopes are open for this connection
FIRST_FAILURE = 400
NORMAL_CLOSURES = frozenset({1000, 1001})  # RFC 6455 section 7.4.1


class InjectionMiddleware:
    """
    Pure ASGI middleware: injected calls below it belong to one application, and share one scope for each request.

    The scope ends when the wrapped application returns, which is after the last chunk of the body. What left an
    injected call reaches its resources even where a framework made a response of it: a status of 400 or more, or a
    websocket closed otherwise than normally, means that the request failed. An exception that somebody caught and
    answered with less closes them as usual.

    Args:
        app: What is wrapped, as every ASGI framework passes it.
        application: Whose slots are injected. Where the caller says which one by `using`, that one stays.
    """

    def __init__(self, app: AsgiApplication, application: Container) -> None:
        self.app = app
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # each framework has types of its own
        """Serve one request, one connection, or the lifespan of the server."""
        with active.serving(self.application):
            if scope["type"] not in {"http", "websocket"}:
                await self.app(scope, receive, send)
                return
            request = Request()
            served = scope.get(SERVED, ())
            if request.root in served:  # by the same middleware further out
                await self.app(scope, receive, send)
                return
            scope[SERVED] = (*served, request.root)

            async def note(message: Message) -> None:
                request.is_refused = request.is_refused or _is_refusal(message)
                await send(message)

            async with request:
                await self.app(scope, receive, note)


def _is_refusal(message: Message) -> bool:
    """Tell whether a message says that the request failed."""
    kind: str = message["type"]
    if kind == "websocket.close":
        return message.get("code", 1000) not in NORMAL_CLOSURES
    status: int = message["status"] if kind.endswith("http.response.start") else 0
    return status >= FIRST_FAILURE
