"""Section `receipts` of the configuration."""

from __future__ import annotations

from pydantic import Field, SecretStr

from oneiric import Settings


class ReceiptSettings(Settings, section="receipts"):
    """How receipts are written: `[settings.receipts]`, `ONEIRIC_RECEIPTS__…`, secret `receipts-key`."""

    key: SecretStr | None = Field(default=None, description="signs receipts; none: they are not signed")
