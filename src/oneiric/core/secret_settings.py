"""Sections `secrets` and `remote` of the configuration: how secrets are read, and what a manifest may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from oneiric.core.markers import Public

TTL_S = 300.0


class SecretsSettings(BaseModel):
    """Section `secrets`: which keys the secrets layer answers, and what an outage of the store means."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    bindings: Annotated[dict[str, str], Public] = Field(
        default={}, description="secret name by key, for settings that are not typed secret or have another name"
    )
    on_error: Literal["fail", "fallback"] | None = Field(
        default=None,
        description="what a store that is denied or down means where its layer would win; none: as the profile says",
    )
    ttl_s: float = Field(default=TTL_S, ge=0, description="seconds until the latest version is read again; 0: no cache")


class ManifestSettings(BaseModel):
    """Section `remote`: where the manifest is, and what a fetched one may refer to."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    inline: str | None = Field(
        default=None,
        description="the manifest of the build, a path or package:NAME; none: oneiric.manifest.json where it is there",
    )
    secret_scope: Annotated[list[str], Public] = Field(
        default=[], description="globs of the secrets that a remote manifest may refer to"
    )
