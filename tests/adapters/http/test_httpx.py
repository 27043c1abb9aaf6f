"""The HTTP adapter on httpx."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from oneiric.adapters.http.httpx import HttpxHttp
from oneiric.core.errors import InvalidInput
from oneiric.testing.contracts.http import HttpContract
from oneiric.testing.loopback import Loopback, loopback

CANARY = "Bearer canary-authorization"


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


class TestHttpxHttp(HttpContract):
    adapter = HttpxHttp


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"base_url": "ftp://example.org"}, ("base_url",), id="another scheme"),
        pytest.param({"base_url": "http://u:canary@example.org"}, ("base_url",), id="user info"),
        pytest.param({"base_url": "http://example.org/?key=canary"}, ("base_url",), id="a query"),
        pytest.param({"headers": {"X-Api-Key": "canary"}}, ("headers",), id="a credential in plain sight"),
        pytest.param({"authorization": "canary"}, (), id="a credential for nobody"),
    ],
)
def test_settings_that_would_spread_a_credential_are_refused(given: dict[str, object], field: tuple[str, ...]) -> None:
    """Credentials go to the origin of base_url, from a field that hides itself; the fault shows no value."""
    with pytest.raises(ValidationError) as caught:
        HttpxHttp.Settings.model_validate(given)

    assert [fault["loc"] for fault in caught.value.errors()] == [field]
    assert "canary" not in str(caught.value)


@pytest.mark.asyncio
async def test_authorization_goes_to_the_origin_of_the_base_only(server: Loopback) -> None:
    """The base's origin gets the header; an absolute address elsewhere does not."""
    adapter = HttpxHttp(HttpxHttp.Settings(base_url=server.url, authorization=SecretStr(CANARY)))
    await adapter.open()

    here = (await adapter.request("GET", "/echo")).json()
    there = (await adapter.request("GET", f"{server.other_url}/echo")).json()

    await adapter.close()
    assert isinstance(here, dict)
    assert isinstance(there, dict)
    assert CANARY in str(here["headers"])
    assert "authorization" not in str(there["headers"])


@pytest.mark.asyncio
async def test_a_redirect_is_followed_if_the_settings_ask_for_it(server: Loopback) -> None:
    """The answer is that of the last address, and the response names it."""
    adapter = HttpxHttp(HttpxHttp.Settings(base_url=server.url, follow_redirects=True))
    await adapter.open()

    response = await adapter.request("GET", f"/redirect?to={server.other_url}/echo")

    await adapter.close()
    assert (response.status, response.url) == (200, f"{server.other_url}/echo")


@pytest.mark.asyncio
async def test_health_without_a_base_says_that_there_is_nobody_to_ask() -> None:
    """An adapter for any server is well as long as it is open."""
    adapter = HttpxHttp(HttpxHttp.Settings())
    await adapter.open()

    health = await adapter.health()

    await adapter.close()
    assert (health.ok, health.detail) == (True, "no base_url: nothing to ask")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "limit_s", "ok", "detail"),
    [
        pytest.param("/status/404", 30, True, "HEAD answered 404", id="an answer is an answer"),
        pytest.param("/status/500", 30, False, "HEAD answered 500", id="a server that fails"),
        pytest.param("/stall", 0.2, False, "no answer within 0.2 s", id="a server that stalls"),
    ],
)
async def test_health_asks_the_base(server: Loopback, path: str, limit_s: float, ok: bool, detail: str) -> None:
    """One HEAD request tells; nothing is raised and the limit holds."""
    adapter = HttpxHttp(HttpxHttp.Settings(base_url=server.url + path, health_timeout_s=limit_s))
    await adapter.open()

    health = await adapter.health()

    await adapter.close()
    assert (health.ok, health.detail) == (ok, detail)


@pytest.mark.asyncio
async def test_a_stream_is_tried_again_like_a_request(server: Loopback) -> None:
    """A failing status is tried again before the block begins, and the failed answers are closed."""
    adapter = HttpxHttp(HttpxHttp.Settings.model_validate({"base_url": server.url, "retry": {"wait_s": 0}}))
    await adapter.open()

    async with adapter.stream("GET", "/flaky/a-stream?failures=2") as response:
        body = b"".join([piece async for piece in response.chunks])

    await adapter.close()
    assert (response.status, body) == (200, b"3")


@pytest.mark.asyncio
async def test_an_authority_file_that_is_absent_is_refused_at_open() -> None:
    """open proves that TLS can be set up, and may be tried again."""
    adapter = HttpxHttp(HttpxHttp.Settings(ca_file="absent.pem"))

    with pytest.raises(InvalidInput, match="ca_file"):
        await adapter.open()

    assert not (await adapter.health()).ok
