"""Secrets in environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, SecretBytes

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import AdapterSettings, Health
from oneiric.core.errors import NotFound, NotOpen, Unsupported

PREFIX = "SECRET_"
VERSION = "env"


class EnvSecrets:
    """
    Reads the variable of a secret at each call.

    The variable is the prefix and the name in upper case, dashes and dots as underscores: `cache-redis-password` is
    `SECRET_CACHE_REDIS_PASSWORD`. Names that differ only there share a variable. A variable that is empty counts as
    absent, as it does in every other layer. There is one version, `env`.

    Args:
        settings: The prefix.
        environ: Where to look; the environment of the process, at the time of each call, by default.
    """

    is_local: ClassVar[bool] = True  # it answers without waiting, so that explain may ask it at any time

    class Settings(AdapterSettings):
        """Which variables hold secrets."""

        prefix: str = Field(
            default=PREFIX,
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
            description="what every variable of a secret begins with",
        )

    def __init__(self, settings: Settings, *, environ: Mapping[str, str] | None = None) -> None:
        self._prefix = settings.prefix
        self._given = environ
        self._is_open = False

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def health(self) -> Health:
        return Health(self._is_open, f"variables {self._prefix}*" if self._is_open else "not open")

    def resource(self, name: str) -> str:
        """Return how explanations call a secret: by its variable."""
        return self.variable(name)

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        value = self._find(name, "get")
        if value is None or version not in {LATEST, VERSION}:
            what = "is not set" if value is None else f"has no version but {VERSION}"
            raise NotFound(f"{self.variable(name)} {what}", category="secrets", name="env", operation="get")
        # bytes that are no UTF-8 reach Python as surrogates, and leave it as the same bytes
        return Secret(name, SecretBytes(value.encode("utf-8", "surrogateescape")), VERSION)

    async def version(self, name: str) -> str | None:
        return None if self._find(name, "version") is None else VERSION

    async def put(self, name: str, value: SecretBytes) -> str:
        """Refuse: a variable that this process set would be seen by nobody else."""
        self._check_open("put")
        raise Unsupported("it lacks the capability write", category="secrets", name="env", operation="put")

    def variable(self, name: str) -> str:
        """Return the variable in which a secret of this name is looked for."""
        return self._prefix + name.upper().replace("-", "_").replace(".", "_")

    def _find(self, name: str, operation: str) -> str | None:
        self._check_open(operation)
        check_name(name, adapter="env", operation=operation)
        environ = os.environ if self._given is None else self._given
        return environ.get(self.variable(name)) or None

    def _check_open(self, operation: str) -> None:
        if not self._is_open:
            raise NotOpen(category="secrets", name="env", operation=operation)
