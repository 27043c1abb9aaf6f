"""An application in a folder, with its watcher, and how to wait for what it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

from pydantic import SecretStr

from oneiric import INJECTED, Application, Event, Inject, Inputs, Settings, inject
from oneiric.core.log import configure
from oneiric.runtime.watch import Watcher
from tests.support.wait import wait_until

ORDER = Event(type="order.created")
END_S = 20.0  # a limit for the wait, not a measurement


class ShopSettings(Settings, section="shop"):
    """A section of the application."""

    region: str = "none"
    token: SecretStr = SecretStr("of the code")


@inject
async def take(event: Event, settings: Inject[ShopSettings] = INJECTED) -> ShopSettings:
    """Return what it was given."""
    return settings


def shop(folder: Path, **environ: str) -> Application:
    """Return an application that is configured from a folder."""
    app = Application("shop", inputs=Inputs(environ=environ, folder=folder, settings=["swap.drain_grace_s=0"]))
    app.on("order.created", name="take")(take)
    return app


def region(name: str) -> str:
    """Return the text of a file that says one region."""
    return f'[settings.shop]\nregion = "{name}"\n'


@asynccontextmanager
async def watched(app: Application) -> AsyncIterator[StringIO]:
    """Run an application with its watcher; yields its log."""
    told = StringIO()
    configure(stream=told)
    async with app:
        watcher = Watcher(app)
        watcher.start()
        try:
            yield told
        finally:
            await watcher.stop()


async def until(predicate: Callable[[], object], what: str) -> None:
    """Wait, in a thread, until something is so."""
    await asyncio.to_thread(wait_until, predicate, END_S, what=what)


async def until_generation(app: Application, number: int) -> str:
    """Wait until a generation is in force; returns the region that a call is given then."""
    await until(lambda: app.generation == number, f"generation {number}")
    return (await take(ORDER)).region
