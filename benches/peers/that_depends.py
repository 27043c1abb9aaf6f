"""that-depends: a request is a context that a decorator opens around the injected call."""

from __future__ import annotations

from that_depends import BaseContainer, ContextScopes, Provide, container_context, inject, providers

from benches.samples import Cache, Clock, Database, Service, Session, session


class Container(BaseContainer):
    """Who makes what."""

    default_scope = ContextScopes.ANY
    cache = providers.Singleton(Cache)
    database = providers.Singleton(Database)
    clock = providers.Singleton(Clock)
    session = providers.ContextResource(session)


@inject
def one(a: Cache = Provide[Container.cache]) -> Cache:
    """Ask for 1."""
    return a


@inject
def three(
    a: Cache = Provide[Container.cache], b: Database = Provide[Container.database], c: Clock = Provide[Container.clock]
) -> Cache:
    """Ask for 3."""
    return a


@inject
def eight(
    a: Cache = Provide[Container.cache],
    b: Database = Provide[Container.database],
    c: Clock = Provide[Container.clock],
    d: Cache = Provide[Container.cache],
    e: Database = Provide[Container.database],
    f: Clock = Provide[Container.clock],
    g: Cache = Provide[Container.cache],
    h: Database = Provide[Container.database],
) -> Cache:
    """Ask for 8."""
    return a


@container_context(Container.session)
@inject
async def request(session: Session = Provide[Container.session]) -> Session:
    """Ask for a session that ends with the call."""
    return session


class Made(Service):
    """A class whose arguments are injected."""

    @inject
    def __init__(
        self,
        cache: Cache = Provide[Container.cache],
        database: Database = Provide[Container.database],
        clock: Clock = Provide[Container.clock],
    ) -> None:
        super().__init__(cache, database, clock)


CALLS = {1: one, 3: three, 8: eight}
