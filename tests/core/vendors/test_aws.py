"""What the adapters on AWS share: the client, its threads and the error map."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    NotInstalled,
    NotOpen,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.core.resilience import is_unsent
from oneiric.core.vendors.aws import AwsClient, Meaning
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.loopback import Loopback, loopback
from tests.support.aws import REGION, AwsPeer, isolate
from tests.support.wait import free_port


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def peer(find_backend: Callable[[str], Backend]) -> Iterator[AwsPeer]:
    """A peer that says what the test wants; where the backend is missing, boto3 is too."""
    find_backend("aws")
    with AwsPeer() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def made(url: str | None, *, region: str | None = REGION, timeout_s: float = 5.0, **changed: Any) -> AwsClient:
    """Make a client; `changed` are further arguments of its constructor."""
    return AwsClient(
        "ssm", region=region, endpoint_url=url, timeout_s=timeout_s, category="secrets", name="aws", **changed
    )


async def failed(client: AwsClient, method: str = "get_parameter", **arguments: object) -> AdapterError:
    """Open the client, make one call, and return the error."""

    async def used() -> None:
        await client.open()
        await client.call(method, operation="get", **(arguments or {"Name": "canary-name"}))

    with pytest.raises(AdapterError) as caught:
        await used()
    await client.close()
    assert "canary" not in f"{caught.value!r} {caught.value.fixes}"
    return caught.value


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param("AccessDenied", Denied, id="not allowed"),
        pytest.param("ExpiredToken", Denied, id="credentials too old"),
        pytest.param("InvalidSignatureException", Denied, id="a wrong key"),
        pytest.param("RequestExpired", Denied, id="a clock that is wrong"),
        pytest.param("Throttling", RateLimited, id="too many calls"),
        pytest.param("ProvisionedThroughputExceededException", RateLimited, id="too much throughput"),
        pytest.param("InternalServiceError", Unavailable, id="a fault of the service"),
        pytest.param("RequestTimeoutException", TimedOut, id="the service waited too long"),
        pytest.param("ValidationException", InvalidInput, id="a wrong argument"),
        pytest.param("SomethingNew", AdapterError, id="a code that nobody knows"),
    ],
)
async def test_a_code_means_the_same_in_every_service(peer: AwsPeer, code: str, kind: type[AdapterError]) -> None:
    """The code decides, whatever the status; the service's own text is not shown."""
    peer.refuses(code, "canary-text")

    error = await failed(made(peer.url))

    assert type(error) is kind
    assert code in error.reason


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(400, BadReply, id="400"),
        pytest.param(401, Denied, id="401"),
        pytest.param(403, Denied, id="403"),
        pytest.param(404, BadReply, id="404, which is no absent thing"),
        pytest.param(408, TimedOut, id="408"),
        pytest.param(429, RateLimited, id="429"),
        pytest.param(500, Unavailable, id="500"),
        pytest.param(503, Unavailable, id="503"),
    ],
)
async def test_without_a_code_the_status_decides(peer: AwsPeer, status: int, kind: type[AdapterError]) -> None:
    """A proxy or a wrong address speaks no error of AWS; it never looks as if something were absent."""
    peer.replies(status, b"<html>canary</html>")

    error = await failed(made(peer.url))

    assert type(error) is kind
    assert f"status {status}" in error.reason


@pytest.mark.asyncio
async def test_a_pause_that_is_asked_for_is_known(peer: AwsPeer) -> None:
    """Retry-After comes with the error; no further call says how long otherwise."""
    peer.refuses("ThrottlingException", status=400, retry_after="7")

    error = await failed(made(peer.url))

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7.0


@pytest.mark.asyncio
async def test_a_service_may_give_a_code_its_own_meaning(peer: AwsPeer) -> None:
    """The adapter's map comes first, and sees the service's text."""

    def meaning(code: str, text: str) -> Meaning | None:
        return Meaning(Conflict, "taken", "take another") if (code, text) == ("ValidationException", "old") else None

    peer.refuses("ValidationException", "old")
    own = await failed(made(peer.url, meaning=meaning))
    peer.refuses("ValidationException", "new")
    common = await failed(made(peer.url, meaning=meaning))

    assert (type(own), own.reason, own.fixes) == (Conflict, "taken; fix: take another", ("take another",))
    assert type(common) is InvalidInput


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("/hangup", Unavailable, id="it hangs up"),
        pytest.param("/nonsense", Unavailable, id="it speaks no HTTP"),
        pytest.param("/stall", TimedOut, id="it never answers"),
    ],
)
async def test_a_broken_connection_has_a_name(
    peer: AwsPeer, server: Loopback, path: str, kind: type[AdapterError]
) -> None:
    """The SDK's own limits hold without any around them, and such a request may have had an effect."""
    error = await failed(made(server.url + path, timeout_s=1.0))

    assert type(error) is kind
    assert not is_unsent(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_connection_had_no_effect(peer: AwsPeer, scheme: str) -> None:
    """Where nobody listens, and where no TLS is spoken, the request never left."""
    port = free_port() if scheme == "http" else peer.url.rpartition(":")[2]

    error = await failed(made(f"{scheme}://127.0.0.1:{port}"))

    assert type(error) is Unavailable
    assert is_unsent(error)


SSO = "[default]\nsso_start_url=https://example.org\nsso_region=eu-west-1\nsso_account_id=1\nsso_role_name=canary\n"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("variables", "config", "kind", "reason"),
    [
        pytest.param({}, "", Denied, "no credentials; fix: set AWS_ACCESS_KEY_ID", id="nothing"),
        pytest.param({"AWS_ACCESS_KEY_ID": "canary"}, "", Denied, "half of the credentials", id="one half"),
        pytest.param({"AWS_PROFILE": "canary"}, "", Denied, "the profile that AWS_PROFILE names", id="no such profile"),
        pytest.param({}, "canary", Denied, "configuration file cannot be read", id="a broken file"),
        pytest.param({}, SSO, Denied, "session has ended; fix: sign in again", id="a session that has ended"),
        pytest.param(
            {}, "[default]\ncredential_process=false\n", Unavailable, "where the credentials", id="a program that fails"
        ),
    ],
)
async def test_credentials_that_cannot_be_had_are_named(
    peer: AwsPeer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    config: str,
    kind: type[AdapterError],
    reason: str,
) -> None:
    """The error says what is missing; nothing of the files or variables is shown, and nothing is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    file = tmp_path / "config"
    file.write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))

    error = await failed(made(peer.url))

    assert type(error) is kind
    assert reason in error.reason
    assert peer.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changed", "kind", "reason"),
    [
        pytest.param({"region": None}, Unavailable, "no region; fix: set region in the settings", id="no region"),
        pytest.param({"region": "canary region"}, InvalidInput, "no form of a region", id="no form of a region"),
        pytest.param({"url": "canary"}, InvalidInput, "refuses the endpoint", id="no address"),
    ],
)
async def test_settings_that_the_sdk_refuses_are_named(
    peer: AwsPeer, changed: dict[str, Any], kind: type[AdapterError], reason: str
) -> None:
    """open fails, leaves nothing open, and shows none of what was given."""
    client = made(**{"url": peer.url, **changed})

    error = await failed(client)

    assert type(error) is kind
    assert reason in error.reason
    assert not client.is_open


@pytest.mark.asyncio
async def test_an_argument_that_the_sdk_refuses_is_not_shown(peer: AwsPeer) -> None:
    """The SDK's own text would repeat it."""
    error = await failed(made(peer.url), "get_parameter", Name=["canary"])

    assert type(error) is InvalidInput


@pytest.mark.asyncio
async def test_whatever_else_the_sdk_raises_is_an_adapter_error(peer: AwsPeer) -> None:
    """An exception that nobody has thought of leaves under our name, without its text."""
    client = made(peer.url)
    await client.open()

    def fail(**_: object) -> None:
        raise ArithmeticError("canary")

    client.native.meta.events.register("before-call", fail)
    with pytest.raises(AdapterError) as caught:
        await client.call("get_parameter", operation="get", Name="n")

    await client.close()
    assert str(caught.value) == "secrets/aws get: adapter-error (boto3 raised ArithmeticError)"
    assert caught.value.__suppress_context__


@pytest.mark.asyncio
async def test_an_answer_comes_back_and_was_asked_for_once(peer: AwsPeer) -> None:
    """A call is one request, also where it fails: trying again is the caller's."""
    client = made(peer.url)
    await client.open()
    peer.says(Parameter={"Name": "n", "Version": 1})

    answer = await client.call("get_parameter", operation="get", Name="n")
    peer.replies(503)
    with pytest.raises(Unavailable):
        await client.call("get_parameter", operation="get", Name="n")

    await client.close()
    assert answer["Parameter"] == {"Name": "n", "Version": 1}
    assert peer.asked == [("AmazonSSM.GetParameter", {"Name": "n"})] * 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("code", "is_answer"),
    [
        pytest.param("ParameterNotFound", True, id="absent"),
        pytest.param("AccessDeniedException", True, id="not allowed"),
        pytest.param("UnrecognizedClientException", False, id="unknown credentials"),
        pytest.param("InternalServerError", False, id="a fault of the service"),
    ],
)
async def test_a_service_that_knows_the_credentials_is_reached(peer: AwsPeer, code: str, is_answer: bool) -> None:
    """Absent and not-allowed prove it; everything else is an error as of any call."""
    client = made(peer.url, meaning=lambda code, _: Meaning(NotFound, "") if code == "ParameterNotFound" else None)
    await client.open()
    peer.refuses(code)

    reached: AdapterError | None = None
    try:
        await client.reach("get_parameter", operation="health", Name="n")
    except AdapterError as error:
        reached = error

    await client.close()
    assert (reached is None) is is_answer
    assert reached is None or reached.operation == "health"


@pytest.mark.asyncio
async def test_ten_calls_run_at_a_time(peer: AwsPeer) -> None:
    """The eleventh waits for a thread; all are served in the end."""
    others = set(threading.enumerate())  # an earlier test may have left a call behind that nobody waits for
    client = made(peer.url)
    await client.open()
    most = 0

    def count(**_: object) -> None:
        nonlocal most
        own = set(threading.enumerate()) - others
        most = max(most, sum("AnyIO" in thread.name for thread in own))

    client.native.meta.events.register("before-call", count)
    peer.says(Parameter={"Version": 1})
    answers = await asyncio.gather(*(client.call("get_parameter", operation="get", Name="n") for _ in range(30)))

    await client.close()
    assert len(answers) == 30
    assert most == 10


@pytest.mark.asyncio
async def test_a_call_needs_an_open_client(peer: AwsPeer) -> None:
    """Before open and after close it is not-open; opening twice keeps the client, closing twice is harmless."""
    client = made(peer.url)
    with pytest.raises(NotOpen):
        await client.call("get_parameter", operation="get", Name="n")

    await client.open()
    first, region = client.native, client.region
    await client.open()

    assert client.native is first
    assert region == "eu-west-1"
    await client.close()
    await client.close()
    assert client.native is None
    with pytest.raises(NotOpen):
        await client.reach("get_parameter", operation="health", Name="n")


@pytest.mark.asyncio
async def test_a_level_that_the_application_has_set_is_kept(peer: AwsPeer) -> None:
    """Opening quiets the SDK's own log of whole answers, unless somebody asked for it by name."""
    wire = logging.getLogger("botocore")
    levels = []
    for given in (logging.NOTSET, logging.DEBUG, logging.ERROR):
        wire.setLevel(given)
        client = made(peer.url)
        await client.open()
        await client.close()
        levels.append(wire.level)

    wire.setLevel(logging.INFO)
    assert levels == [logging.INFO, logging.DEBUG, logging.ERROR]


@pytest.mark.asyncio
async def test_without_the_sdk_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """open asks for boto3, and says which extra brings it."""
    monkeypatch.setitem(sys.modules, "boto3", None)  # what Python keeps there to refuse an import

    with pytest.raises(NotInstalled, match=r"pip install 'oneiric\[aws\]'"):
        await made(None).open()
