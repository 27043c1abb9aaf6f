"""Sections `app`, `swap` and `activity` of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from oneiric.runtime.swap import BUILD_TIMEOUT_S, DRAIN_GRACE_S, DRAIN_TIMEOUT_S

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0


class AppSettings(BaseModel):
    """Section `app`: how long an application may take to start and to stop."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    start_timeout_s: float = Field(default=START_TIMEOUT_S, gt=0, description="seconds that the whole start may take")
    stop_timeout_s: float = Field(default=STOP_TIMEOUT_S, gt=0, description="seconds that the whole stop may take")


class SwapSettings(BaseModel):
    """Section `swap`: how long a change of a running application may take, and waits for calls of before."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    build_timeout_s: float = Field(
        default=BUILD_TIMEOUT_S, gt=0, description="seconds that building and opening all new objects may take"
    )
    drain_grace_s: float = Field(
        default=DRAIN_GRACE_S, ge=0, description="seconds in which old objects stay open for synchronous calls"
    )
    drain_timeout_s: float = Field(
        default=DRAIN_TIMEOUT_S, ge=0, description="seconds to wait for calls that work with old objects"
    )


class ActivitySettings(BaseModel):
    """Section `activity`: where it is kept what happened."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    path: str | None = Field(
        default=None,
        min_length=1,
        description="the file, or :memory:; by default activity.sqlite in $STATE_DIRECTORY, else in .oneiric; in a "
        "profile that is not local it is :memory:",
    )
