"""Secrets in AWS, as a peer that says whatever a test wants lets them be seen: answers, opening, outages, logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from oneiric.adapters.secrets.aws import AwsSecrets
from oneiric.adapters.secrets.common import Secrets
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Denied,
    NotFound,
    NotOpen,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.testing.contracts.backend import Backend
from tests.support.aws import REGION, AwsPeer, isolate
from tests.support.wait import wait_until

SERVICES = [pytest.param("secretsmanager", id="Secrets Manager"), pytest.param("ssm", id="Parameter Store")]
VERSION = "11111111-2222-3333-4444-555555555555"
VALUES: dict[str, dict[str, object]] = {
    "secretsmanager": {"ARN": "arn", "Name": "n", "VersionId": VERSION, "SecretString": "canary-value"},
    "ssm": {"Parameter": {"Name": "n", "Type": "SecureString", "Value": "canary-value", "Version": 7}},
}
DENIED = "User: arn:aws:iam::123456789012:user/u is not authorized to perform it"
KEY = "The ciphertext refers to a customer master key that you are not allowed to access."


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def peer(find_backend: Callable[[str], Backend]) -> Iterator[AwsPeer]:
    """A peer that says what the test wants; it asks for the backend too, which is missing where boto3 is."""
    find_backend("aws")
    with AwsPeer() as running:
        yield running


async def at_peer(peer: AwsPeer, service: str, **settings: object) -> AwsSecrets:
    """Open an adapter whose one try and breaker let every answer of the peer through."""
    once = {"retry": {"attempts": 1}, "breaker": {"failures": 1000}}
    given = {"service": service, "region": REGION, "endpoint_url": peer.url, **once, **settings}
    adapter = AwsSecrets(AwsSecrets.Settings.model_validate(given))
    await adapter.open()
    return adapter


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("service", "asked"),
    [
        pytest.param("secretsmanager", ("secretsmanager.DescribeSecret", {"SecretId": "a-token"}), id="described"),
        pytest.param(
            "ssm", ("AmazonSSM.GetParameter", {"Name": "a-token", "WithDecryption": False}), id="left encrypted"
        ),
    ],
)
async def test_the_version_is_told_without_the_value(peer: AwsPeer, service: str, asked: tuple[str, object]) -> None:
    """version asks for what the secret is, never for its value in clear, and needs no right to list."""
    adapter = await at_peer(peer, service, prefix="a-")
    peer.asked.clear()
    peer.says(**VALUES[service], VersionIdsToStages={VERSION: ["AWSCURRENT"], "older": ["AWSPREVIOUS"]})

    version = await adapter.version("token")

    await adapter.close()
    assert version == {"secretsmanager": VERSION, "ssm": "7"}[service]
    assert peer.asked == [asked]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("service", "code", "text", "kind", "reason"),
    [
        pytest.param(
            "secretsmanager",
            "AccessDeniedException",
            DENIED,
            Denied,
            "AccessDeniedException; fix: allow secretsmanager:GetSecretValue to this role or user",
            id="a policy",
        ),
        pytest.param(
            "ssm",
            "AccessDeniedException",
            KEY,
            Denied,
            "AccessDeniedException; fix: allow kms:Decrypt on its key to this role or user",
            id="a policy of the key",
        ),
        pytest.param(
            "secretsmanager",
            "DecryptionFailure",
            "",
            Denied,
            "DecryptionFailure: its key cannot be used",
            id="a key of Secrets Manager",
        ),
        pytest.param(
            "ssm", "InvalidKeyId", "", Denied, "InvalidKeyId: its key cannot be used", id="a key of the Parameter Store"
        ),
        pytest.param(
            "secretsmanager",
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
            NotFound,
            "secretsmanager/eu-west-1/token: it is marked for deletion",
            id="a deletion as AWS says it",
        ),
        pytest.param(
            "secretsmanager",
            "InvalidRequestException",
            "The secret is managed by another service.",
            Denied,
            "InvalidRequestException: the secret's state does not allow it",
            id="another state",
        ),
        pytest.param(
            "secretsmanager",
            "ResourceNotFoundException",
            "",
            NotFound,
            "secretsmanager/eu-west-1/token: no such secret, or not in this version",
            id="no secret",
        ),
        pytest.param(
            "ssm", "ParameterNotFound", "", NotFound, "ssm/eu-west-1/token: no such parameter", id="no parameter"
        ),
        pytest.param(
            "ssm",
            "ParameterVersionNotFound",
            "",
            NotFound,
            "ssm/eu-west-1/token: not in this version",
            id="no such version",
        ),
        pytest.param("ssm", "ThrottlingException", "", RateLimited, "ThrottlingException", id="too many calls"),
        pytest.param("ssm", "ExpiredTokenException", "", Denied, "ExpiredTokenException", id="old credentials"),
        pytest.param("ssm", "InternalServerError", "", Unavailable, "InternalServerError", id="a fault of the service"),
        pytest.param("ssm", "SomethingNew", "", AdapterError, "SomethingNew", id="a code that nobody knows"),
    ],
)
async def test_each_answer_has_one_meaning(
    peer: AwsPeer, service: str, code: str, text: str, kind: type[AdapterError], reason: str
) -> None:
    """Absent, refused, not to be had and too slow are never mixed up: only a secret that is absent is not-found."""
    adapter = await at_peer(peer, service)
    peer.refuses(code, text)

    with pytest.raises(AdapterError) as caught:
        await adapter.get("token")

    await adapter.close()
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert (caught.value.category, caught.value.name, caught.value.operation) == ("secrets", "aws", "get")


@pytest.mark.asyncio
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"status": "ok"}', id="another JSON"),
        pytest.param(b'{"ARN": "a", "Parameter": {"Value": "cana', id="cut in the middle"),
        pytest.param(b'{"ARN": null, "Parameter": null}', id="null"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_answer_of_somebody_else_is_no_absent_secret(peer: AwsPeer, service: str, body: bytes) -> None:
    """A status of success is not believed: what lacks a value or a version is bad-reply for every method."""
    adapter = await at_peer(peer, service)
    peer.replies(200, body)

    with pytest.raises(BadReply):
        await adapter.get("token")
    with pytest.raises(BadReply):
        await adapter.version("token")

    await adapter.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("service", SERVICES)
async def test_opening_needs_no_right_beyond_reading_the_secrets(peer: AwsPeer, service: str) -> None:
    """A policy that hides the probe proves that the service knows the credentials; the secret itself is read."""
    peer.refuses("AccessDeniedException", DENIED)

    adapter = await at_peer(peer, service)

    health = await adapter.health()
    peer.says(**VALUES[service])
    secret = await adapter.get("token")
    await adapter.close()
    assert (health.ok, health.detail) == (True, f"{service} in eu-west-1 answers")
    assert secret.value.get_secret_value() == b"canary-value"


@pytest.mark.asyncio
async def test_opening_fails_for_credentials_that_nobody_knows(peer: AwsPeer) -> None:
    """Wrong credentials are denied at open, not at the first secret."""
    peer.refuses("UnrecognizedClientException", "The security token included in the request is invalid.")

    with pytest.raises(Denied, match="UnrecognizedClientException"):
        await at_peer(peer, "secretsmanager")


@pytest.mark.asyncio
async def test_without_credentials_open_says_what_is_missing(peer: AwsPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent; the error names the variables that would help."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(Denied, match="no credentials; fix: set AWS_ACCESS_KEY_ID") as caught:
        await at_peer(peer, "ssm")

    assert peer.asked == []
    assert caught.value.fixes


@pytest.mark.asyncio
async def test_without_a_region_open_says_how_to_set_one(peer: AwsPeer) -> None:
    """AWS has no address without a region: unavailable, with the setting and the variable."""
    with pytest.raises(Unavailable) as caught:
        await at_peer(peer, "ssm", region=None)

    assert caught.value.fixes == ("set region in the settings, or AWS_DEFAULT_REGION",)


@pytest.mark.asyncio
async def test_a_service_that_comes_back_is_used_again(peer: AwsPeer) -> None:
    """Gone is unavailable and unhealthy; once it is back, the same adapter works without another open."""
    adapter = await at_peer(peer, "ssm")
    peer.says(**VALUES["ssm"])
    await adapter.get("token")
    peer.stop()

    with pytest.raises(Unavailable):
        await adapter.get("token")
    gone = await adapter.health()
    peer.start()
    secret, back = await adapter.get("token"), await adapter.health()

    await adapter.close()
    assert (gone.ok, back.ok) == (False, True)
    assert secret.version == "7"


@pytest.mark.asyncio
async def test_a_short_outage_is_bridged(peer: AwsPeer) -> None:
    """Reading may be tried again, and is, as often as the settings say: not once more inside the SDK."""
    adapter = await at_peer(peer, "ssm", retry={"attempts": 3, "wait_s": 0})
    peer.asked.clear()
    peer.replies(503)

    with pytest.raises(Unavailable):
        await adapter.get("token")

    await adapter.close()
    assert len(peer.asked) == 3


@pytest.mark.asyncio
async def test_a_service_that_stalls_is_timed_out(peer: AwsPeer) -> None:
    """Every call, open and health too, ends within its own limit."""
    adapter = await at_peer(peer, "ssm", timeout_s=0.2, health_timeout_s=0.1)
    peer.stalls()

    async with asyncio.timeout(5):
        with pytest.raises(TimedOut):
            await adapter.get("token")
        health = await adapter.health()
        with pytest.raises(TimedOut, match=r"within 0\.4 s"):
            await at_peer(peer, "ssm", open_timeout_s=0.4)

    await adapter.close()
    assert (health.ok, health.detail) == (False, "no answer within 0.1 s")


@pytest.mark.asyncio
async def test_callers_that_go_away_leave_room_for_others(peer: AwsPeer) -> None:
    """Twenty calls that are cancelled while the service stalls take no thread from the next one."""
    adapter = await at_peer(peer, "ssm")
    peer.says(**VALUES["ssm"])
    peer.asked.clear()
    peer.stalls()
    waiting = [asyncio.create_task(adapter.get("token")) for _ in range(20)]
    await asyncio.to_thread(wait_until, lambda: len(peer.asked) == 10, 5)

    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    peer.stalls(False)
    secret = await adapter.get("token")

    await adapter.close()
    assert all(task.cancelled() for task in waiting)
    assert secret.version == "7"


@pytest.mark.asyncio
async def test_a_call_under_way_outlives_close(peer: AwsPeer) -> None:
    """It gets its answer; every later one is not-open."""
    adapter = await at_peer(peer, "ssm")
    peer.says(**VALUES["ssm"])
    peer.stalls()
    waiting = asyncio.create_task(adapter.get("token"))
    await asyncio.to_thread(wait_until, lambda: len(peer.asked) == 2, 5)

    await adapter.close()
    peer.stalls(False)

    assert (await waiting).version == "7"
    with pytest.raises(NotOpen):
        await adapter.get("token")


@pytest.mark.asyncio
@pytest.mark.parametrize("service", SERVICES)
async def test_no_value_reaches_a_log(peer: AwsPeer, service: str, caplog: pytest.LogCaptureFixture) -> None:
    """An application that logs everything does not log what AWS answered."""
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    adapter = await at_peer(peer, service)
    peer.says(**VALUES[service])

    secret = await adapter.get("token")

    await adapter.close()
    assert secret.value.get_secret_value() == b"canary-value"
    assert "canary-value" not in caplog.text


@pytest.mark.asyncio
async def test_a_resource_names_where_a_secret_is(peer: AwsPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told without asking; the SDK's own region is known once the adapter is open."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    adapter = AwsSecrets(AwsSecrets.Settings(service="ssm", endpoint_url=peer.url, prefix="/orders/"))
    before = adapter.resource("token")
    await adapter.open()
    peer.asked.clear()

    after = adapter.resource("token")

    await adapter.close()
    assert (before, after) == ("ssm/-/orders/token", "ssm/ap-south-1/orders/token")
    assert peer.asked == []


@pytest.mark.asyncio
async def test_the_client_of_the_sdk_is_there_while_open(peer: AwsPeer) -> None:
    """What the Protocol leaves out goes through boto3 itself."""
    adapter = await at_peer(peer, "ssm")
    peer.says(Parameters=[])

    answer = adapter.native.get_parameters_by_path(Path="/")

    await adapter.close()
    assert answer["Parameters"] == []
    assert adapter.native is None
    assert isinstance(adapter, Secrets)
