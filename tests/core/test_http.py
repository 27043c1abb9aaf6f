"""The HTTP client of ours, against a server on this machine."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from oneiric.core.errors import AdapterError, BadReply, InvalidInput, NotOpen, RateLimited, TimedOut, Unavailable
from oneiric.core.http import HttpClient, is_credential, is_idempotent
from oneiric.core.resilience import is_unsent
from oneiric.testing.loopback import HOST, Loopback, loopback

CREDENTIALS = {
    "Authorization": "Bearer canary-1",
    "Cookie": "session=canary-2",
    "X-Api-Key": "canary-3",
    "X-Trace": "kept",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@asynccontextmanager
async def client(**given: Any) -> AsyncIterator[HttpClient]:
    made = HttpClient(**given)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def echo(http: HttpClient, method: str, url: str, **given: Any) -> dict[str, Any]:
    seen = (await http.send(method, url, **given)).json()
    assert isinstance(seen, dict)
    return seen


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        *(pytest.param(method, True, id=method) for method in ("GET", "HEAD", "PUT", "DELETE", "get")),
        *(pytest.param(method, False, id=method) for method in ("POST", "PATCH", "CONNECT")),
    ],
)
def test_some_methods_may_be_repeated(method: str, expected: bool) -> None:
    """GET, HEAD, PUT and DELETE are idempotent, in any case."""
    assert is_idempotent(method) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        *(
            pytest.param(name, True, id=name)
            for name in ("authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Auth", "X-Vault-Token")
        ),
        *(pytest.param(name, False, id=name) for name in ("Accept", "Content-Type", "X-Trace")),
    ],
)
def test_a_header_that_holds_a_credential_is_known_by_its_name(header: str, expected: bool) -> None:
    """Doubtful names count as credentials."""
    assert is_credential(header) is expected


@pytest.mark.asyncio
async def test_credentials_stay_with_their_origin_on_a_redirect(server: Loopback) -> None:
    """Another port is another origin: no credential goes there, other headers do."""
    async with client(follow_redirects=True) as http:
        seen = await echo(http, "GET", f"{server.url}/redirect?to={server.other_url}/echo", headers=CREDENTIALS)

    assert "canary" not in str(seen)
    assert seen["headers"]["x-trace"] == "kept"
    assert seen["headers"]["host"] == server.other_url.removeprefix("http://")


@pytest.mark.asyncio
async def test_credentials_do_not_come_back_after_a_detour(server: Loopback) -> None:
    """A redirect back to the first origin, made by the other one, is not trusted with them either."""
    back = f"{server.other_url}/redirect?to={server.url}/echo"

    async with client(follow_redirects=True) as http:
        seen = await echo(http, "GET", f"{server.url}/redirect", params={"to": back}, headers=CREDENTIALS)

    assert "canary" not in str(seen)


@pytest.mark.asyncio
async def test_credentials_go_along_within_an_origin(server: Loopback) -> None:
    """A redirect to the same scheme, host and port keeps all headers."""
    async with client(follow_redirects=True) as http:
        seen = await echo(http, "GET", f"{server.url}/redirect?to=/echo", headers=CREDENTIALS)

    assert seen["headers"]["authorization"] == "Bearer canary-1"
    assert seen["headers"]["x-api-key"] == "canary-3"


@pytest.mark.asyncio
async def test_user_info_of_an_address_goes_to_its_host_only(server: Loopback) -> None:
    """It becomes an Authorization header there, is not sent on, and is not part of the answer's address."""
    address = server.url.replace("http://", "http://u:canary@")

    async with client(follow_redirects=True) as http:
        here = await http.send("GET", f"{address}/echo")
        there = await echo(http, "GET", f"{address}/redirect?to={server.other_url}/echo")

    assert "Basic " in here.text()
    assert here.url == f"{server.url}/echo"
    assert "authorization" not in there["headers"]


@pytest.mark.asyncio
async def test_the_clients_own_credentials_go_to_its_base_only(server: Loopback) -> None:
    """An absolute address elsewhere gets the client's plain headers, and what the call itself gives."""
    async with client(base_url=server.url, headers=CREDENTIALS) as http:
        here = await echo(http, "GET", "/echo")
        there = await echo(http, "GET", f"{server.other_url}/echo")
        given = await echo(http, "GET", f"{server.other_url}/echo", headers={"authorization": "given"})

    assert here["headers"]["authorization"] == "Bearer canary-1"
    assert "canary" not in f"{there}{given}"
    assert there["headers"]["x-trace"] == "kept"
    assert given["headers"]["authorization"] == "given"


@pytest.mark.parametrize(
    ("status", "method", "arrives", "body"),
    [
        pytest.param(301, "POST", "GET", "", id="301 turns POST into GET"),
        pytest.param(302, "POST", "GET", "", id="302 turns POST into GET"),
        pytest.param(302, "PUT", "PUT", "sent", id="302 leaves PUT"),
        pytest.param(303, "PUT", "GET", "", id="303 turns all into GET"),
        pytest.param(307, "POST", "POST", "sent", id="307 repeats POST"),
        pytest.param(308, "POST", "POST", "sent", id="308 repeats POST"),
    ],
)
@pytest.mark.asyncio
async def test_a_redirect_keeps_or_changes_the_method(
    server: Loopback, status: int, method: str, arrives: str, body: str
) -> None:
    """RFC 9110 section 15.4."""
    async with client(follow_redirects=True) as http:
        seen = await echo(http, method, f"{server.url}/redirect?status={status}&to=/echo", content=b"sent")

    assert (seen["method"], seen["body"]) == (arrives, body)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/redirect?to=/redirect", id="without end"),
        pytest.param("/redirect?to=file:///etc/passwd", id="to a file"),
        pytest.param("/redirect?to=http://canary.invalid:99999/", id="to no address"),
    ],
)
@pytest.mark.asyncio
async def test_a_redirect_that_leads_nowhere_is_a_bad_reply(server: Loopback, target: str) -> None:
    """More than five, or one to anything but http and https."""
    if target.endswith("=/redirect"):
        for _ in range(6):
            target = f"/redirect?to={target.replace('%', '%25').replace('&', '%26').replace('?', '%3F')}"

    async with client(follow_redirects=True) as http:
        with pytest.raises(BadReply) as caught:
            await http.send("GET", server.url + target)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_path", "url", "path", "query"),
    [
        pytest.param("", "echo", "/echo", "", id="a path"),
        pytest.param("", "/echo", "/echo", "", id="a path with a slash"),
        pytest.param("/echo/", "/a", "/echo/a", "", id="below the path of the base"),
        pytest.param("/echo", "", "/echo", "", id="nothing but the base"),
        pytest.param("/echo", "?a=1", "/echo", "a=1", id="only a query"),
        pytest.param("", "/echo?u=http://x/", "/echo", "u=http://x/", id="an address in the query"),
        pytest.param("", "//example.org/echo", "/example.org/echo", "", id="no way to another host"),
    ],
)
@pytest.mark.asyncio
async def test_relative_addresses_are_joined_to_the_base(
    server: Loopback, base_path: str, url: str, path: str, query: str
) -> None:
    """They stay on the base's host and below its path."""
    async with client(base_url=server.url + base_path) as http:
        seen = await echo(http, "GET", url)

    assert (seen["path"], seen["query"]) == (path, query)


@pytest.mark.parametrize(
    ("limit", "is_read"),
    [pytest.param(1000, True, id="as long as the limit"), pytest.param(999, False, id="one byte longer")],
)
@pytest.mark.asyncio
async def test_a_body_has_a_limit_after_unpacking(server: Loopback, limit: int, is_read: bool) -> None:
    """The limit counts what the caller gets, not what came over the wire."""
    async with client(max_body_bytes=limit) as http:
        if is_read:
            assert len((await http.send("GET", f"{server.url}/bomb?bytes=1000")).body) == 1000
            return
        with pytest.raises(BadReply, match="more than 999 bytes"):
            await http.send("GET", f"{server.url}/bomb?bytes=1000")


@pytest.mark.parametrize("path", [pytest.param("/stall", id="no answer"), pytest.param("/drip", id="half a body")])
@pytest.mark.asyncio
async def test_the_time_limit_is_for_the_whole_request(server: Loopback, path: str) -> None:
    """Headers that came in time do not help a body that does not."""
    async with client(timeout_s=0.2) as http:
        with pytest.raises(TimedOut, match=r"within 0\.2 s|no bytes"):
            await http.send("GET", server.url + path)


@pytest.mark.asyncio
async def test_no_more_connections_than_allowed_are_open_at_once(server: Loopback) -> None:
    """Whoever finds none free waits, within the time limit; one that is given back is used."""
    async with client(max_connections=1, timeout_s=0.5) as http:
        first = await http.start("GET", f"{server.url}/drip")
        with pytest.raises(TimedOut):
            await http.send("GET", f"{server.url}/echo")

        await first.close()
        after = await http.send("GET", f"{server.url}/echo")

    assert after.status == 200


@pytest.mark.asyncio
async def test_a_refused_connection_surely_sent_nothing() -> None:
    """Nobody listening: unavailable, marked so that any call may be tried again, with the reason."""
    async with client() as http:
        with socket.socket() as reserved:
            reserved.bind((HOST, 0))  # bound and not listening
            with pytest.raises(Unavailable, match="connection refused") as caught:
                await http.send("POST", f"http://u:canary@{HOST}:{reserved.getsockname()[1]}/?q=canary")

    assert is_unsent(caught.value)
    assert "canary" not in f"{caught.value}{caught.value!r}"


@pytest.mark.asyncio
async def test_a_connection_that_is_closed_may_have_carried_the_request(server: Loopback) -> None:
    """It is unavailable, and not marked: the server may have done what was asked."""
    async with client() as http:
        with pytest.raises(Unavailable) as caught:
            await http.send("POST", f"{server.url}/hangup")

    assert not is_unsent(caught.value)


@pytest.mark.asyncio
async def test_a_server_without_tls_is_told() -> None:
    """https to a port that speaks none is unavailable, not a fault of the protocol of HTTP."""
    with loopback() as server:
        async with client() as http:
            with pytest.raises(Unavailable, match="no TLS connection"):
                await http.send("GET", server.url.replace("http://", "https://"))


@pytest.mark.asyncio
async def test_a_date_in_retry_after_is_read_against_the_injected_time(server: Loopback) -> None:
    """The pause is the date minus now."""
    async with client(now=lambda: datetime(2030, 1, 1, 12, 0, tzinfo=UTC)) as http:
        response = await http.send(
            "GET", f"{server.url}/status/429", params={"retry_after": "Tue, 01 Jan 2030 12:00:42 GMT"}
        )

    error = response.error()
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 42.0


@pytest.mark.asyncio
async def test_nothing_is_taken_from_the_environment(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable neither carries requests away nor adds credentials."""
    monkeypatch.setenv("HTTP_PROXY", "http://u:canary@127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://u:canary@127.0.0.1:9")

    async with client() as http:
        seen = await echo(http, "GET", f"{server.url}/echo")

    assert seen["headers"]["user-agent"] == "oneiric"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"base_url": "ftp://canary.example.org"}, id="a base of another scheme"),
        pytest.param({"headers": {"X-A": "canary\n"}}, id="a header with a line end"),
        pytest.param({"headers": {"X-A": "canäry"}}, id="a header beyond ASCII"),
        pytest.param({"ca_file": "absent.pem"}, id="an authority file that is absent"),
    ],
)
@pytest.mark.asyncio
async def test_a_client_that_could_not_send_does_not_open(given: dict[str, Any]) -> None:
    """The fault is found at open, shows no value, and leaves the client closed."""
    http = HttpClient(**given)

    with pytest.raises(InvalidInput) as caught:
        await http.open()

    assert "can" not in str(caught.value).replace("cannot", "")
    assert not http.is_open


@pytest.mark.asyncio
async def test_opening_twice_keeps_one_pool_and_closing_ends_it(server: Loopback) -> None:
    """After close, requests are not-open."""
    http = HttpClient(category="secrets", name="vault")
    await http.open()
    pool = http.native
    await http.open()

    assert http.native is pool
    await http.close()
    await http.close()
    with pytest.raises(NotOpen) as caught:
        await http.send("GET", server.url, operation="get")
    assert str(caught.value) == "secrets/vault get: not-open"


@pytest.mark.asyncio
async def test_a_fault_in_a_stream_is_one_of_our_errors(server: Loopback) -> None:
    """What breaks while the body is walked is mapped like the rest, and the connection is given back."""
    async with client() as http:
        answer = await http.start("GET", f"{server.url}/cut?q=canary")
        with pytest.raises(AdapterError) as caught:
            async for _ in answer.chunks:
                pass
        await answer.close()
        await answer.close()

    assert isinstance(caught.value, BadReply)
    assert "canary" not in str(caught.value)
