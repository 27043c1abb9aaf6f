"""One request that a framework serves: a scope of the active application, and what became of the request."""

from __future__ import annotations

from oneiric.containers import active
from oneiric.containers.scopes import Scope, Scoped


class Request:
    """
    The scope of one request, as a `with` or `async with` block; it belongs to the application that is active here.

    Attributes:
        root: What scopes of that application belong to; the same for all its requests.
        scope: The scope.
        is_refused: The framework answered that the request failed. An exception that left an injected call inside
            reaches the resources then, although the framework kept it to itself.
    """

    def __init__(self) -> None:
        view = active.active()
        self.root: object = getattr(view, "wiring", view).root
        self._scoped = Scoped("request", self.root)
        self.scope: Scope = self._scoped.scope
        self.is_refused = False

    def __enter__(self) -> Request:
        self._scoped.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._scoped.__exit__(kind, self._failure(error), trace)

    async def __aenter__(self) -> Request:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._scoped.__aexit__(kind, self._failure(error), trace)

    def _failure(self, error: BaseException | None) -> BaseException | None:
        return self.scope.failure if error is None and self.is_refused else error
