"""The services of an application: each runs as a task from the start to the stop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from oneiric.containers.slots import Slots
from oneiric.core.errors import WrongType
from oneiric.core.log import log


class Supervised(Protocol):
    """What supervision asks of an application."""

    slots: Slots

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call an injected function for this application."""


class Supervisor:
    """
    Runs every function registered with `app.service`, side by side.

    Its limits: a service is asynchronous; all begin together, in no order among each other; one that returns is done;
    one that raises is logged and not started again, and `failed` tells whoever runs the process to stop it.

    Args:
        application: Whose services they are.

    Raises:
        WrongType: A service is no asynchronous function: it could not be cancelled.
    """

    def __init__(self, application: Supervised) -> None:
        self._application = application
        self._services: dict[str, Callable[..., Awaitable[None]]] = {}
        for name, slot in application.slots.parts["services"].items():
            function = slot()
            if not inspect.iscoroutinefunction(function):
                raise WrongType(f"services.{name}", "an asynchronous function", "a synchronous one")
            self._services[name] = function
        self._running: dict[str, asyncio.Task[None]] = {}
        self.failed = asyncio.Event()

    def start(self) -> None:
        """Start every service, in the order of registration."""
        for name, function in self._services.items():
            self._running[name] = asyncio.create_task(self._run(name, function), name=f"oneiric service {name}")

    async def stop(self, *, timeout_s: float) -> None:
        """
        Cancel the services one by one, the last registered first, and wait for each to end.

        Args:
            timeout_s: Seconds for all of them, 0 or more; each gets its share of what is left. One that does not end
                in time is logged and left behind.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while self._running:
            share_s = max(0.0, end_s - loop.time()) / len(self._running)
            name, task = self._running.popitem()
            task.cancel()
            _, late = await asyncio.wait({task}, timeout=share_s)
            if late:
                log().error("service did not stop in time", service=name)
                self.failed.set()

    async def _run(self, name: str, function: Callable[..., Awaitable[None]]) -> None:
        log().info("service started", service=name)
        try:
            await self._application.call(function)
        except Exception as error:  # border: a service may fail in any way; the process is told, and stops in order
            log().opt(exception=error).error("service failed", service=name)
            self.failed.set()
        else:
            log().info("service done", service=name)
