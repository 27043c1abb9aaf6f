"""Section `app` of the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0


class AppSettings(BaseModel):
    """Section `app`: how long an application may take to start and to stop."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    start_timeout_s: float = Field(default=START_TIMEOUT_S, gt=0, description="seconds that the whole start may take")
    stop_timeout_s: float = Field(default=STOP_TIMEOUT_S, gt=0, description="seconds that the whole stop may take")
