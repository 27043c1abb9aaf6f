"""What the rows are measured on: small classes, and applications of many slots."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from oneiric import Application, Inputs, LayerContainer


class Part:
    """An object that fills a slot."""

    def go(self) -> None:
        """Do nothing."""


class Cache(Part):
    """The first of the three types that a call asks for."""


class Database(Part):
    """The second."""


class Clock(Part):
    """The third."""


class Service:
    """A class that takes all three."""

    def __init__(self, cache: Cache, database: Database, clock: Clock) -> None:
        self.cache, self.database, self.clock = cache, database, clock


class Session:
    """What lives as long as a request."""

    def __init__(self) -> None:
        self.is_closed = False


async def session() -> AsyncIterator[Session]:
    """Make a session, and close it at the end."""
    made = Session()
    try:
        yield made
    finally:
        made.is_closed = True


class Cursor:
    """The same for synchronous code."""

    def __init__(self) -> None:
        self.is_closed = False


def cursor() -> Iterator[Cursor]:
    """Make a cursor, and close it at the end."""
    made = Cursor()
    try:
        yield made
    finally:
        made.is_closed = True


def hermetic(name: str) -> Application:
    """Return an application that reads nothing of this machine's environment."""
    return Application(name, inputs=Inputs(environ={}))


def wide(count: int) -> Application:
    """Return an application of `count` slots with two bindings each; it was not validated yet."""
    app = hermetic("wide")
    names = [f"part_{n}" for n in range(count)]
    for name in names:
        app.slot(name, Part)
    low, high = Part(), Part()
    app.override(LayerContainer("manifest", dict.fromkeys(names, low)))
    app.override(LayerContainer("explicit", dict.fromkeys(names, high)))
    return app
