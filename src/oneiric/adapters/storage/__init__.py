"""Category `storage`: objects of bytes under keys."""

from __future__ import annotations

from oneiric.adapters.storage.common import Storage, StoredObject

__all__ = ["Storage", "StoredObject"]
