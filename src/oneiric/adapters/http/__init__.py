"""HTTP requests: the `Http` Protocol and its value types."""

from __future__ import annotations

from oneiric.adapters.http.common import Http, Params, Response, StreamResponse

__all__ = ["Http", "Params", "Response", "StreamResponse"]
