"""Secrets in AWS: Secrets Manager and the Parameter Store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from pydantic import SecretBytes, ValidationError

from oneiric.adapters.secrets.aws import AwsSecrets
from oneiric.core.errors import (
    NotFound,
    Unsupported,
)
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.secrets import SecretsContract
from tests.support.aws import REGION, isolate

SERVICES = [pytest.param("secretsmanager", id="Secrets Manager"), pytest.param("ssm", id="Parameter Store")]
CLIENTS: dict[tuple[str, str], Any] = {}  # botocore clients, whose classes are made at run time
MADE: list[tuple[str, str, str]] = []  # service, address and full name of what tests put into AWS


def sdk(service: str, url: str) -> Any:  # a botocore client, whose class is made at run time
    """Return boto3's own client, by which tests put things into AWS; it serves all tests of this file."""
    import boto3

    if (service, url) not in CLIENTS:
        CLIENTS[service, url] = boto3.client(service, region_name=REGION, endpoint_url=url)
    return CLIENTS[service, url]


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    isolate(monkeypatch)
    yield
    while MADE:
        service, url, full = MADE.pop()
        if service == "ssm":
            sdk(service, url).delete_parameters(Names=[full])
        else:
            sdk(service, url).delete_secret(SecretId=full, ForceDeleteWithoutRecovery=True)


@pytest.fixture(scope="module", autouse=True)
def _clients() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.popitem()[1].close()


def where(service: str, backend: Backend) -> dict[str, object]:
    """Return settings under which an adapter finds what this test puts into AWS."""
    prefix = f"/{backend.unique}/" if service == "ssm" else f"{backend.unique}/"
    return {"service": service, "region": REGION, "endpoint_url": address(backend), "prefix": prefix}


def address(backend: Backend) -> str:
    return backend.url or str(backend.settings["endpoint_url"])


def client_for(service: str, backend: Backend, name: str) -> tuple[Any, str]:
    """Return boto3's client and the full name of something that is removed after the test."""
    url, full = address(backend), f"{where(service, backend)['prefix']}{name}"
    MADE.append((service, url, full))
    return sdk(service, url), full


def put(service: str, backend: Backend, name: str, value: bytes) -> None:
    """Make the secret, or its next version."""
    client, full = client_for(service, backend, name)
    if service == "ssm":
        client.put_parameter(Name=full, Value=value.decode(), Type="SecureString", Overwrite=True)
        return
    try:
        client.put_secret_value(SecretId=full, SecretString=value.decode())
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=full, SecretString=value.decode())


class AwsContract(SecretsContract):
    adapter = AwsSecrets
    backend = "aws"
    service: ClassVar[str]

    def settings(self, backend: Backend) -> dict[str, object]:
        return where(self.service, backend)

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        put(self.service, backend, name, value)

    def spoil(self, backend: Backend) -> Callable[[], None]:
        key = os.environ.pop("AWS_ACCESS_KEY_ID")

        def repair() -> None:
            os.environ["AWS_ACCESS_KEY_ID"] = key

        return repair


class TestSecretsManager(AwsContract):
    service = "secretsmanager"


class TestParameterStore(AwsContract):
    service = "ssm"


@pytest.fixture
def moto(find_backend: Callable[[str], Backend]) -> Backend:
    return find_backend("aws")


async def opened(**settings: object) -> AwsSecrets:
    adapter = AwsSecrets(AwsSecrets.Settings.model_validate(settings))
    await adapter.open()
    return adapter


@pytest.mark.asyncio
@pytest.mark.parametrize("service", SERVICES)
async def test_an_old_version_stays_readable(moto: Backend, service: str) -> None:
    """A pinned version is that value for ever; a rotation is seen by the next call for the latest one."""
    put(service, moto, "token", b"first")
    adapter = await opened(**where(service, moto))
    first = await adapter.version("token")
    assert first is not None

    put(service, moto, "token", b"second")

    pinned, latest = await adapter.get("token", version=first), await adapter.get("token")
    await adapter.close()
    assert (pinned.value.get_secret_value(), pinned.version) == (b"first", first)
    assert latest.value.get_secret_value() == b"second"
    assert latest.version != first


@pytest.mark.asyncio
async def test_the_version_of_a_parameter_is_its_number(moto: Backend) -> None:
    """The Parameter Store counts from 1; a label is no version, since it may move."""
    put("ssm", moto, "token", b"first")
    name = f"/{moto.unique}/token"
    sdk("ssm", address(moto)).label_parameter_version(Name=name, ParameterVersion=1, Labels=["live"])
    adapter = await opened(**where("ssm", moto))

    assert await adapter.version("token") == "1"
    with pytest.raises(NotFound, match="no version of this service is written so"):
        await adapter.get("token", version="live")
    await adapter.close()


@pytest.mark.asyncio
async def test_a_binary_secret_comes_as_its_bytes(moto: Backend) -> None:
    """Secrets Manager keeps text or bytes; both come out as bytes."""
    client, full = client_for("secretsmanager", moto, "raw")
    client.create_secret(Name=full, SecretBinary=b"\xff\x00\xfe")
    adapter = await opened(**where("secretsmanager", moto))

    secret = await adapter.get("raw")

    await adapter.close()
    assert secret.value.get_secret_value() == b"\xff\x00\xfe"


@pytest.mark.asyncio
async def test_a_secret_marked_for_deletion_is_not_found(moto: Backend) -> None:
    """It is absent, and the error says why, for it may still be restored."""
    put("secretsmanager", moto, "old", b"value")
    sdk("secretsmanager", address(moto)).delete_secret(SecretId=f"{moto.unique}/old", RecoveryWindowInDays=7)
    adapter = await opened(**where("secretsmanager", moto))

    with pytest.raises(NotFound) as caught:
        await adapter.get("old")
    version = await adapter.version("old")

    await adapter.close()
    assert caught.value.reason == f"secretsmanager/{REGION}/{moto.unique}/old: it is marked for deletion"
    assert version is None


@pytest.mark.asyncio
async def test_a_secret_without_a_value_is_not_found(moto: Backend) -> None:
    """Secrets Manager knows secrets that hold nothing yet."""
    client, full = client_for("secretsmanager", moto, "empty")
    client.create_secret(Name=full)
    adapter = await opened(**where("secretsmanager", moto))

    with pytest.raises(NotFound):
        await adapter.get("empty")
    version = await adapter.version("empty")

    await adapter.close()
    assert version is None


@pytest.mark.asyncio
@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_is_ever_written(moto: Backend, service: str) -> None:
    """put is unsupported even for a secret that exists."""
    put(service, moto, "token", b"first")
    adapter = await opened(**where(service, moto))

    with pytest.raises(Unsupported, match="write"):
        await adapter.put("token", SecretBytes(b"second"))
    secret = await adapter.get("token")

    await adapter.close()
    assert secret.value.get_secret_value() == b"first"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"service": "s3"}, ("service",), id="another service"),
        pytest.param({"region": ""}, ("region",), id="an empty region"),
        pytest.param({"endpoint_url": "127.0.0.1:5000"}, ("endpoint_url",), id="no address"),
        pytest.param({"endpoint_url": "http://u:canary@example.org"}, ("endpoint_url",), id="user info"),
        pytest.param({"prefix": "a b"}, ("prefix",), id="a blank in the prefix"),
        pytest.param({"service": "ssm", "prefix": "orders/"}, (), id="a path without its first slash"),
        pytest.param({"service": "ssm", "prefix": "a+b"}, (), id="what only Secrets Manager allows"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], field: tuple[str, ...]) -> None:
    """The fault names the field and shows no input."""
    with pytest.raises(ValidationError) as caught:
        AwsSecrets.Settings.model_validate(given)

    assert [fault["loc"] for fault in caught.value.errors()] == [field]
    assert "canary" not in str(caught.value)
