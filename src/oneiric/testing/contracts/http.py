"""What every HTTP adapter promises, checked against a server on this machine."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from oneiric.adapters.http.common import Http
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    NotOpen,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.adapter import AdapterContract
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.loopback import HOST, Loopback, loopback


class HttpContract(AdapterContract):
    """Behaviour of category `http`; a test class gives `settings` with the server's address as `base_url`."""

    category: ClassVar[str] = "http"

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Loopback]:
        """The server, one for all tests of a class."""
        with loopback() as running:
            yield running

    @pytest.fixture
    def backend(self, tmp_path: Path, server: Loopback) -> Backend:
        """The address of the server, besides what every adapter gets."""
        return Backend(server.url, tmp_path, f"u{uuid.uuid4().hex}")

    def settings(self, backend: Backend) -> dict[str, object]:
        """Relative addresses lead to the server, and no test waits before a second try."""
        return {"base_url": backend.url, "retry": {"wait_s": 0}}

    async def use(self, adapter: Any) -> None:  # the class under test
        """Make one request."""
        await adapter.request("GET", "/echo")

    def test_it_has_the_methods_of_the_category(self, made: Any) -> None:
        """The adapter has request and stream."""
        assert isinstance(made, Http)

    @pytest.mark.asyncio
    async def test_a_request_arrives_as_it_was_made(self, opened: Any) -> None:
        """Method, path, query, headers and JSON body reach the server."""
        response = await opened.request(
            "post", "/echo/a?x=1", params={"y": "2 3"}, headers={"X-Trace": "t"}, json={"a": [1]}
        )
        seen = response.json()

        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/echo/a", "x=1&y=2+3")
        assert (seen["headers"]["x-trace"], seen["headers"]["content-type"]) == ("t", "application/json")
        assert seen["body"] == '{"a":[1]}'

    @pytest.mark.asyncio
    async def test_bytes_are_sent_as_they_are(self, opened: Any) -> None:
        """content is the body, without a content type of the adapter's own."""
        seen = (await opened.request("PUT", "/echo", content=b"raw bytes")).json()

        assert seen["body"] == "raw bytes"
        assert "content-type" not in seen["headers"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            pytest.param(302, BadReply, id="302"),
            pytest.param(400, InvalidInput, id="400"),
            pytest.param(401, Denied, id="401"),
            pytest.param(403, Denied, id="403"),
            pytest.param(404, NotFound, id="404"),
            pytest.param(409, Conflict, id="409"),
            pytest.param(422, InvalidInput, id="422"),
            pytest.param(500, Unavailable, id="500"),
            pytest.param(503, Unavailable, id="503"),
        ],
    )
    async def test_a_status_is_an_answer_until_somebody_asks(
        self, opened: Any, status: int, error: type[AdapterError]
    ) -> None:
        """request returns any status; raise_for_status makes it one of our errors, without the body."""
        response = await opened.request("GET", f"/status/{status}")

        assert response.status == status
        assert response.body == b"the body of status %d" % status
        with pytest.raises(error) as caught:
            response.raise_for_status()
        assert type(caught.value) is error
        assert "the body" not in str(caught.value)

    @pytest.mark.asyncio
    async def test_a_pause_that_the_server_asks_for_is_told(self, opened: Any) -> None:
        """429 is rate-limited with the seconds of Retry-After; a pause beyond the time limit is not waited for."""
        response = await opened.request("GET", "/status/429?retry_after=120")

        with pytest.raises(RateLimited) as caught:
            response.raise_for_status()
        assert caught.value.retry_after_s == 120.0

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("method", "status", "calls"),
        [
            pytest.param("GET", 503, 3, id="GET is tried again"),
            pytest.param("PUT", 503, 3, id="PUT is tried again"),
            pytest.param("DELETE", 503, 3, id="DELETE is tried again"),
            pytest.param("POST", 503, 1, id="POST is not"),
            pytest.param("PATCH", 503, 1, id="PATCH is not"),
            pytest.param("POST", 429, 3, id="POST is, if the server refused to do it now"),
            pytest.param("GET", 404, 1, id="a fault of the request is not"),
        ],
    )
    async def test_what_may_be_repeated_is_tried_again(
        self, opened: Any, backend: Backend, method: str, status: int, calls: int
    ) -> None:
        """Idempotent methods are tried again on passing failures, others only if the request had no effect."""
        await opened.request(method, f"/flaky/{backend.unique}?failures=2&status={status}")

        assert (await opened.request("GET", f"/count/{backend.unique}")).text() == str(calls)

    @pytest.mark.asyncio
    async def test_a_redirect_is_not_followed(self, opened: Any) -> None:
        """Without the setting, a redirect is the answer."""
        response = await opened.request("GET", "/redirect?to=/echo")

        assert (response.status, response.headers["location"]) == (302, "/echo")

    @pytest.mark.asyncio
    async def test_cookies_are_not_kept(self, opened: Any) -> None:
        """What one answer sets, the next request does not send."""
        await opened.request("GET", "/cookie")

        seen = (await opened.request("GET", "/echo")).json()

        assert "cookie" not in seen["headers"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("path", "error", "timeout_s"),
        [
            pytest.param("/stall", TimedOut, 0.3, id="a server that never answers"),
            pytest.param("/drip", TimedOut, 0.3, id="a body that stalls"),
            pytest.param("/hangup", Unavailable, 20, id="a connection that is closed"),
            pytest.param("/cut", BadReply, 20, id="a body that is cut"),
            pytest.param("/nonsense", BadReply, 20, id="an answer that is no HTTP"),
            pytest.param("/bomb?bytes=11000000", BadReply, 20, id="a body that is too long once unpacked"),
            pytest.param("/packed?encoding=br", BadReply, 20, id="an encoding that was not asked for"),
        ],
    )
    async def test_a_server_that_misbehaves_is_told_apart(
        self, opened: Any, path: str, error: type[AdapterError], timeout_s: float
    ) -> None:
        """Each fault of the server is one class of error; the query of the address is not shown."""
        with pytest.raises(error) as caught:
            await opened.request("GET", f"{path}{'&' if '?' in path else '?'}q=canary-query", timeout_s=timeout_s)

        assert type(caught.value) is error
        assert "canary-query" not in str(caught.value)
        assert (caught.value.category, caught.value.operation) == ("http", "request")

    @pytest.mark.asyncio
    @pytest.mark.parametrize("encoding", [pytest.param("gzip", id="gzip"), pytest.param("deflate", id="deflate")])
    async def test_a_compressed_body_is_unpacked(self, opened: Any, encoding: str) -> None:
        """The body is what the server compressed."""
        response = await opened.request("GET", f"/packed?encoding={encoding}")

        assert response.text() == "a text that was compressed"

    @pytest.mark.asyncio
    async def test_a_server_that_comes_back_is_used_again(self, opened: Any) -> None:
        """Nobody listening is unavailable; the same adapter works as soon as there is an answer."""
        with socket.socket() as reserved:
            reserved.bind((HOST, 0))  # bound and not listening: connections are refused, and nobody else gets the port
            with pytest.raises(Unavailable):
                await opened.request("GET", f"http://{HOST}:{reserved.getsockname()[1]}/")

        assert (await opened.request("GET", "/echo")).status == 200

    @pytest.mark.asyncio
    async def test_a_failing_server_is_left_alone_for_a_while(
        self, backend: Backend, clock: FakeClock, server: Loopback
    ) -> None:
        """After so many failures no request leaves until the pause is over; other servers are not concerned."""
        adapter = self.make(backend, clock, retry={"attempts": 1}, breaker={"failures": 2, "reset_s": 30})
        path = f"/flaky/{backend.unique}?failures=2"
        await adapter.open()
        for _ in range(2):
            await adapter.request("GET", path)

        with pytest.raises(Unavailable):
            await adapter.request("GET", path)
        elsewhere = await adapter.request("GET", f"{server.other_url}/count/{backend.unique}")
        clock.advance(30)
        again = await adapter.request("GET", path)

        await adapter.close()
        assert elsewhere.text() == "2"
        assert (again.status, again.text()) == (200, "3")

    @pytest.mark.asyncio
    async def test_a_body_is_streamed(self, opened: Any) -> None:
        """The pieces together are the body, unpacked, and no piece is longer than 64 KiB."""
        async with opened.stream("GET", "/bomb?bytes=200000") as response:
            response.raise_for_status()
            pieces = [piece async for piece in response.chunks]

        assert sum(map(len, pieces)) == 200_000
        assert max(map(len, pieces)) <= 65_536

    @pytest.mark.asyncio
    async def test_a_stream_may_be_left_early(self, opened: Any) -> None:
        """Leaving the block before the body ended gives the connection up, and the adapter works on."""
        async with opened.stream("GET", "/drip") as response:
            first = await anext(response.chunks)

        assert first[:5] == b"piece"
        await self.use(opened)

    @pytest.mark.asyncio
    async def test_a_stream_that_stalls_times_out(self, opened: Any) -> None:
        """Each wait for bytes has the time limit."""
        async with opened.stream("GET", "/drip", timeout_s=0.3) as response:
            with pytest.raises(TimedOut):
                async for _ in response.chunks:
                    pass

    @pytest.mark.asyncio
    async def test_a_stream_before_open_is_refused(self, made: Any) -> None:
        """It is not-open."""
        with pytest.raises(NotOpen):
            async with made.stream("GET", "/echo"):
                pass

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("url", "given"),
        [
            pytest.param("ftp://example.org/canary", {}, id="another scheme"),
            pytest.param("http://", {}, id="no host"),
            pytest.param("http://[::1/canary", {}, id="half an address"),
            pytest.param("http://127.0.0.1:99999/canary", {}, id="a port that cannot be"),
            pytest.param("/echo", {"headers": {"X-A": "canary\r\nX-B: c"}}, id="a header with a line end"),
            pytest.param("/echo", {"headers": {"X A": "canary"}}, id="a header name with a blank"),
            pytest.param("/echo", {"json": {"a": float("nan")}}, id="JSON with NaN"),
            pytest.param("/echo", {"json": {}, "content": b"canary"}, id="two bodies"),
            pytest.param("/echo", {"timeout_s": 0}, id="no time"),
        ],
    )
    async def test_what_cannot_be_sent_is_refused(self, opened: Any, url: str, given: dict[str, Any]) -> None:
        """It is invalid-input, and the error does not repeat it."""
        with pytest.raises(InvalidInput) as caught:
            await opened.request("GET", url, **given)

        assert "canary" not in str(caught.value)
