"""What every adapter has: settings, and an answer about its health."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from oneiric.core.health import CLOSE_TIMEOUT_S, HEALTH_TIMEOUT_S, OPEN_TIMEOUT_S, Health
from oneiric.core.log import Guarded

__all__ = [
    "CALL_TIMEOUT_S",
    "CLOSE_TIMEOUT_S",
    "HEALTH_TIMEOUT_S",
    "OPEN_TIMEOUT_S",
    "Adapter",
    "AdapterSettings",
    "Health",
]
CALL_TIMEOUT_S = 5.0


class AdapterSettings(Guarded, BaseModel):
    """
    Base of every adapter's `Settings`.

    A plain pydantic model: building one reads no environment and does no I/O. Unknown fields are refused, and a
    validation error never holds the input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    open_timeout_s: float = Field(default=OPEN_TIMEOUT_S, gt=0, description="seconds that opening may take")
    close_timeout_s: float = Field(default=CLOSE_TIMEOUT_S, gt=0, description="seconds that closing may take")
    health_timeout_s: float = Field(default=HEALTH_TIMEOUT_S, gt=0, description="seconds that a health check may take")


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
