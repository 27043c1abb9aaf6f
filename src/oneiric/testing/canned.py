"""HTTP for tests: it answers as a test says, and keeps what was asked."""

from __future__ import annotations

import json as json_text
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from oneiric.adapters.http.common import Params, Response, StreamResponse
from oneiric.core.errors import AdapterError, InvalidInput
from oneiric.core.event import JSON
from oneiric.core.health import Health
from oneiric.core.response import Headers

PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """
    What was asked.

    Attributes:
        method: In capitals.
        url: As it was given, with `params` in its query.
        headers: Those of the call.
        body: The bytes that would have been sent.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=Headers, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> JSON:
        """Return the body as a JSON value. Raises ValueError if it is none."""
        value: JSON = json_text.loads(self.body)
        return value


class CannedHttp:
    """
    Answers without a network; bind it with `app.override({"http": CannedHttp()})`.

    A request that has no answer fails the test, so that nothing is asked by accident.

    Attributes:
        asked: The requests, in order.
    """

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self._answers: dict[tuple[str, str], list[Response | AdapterError]] = {}

    def answer(
        self,
        method: str,
        url: str,
        *,
        status: int = 200,
        json: JSON = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> CannedHttp:
        """
        Answer a request; several answers to the same one come in their order, and the last stays.

        Args:
            method: In any case.
            url: As the code under test gives it, with its query.
            status: The status code, 100 to 599.
            json: The body as a JSON value, unless None.
            body: The body as bytes; not together with `json`.
            headers: The header fields.

        Returns:
            Itself, for the next answer.
        """
        if json is not None and body:
            raise ValueError("an answer has one body: json or body")
        fields = dict(headers or {})
        if json is not None:
            body = json_text.dumps(json).encode()
            fields.setdefault("content-type", "application/json")
        return self._add(method, url, Response(status, Headers(fields.items()), body, url))

    def fail(self, method: str, url: str, error: AdapterError) -> CannedHttp:
        """Let a request fail, `fail("GET", "/", Unavailable("down"))`; in order with its answers."""
        return self._add(method, url, error)

    def _add(self, method: str, url: str, answer: Response | AdapterError) -> CannedHttp:
        self._answers.setdefault((method.upper(), url), []).append(answer)
        return self

    async def open(self) -> None:
        """Do nothing: it is always there."""

    async def close(self) -> None:
        """Do nothing: a test may go on asking it."""

    async def health(self) -> Health:
        """Be healthy: there is nobody to ask."""
        return Health(True)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """
        Return the answer that the test gave, whatever its status.

        Raises:
            InvalidInput: There are two bodies, or no time.
            AssertionError: The test gave no answer to this request.
        """
        where = {"category": "http", "name": "canned", "operation": "request"}
        if json is not None and content is not None:
            raise InvalidInput("json and content are two bodies", **where)
        if timeout_s is not None and timeout_s <= 0:
            raise InvalidInput("timeout_s is not above 0", **where)
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
        fields = dict(headers or {})
        if json is not None:
            content = json_text.dumps(json, separators=(",", ":"), allow_nan=False).encode()
            fields.setdefault("content-type", "application/json")
        asked = Request(method.upper(), url, Headers(fields.items()), content or b"")
        self.asked.append(asked)
        answer = self._next(asked)
        if isinstance(answer, AdapterError):
            raise answer
        return answer

    def _next(self, asked: Request) -> Response | AdapterError:
        answers = self._answers.get((asked.method, asked.url), [])
        if not answers:
            known = ", ".join(f"{method} {url}" for method, url in sorted(self._answers)) or "none"
            raise AssertionError(f"no answer to {asked.method} {asked.url}; there are answers to: {known}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[StreamResponse]:
        """Hand out the answer in pieces of at most 65,536 bytes; otherwise as `request`."""
        answer = await self.request(
            method, url, headers=headers, params=params, json=json, content=content, timeout_s=timeout_s
        )
        chunks = _each(_pieces(answer.body))
        yield StreamResponse(answer.status, answer.headers, answer.url, answer.received_at, chunks, _nothing)


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[begin : begin + PIECE_BYTES] for begin in range(0, len(body), PIECE_BYTES))


async def _each(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _nothing() -> None:
    """Give back a connection that there never was."""
