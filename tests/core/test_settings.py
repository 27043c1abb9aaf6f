"""Settings of an application: what they are built from, and what they never read."""

from __future__ import annotations

import pytest
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings

from oneiric import Settings
from oneiric.core.models import built


class ShopSettings(Settings, section="shop"):
    """A section with a field of each kind."""

    host: str = "localhost"
    path: str = "/"
    limit: int = Field(default=5, ge=1)
    token: SecretStr | None = None


class LegacySettings(BaseSettings):
    """A class that was written for pydantic-settings alone."""

    url: str = Field(validation_alias=AliasChoices("LEGACY_URL", "url"))
    user: str = "nobody"

    @field_validator("user")
    @classmethod
    def lower(cls, value: str) -> str:
        """Take names in lower case."""
        return value.lower()


def test_settings_built_directly_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments and defaults are all there is, whatever the process's environment holds."""
    for name, value in {"HOST": "h", "PATH": "/bin", "LIMIT": "9", "TOKEN": "t"}.items():
        monkeypatch.setenv(name, value)

    made = ShopSettings(limit=7)

    assert (made.host, made.path, made.limit, made.token) == ("localhost", "/", 7, None)


def test_settings_are_fed_by_what_layers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers' values arrive, and nothing of the environment beside them."""
    monkeypatch.setenv("HOST", "from-the-environment")

    made = built(ShopSettings, {"limit": 7})

    assert (made.host, made.limit) == ("localhost", 7)


def test_what_one_class_is_fed_no_other_one_reads() -> None:
    """Settings that a validator builds meanwhile have their own defaults."""
    seen: list[int] = []

    class Outer(Settings, section="outer"):
        limit: int = 1

        @field_validator("limit")
        @classmethod
        def look(cls, value: int) -> int:
            seen.append(ShopSettings().limit)
            return value

    made = built(Outer, {"limit": 3})

    assert (made.limit, seen) == (3, [5])


def test_an_existing_class_keeps_its_aliases_and_validators(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken as it is, and its own sources are not read."""
    monkeypatch.setenv("LEGACY_URL", "from-the-environment")

    made = built(LegacySettings, {"url": "sqlite://", "user": "ADA"})

    assert (made.url, made.user) == ("sqlite://", "ada")


def test_a_value_that_does_not_fit_is_refused_without_showing_it() -> None:
    """The error of pydantic's that comes out holds no input."""
    with pytest.raises(ValidationError) as raised:
        ShopSettings(token=["hunter2"])

    assert "hunter2" not in str(raised.value)


def test_settings_are_not_changed_after_they_were_made() -> None:
    """Everybody who is given them sees the same."""
    made = ShopSettings()

    with pytest.raises(ValidationError, match="frozen"):
        made.limit = 8  # type: ignore[misc]  # what is refused
