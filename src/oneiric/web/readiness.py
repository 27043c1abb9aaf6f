"""Whether the application takes requests now, and who keeps it from that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from oneiric.core.health import Health
from oneiric.core.profiles import Profile

HEALTH_TTL_S = 5.0

Phase = Literal["starting", "started", "draining"]


class Watched(Protocol):
    """What readiness asks of an application."""

    name: str

    @property
    def profile(self) -> Profile:
        """The profile in force."""

    @property
    def running(self) -> int | None:
        """The generation in force; None where it does not run."""

    async def health(self) -> Mapping[str, Health]:
        """Ask every open adapter for its health; by slot name."""


class Snapshot(NamedTuple):
    """
    One answer to "is it ready?".

    Attributes:
        phase: Where the process is in its life.
        health: The health of every open adapter by slot name; empty unless the phase is `started`.
        app: The application's name.
        profile: The profile's name.
        uptime_s: Seconds since the process began to start.
        generation: The generation in force; None where the application does not run.
    """

    phase: Phase
    health: Mapping[str, Health]
    app: str
    profile: str
    uptime_s: float
    generation: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is started and every open adapter is healthy."""
        return self.phase == "started" and all(health.ok for health in self.health.values())

    def fields(self) -> dict[str, Any]:  # JSON
        """Return the snapshot ready for JSON: names and states, never a setting or the text of an adapter."""
        status = self.phase if self.phase != "started" else "ready" if self.is_ready else "failing"
        subjects: list[dict[str, str | None]]
        if self.phase != "started":
            subjects = [{"subject": "app", "state": self.phase, "health": "failing", "code": f"app-{self.phase}"}]
        else:
            subjects = [_subject(slot, health) for slot, health in sorted(self.health.items())]
        return {
            "schema": 1,
            "kind": "health",
            "status": status,
            "app": self.app,
            "profile": self.profile,
            "generation": self.generation,
            "uptime_s": round(self.uptime_s, 3),
            "subjects": subjects,
        }


class Readiness:
    """
    Follows one application from its start to its stop.

    Args:
        application: Whose readiness it is.
        clock: Returns seconds that never run backwards.

    Attributes:
        phase: Where the process is in its life.
    """

    def __init__(self, application: Watched, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.phase: Phase = "starting"
        self._application = application
        self._clock = clock
        self._began_s = clock()
        self._asking: asyncio.Task[Mapping[str, Health]] | None = None
        self._health: Mapping[str, Health] = {}
        self._known_until_s = self._began_s

    def start(self) -> None:
        """The start is done; one that is draining stays so."""
        if self.phase == "starting":
            self.phase = "started"

    def drain(self) -> None:
        """From now on the process is not ready; may be called from a signal handler."""
        self.phase = "draining"

    async def look(self) -> Snapshot:
        """Return the state of now; adapters are asked at most every 5 s, however many callers there are."""
        health: Mapping[str, Health] = {}
        if self.phase == "started":
            health = await self._adapters()
        name, profile = self._application.name, self._application.profile.name
        generation = self._application.running
        return Snapshot(self.phase, health, name, profile, self._clock() - self._began_s, generation)

    async def _adapters(self) -> Mapping[str, Health]:
        if self._asking is None:
            if self._clock() < self._known_until_s:
                return self._health
            self._asking = asyncio.ensure_future(self._ask())
        # A caller that hangs up must not take the answer away from the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Mapping[str, Health]:
        try:
            self._health = await self._application.health()
            self._known_until_s = self._clock() + HEALTH_TTL_S
        finally:
            self._asking = None
        return self._health


def _subject(slot: str, health: Health) -> dict[str, str | None]:
    state, code = ("ok", None) if health.ok else ("failing", "unhealthy")
    return {"subject": f"slot:{slot}", "state": "open", "health": state, "code": code}
