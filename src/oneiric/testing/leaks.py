"""What a test leaves behind in an application that was there before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from oneiric.containers import active
from oneiric.containers.local import LocalOverride
from oneiric.core.origins import OverrideOrigin
from oneiric.providers.slot import Slot

RUNNING = frozenset({"starting", "started"})


class Watch:
    """
    One application, as it was when a test began.

    Args:
        application: A container or an application.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self._state = application.state
        self._layers = frozenset(application.applied)
        self._decorations = {slot: slot.decorations for slot in application.slots.every()}
        self._tasks, self._open = _tasks(application), _open_slots(application)
        self._objects = {}
        if self._state == "started":
            self._objects = {slot: slot.cell.live for slot in self._decorations if slot.cell.is_built}
        self._ledger, application.wiring.ledger = application.wiring.ledger, []

    def end(self) -> list[str]:
        """Return what was left behind, one text for each; overrides and decorations are taken away."""
        opened, self.application.wiring.ledger = self.application.wiring.ledger, self._ledger
        left = [*self._opened(opened or []), *self._overrides(), *self._decorated()]
        if self.application.state in RUNNING and self._state not in RUNNING:
            left.append("its start: it was not stopped")
        left += [f"task {task.get_name()}: it still runs" for task in self._running()]
        left += [f"slot {slot.name}: it holds another object than before" for slot in self._swapped()]
        return [f"application {self.application.name}: {one}" for one in left]

    def _opened(self, opened: Iterable[Any]) -> Iterator[str]:
        """Yield the local overrides and scopes that are still open; the overrides end here, the latest first."""
        left = [one for one in opened if one.is_open]
        for one in reversed(left):
            if isinstance(one, LocalOverride):
                yield f"local override of {_said(one.given.items())}"
                one.undo()
            else:
                yield f"scope {one.scope.kind}: it was not closed"

    def _overrides(self) -> Iterator[str]:
        for layer in reversed(self.application.applied):
            if layer not in self._layers:
                at = f" at {layer.origin.at}" if isinstance(layer.origin, OverrideOrigin) else ""
                keys = [*layer.bindings, *layer.settings, *layer.deny]
                yield f"override of {', '.join(map(_name, keys)) or 'nothing'}{at}"
                self.application.drop(layer)

    def _decorated(self) -> Iterator[str]:
        for slot, before in self._decorations.items():
            for decoration in slot.decorations:
                if decoration not in before:
                    yield f"decoration of {slot.name} by {decoration.label}"
                    self.application.stack.undecorate(slot, decoration)

    def _running(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that were left in a loop that goes on; an adapter that was opened meanwhile has its own."""
        if _open_slots(self.application) != self._open:
            return []
        left = (task for task in _tasks(self.application) - self._tasks if not _is_ours(task))
        return sorted(left, key=asyncio.Task.get_name)

    def _swapped(self) -> list[Slot[Any]]:
        """Return the slots that held an object before, in an application that runs, and hold another one now."""
        if self.application.state != "started":
            return []
        return [slot for slot, live in self._objects.items() if slot.cell.is_built and slot.cell.live is not live]


class Leaks:
    """All applications that are there when a test begins; one that the test makes itself goes with the test."""

    def __init__(self) -> None:
        self._watches = {id(one): Watch(one) for one in active.living() if _is_made(one)}

    def watch(self, application: Any) -> None:
        """Watch an application as well that a fixture of the test has made."""
        if id(application) not in self._watches:
            self._watches[id(application)] = Watch(application)

    def end(self) -> list[str]:
        """Return what the test left behind, sorted by application."""
        watches = sorted(self._watches.values(), key=lambda watch: str(watch.application.name))
        self._watches = {}
        return [text for watch in watches for text in watch.end()]


def _is_made(application: Any) -> bool:
    """Tell whether its constructor came to its end: one that failed may still be in memory."""
    return hasattr(application, "state") and hasattr(application, "wiring")


def _tasks(application: Any) -> set[asyncio.Task[Any]]:
    """Return the tasks of the loop that an application lives in, where it stands still."""
    loop = application.lifecycle.loop if hasattr(application, "lifecycle") else None
    return set() if loop is None or loop.is_closed() else {one for one in asyncio.all_tasks(loop) if not one.done()}


def _open_slots(application: Any) -> list[str]:
    return application.lifecycle.open_slots if hasattr(application, "lifecycle") else []


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Tell whether the framework runs a task, as it does to close what nobody uses any more."""
    code = getattr(task.get_coro(), "cr_code", None)
    frame = getattr(task.get_coro(), "cr_frame", None)
    return code is not None and frame is not None and str(frame.f_globals.get("__name__", "")).startswith("oneiric.")


def _said(given: Iterable[tuple[Any, Any]]) -> str:
    """Return the slots of a local override, and where it was made."""
    pairs = [(slot.name, binding.origin) for slot, binding in given]
    at = next((f" at {origin.at}" for _, origin in pairs if isinstance(origin, OverrideOrigin)), "")
    return f"{', '.join(name for name, _ in pairs)}{at}"


def _name(key: Any) -> str:
    """Return how a layer's key is called: a name, or that of a slot or type."""
    return key if isinstance(key, str) else str(getattr(key, "name", None) or getattr(key, "__name__", key))
