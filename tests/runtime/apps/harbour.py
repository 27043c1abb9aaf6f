"""An application whose parts fail or hang as the environment says: HARBOUR_OPEN, HARBOUR_CLOSE, HARBOUR_SERVICE."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from oneiric import INJECTED, AdapterSettings, Application, Event, Health, Inject, inject
from oneiric.core.log import log

app = Application("harbour")


class Quay:
    """The adapter that everything stands on."""

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def health(self) -> Health:
        """Always well."""
        return Health(True)


class Crane:
    """An adapter on the quay; it fails or hangs on demand."""

    class Settings(AdapterSettings):
        """It gets little time to close."""

        close_timeout_s: float = 0.2

    def __init__(self, settings: Settings, quay: Inject[Quay] = INJECTED) -> None:
        self.quay = quay

    async def open(self) -> None:
        """Do as HARBOUR_OPEN says."""
        log().info("crane opening")
        await act("HARBOUR_OPEN")

    async def close(self) -> None:
        """Do as HARBOUR_CLOSE says."""
        await act("HARBOUR_CLOSE")

    async def health(self) -> Health:
        """As HARBOUR_HEALTH says."""
        return Health("HARBOUR_HEALTH" not in os.environ, "hunter2")


async def act(variable: str) -> None:
    """Fail, hang, hold the loop, or do nothing."""
    match os.environ.get(variable):
        case "fail":
            raise ConnectionError("hunter2")
        case "hang":
            await asyncio.Event().wait()
        case "block":
            threading.Event().wait()


app.slot("quay", Quay)
app.slot("crane", Crane)
app.override({"quay": Quay, "crane": Crane})


@app.on("ship.arrived")
@inject
async def unload(event: Event, crane: Inject[Crane] = INJECTED) -> None:
    """Say that it ran."""
    log().info("ship unloaded", id=event.id)


@app.on("ship.waits")
@inject
async def wait_for_tide(event: Event, quay: Inject[Quay] = INJECTED) -> None:
    """Wait for SIGUSR1."""
    tide = app.__dict__.setdefault("tide", asyncio.Event())
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tide.set)
    log().info("ship waits", id=event.id)
    await tide.wait()
    log().info("ship unloaded", id=event.id)


@app.service("pilot")
@inject
async def pilot(quay: Inject[Quay] = INJECTED) -> None:
    """Stand by, or do as HARBOUR_SERVICE says."""
    await act("HARBOUR_SERVICE")
    try:
        await asyncio.Event().wait()
    finally:
        log().info("pilot home")
