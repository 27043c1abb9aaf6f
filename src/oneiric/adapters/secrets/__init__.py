"""Named secrets: the `Secrets` Protocol and its value type."""

from __future__ import annotations

from oneiric.adapters.secrets.common import Secret, Secrets

__all__ = ["Secret", "Secrets"]
