"""dependency-injector, the engine below Oneiric, with its own wiring."""

from __future__ import annotations

import sys

from dependency_injector import containers, providers
from dependency_injector.wiring import Closing, Provide, inject

from benches.samples import Cache, Clock, Database, Service, Session, session


class Container(containers.DeclarativeContainer):
    """Who makes what."""

    cache = providers.Singleton(Cache)
    database = providers.Singleton(Database)
    clock = providers.Singleton(Clock)
    session = providers.Resource(session)


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


@inject
async def request(session: Session = Closing[Provide[Container.session]]) -> Session:
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
Container().wire(modules=[sys.modules[__name__]])
