"""Secrets in the keyring of the user: the desktop's, or whatever backend the library keyring is given."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, SecretBytes

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import CALL_TIMEOUT_S, AdapterSettings, Health
from oneiric.core.errors import AdapterError, Denied, InvalidInput, NotFound, NotOpen, TimedOut, Unavailable
from oneiric.core.importing import require

if TYPE_CHECKING:
    from anyio import CapacityLimiter

T = TypeVar("T")
SERVICE = "oneiric"
VERSION = "keyring"
THREADS = 10
PROBE = "oneiric-probe"  # a name that nobody needs to have


class KeyringSecrets:
    """
    Reads an entry of the keyring at each call: the service of the settings, and the secret's name as the user.

    A keyring knows no versions; there is one, `keyring`. It holds text, so a value is UTF-8. Opening and health read an
    entry that need not exist; a desktop may then ask its user to unlock the keyring, and the time limits run on while
    it waits. Calls go to the keyring one after the other, since backends that are a file cannot take two at once. One
    that has begun cannot be stopped: a `put` whose caller has gone may still be done.

    Args:
        settings: Which backend, and under which service.
        clock: Seconds that never run backwards, for the latency of health.
    """

    class Settings(AdapterSettings):
        """Which keyring holds the secrets, and under which service."""

        service: str = Field(default=SERVICE, min_length=1, description="what the keyring files the secrets under")
        backend: str | None = Field(
            default=None,
            pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
            description="module.Class of a backend; none: keyring's own choice, PYTHON_KEYRING_BACKEND first",
        )
        timeout_s: float = Field(
            default=CALL_TIMEOUT_S, gt=0, description="seconds that one call may take, unlocking by the user included"
        )

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._backend: Any = None  # a backend of keyring, of a class that only the settings know
        self._turn = threading.Lock()
        self._limiter: CapacityLimiter | None = None

    @property
    def native(self) -> Any:  # outside the contract
        """The backend of keyring while open, else None; its calls block."""
        return self._backend

    async def open(self) -> None:
        from anyio import CapacityLimiter

        if self._backend is not None:
            return
        self._limiter = CapacityLimiter(THREADS)

        def load() -> Any:  # a backend of keyring
            backend = self._load()
            backend.get_password(self._settings.service, PROBE)
            return backend

        self._backend = await self._alone(load, self._settings.open_timeout_s, "open")

    async def close(self) -> None:
        self._backend = None

    async def health(self) -> Health:
        if self._backend is None:
            return Health(False, "not open")
        began_s = self._clock()
        try:
            await self._read(PROBE, self._settings.health_timeout_s, "health")
        except AdapterError as error:
            return Health(False, error.message)
        return Health(True, f"service {self._settings.service}", max(0.0, self._clock() - began_s))

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        self._check(name, "get")
        value = await self._read(name, self._settings.timeout_s, "get")
        if value is None or version not in {LATEST, VERSION}:
            what = "is not in the keyring" if value is None else f"has no version but {VERSION}"
            raise NotFound(f"{self.resource(name)} {what}", **_where("get"))
        return Secret(name, SecretBytes(value), VERSION)

    async def version(self, name: str) -> str | None:
        """Return `keyring`, or None if there is no such secret; a keyring tells that only by handing the value out."""
        self._check(name, "version")
        value = await self._read(name, self._settings.timeout_s, "version")
        return None if value is None else VERSION

    async def put(self, name: str, value: SecretBytes) -> str:
        self._check(name, "put")
        try:
            text = value.get_secret_value().decode()
        except UnicodeDecodeError:
            raise InvalidInput("a keyring holds text, and the value is no UTF-8", **_where("put")) from None
        backend, service = self._backend, self._settings.service
        await self._alone(lambda: backend.set_password(service, name, text), self._settings.timeout_s, "put")
        return VERSION

    def resource(self, name: str) -> str:
        """Return where a secret of this name is looked for, `oneiric/cache-redis-password`; nothing is asked."""
        return f"{self._settings.service}/{name}"

    def _check(self, name: str, operation: str) -> None:
        if self._backend is None:
            raise NotOpen(**_where(operation))
        check_name(name, adapter="keyring", operation=operation)

    def _load(self) -> Any:  # a backend of keyring, of a class that only the settings know
        core = require("keyring.core", extra="keyring")
        name = self._settings.backend
        try:
            return core.get_keyring() if name is None else core.load_keyring(name)
        except (ImportError, AttributeError, TypeError, ValueError):
            who = "PYTHON_KEYRING_BACKEND or keyring's configuration" if name is None else "the setting backend"
            raise InvalidInput(f"{who} names no backend that is installed here", **_where("open")) from None

    async def _read(self, name: str, limit_s: float, operation: str) -> bytes | None:
        backend, service = self._backend, self._settings.service

        def read() -> bytes | None:
            text: str | None = backend.get_password(service, name)
            return None if text is None else text.encode()

        return await self._alone(read, limit_s, operation)

    async def _alone(self, work: Callable[[], T], limit_s: float, operation: str) -> T:
        """Do something in a thread while no other call is at the keyring; not at all once the caller has gone."""
        from anyio import to_thread

        gone = threading.Event()

        def late() -> TimedOut:
            return TimedOut(f"no answer within {limit_s:g} s", **_where(operation))

        def once() -> T:
            if not self._turn.acquire(timeout=limit_s):
                raise late()
            try:
                if gone.is_set():
                    raise late()
                return work()
            except AdapterError:
                raise
            except Exception as error:  # border: a backend may raise anything; it leaves under one of our names
                raise _named(error, operation) from None
            finally:
                self._turn.release()

        try:
            async with asyncio.timeout(limit_s):
                return await to_thread.run_sync(once, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise late() from None
        finally:
            gone.set()


def _named(error: Exception, operation: str) -> AdapterError:
    """Return our error for one of keyring or of a backend; its text is not shown, since nobody knows what it quotes."""
    names = [kind.__name__ for kind in type(error).__mro__]
    found = next((name for name in names if name in _CLASSES), None)
    if found is None:
        return AdapterError(f"the backend raised {names[0]}", **_where(operation))
    kind, reason, fix = _CLASSES[found]
    said = f"{reason}; fix: {fix}" if fix else reason
    return kind(said, fixes=(fix,) if fix else (), **_where(operation))


def _where(operation: str) -> dict[str, Any]:  # the fields of every AdapterError; see its constructor
    return {"category": "secrets", "name": "keyring", "operation": operation}


# The classes of keyring.errors, and what a backend on a file or a bus raises besides; the most special one counts.
_CLASSES: dict[str, tuple[type[AdapterError], str, str]] = {
    "NoKeyringError": (Unavailable, "there is no keyring here", "name one in the setting backend, or install one"),
    "InitError": (Unavailable, "the keyring cannot be reached", ""),
    "KeyringLocked": (Denied, "the keyring is locked", "unlock it"),
    "PasswordSetError": (Denied, "the keyring refuses the value", ""),
    "KeyringError": (Unavailable, "the keyring cannot be used", ""),
    "PermissionError": (Denied, "this user may not use the keyring's file", ""),
    "OSError": (Unavailable, "the keyring cannot be reached", ""),
    "RuntimeError": (Unavailable, "the backend does not work here", "name another one in the setting backend"),
}
