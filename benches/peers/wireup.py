"""wireup: one container for each kind of call, since a function is either synchronous or not."""

from __future__ import annotations

from typing import Annotated, Any

from wireup import Inject, create_async_container, create_sync_container, inject_from_container, injectable

from benches.samples import Cache, Clock, Database, Service, Session, session

Injected = Inject()
container = create_sync_container(injectables=[injectable(type_) for type_ in (Cache, Database, Clock)])
async_container = create_async_container(injectables=[injectable(session, lifetime="scoped")])
by_container: Any = inject_from_container(container)  # it returns functions of other parameters


@by_container
def one(a: Annotated[Cache, Injected]) -> Cache:
    """Ask for 1."""
    return a


@by_container
def three(a: Annotated[Cache, Injected], b: Annotated[Database, Injected], c: Annotated[Clock, Injected]) -> Cache:
    """Ask for 3."""
    return a


@by_container
def eight(
    a: Annotated[Cache, Injected],
    b: Annotated[Database, Injected],
    c: Annotated[Clock, Injected],
    d: Annotated[Cache, Injected],
    e: Annotated[Database, Injected],
    f: Annotated[Clock, Injected],
    g: Annotated[Cache, Injected],
    h: Annotated[Database, Injected],
) -> Cache:
    """Ask for 8."""
    return a


@inject_from_container(async_container)
async def request(session: Annotated[Session, Injected]) -> Session:
    """Ask for a session that ends with the call."""
    return session


class Made(Service):
    """A class whose arguments are injected."""

    @by_container
    def __init__(
        self,
        cache: Annotated[Cache, Injected],
        database: Annotated[Database, Injected],
        clock: Annotated[Clock, Injected],
    ) -> None:
        super().__init__(cache, database, clock)


CALLS = {1: one, 3: three, 8: eight}
