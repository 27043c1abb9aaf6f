"""A secret store for tests: it holds what a test puts in, and fails as a test says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import SecretBytes

from oneiric.adapters.secrets.common import LATEST, Secret
from oneiric.core.errors import AdapterError, Denied, NotFound, TimedOut, Unavailable
from oneiric.core.health import Health

State = Literal["ok", "denied", "unavailable", "timed-out"]
_FAULTS: Mapping[str, type[AdapterError]] = {"denied": Denied, "unavailable": Unavailable, "timed-out": TimedOut}


class FakeSecrets:
    """
    Secrets in memory; bind it with `app.override({"secrets": FakeSecrets({"db-password": "x"})})`.

    Each `put`, and each change through `rotate`, makes the next version: "1", "2" and so on. All versions are kept.

    Args:
        values: Text by name.
        state: What every call ends in: `ok`, or the error of that name.

    Attributes:
        asked: The names whose values were fetched, in order.
    """

    is_local: ClassVar[bool] = True  # it answers without waiting

    def __init__(self, values: Mapping[str, str] | None = None, *, state: State = "ok") -> None:
        self.state = state
        self.asked: list[str] = []
        self._versions = {name: [value.encode()] for name, value in (values or {}).items()}

    def rotate(self, name: str, value: str) -> None:
        """Give a secret a new value, which is its latest version from now on."""
        self._versions.setdefault(name, []).append(value.encode())

    def remove(self, name: str) -> None:
        """Take a secret away with all its versions."""
        self._versions.pop(name, None)

    async def open(self) -> None:
        """Do nothing: it is always there."""

    async def close(self) -> None:
        """Do nothing: a test may go on asking it."""

    async def health(self) -> Health:
        """Be healthy unless the test says otherwise."""
        return Health(self.state == "ok", self.state)

    def resource(self, name: str) -> str:
        """Return the name itself."""
        return name

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        """Return a secret; the latest version, or one from "1" on."""
        self._check("get")
        self.asked.append(name)
        held = self._versions.get(name, [])
        wanted = str(len(held)) if version == LATEST else version
        if not wanted.isdecimal() or not 1 <= int(wanted) <= len(held):
            raise NotFound("no such secret", category="secrets", name="fake", operation="get")
        return Secret(name, SecretBytes(held[int(wanted) - 1]), wanted)

    async def version(self, name: str) -> str | None:
        """Return the latest version, or None."""
        self._check("version")
        return str(len(self._versions[name])) if name in self._versions else None

    async def put(self, name: str, value: SecretBytes) -> str:
        """Store a value as the latest version."""
        self._check("put")
        self.rotate(name, value.get_secret_value().decode())
        return str(len(self._versions[name]))

    def _check(self, operation: str) -> None:
        if self.state != "ok":
            raise _FAULTS[self.state]("the test says so", category="secrets", name="fake", operation=operation)
