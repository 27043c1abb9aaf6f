"""Routing events: from a type to the handlers registered for it, each in a task scope of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, Protocol

from oneiric.containers import active, scopes
from oneiric.containers.child import ChildContainer
from oneiric.core.errors import OneiricError
from oneiric.core.event import UNSOURCED, Event
from oneiric.core.log import log
from oneiric.providers.slot import Slot

Outcome = Literal["handled", "failed"]


class HandlerResult(NamedTuple):
    """What one handler made of an event; `error` is set if it failed."""

    name: str
    outcome: Outcome
    error: Exception | None = None


class Dispatch(NamedTuple):
    """An event and what its handlers made of it, in the order of registration; no result means no subscriber."""

    event: Event
    results: tuple[HandlerResult, ...]

    @property
    def failed(self) -> tuple[HandlerResult, ...]:
        """The handlers that failed."""
        return tuple(result for result in self.results if result.outcome == "failed")


class Routed(Protocol):
    """What routing asks of an application."""

    name: str
    subscriptions: dict[str, list[Slot[Any]]]

    def scope(self, kind: str) -> scopes.Scoped:
        """Open a scope."""

    def bind(self, site: Any) -> tuple[Any, ...]:
        """Return the cells an injected function reads."""


class EventsContainer(ChildContainer):
    """`app.events`: the registered handlers, and `emit`."""

    def __init__(self, parts: Mapping[str, Slot[Any]], application: Routed) -> None:
        super().__init__("events", parts)
        self.__dict__["application"] = application

    async def emit(self, event: Event) -> Dispatch:
        """
        Hand an event to every handler registered for exactly its type.

        Each runs in a task scope of its own. One that fails does not keep the others from running; its exception is in
        the result. A synchronous handler runs in a worker thread.
        """
        return await dispatch(self.__dict__["application"], event)


async def dispatch(application: Routed, event: Event) -> Dispatch:
    """Run the handlers of an event's type, in the order of registration; see `EventsContainer.emit`."""
    if event.source == UNSOURCED:
        event = replace(event, source=f"/{application.name}")
    slots: Sequence[Slot[Any]] = application.subscriptions.get(event.type, ())
    results = [await _deliver(application, slot, event) for slot in slots]
    return Dispatch(event, tuple(results))


async def _deliver(application: Routed, slot: Slot[Any], event: Event) -> HandlerResult:
    try:
        with active.using(application):
            async with application.scope("task"):
                function = slot()
                if inspect.iscoroutinefunction(function):
                    await function(event)
                else:
                    result = await asyncio.to_thread(function, event)
                    if inspect.isawaitable(result):
                        await result
    except Exception as error:  # border: a handler may fail in any way; its siblings still run, and the caller is told
        _log_failure(slot, event, error)
        return HandlerResult(slot.name, "failed", error)
    log().debug("handler done", handler=slot.name, event_id=event.id, event_type=event.type)
    return HandlerResult(slot.name, "handled")


def _log_failure(slot: Slot[Any], event: Event, error: Exception) -> None:
    """Log why a handler failed; a backend that is busy says it in one line, since there may be hundreds of them."""
    fields = {"handler": slot.name, "event_id": event.id, "event_type": event.type}
    if isinstance(error, OneiricError) and error.retryable:
        log().warning("handler failed, the event may come again", error=error.message, **fields)
    else:
        log().opt(exception=error).error("handler failed", **fields)
