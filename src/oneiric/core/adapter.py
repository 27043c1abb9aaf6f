"""What every adapter has: settings, and an answer about its health."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from oneiric.core.health import CLOSE_TIMEOUT_S, HEALTH_TIMEOUT_S, OPEN_TIMEOUT_S, Health

__all__ = [
    "CALL_TIMEOUT_S",
    "CLOSE_TIMEOUT_S",
    "HEALTH_TIMEOUT_S",
    "OPEN_TIMEOUT_S",
    "Adapter",
    "AdapterSettings",
    "Breaker",
    "Health",
    "RemoteSettings",
    "Retry",
]
CALL_TIMEOUT_S = 5.0


class Retry(BaseModel):
    """When and how often an idempotent call is tried again; applied by `core/resilience.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    attempts: int = Field(default=3, ge=1, description="tries in all, the first included")
    wait_s: float = Field(default=0.1, ge=0, description="seconds before the second try")
    factor: float = Field(default=2.0, ge=1, description="each further wait is this many times longer")
    max_wait_s: float = Field(default=10.0, ge=0, description="no wait is longer, in seconds")
    jitter: float = Field(default=0.2, ge=0, le=1, description="share of a wait that is drawn at random")


class Breaker(BaseModel):
    """When calls to a failing peer stop for a while; applied by `core/resilience.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    failures: int = Field(default=5, ge=1, description="failures in a row that open the breaker")
    reset_s: float = Field(default=30.0, gt=0, description="seconds until one call is let through again")


class AdapterSettings(BaseModel):
    """
    Base of every adapter's `Settings`.

    A plain pydantic model: building one reads no environment and does no I/O. Unknown fields are refused, and a
    validation error never holds the input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    open_timeout_s: float = Field(default=OPEN_TIMEOUT_S, gt=0, description="seconds that opening may take")
    close_timeout_s: float = Field(default=CLOSE_TIMEOUT_S, gt=0, description="seconds that closing may take")
    health_timeout_s: float = Field(default=HEALTH_TIMEOUT_S, gt=0, description="seconds that a health check may take")


class RemoteSettings(AdapterSettings):
    """Settings of an adapter whose calls leave the process."""

    timeout_s: float = Field(default=CALL_TIMEOUT_S, gt=0, description="seconds that one call may take in all")
    retry: Retry = Field(default_factory=Retry, description="how idempotent calls are tried again")
    breaker: Breaker = Field(default_factory=Breaker, description="when calls to a failing peer stop")


@runtime_checkable
class Adapter(Protocol):
    """The life of an adapter; the category's own methods are in its `common.py`."""

    async def open(self) -> None:
        """
        Connect, or prove that it can be done. A failure leaves nothing behind, and may be tried again.

        Raises:
            AdapterError: The backend cannot be had, or the SDK is not installed.
        """

    async def close(self) -> None:
        """Give everything back; a second call does nothing."""

    async def health(self) -> Health:
        """Make one real, cheap, read-only round trip; never raises and never outlasts `health_timeout_s`."""
