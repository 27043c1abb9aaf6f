"""The category `cache`: bytes under a key, for a time."""

from __future__ import annotations

from oneiric.adapters.cache.common import Cache, cached, get_json, set_json

__all__ = ["Cache", "cached", "get_json", "set_json"]
