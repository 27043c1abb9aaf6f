"""dishka: one container for each kind of call, since a function is either synchronous or not."""

from __future__ import annotations

from typing import Any

from dishka import AsyncContainer, Container, FromDishka, Provider, Scope, make_async_container, make_container
from dishka.integrations.base import wrap_injection

from benches.samples import Cache, Clock, Database, Service, Session, session

parts = Provider(scope=Scope.APP)
for part in (Cache, Database, Clock):
    parts.provide(part)
sessions = Provider(scope=Scope.REQUEST)
sessions.provide(session)
container = make_container(parts)
async_container = make_async_container(sessions)


def _container(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Container:
    return container


def _async_container(args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncContainer:
    return async_container


def one(a: FromDishka[Cache]) -> Cache:
    """Ask for 1."""
    return a


def three(a: FromDishka[Cache], b: FromDishka[Database], c: FromDishka[Clock]) -> Cache:
    """Ask for 3."""
    return a


def eight(
    a: FromDishka[Cache],
    b: FromDishka[Database],
    c: FromDishka[Clock],
    d: FromDishka[Cache],
    e: FromDishka[Database],
    f: FromDishka[Clock],
    g: FromDishka[Cache],
    h: FromDishka[Database],
) -> Cache:
    """Ask for 8."""
    return a


async def _request(session: FromDishka[Session]) -> Session:
    return session


def _init(self: Service, cache: FromDishka[Cache], database: FromDishka[Database], clock: FromDishka[Clock]) -> None:
    Service.__init__(self, cache, database, clock)


class Made(Service):
    """A class whose arguments are injected."""

    __init__ = wrap_injection(func=_init, container_getter=_container)


CALLS = {n: wrap_injection(func=f, container_getter=_container) for n, f in ((1, one), (3, three), (8, eight))}
request = wrap_injection(func=_request, container_getter=_async_container, is_async=True, manage_scope=True)
