"""What the adapters on AWS share: one client of boto3, threads for its calls, and the error map."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Denied,
    InvalidInput,
    NotFound,
    NotOpen,
    RateLimited,
    TimedOut,
    Unavailable,
)
from oneiric.core.importing import require
from oneiric.core.resilience import unsent
from oneiric.core.response import retry_after_s

if TYPE_CHECKING:
    from anyio import CapacityLimiter

T = TypeVar("T")
EXTRA = "aws"
THREADS = 10  # calls of one client at the same time, and connections that it keeps
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,79}")
_OF_THE_KEY = re.compile(r"\bKMS\b|ciphertext", re.IGNORECASE)


class Meaning(NamedTuple):
    """
    What an error of AWS means here.

    Attributes:
        kind: Our class.
        reason: Why, in a few words.
        fix: What to do, where that is known.
    """

    kind: type[AdapterError]
    reason: str
    fix: str = ""

    def error(self, **where: Any) -> AdapterError:  # the fields of every AdapterError
        """Make the error."""
        said = f"{self.reason}; fix: {self.fix}" if self.fix else self.reason
        return self.kind(said, fixes=(self.fix,) if self.fix else (), **where)


def _no_meaning(code: str, text: str) -> Meaning | None:
    return None


class AwsClient:
    """
    One client of boto3 for one service. Its calls run in threads, ten at a time, and are tried once.

    A thread cannot be cancelled: the caller goes at once, and the thread when the SDK's own time limit is over.
    Credentials, and a region that is not given, come from the SDK's own chain. boto3 logs whole answers at DEBUG, so
    opening sets the logger `botocore` to INFO for the whole process, unless the application has set a level for it.

    Args:
        service: boto3's name of the service, `ssm`, which is also its name in policies.
        region: The region; None leaves it to the SDK.
        endpoint_url: Address to call instead of AWS's own; None leaves it to the SDK.
        timeout_s: Seconds the SDK waits for a connection, and for each piece of an answer; above 0.
        category: The adapter's category, for errors.
        name: The adapter's name, for errors.
        meaning: What an error code of this service means, with the service's text; None leaves it to the common map.
    """

    def __init__(
        self,
        service: str,
        *,
        region: str | None,
        endpoint_url: str | None,
        timeout_s: float,
        category: str,
        name: str,
        meaning: Callable[[str, str], Meaning | None] = _no_meaning,
    ) -> None:
        self._service, self._region, self._endpoint_url = service, region, endpoint_url
        self._timeout_s, self._category, self._name, self._meaning = timeout_s, category, name, meaning
        self._client: Any = None  # a botocore client, whose class is made at run time
        self._limiter: CapacityLimiter | None = None

    @property
    def is_open(self) -> bool:
        """Calls may be made."""
        return self._client is not None

    @property
    def native(self) -> Any:  # a botocore client, whose class is made at run time
        """The client of boto3 while open, else None; it blocks, and raises errors of its own."""
        return self._client

    @property
    def region(self) -> str | None:
        """The region in use; before `open`, None where the SDK is to find it."""
        return self._region if self._client is None else str(self._client.meta.region_name)

    async def open(self) -> None:
        """
        Make the client; no call to the service yet, though the SDK may ask for credentials. A second one does nothing.

        Raises:
            NotInstalled: boto3 is absent.
            Denied: The SDK's configuration does not lead to credentials.
            Unavailable: No region is known.
            InvalidInput: The SDK refuses the region or the endpoint.
        """
        from anyio import CapacityLimiter

        if self._client is None:
            limiter = CapacityLimiter(THREADS)
            self._client = await self._threaded(self._make, "open", limiter)
            self._limiter = limiter

    async def close(self) -> None:
        """Close the connections; a second call does nothing."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def call(self, method: str, *, operation: str, **arguments: object) -> Mapping[str, Any]:
        """
        Make one call and return the service's answer.

        Args:
            method: boto3's method, `get_parameter`.
            operation: The adapter's method, for errors.
            arguments: The method's own.

        Raises:
            NotOpen: The client is not open.
            AdapterError: Whatever the SDK raised, by the map of this file.
        """
        answer: Mapping[str, Any] = await self._threaded(self._bound(method, operation, arguments), operation)
        return answer

    async def reach(self, method: str, *, operation: str, **arguments: object) -> None:
        """
        Make one call to learn whether the service answers to these credentials.

        That the thing is absent, or that the policy does not allow this call, are answers as well: a role that may read
        a few things only has no call that surely succeeds.

        Raises:
            NotOpen: The client is not open.
            AdapterError: The service cannot be reached, or does not know these credentials.
        """
        bound = self._bound(method, operation, arguments)

        def asked() -> None:
            try:
                bound()
            except Exception as error:  # border: what is no answer goes on to _threaded, which names it
                if code_of(error) not in _NOT_ALLOWED and self._named(error, operation).code != NotFound.code:
                    raise

        await self._threaded(asked, operation)

    def _make(self) -> Any:  # a botocore client, whose class is made at run time
        require("boto3", extra=EXTRA)
        session = require("botocore.session", extra=EXTRA).get_session()
        wire = logging.getLogger("botocore")
        if wire.level == logging.NOTSET:
            wire.setLevel(logging.INFO)
        session.register_component("data_loader", _models(session.get_config_variable("data_path")))
        config = require("botocore.config", extra=EXTRA).Config(
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},  # the mode "adaptive" would wait
            max_pool_connections=THREADS,
        )
        session.set_default_client_config(config)  # holds for the calls that fetch credentials as well
        own = require("boto3.session", extra=EXTRA).Session(botocore_session=session)
        return own.client(self._service, region_name=self._region, endpoint_url=self._endpoint_url)

    def _bound(self, method: str, operation: str, arguments: Mapping[str, object]) -> Callable[[], Any]:
        if self._client is None:
            raise NotOpen(category=self._category, name=self._name, operation=operation)
        return partial(getattr(self._client, method), **arguments)

    async def _threaded(self, work: Callable[[], T], operation: str, limiter: CapacityLimiter | None = None) -> T:
        from anyio import to_thread

        def translated() -> T:
            try:
                return work()
            except AdapterError:
                raise
            except Exception as error:  # border: an SDK may raise anything; it leaves under one of our names
                raise self._named(error, operation) from None

        return await to_thread.run_sync(translated, limiter=limiter or self._limiter, abandon_on_cancel=True)

    def _named(self, error: Exception, operation: str) -> AdapterError:
        where: dict[str, Any] = {"category": self._category, "name": self._name, "operation": operation}
        code = code_of(error)
        if code is None:
            return _of_the_sdk(error, where)
        response: Mapping[str, Any] = getattr(error, "response", {})
        text = str(response["Error"].get("Message", ""))
        about: Mapping[str, Any] = response.get("ResponseMetadata", {})
        if code in _NOT_ALLOWED:
            action = f"{self._service}:{getattr(error, 'operation_name', '*')}"
            allow = "kms:Decrypt on its key" if _OF_THE_KEY.search(text) else action
            return Meaning(Denied, code, f"allow {allow} to this role or user").error(**where)
        meaning = self._meaning(code, text) or _common(code, int(about.get("HTTPStatusCode", 0)))
        if meaning.kind is RateLimited:
            pause_s = retry_after_s(about.get("HTTPHeaders", {}).get("retry-after", ""), now=datetime.now(UTC))
            return RateLimited(meaning.reason, retry_after_s=pause_s, **where)
        return meaning.error(**where)


@cache
def _models(data_path: str | None) -> Any:  # a loader of botocore, which has no types
    """Return what reads the models of the services; shared, because that of one service takes longer than all else."""
    return require("botocore.loaders", extra=EXTRA).create_loader(data_path)


def code_of(error: Exception) -> str | None:
    """Return the service's code of an error of boto3; None where the service did not say the error."""
    response = getattr(error, "response", None)  # botocore's errors of the connection have one too, which is no dict
    if not isinstance(response, dict) or "Error" not in response:
        return None
    return str(response["Error"].get("Code", ""))


def _common(code: str, status: int) -> Meaning:
    """Return what a code means in every service of AWS, else what the status of the answer means."""
    if not _CODE.fullmatch(code):  # botocore puts the status there where the body says nothing
        code = f"status {status}"
    for codes, kind in _CODES:
        if code in codes:
            return Meaning(kind, code)
    if status in {401, 403}:
        return Meaning(Denied, code)
    if status in {408, 429}:
        return Meaning(TimedOut if status == 408 else RateLimited, code)
    if status >= 500:
        return Meaning(Unavailable, code)
    if code.startswith("status"):
        return Meaning(BadReply, f"{code}, and no error of AWS", _LOOK_AT_THE_ENDPOINT)
    return Meaning(AdapterError, code)


def _of_the_sdk(error: Exception, where: Mapping[str, Any]) -> AdapterError:
    """Return our error for one that the service did not say; its text is not shown, since it may quote arguments."""
    names = [kind.__name__ for kind in type(error).__mro__]
    found = next((name for name in names if name in _CLASSES), None)
    if found is None:
        return AdapterError(f"boto3 raised {names[0]}", **where)
    ours = _CLASSES[found].error(**where)
    return unsent(ours) if found in _NEVER_LEFT else ours


# Sources of the codes: the page "Common Errors" of the API reference of each service, and, for the pauses, the list of
# botocore/retries/standard.py.
_NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})
_UNKNOWN_CALLER = frozenset(
    {
        *("ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException"),
        *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "InvalidToken"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired", "RequestExpired"),
        *("SignatureDoesNotMatch", "UnrecognizedClientException"),
    }
)
_THROTTLED = frozenset(
    {
        *("BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete", "RequestLimitExceeded"),
        *("ProvisionedThroughputExceededException", "RequestThrottled", "RequestThrottledException", "SlowDown"),
        *("ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"),
    }
)
_BROKEN = frozenset(
    {"InternalFailure", "InternalServerError", "InternalServiceError", "ServiceUnavailable", "InternalServiceFailure"}
)
_WRONG_INPUT = frozenset(
    {"InvalidParameterException", "InvalidParameterValue", "ValidationError", "ValidationException"}
)
_CODES: tuple[tuple[frozenset[str], type[AdapterError]], ...] = (
    (_UNKNOWN_CALLER, Denied),
    (_THROTTLED, RateLimited),
    (_BROKEN, Unavailable),
    (_WRONG_INPUT, InvalidInput),
    (frozenset({"RequestTimeout", "RequestTimeoutException"}), TimedOut),
)
_LOOK_AT_THE_ENDPOINT = "see whether endpoint_url is right"
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role"
_SIGN_IN = Meaning(Denied, "the SDK's session has ended", "sign in again with the AWS command line")
_NO_SOURCE = Meaning(Unavailable, "where the credentials come from does not answer")
_CLASSES: dict[str, Meaning] = {  # the classes of botocore.exceptions and botocore.parsers; the most special one counts
    "NoCredentialsError": Meaning(Denied, "no credentials", _KEYS),
    "PartialCredentialsError": Meaning(Denied, "half of the credentials is missing", _KEYS),
    "ProfileNotFound": Meaning(Denied, "the profile that AWS_PROFILE names is in no file of the SDK"),
    "ConfigNotFound": Meaning(Denied, "the SDK's configuration file is absent"),
    "ConfigParseError": Meaning(Denied, "the SDK's configuration file cannot be read"),
    "CredentialRetrievalError": _NO_SOURCE,
    "MetadataRetrievalError": _NO_SOURCE,
    "SSOError": _SIGN_IN,
    "LoginError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "NoRegionError": Meaning(Unavailable, "no region", "set region in the settings, or AWS_DEFAULT_REGION"),
    "InvalidRegionError": Meaning(InvalidInput, "the region has no form of a region"),
    "ParamValidationError": Meaning(InvalidInput, "the SDK refuses an argument"),
    "ReadTimeoutError": Meaning(TimedOut, "no answer in time"),
    "ConnectTimeoutError": Meaning(TimedOut, "no connection in time"),
    "EndpointConnectionError": Meaning(Unavailable, "no connection"),
    "ProxyConnectionError": Meaning(Unavailable, "no connection through the proxy"),
    "SSLError": Meaning(Unavailable, "no TLS connection", "set AWS_CA_BUNDLE to the authorities that sign here"),
    "ConnectionError": Meaning(Unavailable, "no connection"),
    "HTTPClientError": Meaning(Unavailable, "the connection broke"),
    "IncompleteReadError": Meaning(Unavailable, "the connection broke"),
    "ResponseParserError": Meaning(BadReply, "the answer cannot be read", _LOOK_AT_THE_ENDPOINT),
    "ValueError": Meaning(InvalidInput, "the SDK refuses the endpoint or an argument"),
}
_NEVER_LEFT = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"})
