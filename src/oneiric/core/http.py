"""
An HTTP client of ours: no surprise redirects, a total deadline, a body limit, credentials for one host only.

The only user of httpx, which is imported when a client opens.
"""

from __future__ import annotations

import asyncio
import json as json_text
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from oneiric.core.decoding import ACCEPTED, Decoder
from oneiric.core.errors import AdapterError, BadReply, InvalidInput, NotOpen, TimedOut, Unavailable
from oneiric.core.event import JSON
from oneiric.core.log import is_secret_name
from oneiric.core.resilience import unsent
from oneiric.core.response import Headers, Response, StreamResponse, shown

if TYPE_CHECKING:
    import httpx

Params: TypeAlias = Mapping[str, str | int | float | bool | Sequence[str]]
MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_CONNECTIONS = 100
MAX_REDIRECTS = 5
MAX_PORT = 65_535
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CREDENTIAL = re.compile(r"auth|cookie|session|signature", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FIELD_TEXT = re.compile(r"[\t\x20-\x7e]*")
_OF_THE_BODY = frozenset({"content-length", "content-type", "content-encoding", "transfer-encoding"})


def is_idempotent(method: str) -> bool:
    """Tell whether a request may be sent twice: GET, HEAD, PUT, DELETE. Source: RFC 9110 section 9.2.2."""
    return method.upper() in IDEMPOTENT


def is_credential(header: str) -> bool:
    """Tell whether a header may hold a credential, by its name: Authorization, Cookie, X-Api-Key and the like."""
    return bool(_CREDENTIAL.search(header)) or is_secret_name(header)


class HttpClient:
    """
    Requests over one pool of connections. It keeps no cookies and reads neither proxies nor `.netrc` from outside.

    Args:
        base_url: What relative addresses are joined to; empty allows absolute ones only.
        headers: Sent with every request; those that hold credentials only to the origin of `base_url`.
        timeout_s: Seconds for one `send` in all, and for each wait of a stream; None leaves the limit to the caller.
        follow_redirects: Follow up to 5 redirects; credentials stay behind when the origin changes.
        max_body_bytes: The longest body that `send` keeps, counted after unpacking; 1 or more.
        max_connections: How many connections are open at once, 1 or more.
        verify: Check the server's certificate.
        ca_file: PEM file with the authorities to trust instead of the usual ones.
        category: The adapter's category, for errors.
        name: The adapter's name, for errors.
        now: The time, with a time zone, for Retry-After dates.
    """

    def __init__(
        self,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        follow_redirects: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_connections: int = MAX_CONNECTIONS,
        verify: bool = True,
        ca_file: str | None = None,
        category: str = "http",
        name: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._base_url, self._headers = base_url, dict(headers or {})
        self._timeout_s, self._follow_redirects = timeout_s, follow_redirects
        self._max_body_bytes, self._max_connections = max_body_bytes, max_connections
        self._verify, self._ca_file = verify, ca_file
        self._category, self._name, self._now = category, name, now
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """
        Make the pool; no connection yet. While it is open, a second call does nothing.

        Raises:
            InvalidInput: `ca_file` cannot be read, `base_url` is no address, or a header cannot be sent.
        """
        import httpx

        if self._client is not None:
            return
        self._check_headers(self._headers, "open")
        if self._base_url:
            self._url(self._base_url, None, "open")
        verify: bool | ssl.SSLContext = self._verify
        if self._verify and self._ca_file is not None:
            try:
                verify = ssl.create_default_context(cafile=self._ca_file)
            except OSError:  # ssl.SSLError is one
                raise self._error(InvalidInput, "ca_file is no readable PEM file", "open") from None
        limits = httpx.Limits(max_connections=self._max_connections, max_keepalive_connections=self._max_connections)
        self._client = httpx.AsyncClient(
            verify=verify,
            limits=limits,
            timeout=None,  # deadlines are counted over a whole request, which httpx cannot
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one caller's cookies are not another's
            headers={"accept-encoding": ACCEPTED, "user-agent": "oneiric"},
        )

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def is_open(self) -> bool:
        """Requests may be made."""
        return self._client is not None

    @property
    def native(self) -> httpx.AsyncClient | None:
        """The httpx client while open; its requests bypass every rule of this class."""
        return self._client

    def origin(self, url: str, *, operation: str = "request") -> str:
        """
        Return scheme, host and port that a request for `url` goes to first.

        Raises:
            InvalidInput: It is no address of http or https.
        """
        return _origin(self._url(url, None, operation))

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        operation: str = "request",
    ) -> Response:
        """
        Make a request and read the whole answer, whatever its status.

        Args:
            method: GET, POST and so on, in any case.
            url: Absolute, or relative to `base_url`.
            headers: Sent besides the client's own, and instead of those of the same name.
            params: Added to the query of the address.
            json: Sent as the body, unless None.
            content: Sent as the body; not together with `json`.
            operation: The adapter's method, for errors.

        Raises:
            NotOpen: The client is not open.
            InvalidInput: Address, method, a header or the body cannot be sent.
            Unavailable: The server cannot be reached. `is_unsent` tells whether the request left.
            TimedOut: The time was up.
            BadReply: The server broke the protocol, its body is too long, or it redirects without end.
        """
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                reply = await self._begin(method, url, headers, params, json, content, operation)
                answer = self._answer(reply, operation, None)
                try:
                    body = await self._read(answer, operation)
                finally:
                    await answer.close()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._error(TimedOut, f"no answer within {self._timeout_s:g} s", operation) from None
        return Response(answer.status, answer.headers, body, answer.url, answer.received_at)

    async def start(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: JSON = None,
        content: bytes | None = None,
        operation: str = "stream",
        wait_s: float | None = None,
    ) -> StreamResponse:
        """
        Make a request and return when the headers are there; the caller closes the answer.

        The body is not limited, since it is not kept. Arguments and errors are those of `send`; walking the chunks
        raises `Unavailable`, `TimedOut` and `BadReply` as well.

        Args:
            wait_s: Seconds that each wait for bytes may take, above 0; None takes the client's `timeout_s`.
        """
        limit_s = self._timeout_s if wait_s is None else wait_s
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                reply = await self._begin(method, url, headers, params, json, content, operation)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._error(TimedOut, f"no answer within {self._timeout_s:g} s", operation) from None
        return self._answer(reply, operation, limit_s)

    async def _begin(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        params: Params | None,
        json: JSON,
        content: bytes | None,
        operation: str,
    ) -> httpx.Response:
        """Send the request, follow redirects where that was asked, and return with the headers."""
        if self._client is None:
            raise self._error(NotOpen, "", operation)
        target = self._url(url, params, operation)
        fields, body = self._fields(headers or {}, json, content, operation)
        if not self._base_url or _origin(target) != self.origin(self._base_url):
            given = {name.lower() for name in headers or {}}
            fields = {name: text for name, text in fields.items() if name in given or not is_credential(name)}
        if not _TOKEN.fullmatch(method):
            raise self._error(InvalidInput, "the method cannot be sent", operation)
        method = method.upper()
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._send_once(method, target, fields, body, operation)
            location = reply.headers.get("location")
            if not self._follow_redirects or reply.status_code not in _REDIRECTS or location is None:
                return reply
            await reply.aclose()
            new = self._joined(target, location, operation)
            if _origin(new) != _origin(target):
                fields = {name: text for name, text in fields.items() if name != "host" and not is_credential(name)}
            if method != "HEAD" and (reply.status_code == 303 or (reply.status_code <= 302 and method == "POST")):
                method, body = "GET", None  # RFC 9110 section 15.4
                fields = {name: text for name, text in fields.items() if name not in _OF_THE_BODY}
            target = new
        raise self._error(BadReply, f"more than {MAX_REDIRECTS} redirects", operation)

    async def _send_once(
        self, method: str, target: httpx.URL, fields: Mapping[str, str], body: bytes | None, operation: str
    ) -> httpx.Response:
        import httpx

        if self._client is None:  # closed between two redirects
            raise self._error(NotOpen, "", operation)
        try:
            request = self._client.build_request(method, target, headers=dict(fields), content=body)
            return await self._client.send(request, stream=True, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._raise(error, f"{method} {shown(str(target))}", operation)

    def _answer(self, reply: httpx.Response, operation: str, wait_s: float | None) -> StreamResponse:
        headers = Headers(reply.headers.multi_items())
        url = str(reply.request.url.copy_with(username=None, password=None))
        chunks = self._chunks(reply, operation, wait_s)

        async def close() -> None:
            await chunks.aclose()
            await reply.aclose()  # a generator that nobody began has not done it

        return StreamResponse(reply.status_code, headers, url, self._now(), chunks, close)

    async def _chunks(self, reply: httpx.Response, operation: str, wait_s: float | None) -> AsyncGenerator[bytes, None]:
        """Walk the body unpacked; each wait for bytes has the time limit."""
        import httpx

        where = f"{reply.request.method} {shown(str(reply.request.url))}"
        raw = reply.aiter_raw()
        try:
            decoder = Decoder(reply.headers.get("content-encoding", ""))
            while True:
                async with asyncio.timeout(wait_s) as deadline:
                    packed = await anext(raw, None)
                if packed is None:
                    break
                for piece in decoder.feed(packed):
                    yield piece
            decoder.finish()
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._error(TimedOut, f"{where}: no bytes within {wait_s:g} s", operation) from None
        except httpx.HTTPError as error:
            self._raise(error, where, operation)
        except BadReply as error:
            raise self._error(BadReply, f"{where}: {error.reason}", operation) from None
        finally:
            if isinstance(raw, AsyncGenerator):  # else the event loop would end it later, in a task of its own
                await raw.aclose()
            await reply.aclose()

    async def _read(self, answer: StreamResponse, operation: str) -> bytes:
        """Collect a body, and stop at the first piece that goes over the limit."""
        whole = bytearray()
        async for piece in answer.chunks:
            whole += piece
            if len(whole) > self._max_body_bytes:
                raise self._error(
                    BadReply, f"{shown(answer.url)}: a body of more than {self._max_body_bytes} bytes", operation
                )
        return bytes(whole)

    def _url(self, url: str, params: Params | None, operation: str) -> httpx.URL:
        """Join an address to the base and check it; the text of a wrong one is not shown."""
        import httpx

        try:
            if self._base_url and "://" not in url.partition("?")[0]:
                base = str(httpx.URL(self._base_url).copy_with(query=None, fragment=None)).rstrip("/")
                target = httpx.URL(base + ("" if url[:1] in {"", "?"} else "/") + url.lstrip("/"))
            else:
                target = httpx.URL(url)
            if params:
                target = target.copy_merge_params(dict(params))
        except (httpx.InvalidURL, TypeError):
            raise self._error(InvalidInput, "the address cannot be read", operation) from None
        return self._checked(target, operation)

    def _joined(self, target: httpx.URL, location: str, operation: str) -> httpx.URL:
        import httpx

        try:
            return self._checked(target.join(location), operation)
        except (httpx.InvalidURL, InvalidInput):
            raise self._error(BadReply, f"{shown(str(target))} redirects to no http address", operation) from None

    def _checked(self, url: httpx.URL, operation: str) -> httpx.URL:
        if url.scheme not in {"http", "https"} or not url.host:
            raise self._error(InvalidInput, "the address is not http:// or https:// with a host", operation)
        if url.port is not None and not 0 < url.port <= MAX_PORT:
            raise self._error(InvalidInput, "the port of the address is not 1 to 65535", operation)
        return url

    def _fields(
        self, headers: Mapping[str, str], json: JSON, content: bytes | None, operation: str
    ) -> tuple[dict[str, str], bytes | None]:
        """Return the header fields, names in lower case, and the body."""
        self._check_headers(headers, operation)
        fields = {name.lower(): text for name, text in (*self._headers.items(), *headers.items())}
        if json is None:
            return fields, content
        if content is not None:
            raise self._error(InvalidInput, "json and content cannot both be the body", operation)
        try:
            body = json_text.dumps(json, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError):
            raise self._error(InvalidInput, "json is no JSON value", operation) from None
        fields.setdefault("content-type", "application/json")
        return fields, body

    def _check_headers(self, headers: Mapping[str, str], operation: str) -> None:
        for name, text in headers.items():
            if not _TOKEN.fullmatch(name):
                raise self._error(InvalidInput, "the name of a header cannot be sent", operation)
            if not isinstance(text, str) or not _FIELD_TEXT.fullmatch(text):
                raise self._error(
                    InvalidInput, f"the header {name[:40]} cannot be sent: printable ASCII only", operation
                )

    def _raise(self, error: Exception, where: str, operation: str) -> NoReturn:
        """Raise our error for one of httpx; its own text is never shown, since it may quote headers and bytes."""
        import httpx

        match error:
            case httpx.ConnectError():
                raise unsent(self._error(Unavailable, f"{where}: {_why_not_connected(error)}", operation)) from None
            case httpx.ConnectTimeout() | httpx.PoolTimeout():
                raise unsent(self._error(TimedOut, f"{where}: no connection in time", operation)) from None
            case httpx.TimeoutException():
                raise self._error(TimedOut, f"{where}: no answer in time", operation) from None
            case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
                raise self._error(InvalidInput, f"{where}: the request cannot be sent", operation) from None
            case httpx.RemoteProtocolError() if str(error).startswith("Server disconnected"):
                # httpcore counts the end of an idle connection among the protocol errors
                raise self._error(Unavailable, f"{where}: the connection was closed", operation) from None
            case httpx.NetworkError() | httpx.ProxyError():
                raise self._error(Unavailable, f"{where}: the connection broke", operation) from None
            case _:
                raise self._error(BadReply, f"{where}: the server broke the protocol", operation) from None

    def _error(self, kind: type[AdapterError], reason: str, operation: str) -> AdapterError:
        return kind(reason, category=self._category, name=self._name, operation=operation)


def _origin(url: httpx.URL) -> str:
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{url.scheme}://{url.host}:{port}"


def _why_not_connected(error: BaseException) -> str:
    """Find the operating system's reason in the chain that httpx, httpcore and anyio build."""
    seen: BaseException | None = error
    while seen is not None:
        match seen:
            case ssl.SSLCertVerificationError():
                return "the certificate was not accepted"
            case ssl.SSLError():
                return "no TLS connection"
            case socket.gaierror():
                return "the host name is unknown"
            case ConnectionRefusedError():
                return "connection refused"
        seen = seen.__cause__ or seen.__context__
    return "no connection"
