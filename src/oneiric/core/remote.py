"""
Settings of adapters whose calls leave the process: a time limit, retries and a breaker.

Apart from `adapter.py`: every start imports that one, and three models more would take longer than all the rest of it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from oneiric.core.adapter import CALL_TIMEOUT_S, AdapterSettings


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


class RemoteSettings(AdapterSettings):
    """Settings of an adapter whose calls leave the process."""

    timeout_s: float = Field(default=CALL_TIMEOUT_S, gt=0, description="seconds that one call may take in all")
    retry: Retry = Field(default_factory=Retry, description="how idempotent calls are tried again")
    breaker: Breaker = Field(default_factory=Breaker, description="when calls to a failing peer stop")
