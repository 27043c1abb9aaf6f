"""What every adapter has: settings that are checked, and a health that is plain."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from oneiric.core.adapter import Adapter, AdapterSettings, Health
from oneiric.core.remote import RemoteSettings


class Settings(RemoteSettings):
    """Settings with a secret, as an adapter has them."""

    host: str = "localhost"
    password: SecretStr | None = None


def test_the_defaults_are_the_documented_ones() -> None:
    """10 s to open, 5 to close, 3 for a health check."""
    settings = AdapterSettings()

    assert settings.model_dump() == {
        "open_timeout_s": 10.0,
        "close_timeout_s": 5.0,
        "health_timeout_s": 3.0,
    }


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        pytest.param(AdapterSettings, {"open_timeout_s": 0}, id="no time to open"),
        pytest.param(AdapterSettings, {"close_timeout_s": -1}, id="negative time to close"),
        pytest.param(AdapterSettings, {"health_timeout_s": 0}, id="no time for health"),
        pytest.param(AdapterSettings, {"hots": "x"}, id="unknown field"),
    ],
)
def test_a_setting_outside_its_range_is_refused(kind: type[AdapterSettings], wrong: dict[str, object]) -> None:
    """A wrong number or name stops the start, not the hundredth call."""
    with pytest.raises(ValidationError) as caught:
        kind(**wrong)

    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]


def test_settings_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment speaks through its layer, with an origin, and in no other way."""
    for name in ("HOST", "host", "PASSWORD", "TIMEOUT_S"):
        monkeypatch.setenv(name, "7")

    settings = Settings()

    assert settings.host == "localhost"
    assert settings.password is None
    assert settings.timeout_s == 5.0


def test_settings_do_not_change() -> None:
    """A running adapter's settings are those it was explained with."""
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.host = "other"


def test_a_validation_error_and_a_repr_hold_no_secret() -> None:
    """Neither a wrong secret nor the object around a right one shows it."""
    shown = repr(Settings(password=SecretStr("canary-1")))

    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"password": ["canary-2"]})

    assert "canary-1" not in shown
    assert "canary-2" not in str(caught.value)


def test_health_is_a_plain_value() -> None:
    """An answer can be compared and shown; there is nothing to say about a healthy adapter."""
    assert Health(ok=True) == Health(True, "", 0.0)


def test_what_opens_closes_and_tells_its_health_is_an_adapter() -> None:
    """An adapter inherits nothing; its shape is enough."""

    class Lamp:
        async def open(self) -> None: ...
        async def close(self) -> None: ...
        async def health(self) -> Health:
            return Health(ok=True)

    assert isinstance(Lamp(), Adapter)
    assert not isinstance(object(), Adapter)
