"""Section `stock` of the configuration."""

from __future__ import annotations

from pydantic import Field

from oneiric import Settings


class StockSettings(Settings, section="stock"):
    """What counts as low: `[settings.stock]`, `ONEIRIC_STOCK__…`."""

    low: int = Field(default=5, ge=0, description="an article of which fewer are there is low; 0: none ever is")
