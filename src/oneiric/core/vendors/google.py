"""What the adapters on Google Cloud share: who we are, what a status of gRPC means, and a quiet debug log."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from oneiric.core.errors import (
    AdapterError,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.core.importing import require
from oneiric.core.log import HIDDEN

if TYPE_CHECKING:
    from anyio import CapacityLimiter

T = TypeVar("T")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
THREADS = 10
SIGN_IN = "gcloud auth application-default login"
NAME_A_FILE = "export GOOGLE_APPLICATION_CREDENTIALS=FILE"
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")  # google/rpc/error_details.proto: ErrorInfo.reason
_CASTAGNOLI = 0x82F63B78  # RFC 3720 appendix B.4: the polynomial of CRC32C, lowest bit first
_LOGGED = ("request", "response", "metadata")


async def in_thread(work: Callable[[], T], limiter: CapacityLimiter | None = None) -> T:
    """
    Do what blocks in a thread, and return its result.

    A thread cannot be cancelled: a caller that is goes at once, and what the thread brings later is dropped.
    """
    from anyio import to_thread

    return await to_thread.run_sync(work, limiter=limiter, abandon_on_cancel=True)


class GoogleIdentity:
    """
    The identity of this process as Application Default Credentials find it, and its access token.

    A service account's key signs its tokens itself, as the SDK lets it (https://google.aip.dev/auth/4111); everything
    else asks a server, in threads. The SDK would add a header for regional access boundaries, for whose lookup it
    starts threads that nobody ends; it is left out.

    Args:
        extra: The extra of Oneiric that installs google-auth.
        category: The adapter's category, for errors.
        name: The adapter's name, for errors.

    Attributes:
        project: The project of the credentials, or that GOOGLE_CLOUD_PROJECT names; None before `open`, or if there
            is none.
    """

    def __init__(self, *, extra: str, category: str, name: str) -> None:
        self._extra, self._category, self._name = extra, category, name
        self._credentials: Any = None  # google-auth has many classes of them, with nothing but methods in common
        self._lock = asyncio.Lock()
        self._limiter: CapacityLimiter | None = None
        self.project: str | None = None

    async def open(self) -> None:
        """
        Look for credentials: the file in GOOGLE_APPLICATION_CREDENTIALS, gcloud's own, then the metadata server.

        Raises:
            NotInstalled: google-auth is absent.
            Denied: There are none, or they cannot be used.
            Unavailable: Whoever knows about them cannot be reached.
        """
        from anyio import CapacityLimiter

        self._limiter = CapacityLimiter(THREADS)
        self._credentials, self.project = await self._asked(self._find, "open")

    async def headers(self, operation: str) -> dict[str, str]:
        """
        Return the fields that prove who we are; a token that is about to end is replaced before.

        Args:
            operation: The adapter's method, for errors.

        Raises:
            Denied: No token is given to these credentials.
            Unavailable: Whoever gives tokens cannot be reached.
        """
        async with self._lock:  # one asks for a token, and all who wait take it
            if not self._credentials.valid:
                await self._asked(self._refresh, operation)
        fields: dict[str, str] = {}
        self._credentials.apply(fields)
        return fields

    def interceptor(self) -> Any:  # an object of a class that the SDK's own makes possible
        """
        Return what adds `headers` to every call of a channel of `grpc.aio` with one request and one answer.

        The SDK's own way, a plugin, reports every failure to get a token as UNAVAILABLE, with the text of the failure.
        """
        identity = self

        class Authorized(require("grpc.aio", extra=self._extra).UnaryUnaryClientInterceptor):  # type: ignore[misc]  # the SDK comes at run time
            """Adds the fields that prove who we are."""

            async def intercept_unary_unary(self, go_on: Any, details: Any, request: Any) -> Any:  # types of grpc.aio
                """Send the request with our fields."""
                for field, text in (await identity.headers("token")).items():
                    details.metadata.add(field, text)
                return await go_on(details, request)

        return Authorized()

    def _find(self) -> tuple[Any, str | None]:  # credentials of google-auth, see __init__
        request = require("google.auth.transport.requests", extra=self._extra).Request()
        try:
            found, project = require("google.auth", extra=self._extra).default(scopes=[SCOPE], request=request)
        finally:
            request.session.close()
        if hasattr(found, "with_always_use_jwt_access"):
            found = found.with_always_use_jwt_access(True)
        return found, project

    def _refresh(self) -> None:
        request = require("google.auth.transport.requests", extra=self._extra).Request()
        try:
            self._credentials.refresh(request)
        finally:
            request.session.close()

    async def _asked(self, work: Callable[[], T], operation: str) -> T:
        try:
            return await in_thread(work, self._limiter)
        except AdapterError:
            raise
        except Exception as error:  # border: an SDK may raise anything; it leaves under one of our names
            where = {"category": self._category, "name": self._name, "operation": operation}
            raise identity_error(error, **where) from None


def identity_error(error: Exception, **where: Any) -> AdapterError:  # the fields of every AdapterError
    """Return our error for one of google-auth; its text stays behind, since it may quote credentials and answers."""
    names = _class_names(error)
    wrapped = error.__cause__ if "RefreshError" in names and error.__cause__ is not None else error
    if "TransportError" in _class_names(wrapped) and len(wrapped.args) < 2:  # with a second one, there was an answer
        return Unavailable("the server that gives tokens cannot be reached", **where)
    if getattr(error, "retryable", False):
        return Unavailable("the server that gives tokens asks to try again", **where)
    if "DefaultCredentialsError" in names:
        said = f"no credentials that can be used ({names[0]}); fix: {SIGN_IN} or {NAME_A_FILE}"
        return Denied(said, fixes=(SIGN_IN, NAME_A_FILE), **where)
    if "GoogleAuthError" in names:
        return Denied(f"these credentials are given no token ({names[0]})", **where)
    return AdapterError(f"google-auth raised {names[0]}", **where)


def _class_names(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


class GrpcFailure(NamedTuple):
    """
    What the SDK's error says, without its text: that may quote the request.

    Attributes:
        status: The status of gRPC, `NOT_FOUND`; the name of the error's class where the SDK raised something else.
        reason: The service's own word, `SERVICE_DISABLED`; empty where it said none.
        retry_after_s: Seconds that the service asks to wait; None where it did not say.
    """

    status: str
    reason: str = ""
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: Exception) -> GrpcFailure:
        """Read an error of `google.api_core.exceptions`, or any other one."""
        status = getattr(getattr(error, "grpc_status_code", None), "name", type(error).__name__)
        reason = getattr(error, "reason", None)
        said = isinstance(reason, str) and _REASON.fullmatch(reason) is not None
        details = getattr(error, "details", None)
        parts = details if isinstance(details, list) else []
        pauses = [part.retry_delay for part in parts if hasattr(part, "retry_delay")]  # google.rpc.RetryInfo
        pause_s = pauses[0].seconds + pauses[0].nanos / 1e9 if pauses else None
        return cls(status, str(reason) if said else "", pause_s)

    def __str__(self) -> str:
        return f"{self.status}, {self.reason}" if self.reason else self.status

    def error(self, about: str, *, fix: str = "", **where: Any) -> AdapterError:  # the fields of every AdapterError
        """
        Make our error.

        Args:
            about: What the call was about, as the service calls it.
            fix: What to do, where that is known.
            where: Category, name and operation.
        """
        said = f"{self}: {about}" + (f"; fix: {fix}" if fix else "")
        fixes = (fix,) if fix else ()
        kind = _STATUSES.get(self.status, AdapterError)
        if kind is RateLimited:
            return RateLimited(said, retry_after_s=self.retry_after_s, fixes=fixes, **where)
        return kind(said, fixes=fixes, **where)


# Source of the meanings: google/rpc/code.proto. What is absent here is an `AdapterError`. CANCELLED by the peer means
# that it went away while the call waited: https://github.com/grpc/grpc/issues/41785.
_STATUSES: dict[str, type[AdapterError]] = {
    "ALREADY_EXISTS": Conflict,
    "CANCELLED": Unavailable,
    "DEADLINE_EXCEEDED": TimedOut,
    "INVALID_ARGUMENT": InvalidInput,
    "NOT_FOUND": NotFound,
    "OUT_OF_RANGE": InvalidInput,
    "PERMISSION_DENIED": Denied,
    "RESOURCE_EXHAUSTED": RateLimited,
    "UNAUTHENTICATED": Denied,
    "UNAVAILABLE": Unavailable,
}


class _NoPayload(logging.Filter):
    """Hides what was sent and what came back; the names of the calls stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        for field in _LOGGED:
            if hasattr(record, field):
                setattr(record, field, HIDDEN)
        return True


_NO_PAYLOAD = _NoPayload()


def hide_payloads(logger: str) -> None:
    """
    Keep requests, answers and tokens out of a debug log of the SDK, for the whole process; twice is harmless.

    At DEBUG the SDK's transports log all three as fields, values of secrets included.

    Args:
        logger: The name of the logger: the module of the transport's class.
    """
    logging.getLogger(logger).addFilter(_NO_PAYLOAD)


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


def crc32c(content: bytes) -> int:
    """Return the checksum that Google's services give and take, 0 to 2**32 - 1. Source: RFC 3720 appendix B.4."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
