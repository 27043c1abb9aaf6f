"""What is known of secrets for a while: values with a time to live, absences, and outages that an old value bridges."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from oneiric.core.errors import NotFound
from oneiric.core.log import log, remember_secret
from oneiric.core.secrets import LATEST, UNKNOWN, Finding, SecretReader, Wanted

TTL_S = 300.0
NEGATIVE_TTL_S = 30.0
STALE_S = 3600.0
JITTER = 0.1
PARALLEL = 8
EACH_TIMEOUT_S = 3.0
BATCH_TIMEOUT_S = 10.0
NEVER_S = float("inf")


class _Entry:
    """One secret at one version: the finding, when it was made, and until when it is fresh."""

    __slots__ = ("finding", "fresh_until_s", "made_s")

    def __init__(self, finding: Finding, made_s: float, fresh_until_s: float) -> None:
        self.finding, self.made_s, self.fresh_until_s = finding, made_s, fresh_until_s


class SecretCache:
    """
    Findings by name and version. Values are kept in memory only.

    A pinned version is kept for the life of the process, the latest one for `ttl_s`, an absence for 30 s. A refresh
    that fails leaves the old value in service for up to an hour.

    Attributes:
        clock: Returns seconds that only grow.
        draw: Returns a random number from 0 to 1, for the jitter of 10 % around every time to live.
        ttl_s: Seconds until the latest version is due again; 0 is at once.
        losses: How often something was forgotten; what was decided before may be decided otherwise now.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, draw: Callable[[], float] = random.random
    ) -> None:
        self.clock, self.draw = clock, draw
        self._entries: dict[Wanted, _Entry] = {}
        self._flights: dict[Wanted, asyncio.Task[None]] = {}
        self._lapse_s = NEVER_S  # when the first absence is to be forgotten
        self.ttl_s = TTL_S
        self.losses = 0

    def look(self, name: str, version: str = LATEST) -> Finding:
        """Return what is known of a secret, without asking anybody."""
        entry = self._entries.get((name, version))
        if entry is None:
            return UNKNOWN
        if entry.finding.state != "found" and self.clock() >= entry.fresh_until_s:
            return UNKNOWN
        if entry.finding.state != "found":
            return entry.finding
        return entry.finding._replace(age_s=max(0.0, self.clock() - entry.made_s))

    def due(self) -> list[Wanted]:
        """Return the values that have outlived their time, and are to be fetched again."""
        now_s = self.clock()
        return [
            wanted
            for wanted, entry in self._entries.items()
            if entry.finding.state == "found" and wanted[1] == LATEST and now_s >= entry.fresh_until_s
        ]

    def held(self) -> list[Wanted]:
        """Return the values that are kept."""
        return [wanted for wanted, entry in self._entries.items() if entry.finding.state == "found"]

    def absent(self) -> list[Wanted]:
        """Return what was not found, or could not be had."""
        return [wanted for wanted, entry in self._entries.items() if entry.finding.state in {"missing", "failed"}]

    def next_due_s(self) -> float | None:
        """Return in how many seconds the next value is due, 0 or more; None if there is none."""
        times = [e.fresh_until_s for w, e in self._entries.items() if e.finding.state == "found" and w[1] == LATEST]
        return max(0.0, min(times) - self.clock()) if times else None

    def invalidate(self, names: Iterable[str] | None = None) -> int:
        """Forget secrets, all of them by default; returns how many findings were dropped."""
        wanted = None if names is None else set(names)
        return self._drop(key for key in self._entries if wanted is None or key[0] in wanted)

    def forget_failures(self) -> int:
        """Forget what could not be had, so that it is asked for again; returns how many findings were dropped."""
        return self._drop(key for key, entry in self._entries.items() if entry.finding.state == "failed")

    def lapse(self) -> int:
        """Forget absences and outages whose time is over; returns `losses`."""
        now_s = self.clock()
        if now_s < self._lapse_s:
            return self.losses
        rest = [entry.fresh_until_s for entry in self._entries.values() if entry.finding.state != "found"]
        self._lapse_s = min((time_s for time_s in rest if time_s > now_s), default=NEVER_S)
        kept = self._entries.items()
        self._drop(key for key, entry in kept if entry.finding.state != "found" and now_s >= entry.fresh_until_s)
        return self.losses

    def _drop(self, keys: Iterable[Wanted]) -> int:
        gone = list(keys)
        for key in gone:
            del self._entries[key]
        self.losses += bool(gone)
        return len(gone)

    def _keep_a_while(self, key: Wanted, finding: Finding) -> None:
        """Keep what is no value for as long as absences are kept."""
        now_s = self.clock()
        self._entries[key] = _Entry(finding, now_s, now_s + NEGATIVE_TTL_S)
        self._lapse_s = min(self._lapse_s, now_s + NEGATIVE_TTL_S)

    async def fetch(self, reader: SecretReader, wanted: Iterable[Wanted]) -> None:
        """
        Fetch secrets at once, 8 at a time, 3 s each and 10 s in all. Whatever fails becomes a finding.

        A secret that is being fetched already is awaited, and not asked for twice.
        """
        gate = asyncio.Semaphore(PARALLEL)
        under_way = set(self._flights.values())
        tasks = {key: self._flight(reader, key, gate) for key in dict.fromkeys(wanted)}
        if not tasks:
            return
        try:
            _, late = await asyncio.wait(tasks.values(), timeout=BATCH_TIMEOUT_S)
        except asyncio.CancelledError:
            for task in tasks.values():
                if task not in under_way:  # others wait for those that they began
                    task.cancel()
            raise
        for key, task in tasks.items():
            if task in late:
                task.cancel()
                self.note(key, TimeoutError())

    def _flight(self, reader: SecretReader, key: Wanted, gate: asyncio.Semaphore) -> asyncio.Task[None]:
        task = self._flights.get(key)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._flights[key] = asyncio.ensure_future(self._fetch(reader, key, gate))
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    def _landed(self, key: Wanted, task: asyncio.Task[None]) -> None:
        if self._flights.get(key) is task:
            del self._flights[key]

    async def _fetch(self, reader: SecretReader, key: Wanted, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                async with asyncio.timeout(EACH_TIMEOUT_S):
                    await self.read(reader, key)
            except TimeoutError as error:
                self.note(key, error)

    async def read(self, reader: SecretReader, key: Wanted) -> None:
        """Fetch one value without a time limit, and note what came of it."""
        name, version = key
        await self._noted(key, reader.get(name, version=version))

    async def ask(self, reader: SecretReader, name: str) -> None:
        """Ask whether there is a secret, and which version, without its value; and note what came of it."""
        await self._noted((name, LATEST), reader.version(name))

    async def _noted(self, key: Wanted, answer: Awaitable[Any]) -> None:
        try:
            found = await answer
        except Exception as error:  # border: whatever the store raises becomes a finding, which explain shows
            self.note(key, error)
        else:
            self.note(key, found)

    def learn(self, key: Wanted, finding: Finding) -> None:
        """Remember for a while what somebody else found out, without the value."""
        known = finding._replace(state="known", value=None, age_s=None) if finding.exists else finding
        self._keep_a_while(key, known)

    def note(self, key: Wanted, answer: Any) -> None:  # a secret, a version, None, or what the store raised
        """Remember what the store answered about a secret."""
        now_s = self.clock()
        old = self._entries.get(key)
        spread = 1 + JITTER * (2 * self.draw() - 1)
        if answer is None or isinstance(answer, NotFound):
            self._keep_a_while(key, Finding("missing"))
        elif isinstance(answer, Exception):
            why = getattr(answer, "code", "timed-out" if isinstance(answer, TimeoutError) else "adapter-error")
            self._failed(key, old, why, now_s)
        elif isinstance(answer, str):
            if old is None or old.finding.state != "found":
                self._keep_a_while(key, Finding("known", version=answer))
        else:
            value = answer.value.get_secret_value()
            remember_secret(value)
            fresh_s = NEVER_S if key[1] != LATEST else self.ttl_s * spread
            self._entries[key] = _Entry(Finding("found", value, answer.version), now_s, now_s + fresh_s)

    def _failed(self, key: Wanted, old: _Entry | None, why: str, now_s: float) -> None:
        if old is not None and old.finding.state == "found" and now_s - old.made_s < STALE_S + self.ttl_s:
            if not old.finding.is_stale:
                log().warning("a secret could not be read again, its old value serves on", resource=key[0], why=why)
            old.finding = old.finding._replace(is_stale=True, why=why)
            old.fresh_until_s = now_s + NEGATIVE_TTL_S
            return
        self._keep_a_while(key, Finding("failed", why=why))
