"""Backends for tests of change: they remember their life, and complain when they are used or closed wrongly."""

from __future__ import annotations

import asyncio

from oneiric import INJECTED, Application, Event, Inject, Inputs, LayerContainer, inject
from oneiric.core.health import Health


class Backend:
    """Something that is opened, used and closed."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.callers = 0
        Log.made.append(self)

    async def open(self) -> None:
        """Open it."""
        await asyncio.sleep(0)
        self.opened += 1

    async def close(self) -> None:
        """Close it; whoever uses it now is cut off, which is noted."""
        self.closed += 1
        if self.callers:
            Log.cut_off.append(self)

    async def health(self) -> Health:
        """Say that it is well."""
        return Health(True)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self.opened == 1 and self.closed == 0


class First(Backend):
    """One backend."""


class Second(Backend):
    """Another one."""


class Sick(Backend):
    """One that opens and is not well."""

    async def health(self) -> Health:
        """Say that it is not well."""
        return Health(False, "it coughs")


class Broken(Backend):
    """One that does not open."""

    async def open(self) -> None:
        """Fail."""
        raise OSError("no route")


class Unbuildable(Backend):
    """One that cannot even be made."""

    def __init__(self) -> None:
        raise ValueError("bad argument")


class Repository:
    """Built from a backend."""

    def __init__(self, backend: Inject[Backend] = INJECTED) -> None:
        self.backend = backend


class Twin(Repository):
    """Another one."""


class Service:
    """Built from a repository and the backend."""

    def __init__(self, repository: Inject[Repository] = INJECTED, backend: Inject[Backend] = INJECTED) -> None:
        self.repository, self.backend = repository, backend


class Log:
    """What happened to all backends of a test."""

    made: list[Backend]
    cut_off: list[Backend]

    @classmethod
    def clear(cls) -> None:
        """Forget everything."""
        cls.made, cls.cut_off = [], []


Log.clear()


def build(base: str = "explicit") -> Application:
    """
    Return an application with a backend, two layers of dependants, and a handler that uses all of them.

    Args:
        base: The layer that says which backend it is at first.
    """
    Log.clear()
    app = Application("changing", inputs=Inputs(environ={"ONEIRIC_SWAP__DRAIN_GRACE_S": "0"}))
    app.slot("backend", Backend)
    app.provide("repository")(Repository)
    app.provide("service")(Service)
    app.override(LayerContainer(base, {"backend": First}))
    app.on("call", name="use")(use)
    return app


class Mixed(Exception):
    """A call saw objects of two generations."""


@inject
async def use(
    event: Event,
    service: Inject[Service] = INJECTED,
    repository: Inject[Repository] = INJECTED,
    backend: Inject[Backend] = INJECTED,
) -> Backend:
    """Use everything for a few turns of the loop. Raises Mixed if it is not all of one generation."""
    if not (service.backend is backend is repository.backend and service.repository is repository):
        raise Mixed
    backend.callers += 1
    try:
        for _ in range(3):
            await asyncio.sleep(0)
            if not backend.is_open:
                raise OSError("used after it was closed")
        return backend
    finally:
        backend.callers -= 1
