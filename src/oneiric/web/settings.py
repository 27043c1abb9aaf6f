"""Sections `web` and `push` of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PORT = 65_535
MAX_BODY_BYTES = 1_048_576


class WebSettings(BaseModel):
    """Section `web`: where the server listens."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    host: str | None = Field(
        default=None,
        min_length=1,
        description="address to listen on; by default 0.0.0.0 in a public profile such as serverless, else 127.0.0.1",
    )
    port: int | None = Field(
        default=None, ge=0, le=MAX_PORT, description="port to listen on, 0 for a free one; by default PORT, else 8080"
    )


class PushSettings(BaseModel):
    """Section `push`: who may send events."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    auth: Literal["oidc", "none"] = Field(
        default="oidc", description="how callers prove who they are; none is for a loopback web.host only"
    )
    max_bytes: int = Field(
        default=MAX_BODY_BYTES, ge=1, description="largest body of a push request, in bytes as they are received"
    )
