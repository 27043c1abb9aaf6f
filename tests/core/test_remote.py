"""Settings of adapters whose calls leave the process."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from oneiric.core.remote import Breaker, RemoteSettings, Retry


def test_the_defaults_are_the_documented_ones() -> None:
    """10 s to open, 5 to close, 3 for health, 5 a call; three tries; five failures open the breaker for 30 s."""
    settings = RemoteSettings()

    assert settings.model_dump() == {
        "open_timeout_s": 10.0,
        "close_timeout_s": 5.0,
        "health_timeout_s": 3.0,
        "timeout_s": 5.0,
        "retry": {"attempts": 3, "wait_s": 0.1, "factor": 2.0, "max_wait_s": 10.0, "jitter": 0.2},
        "breaker": {"failures": 5, "reset_s": 30.0},
    }


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        pytest.param(RemoteSettings, {"timeout_s": 0}, id="no time for a call"),
        pytest.param(Retry, {"attempts": 0}, id="no try at all"),
        pytest.param(Retry, {"wait_s": -0.1}, id="negative wait"),
        pytest.param(Retry, {"factor": 0.5}, id="waits that shrink"),
        pytest.param(Retry, {"jitter": 1.1}, id="more jitter than wait"),
        pytest.param(Retry, {"tries": 3}, id="unknown field of retry"),
        pytest.param(Breaker, {"failures": 0}, id="breaker that is always open"),
        pytest.param(Breaker, {"reset_s": 0}, id="breaker that never pauses"),
    ],
)
def test_a_setting_outside_its_range_is_refused(kind: type[BaseModel], wrong: dict[str, object]) -> None:
    """A wrong number or name stops the start, not the hundredth call."""
    with pytest.raises(ValidationError) as caught:
        kind(**wrong)

    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
