"""What every store of secrets does, and the grammar of their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import SecretBytes

from oneiric.core.errors import InvalidInput

LATEST = "latest"
MAX_NAME_CHARS = 255
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Secret:
    """
    One secret at one version.

    Attributes:
        name: The name that was asked for.
        value: The value; it hides itself in every text.
        version: The version that the store holds now; opaque, and nothing of the value can be had from it.
    """

    name: str
    value: SecretBytes
    version: str


@runtime_checkable
class Secrets(Protocol):
    """
    A store of secrets.

    Absent is `NotFound`, refused is `Denied`, not to be had is `Unavailable`, too slow is `TimedOut`. They are never
    mixed up: an application may fall back to another layer when a secret is absent, and must not when a store is down.
    """

    async def get(self, name: str, *, version: str = "latest") -> Secret:
        """
        Return a secret.

        Args:
            name: 1 to 255 of `A-Z a-z 0-9 _ . -`, beginning with a letter, a digit or an underscore.
            version: A version of this store, or `latest`.

        Raises:
            NotFound: The store has no such secret, or not in this version.
            Denied: It may not be read.
            Unavailable: The store cannot be reached.
            TimedOut: The store did not answer in time.
            InvalidInput: The name breaks the grammar.
            NotOpen: The adapter is not open.
        """
        ...

    async def version(self, name: str) -> str | None:
        """Return the latest version without fetching the value, or None if there is no such secret; errors as `get`."""
        ...

    async def put(self, name: str, value: SecretBytes) -> str:
        """
        Store a value as the latest version, and return that version.

        Raises:
            Unsupported: The adapter lacks the capability `write`.
            Denied: It may not be written.
            Unavailable: The store cannot be reached.
            TimedOut: The store did not answer in time.
            InvalidInput: The name breaks the grammar.
            NotOpen: The adapter is not open.
        """
        ...


def check_name(name: str, *, adapter: str, operation: str) -> None:
    """
    Let a name pass that keeps to the grammar; one that does is a plain file name and no path.

    Raises:
        InvalidInput: It does not; the error does not repeat it, since a value may have been passed by mistake.
    """
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"a secret's name is 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 _ . - and does not begin with . or -",
            category="secrets",
            name=adapter,
            operation=operation,
        )
