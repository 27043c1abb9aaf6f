"""HTTP by httpx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from oneiric.adapters.http.common import Params, Response, StreamResponse
from oneiric.core.adapter import Health
from oneiric.core.errors import AdapterError, InvalidInput, NotOpen
from oneiric.core.event import JSON
from oneiric.core.http import MAX_BODY_BYTES, MAX_CONNECTIONS, HttpClient, is_credential, is_idempotent
from oneiric.core.remote import RemoteSettings
from oneiric.core.resilience import Resilience

Answer = TypeVar("Answer", Response, StreamResponse)


class HttpxHttp:
    """
    Requests through one pool of httpx, with retries and one breaker for each server.

    Args:
        settings: How to connect.
        clock: Seconds that never run backwards; retries and breakers go by it.
    """

    class Settings(RemoteSettings):
        """How requests are made, and to whom credentials go."""

        base_url: str = Field(
            default="", description="what relative addresses are joined to; empty: absolute ones only"
        )
        authorization: SecretStr | None = Field(
            default=None, description="the header Authorization, sent to the origin of base_url only"
        )
        headers: dict[str, str] = Field(default_factory=dict, description="sent with every request; no credentials")
        follow_redirects: bool = Field(default=False, description="follow up to 5 redirects")
        max_body_bytes: int = Field(
            default=MAX_BODY_BYTES, ge=1, description="longest body that is kept, in bytes after unpacking"
        )
        max_connections: int = Field(default=MAX_CONNECTIONS, ge=1, description="connections open at once")
        verify: bool = Field(default=True, description="check the server's certificate")
        ca_file: str | None = Field(default=None, description="PEM file with the authorities to trust instead")

        @field_validator("base_url")
        @classmethod
        def _has_no_credentials(cls, base_url: str) -> str:
            parts = urlsplit(base_url)
            if base_url and (parts.scheme not in {"http", "https"} or not parts.hostname):
                raise ValueError("it must begin with http:// or https:// and a host")
            if "@" in parts.netloc or parts.query:
                raise ValueError("no user info and no query here; use authorization")
            return base_url

        @field_validator("headers")
        @classmethod
        def _are_no_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
            if any(is_credential(name) for name in headers):
                raise ValueError("a header that holds a credential is not shown anywhere; use authorization")
            return headers

        @model_validator(mode="after")
        def _sends_credentials_somewhere(self) -> HttpxHttp.Settings:
            if self.authorization is not None and not self.base_url:
                raise ValueError("authorization needs base_url: credentials go to one origin only")
            return self

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        secret = settings.authorization
        own = {} if secret is None else {"authorization": secret.get_secret_value()}
        self._client = HttpClient(
            base_url=settings.base_url,
            headers={**settings.headers, **own},
            follow_redirects=settings.follow_redirects,
            max_body_bytes=settings.max_body_bytes,
            max_connections=settings.max_connections,
            verify=settings.verify,
            ca_file=settings.ca_file,
            name="httpx",
        )
        self._resilience = Resilience(
            timeout_s=settings.timeout_s,
            retry=settings.retry,
            breaker=settings.breaker,
            category="http",
            name="httpx",
            clock=clock,
        )

    @property
    def native(self) -> Any:  # outside the contract
        """The `httpx.AsyncClient` while open, else None; its requests bypass every limit of this adapter."""
        return self._client.native

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        """Ask `base_url` with HEAD; every answer below status 500 is ok. Without `base_url` there is nobody to ask."""
        if not self._client.is_open:
            return Health(False, "not open")
        if not self._settings.base_url:
            return Health(True, "no base_url: nothing to ask")
        began_s = self._clock()
        try:
            async with asyncio.timeout(self._settings.health_timeout_s):
                answer = await self._client.send("HEAD", "", operation="health")
        except TimeoutError:
            return Health(False, f"no answer within {self._settings.health_timeout_s:g} s")
        except AdapterError as error:
            return Health(False, error.message)
        return Health(answer.status < 500, f"HEAD answered {answer.status}", max(0.0, self._clock() - began_s))

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
        async def send() -> Response:
            return await self._client.send(
                method, url, headers=headers, params=params, json=json, content=content, operation="request"
            )

        return await self._tried(send, method, url, timeout_s, "request")

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
        begun: list[StreamResponse] = []
        wait_s = self._settings.timeout_s if timeout_s is None else timeout_s

        async def send() -> StreamResponse:
            while begun:
                await begun.pop().close()
            answer = await self._client.start(
                method,
                url,
                headers=headers,
                params=params,
                json=json,
                content=content,
                operation="stream",
                wait_s=wait_s,
            )
            begun.append(answer)
            return answer

        try:
            yield await self._tried(send, method, url, timeout_s, "stream")
        finally:
            while begun:
                await begun.pop().close()

    async def _tried(
        self, send: Callable[[], Awaitable[Answer]], method: str, url: str, timeout_s: float | None, operation: str
    ) -> Answer:
        """Send until the status is final or no try is left; the last answer is returned even if its status is bad."""
        if not self._client.is_open:
            raise NotOpen(category="http", name="httpx", operation=operation)
        if timeout_s is not None and timeout_s <= 0:
            raise InvalidInput("timeout_s is not above 0", category="http", name="httpx", operation=operation)
        peer = self._client.origin(url, operation=operation)
        last: tuple[AdapterError, Answer] | None = None

        async def once() -> Answer:
            nonlocal last
            answer = await send()
            error = answer.error(name="httpx", operation=operation)
            if error is not None and error.retryable:
                last = (error, answer)
                raise error
            return answer

        try:
            return await self._resilience.run(
                once, is_idempotent=is_idempotent(method), operation=operation, timeout_s=timeout_s, peer=peer
            )
        except AdapterError as error:
            if last is not None and last[0] is error:
                return last[1]
            raise
