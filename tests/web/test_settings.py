"""Sections `web` and `push`: their defaults and their ranges."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from oneiric.web.settings import PushSettings, WebSettings


def test_push_is_closed_by_default() -> None:
    """Who says nothing gets authentication, and 1 MiB."""
    settings = PushSettings()

    assert settings.auth == "oidc"
    assert settings.max_bytes == 1_048_576


@pytest.mark.parametrize(
    ("model", "values"),
    [
        pytest.param(WebSettings, {"port": 65_536}, id="a port too high"),
        pytest.param(WebSettings, {"port": -1}, id="a negative port"),
        pytest.param(WebSettings, {"host": ""}, id="an empty host"),
        pytest.param(WebSettings, {"hots": "::1"}, id="a misspelt field"),
        pytest.param(PushSettings, {"auth": "platform"}, id="a way of authentication that is none"),
        pytest.param(PushSettings, {"max_bytes": 0}, id="no room at all"),
    ],
)
def test_a_value_out_of_range_is_refused(model: type[WebSettings | PushSettings], values: dict[str, object]) -> None:
    """What cannot be is found when the settings are read."""
    with pytest.raises(ValidationError):
        model.model_validate(values)
