"""Secrets over time: rotated when somebody says so, and read again in the background before they grow old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NamedTuple, Protocol

from oneiric.containers.known_secrets import KnownSecrets
from oneiric.containers.validation import Checked, settings_in_use
from oneiric.core.errors import SecretUnavailable
from oneiric.core.log import log

LEAST_WAIT_S = 1.0  # between two looks, also where the store's values are to be read again at once


class Rotation(NamedTuple):
    """
    What a rotation came to.

    Attributes:
        changed: The secrets that have a new version, sorted.
        generation: The generation that holds it; None where the application does not run.
    """

    changed: tuple[str, ...]
    generation: int | None


class Rotated(Checked, Protocol):
    """What rotation asks of an application."""

    secrets: KnownSecrets
    generation: int | None

    def renewed(self) -> int | None:
        """Begin a new generation, where the application runs; returns its number."""


async def rotate(application: Rotated, names: Iterable[str] | None = None) -> Rotation:
    """
    Read secrets again, and begin a new generation if one has changed; see `KnownSecrets.rotate`.

    Adapters that were built from the old value keep it until they are built again.
    """
    secrets = application.secrets
    asked = None if names is None else set(names)
    absent = {name for name, _ in secrets.cache.absent() if asked is None or name in asked}
    changed = {*await secrets.rotate(asked), *await _appeared(application, absent)}
    return Rotation(tuple(sorted(changed)), application.renewed() if changed else application.generation)


async def _appeared(application: Rotated, absent: Collection[str]) -> Iterable[str]:
    """Fetch what was absent and is wanted, and return what is there now. Raises SecretUnavailable as `rotate`."""
    secrets = application.secrets
    values = [value for _, _, values in settings_in_use(application) for value in values] if absent else []
    wanted = [key for value in values for key in value.wanted if key[0] in absent]
    await secrets.fetch(wanted)
    found = {name: secrets.cache.look(name, version) for name, version in wanted}
    for name, finding in found.items():
        if finding.state == "failed":
            raise SecretUnavailable("secrets", name, why=finding.why)
    return [name for name, finding in found.items() if finding.exists]


class Refresher:
    """
    Reads secrets again when their time is over, as long as it runs.

    Args:
        application: Whose secrets.
        wait: Waits a number of seconds.
    """

    def __init__(self, application: Rotated, wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._application, self._wait = application, wait
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if there is anything to read again."""
        if self._task is None and self._application.secrets.cache.next_due_s() is not None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        secrets = self._application.secrets
        while True:
            due_s = secrets.cache.next_due_s()  # None where all was forgotten, and nothing used since
            await self._wait(max(secrets.cache.ttl_s if due_s is None else due_s, LEAST_WAIT_S))
            if changed := await secrets.refresh():
                generation = self._application.renewed()
                log().info("secrets have new versions", resources=changed, generation=generation)
