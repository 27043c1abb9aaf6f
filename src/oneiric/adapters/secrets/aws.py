"""Secrets in AWS: Secrets Manager, or the Parameter Store of Systems Manager."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from pydantic import Field, SecretBytes, model_validator

from oneiric.adapters.secrets.common import LATEST, Secret, check_name
from oneiric.core.adapter import Health
from oneiric.core.errors import AdapterError, BadReply, Denied, NotFound, NotOpen, TimedOut, Unsupported
from oneiric.core.remote import RemoteSettings
from oneiric.core.resilience import Resilience
from oneiric.core.vendors.aws import AwsClient, Meaning

PROBE = "oneiric-probe"  # a name below the prefix that nobody needs to have
_INCOMPLETE = "the answer lacks what the service promises"


class AwsSecrets:
    """
    Reads one secret of AWS at each call; values are kept nowhere.

    Credentials come from the SDK's own chain: environment, profile, or the role of the function, task or machine. The
    role needs no right to list: `secretsmanager:GetSecretValue` and, for `version`, `secretsmanager:DescribeSecret`; or
    `ssm:GetParameter`; and `kms:Decrypt` where a key of one's own encrypts. Opening and health ask for a name below the
    prefix that need not exist; "absent" and "not allowed" prove that the service answers to these credentials.

    Args:
        settings: Which service, and where.
        clock: Seconds that never run backwards; retries, the breaker and the latency of health go by it.
    """

    class Settings(RemoteSettings):
        """Which service of AWS holds the secrets, and under which names."""

        service: Literal["secretsmanager", "ssm"] = Field(
            default="secretsmanager", description="Secrets Manager, or the Parameter Store of Systems Manager"
        )
        region: str | None = Field(
            default=None, min_length=1, description="region; none: as the SDK finds it, AWS_DEFAULT_REGION first"
        )
        endpoint_url: str | None = Field(
            default=None,
            pattern=r"^https?://[^\s@?#]+$",
            description="address to call; none: as the SDK finds it, which is AWS's own",
        )
        prefix: str = Field(
            default="",
            max_length=512,
            pattern=r"^[A-Za-z0-9/_.+=@-]*$",
            description="put before every name, such as /orders/; for ssm, one with a / begins with a /",
        )

        @model_validator(mode="after")
        def _is_a_path_of_the_parameter_store(self) -> AwsSecrets.Settings:
            fits = re.fullmatch(r"(?:/[A-Za-z0-9/_.-]*|[A-Za-z0-9_.-]*)", self.prefix)
            if self.service == "ssm" and not fits:
                raise ValueError("the prefix of a parameter is of A-Z a-z 0-9 _ . - /, and begins with / if it has one")
            return self

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._store: _Store = _SecretsManager() if settings.service == "secretsmanager" else _ParameterStore()
        self._client = AwsClient(
            settings.service,
            region=settings.region,
            endpoint_url=settings.endpoint_url,
            timeout_s=settings.timeout_s,
            category="secrets",
            name="aws",
            meaning=self._store.meaning,
        )
        self._resilience = Resilience(
            timeout_s=settings.timeout_s,
            retry=settings.retry,
            breaker=settings.breaker,
            category="secrets",
            name="aws",
            clock=clock,
        )

    @property
    def native(self) -> Any:  # outside the contract
        """The client of boto3 while open, else None; its calls block, and bypass every limit of this adapter."""
        return self._client.native

    async def open(self) -> None:
        if self._client.is_open:
            return
        limit_s = self._settings.open_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._client.open()
                await self._probe("open")
        except TimeoutError:
            await self._client.close()
            raise TimedOut(f"no answer within {limit_s:g} s", **_where("open")) from None
        except BaseException:
            await self._client.close()
            raise

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        if not self._client.is_open:
            return Health(False, "not open")
        began_s, limit_s = self._clock(), self._settings.health_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._probe("health")
        except TimeoutError:
            return Health(False, f"no answer within {limit_s:g} s")
        except AdapterError as error:
            return Health(False, error.message)
        detail = f"{self._settings.service} in {self._client.region} answers"
        return Health(True, detail, max(0.0, self._clock() - began_s))

    async def get(self, name: str, *, version: str = LATEST) -> Secret:
        self._check(name, "get")
        if version != LATEST and not self._store.versions.fullmatch(version):
            raise NotFound(f"{self.resource(name)}: no version of this service is written so", **_where("get"))
        method, arguments = self._store.value_of(self._settings.prefix + name, version)
        try:
            answer = await self._tried(method, arguments, "get")
        except NotFound as error:
            raise NotFound(f"{self.resource(name)}: {error.reason}", **_where("get")) from None
        value, found = _read(self._store.value, answer, "get")
        return Secret(name, SecretBytes(value), found)

    async def version(self, name: str) -> str | None:
        """
        Return the latest version without a right that `get` does not need, or `secretsmanager:DescribeSecret`.

        Secrets Manager tells it without the value. The Parameter Store does so only to those who may describe all
        parameters (`ssm:DescribeParameters`, which no policy can narrow); so the parameter is asked for undecrypted: a
        SecureString comes as ciphertext, no key is used, and what came is dropped.
        """
        self._check(name, "version")
        method, arguments = self._store.facts_of(self._settings.prefix + name)
        try:
            answer = await self._tried(method, arguments, "version")
        except NotFound:
            return None
        latest: str | None = _read(self._store.latest, answer, "version")
        return latest

    async def put(self, name: str, value: SecretBytes) -> str:
        """Refuse: secrets of AWS are made by who runs the account, and a missing one is never created from here."""
        self._check_open("put")
        raise Unsupported("it lacks the capability write", **_where("put"))

    def resource(self, name: str) -> str:
        """
        Return where a secret of this name is looked for, `ssm/eu-west-1/orders/token`; nothing is asked.

        Before `open`, a region that only the SDK can find is called `-`.
        """
        full = (self._settings.prefix + name).lstrip("/")
        return f"{self._settings.service}/{self._client.region or '-'}/{full}"

    async def _probe(self, operation: str) -> None:
        method, arguments = self._store.facts_of(self._settings.prefix + PROBE)
        await self._client.reach(method, operation=operation, **arguments)

    async def _tried(self, method: str, arguments: Mapping[str, object], operation: str) -> Mapping[str, Any]:
        async def once() -> Mapping[str, Any]:
            return await self._client.call(method, operation=operation, **arguments)

        return await self._resilience.run(once, is_idempotent=True, operation=operation)

    def _check(self, name: str, operation: str) -> None:
        self._check_open(operation)
        check_name(name, adapter="aws", operation=operation)

    def _check_open(self, operation: str) -> None:
        if not self._client.is_open:
            raise NotOpen(**_where(operation))


Request = tuple[str, dict[str, object]]  # a method of boto3's client, and its arguments


class _Store(Protocol):
    """What the two services differ in: what is asked, how the answer is read, and what the errors mean."""

    versions: re.Pattern[str]

    def value_of(self, name: str, version: str) -> Request: ...
    def value(self, answer: Mapping[str, Any]) -> tuple[bytes, str]: ...
    def facts_of(self, name: str) -> Request: ...
    def latest(self, answer: Mapping[str, Any]) -> str | None: ...
    def meaning(self, code: str, text: str) -> Meaning | None: ...


class _SecretsManager:
    """Source: the API reference of Secrets Manager, GetSecretValue and DescribeSecret."""

    versions = re.compile(r".{32,64}")

    def value_of(self, name: str, version: str) -> Request:
        pinned = {} if version == LATEST else {"VersionId": version}  # without it, the one staged AWSCURRENT
        return "get_secret_value", {"SecretId": name, **pinned}

    def value(self, answer: Mapping[str, Any]) -> tuple[bytes, str]:
        text = answer.get("SecretString")
        return answer["SecretBinary"] if text is None else text.encode(), answer["VersionId"]

    def facts_of(self, name: str) -> Request:
        return "describe_secret", {"SecretId": name}

    def latest(self, answer: Mapping[str, Any]) -> str | None:
        if "ARN" not in answer:  # an answer of somebody else must not look like an absent secret
            raise BadReply(_INCOMPLETE, **_where("version"))
        stages = answer.get("VersionIdsToStages", {})  # a secret without a value has none
        current = [version for version, names in stages.items() if "AWSCURRENT" in names]
        return current[0] if current and "DeletedDate" not in answer else None

    def meaning(self, code: str, text: str) -> Meaning | None:
        if code == "InvalidRequestException":
            if re.search(r"\bmarked\b.*\bdelet", text):
                return Meaning(NotFound, "it is marked for deletion")
            return Meaning(Denied, f"{code}: the secret's state does not allow it")
        return {
            "ResourceNotFoundException": Meaning(NotFound, "no such secret, or not in this version"),
            "DecryptionFailure": Meaning(Denied, f"{code}: its key cannot be used"),
        }.get(code)


class _ParameterStore:
    """Source: the API reference of Systems Manager, GetParameter."""

    versions = re.compile(r"[1-9][0-9]{0,17}")  # a label would do for the service, but it is no version: it moves

    def value_of(self, name: str, version: str) -> Request:
        return "get_parameter", {
            "Name": name if version == LATEST else f"{name}:{version}",
            "WithDecryption": True,
        }

    def value(self, answer: Mapping[str, Any]) -> tuple[bytes, str]:
        found = answer["Parameter"]
        return found["Value"].encode(), str(found["Version"])

    def facts_of(self, name: str) -> Request:
        return "get_parameter", {"Name": name, "WithDecryption": False}

    def latest(self, answer: Mapping[str, Any]) -> str | None:
        return str(answer["Parameter"]["Version"])

    def meaning(self, code: str, text: str) -> Meaning | None:
        return {
            "ParameterNotFound": Meaning(NotFound, "no such parameter"),
            "ParameterVersionNotFound": Meaning(NotFound, "not in this version"),
            "InvalidKeyId": Meaning(Denied, f"{code}: its key cannot be used"),
        }.get(code)


def _read(read: Callable[[Mapping[str, Any]], Any], answer: Mapping[str, Any], operation: str) -> Any:  # what it reads
    """Read an answer; botocore does not check that what it got is what the service promises."""
    try:
        return read(answer)
    except (KeyError, TypeError, AttributeError):
        raise BadReply(_INCOMPLETE, **_where(operation)) from None


def _where(operation: str) -> dict[str, Any]:  # the fields of every AdapterError; see its constructor
    return {"category": "secrets", "name": "aws", "operation": operation}
