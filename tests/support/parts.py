"""Three adapters that need each other and write down their life: `High` needs `Middle`, that needs `Low`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from oneiric import INJECTED, Application, Inject, Inputs
from oneiric.core.adapter import AdapterSettings, Health

Act = Callable[[], Awaitable[None]]


class Journal:
    """
    What happened to the parts, in order, and what shall happen.

    Attributes:
        entries: `opening low`, `open low`, `close low`; one that fails to open leaves only its first.
        acts: What to await at one of these moments, such as `opening low` or `close low`.
        is_ok: What the parts say about their health.
    """

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.acts: dict[str, Act] = {}
        self.is_ok = True

    async def write(self, entry: str) -> None:
        """Write an entry, then act."""
        self.entries.append(entry)
        if entry in self.acts:
            await self.acts[entry]()

    def of(self, verb: str) -> list[str]:
        """Return the parts of all entries with one verb, in order."""
        return [part for said, part in (entry.split() for entry in self.entries) if said == verb]


class Part:
    """An adapter that writes into the journal of its application."""

    name = ""
    journal = Journal()  # replaced by `tower`: the classes are shared by all towers

    class Settings(AdapterSettings):
        """Those of every adapter."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def open(self) -> None:
        """Write `opening`, act, write `open`."""
        await Part.journal.write(f"opening {self.name}")
        await Part.journal.write(f"open {self.name}")

    async def close(self) -> None:
        """Write `close`, and act."""
        await Part.journal.write(f"close {self.name}")

    async def health(self) -> Health:
        """Act, and say what the journal says."""
        await Part.journal.write(f"health {self.name}")
        return Health(Part.journal.is_ok)


class Low(Part):
    """Needs nobody."""

    name = "low"


class Other(Low):
    """Another one in the place of `Low`."""

    name = "other"


class Side(Part):
    """Needs nobody, and nobody needs it."""

    name = "side"


class Middle(Part):
    """Needs `Low`."""

    name = "middle"

    def __init__(self, settings: Part.Settings, low: Inject[Low] = INJECTED) -> None:
        super().__init__(settings)
        self.low = low


class High(Part):
    """Needs `Middle`."""

    name = "high"

    def __init__(self, settings: Part.Settings, middle: Inject[Middle] = INJECTED) -> None:
        super().__init__(settings)
        self.middle = middle


def tower(*settings: str, eager: bool = True, **environ: str) -> tuple[Application, Journal]:
    """
    Return an application of the parts high, middle, low and side, and their new journal.

    Args:
        settings: Values as `--set` takes them: `low.Low.open_timeout_s=0.05`.
        eager: They are opened by the start; otherwise by their first use.
        environ: The whole environment of the application.
    """
    Part.journal = Journal()
    app = Application("tower", inputs=Inputs(settings=settings, environ=environ, folder=Path("no-such-folder")))
    parts: dict[str, type[Part]] = {"high": High, "middle": Middle, "low": Low, "side": Side}
    for name, part in parts.items():
        app.slot(name, part, eager=eager)
    app.override(parts)
    return app, Part.journal
