"""What a running application can be asked and told from outside: plain data in and out, by whatever way it comes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from oneiric.containers.explanation import Explanation
from oneiric.core.errors import BadCommand, NotRunning
from oneiric.core.origins import FlagOrigin, Origin
from oneiric.runtime.activity import ActivityStore, Wanted
from oneiric.runtime.generations import SlotChange
from oneiric.runtime.looking import Running, explain_at, plan, shown
from oneiric.runtime.swap import Swapped

Fields = dict[str, Any]  # JSON
T = TypeVar("T")


class Commanded(Running, Protocol):
    """What commands ask of an application that runs."""

    async def swap(self, overriding: Mapping[Any, object], *, origin: Origin | None = None) -> Swapped:
        """Fill slots otherwise."""

    async def rollback(self, generation: int) -> Swapped:
        """Go back to an earlier generation."""

    def diff(self, before: int, after: int) -> tuple[SlotChange, ...]:
        """Return the slots that two generations fill otherwise."""


class Asked(Protocol):
    """Answers whether the process is ready: `Readiness` of the web."""

    async def look(self) -> Any:  # a snapshot of floor 5, which knows its `fields()`
        """Return the state of now."""


class Commands:
    """
    Carries out commands; each is a public method, and its parameters are the fields of the message.

    Args:
        application: The application that serves.
        readiness: Knows whether it does.
        activity: Keeps what happened.
    """

    def __init__(self, application: Commanded, readiness: Asked, activity: ActivityStore) -> None:
        self._app, self._readiness, self._activity = application, readiness, activity
        self._by_name: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Fields]]] = {
            "hello": self._hello,
            "swap": self._swap,
            "rollback": self._rollback,
            "generations": self._generations,
            "explain": self._explain,
            "health": self._health,
            "plan": self._plan,
            "activity": self._rows,
        }

    async def carry_out(self, message: Any) -> Fields:  # whatever came through the socket, parsed
        """
        Carry out one command and return its answer.

        Args:
            message: `{"op": "swap", "slots": {"cache": "memory"}}` and the like.

        Raises:
            BadCommand: There is no such command, or its fields do not fit.
            OneiricError: It failed; what served before serves on.
        """
        if not isinstance(message, dict):
            raise BadCommand("it is no JSON object")
        op = message.get("op")
        work = self._by_name.get(op) if isinstance(op, str) else None
        if work is None:
            raise BadCommand(f"op is one of {', '.join(sorted(self._by_name))}")
        return {**await self._hello(message), **await work(message)}

    async def _hello(self, message: Mapping[str, Any]) -> Fields:
        app = self._app
        return {"app": app.name, "profile": app.profile.name, "pid": os.getpid(), "generation": app.generation}

    async def _swap(self, message: Mapping[str, Any]) -> Fields:
        slots = _field(message, "slots", dict)
        if not slots or not all(isinstance(adapter, str) and adapter for adapter in slots.values()):
            raise BadCommand("slots is a map from the name of a slot to the name of an adapter")
        said = " ".join(f"{slot} {adapter}" for slot, adapter in slots.items())
        return (await self._app.swap(slots, origin=FlagOrigin(f"oneiric swap {said}"))).fields()

    async def _rollback(self, message: Mapping[str, Any]) -> Fields:
        return (await self._app.rollback(_field(message, "to", int))).fields()

    async def _generations(self, message: Mapping[str, Any]) -> Fields:
        kept, app = list(self._app.generations), self._app
        told = [
            {
                **one.fields(),
                "in_force": one.number == app.generation,
                "slots": [change.fields() for change in (app.diff(kept[n - 1].number, one.number) if n else ())],
            }
            for n, one in enumerate(kept)
        ]
        return {"generations": told}

    async def _explain(self, message: Mapping[str, Any]) -> Fields:
        name, at = _field(message, "name", str), _optional(message, "at", int)
        if self._app.state != "started":
            raise NotRunning(self._app.name, "this question")
        found: Explanation = self._app.explain(name) if at is None else explain_at(self._app, name, at)
        return {"explanation": found.fields(), "text": found.text(), "has_faults": bool(found.faults)}

    async def _health(self, message: Mapping[str, Any]) -> Fields:
        snapshot = await self._readiness.look()
        return {**snapshot.fields(), "generation": self._app.generation, "is_ready": snapshot.is_ready}

    async def _plan(self, message: Mapping[str, Any]) -> Fields:
        config = _optional(message, "config", str)
        if config is not None and not Path(config).is_absolute():
            raise BadCommand("config is an absolute path")
        inputs = self._app.inputs if config is None else replace(self._app.inputs, config=config)
        planned = plan(self._app, inputs)
        return {
            "config": config,
            "slots": [change.fields() for change in planned.slots],
            "settings": [
                {"name": key, "before": shown(before), "after": shown(after)}
                for key, (before, after) in sorted(planned.settings.items())
            ],
            "rebuilt": list(planned.rebuilt),
            "faults": [{**fault.problem.fields(), "text": str(fault)} for fault in planned.faults],
        }

    async def _rows(self, message: Mapping[str, Any]) -> Fields:
        kind, subject, since = (_optional(message, name, str) for name in ("kind", "subject", "since"))
        wanted = Wanted(kind, subject, since, _optional(message, "after", int) or 0)
        return {"activity": [one.fields() for one in await asyncio.wrap_future(self._activity.ask(wanted))]}


def _field(message: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = message.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadCommand(f"{name} is missing or of the wrong type")
    return value


def _optional(message: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    return None if message.get(name) is None else _field(message, name, kind)
