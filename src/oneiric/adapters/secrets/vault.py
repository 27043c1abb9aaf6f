"""Secrets in HashiCorp Vault or OpenBao: one mount of the KV engine, version 2, over its HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import Field, SecretBytes, SecretStr, model_validator

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import Health
from oneiric.core.errors import (
    AdapterError,
    BadReply,
    Denied,
    InvalidInput,
    NotFound,
    NotOpen,
    Unavailable,
    Unsupported,
)
from oneiric.core.event import JSON
from oneiric.core.http import HttpClient
from oneiric.core.remote import RemoteSettings
from oneiric.core.resilience import Resilience
from oneiric.core.response import Response, shown

ADDRESS_VARIABLE = "VAULT_ADDR"  # both as the command lines of Vault and OpenBao read them
TOKEN_VARIABLE = "VAULT_TOKEN"
VALUE = "value"
UNSEALED = "unsealed"
MAX_TOKEN_BYTES = 64 * 1024  # a batch token is a few hundred bytes, one with large metadata some thousand
_PATH = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?$"
_VERSION = re.compile(r"[1-9][0-9]{0,17}")  # the server reads 0 and less as the latest one
_REFUSED = frozenset({401, 403})
_MOUNTS = "sys/internal/ui/mounts/"
# What an error says besides its status, in lower case. Some versions answer 400 to a request without a token, and to
# all requests for a while after a mount was made or the server started: hashicorp/vault-plugin-secrets-kv issue 75.
_SAID: tuple[tuple[int, str, type[AdapterError], str], ...] = (
    (400, "missing client token", Denied, "the server saw no token"),
    (400, "permission denied", Denied, "the token may not do this"),
    (400, "check-and-set parameter required", InvalidInput, "the mount demands check-and-set, which put does not do"),
    (400, "upgrading from non-versioned", Unavailable, "the mount is being prepared"),
    (503, "sealed", Unavailable, "the server is sealed; fix: unseal it"),
)


class VaultSecrets:
    """
    Reads and writes one mount of a KV engine, version 2.

    There a secret is a map. With `field`, the secret is what the map has under this key. Without it, a map whose only
    key is `value` is what stands there, and any other map is its JSON text, of which `secret://db#password` takes one
    field. What is no text becomes its JSON text. `put` writes a map of the key `value` alone; with `field` it is
    refused, since it would drop the other keys.

    The policy of the token needs `read` for MOUNT/data/PREFIX/* and, for `version`, MOUNT/metadata/PREFIX/*; for `put`
    also `create` and `update`. A server does not say whether there is a secret that the token may not read: `Denied`.
    A token is used as it is: nothing logs in, and nothing renews it. `token_file` is read by `open`, and again
    whenever the token is refused, so that an agent may put a new one there.

    Args:
        settings: Which server and mount, and who we are.
        environ: Where VAULT_ADDR and VAULT_TOKEN are looked up if the settings name no address and no token; the
            environment of the process by default.
        clock: Seconds that never run backwards; retries and the breaker go by it.
    """

    class Settings(RemoteSettings):
        """Which server and mount, and who we are."""

        url: str | None = Field(default=None, description="address of the server; none: what VAULT_ADDR says")
        token: SecretStr | None = Field(default=None, description="the token; none: token_file, else VAULT_TOKEN")
        token_file: str | None = Field(default=None, description="file with the token, such as an agent's sink")
        mount: str = Field(default="secret", pattern=_PATH, description="where the KV engine is mounted")
        prefix: str = Field(
            default="", pattern=f"^$|{_PATH}", description="path below the mount before each name, such as teams/orders"
        )
        field: str | None = Field(
            default=None,
            min_length=1,
            description="key of each secret that is read; none: the only key value, else the whole map as JSON",
        )
        namespace: str | None = Field(default=None, min_length=1, description="namespace of the mount and the token")
        allow_plain_http: bool = Field(
            default=False, description="send the token over http:// to another machine, where the network encrypts"
        )
        ca_file: str | None = Field(default=None, description="PEM file with the authorities to trust instead")

        @model_validator(mode="after")
        def _keeps_the_token(self) -> VaultSecrets.Settings:
            if self.token is not None and self.token_file is not None:
                raise ValueError("token and token_file: choose one")
            fault = _fault(self.url, self.allow_plain_http) if self.url is not None else None
            if fault is not None:
                raise ValueError(f"url: {fault}")
            return self

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._environ, self._clock = settings, environ, clock
        self._mount = settings.mount.rstrip("/")
        self._prefix = settings.prefix.rstrip("/") + "/" if settings.prefix else ""
        self._token = SecretStr("")
        self._client: HttpClient | None = None
        self._resilience: Resilience

    async def open(self) -> None:
        """
        Ask which engine is mounted there, as `vault kv` does before each command.

        It costs no right of its own, proves the token, and tells a mount of version 1, or none, from an absent secret.
        Source: https://developer.hashicorp.com/vault/api-docs/system/internal-ui-mounts

        Raises:
            Denied: The token is not valid, or may see nothing of the mount.
            InvalidInput: Address or token are missing or cannot be used, or no KV engine of version 2 is mounted there.
        """
        if self._client is not None:
            return
        settings, environ = self._settings, os.environ if self._environ is None else self._environ
        url = self._address(environ)
        self._token = self._first_token(environ)
        self._resilience = Resilience(  # anew each time: an open that failed must not keep the next one from trying
            timeout_s=settings.timeout_s,
            retry=settings.retry,
            breaker=settings.breaker,
            category="secrets",
            name="vault",
            clock=self._clock,
        )
        client = HttpClient(
            base_url=url,
            headers={"x-vault-request": "true"},  # an agent may demand it, against requests that others forged
            ca_file=settings.ca_file,
            category="secrets",
            name="vault",
        )
        await client.open()
        try:
            await self._check_mount(client)
        except BaseException:
            await client.close()
            raise
        self._client = client

    async def close(self) -> None:
        client, self._client = self._client, None
        self._token = SecretStr("")
        if client is not None:
            await client.close()

    async def health(self) -> Health:
        """Ask whether the server is unsealed; a standby is well, since it hands requests on. No token is sent."""
        if self._client is None:
            return Health(False, "not open")
        began_s = self._clock()
        query = {"standbyok": "true", "perfstandbyok": "true"}
        try:
            async with asyncio.timeout(self._settings.health_timeout_s):
                answer = await self._client.send("GET", "/v1/sys/health", params=query, operation="health")
        except TimeoutError:
            return Health(False, f"no answer within {self._settings.health_timeout_s:g} s")
        except AdapterError as error:
            return Health(False, error.message)
        detail = _state(answer)
        return Health(detail == UNSEALED, detail, max(0.0, self._clock() - began_s))

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        client = self._opened("get", name)
        if version != LATEST and not _VERSION.fullmatch(version):
            raise NotFound(f"{self.resource(name)}: versions are numbers from 1", **_where("get"))
        params = {} if version == LATEST else {"version": version}
        answer = await self._ask(client, "GET", self.resource(name), "get", params=params)
        match _json(answer):
            case {"data": {"data": dict(fields), "metadata": {"version": int(found)}}} if version in {
                LATEST,
                str(found),
            }:
                return Secret(name, SecretBytes(self._value(fields)), str(found))
        raise _misshapen(answer, "get")

    async def version(self, name: str) -> str | None:
        """Read the metadata; the policy needs that besides the right to read the value, else it is `Denied`."""
        client = self._opened("version", name)
        try:
            answer = await self._ask(client, "GET", f"{self._mount}/metadata/{self._prefix}{name}", "version")
        except NotFound:
            return None
        match _json(answer):
            case {"data": {"current_version": 0}}:  # metadata alone, without a version
                return None
            case {"data": {"current_version": int(found), "versions": dict(versions)}}:
                return None if _is_gone(versions.get(str(found)), answer) else str(found)
        raise _misshapen(answer, "version")

    async def put(self, name: str, value: SecretBytes) -> str:
        client = self._opened("put", name)
        if self._settings.field is not None:
            fixes = ("set no field",)
            raise Unsupported(f"it would drop the other keys; fix: {fixes[0]}", fixes=fixes, **_where("put"))
        text = _text(value.get_secret_value())
        if text is None:
            raise InvalidInput("the value is no UTF-8 text, and JSON can carry no other", **_where("put"))
        body: JSON = {"data": {VALUE: text}}
        answer = await self._ask(client, "POST", self.resource(name), "put", body=body, is_idempotent=False)
        match _json(answer):
            case {"data": {"version": int(written)}}:
                return str(written)
        raise _misshapen(answer, "put")

    def resource(self, name: str) -> str:
        """Return the path by which policies and the server's log call a secret, `secret/data/NAME`; no I/O."""
        return f"{self._mount}/data/{self._prefix}{name}"

    def _opened(self, operation: str, name: str) -> HttpClient:
        if self._client is None:
            raise NotOpen(**_where(operation))
        check_name(name, adapter="vault", operation=operation)
        return self._client

    def _address(self, environ: Mapping[str, str]) -> str:
        if self._settings.url is not None:
            return self._settings.url
        url = environ.get(ADDRESS_VARIABLE)
        fault = _fault(url, self._settings.allow_plain_http) if url else "no address; fix: set url, or this variable"
        if not url or fault is not None:
            raise InvalidInput(f"{ADDRESS_VARIABLE}: {fault}", **_where("open"))
        return url

    def _first_token(self, environ: Mapping[str, str]) -> SecretStr:
        if self._settings.token_file is not None:
            return _token_in(self._settings.token_file)
        token = self._settings.token or SecretStr(environ.get(TOKEN_VARIABLE, ""))
        if not token.get_secret_value():
            fixes = (f"set token or token_file, or {TOKEN_VARIABLE}",)
            raise InvalidInput(f"no token; fix: {fixes[0]}", fixes=fixes, **_where("open"))
        return token

    def _has_other_token(self, refused: SecretStr) -> bool:
        """Tell whether there is another token than the one that was refused, after a look into `token_file`."""
        if self._token == refused and self._settings.token_file is not None:
            try:
                self._token = _token_in(self._settings.token_file)
            except AdapterError:
                return False  # what the server said is the better reason
        return self._token != refused

    async def _check_mount(self, client: HttpClient) -> None:
        try:
            body = _json(await self._ask(client, "GET", _MOUNTS + self._mount, "open"))
        except NotFound:  # the address is that of no Vault, or of a path beside its API
            body = None
        match body:
            case {"data": {"path": path, "type": "kv", "options": {"version": "2"}}} if path == f"{self._mount}/":
                return
        fix = "let url name the server, mount such an engine, and prefix what follows it"
        raise InvalidInput(
            f"{self._mount} is no mount of the KV engine, version 2; fix: {fix}", fixes=(fix,), **_where("open")
        )

    async def _ask(
        self,
        client: HttpClient,
        method: str,
        path: str,
        operation: str,
        *,
        params: Mapping[str, str] | None = None,
        body: JSON = None,
        is_idempotent: bool = True,
    ) -> Response:
        """Make a request within the limits of the settings, and return an answer that is no error."""
        namespace = self._settings.namespace
        scope = {} if namespace is None else {"x-vault-namespace": namespace}

        async def send(token: SecretStr) -> Response:
            headers = {"x-vault-token": token.get_secret_value(), **scope}
            return await client.send(
                method, f"/v1/{path}", headers=headers, params=params, json=body, operation=operation
            )

        async def once() -> Response:
            token = self._token
            answer = await send(token)
            if answer.status in _REFUSED and self._has_other_token(token):
                answer = await send(self._token)  # a refused request had no effect: also one that writes may go again
            error = _error(answer, path, operation)
            if error is not None:
                raise error
            return answer

        return await self._resilience.run(once, is_idempotent=is_idempotent, operation=operation)

    def _value(self, fields: dict[str, JSON]) -> bytes:
        """Return what of a secret's map is the value."""
        field = self._settings.field
        if field is not None and field not in fields:
            fix = f'store it under "{field}", or set no field'
            raise BadReply(f'the secret has no key "{field}"; fix: {fix}', fixes=(fix,), **_where("get"))
        key = field or (VALUE if set(fields) == {VALUE} else None)
        value: JSON = fields if key is None else fields[key]
        found = _bytes(value)
        if found is None:
            raise BadReply("the secret cannot be written as JSON text", **_where("get"))
        return found


def _where(operation: str) -> dict[str, str]:
    return {"category": "secrets", "name": "vault", "operation": operation}


def _fault(url: str, allow_plain_http: bool) -> str | None:
    """Return why a token is not sent to an address, without the address; None if it may go there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "the address cannot be read"
    if parts.scheme not in {"http", "https"} or not host:
        return "it must begin with http:// or https:// and a host"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "no user info, query or fragment here; use token"
    if parts.scheme == "http" and not allow_plain_http and not _is_loopback(host):
        return "http:// would show the token to the network; fix: use https://, or set allow_plain_http"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token_in(path: str) -> SecretStr:
    """Read the token of a file, which others may not be able to change; an agent may not have written it yet."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(MAX_TOKEN_BYTES).decode("ascii", "replace").strip() if stat.S_ISREG(mode) else ""
    except PermissionError:
        raise Denied("token_file may not be read by this process", **_where("open")) from None
    except OSError as error:
        raise Unavailable(f"token_file: {os.strerror(error.errno or 0)}", **_where("open")) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Denied("others may write token_file; fix: chmod go-w", fixes=("chmod go-w",), **_where("open"))
    if not token:
        raise Unavailable("token_file holds no token", **_where("open"))
    return SecretStr(token)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe must not stop the loop


def _state(answer: Response) -> str:
    """Return what `sys/health` says of a server; only `unsealed` is well."""
    match answer.status, _json(answer):
        case 200, {"sealed": False}:
            return UNSEALED
        case _, {"initialized": False}:
            return "not initialized"
        case _, {"sealed": True}:
            return "sealed"
    return f"sys/health answered {answer.status}"


def _error(answer: Response, path: str, operation: str) -> AdapterError | None:
    """Return the error of ours that an answer means; what the server says is looked at, and not repeated."""
    if 200 <= answer.status <= 299:
        return None
    where, body, path = _where(operation), _json(answer), path.removeprefix(_MOUNTS)
    said = body.get("errors") if isinstance(body, dict) else None
    for status, words, kind, reason in _SAID:
        if answer.status == status and words in str(said).lower():
            return kind(f"{path}: {reason}", **where)
    if answer.status == 404:
        return _absent(body, path, operation)
    if answer.status in _REFUSED:
        fix = f"a valid token, and a policy with {'create and update' if operation == 'put' else 'read'} for {path}"
        return Denied(f"the token is not valid or may not do this; fix: {fix}", fixes=(fix,), **where)
    if 300 <= answer.status <= 399:
        fix = "let url name the active server, or a load balancer before it"
        return Unavailable(f"{shown(answer.url)}: a standby that sends us elsewhere; fix: {fix}", fixes=(fix,), **where)
    if answer.status == 412:  # "should be retried": https://developer.hashicorp.com/vault/api-docs#http-status-codes
        return Unavailable(f"{path}: this server is behind the active one", **where)
    return answer.error(**where)


def _absent(body: JSON, path: str, operation: str) -> AdapterError:
    """Tell an absent secret from a mount, a namespace or a whole server that is not there: those are outages."""
    match body:
        case {"data": {"metadata": {"version": int(version), "destroyed": True}}}:
            return NotFound(f"{path}: version {version} was destroyed", **_where(operation))
        case {"data": {"metadata": {"version": int(version)}}}:
            return NotFound(f"{path}: version {version} was deleted", **_where(operation))
        case {"errors": []}:
            return NotFound(f"there is no {path}, or not in this version", **_where(operation))
        case {"errors": [*_]}:
            return Unavailable(f"{path}: there is no such mount or namespace", **_where(operation))
    return BadReply(f"{path}: status 404, and not from Vault", **_where(operation))


def _json(answer: Response) -> JSON:
    """Return the body as a JSON value, None if it is none."""
    try:
        return answer.json()
    except BadReply:
        return None


def _misshapen(answer: Response, operation: str) -> BadReply:
    return BadReply(f"status {answer.status} with a body of another shape", **_where(operation))


def _is_gone(facts: JSON, answer: Response) -> bool:
    """Tell whether a version can no longer be read; a deletion may also lie ahead."""
    match facts:
        case {"destroyed": True}:
            return True
        case {"destroyed": False, "deletion_time": ""}:
            return False
        case {"destroyed": False, "deletion_time": str(text)}:
            with contextlib.suppress(ValueError, TypeError):  # no time, or one without a zone
                return datetime.fromisoformat(text) <= answer.received_at
    raise _misshapen(answer, "version")


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:  # it holds the value: raised from here, our error would carry it along
        return None


def _bytes(value: JSON) -> bytes | None:
    """Return a text as it is and anything else as JSON text; None for what neither can be."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is one of the former, and holds the value
        return None
