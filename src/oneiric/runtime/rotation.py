"""Secrets over time: rotated when somebody says so, and read again in the background before they grow old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NamedTuple, Protocol

from oneiric.containers.known_secrets import KnownSecrets
from oneiric.containers.validation import Checked, settings_in_use
from oneiric.core.errors import OneiricError, SecretUnavailable
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

    outdated: set[str]

    async def renewed(self) -> int | None:
        """Build anew what outdated secrets are in, as a new generation, where it runs; returns the number in force."""


async def rotate(application: Rotated, names: Iterable[str] | None = None) -> Rotation:
    """
    Read secrets again, and swap what was built from a value that has changed; see `KnownSecrets.rotate`.

    Raises:
        SecretUnavailable: The store did not answer; the old values serve on.
        SwapFailed: Something cannot be built with the new values; the old objects serve on. The next rotation or reload
            tries again.
    """
    changed = await reread(application, names)
    return Rotation(tuple(changed), await application.renewed())


async def reread(application: Rotated, names: Iterable[str] | None = None) -> list[str]:
    """
    Read secrets again, all that were read by default, also those that were not there.

    Returns:
        The names of those that have another version, are there now, or are gone; sorted. They count as outdated from
        here on: what was built has the old values.

    Raises:
        SecretUnavailable: The store did not answer for one; its old value serves on.
    """
    asked = None if names is None else set(names)
    cache = application.secrets.cache
    before = {key: cache.look(*key).version for key in cache.held() if asked is None or key[0] in asked}
    try:
        await application.secrets.rotate(asked)
    finally:  # one that the store does not answer for does not undo that others are known
        changed = {key[0] for key, version in before.items() if cache.look(*key).version != version}
        application.outdated |= changed
    appeared = await _appeared(application, asked)
    application.outdated |= appeared
    return sorted(changed | appeared)


async def _appeared(application: Rotated, asked: Collection[str] | None) -> set[str]:
    """Fetch what is wanted and was not had, and return what is there now. Raises SecretUnavailable as `rotate`."""
    secrets = application.secrets
    values = [value for _, _, values in settings_in_use(application) for value in values]
    wanted = [key for value in values for key in value.wanted if asked is None or key[0] in asked]
    await secrets.fetch(wanted)
    found = {name: secrets.cache.look(name, version) for name, version in wanted}
    for name, finding in found.items():
        if finding.state == "failed":
            raise SecretUnavailable("secrets", name, why=finding.why)
    return {name for name, finding in found.items() if finding.exists}


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
            changed = await secrets.refresh()
            self._application.outdated.update(changed)
            try:
                generation = await self._application.renewed()
            except OneiricError as error:  # what was built from the old values serves on, and it is tried again
                log().warning("a new secret cannot be used", resources=changed, code=error.code, why=error.message)
            else:
                if changed:
                    log().info("secrets have new versions", resources=changed, generation=generation)
