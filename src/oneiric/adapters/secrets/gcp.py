"""Secrets in Google Secret Manager, by gRPC."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field, SecretBytes, model_validator

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import Health
from oneiric.core.errors import AdapterError, BadReply, Denied, InvalidInput, NotFound, NotOpen, TimedOut
from oneiric.core.importing import require
from oneiric.core.remote import RemoteSettings
from oneiric.core.resilience import Resilience
from oneiric.core.vendors.google import GoogleIdentity, GrpcFailure, crc32c, hide_payloads, in_thread

SDK = "google.cloud.secretmanager_v1"
EXTRA = "gcp-secrets"
PROJECT_VARIABLE = "GOOGLE_CLOUD_PROJECT"
PROBE = "oneiric-probe"  # a name that nobody needs to have
MAX_BYTES = 64 * 1024  # https://cloud.google.com/secret-manager/quotas, "Content limits"
MAX_BACKOFF_MS = 1000
_ID = re.compile(r"[A-Za-z0-9_-]+")  # google/cloud/secretmanager/v1/service.proto: CreateSecretRequest.secret_id
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_NO_ID = "no secret has a dot in its name here"
_ENABLED = 1  # google/cloud/secretmanager/v1/resources.proto: SecretVersion.State
_UNREADABLE = re.compile(r"\bin (DISABLED|DESTROYED) state\b")
_ROLES = {"get": "secretAccessor", "version": "viewer", "put": "secretVersionAdder"}


class GcpSecrets:
    """
    Reads one secret of Google Secret Manager at each call; values are kept nowhere.

    Credentials are Application Default Credentials; an endpoint on loopback is a stand-in, and is shown none. They need
    `secretmanager.versions.access` (role `secretAccessor`) for `get`, `secretmanager.versions.get` (role `viewer`) for
    `version` and `secretmanager.versions.add` (role `secretVersionAdder`) for `put`, on the single secret or above it.
    Where they lack it, the service does not say whether there is such a secret: `Denied`.

    Opening and health ask which rights these credentials have on a secret that need not exist. Whoever is known to the
    service may ask this without any right, so a role on single secrets is enough, and no denied access is logged. It
    proves network, credentials, project and that the API is switched on.

    Args:
        settings: Whose secrets, and where.
        environ: Where GOOGLE_CLOUD_PROJECT is looked up; the environment of the process by default.
        clock: Seconds that never run backwards; retries, the breaker and the latency of health go by it.
    """

    class Settings(RemoteSettings):
        """Which project holds the secrets, and where it is reached."""

        project: str | None = Field(
            default=None,
            pattern=r"^[a-z0-9][a-z0-9.:-]{0,99}$",
            description="ID or number of the project; none: GOOGLE_CLOUD_PROJECT, else the credentials' own",
        )
        location: str | None = Field(
            default=None,
            pattern=r"^[a-z][a-z0-9-]{0,62}$",
            description="location of regional secrets, such as europe-west3; none: global secrets",
        )
        endpoint: str | None = Field(
            default=None,
            pattern=rf"^{_HOST}(?::[0-9]{{1,5}})?$",
            description="HOST or HOST:PORT to call; none: Google's own, of the location where there is one",
        )
        insecure: bool = Field(default=False, description="no TLS; for an endpoint on loopback only")
        ca_file: str | None = Field(default=None, description="PEM file with the authorities to trust instead")

        @model_validator(mode="after")
        def _is_encrypted_outside(self) -> GcpSecrets.Settings:
            if self.insecure and not _is_loopback(self.endpoint):
                raise ValueError("insecure needs an endpoint on loopback, such as 127.0.0.1:9090; take it away")
            return self

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._environ = os.environ if environ is None else environ
        self._project = settings.project
        self._service: _Service | None = None
        self._resilience = Resilience(
            timeout_s=settings.timeout_s,
            retry=settings.retry,
            breaker=settings.breaker,
            category="secrets",
            name="gcp",
            clock=clock,
        )

    @property
    def native(self) -> Any:  # outside the contract
        """The SDK's `SecretManagerServiceAsyncClient` while open, else None; it knows no limit of this adapter."""
        return None if self._service is None else self._service.client

    async def open(self) -> None:
        if self._service is not None:
            return
        limit_s = self._settings.open_timeout_s
        service: _Service | None = None
        try:
            async with asyncio.timeout(limit_s):
                service = await self._connect()
                await self._probe(service, "open")
        except BaseException as error:
            if service is not None:
                await service.close()
            if isinstance(error, TimeoutError):
                raise TimedOut(f"no answer within {limit_s:g} s", **_where("open")) from None
            raise
        self._service = service

    async def close(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            await service.close()

    async def health(self) -> Health:
        if self._service is None:
            return Health(False, "not open")
        began_s, limit_s = self._clock(), self._settings.health_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._probe(self._service, "health")
        except TimeoutError:
            return Health(False, f"no answer within {limit_s:g} s")
        except AdapterError as error:
            return Health(False, error.message)
        return Health(True, f"{self._parent} answers", max(0.0, self._clock() - began_s))

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        service = self._checked(name, "get")
        full = self.resource(name)
        if version != LATEST and not _VERSION.fullmatch(version):
            # an alias of a version would do for the service, but it is no version: it moves
            raise NotFound(f"{full}: a version here is a number", **_where("get"))
        if not _ID.fullmatch(name):
            raise NotFound(f"{full}: {_NO_ID}", **_where("get"))
        answer = await self._tried(service, "access_secret_version", full, version, "get")
        found, value = _version_in(answer.name, name, "get"), bytes(answer.payload.data)
        if version not in {LATEST, found}:
            raise BadReply(f"{full}: asked for version {version}, got {found}", **_where("get"))
        if "data_crc32c" in answer.payload and answer.payload.data_crc32c != crc32c(value):
            raise BadReply(f"{full}: the value does not fit its checksum", **_where("get"))
        return Secret(name, SecretBytes(value), found)

    async def version(self, name: str) -> str | None:
        """Return the version that `get` returns; None also where that is disabled or destroyed, as `get` has none."""
        service = self._checked(name, "version")
        if not _ID.fullmatch(name):
            return None  # the service would call the name invalid, which says the same: there is no such secret
        try:
            answer = await self._tried(service, "get_secret_version", self.resource(name), LATEST, "version")
        except NotFound:
            return None
        return _version_in(answer.name, name, "version") if answer.state == _ENABLED else None

    async def put(self, name: str, value: SecretBytes) -> str:
        """
        Add a version to a secret that exists; where there is none, it is not made: not-found.

        Who may read a secret is decided where it is made, and that is no matter of an application.
        """
        service = self._checked(name, "put")
        full, content = self.resource(name), value.get_secret_value()
        if not _ID.fullmatch(name):
            raise InvalidInput(f"{full}: {_NO_ID}", **_where("put"))
        if len(content) > MAX_BYTES:
            raise InvalidInput(f"{full}: the value is longer than {MAX_BYTES} bytes", **_where("put"))
        request = {"parent": full, "payload": {"data": content, "data_crc32c": crc32c(content)}}

        async def once() -> Any:  # an answer of the SDK
            return await service.call("add_secret_version", request, full, "put")

        answer = await self._resilience.run(once, is_idempotent=False, operation="put")
        return _version_in(answer.name, name, "put")

    def resource(self, name: str) -> str:
        """
        Return how Google Cloud calls a secret, `projects/PROJECT/secrets/NAME`; nothing is asked.

        Before `open`, a project that only the credentials know is called `-`.
        """
        return f"{self._parent}/secrets/{name}"

    @property
    def _parent(self) -> str:
        project = self._project or self._environ.get(PROJECT_VARIABLE) or "-"
        location = self._settings.location
        return f"projects/{project}" + (f"/locations/{location}" if location else "")

    async def _connect(self) -> _Service:
        """Load the SDK, in a thread since that takes a second; find out who we are; make the channel."""
        sdk = await in_thread(partial(require, SDK, extra=EXTRA))
        identity = None
        if not _is_loopback(self._settings.endpoint):
            identity = GoogleIdentity(extra=EXTRA, category="secrets", name="gcp")
            await identity.open()
        found = None if identity is None else identity.project
        self._project = self._settings.project or self._environ.get(PROJECT_VARIABLE) or found
        if not self._project:
            fixes = ("name it in settings.secrets.gcp.project", f"export {PROJECT_VARIABLE}=ID")
            raise InvalidInput(f"no project; fix: {' or '.join(fixes)}", fixes=fixes, **_where("open"))
        authorities = await in_thread(partial(_read_authorities, self._settings.ca_file))
        return _Service(sdk, self._settings, identity, authorities)

    async def _probe(self, service: _Service, operation: str) -> None:
        request = {"resource": self.resource(PROBE), "permissions": ["secretmanager.versions.access"]}
        await service.call("test_iam_permissions", request, self._parent, operation)

    async def _tried(
        self, service: _Service, method: str, full: str, version: str, operation: str
    ) -> Any:  # an answer of the SDK
        request = {"name": f"{full}/versions/{version}"}
        about = full if version == LATEST else request["name"]

        async def once() -> Any:  # an answer of the SDK
            return await service.call(method, request, about, operation)

        return await self._resilience.run(once, is_idempotent=True, operation=operation)

    def _checked(self, name: str, operation: str) -> _Service:
        if self._service is None:
            raise NotOpen(**_where(operation))
        check_name(name, adapter="gcp", operation=operation)
        return self._service


class _Service:
    """
    A client of the SDK on a channel of our own, and its errors under our names.

    The channel is ours for the sake of the token, of plaintext to loopback, and of the time until it connects again.

    Args:
        sdk: The SDK's module.
        settings: Where the service is reached.
        identity: Who we are; None shows no credentials.
        authorities: The authorities to trust, as PEM; None takes those of gRPC.
    """

    def __init__(
        self, sdk: Any, settings: GcpSecrets.Settings, identity: GoogleIdentity | None, authorities: bytes | None
    ) -> None:
        grpc = require("grpc", extra=EXTRA)
        target, options = _target(settings), _options(is_loopback=identity is None)
        interceptors = [] if identity is None else [identity.interceptor()]
        if settings.insecure:
            channel = grpc.aio.insecure_channel(target, options=options)
        else:
            trust = grpc.ssl_channel_credentials(root_certificates=authorities)
            channel = grpc.aio.secure_channel(target, trust, options=options, interceptors=interceptors)
        transport = sdk.SecretManagerServiceAsyncClient.get_transport_class("grpc_asyncio")
        hide_payloads(transport.__module__)
        self.client = sdk.SecretManagerServiceAsyncClient(transport=transport(channel=channel))
        self._identity, self._is_closed = identity, False

    async def close(self) -> None:
        """Close the channel; calls under way end."""
        self._is_closed = True
        await self.client.transport.close()

    async def call(self, method: str, request: Mapping[str, Any], about: str, operation: str) -> Any:  # the SDK's
        """
        Make one call without the SDK's retries and without its time limit: ours counts all tries.

        Raises:
            NotOpen: The adapter was closed meanwhile.
            BadReply: The answer is no message of the service.
            AdapterError: Whatever the SDK raised.
        """
        answer: Any = None  # a message of the SDK
        failed: AdapterError | None = None
        try:
            if self._identity is not None:
                await self._identity.headers(operation)  # what fails here names the operation, in the channel it cannot
            answer = await getattr(self.client, method)(request, retry=None, timeout=None)
        except AdapterError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_closed or task is None or task.cancelling():
                raise
            failed = NotOpen("it was closed during the call", **_where(operation))  # gRPC cancels calls under way
        except Exception as error:  # border: an SDK may raise anything; it leaves under one of our names
            failed = NotOpen(**_where(operation)) if self._is_closed else _named(error, about, operation)
        if failed is not None:
            raise failed  # from here it has no context: the SDK's error holds the call, and that the connection
        if answer is None:  # gRPC's word for an answer that is no message of this type
            raise BadReply(f"{about}: the answer cannot be read", **_where(operation))
        return answer


def _named(error: Exception, about: str, operation: str) -> AdapterError:
    """Return our error for one of the SDK; of its text, only the state of a version is shown."""
    failure = GrpcFailure.of(error)
    if failure.status == "FAILED_PRECONDITION":
        state = _UNREADABLE.search(str(error))
        if state is None:  # such as a key of the customer's own that is switched off: an outage, not an absent secret
            return Denied(f"{failure}: {about} cannot be had in its present state", **_where(operation))
        return NotFound(f"{about}: this version is {state[1].lower()}", **_where(operation))
    fix = ""
    if failure.reason == "SERVICE_DISABLED":
        fix = "gcloud services enable secretmanager.googleapis.com"
    elif failure.status == "PERMISSION_DENIED" and operation in _ROLES:
        fix = f"grant roles/secretmanager.{_ROLES[operation]} on it"
    return failure.error(about, fix=fix, **_where(operation))


def _version_in(full: str, name: str, operation: str) -> str:
    """Return the version's number out of `projects/NUMBER/secrets/NAME/versions/7`, if it is of this secret."""
    found = re.search(rf"/secrets/{re.escape(name)}/versions/([0-9]+)$", full)
    if found is None:
        raise BadReply("the answer is about another secret", **_where(operation))
    return found[1]


def _is_loopback(endpoint: str | None) -> bool:
    host = _host(endpoint or "")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(endpoint: str) -> str:
    """Return the host of HOST, HOST:PORT or [HOST]:PORT."""
    return endpoint[1:].partition("]")[0] if endpoint.startswith("[") else endpoint.partition(":")[0]


def _target(settings: GcpSecrets.Settings) -> str:
    """Return host and port. Source: https://cloud.google.com/secret-manager/docs/reference/rest, "Service endpoint"."""
    if settings.endpoint is not None:
        return settings.endpoint if re.search(r":[0-9]+$", settings.endpoint) else f"{settings.endpoint}:443"
    of_location = f".{settings.location}.rep" if settings.location else ""
    return f"secretmanager{of_location}.googleapis.com:443"


def _options(*, is_loopback: bool) -> list[tuple[str, int]]:
    return [
        ("grpc.enable_http_proxy", int(not is_loopback)),  # a proxy would carry plaintext off this machine
        ("grpc.use_local_subchannel_pool", 1),  # else adapters share a connection, and its waits after a failure
        ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF_MS),  # gRPC's own two minutes would outlast the breaker's pause
    ]


def _read_authorities(ca_file: str | None) -> bytes | None:
    if ca_file is None:
        return None
    try:
        ssl.create_default_context(cafile=ca_file)  # gRPC does not say that it cannot read them
        return Path(ca_file).read_bytes()
    except OSError:  # ssl.SSLError is one
        raise InvalidInput("ca_file is no readable PEM file", **_where("open")) from None


def _where(operation: str) -> dict[str, Any]:  # the fields of every AdapterError; see its constructor
    return {"category": "secrets", "name": "gcp", "operation": operation}
