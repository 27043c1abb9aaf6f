"""Secrets in the keyring of the user."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes, ValidationError

from oneiric.adapters.secrets.keyring import KeyringSecrets
from oneiric.core.errors import (
    AdapterError,
    Denied,
    InvalidInput,
    NotFound,
    NotInstalled,
    NotOpen,
    TimedOut,
    Unavailable,
)
from oneiric.core.importing import is_installed
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.secrets import SecretsContract

FILE = "keyrings.alt.file.PlaintextKeyring"
# A backend as others write them, which does what the test that loads it asks for.
ODD = """
from keyring.backend import KeyringBackend

class Odd(KeyringBackend):
    priority = 1
    fault = None
    wait = staticmethod(lambda: None)
    seen = []

    def get_password(self, service, name):
        type(self).wait()
        if self.fault is not None:
            raise self.fault
        return dict(self.seen).get(name)

    def set_password(self, service, name, password):
        type(self).wait()
        if self.fault is not None:
            raise self.fault
        self.seen.append((name, password))
"""


@pytest.fixture(autouse=True)
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the plain backend; nothing here is ever written to a real keyring."""
    if not (is_installed("keyring") and is_installed("keyrings")):
        missing = "keyring or keyrings.alt is not installed: pip install 'oneiric[keyring]' keyrings.alt"
        (pytest.fail if os.environ.get("CI", "").lower() in {"1", "true"} else pytest.skip)(missing)
    file = tmp_path / "ring" / "ring.cfg"
    monkeypatch.setenv("KEYRING_PROPERTY_FILE_PATH", str(file))  # keyring sets it on every backend that has a file
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return file


class TestKeyringSecrets(SecretsContract):
    adapter = KeyringSecrets
    capabilities = frozenset({"write"})

    def settings(self, backend: Backend) -> dict[str, object]:
        return {"backend": FILE, "service": backend.unique}

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        plain().set_password(backend.unique, name, value.decode())

    def spoil(self, backend: Backend) -> Callable[[], None]:
        ring = Path(os.environ["KEYRING_PROPERTY_FILE_PATH"])
        whole = ring.read_bytes()
        ring.write_bytes(b"no keyring's file")

        def repair() -> None:
            ring.write_bytes(whole)

        return repair


def plain() -> Any:  # a backend of keyrings.alt, which has no types
    from keyrings.alt.file import PlaintextKeyring

    return PlaintextKeyring()


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # the class Odd above
    """A backend of somebody else, importable as `odd_keyring.Odd`."""
    (tmp_path / "odd_keyring.py").write_text(ODD)
    monkeypatch.syspath_prepend(str(tmp_path))
    import odd_keyring

    yield odd_keyring.Odd
    del sys.modules["odd_keyring"]


async def opened(**settings: object) -> KeyringSecrets:
    adapter = KeyringSecrets(KeyringSecrets.Settings.model_validate({"backend": "odd_keyring.Odd", **settings}))
    await adapter.open()
    return adapter


@pytest.mark.asyncio
async def test_an_entry_is_the_service_and_the_name() -> None:
    """What other programs file under this service and name is what is read, and the other way round."""
    adapter = await opened(backend=FILE, service="orders")
    plain().set_password("orders", "token", "from outside")

    read = await adapter.get("token")
    await adapter.put("new", SecretBytes("pässwörd".encode()))

    assert (read.value.get_secret_value(), read.version) == (b"from outside", "keyring")
    assert plain().get_password("orders", "new") == "pässwörd"
    assert adapter.resource("token") == "orders/token"


@pytest.mark.asyncio
async def test_an_absent_entry_names_where_it_was_looked_for() -> None:
    """The error says service and name."""
    adapter = await opened(backend=FILE)

    with pytest.raises(NotFound, match=r"\(oneiric/token is not in the keyring\)"):
        await adapter.get("token")


@pytest.mark.asyncio
async def test_without_a_backend_keyring_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own choice begins with PYTHON_KEYRING_BACKEND."""
    import keyring.core

    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", FILE)
    keyring.core.init_backend()  # keyring chooses once per process

    adapter = await opened(backend=None)

    assert type(adapter.native).__name__ == "PlaintextKeyring"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("backend", "kind", "reason"),
    [
        pytest.param("keyring.backends.fail.Keyring", Unavailable, "there is no keyring here", id="none at all"),
        pytest.param("keyring.backends.Windows.WinVaultKeyring", Unavailable, "does not work here", id="not here"),
        pytest.param("no.such.Backend", InvalidInput, "names no backend that is installed", id="not installed"),
        pytest.param("keyring.backends.fail.Absent", InvalidInput, "names no backend", id="no such class"),
        pytest.param("collections.OrderedDict", InvalidInput, "names no backend", id="another class"),
    ],
)
async def test_a_backend_that_cannot_be_had_is_told_at_open(
    backend: str, kind: type[AdapterError], reason: str
) -> None:
    """open proves that the keyring can be read, and says what to change."""
    with pytest.raises(AdapterError, match=reason) as caught:
        await opened(backend=backend)

    assert type(caught.value) is kind


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        pytest.param("KeyringLocked", Denied, "the keyring is locked; fix: unlock it", id="locked"),
        pytest.param("InitError", Unavailable, "the keyring cannot be reached", id="no bus"),
        pytest.param("KeyringError", Unavailable, "the keyring cannot be used", id="a fault of the keyring"),
        pytest.param("PasswordSetError", Denied, "the keyring refuses the value", id="refused"),
        pytest.param("PermissionError", Denied, "this user may not use the keyring's file", id="a file of another"),
        pytest.param("OSError", Unavailable, "the keyring cannot be reached", id="a file that cannot be read"),
        pytest.param("ArithmeticError", AdapterError, "the backend raised ArithmeticError", id="anything else"),
    ],
)
async def test_each_fault_has_one_meaning(odd: Any, fault: str, kind: type[AdapterError], reason: str) -> None:
    """A keyring that is locked or broken never looks as if a secret were absent; its own text is not shown."""
    import keyring.errors

    adapter = await opened()
    odd.fault = getattr(keyring.errors if hasattr(keyring.errors, fault) else builtins, fault)("canary")

    calls = (adapter.get("token"), adapter.version("token"), adapter.put("token", SecretBytes(b"x")))
    for call in calls:
        with pytest.raises(AdapterError) as caught:
            await call
        assert (type(caught.value), caught.value.reason) == (kind, reason)
    health = await adapter.health()

    assert not health.ok
    assert "canary" not in health.detail


@pytest.mark.asyncio
async def test_a_value_that_is_no_text_is_refused() -> None:
    """A keyring holds text; bytes that are no UTF-8 are invalid-input, and are not shown."""
    adapter = await opened(backend=FILE)

    with pytest.raises(InvalidInput, match="no UTF-8") as caught:
        await adapter.put("token", SecretBytes(b"canary\xff"))

    assert "canary" not in str(caught.value)
    assert await adapter.version("token") is None


@pytest.mark.asyncio
async def test_a_keyring_that_waits_for_its_user_is_timed_out(odd: Any) -> None:
    """Calls, health and open end within their limits; once the user has answered, the adapter works again."""
    answered = threading.Event()
    adapter = await opened(timeout_s=0.1, health_timeout_s=0.1)
    odd.seen.append(("token", "value"))
    odd.wait = staticmethod(answered.wait)

    async with asyncio.timeout(5):
        with pytest.raises(TimedOut):
            await adapter.get("token")
        with pytest.raises(TimedOut):
            await adapter.put("token", SecretBytes(b"late"))
        health = await adapter.health()
        with pytest.raises(TimedOut):
            await opened(open_timeout_s=0.1)
    answered.set()
    secret = await adapter.get("token")

    assert (health.ok, secret.value.get_secret_value()) == (False, b"value")
    assert odd.seen == [("token", "value")]


@pytest.mark.asyncio
async def test_a_put_whose_caller_has_gone_is_not_begun(odd: Any) -> None:
    """A call that waits behind another one and is cancelled never reaches the keyring."""
    answered, asked = threading.Event(), threading.Event()
    adapter = await opened()

    def wait() -> None:
        asked.set()
        answered.wait(5)

    odd.wait = staticmethod(wait)
    first = asyncio.create_task(adapter.get("token"))
    await asyncio.to_thread(asked.wait, 5)
    second = asyncio.create_task(adapter.put("token", SecretBytes(b"gone")))
    for _ in range(10):
        await asyncio.sleep(0)

    second.cancel()
    await asyncio.wait([second])
    answered.set()
    with pytest.raises(NotFound):
        await first
    await adapter.put("token", SecretBytes(b"stays"))

    assert second.cancelled()
    assert odd.seen == [("token", "stays")]


@pytest.mark.asyncio
async def test_writers_at_the_same_time_lose_nothing() -> None:
    """A file that is read, changed and written is written by one call at a time."""
    adapter = await opened(backend=FILE)

    await asyncio.gather(*(adapter.put(f"n{number}", SecretBytes(b"value")) for number in range(20)))

    found = [await adapter.version(f"n{number}") for number in range(20)]
    assert found == ["keyring"] * 20


@pytest.mark.asyncio
async def test_the_backend_is_there_while_open() -> None:
    """What the Protocol leaves out goes through the backend itself."""
    adapter = await opened(backend=FILE)
    await adapter.put("token", SecretBytes(b"value"))

    adapter.native.delete_password("oneiric", "token")

    assert await adapter.version("token") is None
    await adapter.close()
    assert adapter.native is None
    with pytest.raises(NotOpen):
        await adapter.version("token")


@pytest.mark.asyncio
async def test_without_the_library_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """open asks for keyring, and says which extra brings it."""
    monkeypatch.setitem(sys.modules, "keyring.core", None)  # what Python keeps there to refuse an import

    with pytest.raises(NotInstalled, match=r"pip install 'oneiric\[keyring\]'"):
        await opened(backend=FILE)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"service": ""}, ("service",), id="an empty service"),
        pytest.param({"backend": "Keyring"}, ("backend",), id="a class without a module"),
        pytest.param({"backend": "a b.Keyring"}, ("backend",), id="no dotted path"),
        pytest.param({"timeout_s": 0}, ("timeout_s",), id="no time"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], field: tuple[str, ...]) -> None:
    """The fault names the field."""
    with pytest.raises(ValidationError) as caught:
        KeyringSecrets.Settings.model_validate(given)

    assert [fault["loc"] for fault in caught.value.errors()] == [field]
