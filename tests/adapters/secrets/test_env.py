"""Secrets in environment variables."""

from __future__ import annotations

from functools import cached_property

import pytest
from pydantic import SecretBytes, ValidationError

from oneiric.adapters.secrets.env import EnvSecrets
from oneiric.core.errors import InvalidInput, NotFound, Unsupported
from oneiric.testing.clock import FakeClock
from oneiric.testing.contracts.backend import Backend
from oneiric.testing.contracts.secrets import SecretsContract


class TestEnvSecrets(SecretsContract):
    adapter = EnvSecrets

    @cached_property
    def environ(self) -> dict[str, str]:
        return {}

    def make(self, backend: Backend, clock: FakeClock, **changed: object) -> EnvSecrets:
        return EnvSecrets(EnvSecrets.Settings.model_validate(changed), environ=self.environ)

    def place(self, backend: Backend, name: str, value: bytes) -> None:
        self.environ["SECRET_" + name.upper().replace("-", "_")] = value.decode("utf-8", "surrogateescape")


async def opened(environ: dict[str, str] | None, **settings: object) -> EnvSecrets:
    adapter = EnvSecrets(EnvSecrets.Settings.model_validate(settings), environ=environ)
    await adapter.open()
    return adapter


@pytest.mark.parametrize(
    ("prefix", "name", "variable"),
    [
        pytest.param("SECRET_", "cache-redis-password", "SECRET_CACHE_REDIS_PASSWORD", id="dashes"),
        pytest.param("SECRET_", "tls.key", "SECRET_TLS_KEY", id="dots"),
        pytest.param("APP_", "token", "APP_TOKEN", id="another prefix"),
    ],
)
@pytest.mark.asyncio
async def test_a_name_leads_to_one_variable(prefix: str, name: str, variable: str) -> None:
    """The variable is the prefix and the name in upper case, dashes and dots as underscores."""
    adapter = await opened({variable: "value"}, prefix=prefix)

    secret = await adapter.get(name)

    assert (secret.value.get_secret_value(), secret.version) == (b"value", "env")
    assert adapter.variable(name) == variable


@pytest.mark.asyncio
async def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set after open is seen; without one it is not-found, and the error names the variable."""
    adapter = await opened(None)
    with pytest.raises(NotFound, match="SECRET_SET_LATER is not set"):
        await adapter.get("set-later")

    monkeypatch.setenv("SECRET_SET_LATER", "value")

    assert (await adapter.get("set-later")).value.get_secret_value() == b"value"


@pytest.mark.asyncio
async def test_an_empty_variable_counts_as_absent() -> None:
    """As in every other layer, empty means not set."""
    adapter = await opened({"SECRET_EMPTY": ""})

    with pytest.raises(NotFound):
        await adapter.get("empty")
    assert await adapter.version("empty") is None


@pytest.mark.asyncio
async def test_bytes_that_are_no_text_survive() -> None:
    """What the process got as bytes comes out as the same bytes."""
    adapter = await opened({"SECRET_RAW": b"\xff\xfe".decode("utf-8", "surrogateescape")})

    assert (await adapter.get("raw")).value.get_secret_value() == b"\xff\xfe"


@pytest.mark.asyncio
async def test_a_value_that_was_passed_as_a_name_is_not_shown() -> None:
    """Neither a wrong name nor a refused value reaches an error."""
    adapter = await opened({})

    with pytest.raises(InvalidInput) as wrong:
        await adapter.get("canary value")
    with pytest.raises(Unsupported) as refused:
        await adapter.put("name", SecretBytes(b"canary"))

    assert "canary" not in f"{wrong.value} {refused.value}"


def test_a_prefix_that_no_variable_can_have_is_refused() -> None:
    """The prefix is a letter or an underscore, then letters, digits and underscores."""
    with pytest.raises(ValidationError) as caught:
        EnvSecrets.Settings(prefix="my prefix")

    assert [fault["loc"] for fault in caught.value.errors()] == [("prefix",)]
