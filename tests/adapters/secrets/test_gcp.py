"""Secrets in Google Secret Manager, against a loopback server of the SDK's own types."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from oneiric.adapters.secrets.gcp import MAX_BYTES, GcpSecrets
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Denied,
    InvalidInput,
    NotFound,
    NotOpen,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.residue import Residue
from oneiric.testing.contracts.secrets import SecretsContract
from tests.support.secret_manager import CANARY, CLOSED, SecretManager, need_sdk, secret_manager, settle
from tests.support.wait import free_port

VALUE = b"canary-value-5b1e"
GUARD_S = 20.0
ONCE = {"attempts": 1}


@pytest.fixture(scope="module")
def manager() -> Iterator[SecretManager]:
    need_sdk()
    with secret_manager() as running:
        yield running


class TestGcpSecrets(SecretsContract):
    adapter = GcpSecrets
    capabilities = frozenset({"write"})

    @pytest.fixture
    def backend(self, tmp_path: Path, manager: SecretManager) -> Backend:
        self.manager, project = manager, new_project()
        manager.make(project, "written")  # the suite writes it, and put makes no secret
        return Backend(manager.address, tmp_path, project)

    def settings(self, backend: Backend) -> dict[str, object]:
        return {"project": backend.unique, "endpoint": backend.url, "insecure": True}

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        self.manager.place(backend.unique, name, value)

    def spoil(self, backend: Backend) -> Callable[[], None]:
        self.manager.make(backend.unique, CLOSED)
        return lambda: self.manager.delete(backend.unique, CLOSED)

    async def _live_once(self, backend: Backend, clock: FakeClock) -> None:
        before = Residue.now()
        await super()._live_once(backend, clock)
        settle(before)


def new_project() -> str:
    return f"u{uuid.uuid4().hex}"


def made(endpoint: str, **settings: object) -> GcpSecrets:
    return GcpSecrets(
        GcpSecrets.Settings.model_validate({"endpoint": endpoint, "insecure": True, **settings}), environ={}
    )


@pytest.fixture
def project() -> str:
    """A project that no other test has."""
    return new_project()


@pytest_asyncio.fixture
async def opened(manager: SecretManager, project: str) -> AsyncIterator[GcpSecrets]:
    """The adapter, open; each call is tried once."""
    adapter = made(manager.address, project=project, retry=ONCE)
    await adapter.open()
    yield adapter
    await adapter.close()


async def value_of(adapter: GcpSecrets, name: str, **asked: str) -> bytes:
    return (await adapter.get(name, **asked)).value.get_secret_value()


@pytest.mark.asyncio
async def test_a_rotated_secret_is_seen_and_the_old_version_stays(
    manager: SecretManager, project: str, opened: GcpSecrets
) -> None:
    """The version is the store's own number; latest is the newest, and a pinned one stays what it was."""
    manager.place(project, "key", b"old")
    before = await opened.get("key")

    manager.place(project, "key", b"new")
    after = await opened.get("key")

    assert (before.version, before.value.get_secret_value()) == ("1", b"old")
    assert (after.version, after.value.get_secret_value()) == ("2", b"new")
    assert await opened.version("key") == "2"
    assert await value_of(opened, "key", version="1") == b"old"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param("NOT_FOUND", NotFound, id="absent"),
        pytest.param("PERMISSION_DENIED", Denied, id="no right"),
        pytest.param("UNAUTHENTICATED", Denied, id="nobody knows us"),
        pytest.param("FAILED_PRECONDITION", Denied, id="its key is switched off"),
        pytest.param("UNAVAILABLE", Unavailable, id="not to be had"),
        pytest.param("CANCELLED", Unavailable, id="the server went away"),
        pytest.param("DEADLINE_EXCEEDED", TimedOut, id="too slow"),
        pytest.param("RESOURCE_EXHAUSTED", RateLimited, id="too often"),
        pytest.param("INVALID_ARGUMENT", InvalidInput, id="wrong"),
        pytest.param("INTERNAL", AdapterError, id="broken"),
        pytest.param("UNKNOWN", AdapterError, id="unknown"),
        pytest.param("DATA_LOSS", AdapterError, id="not in the map"),
    ],
)
async def test_a_status_has_one_meaning(opened: GcpSecrets, status: str, kind: type[AdapterError]) -> None:
    """Absent, refused, away and slow are never mixed up; nothing of the peer's text is shown."""
    with pytest.raises(AdapterError) as caught:
        await opened.get(f"fail-{status}")

    error = caught.value
    assert type(error) is kind
    assert (error.category, error.name, error.operation) == ("secrets", "gcp", "get")
    assert status in error.reason
    assert CANARY not in "".join(traceback.format_exception(error))


@pytest.mark.asyncio
async def test_only_an_absent_secret_has_no_version(opened: GcpSecrets) -> None:
    """version says None for what is not there; everything else is an error, as for get."""
    absent = await opened.version("fail-NOT_FOUND")

    with pytest.raises(Denied):
        await opened.version("fail-PERMISSION_DENIED")
    with pytest.raises(Unavailable):
        await opened.version("fail-UNAVAILABLE")
    assert absent is None


@pytest.mark.asyncio
async def test_an_error_says_what_failed_why_and_what_to_do(project: str, opened: GcpSecrets) -> None:
    """The secret is called as Google calls it, and a missing right by its role."""
    with pytest.raises(Denied) as caught:
        await opened.get("fail-PERMISSION_DENIED")

    assert str(caught.value) == (
        "secrets/gcp get: denied (PERMISSION_DENIED, OF_THE_TEST: "
        f"projects/{project}/secrets/fail-PERMISSION_DENIED; fix: grant roles/secretmanager.secretAccessor on it)"
    )
    assert caught.value.fixes == ("grant roles/secretmanager.secretAccessor on it",)


@pytest.mark.asyncio
async def test_a_pause_that_the_service_asks_for_is_kept(opened: GcpSecrets) -> None:
    """RetryInfo says how long; core/resilience.py waits at least that long."""
    with pytest.raises(RateLimited) as caught:
        await opened.get("fail-RESOURCE_EXHAUSTED")

    assert caught.value.retry_after_s == 7.0


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["disabled", "destroyed"])
async def test_a_version_that_cannot_be_read_is_not_found_and_says_so(
    manager: SecretManager, project: str, opened: GcpSecrets, state: str
) -> None:
    """The secret exists, but its latest version is switched off: an older one does not take its place."""
    manager.place(project, "key", b"old")
    version = manager.place(project, "key", VALUE)
    {"disabled": manager.disable, "destroyed": manager.destroy}[state](project, "key", version)

    with pytest.raises(NotFound, match=f"projects/{project}/secrets/key: this version is {state}"):
        await opened.get("key")
    assert await opened.version("key") is None
    assert await value_of(opened, "key", version="1") == b"old"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("corrupt", "the value does not fit its checksum", id="a wrong checksum"),
        pytest.param("other", "the answer is about another secret", id="another secret"),
        pytest.param("garbage", "the answer cannot be read", id="no message"),
    ],
)
async def test_an_answer_that_cannot_be_trusted_is_a_bad_reply(
    manager: SecretManager, project: str, opened: GcpSecrets, name: str, said: str
) -> None:
    """A damaged credential is worse than none; the error does not show it."""
    manager.place(project, name, VALUE)

    with pytest.raises(BadReply, match=said) as caught:
        await opened.get(name)

    assert VALUE.decode() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.asyncio
async def test_a_value_without_a_checksum_is_taken(manager: SecretManager, project: str, opened: GcpSecrets) -> None:
    """The service promises one only where the value was put with one, or since it computes them."""
    manager.place(project, "unchecked", VALUE)

    assert await value_of(opened, "unchecked") == VALUE


@pytest.mark.asyncio
async def test_a_name_with_a_dot_is_one_that_the_service_cannot_have(opened: GcpSecrets) -> None:
    """The category allows dots, Secret Manager does not: absent for those who read, wrong for those who write."""
    with pytest.raises(NotFound, match="no secret has a dot"):
        await opened.get("tls.key")
    with pytest.raises(InvalidInput, match="no secret has a dot"):
        await opened.put("tls.key", SecretBytes(VALUE))

    assert await opened.version("tls.key") is None


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["production", "0", "-1", "1/../../other/versions/1", "", "9" * 19])
async def test_what_is_no_number_is_no_version(
    manager: SecretManager, project: str, opened: GcpSecrets, version: str
) -> None:
    """An alias moves, so it pins nothing; a path does not leave the secret."""
    manager.place(project, "key", VALUE)

    with pytest.raises(NotFound, match="a version here is a number"):
        await opened.get("key", version=version)


@pytest.mark.asyncio
async def test_a_service_that_stalls_is_timed_out(manager: SecretManager, project: str) -> None:
    """The time limit of the settings holds for each method, and the next call works."""
    adapter = made(manager.address, project=project, timeout_s=0.3)
    manager.place(project, "key", VALUE)
    await adapter.open()

    async with asyncio.timeout(GUARD_S):
        with pytest.raises(TimedOut, match=r"no answer within 0\.3 s"):
            await adapter.get("stall")
        with pytest.raises(TimedOut):
            await adapter.version("stall")

    assert await value_of(adapter, "key") == VALUE
    await adapter.close()


@pytest.mark.asyncio
async def test_a_service_that_comes_back_is_used_again(manager: SecretManager, project: str) -> None:
    """Away is unavailable, and health says it; back, the same adapter works without another open."""
    port = free_port()
    adapter = made(f"127.0.0.1:{port}", project=project, retry=ONCE, breaker={"failures": 1000})
    with secret_manager(port=port) as first:
        first.place(project, "key", b"before")
        await adapter.open()
        before = await value_of(adapter, "key")

    with pytest.raises(Unavailable):
        await adapter.get("key")
    away = await adapter.health()

    with secret_manager(port=port) as second:
        second.place(project, "key", b"after")
        async with asyncio.timeout(GUARD_S):
            await adapter.native.transport.grpc_channel.channel_ready()
        after = await value_of(adapter, "key")
        back = await adapter.health()
    await adapter.close()
    assert (before, after) == (b"before", b"after")
    assert (away.ok, away.detail.partition(":")[2][:13]) == (False, " unavailable ")
    assert back.ok


@pytest.mark.asyncio
async def test_a_call_is_tried_again_by_us_alone(manager: SecretManager, project: str) -> None:
    """Three tries are three requests: the SDK's own retries would multiply them."""
    adapter = made(manager.address, project=project, retry={"attempts": 3, "wait_s": 0})
    for name in ("flaky-2-UNAVAILABLE", "flaky-3-UNAVAILABLE"):
        manager.place(project, name, VALUE)
    await adapter.open()

    third = await value_of(adapter, "flaky-2-UNAVAILABLE")
    with pytest.raises(Unavailable):
        await adapter.get("flaky-3-UNAVAILABLE")
    fourth = await value_of(adapter, "flaky-3-UNAVAILABLE")

    await adapter.close()
    assert (third, fourth) == (b"3", b"4")


@pytest.mark.asyncio
async def test_a_missing_secret_is_never_created(manager: SecretManager, project: str, opened: GcpSecrets) -> None:
    """put adds a version to a secret that exists; who may read a secret is decided where it is made."""
    manager.make(project, "there")

    with pytest.raises(NotFound):
        await opened.put("absent", SecretBytes(VALUE))
    version = await opened.put("there", SecretBytes(VALUE))

    assert await opened.version("absent") is None
    assert (version, await value_of(opened, "there")) == ("1", VALUE)


@pytest.mark.asyncio
async def test_a_write_is_tried_once_and_shows_no_value(manager: SecretManager, project: str) -> None:
    """A second try could add a second version; the peer's text may quote the value, so it is not shown."""
    adapter = made(manager.address, project=project)
    manager.make(project, "refuse-1-UNAVAILABLE")
    await adapter.open()

    with pytest.raises(Unavailable) as caught:
        await adapter.put("refuse-1-UNAVAILABLE", SecretBytes(VALUE))

    await adapter.close()
    assert VALUE.decode() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.asyncio
async def test_a_value_that_is_too_long_is_refused_here(
    manager: SecretManager, project: str, opened: GcpSecrets
) -> None:
    """64 KiB is what the service takes; the longest one comes back whole."""
    manager.make(project, "long")

    with pytest.raises(InvalidInput, match="longer than 65536 bytes"):
        await opened.put("long", SecretBytes(b"x" * (MAX_BYTES + 1)))
    await opened.put("long", SecretBytes(b"y" * MAX_BYTES))

    assert await value_of(opened, "long") == b"y" * 65536


@pytest.mark.asyncio
async def test_closing_ends_the_calls_under_way(manager: SecretManager, project: str) -> None:
    """Whoever waits gets not-open, no cancellation: nobody has cancelled that task."""
    adapter = made(manager.address, project=project)
    await adapter.open()
    waiting = asyncio.create_task(adapter.get("stall"))
    await adapter.version("absent")  # by now the other request is out, or close ends it before

    await adapter.close()

    async with asyncio.timeout(GUARD_S):
        with pytest.raises(NotOpen, match="secrets/gcp get: not-open"):
            await waiting


@pytest.mark.asyncio
async def test_a_cancelled_call_is_cancelled(opened: GcpSecrets) -> None:
    """A cancellation from outside passes as what it is."""
    waiting = asyncio.create_task(opened.get("stall"))
    await opened.version("absent")

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
